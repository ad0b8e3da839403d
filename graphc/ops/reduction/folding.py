"""Reductions: ops that fold axes away."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.ir.access import Access, along, whole
from graphc.ir.attributes import Attributes
from graphc.ir.bounds import Bounds, exactly, flags
from graphc.ir.code import ATOM, Code, Codes, Notation
from graphc.ir.dims import Dim, product
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op, Order, Turn, literal
from graphc.ir.provenance import user_error
from graphc.ir.ranges import Range, range_of_products
from graphc.ir.types import BOOL, FLOAT64, INT64, TensorType
from graphc.ops.axes import many_axes, one_axis, without_axes
from graphc.ops.batching import Carried, past_first_axis
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import as_node, fill
from graphc.ops.linear import Linear
from graphc.ops.registry import OPS, register


def refuse_no_elements(name: str, node: Node, axes: Sequence[int]) -> None:
    """Raise where an op that needs elements would find none along one of its axes."""
    empty = [a for a in axes if isinstance(node.shape[a], int) and node.shape[a] == 0]
    if empty:
        raise user_error(
            f"{name} of no elements has no value", got=f"{node.type} over axis {empty[0]}"
        )


class Reduction(Op):
    """A fold over `axis` (a sorted tuple), with `keepdims` as in NumPy.

    `numpy` is NumPy's function; an op that is lowered has none, and states its own `reference`.
    """

    family = "reduction"

    def __init__(
        self,
        name: str,
        doc: str,
        numpy: str | None = None,
        *,
        dtype: str = "same",
        domain: tuple[float, float] = (-2.0, 2.0),
        needs_elements: bool = False,
        differentiable: bool = True,
    ) -> None:
        self.method = numpy
        self.dtype_rule = dtype
        self.needs_elements = needs_elements
        kind = "bool" if dtype == "bool" else "float64"
        self.is_smooth = differentiable
        shapes: list[tuple[tuple[int, ...], dict[str, Any]]] = [
            ((3, 4), {}),
            ((3, 4), {"axis": 0}),
            ((3, 4), {"axis": -1, "keepdims": True}),
            ((2, 3, 4), {"axis": (0, 2)}),
            ((), {}),
            ((3, 1), {"axis": 1}),
        ]
        if not needs_elements:
            shapes.append(((0, 2), {"axis": 0}))
        super().__init__(
            name, doc, [Case((Arg(s, kind, *domain),), k, differentiable) for s, k in shapes]
        )

    def __call__(self, x: Any, axis: Any = None, keepdims: bool = False) -> Node:
        node = self.prepared(as_node(x))
        axes = many_axes(axis, node.ndim, self.name)
        if self.needs_elements:
            refuse_no_elements(self.name, node, axes)
        return self.make([node], axis=axes, keepdims=bool(keepdims))

    def prepared(self, node: Node) -> Node:
        """Return the operand in the dtype that this reduction computes in."""
        if self.dtype_rule == "bool" and node.dtype != BOOL:
            return OPS["not_equal"](node, 0)
        if self.dtype_rule == "sum" and node.dtype.kind in "bi" and node.dtype != INT64:
            return cast(node, INT64)
        if self.dtype_rule == "float" and node.dtype.kind != "f":
            return cast(node, FLOAT64)
        return node

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0].with_shape(without_axes(inputs[0].shape, attrs["axis"], attrs["keepdims"]))

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return self.by_numpy(arrays[0], axis=attrs["axis"], keepdims=attrs["keepdims"])

    def by_numpy(self, array: np.ndarray, **words: Any) -> np.ndarray:
        """Return the value that NumPy's function has."""
        if self.method is None:
            raise NotImplementedError(f"{self.name} does not say what its value is")
        return np.asarray(getattr(np, self.method)(array, **words))

    def is_differentiable(self, node: Node, index: int) -> bool:
        return self.is_smooth and super().is_differentiable(node, index)

    def reads(self, node: Node, index: int) -> Access:
        axes, places = node.attrs["axis"], iter(range(node.ndim))
        spans = []
        for axis, dim in enumerate(node.inputs[0].shape):
            at = next(places) if node.attrs["keepdims"] or axis not in axes else None
            spans.append(whole(dim) if at is None or axis in axes else along(at))
        return tuple(spans)

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order]:
        """Return the same over the axes where they stand now; the others keep that order."""
        gone, keepdims = node.attrs["axis"], node.attrs["keepdims"]
        axes = tuple([at for at, axis in enumerate(order) if axis in gone])
        result = self.make([turned(node.inputs[0], order)], **{**node.attrs, "axis": axes})
        if keepdims:
            return result, order
        return result, tuple(
            [axis - sum(a < axis for a in gone) for axis in order if axis not in gone]
        )

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return past_first_axis(node, carried, size)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        if self.method is None:
            return super().numpy(node, args, notation)
        return Code(f"{args[0].within(ATOM)}.{self.method}({', '.join(self._words(node))})")

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        if self.method is None:
            return None
        words = [*self._words(node), f"out={out}"]
        return f"{args[0].within(ATOM)}.{self.method}({', '.join(words)})"

    def _words(self, node: Node) -> list[str]:
        axes, words = node.attrs["axis"], []
        if len(axes) < node.inputs[0].ndim:
            words.append(f"axis={axes[0] if len(axes) == 1 else literal(axes)}")
        if node.attrs["keepdims"]:
            words.append("keepdims=True")
        return words

    def text(self, node: Node, args: Codes) -> Code:
        return Code(f"{self.name}({', '.join([args[0].text, *self._words(node)])})")

    def label(self, node: Node, args: Sequence[str]) -> str:
        over = "" if len(node.attrs["axis"]) == node.inputs[0].ndim else f", {_axes_text(node)}"
        return f"{self.name}({args[0]}{over})"

    def flops(self, node: Node) -> Dim:
        return node.inputs[0].size

    def restored(self, node: Node, value: Node) -> Node:
        """Return a reduced value broadcast back over the operand's shape."""
        source = node.inputs[0].shape
        if not node.attrs["keepdims"]:
            value = OPS["reshape"](value, without_axes(source, node.attrs["axis"], True))
        return OPS["broadcast_to"](value, source)

    def kept(self, node: Node) -> Node:
        """Return the same reduction with its axes kept."""
        return node if node.attrs["keepdims"] else self(node.inputs[0], node.attrs["axis"], True)

    def count(self, node: Node) -> Dim:
        return product(node.inputs[0].shape[a] for a in node.attrs["axis"])


