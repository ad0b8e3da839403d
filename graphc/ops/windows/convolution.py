"""Convolutions as chunks of columns: the windows are laid out a few rows at a time, and multiplied.

Columns are the windows as a matrix: a row for each channel and place in the window, a column for
each position and sample. They repeat every element as often as a window has places, so all of them
together leave the cache and take most of a network's memory. A chunk of them does neither. Windows
of one element are the array itself: a convolution is one product then.

Channels may be in groups, each with filters of its own: `groups` convolutions side by side.

The axes stand as the products want them: channels first, the axes that the windows slide over,
samples last. Neighbouring positions and samples are then neighbours in memory, so laying out
columns and adding them up again copies long rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.ir.access import Access, along, whole
from graphc.ir.attributes import Attributes
from graphc.ir.code import PRODUCT, Code, Codes, Notation
from graphc.ir.dims import (
    Dim,
    as_dim,
    as_shape,
    divide_exactly,
    product,
    same_shape,
    shape_text,
)
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op
from graphc.ir.symbols import sympy_module
from graphc.ir.types import TensorType
from graphc.ir.walk import new_nodes
from graphc.ops.batching import Carried, batched_node
from graphc.ops.contraction.einsum import einsum_labels
from graphc.ops.leaf import as_node, fill
from graphc.ops.registry import OPS, register
from graphc.ops.windows.columns import (
    columns_of,
    columns_shape,
    expect_fit,
    is_copied,
    is_of_elements,
    matrix_code,
    shown_filters,
    shown_response,
    shown_windows,
)
from graphc.ops.windows.convolution_code import CHUNK, SOURCES
from graphc.ops.windows.grouped_convolution_code import CHUNK as GROUPS_CHUNK
from graphc.ops.windows.grouped_convolution_code import SOURCES as GROUPED_SOURCES
from graphc.ops.windows.sliding import parts, positions, window_attributes


class OfColumns(Op):
    """A product with the columns of an array [channels, …, samples].

    Attributes: `size`, `stride` and `dilation` of the windows over the axes between the first and
    the last; `groups` of channels. `expand` is the definition; derivatives and bounds of reading
    go through it.
    """

    family = "contraction"
    multiplies = True
    verb = verb_of_groups = ""

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        if is_of_elements(node.attrs):
            left, right = self.factors(node, args, notation)
            multiplied = f"({left.within(PRODUCT)} @ {right.within(PRODUCT + 1)})"
            return Code(f"{multiplied}.reshape{notation.shape(node.shape)}")
        fresh = f"np.empty({notation.size(node.shape)}, {notation.dtype(node.dtype)})"
        return Code(self._call(node, args, fresh, notation))

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        # The result is filled through a view of it as a matrix, which only one piece has.
        if not notation.owns_out:
            return None
        if is_of_elements(node.attrs):
            left, right = self.factors(node, args, notation)
            matrix = out if node.ndim == 2 else matrix_code(Code(out), node, notation)
            return f"np.matmul({left}, {right}, out={matrix})"
        return self._call(node, args, out, notation)

    def factors(self, node: Node, args: Codes, notation: Notation) -> tuple[Code, Code]:
        """Return the matrices whose product the op is where columns are the array itself."""
        raise NotImplementedError

    def _call(self, node: Node, args: Codes, out: str, notation: Notation) -> str:
        words = [*[a.text for a in args], notation.shape(node.attrs["size"])]
        for key in ("stride", "dilation"):
            if any(not isinstance(n, int) or n != 1 for n in node.attrs[key]):
                words.append(f"{key}={notation.shape(node.attrs[key])}")
        if node.attrs["groups"] != 1:
            words.append(f"groups={notation.dim(node.attrs['groups'])}")
        verb = self.verb_of_groups if node.attrs["groups"] != 1 else self.verb
        return f"{verb}({', '.join([*words, f'out={out}'])})"

    def helper(self, node: Node) -> str | None:
        if is_of_elements(node.attrs):
            return None
        if node.attrs["groups"] != 1:
            return GROUPED_SOURCES[self.verb_of_groups]
        return SOURCES[self.verb]

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        """Return the definition over one more axis, which for each operand stands elsewhere."""
        known = {x: y for x, y in zip(node.inputs, carried, strict=True) if y is not None}
        definition = self.expand(node)
        assert definition is not None
        for x in new_nodes(definition, frozenset(node.inputs)):
            operands = [known.get(y) for y in x.inputs]
            if any(y is not None for y in operands):
                known[x] = batched_node(x, operands, size)
        return known[definition]

    def scratch(self, node: Node) -> Dim:
        if is_of_elements(node.attrs):
            return as_dim(
                sum((x.size for x in node.inputs if is_copied(x)), 0) * node.dtype.itemsize
            )
        # One chunk of columns is in memory at a time, and the response in one piece.
        count, row = self.laid_out_rows(node)
        response = self.response(node)
        copied: Dim = 0
        if response is not None and is_copied(response):
            copied = response.size
        return as_dim((_room(count, row, node.attrs["groups"]) + copied) * node.dtype.itemsize)

    def response(self, node: Node) -> Node | None:
        """Return the operand that has an element for each filter, position and sample."""
        return None

    def laid_out_rows(self, node: Node) -> tuple[Dim, Dim]:
        """Return how many rows of positions there are, and the elements of a group's columns."""
        rows, (count, *inner) = columns_shape(self.name, node.inputs[0].type, node.attrs)
        return count, rows * product(inner)

    def holds_minus_infinity(self, node: Node) -> bool:
        return False  # as of any contraction

    def shown_attributes(self, node: Node) -> dict[str, Any]:
        attrs = dict(node.attrs)
        if attrs["groups"] == 1:
            del attrs["groups"]
        plain = ("stride", "dilation")
        return {k: v for k, v in attrs.items() if k not in plain or any(n != 1 for n in v)}


