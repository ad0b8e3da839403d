"""Rows of formulas are identities: SymPy confirms them, mpmath judges extreme points."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import mpmath
import numpy as np
import pytest
import sympy

from graphc.build.namespace import FUNCTIONS
from graphc.ir.text.parser import parse
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import OPS
from graphc.rewrite.engine.examples import example_text
from graphc.rewrite.engine.rule import Rule
from graphc.rewrite.pipeline import ALL_RULES, optimize, stabilize_forward
from graphc.rewrite.stabilize.stable_formulas import STABLE_FORMULAS
from graphc.run.reference import interpret

FORMULAS = [rule for rule in ALL_RULES if rule.apply is None]


# -- SymPy -------------------------------------------------------------------------------------


class Symbolic(dict):  # formulas over SymPy expressions
    """Every op by its own formula, down to SymPy's functions."""

    primitives: ClassVar[dict[str, Callable[..., Any]]] = {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": lambda a, b: a / b,
        "power": lambda a, b: a**b,
        "negative": lambda a: -a,
        "where": lambda m, a, b: sympy.Piecewise((a, m), (b, True)),
        "logical_not": sympy.Not,
        "logical_and": sympy.And,
        "logical_or": sympy.Or,
        "equal": sympy.Eq,
        "abs": sympy.Abs,
        "greater": lambda a, b: a > b,
        "less": lambda a, b: a < b,
        "greater_equal": lambda a, b: a >= b,
        "less_equal": lambda a, b: a <= b,
        "maximum": lambda a, b: (a + b + sympy.Abs(a - b)) / 2,
        "minimum": lambda a, b: (a + b - sympy.Abs(a - b)) / 2,
        "number": lambda value: number(value),
    }

    def __missing__(self, name: str) -> Callable[..., Any]:
        if name in self.primitives:
            return self.primitives[name]
        op = OPS[name]
        assert isinstance(op, Pointwise)
        known = getattr(sympy, name, None)
        if known is not None and op.formula.startswith(f"{name}("):
            return known  # a SymPy function
        return lambda *args: evaluate_formula(
            op.formula, dict(zip(op.args, args, strict=True)), self
        )

    def get(self, name: str, default: Any = None) -> Any:
        return self[name]


def number(value: float | bool) -> Any:
    """Return the exact number that a constant of a formula stands for."""
    if isinstance(value, bool):
        return sympy.sympify(value)
    known = {math.log(2): sympy.log(2), 1 / math.log(2): 1 / sympy.log(2)}
    known[1 / math.log(10)] = 1 / sympy.log(10)
    known |= {
        math.pi: sympy.pi,
        math.sqrt(2): sympy.sqrt(2),
        math.sqrt(2 / math.pi): sympy.sqrt(2 / sympy.pi),
    }
    return known.get(value, sympy.nsimplify(value))


def symbols(rule: Rule) -> dict[str, Any]:
    """Return a symbol for each name: with the sign that the rule's condition asks for."""
    found: dict[str, Any] = {}
    for text in (rule.before, rule.after):
        for node in ast.walk(ast.parse(text, mode="eval")):
            if isinstance(node, ast.Name) and node.id not in OPS:
                found[node.id] = sympy.Symbol(node.id, **assumptions(rule, node.id))
    for name in [name for name in found if name == "m"]:
        found[name] = sympy.Symbol(name, real=True) > 0
    return found


def assumptions(rule: Rule, name: str) -> dict[str, bool]:
    if f"is_nonnegative({name})" in rule.when or f"{name} > 0" in rule.when:
        return {"positive": True}
    if "is_unit" in rule.when or name in ("p", "q") or needs_positive(rule):
        return {"positive": True}
    return {"real": True}


def needs_positive(rule: Rule) -> bool:
    """A logarithm or root of a bare name is defined for positive values only."""
    return any(f"{f}({v})" in rule.before for f in ("log", "sqrt", "log2") for v in "xyab")


def is_identity(rule: Rule, algebra: Symbolic) -> bool:
    names = symbols(rule)
    before = evaluate_formula(rule.before, names, algebra)
    after = evaluate_formula(rule.after, names, algebra)
    for a, b in (("a", "z"), ("x", "y")):
        if f"negates({a}, {b})" in rule.when:
            before, after = (e.subs(names[b], -names[a]) for e in (before, after))
    if rule.name in ("log_exp_minus_exp", "log_between_sigmoids"):  # defined where x > y
        gap = sympy.Symbol("gap", positive=True)
        before, after = (e.subs(names["x"], names["y"] + gap) for e in (before, after))
    if rule.name == "log_acosh":  # defined where x > 1
        gap = sympy.Symbol("gap", positive=True)
        before, after = (e.subs(names["x"], 1 + gap).expand() for e in (before, after))
    if rule.name in ("log_softplus", "log1mexp_of_exp"):  # below -40 they differ by exp(-40)/2
        assert sympy.limit(before - names["x"], names["x"], -sympy.oo) == 0
        gap = sympy.Symbol("gap", positive=True)
        before, after = (e.subs(names["x"], gap - 40) for e in (before, after))
    if rule.name in ("log_one_plus_tanh", "log_one_minus_tanh"):  # on either side of ±1
        gap, edge = sympy.Symbol("gap", positive=True), -1 if "x < -1" in rule.after else 1
        sides = [sympy.exp(e).subs(names["x"], edge * (1 + gap)) for e in (before, after)]
        ratio = sympy.simplify((sides[0] / sides[1]).rewrite(sympy.exp))
        inside = (before - after).subs(names["x"], edge * (1 - gap))
        return bool(ratio == 1 and sympy.simplify(inside) == 0)
    if isinstance(before, (sympy.logic.boolalg.Boolean, bool)):
        return bool(sympy.simplify(sympy.Equivalent(before, after)))
    is_of_elu = rule.name.endswith("of_elu")
    if "abs(x)" in rule.after or is_of_elu:  # on either side of the kink
        size = sympy.Symbol("size", positive=True)
        size = sympy.log(1 + size) if is_of_elu else size  # whose exponential SymPy compares
        sides = [(before - after).subs(names["x"], sign * size) for sign in (1, -1)]
        return all(sympy.simplify(sympy.expand_log(side, force=True)) == 0 for side in sides)
    difference = sympy.expand_log(before - after, force=True)
    attempts = (difference, difference.rewrite(sympy.exp), difference.rewrite(sympy.log))
    if any(sympy.simplify(attempt) == 0 for attempt in attempts):
        return True
    is_log = rule.before.startswith("log(")
    return is_log and sympy.simplify(sympy.exp(before) / sympy.exp(after)) == 1


