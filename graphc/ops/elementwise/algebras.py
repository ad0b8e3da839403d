"""What do the names in a formula mean? What the ops of these names do, to nodes or to arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.attributes import NO_ATTRIBUTES
from graphc.ir.node import Node
from graphc.ir.types import FLOAT64, TensorType
from graphc.ops.promotion import is_weak
from graphc.ops.registry import OPS


class _NodeAlgebra(dict[str, Callable[..., Any]]):  # a read-only view of the registry
    """Formulas over nodes: every name is the op of that name; numbers stay Python numbers."""

    def __missing__(self, name: str) -> Any:
        if name == "number":
            raise KeyError(name)
        op = OPS[name]

        def apply(*operands: Any) -> Any:
            if any(isinstance(operand, Node) for operand in operands):
                return op(*operands)
            result = TensorType(FLOAT64, ())
            arrays = [np.asarray(v, np.float64) for v in operands]
            return float(op.reference(arrays, {}, result))

        return apply

    def get(self, name: str, default: Any = None) -> Any:
        return default if name == "number" else self[name]


class _NumpyAlgebra(dict[str, Callable[..., Any]]):  # a read-only view of the registry
    """Formulas over NumPy arrays: every name is that op's reference."""

    def __missing__(self, name: str) -> Any:
        op = OPS[name]

        def apply(*operands: Any) -> Any:
            if all(is_weak(operand) for operand in operands):
                return NODES[name](*operands)  # numbers stay weak numbers: sqrt(2) is no int64
            common = TensorType(np.result_type(*operands), ())
            result = op.infer((common,) * len(operands), NO_ATTRIBUTES)
            return op.reference(operands, {}, result)

        return apply

    def get(self, name: str, default: Any = None) -> Any:
        return default if name == "number" else self[name]


NODES = _NodeAlgebra()
ARRAYS = _NumpyAlgebra()