class Convolve(OfColumns):
    """filters @ columns(x), [filters, positions, samples]."""

    verb, verb_of_groups = "_convolve", "_convolve_groups"
    variable = "convolution"

    def __call__(
        self, x: Any, filters: Any, size: Any, stride: Any = 1, dilation: Any = 1, groups: int = 1
    ) -> Node:
        node = as_node(x)
        attrs = window_attributes(self.name, node, size, stride, dilation)
        return self.make([node, as_node(filters)], groups=groups, **attrs)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        x, filters = inputs
        rows = columns_shape(self.name, x, attrs)[0]
        fits = filters.ndim == 2 and same_shape(filters.shape[1:], (rows,))
        fits = fits and divide_exactly(filters.shape[0], attrs["groups"]) is not None
        expect_fit(self.name, fits, inputs, f"filters [any, {shape_text((rows,))[1:-1]}]")
        places = positions(x.shape[:-1], attrs, self.name)
        return x.with_shape((filters.shape[0], *places, x.shape[-1]))

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        parts = [np.split(a, attrs["groups"]) for a in arrays]
        products = [filters @ columns_of(x, attrs) for x, filters in zip(*parts, strict=True)]
        return np.concatenate(products).reshape(result.shape)

    def expand(self, node: Node) -> Node:
        x, filters = node.inputs
        windows, labels = shown_windows(x, node.attrs)
        cube, of_cube = shown_filters(filters, node.attrs)
        places = [*range(1, 1 + len(node.attrs["size"]))]
        out = [*of_cube[: of_cube.index("channel")], *[f"at {a}" for a in places], "sample"]
        return OPS["reshape"](einsum_labels([windows, cube], [labels, of_cube], out), node.shape)

    def reads(self, node: Node, index: int) -> Access:
        if index == 0:
            return super().reads(node, index)
        return along(0), whole(node.inputs[1].shape[1])

    def factors(self, node: Node, args: Codes, notation: Notation) -> tuple[Code, Code]:
        return args[1], matrix_code(args[0], node.inputs[0], notation)

    def flops(self, node: Node) -> Dim:
        return 2 * node.size * node.inputs[1].shape[1]