#: NumPy adds up one long row in eight sums side by side, `einsum` in the sixty-four that fit the
#: processor's registers. Sums of a 64th each keep the digits that sums by halves have.
_SUM_IN_PARTS = '''
def sum_in_parts(a):
    """Return the sum of an array, of a long one in half the time of `a.sum()`."""
    length = a.size // 64
    if length < 512 or not a.flags.c_contiguous:
        return a.sum()
    a = a.reshape(-1)
    parts = np.einsum("ij->i", a[: 64 * length].reshape(64, length))
    return parts.sum() + a[64 * length :].sum()
'''


class Sum(Linear, Reduction):
    def helper(self, node: Node) -> str | None:
        return _SUM_IN_PARTS

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        if node.shape or node.dtype.kind != "f" or not notation.is_long:
            return super().numpy(node, args, notation)
        return Code(f"sum_in_parts({args[0]})")

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        return self.restored(node, cotangent)

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        """Return the bounds of sums: signs are kept; there may be no elements at all."""
        (a,) = operands
        if any(isinstance(dim, int) and dim == 0 for dim in node.inputs[0].shape):
            return exactly(0.0)
        low = a.low if a.low >= 0 else -math.inf
        high = a.high if a.high <= 0 else math.inf
        return Bounds(low, high, False, **flags(a))

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        (a,) = operands
        low, high = (0.0 if a.low >= 0 else -math.inf), (0.0 if a.high <= 0 else math.inf)
        return Range(low, high, a.nan or a.holds_both_infinities)

    def latex(self, node: Node, args: Sequence[str]) -> str:
        return rf"\sum {args[0]}"


class Mean(Linear, Reduction):
    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        return self.restored(node, OPS["divide"](cotangent, self.count(node)))

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        return replace(operands[0], nonzero=False)

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        (a,) = operands
        return replace(a, nan=a.nan or a.holds_both_infinities)


