"""Movement: ops that only rearrange, copy or drop elements. Each is linear and has a transpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from graphc.ir.access import Access, Span, along
from graphc.ir.attributes import Attributes
from graphc.ir.bounds import Bounds, exactly, hull
from graphc.ir.code import ATOM, Code, Codes, Notation
from graphc.ir.dims import (
    Dim,
    as_dim,
    as_shape,
    broadcast_shapes,
    normal,
    same,
    same_shape,
    shape_text,
)
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op, Order, Turn, literal
from graphc.ir.provenance import user_error
from graphc.ir.ranges import Range, only_number
from graphc.ir.types import TensorType
from graphc.ops.axes import along_axis_in_order, one_axis, starts_along
from graphc.ops.batching import Carried, only, past_first_axis
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import as_node, fill
from graphc.ops.linear import Movement
from graphc.ops.promotion import common_dtype
from graphc.ops.registry import OPS, register


class Transpose(Movement):
    """Axes in another order."""

    is_view = True

    def __call__(self, x: Any, axes: Any = None) -> Node:
        node = as_node(x)
        if axes is None:
            order = tuple(reversed(range(node.ndim)))
        else:
            order = tuple([one_axis(a, node.ndim, "transpose") for a in axes])
        if sorted(order) != list(range(node.ndim)):
            raise user_error(
                "transpose: the axes are not a permutation",
                got=repr(axes),
                expected=f"each of 0 … {node.ndim - 1} once",
            )
        return node if order == tuple(range(node.ndim)) else self.make([node], axes=order)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0].with_shape(tuple([inputs[0].shape[a] for a in attrs["axes"]]))

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.transpose(arrays[0], attrs["axes"])

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        order = node.attrs["axes"]
        return self(cotangent, tuple(sorted(range(len(order)), key=order.__getitem__)))

    def reads(self, node: Node, index: int) -> Access:
        order = node.attrs["axes"]
        return tuple([along(order.index(axis)) for axis in range(node.ndim)])

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return self(only(carried), (0, *[a + 1 for a in node.attrs["axes"]]))

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order]:
        """Return the operand as it is: transposed, it is the same with its axes renamed."""
        axes = node.attrs["axes"]
        return turned(node.inputs[0], order), tuple([axes.index(axis) for axis in order])

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        axes = node.attrs["axes"]
        if axes == tuple(reversed(range(node.ndim))):
            return args[0].turned()
        array = args[0].within(ATOM)
        moved = [i for i, a in enumerate(axes) if a != i]
        if len(moved) == 2:
            return Code(f"{array}.swapaxes({moved[0]}, {moved[1]})")
        return Code(f"{array}.transpose({', '.join(map(str, axes))})")

    def text(self, node: Node, args: Codes) -> Code:
        axes = node.attrs["axes"]
        if axes == tuple(reversed(range(node.ndim))):
            return Code(f"{args[0].within(ATOM)}.T")
        return Code(f"transpose({args[0].text}, {axes!r})")

    def label(self, node: Node, args: Sequence[str]) -> str:
        *others, row, column = range(node.ndim) if node.ndim > 1 else (0, 0)
        if node.ndim > 2 and node.attrs["axes"] == (*others, column, row):
            return f"{args[0]}.T"  # of each matrix
        return super().label(node, args)


class BroadcastTo(Movement):
    """Copies along new or size-1 axes, aligned from the last axis."""

    is_view = True
    is_inserted = True

    def __call__(self, x: Any, shape: Any) -> Node:
        node, wanted = as_node(x), as_shape(shape)
        if same_shape(node.shape, wanted):
            return node
        if node.op.name == "full":
            return fill(node.attrs["value"], wanted, node.dtype)
        return self.make([node], shape=wanted)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        wanted = attrs["shape"]
        common = broadcast_shapes(inputs[0].shape, wanted)
        if common is None or not same_shape(common, wanted):
            raise user_error(
                "broadcast_to: the shape does not broadcast",
                got=f"{shape_text(inputs[0].shape)} to {shape_text(wanted)}",
            )
        return inputs[0].with_shape(wanted)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.broadcast_to(arrays[0], result.shape)

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        source = node.inputs[0].shape
        lead = node.ndim - len(source)
        axes = [
            i for i in range(node.ndim) if i < lead or not same(source[i - lead], node.shape[i])
        ]
        kept = [i for i in axes if i >= lead]
        total = OPS["sum"](cotangent, axis=tuple(axes)) if axes else cotangent
        return OPS["reshape"](total, source) if kept else total

    def reads(self, node: Node, index: int) -> Access:
        source = node.inputs[0].shape
        lead = node.ndim - len(source)
        return tuple(
            [
                along(lead + i) if same(dim, node.shape[lead + i]) else Span(0, 0)
                for i, dim in enumerate(source)
            ]
        )

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        source = node.inputs[0]
        aligned = (size, *[1] * (node.ndim - source.ndim), *source.shape)
        return self(OPS["reshape"](only(carried), aligned), (size, *node.shape))

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(f"np.broadcast_to({args[0].text}, {notation.shape(node.shape)})")

    def text(self, node: Node, args: Codes) -> Code:
        return Code(f"broadcast_to({args[0].text}, {literal(node.shape)})")


class Concat(Movement):
    """Arrays one after the other along an axis."""

    def __call__(self, *arrays: Any, axis: int = 0) -> Node:
        nodes = [as_node(a) for a in arrays]
        dtype = common_dtype(nodes)
        at = one_axis(axis, nodes[0].ndim, "concat")
        nodes = [cast(n, dtype) for n in nodes]
        return nodes[0] if len(nodes) == 1 else self.make(nodes, axis=at)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        axis, first = attrs["axis"], inputs[0]
        total: Dim = 0
        for other in inputs:
            fits = other.ndim == first.ndim and all(
                i == axis or same(a, b)
                for i, (a, b) in enumerate(zip(first.shape, other.shape, strict=True))
            )
            if not fits:
                raise user_error(
                    "concat: the shapes differ away from the joined axis",
                    got=" and ".join(map(str, inputs)),
                    expected=f"equal dims except along axis {axis}",
                )
            total = as_dim(total + other.shape[axis])
        return first.with_shape((*first.shape[:axis], total, *first.shape[axis + 1 :]))

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.concatenate(arrays, axis=attrs["axis"])

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        start, stop = starts_along(node)[index : index + 2]
        bounds: list[tuple[Dim, Dim, int]] = [(0, dim, 1) for dim in node.shape]
        bounds[node.attrs["axis"]] = (start, stop, 1)
        return OPS["slice"].make([cotangent], bounds=tuple(bounds))

    def reads(self, node: Node, index: int) -> Access:
        axis, start = node.attrs["axis"], starts_along(node)[index]
        return tuple([along(i, normal(-start) if i == axis else 0) for i in range(node.ndim)])

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return past_first_axis(node, carried, size)

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        return hull(*operands)

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        return reduce(Range.union, operands)

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order]:
        return along_axis_in_order(node, order, turned)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(
            f"np.concatenate([{', '.join(a.text for a in args)}], axis={node.attrs['axis']})"
        )

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        return f"{self.numpy(node, args, notation).text[:-1]}, out={out})"


_PAD = '''
def _pad(x, widths, constant_values=0, *, out):
    """Write x into the middle of out, and a constant around it, as `np.pad` does."""
    middle = [slice(before, before + n) for (before, _), n in zip(widths, x.shape)]
    out[tuple(middle)] = x
    for axis, (before, after) in enumerate(widths):
        along = out.swapaxes(0, axis)
        along[:before] = constant_values
        along[len(along) - after :] = constant_values
    return out
'''


class Pad(Op):
    """A constant around the edges; `widths` is (before, after) for each axis."""

    family = "movement"

    def __call__(self, x: Any, widths: Any, value: float = 0.0) -> Node:
        node = as_node(x)
        if isinstance(widths, int):
            widths = [(widths, widths)] * node.ndim
        pairs = tuple([(w, w) if isinstance(w, int) else tuple(w) for w in widths])
        if len(pairs) == 1 and node.ndim != 1:
            pairs = pairs * node.ndim
        widest = [w for pair in pairs for w in pair if isinstance(w, int)]
        if len(pairs) != node.ndim or min(widest, default=0) < 0:
            raise user_error(
                "pad: one (before, after) pair of non-negative widths for each axis",
                got=f"{widths} for {node.type}",
            )
        if not any(w != 0 for pair in pairs for w in pair):
            return node
        return self.make([node], widths=pairs, value=value)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        pairs = zip(attrs["widths"], inputs[0].shape, strict=True)
        return inputs[0].with_shape(tuple([as_dim(dim + a + b) for (a, b), dim in pairs]))

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.pad(arrays[0], attrs["widths"], constant_values=attrs["value"])

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        return self(tangent, node.attrs["widths"])

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        pairs = zip(node.attrs["widths"], node.inputs[0].shape, strict=True)
        bounds = tuple([(a, as_dim(a + dim), 1) for (a, _), dim in pairs])
        return OPS["slice"].make([cotangent], bounds=bounds)

    def reads(self, node: Node, index: int) -> Access:
        widths = node.attrs["widths"]
        return tuple([along(axis, normal(-before)) for axis, (before, _) in enumerate(widths)])

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        widths = ((0, 0), *node.attrs["widths"])
        return self.make([only(carried)], **{**node.attrs, "widths": widths})

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        return hull(operands[0], exactly(float(node.attrs["value"])))

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        return operands[0].union(only_number(float(node.attrs["value"])))

    def holds_minus_infinity(self, node: Node) -> bool | None:
        return True if node.attrs["value"] == -np.inf else None

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order]:
        widths = tuple([node.attrs["widths"][axis] for axis in order])
        return self.make([turned(node.inputs[0], order)], **{**node.attrs, "widths": widths}), order

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(f"np.pad({self._words(node, args, notation)})")

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        return f"_pad({self._words(node, args, notation)}, out={out})"

    def helper(self, node: Node) -> str:
        return _PAD

    @staticmethod
    def _words(node: Node, args: Codes, notation: Notation) -> str:
        words = [args[0].text, notation_pairs(node.attrs["widths"], notation)]
        if node.attrs["value"]:
            shown = repr(node.attrs["value"]).replace("inf", "np.inf").replace("nan", "np.nan")
            words.append(f"constant_values={shown}")
        return ", ".join(words)

    def text(self, node: Node, args: Codes) -> Code:
        extra = f", value={literal(node.attrs['value'])}" if node.attrs["value"] else ""
        return Code(f"pad({args[0].text}, {literal(node.attrs['widths'])}{extra})")


def notation_pairs(pairs: Sequence[tuple[Dim, Dim]], notation: Notation) -> str:
    inner = ", ".join(f"({notation.dim(a)}, {notation.dim(b)})" for a, b in pairs)
    return f"({inner},)" if len(pairs) == 1 else f"({inner})"


_MATRIX = Arg((3, 4))
transpose = register(
    Transpose(
        "transpose",
        "Axes in another order.",
        [
            Case((_MATRIX,)),
            Case((Arg((2, 3, 4)),), {"axes": (1, 2, 0)}),
            Case((Arg((2, 3, 4)),), {"axes": (0, 2, 1)}),
        ],
    )
)
broadcast_to = register(
    BroadcastTo(
        "broadcast_to",
        "Copies along new or size-1 axes.",
        [
            Case((Arg((4,)),), {"shape": (3, 4)}),
            Case((Arg((3, 1)),), {"shape": (2, 3, 4)}),
            Case((Arg(()),), {"shape": (2,)}),
        ],
    )
)
concat = register(
    Concat(
        "concat",
        "Arrays one after the other along an axis.",
        [
            Case((Arg((2, 3)), Arg((4, 3))), {"axis": 0}),
            Case((Arg((2, 1)), Arg((2, 0)), Arg((2, 3))), {"axis": -1}),
        ],
    )
)
pad = register(
    Pad(
        "pad",
        "A constant around the edges.",
        [
            Case((_MATRIX,), {"widths": ((1, 2), (0, 3))}),
            Case((Arg((3,)),), {"widths": 1, "value": 2.5}),
        ],
    )
)
