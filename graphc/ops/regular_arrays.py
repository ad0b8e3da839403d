"""Regular arrays: those that follow from their shape alone, arange and eye."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir import bounds, ranges
from graphc.ir.bounds import UNBOUNDED, Bounds
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim, as_dim, dim_text
from graphc.ir.node import Node, make_node
from graphc.ir.op import Arrays, Case, literal
from graphc.ir.ranges import Range
from graphc.ir.types import SHORT, TensorType, as_dtype
from graphc.ops.leaf import Leaf
from graphc.ops.registry import register


class Arange(Leaf):
    """start, start + step, … below stop, as `numpy.arange`."""

    variable = "index"

    def __call__(self, start: Any, stop: Any = None, step: int = 1, dtype: Any = "int64") -> Node:
        if stop is None:
            start, stop = 0, start
        count = (as_dim(stop) if not isinstance(stop, int) else stop) - start
        if isinstance(count, int):
            count = max(0, -(-count // step))
        elif step != 1:
            raise GraphError("arange over a symbolic dim takes step 1", got=f"step={step}")
        attrs = {"start": start, "step": step, "shape": (as_dim(count),), "dtype": as_dtype(dtype)}
        return make_node(self, (), attrs)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        numbers = attrs["start"] + attrs["step"] * np.arange(result.shape[0])
        return numbers.astype(result.dtype)

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        (count,), start, step = node.shape, node.attrs["start"], node.attrs["step"]
        if not isinstance(start, int):
            return UNBOUNDED
        if not isinstance(count, int):
            return Bounds(float(start), math.inf, start > 0)
        ends = start, start + step * max(count - 1, 0)
        return Bounds(float(min(ends)), float(max(ends)), min(ends) > 0 or max(ends) < 0)

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        return Range(nan=False)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        start, stop, step = self._bounds(node)
        words = [notation.dim(stop)]
        if start != 0 or step != 1:
            words.insert(0, notation.dim(start))
        if step != 1:
            words.append(str(step))
        if node.dtype != np.int64:
            words.append(f"dtype={notation.dtype(node.dtype)}")
        return Code(f"np.arange({', '.join(words)})")

    def text(self, node: Node, args: Codes) -> Code:
        start, stop, step = self._bounds(node)
        words = [literal(start), literal(stop)] + ([literal(step)] if step != 1 else [])
        return Code(f"arange({', '.join(words)}, dtype={SHORT[node.dtype]})")

    def label(self, node: Node, args: Sequence[str]) -> str:
        start, stop, step = self._bounds(node)
        words = [literal(stop)] if start == 0 and step == 1 else [literal(start), literal(stop)]
        return f"arange({', '.join(words + ([str(step)] if step != 1 else []))})"

    @staticmethod
    def _bounds(node: Node) -> tuple[Dim, Dim, int]:
        start, step = node.attrs["start"], node.attrs["step"]
        return start, start + step * node.shape[0], step


class Eye(Leaf):
    """Ones on the k-th diagonal, zeros elsewhere."""

    def __call__(self, n: Any, m: Any = None, k: int = 0, dtype: Any = "float32") -> Node:
        shape = (as_dim(n), as_dim(n if m is None else m))
        return make_node(self, (), {"k": k, "shape": shape, "dtype": as_dtype(dtype)})

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        rows, columns = result.shape
        return np.eye(int(rows), int(columns), k=attrs["k"], dtype=result.dtype)

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        return bounds.TRUTH

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        return ranges.TRUTH

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        rows, columns = map(notation.dim, node.shape)
        words = [rows] + ([columns] if columns != rows else [])
        words += [f"k={node.attrs['k']}"] if node.attrs["k"] else []
        return Code(f"np.eye({', '.join(words)}, dtype={notation.dtype(node.dtype)})")

    def text(self, node: Node, args: Codes) -> Code:
        rows, columns = map(dim_text, node.shape)
        return Code(f"eye({rows}, {columns}, k={node.attrs['k']}, dtype={SHORT[node.dtype]})")

    def label(self, node: Node, args: Sequence[str]) -> str:
        words = list(dict.fromkeys(map(dim_text, node.shape)))
        words += [f"k={node.attrs['k']}"] if node.attrs["k"] else []
        return f"eye({', '.join(words)})"


arange = register(
    Arange(
        "arange",
        "Evenly spaced integers.",
        [Case((), {"start": 5}), Case((), {"start": 1, "stop": 9, "step": 3})],
    )
)
eye = register(
    Eye(
        "eye",
        "The identity matrix, or another diagonal of ones.",
        [Case((), {"n": 3, "m": 4, "k": 1})],
    )
)
