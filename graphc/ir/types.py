"""Array types: a dtype and a shape, and how dtypes promote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import did_you_mean
from graphc.ir.dims import Dim, Shape, product, same_shape, shape_text
from graphc.ir.provenance import user_error

BOOL = np.dtype(np.bool_)
INT32 = np.dtype(np.int32)
INT64 = np.dtype(np.int64)
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)

DTYPES = {"bool": BOOL, "int32": INT32, "int64": INT64, "float32": FLOAT32, "float64": FLOAT64}
SHORT = {BOOL: "bool", INT32: "i32", INT64: "i64", FLOAT32: "f32", FLOAT64: "f64"}
_BY_NAME = DTYPES | {short: dtype for dtype, short in SHORT.items()}


def as_dtype(value: Any) -> np.dtype:
    """Return one of graphc's five dtypes from its name, short name, NumPy dtype or type."""
    if isinstance(value, str) and value in _BY_NAME:
        return _BY_NAME[value]
    try:
        dtype = np.dtype(value).newbyteorder("=")
    except TypeError:
        dtype = None
    if dtype in SHORT:
        return _BY_NAME[dtype.name]  # one object for each, so that `is` tells them apart
    raise user_error(
        "unknown dtype",
        got=repr(value),
        expected="bool, int32, int64, float32 or float64",
        fix=did_you_mean(value, _BY_NAME),
    )


def is_float(dtype: np.dtype) -> bool:
    return dtype.kind == "f"


def promote(*operands: Any) -> np.dtype:
    """Return NumPy 2's result dtype; Python scalars among the operands are weak.

    >>> promote(FLOAT32, 2.5).name, promote(INT64, 2.5).name
    ('float32', 'float64')
    """
    return as_dtype(np.result_type(*operands))


@dataclass(frozen=True, slots=True, eq=False)
class TensorType:
    """The type of a node's value: dtype and shape, printed as `f32[N, 10]`."""

    dtype: np.dtype
    shape: Shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Dim:
        return product(self.shape)

    def with_shape(self, shape: Shape) -> TensorType:
        return TensorType(self.dtype, shape)

    def with_dtype(self, dtype: np.dtype) -> TensorType:
        return TensorType(dtype, self.shape)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the dtype by its name: what a pickle holds of one is not NumPy's own object."""
        return _named, (self.dtype.name, self.shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TensorType):
            return NotImplemented
        return self.dtype == other.dtype and same_shape(self.shape, other.shape)

    def __hash__(self) -> int:
        return hash((self.dtype.char, self.shape))

    def __str__(self) -> str:
        return SHORT[self.dtype] + shape_text(self.shape)


def _named(dtype: str, shape: Shape) -> TensorType:
    return TensorType(DTYPES[dtype], shape)


@dataclass(frozen=True, slots=True, eq=False, init=False)
class TupleType(TensorType):
    """The type of a node with several values, such as a loop: `(f32[N, 8], f32[T, N, 8])`.

    Only `item` nodes read such a node. It has no axes and no dtype of its own: `void` is neither a
    float nor an integer, so nothing that asks a dtype's kind takes it for an array.
    """

    items: tuple[TensorType, ...]

    def __init__(self, items: tuple[TensorType, ...]) -> None:
        put = object.__setattr__
        put(self, "dtype", np.dtype(np.void))
        put(self, "shape", ())
        put(self, "items", items)

    def __reduce__(self) -> tuple[Any, ...]:
        return TupleType, (self.items,)

    def with_shape(self, shape: Shape) -> TupleType:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TupleType) and self.items == other.items

    def __hash__(self) -> int:
        return hash(self.items)

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.items))})"