class ConvolveFilters(OfColumns):
    """columns(x) @ d.T, [channels and places, filters]: the derivative by the filters, turned."""

    verb, verb_of_groups = "_convolve_filters", "_convolve_filters_of_groups"
    variable = "filters"

    def __call__(
        self, x: Any, d: Any, size: Any, stride: Any = 1, dilation: Any = 1, groups: int = 1
    ) -> Node:
        node = as_node(x)
        attrs = window_attributes(self.name, node, size, stride, dilation)
        return self.make([node, as_node(d)], groups=groups, **attrs)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        x, d = inputs
        rows, wanted = columns_shape(self.name, x, attrs)
        each = divide_exactly(d.shape[0], attrs["groups"]) if d.ndim == x.ndim else None
        fits = each is not None and same_shape(d.shape[1:], wanted)
        expect_fit(self.name, fits, inputs, f"d [any, {shape_text(wanted)[1:-1]}]")
        return x.with_shape((as_dim(rows * attrs["groups"]), each or 0))

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        products = []
        for x, d in zip(*[np.split(a, attrs["groups"]) for a in arrays], strict=True):
            columns = columns_of(x, attrs)
            products.append(columns @ d.reshape(len(d), columns.shape[1]).T)
        return np.concatenate(products)

    def expand(self, node: Node) -> Node:
        x, d = node.inputs
        windows, labels = shown_windows(x, node.attrs)
        places = [*range(1, 1 + len(node.attrs["size"]))]
        response, of_response = shown_response(d, node.attrs)
        group = of_response[: len(of_response) - len(places) - 2]
        out = [*group, "channel", *[f"in {a}" for a in places], "filter"]
        cube = einsum_labels([windows, response], [labels, of_response], out)
        return OPS["reshape"](cube, node.shape)

    def factors(self, node: Node, args: Codes, notation: Notation) -> tuple[Code, Code]:
        x, d = (matrix_code(a, n, notation) for a, n in zip(args, node.inputs, strict=True))
        return x, d.turned()

    def flops(self, node: Node) -> Dim:
        return 2 * node.size * product(node.inputs[1].shape[1:])

    def scratch(self, node: Node) -> Dim:
        of_chunk = 0 if is_of_elements(node.attrs) else node.size * node.dtype.itemsize
        return super().scratch(node) + of_chunk  # its product, which is added

    def response(self, node: Node) -> Node:
        return node.inputs[1]


