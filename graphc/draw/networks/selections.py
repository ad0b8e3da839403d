"""Which part of an input does a product read? `x[0]` and `x[1]` are units of their own.

A range such as `x[1:]` leaves an axis along which all rows are treated alike, as samples are; an
index picks one row, whose units are no others'.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from graphc.draw.networks.activations import nodes_between
from graphc.ir.dims import Dim, dim_text, normal, same
from graphc.ir.node import Node
from graphc.ops import OPS


@dataclass(frozen=True)
class Selection:
    """What indices pick from an array; `node` is where the last of them has done so.

    `axes` says which axis of the array each axis of the node is, None where that is not known;
    `taken` holds first element, step and number of what is left of each axis of the array.
    """

    node: Node
    axes: tuple[int | None, ...]
    taken: tuple[tuple[Dim, Dim, Dim], ...]
    picked: tuple[int, ...] = ()  # axes of the array with one element left, of several

    def text(self, shape: tuple[Dim, ...]) -> str:
        """Return the indices as they are typed: `[0]`, `[:,-1]`; nothing where all is taken."""
        if not self.picked:
            return ""
        found = [":"] * (1 + max(self.picked))
        for axis in self.picked:
            first = self.taken[axis][0]
            from_the_end = normal(first - shape[axis])
            is_named = type(first) is not int and type(from_the_end) is int
            found[axis] = dim_text(from_the_end if is_named else first)
        return f"[{','.join(found)}]"


def selection_of(data: Node, start: Node, units: int) -> Selection:
    """Return what is picked from `start`, besides some of its units, on the way to what is read.

    `units` is the axis of the units, which products contract. Where several parts meet, as in
    x[0] + x[1], nothing is picked: the sum is a function of the whole.
    """
    whole = Selection(start, tuple(range(start.ndim)), tuple((0, 1, d) for d in start.shape))
    found = {start: whole}
    for node in nodes_between(start, data):
        sources = [found[x] for x in node.inputs if x in found]
        if not sources:
            continue
        first = sources[0]
        operand = next(x for x in node.inputs if x in found)
        if all((s.picked, s.taken) == (first.picked, first.taken) for s in sources):
            found[node] = _after(node, operand, first, units % start.ndim)
        else:
            found[node] = replace(whole, axes=(None,) * node.ndim)
    return found.get(data, whole)


def _after(node: Node, operand: Node, before: Selection, units: int) -> Selection:
    """Return what is left behind a node that reads one part."""
    if node.op is OPS["slice"]:
        return _sliced(node, before, units)
    axes = _moved(node, operand, before.axes)
    is_move = len(node.inputs) == 1 and node.op.family == "movement"
    at = node if is_move and before.node is operand and before.picked else before.node
    return Selection(at, axes, before.taken, before.picked)


def _sliced(node: Node, before: Selection, units: int) -> Selection:
    taken, picked = list(before.taken), list(before.picked)
    old = node.inputs[0].shape
    for axis, (start, _, step), size, left in zip(
        before.axes, node.attrs["bounds"], old, node.shape, strict=True
    ):
        if axis is None or axis == units:
            continue
        first, stride, _ = taken[axis]
        taken[axis] = first + start * stride, stride * step, left
        if same(left, 1) and not same(size, 1):
            picked.append(axis)
    at = node if picked != list(before.picked) else before.node
    return Selection(at, before.axes, tuple(taken), tuple(sorted(picked)))


def _moved(node: Node, operand: Node, axes: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """Return which axes of the array a node's axes are; axes of size one come and go."""
    if node.op is OPS["transpose"]:
        return tuple(axes[axis] for axis in node.attrs["axes"])
    kept = [
        (axis, size) for axis, size in zip(axes, operand.shape, strict=True) if not same(size, 1)
    ]
    places = [i for i, size in enumerate(node.shape) if not same(size, 1)]
    found: list[int | None] = [None] * node.ndim
    if len(kept) == len(places):
        for place, (axis, size) in zip(places, kept, strict=True):
            found[place] = axis if same(size, node.shape[place]) else None
    return tuple(found)
