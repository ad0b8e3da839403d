"""What is a scalar output as one closed SymPy expression of all inputs' elements?

This is what symbolic differentiation of a whole graph means, as against node by node: a value
that is used twice stands in the expression twice, and its derivative twice again. So the size is
counted first, and an expression that would be too large is only counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ir.symbols import sympy_module
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import OPS
from graphc.run.cells import Cells, Counts, Formulas, Written, cells_of

#: Larger expressions are not built, and not derived by many variables: SymPy takes its time.
MOST_OPERATIONS = 5000
MOST_DERIVED = 20_000
MOST_FOLDED = 100_000
MOST_ELEMENTS = 20_000
#: SymPy works by recursion.
DEEPEST = 60


@dataclass(frozen=True)
class ClosedForm:
    """A scalar as an expression, and its derivative by each symbol.

    `operations` counts those of the expression written out. Where that is too large to build or
    to derive, `why` says so, and `expression` is None or `derivatives` is empty.
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
                function = sympy.lambdify(flat, cells.ravel().tolist(), "mpmath", cse=True)
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
    free = {leaf: np.full(point[leaf].shape, Written(0, 0), object) for leaf in leaves.values()}
    count: Written = cells_of(of, free, point, sizes, Counts()).item()
    if count.operations > MOST_OPERATIONS or count.depth > DEEPEST:
        return ClosedForm(None, {}, count.operations, {}, 0, "too large to build")
    if count.folded > MOST_FOLDED:
        why = "in more cases than can be built"
        return ClosedForm(None, {}, count.operations, {}, 0, why)
    symbols = {name: _symbols(name, point[leaf].shape) for name, leaf in leaves.items()}
    given = {leaf: symbols[name] for name, leaf in leaves.items()}
    expression = cells_of(of, given, point, sizes, Formulas()).item()
    operations = size_of(expression).operations
    if operations * sum(symbols[name].size for name in wrt) > MOST_DERIVED:
        return ClosedForm(expression, symbols, operations, {}, 0, "too large to derive")
    derivatives = {name: _derived(expression, symbols[name]) for name in wrt}
    total = sum(size_of(d).operations for found in derivatives.values() for d in found.flat)
    return ClosedForm(expression, symbols, operations, derivatives, total)


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


def size_of(expression: Any) -> Written:
    """Count without writing out: each distinct part is looked at once."""
    known: dict[Any, Written] = {}
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


def _size(part: Any, sizes: Sequence[Written]) -> Written:
    if not sizes or part.is_number:
        return Written(0, 0)
    inner = sum(size.operations for size in sizes)
    return Written(_work(part) + inner, 1 + max(size.depth for size in sizes))


def _work(part: Any) -> int:
    """Return what one operation costs, by the same count as the op of its name."""
    if part.is_Pow:
        exponent = part.exp
        if exponent.is_Integer:
            power = int(exponent)
            return max(1, power - 1 if power > 0 else -power)
        return _work_of("sqrt" if exponent.is_Rational and exponent.q == 2 else "power")
    if part.is_Add or part.is_Mul:
        return len([a for a in part.args if a != -1]) - 1  # a - b is one operation
    return _work_of(part.func.__name__.lower())


def _work_of(name: str) -> int:
    op = OPS.get(name)
    return op.work if isinstance(op, Pointwise) else 1
