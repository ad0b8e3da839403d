"""What may stand beside a node in an elementwise call: numbers, dims, and values of NumPy's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir.dims import as_number
from graphc.ir.node import Node
from graphc.ir.provenance import user_location
from graphc.ir.types import FLOAT32, FLOAT64
from graphc.ops.promotion import warn_of_float64
from graphc.ops.registry import OPS


def beside_nodes(operands: Sequence[Any]) -> Sequence[Any]:
    """Return the operands of a call; an expression of dims that depends on none is its number.

    **Raises.** GraphError for expressions of dims that cannot be written as Python.
    """
    if all(type(x) is Node or type(x) in (int, float) for x in operands):
        return operands
    try:
        return [
            as_number(x) if hasattr(x, "free_symbols") and not isinstance(x, Node) else x
            for x in operands
        ]
    except GraphError as problem:
        raise problem.at(user_location()) from None


def as_float(node: Node, kind: np.dtype) -> Node:
    """Return the node itself where it holds floats, else its copy of dtype `kind`."""
    return node if node.dtype.kind == "f" else OPS["cast"](node, kind)


def warn_of_wide_values(operands: Sequence[Any]) -> None:
    """Warn where NumPy's float64 makes float64 of float32 nodes, as it does in NumPy.

    `np.log(2)` looks like a number of Python's, but is no weak one.
    """
    wide = [x for x in operands if isinstance(x, (np.ndarray, np.generic)) and x.dtype == FLOAT64]
    dtypes = [x.dtype for x in operands if isinstance(x, Node)]
    if not wide or FLOAT32 not in dtypes or FLOAT64 in dtypes:
        return
    if wide[0].ndim == 0:
        warn_of_float64("a float64 number of NumPy's", "make it Python's: float(…)")
    else:
        warn_of_float64("a float64 array of NumPy's", "convert it: array.astype('float32')")
