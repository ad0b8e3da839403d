"""Stabilization: differences between 1 and what is nearly 1, and their logarithms."""

from __future__ import annotations

from functools import partial

from graphc.ir.node import Node
from graphc.ops.leaf import full
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts, is_number
from graphc.rewrite.engine.rule import REASSOCIATES, Rule

_CANCEL = "the difference of nearly equal numbers loses its digits"
_TAIL = "tanh(x) rounds to 1, and the logarithm of what is left is -inf"

_row = partial(Rule, exactness=REASSOCIATES)


def _root_and_number(node: Node, name: str, facts: Facts) -> tuple[Node, float, int] | None:
    """Return of a root less c > 0, or c less a root, both, and which operand the root is."""
    for i, root in enumerate(node.inputs):
        number = node.inputs[1 - i]
        is_positive = number.op is full and is_number(number) and facts.is_positive(number)
        if root.op.name == name and is_positive:
            return root, number.attrs["value"], i
    return None


def _is_number_of(node: Node, value: float) -> bool:
    return node.op is full and is_number(node) and node.attrs["value"] == value


def _root_less_number(node: Node, facts: Facts) -> Node | None:
    """sqrt(c**2 + x) - c → x/(sqrt(c**2 + x) + c); so too for c - sqrt(c**2 - x)."""
    found = _root_and_number(node, "sqrt", facts)
    if found is None:
        return None
    root, c, i = found
    total = root.inputs[0]
    for j, other in enumerate(total.inputs):
        if _is_number_of(other, c * c) and total.op.name in ("add", "subtract")[: 2 - j]:
            x = total.inputs[1 - j]
            x = x if total.op.name == "add" else OPS["negative"](x)
            quotient = OPS["divide"](x, OPS["add"](root, c))
            return OPS["negative"](quotient) if i else quotient
    return None


def _root_of_square_less_number(node: Node, facts: Facts) -> Node | None:
    """sqrt(c**2 + x**2) - c → hypot(x, c) - c; so too for c - sqrt(c**2 + x**2)."""
    found = _root_and_number(node, "sqrt", facts)
    total = found[0].inputs[0] if found else node
    if found is None or total.op.name != "add":
        return None
    _, c, i = found
    for square, other in (total.inputs, total.inputs[::-1]):
        if square.op.name == "square" and _is_number_of(other, c * c):
            root = OPS["hypot"](square.inputs[0], c)
            return OPS["subtract"](c, root) if i else OPS["subtract"](root, c)
    return None


def _distance_less_number(node: Node, facts: Facts) -> Node | None:
    """hypot(x, c) - c → x*(x/(hypot(x, c) + c)); so too for c - hypot(x, c)."""
    found = _root_and_number(node, "hypot", facts)
    if found is None:
        return None
    root, c, i = found
    for x, other in (root.inputs, root.inputs[::-1]):
        if _is_number_of(other, c):
            product = OPS["multiply"](x, OPS["divide"](x, OPS["add"](root, c)))
            return OPS["negative"](product) if i else product
    return None


SMALL_DIFFERENCES = (
    _row(
        "log_one_plus_tanh",
        "log1p(tanh(x))",
        "where(x < -1, 0.6931471805599453 - softplus(-2*x), log1p(tanh(maximum(x, -2))))",
        _TAIL,
        when="not is_above(x, -3)",
    ),
    _row(
        "log_one_minus_tanh",
        "log1p(-tanh(x))",
        "where(x > 1, 0.6931471805599453 - softplus(2*x), log1p(-tanh(minimum(x, 2))))",
        _TAIL,
        when="not is_above(-x, -3)",
    ),
    _row("one_minus_cos", "1 - cos(x)", "2*square(sin(0.5*x))", _CANCEL),
    _row("cos_minus_one", "cos(x) - 1", "-2*square(sin(0.5*x))", _CANCEL),
    _row("cosh_minus_one", "cosh(x) - 1", "2*square(sinh(0.5*x))", _CANCEL),
    _row("one_minus_erf", "1 - erf(x)", "erfc(x)", _CANCEL),
    _row("one_plus_erf", "1 + erf(x)", "erfc(-x)", _CANCEL),
    _row("one_minus_half_erfc", "1 - 0.5*erfc(x)", "0.5*erfc(-x)", _CANCEL),
    _row("one_minus_erfc_over_two", "1 - erfc(x)/2", "erfc(-x)/2", _CANCEL),
    _row("expm1_less", "(exp(x) - y) - 1", "expm1(x) - y", _CANCEL, when="not uncovers_log(y)"),
    _row("expm1_plus", "(exp(x) + y) - 1", "expm1(x) + y", _CANCEL, when="not uncovers_log(y)"),
    _row("less_expm1", "(y - exp(x)) + 1", "y - expm1(x)", _CANCEL, when="not uncovers_log(y)"),
    _row("log1p_of_expm1", "log1p(expm1(x))", "x", "the pair does nothing, and overflows"),
)

ROOTS_LESS_NUMBERS = (
    _row(
        "root_of_square_less_number",
        "sqrt(c**2 + x**2) - c",
        "hypot(x, c) - c",
        "the square overflows where the root is an ordinary number",
        apply=_root_of_square_less_number,
        roots=("subtract",),
        operands=("sqrt",),
        forward_only=True,
        example="x: input(f64, 3)\ny = sqrt(4.0 + x**2) - 2.0",
    ),
    _row(
        "distance_less_number",
        "hypot(x, c) - c",
        "x*(x/(hypot(x, c) + c))",
        _CANCEL,
        apply=_distance_less_number,
        roots=("subtract",),
        operands=("hypot",),
        moves_kink=True,  # none: as below
        example="x: input(f64, 3)\ny = hypot(x, 2.0) - 2.0",
    ),
    _row(
        "root_less_number",
        "sqrt(c**2 + x) - c",
        "x/(sqrt(c**2 + x) + c)",
        _CANCEL,
        apply=_root_less_number,
        roots=("subtract",),
        operands=("sqrt",),
        moves_kink=True,  # none: but the derivative of the root is short, and cancels nothing
        example="x: input(f64, 3)\ny = sqrt(4.0 + x) - 2.0",
    ),
)
