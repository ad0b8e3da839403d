"""Fold constants: what depends on no input is computed now, if the result is small.

Never before stabilization, which must see exponentials as they stand; never a random draw; never
a result that overflows, divides by zero or fails: that has to happen where the user can see it.
"""

from __future__ import annotations

import numpy as np

from graphc.ir.body import bodies
from graphc.ir.dims import product
from graphc.ir.node import Node
from graphc.ir.types import TensorType
from graphc.ops.leaf import constant, fill, full
from graphc.ops.movement.rearranging import broadcast_to
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import Rule

#: Largest number of elements of a constant that is written into a graph; and of one that only
#: shows a range in a new shape, which costs nothing and tells more: `np.arange(32)[:, None]`.
#: An identity always tells more.
SMALL = 256
SMALL_VIEW = 16

_CONSTANTS = ("full", "constant", "arange", "eye")


def _fold(node: Node, facts: Facts) -> Node | None:
    if node.op.is_leaf or node.op.is_random or not node.inputs or bodies(node.attrs):
        return None
    if node.op.family == "pointwise" and all(map(_is_number_fill, node.inputs)):
        return _fold_numbers(node)
    if any(x.op.name not in _CONSTANTS for x in node.inputs):
        return None
    sizes = [product(x.shape) for x in (node, *node.inputs)]
    if any(type(size) is not int or not 0 < size <= SMALL for size in sizes):
        return None  # an array without elements may have a named dim all the same
    first = node.inputs[0].op.name
    is_told = first == "eye" or (first == "arange" and SMALL_VIEW < sizes[0] == sizes[1])
    if node.op.is_view and is_told:
        return None
    if any(x.op is full and not _is_number_fill(x) for x in node.inputs):
        return None
    value = _value(node, [x.op.reference([], x.attrs, x.type) for x in node.inputs], node.type)
    if node.op is broadcast_to and node.dtype.kind == "b" and value is not None:
        return value if value.op is full else None  # a mask is copied where it is read
    return value


def _is_number_fill(node: Node) -> bool:
    return node.op is full and isinstance(node.attrs["value"], (bool, int, float))


def _fold_numbers(node: Node) -> Node | None:
    """Fold one place of uniform arrays, whatever their shape."""
    place = [np.full((), x.attrs["value"], x.dtype) for x in node.inputs]
    folded = _value(node, place, node.type.with_shape(()))
    return None if folded is None else fill(folded.attrs["value"], node.shape, node.dtype)


def _value(node: Node, operands: list[np.ndarray], result: TensorType) -> Node | None:
    with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
        try:
            value = node.op.reference(operands, node.attrs, result)
        except (ArithmeticError, ValueError, IndexError, NotImplementedError):
            return None
    is_moved = node.op.family == "movement"  # its infinities are those that somebody wrote
    if value.dtype.kind == "f" and not is_moved and not np.isfinite(value).all():
        return None
    if value.size and (value == value.flat[0]).all() and not np.signbit(value[value == 0]).any():
        return fill(value.flat[0].item(), result.shape, value.dtype)
    return constant(value) if value.ndim and value.size else None


FOLD = (
    Rule(
        "fold_constant",
        "f(constants)",
        "its value",
        "what no input changes is computed once",
        apply=_fold,
        family="*",
        operands=_CONSTANTS,
        all_operands=True,
        example="x: input(f64, 3)\ny = x*exp(full((3,), 0.5, dtype=f64))",
    ),
)
