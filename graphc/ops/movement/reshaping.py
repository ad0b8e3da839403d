"""Reshape: the same elements in another shape. Which axes of the one are which of the other?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.access import Access, Span, whole
from graphc.ir.attributes import Attributes, plain
from graphc.ir.code import ATOM, Code, Codes, Notation
from graphc.ir.dims import (
    Dim,
    Shape,
    as_dim,
    as_shape,
    dim_text,
    divide_exactly,
    normal,
    product,
    same,
    same_shape,
    shape_text,
)
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Order, Turn, literal
from graphc.ir.provenance import user_error
from graphc.ir.types import TensorType
from graphc.ops.batching import Carried, only
from graphc.ops.leaf import as_node
from graphc.ops.linear import Movement
from graphc.ops.movement.slicing import index_words, slice_
from graphc.ops.registry import register


class Reshape(Movement):
    """The same elements in another shape, in row-major order."""

    is_view = True
    may_copy = True

    def __call__(self, x: Any, shape: Any) -> Node:
        node = as_node(x)
        wanted = as_shape_with_hole(shape, node.shape)
        if same_shape(wanted, node.shape):
            return node
        return self.make([node], shape=wanted)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        if not same(product(inputs[0].shape), product(attrs["shape"])):
            raise user_error(
                "reshape: the number of elements changes",
                got=f"{shape_text(inputs[0].shape)} to {shape_text(attrs['shape'])}",
                expected=f"{dim_text(product(inputs[0].shape))} elements",
                fix="use -1 for one axis to let it be computed",
            )
        return inputs[0].with_shape(attrs["shape"])

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return arrays[0].reshape(result.shape)

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        return self(cotangent, node.inputs[0].shape)

    def reads(self, node: Node, index: int) -> Access:
        source, result = node.inputs[0].shape, node.shape
        spans = [whole(dim) for dim in source]
        for sources, results in reshape_groups(source, result):
            long = [axis for axis in sources if source[axis] != 1]
            if len(long) == 1:
                steps, step = [], product(())
                for axis in reversed(results):
                    steps.append((axis, step))
                    step = product((step, result[axis]))
                spans[long[0]] = Span(0, 0, tuple(reversed(steps)))
        return tuple(spans)

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return self(only(carried), (size, *node.shape))

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order] | None:
        shape: Shape = node.inputs[0].shape
        results: list[int] = []
        groups = {
            sources[0]: (sources, out)
            for sources, out in reshape_groups(shape, node.shape)
            if sources
        }
        at = 0
        while at < len(order):
            sources, out = groups.get(order[at], ((), ()))
            if not sources or order[at : at + len(sources)] != tuple(sources):
                return None
            results += out
            at += len(sources)
        if len(results) != node.ndim:
            return None
        wanted = tuple([node.shape[axis] for axis in results])
        return self(turned(node.inputs[0], order), wanted), tuple(results)

    def called(self, node: Node) -> str:
        """Return the places that `x[0, 2]` takes: the value is called `x_0_2`."""
        part = node.inputs[0]
        index = index_words(part, node.shape, Notation()) if part.op is slice_ else None
        words = [word for word in (index or "").split(", ") if word != ":"]
        is_of_places = all(word.isdecimal() for word in words)
        return "_".join(words) if is_of_places else super().called(node)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        part, array = node.inputs[0], args[0].sliced
        if part.op is slice_ and array is not None:  # the slice is written here: no variable has it
            index = index_words(part, node.shape, notation)
            if index is not None:
                return Code(f"{array}[{index}]")
        inserted = new_axes(node.inputs[0].shape, node.shape)
        if inserted is not None and node.inputs[0].shape:
            words = ["None" if i in inserted else ":" for i in range(node.ndim)]
            while words[-1] == ":":
                words.pop()
            return Code(f"{args[0].within(ATOM)}[{', '.join(words)}]")
        return Code(f"{args[0].within(ATOM)}.reshape({reshape_words(node.shape, notation)})")

    def text(self, node: Node, args: Codes) -> Code:
        return Code(f"reshape({args[0].text}, {literal(node.shape)})")


def as_shape_with_hole(shape: Any, source: Shape) -> Shape:
    """Return a shape in which one -1 is replaced by what the number of elements asks for."""
    shape = plain(shape)
    dims = [plain(dim) for dim in shape] if isinstance(shape, (list, tuple)) else [shape]
    holes = [i for i, dim in enumerate(dims) if isinstance(dim, int) and dim == -1]
    if not holes:
        return as_shape(dims)
    rest = product([as_dim(dim) for i, dim in enumerate(dims) if i not in holes])
    hole = divide_exactly(product(source), rest) if len(holes) == 1 else None
    if hole is None:
        raise user_error(
            "reshape: -1 cannot be resolved",
            got=f"{shape_text(source)} to {shape!r}",
            expected="one -1, and a size that divides the number of elements",
        )
    dims[holes[0]] = hole
    return as_shape(dims)


def reshape_words(shape: Shape, notation: Notation) -> str:
    """Return a shape as the arguments of NumPy's reshape.

    One dim that is a formula is left to NumPy: -1 rather than 5*N written out. Not where another
    one may be 0, as named dims may: NumPy could not tell what is left over.
    """
    formulas = [i for i, dim in enumerate(shape) if not isinstance(dim, int) and not dim.is_Symbol]
    others = [dim for i, dim in enumerate(shape) if i not in formulas]
    is_left = len(formulas) == 1 and all(isinstance(dim, int) and dim for dim in others)
    words = ["-1" if is_left and i in formulas else notation.dim(d) for i, d in enumerate(shape)]
    return ", ".join(words) or "()"


def new_axes(source: Shape, result: Shape) -> set[int] | None:
    """Return the axes that a reshape only inserts, or None where it does something else."""
    inserted, at = set(), 0
    for axis, dim in enumerate(result):
        if at < len(source) and same(source[at], dim):
            at += 1
        elif isinstance(dim, int) and dim == 1:
            inserted.add(axis)
        else:
            return None
    return inserted if at == len(source) and inserted else None


def reshape_groups(source: Shape, result: Shape) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """Yield the smallest runs of axes of both shapes that hold the same elements.

    >>> [(list(a), list(b)) for a, b in reshape_groups((2, 3, 4), (6, 2, 2))]
    [([0, 1], [0]), ([2], [1, 2])]
    """
    i = j = 0
    while i < len(source) and j < len(result):
        first, second = i + 1, j + 1
        while not same(product(source[i:first]), product(result[j:second])):
            left, right = product(source[i:first]), product(result[j:second])
            if first == len(source) and second == len(result):
                break
            if second == len(result) or (first < len(source) and _is_less(left, right)):
                first += 1
            else:
                second += 1
        yield range(i, first), range(j, second)
        i, j = first, second
    if i < len(source) or j < len(result):
        yield range(i, len(source)), range(j, len(result))


def _is_less(a: Dim, b: Dim) -> bool:
    """Say whether a < b, as far as can be told; the order only decides which side grows first."""
    difference = normal(b - a)
    if isinstance(difference, int):
        return difference > 0
    return bool(difference.is_positive)


_MATRIX = Arg((3, 4))
reshape = register(
    Reshape(
        "reshape",
        "The same elements in another shape.",
        [
            Case((_MATRIX,), {"shape": (2, 6)}),
            Case((_MATRIX,), {"shape": (3, 1, 4)}),
            Case((_MATRIX,), {"shape": -1}),
            Case((Arg((0, 3)),), {"shape": (3, 0)}),
        ],
    )
)
