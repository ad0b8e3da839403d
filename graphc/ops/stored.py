"""Stored constants: arrays of ones or zeros that are kept, where `full` is only a number.

A uniform array written out costs memory once and saves work at each call: a sum over rows is a
product with ones, and a maximum with a row of zeros is faster than one with a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.code import Code, Notation
from graphc.ir.dims import as_shape, dim_text
from graphc.ir.node import Node, make_node
from graphc.ir.op import Case
from graphc.ir.types import SHORT, TensorType, as_dtype
from graphc.ops.leaf import Leaf
from graphc.ops.registry import register


class Stored(Leaf):
    """One number in every place of an array that is kept between calls."""

    def __init__(self, value: int, name: str, doc: str) -> None:
        self.value = value
        self.variable = "ones" if value else "zeros"
        super().__init__(name, doc, [Case((), {"shape": (2, 3)})])

    def __call__(self, shape: Any, dtype: Any = "float32") -> Node:
        return make_node(self, (), {"shape": as_shape(shape), "dtype": as_dtype(dtype)})

    def reference(
        self, arrays: Sequence[np.ndarray], attrs: Mapping[str, Any], result: TensorType
    ) -> np.ndarray:
        return np.full(result.shape, self.value, result.dtype)

    def numpy(self, node: Node, args: Sequence[Code], notation: Notation) -> Code:
        shape, dtype = notation.size(node.shape), notation.dtype(node.dtype)
        return Code(f"np.{self.variable}({shape}, {dtype})")

    def text(self, node: Node, args: Sequence[Code]) -> Code:
        dims = ", ".join(map(dim_text, node.shape))
        shape = f"({dims},)" if len(node.shape) == 1 else f"({dims})"
        return Code(f"{self.name}({shape}, dtype={SHORT[node.dtype]})")


stored_ones = register(Stored(1, "stored_ones", "Ones in an array that is kept between calls."))
stored_zeros = register(Stored(0, "stored_zeros", "Zeros in an array that is kept between calls."))
