"""A scalar output as one closed SymPy expression of all inputs' elements, and its derivatives.

This is what symbolic differentiation of a whole graph means, as against node by node: a value
that is used twice stands in the expression twice, and its derivative twice again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from graphc.differentiate.symbolic import Branch, Tree, number, symbolic_algebra
from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.symbols import sympy_module
from graphc.ir.walk import topological
from graphc.ops.composite import LogSoftmax, LogSumExp, Softmax
from graphc.ops.formula import evaluate_formula
from graphc.ops.leaf import Leaf
from graphc.ops.pointwise import Cast, Pointwise
from graphc.ops.registry import OPS
from graphc.run.reference import apply

#: Larger expressions are not derived, only counted: that is the point of counting them.
MOST_OPERATIONS = 5000
MOST_ELEMENTS = 20_000
#: SymPy derives by recursion.
DEEPEST = 60

#: SymPy expressions in an array, or the numbers of an integer or bool.
Cells = np.ndarray


@dataclass(frozen=True)
class ClosedForm:
    """A scalar as an expression, and its derivative by each symbol.

    `operations` counts those of the expression written out; `derivatives` is empty where it is
    too large to derive, which `why` then says.
    """

    expression: Any
    symbols: Mapping[str, np.ndarray]
    operations: int
    derivatives: Mapping[str, np.ndarray]
    derivative_operations: int
    why: str = ""

    def at(self, point: Mapping[str, np.ndarray], digits: int = 30) -> dict[str, np.ndarray]:
        """Return the derivatives' values at a point, computed with so many digits."""
        sympy = sympy_module()
        mpmath = sympy.external.import_module("mpmath")
        flat = [s for cells in self.symbols.values() for s in cells.ravel()]
        numbers = [v for name in self.symbols for v in np.ravel(point[name]).tolist()]
        found = {}
        with mpmath.workdps(digits):
            exact = [mpmath.mpf(v) for v in numbers]
            for name, cells in self.derivatives.items():
                function = sympy.lambdify(flat, cells.ravel().tolist(), "mpmath")
                values = np.array([float(v) for v in function(*exact)])
                found[name] = values.reshape(cells.shape)
        return found


def closed_form(
    of: Node,
    wrt: Sequence[str],
    point: Mapping[Node, np.ndarray],
    sizes: Mapping[str, int],
) -> ClosedForm:
    """Return a scalar as one expression of all float leaves, and its derivatives by some of them.

    Integers, truths and random draws have their value at the point.

    **Raises.** GraphError where an op has no closed form, or where the arrays are too large.
    """
    leaves = {n.attrs["name"]: n for n in point if n.op.is_leaf and n.dtype.kind == "f"}
    if sum(point[leaf].size for leaf in leaves.values()) > MOST_ELEMENTS:
        raise GraphError("the arrays are too large for one formula")
    symbols = {name: _symbols(name, point[leaf].shape) for name, leaf in leaves.items()}
    cells = {leaf: symbols[name] for name, leaf in leaves.items()}
    expression = _evaluated(of, cells, point, sizes)[()]
    size = size_of(expression)
    if size.operations > MOST_OPERATIONS or size.depth > DEEPEST:
        return ClosedForm(expression, symbols, size.operations, {}, 0, "too large to derive")
    derivatives = {name: _derived(expression, symbols[name]) for name in wrt}
    total = sum(size_of(d).operations for found in derivatives.values() for d in found.flat)
    return ClosedForm(expression, symbols, size.operations, derivatives, total)


def _symbols(name: str, shape: tuple[int, ...]) -> Cells:
    sympy = sympy_module()
    cells = np.empty(shape, object)
    for index in np.ndindex(shape):
        places = ",".join(map(str, index))
        cells[index] = sympy.Symbol(f"{name}[{places}]" if index else name, real=True)
    return cells


def _derived(expression: Any, symbols: Cells) -> Cells:
    derivatives = np.empty(symbols.shape, object)
    for index in np.ndindex(symbols.shape):
        derivatives[index] = sympy_module().diff(expression, symbols[index])
    return derivatives


# -- the size of an expression ---------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """Of an expression that is written out: every use of a part counts."""

    operations: int
    depth: int


def size_of(expression: Any) -> Size:
    """Count without writing out: each distinct part is looked at once."""
    known: dict[Any, Size] = {}
    stack = [expression]
    while stack:
        part = stack[-1]
        missing = [a for a in part.args if a not in known]
        if part in known or not missing:
            stack.pop()
            if part not in known:
                known[part] = _size(part, [known[a] for a in part.args])
        else:
            stack += missing
    return known[expression]


def _size(part: Any, sizes: Sequence[Size]) -> Size:
    if not sizes or part.is_number:
        return Size(0, 0)
    inner = sum(size.operations for size in sizes)
    return Size(_work(part) + inner, 1 + max(size.depth for size in sizes))


def _work(part: Any) -> int:
    """Return what one operation costs, by the same count as the op of its name."""
    if part.is_Pow:
        exponent = part.exp
        if exponent.is_Integer:
            power = int(exponent)
            return max(1, power - 1 if power > 0 else -power)
        return _work_of("sqrt" if exponent.is_Rational and exponent.q == 2 else "power")
    if part.is_Add or part.is_Mul:
        return len(part.args) - 1
    return _work_of(part.func.__name__.lower())


