"""What may stand beside a node in an elementwise call: numbers, dims, and values of NumPy's."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphError, GraphWarning
from graphc.ir.dims import as_number
from graphc.ir.node import Node
from graphc.ir.provenance import user_location
from graphc.ir.types import FLOAT32, FLOAT64


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


def warn_of_wide_values(operands: Sequence[Any]) -> None:
    """Warn where NumPy's float64 makes float64 of float32 nodes, as it does in NumPy.

    `np.log(2)` looks like a number of Python's, but is no weak one.
    """
    wide = [x for x in operands if isinstance(x, (np.ndarray, np.generic)) and x.dtype == FLOAT64]
    dtypes = [x.dtype for x in operands if isinstance(x, Node)]
    if not wide or FLOAT32 not in dtypes or FLOAT64 in dtypes:
        return
    where = user_location()
    is_number = wide[0].ndim == 0
    fix = "make it Python's: float(…)" if is_number else "convert it: array.astype('float32')"
    warnings.warn(
        f"float32 with a float64 {'number' if is_number else 'array'} of NumPy's gives float64"
        + (f"; at {where}" if where else "")
        + f"; to stay in float32, {fix}",
        GraphWarning,
        stacklevel=2,
    )
