"""What does a graph compute when its elements are not numbers? Expressions, or counts of them.

Each array is an array of objects, its cells. Pointwise ops apply their formula to them; all other
ops go through their textbook form, down to those whose NumPy reference needs no more of its
elements than sums and products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from graphc.differentiate.symbolic import Branch, Tree, number, symbolic_algebra
from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ir.symbols import sympy_module
from graphc.ir.walk import new_nodes
from graphc.ops.formula import evaluate_formula
from graphc.ops.pointwise import Pointwise
from graphc.run.reference import apply, concrete, concrete_type

#: Objects in an array; integers and truths stay numbers.
Cells: TypeAlias = "np.ndarray"
Sizes: TypeAlias = "Mapping[str, int]"


class Meaning(Protocol):
    """What a cell is: how a number becomes one, and what a pointwise op makes of some."""

    def constant(self, value: float) -> Any: ...

    def pointwise(self, op: Pointwise, operands: Sequence[Any]) -> Any: ...


class Formulas:
    """Cells are SymPy expressions; a choice of cases is a Piecewise."""

    def constant(self, value: float) -> Any:
        if not math.isfinite(value):
            return number(value)
        return sympy_module().Rational(*value.as_integer_ratio())

    def pointwise(self, op: Pointwise, operands: Sequence[Any]) -> Any:
        exact = [_sympified(operand) for operand in operands]
        variables = dict(zip(op.args, exact, strict=True))
        return _piecewise(evaluate_formula(op.formula, variables, symbolic_algebra()))


@dataclass(frozen=True)
class Written:
    """The size of an expression that is written out: every use of a part counts."""

    operations: int
    depth: int

    def _with(self, other: Any) -> Written:
        if not isinstance(other, Written):
            return Written(self.operations + 1, self.depth + 1)
        depth = 1 + max(self.depth, other.depth)
        return Written(self.operations + other.operations + 1, depth)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _with
    __truediv__ = __rtruediv__ = _with


class Counts:
    """Cells are sizes of expressions, so that what is too large need not be built."""

    def constant(self, value: float) -> Any:
        return Written(0, 0)

    def pointwise(self, op: Pointwise, operands: Sequence[Any]) -> Any:
        sizes = [operand for operand in operands if isinstance(operand, Written)]
        inner = sum(size.operations for size in sizes)
        return Written(inner + op.work, 1 + max(size.depth for size in sizes))


def cells_of(
    root: Node,
    given: Mapping[Node, Cells],
    point: Mapping[Node, np.ndarray],
    sizes: Sizes,
    meaning: Meaning,
) -> Cells:
    """Return the cells of a node, from those given, and from numbers at the point for all others.

    **Raises.** GraphError where an op's reference needs more of its elements than arithmetic.
    """
    cells: dict[Node, Cells] = dict(given)
    for node in new_nodes(root, set(cells)):
        if node in point:
            cells[node] = _constants(point[node], meaning)
            continue
        inputs = [cells[x] for x in node.inputs]
        if all(x.dtype != object for x in inputs):
            cells[node] = _constants(apply(node, inputs, sizes), meaning)
        else:
            cells[node] = _cells(node, inputs, sizes, meaning)
    return cells[root]


def _constants(values: np.ndarray, meaning: Meaning) -> Cells:
    """Return the cells of floats; integers and truths stay as they are."""
    if values.dtype.kind != "f":
        return values
    return _each(lambda value: meaning.constant(float(value)), [values])


def _each(function: Callable[..., Any], arrays: Sequence[np.ndarray]) -> Cells:
    """Return a function of scalars applied to the elements of arrays of one shape."""
    result = np.empty(arrays[0].shape, object)
    for index in np.ndindex(result.shape):
        result[index] = function(*[array[index] for array in arrays])
    return result


def _cells(node: Node, inputs: Sequence[Cells], sizes: Sizes, meaning: Meaning) -> Cells:
    op = node.op
    if isinstance(op, Pointwise):
        if op.is_identity:
            return inputs[0]
        return _each(lambda *operands: meaning.pointwise(op, operands), inputs)
    root = op.textbook(node)
    if root is not None and root is not node:
        return cells_of(root, dict(zip(node.inputs, inputs, strict=True)), {}, sizes, meaning)
    attrs = {name: concrete(value, sizes, node) for name, value in node.attrs.items()}
    result = concrete_type(node.type, sizes, node).with_dtype(np.dtype(object))
    try:
        value = np.asarray(op.reference(inputs, attrs, result), object)
    except (TypeError, AttributeError, ValueError):
        raise GraphError(f"{op.name} has no closed form", got=repr(node)) from None
    return value.reshape([int(dim) for dim in result.shape])


def _sympified(value: Any) -> Any:
    """Return an integer or a truth of NumPy's as SymPy's."""
    return sympy_module().sympify(value.item() if isinstance(value, np.generic) else value)


def _piecewise(tree: Tree) -> Any:
    if not isinstance(tree, Branch):
        return tree
    then, otherwise = _piecewise(tree.then), _piecewise(tree.otherwise)
    return sympy_module().Piecewise((then, tree.condition), (otherwise, True))