class Extremum(Reduction):
    """max or min: the derivative goes to the first element that attains it."""

    picks = True

    def __init__(self, name: str, doc: str, index_op: str) -> None:
        self.index_op = index_op
        super().__init__(name, doc, name, needs_elements=True)

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        x, axes = node.inputs[0], node.attrs["axis"]
        if len(axes) != 1:
            x, tangent = self._axes_last(node, x), self._axes_last(node, tangent)
        axis = axes[0] if len(axes) == 1 else -1
        first = OPS[self.index_op](x, axis=axis, keepdims=True)
        return OPS["reshape"](OPS["take_along_axis"](tangent, first, axis=axis), node.shape)

    @staticmethod
    def _axes_last(node: Node, x: Node) -> Node:
        axes = node.attrs["axis"]
        others = [i for i in range(x.ndim) if i not in axes]
        moved = OPS["transpose"](x, (*others, *axes))
        return OPS["reshape"](
            moved, (*[x.shape[i] for i in others], product(x.shape[a] for a in axes))
        )


class Prod(Reduction):
    """The product; its derivative never divides, so zeros are exact."""

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        flat, tangent = (Extremum._axes_last(node, x) for x in (node.inputs[0], tangent))
        backwards = [slice(None)] * (flat.ndim - 1) + [slice(None, None, -1)]
        before = exclusive_cumprod(flat)
        after = OPS["slice"](exclusive_cumprod(OPS["slice"](flat, backwards)), backwards)
        others = OPS["multiply"](before, after)
        return OPS["reshape"](OPS["sum"](OPS["multiply"](others, tangent), axis=-1), node.shape)

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        return range_of_products(operands)


def exclusive_cumprod(x: Node) -> Node:
    """Return the product of all earlier elements along the last axis; 1 for the first."""
    ones = fill(1, (*x.shape[:-1], 1), x.dtype)
    if isinstance(x.shape[-1], int) and x.shape[-1] <= 1:
        return fill(1, x.shape, x.dtype)
    shifted = OPS["concat"](ones, x, axis=-1)  # cut only then: there may be no elements
    earlier = OPS["slice"](shifted, [slice(None)] * (x.ndim - 1) + [slice(0, -1)])
    return OPS["cumprod"](earlier, axis=-1)


class ArgExtremum(Reduction):
    """The index of the first maximum or minimum along one axis, or of the flattened array."""

    def __call__(self, x: Any, axis: Any = None, keepdims: bool = False) -> Node:
        node = as_node(x)
        if axis is None:
            flat = OPS["reshape"](node, -1) if node.ndim != 1 else node
            index = self.make([flat], axis=(0,), keepdims=False)
            return OPS["reshape"](index, (1,) * node.ndim) if keepdims else index
        at = one_axis(axis, node.ndim, self.name)
        return self.make([node], axis=(at,), keepdims=bool(keepdims))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return super().infer(inputs, attrs).with_dtype(INT64)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return self.by_numpy(arrays[0], axis=attrs["axis"][0], keepdims=attrs["keepdims"])

    def _words(self, node: Node) -> list[str]:
        words = [f"axis={node.attrs['axis'][0]}"]
        return words + (["keepdims=True"] if node.attrs["keepdims"] else [])


class Logical(Reduction):
    """any or all, over truth values."""


def _axes_text(node: Node) -> str:
    axes = node.attrs["axis"]
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"


sum_ = register(Sum("sum", "Sum over axes; integers add up in int64.", "sum", dtype="sum"))
mean = register(
    Mean("mean", "Arithmetic mean over axes; integers give float64.", "mean", dtype="float")
)
prod = register(Prod("prod", "Product over axes.", "prod", dtype="sum"))
max_ = register(
    Extremum("max", "Largest element; the first one that attains it gets the derivative.", "argmax")
)
min_ = register(
    Extremum(
        "min", "Smallest element; the first one that attains it gets the derivative.", "argmin"
    )
)
argmax = register(
    ArgExtremum(
        "argmax",
        "Index of the first largest element.",
        "argmax",
        needs_elements=True,
        differentiable=False,
    )
)
argmin = register(
    ArgExtremum(
        "argmin",
        "Index of the first smallest element.",
        "argmin",
        needs_elements=True,
        differentiable=False,
    )
)
any_ = register(
    Logical("any", "Whether any element is true.", "any", dtype="bool", differentiable=False)
)
all_ = register(
    Logical("all", "Whether all elements are true.", "all", dtype="bool", differentiable=False)
)
for _index_op in (argmax, argmin):
    _index_op.cases = tuple(
        case
        for case in _index_op.cases
        if not isinstance(case.kwargs.get("axis"), tuple) and case.args[0].shape
    )
