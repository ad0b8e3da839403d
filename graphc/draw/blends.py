"""Units made from other layers' units, one by one: slices, gates, maxima of two layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.draw.activations import nodes_between
from graphc.draw.silent import bare
from graphc.ir.dims import Dim, same
from graphc.ir.node import Node
from graphc.ops import OPS

_INFIX = {"*": "product", "+": "sum", "-": "difference", "/": "quotient"}


@dataclass(frozen=True)
class Part:
    """What a blend takes from one layer: the node that holds it, which units, and to where."""

    node: Node
    layer: int
    rows: range | None = None  # None: all of them
    first: Dim = 0  # the unit of the blend that the first one goes to
    spreads: bool = False  # one unit that meets all units of the blend


@dataclass(frozen=True)
class Blend:
    """Units that stand for no sum of their own; a layer once a product reads them.

    `start` holds them first; `axis` is theirs, counted from the end. `joint` is what they are of
    the units of several layers: `product`.
    """

    start: Node
    axis: int | None
    size: Dim
    parts: tuple[Part, ...]
    joint: str = ""
    inner: tuple[Node, ...] = ()  # where the blends start that this one is made from

    @property
    def is_slice(self) -> bool:
        """Say whether these are some units of one layer, nothing else."""
        return len(self.parts) == 1 and self.parts[0].rows is not None

    def follows(self, node: Node) -> bool:
        """Say whether a function of the blend still has a place for each unit."""
        return same(units_of(node, self.axis), self.size)


def units_of(node: Node, axis: int | None) -> Dim:
    """Return how many units a node holds along an axis counted from the end."""
    return node.shape[axis] if axis is not None and node.ndim >= -axis else 1


def sliced_rows(node: Node, axis: int | None, size: Dim) -> range | None:
    """Return which units of a layer a node takes, where it is a slice of fewer, or turned."""
    if node.op is not OPS["slice"] or axis is None or node.ndim < -axis:
        return None
    bounds = node.attrs["bounds"][axis]
    if not same(units_of(node.inputs[0], axis), size) or not all(type(b) is int for b in bounds):
        return None
    rows = range(*bounds)
    return None if rows == range(rows.stop) and same(rows.stop, size) else rows


def joint_of(node: Node, operands: Sequence[tuple[Node, Blend | None]]) -> str:
    """Return what a node makes of several layers' units: `f` where it is more than one step."""
    direct = all(b is None or (b.is_slice and bare(x) is b.start) for x, b in operands)
    return _INFIX.get(node.op.infix or "", node.op.name.replace("_", " ")) if direct else "f"


def is_mixed(node: Node, start: Node) -> bool:
    """Say whether a node holds weighed sums over `start`, whose units it then has no more."""
    return any(x.op.family == "contraction" for x in nodes_between(start, node))


def narrow(node: Node) -> Node:
    """Return what a node is before it was broadcast."""
    while node.op in (OPS["broadcast_to"], OPS["cast"]):
        node = node.inputs[0]
    return node
