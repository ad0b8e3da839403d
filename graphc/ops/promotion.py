"""Which dtype and shape do operands have together? NumPy's answer, Python numbers being weak."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphWarning, counted
from graphc.ir.dims import Dim, Shape, broadcast_shapes, dim_text, same_shape
from graphc.ir.node import Node
from graphc.ir.provenance import around_now, user_location
from graphc.ir.types import BOOL, FLOAT32, FLOAT64, TensorType, promote
from graphc.ops.leaf import fill
from graphc.ops.registry import OPS

#: Functions of numbers are short; what is longer is not looked through.
_MOST_NUMBERS = 32
#: Where a warning was given already, as Python keeps it for each module that warns.
_warned: dict[Any, Any] = {}


def is_weak(value: Any) -> bool:
    """Say whether a value is a Python number or a dim, whose dtype the other operand decides."""
    return (isinstance(value, (bool, int, float)) and not isinstance(value, np.generic)) or (
        not isinstance(value, Node) and hasattr(value, "free_symbols")
    )


def common_dtype(values: Sequence[Any], is_compared: bool = False) -> np.dtype:
    """Return the dtype that NumPy gives these operands, Python numbers being weak.

    Warns where float32 becomes float64 because of integers, unless they are only compared.
    """
    first = values[0]
    if isinstance(first, Node) and all(
        (isinstance(v, Node) and v.dtype == first.dtype)
        or (type(v) in (int, float) and first.dtype.kind == "f")
        for v in values
    ):
        return first.dtype
    found = promote(*[_strength(v) for v in values])
    if found == FLOAT64 and not is_compared:
        _warn_of_promotion([v for v in values if isinstance(v, Node)])
    return found


def _warn_of_promotion(operands: Sequence[Node]) -> None:
    """Warn where integers make float64 of float32, as they do in NumPy."""
    integers = [x for x in operands if x.dtype.kind == "i"]
    if not integers or FLOAT64 in [x.dtype for x in operands]:
        return
    if FLOAT32 not in [x.dtype for x in operands]:
        return
    x = integers[0]
    warn_of_float64(x.dtype.name, f"cast {x.name or 'the integers'}: astype(…, 'float32')")


def warn_of_float64(beside: str, fix: str) -> None:
    """Warn that something beside float32 makes float64 of it, and how that is avoided."""
    where, origin = user_location(), around_now()
    warnings.warn_explicit(  # Python shows the user's line, not one of these
        f"float32 with {beside} gives float64, as in NumPy"
        + (f"; at {where}" if where else "")
        + f"; to stay in float32, {fix}",
        GraphWarning,
        origin.file or "<graph>",
        origin.line,
        registry=_warned,
    )


def _strength(value: Any) -> Any:
    """Return what decides about the common dtype: a node's dtype, or a weak number."""
    if isinstance(value, Node):
        return 1.0 if value.dtype == FLOAT64 and is_of_numbers(value) else value.dtype
    return value if isinstance(value, (bool, int, float)) else 1


def is_of_numbers(node: Node) -> bool:
    """Say whether a node is a function of plain numbers and dims, and so as weak as they are.

    `sqrt(2)`, `log(2*pi)`, and `m = where(mask, 1, 0)`, whose values are numbers, with what is
    computed from it: `m.sum()`, `1 - m`. Not a number itself: one that is a node has been given its
    dtype.
    """
    waiting, seen = [node], 0
    while waiting:
        x = waiting.pop()
        seen += 1
        is_choice, is_spread = x.op is OPS["where"], x.op is OPS["broadcast_to"]
        is_known = is_choice or is_spread or (x.op.family == "pointwise" and not x.shape)
        is_known = is_known or _is_of_its_operands(x)
        if not is_known or seen > _MOST_NUMBERS:
            return False
        waiting += [y for y in x.inputs[is_choice:] if y.op.name != "full"]
    return bool(node.inputs)


def _is_of_its_operands(node: Node) -> bool:
    """Say whether an op keeps the float dtype of its operands, which are not numbers alone."""
    return (
        node.dtype.kind == "f"
        and node.op.family in ("pointwise", "movement", "reduction")
        and all(x.dtype == node.dtype for x in node.inputs)
        and any(x.op.name != "full" for x in node.inputs)
    )


def _computed_in(dtype: np.dtype, node: Node) -> Node:
    """Return a function of numbers with all that makes it in a dtype; a scalar is rounded last."""
    if node.op.name == "full":
        return fill(node.attrs["value"], node.shape, dtype)
    if not node.shape and node.op.family == "pointwise" and node.op is not OPS["where"]:
        return OPS["cast"](node, dtype)
    is_choice = node.op is OPS["where"]
    values = [_computed_in(dtype, x) for x in node.inputs[is_choice:]]
    return node.op.make([*node.inputs[:is_choice], *values], **node.attrs)


def conformed(value: Any, shape: Shape, dtype: np.dtype) -> Node:
    """Return a node or a weak number with this shape and dtype; the shape broadcasts to it."""
    if not isinstance(value, Node):
        return fill(value, shape, dtype)
    if value.op.name == "full" and not (value.dtype == dtype and same_shape(value.shape, shape)):
        return fill(value.attrs["value"], shape, dtype)
    if value.dtype != dtype and dtype.kind == "f" and is_of_numbers(value):
        value = _computed_in(dtype, value)
    if value.dtype != dtype:
        value = OPS["not_equal"](value, 0) if dtype == BOOL else OPS["cast"](value, dtype)
    if same_shape(value.shape, shape):
        return value
    return OPS["broadcast_to"].make([value], shape=shape)


def broadcast_fix(types: Sequence[TensorType]) -> str:
    """Return what may help where the shapes of operands do not broadcast."""
    first, *others = [x.shape for x in types]
    other = next((x for x in others if broadcast_shapes(first, x) is None), None)
    if other is None:  # each of them fits the first: it is the others that differ
        return "compare the layers' sizes"
    short, long = sorted((first, other), key=len)
    for count in range(1, len(long) - len(short) + 1):
        if short and broadcast_shapes(long, (*short, *[1] * count)) is not None:
            index = ", ".join([*[":"] * len(short), *["None"] * count])
            return f"give the shorter one {counted(count, 'axis', 'axes')} of size 1: b[{index}]"
    if len(short) == len(long) == 2 and broadcast_shapes(long, short[::-1]) is not None:
        return "transpose one of them: x.T"
    return _fix_of_dims(short, long)


def _fix_of_dims(short: Shape, long: Shape) -> str:
    """Return what may help where no axis is missing: two dims differ on one axis."""
    axis = next(
        axis
        for axis in range(1, len(short) + 1)
        if broadcast_shapes(short[-axis:], long[-axis:]) is None
    )
    return fix_of_pair(short[-axis], long[-axis], "the last axis" if axis == 1 else f"axis {-axis}")


def fix_of_pair(one: Dim, other: Dim, place: str) -> str:
    """Return what may help where two dims differ that have to agree."""
    a, b = sorted((one, other), key=lambda dim: isinstance(dim, int))
    if isinstance(a, int) and isinstance(b, int):
        return f"{min(a, b)} and {max(a, b)} differ on {place}: compare the layers' sizes"
    if isinstance(b, int):
        return f"{dim_text(a)} agrees with no number: write {b} for it, if that is its size"
    names = " and ".join(sorted(map(dim_text, (a, b))))
    return f"use one name for {names} on {place}, if they are the same size"
