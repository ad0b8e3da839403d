"""What the operators and methods of a node build; bound when `graphc.build` is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.build.arrays.pointwise import truth_operator
from graphc.build.functions import (
    ARRAY_FUNCTIONS,
    matrix_transpose_all,
    reshape_method,
    transpose_method,
)
from graphc.build.numpy_protocol import array_function, array_namespace, array_ufunc
from graphc.ir.operators import bind

#: Where an operator or method means something else than the function of its name.
_METHODS: dict[str, Callable[..., Any]] = {
    "logical_and": truth_operator("logical_and", "&"),
    "logical_or": truth_operator("logical_or", "|"),
    "logical_xor": truth_operator("logical_xor", "^"),
    "logical_not": truth_operator("logical_not", "~"),
    "matrix_transpose_all": matrix_transpose_all,
    "reshape_method": reshape_method,
    "transpose_method": transpose_method,
    "__array_ufunc__": array_ufunc,
    "__array_function__": array_function,
    "__array_namespace__": array_namespace,
}


def bind_operators() -> None:
    """Give every node its operators and methods."""
    bind({**ARRAY_FUNCTIONS, **_METHODS})