def _work_of(name: str) -> int:
    op = OPS.get(name)
    return op.work if isinstance(op, Pointwise) else 1


# -- from nodes to cells ---------------------------------------------------------------------


def _evaluated(
    root: Node, cells: dict[Node, Cells], point: Mapping[Node, np.ndarray], sizes: Mapping[str, int]
) -> Cells:
    """Return the cells of a node, from those given and from values at the point."""
    for node in topological([root]):
        if node in cells:
            continue
        if node in point:
            cells[node] = _exact(point[node])
            continue
        if isinstance(node.size, int) and node.size > MOST_ELEMENTS:
            raise GraphError(f"too large for a closed form: {node!r}")
        inputs = [cells[x] for x in node.inputs]
        if all(x.dtype != object for x in inputs):
            cells[node] = _exact(apply(node, inputs, sizes))
        else:
            cells[node] = _cells(node.op, node, inputs, sizes)
    return cells[root]


def _exact(values: np.ndarray) -> Cells:
    """Return floats as the fractions that they are; integers and truths as they are."""
    if values.dtype.kind != "f":
        return values
    sympy = sympy_module()
    cells = np.empty(values.shape, object)
    for index in np.ndindex(values.shape):
        value = float(values[index])
        exact = sympy.Rational(*value.as_integer_ratio()) if math.isfinite(value) else None
        cells[index] = number(value) if exact is None else exact
    return cells


@singledispatch
def _cells(op: Op, node: Node, inputs: Sequence[Cells], sizes: Mapping[str, int]) -> Cells:
    """Return what an op makes of cells: its reference, which NumPy runs on objects as well."""
    expand = getattr(op, "expand", None)
    root = expand(node) if expand else op.lower(node)
    if root is not None and root is not node:
        known = dict(zip(node.inputs, inputs, strict=True))
        return _evaluated(root, known, {}, sizes)
    attrs = {k: _with_sizes(v, sizes) for k, v in node.attrs.items()}
    shape = tuple([int(_with_sizes(d, sizes)) for d in node.shape])
    result = node.type.with_shape(shape).with_dtype(np.dtype(object))
    try:
        value = np.asarray(op.reference(inputs, attrs, result), object)
    except (TypeError, AttributeError, ValueError):
        raise GraphError(f"{op.name} has no closed form", got=repr(node)) from None
    return value.reshape(shape)


def _with_sizes(value: Any, sizes: Mapping[str, int]) -> Any:
    if isinstance(value, tuple):
        return tuple([_with_sizes(v, sizes) for v in value])
    if hasattr(value, "free_symbols"):
        return int(value.subs({s: sizes[s.name] for s in value.free_symbols}))
    return value


@_cells.register
def _(op: Pointwise, node: Node, inputs: Sequence[Cells], sizes: Mapping[str, int]) -> Cells:
    algebra = symbolic_algebra()

    def one(*operands: Any) -> Any:
        variables = {
            name: _symbolic(operand) for name, operand in zip(op.args, operands, strict=True)
        }
        return _piecewise(evaluate_formula(op.formula, variables, algebra))

    return _each(one, inputs)


@_cells.register
def _(op: Cast, node: Node, inputs: Sequence[Cells], sizes: Mapping[str, int]) -> Cells:
    return inputs[0]


@_cells.register
def _(op: Leaf, node: Node, inputs: Sequence[Cells], sizes: Mapping[str, int]) -> Cells:
    return _exact(apply(node, [], sizes))


@_cells.register(Softmax)
@_cells.register(LogSoftmax)
@_cells.register(LogSumExp)
def _of_exponentials(
    op: Op, node: Node, inputs: Sequence[Cells], sizes: Mapping[str, int]
) -> Cells:
    """Return the textbook form: exact arithmetic needs no shift by the maximum."""
    sympy = sympy_module()
    (x,), axis = inputs, node.attrs["axis"]
    exponentials = _each(sympy.exp, [x])
    total = np.asarray(exponentials.sum(axis=axis, keepdims=True), object)
    if isinstance(op, LogSumExp):
        logarithm = _each(sympy.log, [total])
        return logarithm if node.attrs["keepdims"] else logarithm.squeeze(axis)
    if isinstance(op, Softmax):
        return np.asarray(exponentials / total, object)
    return np.asarray(x - _each(sympy.log, [total]), object)


def _each(function: Callable[..., Any], arrays: Sequence[Cells]) -> Cells:
    """Return a function of scalars applied to the elements of arrays of one shape."""
    result = np.empty(arrays[0].shape, object)
    for index in np.ndindex(result.shape):
        result[index] = function(*[array[index] for array in arrays])
    return result


def _symbolic(value: Any) -> Any:
    """Return an integer or a truth of NumPy's as SymPy's."""
    return sympy_module().sympify(value.item() if isinstance(value, np.generic) else value)


def _piecewise(tree: Tree) -> Any:
    if not isinstance(tree, Branch):
        return tree
    otherwise = _piecewise(tree.otherwise)
    sympy = sympy_module()
    return sympy.Piecewise((_piecewise(tree.then), tree.condition), (otherwise, True))
