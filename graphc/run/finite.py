"""Find the first node whose value is not finite although its operands' values are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ir.types import TupleType
from graphc.ops.elementwise.pointwise import Pointwise

#: A longer formula of an operand without a name gives way to the name of its op.
_LONGEST = 24


def check_node(node: Node, values: Mapping[Node, np.ndarray], labels: Mapping[Node, str]) -> None:
    """Raise a GraphError where `node` makes the first NaN, or infinity out of finite operands.

    Constants are exempt: a mask's -inf is written on purpose, as is the edge around a max pool's
    image, and so is what carries it on. So is a loop, which makes nothing that its body has not
    made.
    """
    value = values[node]
    if isinstance(node.type, TupleType):
        return
    if value.dtype.kind not in "fc" or (not node.inputs and not node.op.is_leaf):
        return
    if np.isfinite(value).all():
        return
    arrays = [array for operand in node.inputs for array in _arrays(values[operand])]
    operands = [array for array in arrays if array.dtype.kind in "fc"]
    nan = bool(np.isnan(value).any())
    if not nan and any(isinstance(x, float) and np.isinf(x) for x in node.attrs.values()):
        return
    bad = np.isnan if nan else _not_finite
    if any(bad(operand).any() for operand in operands):
        return
    raise _found(node, values, labels, "NaN" if nan else "infinity")


def _arrays(value: np.ndarray | tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Return all arrays of a value: those of a loop are the results that its items take."""
    return value if isinstance(value, tuple) else (value,)


def _not_finite(array: np.ndarray) -> np.ndarray:
    return ~np.isfinite(array)


def _found(
    node: Node, values: Mapping[Node, np.ndarray], labels: Mapping[Node, str], what: str
) -> GraphError:
    value = values[node]
    spoilt = np.isnan(value) if what == "NaN" else np.isinf(value)
    first = tuple(int(i) for i in np.argwhere(spoilt)[0])
    at = f"[{', '.join(map(str, first))}]" if first else ""
    count = f"{int(spoilt.sum())} of {value.size} values, the first at {at}" if first else what
    label = labels.get(node) or node.name
    if node.op.is_leaf:
        kind = "parameter" if "trainable" in node.attrs else "input"
        return GraphError(f"{kind} {node.attrs['name']!r} holds {what}", got=count)
    shown = [_shown(operand, labels) for operand in node.inputs]
    formula = node.op.label(node, [f"({s})" if " " in s else s for s in shown])
    name = f"{label} = {formula}" if label else formula
    operands = ", ".join(
        f"{text} = {_read(node, values[i], first)}"
        for i, text in zip(node.inputs, shown, strict=True)
    )
    return node.provenance.error(
        f"the first {what} appears in {name}",
        got=f"{count}; there {operands}" if operands and len(operands) < 200 else count,
    )


def _shown(node: Node, labels: Mapping[Node, str]) -> str:
    """Return an operand's name; the formula of one without, where it is short."""
    node, *operands = [_source(x, labels) for x in (node, *_source(node, labels).inputs)]
    names = [labels.get(x) or x.name or x.op.name for x in operands]
    formula = node.op.label(node, names)
    named = labels.get(node) or node.name
    return named or (formula if len(formula) <= _LONGEST else node.op.name)


def _source(node: Node, labels: Mapping[Node, str]) -> Node:
    """Return what a node without a name only looks at in another shape."""
    while node.op.is_view and len(node.inputs) == 1 and not (labels.get(node) or node.name):
        node = node.inputs[0]
    return node


def _read(node: Node, array: np.ndarray, index: tuple[int, ...]) -> str:
    """Return what an element of the result is made from: an element where the op takes one by one.

    Of an array that is read in other places, the type and the range say more than any one element.
    """
    if isinstance(node.op, Pointwise) and array.ndim == len(index):
        return _number(array[index])
    shown = f"{array.dtype.name}{list(array.shape)}"
    if array.dtype.kind != "f" or not array.size:
        return shown
    return f"{shown} from {_number(array.min())} to {_number(array.max())}"


def _number(element: np.generic) -> str:
    return f"{element:.6g}" if element.dtype.kind == "f" else str(element)
