"""What does a graph compute when its elements are not numbers? Expressions, or counts of them.

Each array is an array of objects, its cells. Pointwise ops apply their formula to them; all other
ops go through their textbook form, down to those whose NumPy reference needs no more of its
elements than sums and products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from typing import Any, Protocol, TypeAlias

import numpy as np

from graphc.differentiate.formulas.symbolic import Branch, Tree, number, symbolic_algebra
from graphc.errors import GraphError
from graphc.ir.body import Body, bodies
from graphc.ir.node import Node
from graphc.ir.symbols import sympy_module
from graphc.ir.types import TensorType, TupleType
from graphc.ir.walk import new_nodes
from graphc.ops.elementwise.formula import evaluate_formula, names_in, names_tested
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.run.reference import apply, concrete, concrete_type

#: Objects in an array; integers and truths stay numbers.
Cells: TypeAlias = "np.ndarray"
Sizes: TypeAlias = "Mapping[str, int]"

#: From here on, nobody asks how many operations, and how many choices.
_MANY, _MOST_CHOICES = 10**9, 64


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
    """The size of an expression that is written out: every use of a part counts.

    `choices` has a bit for each choice between cases in it. SymPy writes a condition that depends
    on some once for each case, with all that it decides: that takes `folded` operations more.
    """

    operations: int
    depth: int
    choices: int = 0
    folded: int = 0

    def _with(self, other: Any) -> Written:
        if not isinstance(other, Written):
            return Written(self.operations + 1, self.depth + 1, self.choices, self.folded)
        return Written(
            self.operations + other.operations + 1,
            1 + max(self.depth, other.depth),
            self.choices | other.choices,
            min(self.folded + other.folded, _MANY),
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _with
    __truediv__ = __rtruediv__ = _with


class Counts:
    """Cells are sizes of expressions, so that what is too large need not be built."""

    def __init__(self) -> None:
        self._choices = 0

    def constant(self, value: float) -> Any:
        return Written(0, 0)

    def pointwise(self, op: Pointwise, operands: Sequence[Any]) -> Any:
        names, tested = names_in(op.formula), names_tested(op.formula)
        sizes = [
            (name, operand, max(1, names.count(name)))
            for name, operand in zip(op.args, operands, strict=True)
            if isinstance(operand, Written)
        ]
        operations = op.work + sum(size.operations * uses for _, size, uses in sizes)
        folded = sum(size.folded * uses for _, size, uses in sizes)
        choices = reduce(or_, [size.choices for _, size, _ in sizes], 0)
        decided = reduce(or_, [size.choices for name, size, _ in sizes if name in tested], 0)
        if decided:
            folded += (operations + folded) << min(decided.bit_count(), _MOST_CHOICES)
        if tested and self._choices < _MOST_CHOICES:
            self._choices += 1
        if tested:
            choices |= 1 << self._choices
        depth = 1 + max((size.depth for _, size, _ in sizes), default=0)
        return Written(operations, depth, choices, min(folded, _MANY))


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
    _add_cells(new_nodes(root, set(cells)), cells, point, sizes, meaning)
    return cells[root]


def _add_cells(
    nodes: Sequence[Node],
    cells: dict[Node, Cells],
    point: Mapping[Node, np.ndarray],
    sizes: Sizes,
    meaning: Meaning,
) -> None:
    """Add the cells of nodes, operands first."""
    for node in nodes:
        if node in point:
            cells[node] = _constants(point[node], meaning)
            continue
        inputs = [cells[x] for x in node.inputs]
        if bodies(node.attrs) or not all(map(_is_of_numbers, inputs)):
            cells[node] = _cells(node, inputs, sizes, meaning)
        else:
            cells[node] = _constants(apply(node, inputs, sizes), meaning)


def _is_of_numbers(value: Cells | tuple[Cells, ...]) -> bool:
    """Say whether no cell is an expression; what a loop gives may be both."""
    return not isinstance(value, tuple) and value.dtype != object


def _body_cells(body: Body, sizes: Sizes, meaning: Meaning, arrays: Sequence[Any]) -> list[Cells]:
    """Return the cells of the results of one step of a loop."""
    cells = {x: np.asarray(a) for x, a in zip(body.inputs, arrays, strict=True)}
    _add_cells([x for x in body.graph.nodes if x not in cells], cells, {}, sizes, meaning)
    return [cells[result] for result in body.results]


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
            is_truth = node.inputs[0].dtype.kind == "b" and node.dtype.kind != "b"
            return _each(partial(_truth_as_number, meaning), inputs) if is_truth else inputs[0]
        return _each(lambda *operands: meaning.pointwise(op, operands), inputs)
    root = op.textbook(node)
    if root is not None and root is not node:
        return cells_of(root, dict(zip(node.inputs, inputs, strict=True)), {}, sizes, meaning)
    attrs: dict[str, Any] = {
        name: partial(_body_cells, value, sizes, meaning)
        if isinstance(value, Body)
        else concrete(value, sizes, node)
        for name, value in node.attrs.items()
    }
    result = _of_objects(concrete_type(node.type, sizes, node))
    try:
        value = op.reference(inputs, attrs, result)
    except (TypeError, AttributeError, ValueError, SystemError):  # so says NumPy's argmax
        raise GraphError(f"{op.name} has no closed form", got=repr(node)) from None
    if isinstance(result, TupleType):
        return value
    return np.asarray(value, result.dtype).reshape([int(dim) for dim in result.shape])


def _of_objects(type_: TensorType) -> TensorType:
    """Return the type of the cells; the integers and truths that a loop gives stay numbers."""
    if not isinstance(type_, TupleType):
        return type_.with_dtype(np.dtype(object))
    is_number = [item.dtype.kind != "f" for item in type_.items]
    items = [
        i if number else _of_objects(i) for i, number in zip(type_.items, is_number, strict=True)
    ]
    return TupleType(tuple(items))


def _truth_as_number(meaning: Meaning, truth: Any) -> Any:
    """Return 1 where a condition holds, else 0: SymPy's do not add up as truths do."""
    if isinstance(truth, Written):
        return truth
    one, zero = meaning.constant(1.0), meaning.constant(0.0)
    if isinstance(truth, (bool, np.bool_)):
        return one if truth else zero
    return _piecewise(Branch(truth, one, zero))


def _sympified(value: Any) -> Any:
    """Return an integer or a truth of NumPy's as SymPy's."""
    return sympy_module().sympify(value.item() if isinstance(value, np.generic) else value)


def _piecewise(tree: Tree) -> Any:
    if not isinstance(tree, Branch):
        return tree
    then, otherwise = _piecewise(tree.then), _piecewise(tree.otherwise)
    condition = tree.condition.replace(_turns, lambda c: c.func(c.lhs - c.rhs, 0))
    return sympy_module().Piecewise((then, condition), (otherwise, True))


def _turns(part: Any) -> bool:
    """Say whether SymPy turns a comparison round and round: 0.7*r > -0.3*r for r = y - x.

    Piecewise brings its conditions into canonical form until nothing changes. It has one for a
    comparison with zero.
    """
    return bool(part.is_Relational and part.canonical.canonical != part.canonical)
