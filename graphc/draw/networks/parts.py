"""What is a network made of? Layers of units, and links; what they cannot stand for is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

from graphc.draw.networks.activations import name_of_activation
from graphc.draw.silent import is_silent
from graphc.errors import GraphError
from graphc.ir.dims import Dim, same
from graphc.ir.node import Node
from graphc.ops import OPS


@dataclass(frozen=True)
class Layer:
    """A group of units: the variable that holds them, how many, and what they compute.

    `sum` is where products and biases are added up; `skips` holds, for each layer that skips into
    this one, the node before and the node after it is added. `joint` says how the units of other
    layers, one by one, make those of this layer: `product`.
    """

    node: Node
    size: Dim
    role: str  # input, hidden or output
    level: int
    sum: Node
    biases: tuple[Node, ...] = ()
    skips: tuple[tuple[Node, Node], ...] = ()
    joint: str = ""
    is_fed: bool = False  # an input that is computed from other layers
    whole: Node | None = None  # the input that indices pick these units from
    indices: str = ""  # which: [0]
    beyond: str = ""  # what the network hangs behind, or leads on to: feature maps, a loop

    @property
    def activation(self) -> str:
        """What happens between the sum and the shown variable: `ReLU + skip`."""
        parts, start = [self.joint], self.sum
        for before, after in self.skips:
            parts += [name_of_activation(start, before), "+ skip"]
            start = after
        words = [word for word in (*parts, name_of_activation(start, self.node)) if word]
        return ", ".join(words) if self.joint else " ".join(words)


@dataclass(frozen=True)
class Link:
    """All edges from one layer to another. Without a weight they go from unit to unit.

    `rows` says which units of the tail are read, where not all are. The first of them meets row
    `first_row` of the weights; without weights, that unit of the head, or all of them where the
    tail's one unit `spreads`. `read` is what the weights multiply: the tail's variable, or a
    function of it.
    """

    tail: int
    head: int
    weight: Node | None
    rows_are_inputs: bool = True
    first_row: Dim = 0
    rows: range | None = None
    read: Node | None = None
    spreads: bool = False

    @property
    def is_frozen(self) -> bool:
        """Whether the weights are a parameter that training leaves alone."""
        source = None if self.weight is None else source_of(self.weight)[0]
        return source is not None and source.op is OPS["param"] and not source.attrs["trainable"]

    def row(self, unit: Dim) -> Dim | None:
        """Return the row of the weights that a unit of the tail meets; None where it meets none."""
        if self.rows is None:
            return self.first_row + unit
        known = isinstance(unit, int) and unit in self.rows
        return self.first_row + self.rows.index(unit) if known else None

    def joins(self, tail: Dim, head: Dim) -> bool:
        """Say whether a unit of the tail has an edge to one of the head."""
        row = self.row(tail)
        return row is not None and (self.weight is not None or self.spreads or same(row, head))


@dataclass(frozen=True)
class Network:
    """Layers and the links between them; `gap` is the column that stands for `hidden` others."""

    layers: tuple[Layer, ...]
    links: tuple[Link, ...]
    gap: int | None = None
    hidden: int = 0

    @property
    def columns(self) -> int:
        return 1 + max(layer.level for layer in self.layers)

    def shortened(self, most: int) -> Network:
        """Return the network with at most `most` columns, the middle ones left out."""
        if self.columns <= most:
            return self
        first = most // 2
        skipped = self.columns - (most - 1)
        kept = [i for i, at in enumerate(self.layers) if not first <= at.level < first + skipped]
        place = {index: i for i, index in enumerate(kept)}
        layers = [
            layer if layer.level < first else replace(layer, level=layer.level - skipped + 1)
            for layer in (self.layers[i] for i in kept)
        ]
        links = [
            replace(link, tail=place[link.tail], head=place[link.head])
            for link in self.links
            if link.tail in place and link.head in place
        ]
        return Network(tuple(layers), tuple(links), first, skipped)


def source_of(weight: Node) -> tuple[Node, bool]:
    """Return the array that a weight is a view of, and whether it is turned."""
    turned = False
    while is_silent(weight) or (weight.op is OPS["transpose"] and weight.ndim == 2):
        turned ^= weight.op is OPS["transpose"]
        weight = weight.inputs[0]
    return weight, turned


# -- what no layer can stand for -----------------------------------------------------------------


def undrawable(what: str, cause: Node, why: str = "") -> GraphError:
    """Return the error for what no layer of units can stand for, because of a node before it."""
    why = why or f"layers meet in {placed(cause)}, not unit by unit"
    return cause.provenance.error(
        f"no layer of units can stand for {what}: {why}",
        got=f"{cause.op.name} of {' and '.join(str(x.type) for x in cause.inputs)}",
        expected="sums of products with weights, functions of units one by one, "
        "slices and concatenations",
        fix="gc.draw.computation_graph(g) draws any graph",
    )


def placed(node: Node) -> str:
    """Return what an op is called, and in which scope it stands."""
    scope = node.provenance.scope
    return f"{node.op.name} in scope {scope!r}" if scope else node.op.name