@pytest.mark.parametrize("rule", FORMULAS, ids=lambda rule: rule.name)
def test_sympy_confirms_the_identity(rule: Rule) -> None:
    by_lattice = Symbolic(maximum=sympy.Max, minimum=sympy.Min)
    assert is_identity(rule, Symbolic()) or is_identity(rule, by_lattice)


# -- mpmath at extreme points ------------------------------------------------------------------

MP = mpmath.mp.clone()
MP.dps = 60
EXTREME = (-1e4, -700.0, -90.0, -1.0, 0.5, 30.0, 800.0, 1e4)
SMALL = (-0.5, -1e-3, -1e-6, -1e-9, 1e-9, 1e-6, 1e-3, 0.5)
HUGE = 1e300


class Precise(dict):  # formulas over mpmath numbers
    """Every op by its own formula in sixty digits."""

    primitives: ClassVar[dict[str, Callable[..., Any]]] = {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": lambda a, b: a / b,
        "power": lambda a, b: MP.power(a, b),
        "negative": lambda a: -a,
        "greater": lambda a, b: a > b,
        "where": lambda m, a, b: a if m else b,
        "minimum": min,
        "maximum": max,
        "abs": abs,
        "square": lambda a: a * a,
        "number": MP.mpf,
        # mpmath takes seconds for exp(-exp(1e4)); it is 0, or infinite, in any number of digits.
        "exp": lambda a: MP.exp(a) if abs(a) < 1e30 else MP.zero if a < 0 else MP.inf,
    }

    def __missing__(self, name: str) -> Callable[..., Any]:
        if name in self.primitives:
            return self.primitives[name]
        op = OPS[name]
        assert isinstance(op, Pointwise)
        known = getattr(MP, name, None)
        if known is not None and op.formula.startswith(f"{name}("):
            return known  # an mpmath function
        return lambda *args: evaluate_formula(
            op.formula, dict(zip(op.args, args, strict=True)), self
        )

    def get(self, name: str, default: Any = None) -> Any:
        return self[name]


def textbook(rule: Rule) -> tuple[str, list[str]]:
    """Return the formula of the rule's example, and the names of its inputs."""
    lines = example_text(rule).splitlines()
    formula = next(line for line in lines if line.startswith("result = "))
    return formula.removeprefix("result = "), [line.partition(":")[0] for line in lines[:-2]]


def exact_value(formula: str, values: dict[str, float]) -> float | None:
    """Return the real value in float64, or None where there is none, or none of ordinary size."""
    with MP.workdps(60 + 1300 * (max(map(abs, values.values())) > 50)):
        try:
            value = evaluate_formula(formula, {k: MP.mpf(v) for k, v in values.items()}, Precise())
        except (ZeroDivisionError, ValueError, OverflowError):
            return None
        is_real = isinstance(value, (int, float)) or value.imag == 0
        return float(value.real) if is_real and 1 / HUGE < abs(value) < HUGE else None


def points(names: list[str], grid: tuple[float, ...]) -> Iterator[dict[str, float]]:
    wanted = grid if len(names) == 1 else grid[1::2] if len(names) == 2 else grid[1::3]
    for values in itertools.product(wanted, repeat=len(names)):
        yield dict(zip(names, values, strict=True))


@pytest.mark.parametrize("grid", [EXTREME, SMALL], ids=["extreme", "small"])
@pytest.mark.parametrize("rule", STABLE_FORMULAS, ids=lambda rule: rule.name)
def test_stable_forms_are_right_at_extreme_points(rule: Rule, grid: tuple[float, ...]) -> None:
    if "m" in symbols(rule):
        pytest.skip("a choice is tested with both of its branches elsewhere")
    formula, names = textbook(rule)
    graph = parse(example_text(rule), FUNCTIONS)
    better = optimize(stabilize_forward(graph))
    for values in points(names, grid):
        expected = exact_value(formula, values)
        if expected is None:
            continue
        arrays = {name: np.full(3, value) for name, value in values.items()}
        got = interpret(better, **arrays)["result"][0]
        # An operand of size s is known to s units of rounding, and so is the result.
        slack = 1e-15 * max(map(abs, values.values())) * 16
        assert abs(got - expected) <= slack + 1e-11 * abs(expected), (values, got, expected)