class ConvolveBack(OfColumns):
    """filters.T @ d, each column added where its window lies: the derivative by x.

    Attribute `shape`: how many elements each axis has that the windows slide over.
    """

    verb, verb_of_groups = "_convolve_back", "_convolve_back_groups"
    variable = "overlap"

    def __call__(
        self,
        d: Any,
        filters: Any,
        shape: Any,
        size: Any,
        stride: Any = 1,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Node:
        node = as_node(d)
        attrs = window_attributes(self.name, node, size, stride, dilation)
        return self.make([node, as_node(filters)], shape=as_shape(shape), groups=groups, **attrs)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        d, filters = inputs
        wanted = positions(attrs["shape"], attrs, self.name)
        window = product(attrs["size"])
        channels = divide_exactly(filters.shape[-1], window) if filters.ndim == 2 else None
        fits = (
            channels is not None
            and divide_exactly(filters.shape[0], attrs["groups"]) is not None
            and d.ndim == len(wanted) + 2
            and same_shape(d.shape[:-1], (filters.shape[0], *wanted))
        )
        expect_fit(self.name, fits, inputs, f"d [filters, {shape_text(wanted)[1:-1]}, samples]")
        channels = as_dim((channels or 0) * attrs["groups"])
        return d.with_shape((channels, *attrs["shape"], d.shape[-1]))

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        rank, d = len(attrs["size"]), arrays[0]
        parts_of = zip(*[np.split(a, attrs["groups"]) for a in arrays], strict=True)
        columns = np.concatenate([w.T @ part.reshape(len(part), -1) for part, w in parts_of])
        windows = columns.reshape(result.shape[0], *attrs["size"], *d.shape[1:])
        total = np.zeros((result.shape[0], result.shape[-1], *attrs["shape"]), result.dtype)
        order = (0, 2 * rank + 1, *range(rank + 1, 2 * rank + 1), *range(1, rank + 1))
        turned = windows.transpose(order)
        for place, elements in parts(attrs, turned.shape):
            total[elements] += turned[place]
        return np.moveaxis(total, 1, -1)

    def expand(self, node: Node) -> Node:
        d, filters = node.inputs
        channels, samples = node.shape[0], node.shape[-1]
        cube, of_cube = shown_filters(filters, node.attrs)
        response, of_response = shown_response(d, node.attrs)
        at, within = of_response[of_cube.index("channel") : -1], of_cube[-len(node.attrs["size"]) :]
        group = of_cube[: of_cube.index("filter")]
        out = [*group, "channel", "sample", *at, *within]
        windows = einsum_labels([response, cube], [of_response, of_cube], out)
        windows = OPS["reshape"](windows, (channels, *windows.shape[1 + len(group) :]))
        zeros = fill(0, (channels, samples, *node.attrs["shape"]), node.dtype)
        attrs = {k: node.attrs[k] for k in ("size", "stride", "dilation")}
        total = OPS["windows_add"].make([zeros, windows], **attrs)
        return OPS["transpose"](total, (0, *range(2, total.ndim), 1))

    def factors(self, node: Node, args: Codes, notation: Notation) -> tuple[Code, Code]:
        return args[1].turned(), matrix_code(args[0], node.inputs[0], notation)

    def response(self, node: Node) -> Node:
        return node.inputs[0]

    def laid_out_rows(self, node: Node) -> tuple[Dim, Dim]:
        d, filters = node.inputs
        return d.shape[1], filters.shape[1] * product(d.shape[2:])

    def flops(self, node: Node) -> Dim:
        d, filters = node.inputs
        of_filters = 2 * filters.shape[0] + node.attrs["groups"]
        return of_filters * filters.shape[1] * product(d.shape[1:])


def _room(count: Dim, row: Dim, groups: int) -> Dim:
    """Return the elements of a chunk of columns, of `count` rows of positions at most."""
    sympy = sympy_module()
    if groups == 1:
        return row * sympy.Min(count, sympy.Max(1, sympy.floor(sympy.Integer(CHUNK) / row)))
    chunk = sympy.Integer(GROUPS_CHUNK)
    most = sympy.Min(groups, sympy.Max(1, sympy.floor(chunk / row)))
    return most * row * sympy.Max(1, sympy.Min(count, sympy.floor(chunk / (most * row))))


_FRAME = {"size": (2, 3), "stride": (2, 1), "dilation": (1, 2)}
convolve = register(
    Convolve(
        "convolve_windows",
        "Filters times the windows of x [channels, …, samples].",
        [
            Case((Arg((2, 5, 7, 3)), Arg((4, 12))), _FRAME),
            Case((Arg((2, 6, 3)), Arg((4, 6))), {"size": 3}),
            Case((Arg((1, 4, 3, 4, 2)), Arg((2, 8))), {"size": (2, 2, 2)}),
            Case((Arg((2, 3, 4, 2)), Arg((5, 2))), {"size": (1, 1)}),
            Case((Arg((2, 5, 0)), Arg((4, 6))), {"size": 3}),
            Case((Arg((4, 6, 5, 3)), Arg((6, 12))), {**_FRAME, "groups": 2}),
        ],
    )
)
convolve_filters = register(
    ConvolveFilters(
        "convolve_filters",
        "Windows of x [channels, …, samples] times d: the derivative of a convolution by filters.",
        [
            Case((Arg((2, 5, 7, 3)), Arg((4, 2, 3, 3))), _FRAME),
            Case((Arg((2, 6, 3)), Arg((4, 4, 3))), {"size": 3}),
            Case((Arg((2, 3, 4, 2)), Arg((5, 3, 4, 2))), {"size": (1, 1)}),
            Case((Arg((2, 5, 0)), Arg((4, 3, 0))), {"size": 3}),
            Case((Arg((4, 5, 7, 3)), Arg((6, 2, 3, 3))), {**_FRAME, "groups": 2}),
        ],
    )
)
convolve_back = register(
    ConvolveBack(
        "convolve_back",
        "Filters times d, added where the windows lie: the derivative of a convolution by x.",
        [
            Case((Arg((4, 2, 3, 3)), Arg((4, 12))), {"shape": (5, 7), **_FRAME}),
            Case((Arg((4, 4, 3)), Arg((4, 6))), {"shape": (6,), "size": 3}),
            Case((Arg((5, 3, 4, 2)), Arg((5, 2))), {"shape": (3, 4), "size": (1, 1)}),
            Case((Arg((4, 3, 0)), Arg((4, 6))), {"shape": (5,), "size": 3}),
            Case((Arg((4, 4, 3)), Arg((4, 3))), {"shape": (6,), "size": 3, "groups": 4}),
        ],
    )
)
