"""Check, at a call, what a graph claims of its named dims: that `x[:5]` has five places to take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphc.ir.body import bodies
from graphc.ir.dims import Dim, dim_text, evaluate, symbols_of
from graphc.ir.node import Node
from graphc.ir.provenance import FORWARD


def claiming(nodes: Iterable[Node]) -> list[Node]:
    """Return the user's nodes that claim something of dims, also those in the bodies of loops.

    What a derivative slices, it slices out of what it made, and may rely on an empty slice.
    """
    found: list[Node] = []
    waiting = [nodes]
    while waiting:
        for node in waiting.pop():
            if node.provenance.phase == FORWARD and (node.op.claims(node) or _may_fall_short(node)):
                found.append(node)
            waiting += [body.graph.nodes for body in bodies(node.attrs)]
    return found


def check_claims(nodes: Sequence[Node], sizes: Mapping[str, int]) -> None:
    """Raise a GraphError where a claim of one of the nodes does not hold for these sizes."""
    for node in nodes:
        for axis, position, size in node.op.claims(node):
            known = symbols_of([position, size])
            if any(name not in sizes for name in known):
                continue
            place, places = (known_size(dim, sizes, node) for dim in (position, size))
            if not 0 <= place <= places:
                shown = [x.name or x.op.name for x in node.inputs]
                raise node.provenance.error(
                    f"{node.op.label(node, shown)} reaches outside of axis {axis}",
                    got=_at(position, place, [f"{name} = {sizes[name]}" for name in known]),
                    expected=f"0 to {_equation(size, places)}",
                )
    for node in nodes:  # a claim says more than a size
        for dim in _may_fall_short(node):
            known = symbols_of([dim])
            size = known_size(dim, sizes, node) if all(name in sizes for name in known) else 0
            if size < 0:
                raise node.provenance.error(
                    f"{dim_text(dim)} is below zero, so it is no size",
                    got=", ".join(f"{name} = {sizes[name]}" for name in known),
                )


def known_size(dim: Dim, sizes: Mapping[str, int], node: Node) -> Any:
    """Return what a dim that a node has is at this call.

    Raises: GraphError where no argument fixes it, and where it divides by a size that is 0.
    """
    try:
        return evaluate(dim, sizes)
    except KeyError as missing:
        raise node.provenance.error(
            f"no argument of this call fixes the dim {missing.args[0]}",
            got=repr(node),
            fix="use the dim in the shape of an input or a parameter",
        ) from None
    except ZeroDivisionError:
        raise node.provenance.error(
            f"{dim_text(dim)} divides by zero",
            got=", ".join(f"{name} = {sizes[name]}" for name in symbols_of([dim])),
        ) from None


def _may_fall_short(node: Node) -> list[Dim]:
    """Return the sizes that a node has, and its operands have not, which dims may make negative.

    What computes with windows tells itself that they do not fit.
    """
    if node.inputs and not node.op.claims(node):
        return []
    given = {dim for x in node.inputs for dim in x.shape}
    return [
        dim
        for dim in node.shape
        if not isinstance(dim, int)
        and not dim.is_Symbol
        and dim not in given
        and not dim.is_nonnegative
    ]


def _at(position: Dim, place: int, dims: Sequence[str]) -> str:
    """Return a position with what makes it: `T - 2 = -1, for T = 1`."""
    is_told = not isinstance(position, int) and position.is_Symbol
    parts = [] if is_told else [_equation(position, place)]
    parts += [", ".join(dims)] if dims else []
    return ", for ".join(parts)


def _equation(dim: Dim, value: int) -> str:
    return str(dim) if isinstance(dim, int) else f"{dim_text(dim)} = {value}"
