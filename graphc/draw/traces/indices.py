"""Which index runs over which axis? Letters for axes that go together, as in aⱼ = Σᵢ αⱼᵢ·xᵢ.

Two axes go together where an op says so: equal places of a pointwise op, equal labels of a
contraction. The letters are those of one network, so a hidden layer's units have one letter
everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphc.draw.typography import subscript
from graphc.ir.node import Node
from graphc.ops.contraction.einsum import Einsum
from graphc.ops.contraction.spec import split_spec
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import Leaf
from graphc.ops.movement.rearranging import BroadcastTo, Transpose
from graphc.ops.movement.reshaping import Reshape, new_axes
from graphc.ops.reduction.folding import Mean, Sum

_LETTERS = "ijklmprs"  # those that Unicode has as subscripts
#: What a formula with one letter for each axis shows, beside reshapes: products, their sums, and
#: what acts on each element alone.
_SHOWN = (Leaf, Pointwise, BroadcastTo, Transpose, Einsum, Sum, Mean)
#: An axis of a node.
Axis = tuple[Node, int]
#: Pairs (axis of the result, operand, axis of that operand) that go together.
Pairs = list[tuple[int, int, int]]


class NoIndicesError(Exception):
    """The formula cannot be written with one letter for each axis."""


class Indices:
    """The classes of axes that go together, and their letters."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._axes: dict[Node, range] = {}  # each axis has a number of its own
        self._parent: list[int] = []
        self._letter: dict[int, str] = {}
        self._taken = set(taken)

    def add(self, nodes: Iterable[Node]) -> None:
        """Read which axes go together from nodes, operands first.

        **Raises** NoIndicesError for an op that moves elements in another way.
        """
        for node in nodes:
            for own, operand, axis in axis_pairs(node):
                self.join((node, own), (node.inputs[operand], axis))
            if isinstance(node.op, Einsum):
                self._join_labels(node)

    def _join_labels(self, node: Node) -> None:
        """Join the axes of operands that are summed together."""
        first: dict[str, Axis] = {}
        terms, _ = split_spec(node.attrs["spec"])
        for operand, term in zip(node.inputs, terms, strict=True):
            for axis, label in enumerate(term):
                self.join(first.setdefault(label, (operand, axis)), (operand, axis))

    def join(self, a: Axis, b: Axis) -> None:
        """Let two axes, and all that go with either, have one letter.

        **Raises** NoIndicesError where they have different letters already.
        """
        first, second = self._class(a), self._class(b)
        if first in self._letter:
            first, second = second, first
        if first != second and first in self._letter:
            raise NoIndicesError
        self._parent[first] = second

    def _class(self, axis: Axis) -> int:
        node, place = axis
        if node not in self._axes:
            start = len(self._parent)
            self._axes[node] = range(start, start + node.ndim)
            self._parent += self._axes[node]
        found = self._axes[node][place]
        path = []
        while self._parent[found] != found:
            path.append(found)
            found = self._parent[found]
        for passed in path:
            self._parent[passed] = found
        return found

    def of(self, node: Node) -> tuple[str, ...]:
        """Return the letters of a node's axes; a new axis gets the next free letter.

        **Raises** NoIndicesError where two axes have one letter.
        """
        letters = tuple([self._named((node, i)) for i in range(node.ndim)])
        if len(set(letters)) < len(letters):
            raise NoIndicesError
        return letters

    def _named(self, axis: Axis) -> str:
        number = self._class(axis)
        if number not in self._letter:
            dim = axis[0].shape[axis[1]]
            wanted = [] if isinstance(dim, int) else [str(dim).lower()]
            wanted = [c for c in wanted if len(c) == 1 and subscript(c) != c]
            free = [c for c in [*wanted, *_LETTERS] if c not in self._taken]
            if not free:
                raise NoIndicesError
            self._letter[number] = free[0]
            self._taken.add(free[0])
        return self._letter[number]


def summed(node: Node, indices: Indices) -> tuple[str, ...] | None:
    """Return the letters that a node sums over, or None where it is no sum of products."""
    if isinstance(node.op, (Sum, Mean, Einsum)):
        own = indices.of(node)
        inner = dict.fromkeys(letter for x in node.inputs for letter in indices.of(x))
        return tuple(letter for letter in inner if letter not in own)
    return None


def axis_pairs(node: Node) -> Pairs:
    """Return which axes of a node and its operands go together.

    That follows from what each op reads, but not which ops to ask: max reads an axis as a sum does,
    and x[:3] reads as x itself, yet neither is a formula of elements and sums.

    **Raises** NoIndicesError for an op that formulas with indices do not show.
    """
    if isinstance(node.op, Reshape):
        return _kept_axes(node)
    if not isinstance(node.op, _SHOWN):
        raise NoIndicesError
    return [
        (own, i, axis)
        for i in range(len(node.inputs))
        for axis, span in enumerate(node.op.reads(node, i))
        for own, _ in span.steps
    ]


def _kept_axes(node: Node) -> Pairs:
    """Return the axes that a reshape keeps, where it only inserts or removes axes of size 1.

    What it reads does not say which of several axes of size 1 are kept.
    """
    source, result = node.inputs[0].shape, node.shape
    for inserted, turned in ((new_axes(source, result), False), (new_axes(result, source), True)):
        if inserted is not None:
            longer = range(max(len(source), len(result)))
            kept = [axis for axis in longer if axis not in inserted]
            pairs = [(axis, place) for place, axis in enumerate(kept)]
            return [(b, 0, a) if turned else (a, 0, b) for a, b in pairs]
    raise NoIndicesError
