"""Stored constants: uniform arrays that are kept, where `full` is only a number.

A uniform array written out costs memory once and saves work at each call: a sum over rows is a
product with ones, a mean one with shares, and a maximum with a row of zeros, or of another bound,
is faster than one with a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.bounds import Bounds, exactly
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import as_shape, dim_text
from graphc.ir.node import Node, make_node
from graphc.ir.op import Arrays, Case
from graphc.ir.types import SHORT, TensorType, as_dtype
from graphc.ops.leaf import Leaf, full
from graphc.ops.registry import register


class Stored(Leaf):
    """One number in every place of an array that is kept between calls."""

    def __call__(self, value: float, shape: Any, dtype: Any = "float32") -> Node:
        attrs = {"value": value, "shape": as_shape(shape), "dtype": as_dtype(dtype)}
        return make_node(self, (), attrs)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.full(result.shape, attrs["value"], result.dtype)

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        return exactly(float(node.attrs["value"]))

    def called(self, node: Node) -> str:
        value = node.attrs["value"]
        return {0: "zeros", 1: "ones"}.get(value, "shares" if 0 < value < 1 else "uniform")

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return full.numpy(node, args, notation)

    def text(self, node: Node, args: Codes) -> Code:
        dims = ", ".join(map(dim_text, node.shape))
        shape = f"({dims},)" if len(node.shape) == 1 else f"({dims})"
        return Code(f"stored({node.attrs['value']!r}, {shape}, dtype={SHORT[node.dtype]})")


stored = register(
    Stored(
        "stored",
        "One number in an array that is kept between calls.",
        [Case((), {"value": value, "shape": (2, 3)}) for value in (0.0, 1.0, 0.25)],
    )
)
