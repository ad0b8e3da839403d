"""Basic slices, x[start:stop:step] on each axis, and adding into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.access import Access, along, identity, whole
from graphc.ir.attributes import Attributes
from graphc.ir.code import ATOM, Code, Codes, Notation
from graphc.ir.dims import (
    Dim,
    Shape,
    as_dim,
    floor_divide,
    normal,
    same,
    same_shape,
    shape_text,
)
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Order, Turn
from graphc.ir.provenance import user_error
from graphc.ir.types import TensorType
from graphc.ops.batching import Carried, all_carried
from graphc.ops.leaf import as_node, zeros_like
from graphc.ops.linear import Movement
from graphc.ops.registry import OPS, register


class Bounded(Movement):
    """What has one slice for each axis of its operands: `bounds`, as Python normalizes them."""

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return self.make(all_carried(node, carried, size), bounds=bounds_behind(node, size))

    def claims(self, node: Node) -> list[tuple[int, Dim, Dim]]:
        """Return that each slice lies inside its axis, where named dims leave that open."""
        found: list[tuple[int, Dim, Dim]] = []
        for axis, (bounds, dim) in enumerate(
            zip(node.attrs["bounds"], node.inputs[0].shape, strict=True)
        ):
            start, stop, step = bounds
            if all(isinstance(value, int) for value in (start, stop, dim)):
                continue
            behind = 0 if step > 0 else 1  # a slice that goes down stops before its first place
            places = slice_length(bounds)
            if step > 1 and type(places) is int and places:
                stop = start + step * (places - 1) + 1  # [:2:2] takes the first place alone
            for position in (normal(start + behind), normal(stop + behind)):
                if not (same(position, dim) or same(position, 0)):
                    found.append((axis, position, dim))
        return found

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order]:
        bounds = tuple([node.attrs["bounds"][axis] for axis in order])
        return self.make([turned(x, order) for x in node.inputs], bounds=bounds), order


class Slice(Bounded):
    """x[start:stop:step] on each axis. Starts, stops and steps are as Python normalizes them."""

    is_view = True

    def __call__(self, x: Any, slices: Sequence[slice]) -> Node:
        node = as_node(x)
        pairs = zip(slices, node.shape, strict=False)
        bounds = [normal_slice(s, dim) for s, dim in pairs]
        bounds += [(0, dim, 1) for dim in node.shape[len(bounds) :]]
        whole = all(
            b[0] == 0 and b[2] == 1 and same(b[1], dim)
            for b, dim in zip(bounds, node.shape, strict=True)
        )
        return node if whole else self.make([node], bounds=tuple(bounds))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0].with_shape(tuple([slice_length(b) for b in attrs["bounds"]]))

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return arrays[0][tuple([python_slice(*b) for b in attrs["bounds"]])]

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        return slice_add(zeros_like(node.inputs[0]), cotangent, node.attrs["bounds"])

    def reads(self, node: Node, index: int) -> Access:
        bounds = node.attrs["bounds"]
        return tuple([along(axis, start, step) for axis, (start, _, step) in enumerate(bounds)])

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        words = slice_words(node.attrs["bounds"], node.inputs[0].shape, notation)
        array = args[0].within(ATOM)
        return Code(f"{array}[{words}]", sliced=array)

    def text(self, node: Node, args: Codes) -> Code:
        return self.numpy(node, args, Notation())


def _lies_in(bounds: Sequence[tuple[Dim, Dim, int]], shape: Shape) -> bool:
    """Say whether slices have their lengths in an array, as far as that is known before a call."""
    return len(bounds) == len(shape) and all(
        len(range(dim)[python_slice(start, stop, step)]) == slice_length((start, stop, step))
        for (start, stop, step), dim in zip(bounds, shape, strict=True)
        if isinstance(start, int) and isinstance(stop, int) and isinstance(dim, int)
    )


class SliceAdd(Bounded):
    """A copy of `base` with `values` added to base[start:stop:step]."""

    accumulates = True

    def __call__(self, base: Any, values: Any, bounds: Any) -> Node:
        return self.make([as_node(base), as_node(values)], bounds=tuple(map(tuple, bounds)))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        lengths = tuple([slice_length(b) for b in attrs["bounds"]])
        if not same_shape(lengths, inputs[1].shape):
            raise user_error(
                "slice_add: the values do not fit the slice",
                got=str(inputs[1]),
                expected=shape_text(lengths),
            )
        if not _lies_in(attrs["bounds"], inputs[0].shape):
            raise user_error(
                "slice_add: the slice does not lie in the base",
                got=f"{', '.join(map(str, attrs['bounds']))} of {inputs[0]}",
                expected=f"places of {shape_text(inputs[0].shape)}",
            )
        return inputs[0]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        total = np.array(arrays[0], result.dtype)
        total[tuple([python_slice(*b) for b in attrs["bounds"]])] += arrays[1]
        return total

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        return (
            cotangent if index == 0 else OPS["slice"].make([cotangent], bounds=node.attrs["bounds"])
        )

    def reads(self, node: Node, index: int) -> Access:
        if index == 0:
            return identity(node.ndim)
        spans = []
        for axis, (start, _, step) in enumerate(node.attrs["bounds"]):
            is_unit = step in (1, -1)
            dim = node.inputs[1].shape[axis]
            spans.append(along(axis, normal(-start * step), step) if is_unit else whole(dim))
        return tuple(spans)

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        return f"{out}[{slice_words(node.attrs['bounds'], node.shape, notation)}] += {args[1].text}"

    def label(self, node: Node, args: Sequence[str]) -> str:
        words = slice_words(node.attrs["bounds"], node.shape, Notation())
        return f"{args[0]}[{words}] += {args[1]}"


def bounds_behind(node: Node, size: Dim) -> tuple[tuple[Dim, Dim, int], ...]:
    """Return the bounds of a slice behind a new first axis, of which it takes all."""
    return ((0, size, 1), *node.attrs["bounds"])


def normal_slice(s: slice, dim: Dim) -> tuple[Dim, Dim, int]:
    """Return (start, stop, step) of a slice of an axis of size `dim`, as Python's slice.indices.

    A stop of -1 with a negative step stands for "past the first element". What takes nothing
    whatever the dims are is 0:0.
    """
    step = 1 if s.step is None else s.step.__index__()
    if step == 0:
        raise user_error("a slice's step cannot be 0")
    is_fixed = all(bound is None or isinstance(bound, int) for bound in (s.start, s.stop))
    if isinstance(dim, int) and is_fixed:
        return _none_if_empty(*slice(s.start, s.stop, step).indices(dim))
    low: Dim = 0 if step > 0 else dim - 1
    high: Dim = dim if step > 0 else -1
    start = low if s.start is None else _from_end(s.start, dim)
    stop = high if s.stop is None else _from_end(s.stop, dim)
    return _none_if_empty(start, stop, step)


def _none_if_empty(start: Dim, stop: Dim, step: int) -> tuple[Dim, Dim, int]:
    """Return the bounds, or 0:0 where they take nothing: there, -1 would be the last place."""
    return (0, 0, 1) if slice_length((start, stop, step)) == 0 else (start, stop, step)


def _from_end(position: Any, dim: Dim) -> Dim:
    """Return a position on an axis; where dims are in it, that it fits is the user's claim."""
    if isinstance(position, int) and position < 0:
        return dim + position
    return position if isinstance(position, int) else as_dim(position)


