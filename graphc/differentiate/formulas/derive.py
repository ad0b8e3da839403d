"""The derivative of an op in numbered steps, each with its rule, each confirmed first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.differentiate.formulas.last_lines import ending_in, lines_of_cases, lines_to_form
from graphc.differentiate.formulas.latex import formula_latex, rule_latex
from graphc.differentiate.formulas.local import partial
from graphc.differentiate.formulas.rules_of_calculus import (
    Line,
    differentiation_lines,
    fraction_lines,
)
from graphc.differentiate.formulas.symbolic import (
    Branch,
    Expression,
    Tree,
    derivative,
    symbol,
    symbolic_algebra,
    tree_of,
)
from graphc.errors import GraphError
from graphc.ir.latex_names import name_latex
from graphc.ir.symbols import sympy_module
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.pointwise import OUTPUT, Pointwise
from graphc.ops.registry import get_op

_POINTS = 5
#: Formulas that are longer have their largest repeated part named.
_LONGEST = 80
_PART = "s"


@dataclass(frozen=True)
class Step:
    """One line: the rule that leads to it, its formula, and who confirmed that it is equal."""

    rule: str
    formula: str
    confirmed_by: str


@dataclass(frozen=True)
class Derivation:
    """The derivation of dy/d`by` for y = `formula`; its last line is the form that is used."""

    op: str
    formula: str
    by: str
    steps: tuple[Step, ...]
    #: `d`, or `∂` where y depends on other arguments too.
    sign: str = "d"

    @property
    def result(self) -> str:
        return self.steps[-1].formula

    def __str__(self) -> str:
        width = max(len(step.rule) for step in self.steps)
        left = f"{self.sign}y/{self.sign}{self.by}"
        pending = f"{self.sign}/{self.sign}{self.by}"
        part, shown = self._shortened()
        number = len(f"({len(shown)})")
        rows = [
            f"{f'({i})':<{number}} {step.rule:<{width}}  {left if i == 1 else '':>{len(left)}}"
            f" = {with_pending(formula, pending)}"
            for i, (step, formula) in enumerate(zip(self.steps, shown, strict=True), 1)
        ]
        named = [f"with {_PART} = {part}"] if part else []
        return "\n".join([f"{self.op}: y = {self.formula}", *named, *rows])

    def _shortened(self) -> tuple[str, list[str]]:
        """Return the formulas of the steps; a part that makes them long is named, and first."""
        formulas = [step.formula for step in self.steps]
        longest = max(formulas, key=len)
        if len(longest) <= _LONGEST or re.search(rf"\b{_PART}\b", longest):
            return "", formulas
        repeated = [part for part in _operands_of_calls(longest) if longest.count(f"({part})") > 1]
        part = max(repeated, key=len, default="")
        if len(part) <= len(_PART):
            return "", formulas
        return part, [formula.replace(f"({part})", f"({_PART})") for formula in formulas]

    __repr__ = __str__

    def format(self, format: str = "text") -> str:
        """Return the derivation as "text" or "latex"."""
        if format not in ("text", "latex"):
            raise GraphError("unknown format", got=format, expected="text, latex")
        return str(self) if format == "text" else self._repr_latex_()

    def _repr_latex_(self) -> str:
        by = name_latex(self.by)
        sign = r"\partial " if self.sign == "∂" else "d"
        rows = [rf"y &= {formula_latex(self.formula)}"]
        part, shown = self._shortened()
        if part:
            rows.append(rf"{_PART} &= {formula_latex(part)}")
        for i, (step, text) in enumerate(zip(self.steps, shown, strict=True)):
            left = "" if i else rf"\frac{{{sign}y}}{{{sign}{by}}}"
            formula = formula_latex(text, rf"\frac{{{sign}}}{{{sign}{by}}}")
            rows.append(rf"{left} &= {formula} && {rule_latex(step.rule)}")
        body = " \\\\\n".join(rows)
        return f"$$\\begin{{aligned}}\n{body}\n\\end{{aligned}}$$"


def derive(name: str, by: str | None = None) -> Derivation:
    """Return the derivation of an op's derivative; `by` names the argument.

    Unless said, that is the first one by which a derivative flows.

    >>> derive("tanh").result
    '1 - y**2'

    Raises:
        GraphError: for an unknown op, an op that is not pointwise, or an unknown argument.
    """
    op = get_op(name)
    if not isinstance(op, Pointwise):
        raise GraphError(
            f"{name} has no formula to derive",
            expected="a pointwise op, such as sigmoid",
            fix='gc.derive(graph, "name") derives through any node of a graph',
        )
    if op.cuts:
        raise GraphError(
            f"no derivative flows through {name}",
            got=f"y = {op.formula}, whose derivative counts as 0",
            expected="a smooth pointwise op",
        )
    if by is not None and by not in op.args:
        raise GraphError(f"{name} has no argument {by!r}", expected=", ".join(op.args))
    if by is None:
        return derivation_of(op, _first_number(op))
    return derivation_of(op, op.args.index(by))


def derivation_of(op: Pointwise, index: int) -> Derivation:
    """Return the derivation of an op's derivative by its argument at `index`."""
    return _confirmed(op, index, _lines(op, index))


