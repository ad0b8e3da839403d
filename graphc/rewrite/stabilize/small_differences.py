"""Stabilization: differences between 1 and what is nearly 1, and their logarithms."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.leaf import full
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts, is_number
from graphc.rewrite.engine.rule import rounding

_CANCEL = "the difference of nearly equal numbers loses its digits"
_TAIL = "tanh(x) rounds to 1, and the logarithm of what is left is -inf"


def _root_less_number(node: Node, facts: Facts) -> Node | None:
    """sqrt(c**2 + x) - c → x/(sqrt(c**2 + x) + c); so too for c - sqrt(c**2 - x)."""
    for i, root in enumerate(node.inputs):
        number = node.inputs[1 - i]
        if root.op.name != "sqrt" or number.op is not full or not facts.is_positive(number):
            continue
        total, c = root.inputs[0], number.attrs["value"]
        for j, other in enumerate(total.inputs if is_number(number) else ()):
            is_square = other.op is full and is_number(other) and other.attrs["value"] == c * c
            if not is_square or total.op.name not in ("add", "subtract")[: 2 - j]:
                continue
            x = total.inputs[1 - j]
            x = x if total.op.name == "add" else OPS["negative"](x)
            quotient = OPS["divide"](x, OPS["add"](root, c))
            return OPS["negative"](quotient) if i else quotient
    return None


def _log_of_sigmoid_by_tanh(node: Node, facts: Facts) -> Node | None:
    """log((1 + tanh(x))/2) → -softplus(-2*x), the share of one of two; so too for 1 - tanh(x)."""
    sides = _sides_of_tanh(node.inputs[0])
    if sides is None:
        return None
    tanh, number, slope = sides
    if number + (node.op.name == "log1p") != 0.5 or abs(slope) != 0.5:
        return None
    exponent = OPS["multiply"](-4.0 * slope, tanh.inputs[0])
    return OPS["negative"](OPS["softplus"](exponent))


def _sides_of_tanh(node: Node, depth: int = 4) -> tuple[Node, float, float] | None:
    """Return tanh(x), a and b where a node is a + b*tanh(x) for numbers a and b."""
    if node.op.name == "tanh":
        return node, 0.0, 1.0
    if node.op.name not in ("add", "subtract", "multiply", "divide", "negative") or not depth:
        return None
    numbers = [float(x.attrs["value"]) for x in node.inputs if x.op is full and is_number(x)]
    rest = [x for x in node.inputs if x.op is not full]
    found = _sides_of_tanh(rest[0], depth - 1) if len(rest) == 1 else None
    if found is None or len(numbers) + 1 != len(node.inputs):
        return None
    tanh, a, b = found
    c = numbers[0] if numbers else -1.0
    is_behind = rest[0] is not node.inputs[0]
    match node.op.name:
        case "add":
            return tanh, a + c, b
        case "subtract":
            return (tanh, c - a, -b) if is_behind else (tanh, a - c, b)
        case "divide":
            return None if is_behind or c == 0 else (tanh, a / c, b / c)
        case _:
            return tanh, a * c, b * c


SMALL_DIFFERENCES = (
    rounding(
        "log_one_plus_tanh",
        "log1p(tanh(x))",
        "where(x < -1, 0.6931471805599453 - softplus(-2*x), log1p(tanh(maximum(x, -2))))",
        _TAIL,
        when="not is_above(x, -3)",
    ),
    rounding(
        "log_one_minus_tanh",
        "log1p(-tanh(x))",
        "where(x > 1, 0.6931471805599453 - softplus(2*x), log1p(-tanh(minimum(x, 2))))",
        _TAIL,
        when="not is_above(-x, -3)",
    ),
    rounding("one_minus_cos", "1 - cos(x)", "2*square(sin(0.5*x))", _CANCEL),
    rounding("cos_minus_one", "cos(x) - 1", "-2*square(sin(0.5*x))", _CANCEL),
    rounding("cosh_minus_one", "cosh(x) - 1", "2*square(sinh(0.5*x))", _CANCEL),
    rounding("one_minus_erf", "1 - erf(x)", "erfc(x)", _CANCEL),
    rounding("one_plus_erf", "1 + erf(x)", "erfc(-x)", _CANCEL),
    rounding("one_minus_half_erfc", "1 - 0.5*erfc(x)", "0.5*erfc(-x)", _CANCEL),
    rounding("one_minus_erfc_over_two", "1 - erfc(x)/2", "erfc(-x)/2", _CANCEL),
    rounding("expm1_less", "(exp(x) - y) - 1", "expm1(x) - y", _CANCEL, when="not uncovers_log(y)"),
    rounding("expm1_plus", "(exp(x) + y) - 1", "expm1(x) + y", _CANCEL, when="not uncovers_log(y)"),
    rounding("less_expm1", "(y - exp(x)) + 1", "y - expm1(x)", _CANCEL, when="not uncovers_log(y)"),
    rounding("log1p_of_expm1", "log1p(expm1(x))", "x", "the pair does nothing, and overflows"),
)

ROOTS_LESS_NUMBERS = (
    rounding(
        "root_less_number",
        "sqrt(c**2 + x) - c",
        "x/(sqrt(c**2 + x) + c)",
        _CANCEL,
        apply=_root_less_number,
        roots=("subtract",),
        operands=("sqrt",),
        moves_kink=True,  # none: but the derivative of the root is short, and cancels nothing
        example="x: input(f64, 3)\ny = sqrt(4.0 + x**2) - 2.0",
    ),
)

SHARES_BY_TANH = (
    rounding(
        "log_of_sigmoid_by_tanh",
        "log((1 + tanh(x))/2)",
        "-softplus(-2*x)",
        _TAIL,
        apply=_log_of_sigmoid_by_tanh,
        roots=("log", "log1p"),
        operands=("add", "subtract", "multiply", "divide"),
        example="x: input(f64, 3)\ny = log(0.5 - tanh(x)/2)",
    ),
)