def slice_length(bounds: tuple[Dim, Dim, int]) -> Dim:
    """Return the number of elements that (start, stop, step) selects."""
    start, stop, step = bounds
    span = stop - start
    if isinstance(span, int):
        return max(0, -(-span // step))
    return as_dim(span if step == 1 else floor_divide(span + step - (1 if step > 0 else -1), step))


def python_slice(start: int, stop: int, step: int) -> slice:
    """Return the slice of normalized bounds; a stop of -1 going down means through 0."""
    if start < 0:
        return slice(0)  # it goes down from before the first place
    if stop < 0:
        return slice(start, None if step < 0 else 0, step)
    return slice(start, stop, step)


def slice_words(bounds: Sequence[tuple[Dim, Dim, int]], shape: Shape, notation: Notation) -> str:
    """Return the inside of the brackets of a basic slice, trailing full axes left out."""
    return _without_whole_ends(
        [_slice_of_axis(b, dim, notation) for b, dim in zip(bounds, shape, strict=True)]
    )


def index_words(part: Node, result: Shape, notation: Notation) -> str | None:
    """Return the inside of the brackets that take a slice without its axes of one place: `:, 2`.

    None where the result is anything else. A single element stays a view where views are kept.
    """
    axes = list(zip(part.attrs["bounds"], part.inputs[0].shape, part.shape, strict=True))
    is_place = [same(size, 1) and not same(dim, 1) for _, dim, size in axes]
    kept = tuple([size for size, is_one in zip(part.shape, is_place, strict=True) if not is_one])
    if not any(is_place) or not same_shape(kept, result):
        return None
    words = [
        _place(b[0], dim, notation) if is_one else _slice_of_axis(b, dim, notation)
        for (b, dim, _), is_one in zip(axes, is_place, strict=True)
    ]
    if not result and notation.keeps_views:
        words.append("...")
    return _without_whole_ends(words)


def _place(place: Dim, dim: Dim, notation: Notation) -> str:
    """Return the number of one place of an axis; the last one of a named dim is -1."""
    is_last = not isinstance(dim, int) and same(place, as_dim(dim - 1))
    return "-1" if is_last else notation.dim(place)


def _without_whole_ends(words: list[str]) -> str:
    while len(words) > 1 and words[-1] == ":":
        words.pop()
    return ", ".join(words)


def _slice_of_axis(bounds: tuple[Dim, Dim, int], dim: Dim, notation: Notation) -> str:
    start, stop, step = bounds
    first, last = (
        # Counted from the end, for -1 would be the last place where it stands for one before all.
        notation.dim(as_dim(at - dim) if step < 0 and not isinstance(at, int) else at)
        for at in (start, stop)
    )
    if same(start, 0 if step > 0 else as_dim(dim - 1) if dim != 0 else 0):
        first = ""
    if same(stop, dim if step > 0 else -1):
        last = ""
    return _slice_word([first, last, *([str(step)] if step != 1 else [])])


def _slice_word(bounds: Sequence[str]) -> str:
    """Return a slice as formatters write it: spaces around the colons where a bound is a sum."""
    is_plain = all(bound.lstrip("-").isalnum() or not bound for bound in bounds)
    if is_plain:
        return ":".join(bounds)
    word = bounds[0]
    for bound in bounds[1:]:
        word += f"{' ' if word and word[-1] != ':' else ''}:{f' {bound}' if bound else ''}"
    return word


slice_ = register(
    Slice(
        "slice",
        "x[start:stop:step] on each axis.",
        [
            Case((Arg((5, 6)),), {"slices": (slice(1, 4), slice(None, None, 2))}),
            Case((Arg((5, 6)),), {"slices": (slice(None, None, -1), slice(-2, None))}),
            Case((Arg((5,)),), {"slices": (slice(3, 1),)}),
            Case((Arg((7,)),), {"slices": (slice(5, 0, -2),)}),
        ],
    )
)
slice_add = register(
    SliceAdd(
        "slice_add",
        "A copy of base with values added to a slice of it.",
        [Case((Arg((5, 4)), Arg((2, 4))), {"bounds": ((1, 5, 2), (0, 4, 1))})],
    )
)