def _first_number(op: Pointwise) -> int:
    """Return the index of the first argument that is no condition."""
    variables = {name: symbol(name) for name in op.args}
    tree = tree_of(op.formula, variables)
    return int(isinstance(tree, Branch) and tree.condition == variables[op.args[0]])


def _lines(op: Pointwise, index: int) -> list[Line]:
    """Return the lines from dy/dx = D(f) to the form that the compiler uses."""
    variables: dict[str, Expression] = {name: symbol(name) for name in op.args}
    by = variables[op.args[index]]
    tree, final = tree_of(op.formula, variables), partial(op, index).tree
    derived = derivative(tree, by)
    if isinstance(tree, Branch):
        call = f"{op.name}({', '.join(op.args)})"
        definition = ("definition of y", f"D({op.formula})")
        return ending_in([definition], lines_of_cases(call, tree, derived, final))
    lines, reached = differentiation_lines(tree, by)
    more, reached = fraction_lines(reached)
    return ending_in([*lines, *more], lines_to_form(op.formula, tree, derived, reached, final))


class _WithDerivatives(dict[str, Any]):  # SymPy's algebra and D, the derivative
    def __init__(self, by: Expression) -> None:
        super().__init__(D=lambda tree: derivative(tree, by))

    def __missing__(self, name: str) -> object:
        return symbolic_algebra()[name]

    def get(self, name: str, default: object = None) -> object:
        return self[name]


class _Symbols(dict[str, Any]):  # every name but π is a real symbol
    def __contains__(self, name: object) -> bool:
        return name != "pi"

    def __missing__(self, name: str) -> Expression:
        return symbol(name)


def _parsed(formula: str, by: Expression) -> Tree:
    return evaluate_formula(formula, _Symbols(), _WithDerivatives(by))


# -- confirming ----------------------------------------------------------------------------------


def _confirmed(op: Pointwise, index: int, lines: list[Line]) -> Derivation:
    """Return the derivation once every line, read back from its text, equals the derivative."""
    by = symbol(op.args[index])
    output = tree_of(op.formula, {name: symbol(name) for name in op.args})
    truth = derivative(output, by)
    steps = []
    for rule, formula in lines:
        how = _how_equal(op, _parsed(formula, by), truth, output)
        if how is None:
            raise GraphError(f"a step of the derivation of {op.name} is wrong", got=formula)
        steps.append(Step(rule, formula, how))
    sign = "∂" if op.arity > 1 else "d"
    return Derivation(op.name, op.formula, op.args[index], tuple(steps), sign)


def _how_equal(op: Pointwise, shown: Tree, truth: Tree, output: Tree) -> str | None:
    """Return "SymPy" or "numbers", whoever confirms that two trees are equal; None if neither."""
    if not (isinstance(shown, Branch) or isinstance(truth, Branch) or isinstance(output, Branch)):
        sympy = sympy_module()
        difference = shown.xreplace({symbol(OUTPUT): output}) - truth
        if sympy.cancel(sympy.powsimp(sympy.expand(difference))) == 0:
            return "SymPy"
    return "numbers" if _equal_at_random_points(op, shown, truth, output) else None


def _equal_at_random_points(op: Pointwise, shown: Tree, truth: Tree, output: Tree) -> bool:
    rng = np.random.default_rng(0)
    for turn in range(_POINTS):
        place: dict[Expression, Expression] = {
            symbol(name): sympy_module().Float(rng.uniform(low, high))
            for name, (low, high) in zip(op.args, op.domain, strict=True)
        }
        if isinstance(output, Branch) and output.condition in place:  # an argument that is a bool
            place[output.condition] = sympy_module().Integer(turn % 2)
        place[symbol(OUTPUT)] = _value(output, place)
        if abs(_value(shown, place) - _value(truth, place)) > 1e-9:
            return False
    return True


def _value(tree: Tree, place: Mapping[Expression, Expression]) -> float:
    while isinstance(tree, Branch):
        tree = tree.then if bool(tree.condition.subs(place)) else tree.otherwise
    truth = sympy_module().true
    value = tree.subs(place)
    return float(value == truth) if value.is_Boolean else float(value)


def _operands_of_calls(formula: str) -> list[str]:
    """Return what stands in the parentheses of functions: `x + 1` of `2*tanh(x + 1)`."""
    found = []
    for call in re.finditer(r"[A-Za-z]\w*\(", formula):
        depth, end = 1, call.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(formula[end], 0)
            end += 1
        found.append(formula[call.end() : end - 1])
    return found


def with_pending(formula: str, sign: str) -> str:
    """Return a formula with `D(u)` as readers write it: `d/dx[u]`, where `sign` is `d/dx`."""
    parts, depth, closers = [], 0, []
    position = 0
    while position < len(formula):
        character = formula[position]
        if formula.startswith("D(", position) and not formula[position - 1 : position].isalnum():
            parts.append(f"{sign}[")
            closers.append(depth)
            depth, position = depth + 1, position + 2
            continue
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == ")" and closers and closers[-1] == depth:
            closers.pop()
            character = "]"
        parts.append(character)
        position += 1
    return "".join(parts)
