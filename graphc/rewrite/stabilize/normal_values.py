"""Normal values: x less its mean over its spread, whose derivative has all its terms collected.

Term by term, the derivative through mean and variance takes one pass over the array for each; sums
of deviations, which are 0, are added up in it, and it divides by the spread time and again.
"""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.leaf import full
from graphc.ops.reduction.means import called_after
from graphc.ops.reduction.spread import core, lines_up, reduction_under
from graphc.ops.registry import OPS
from graphc.rewrite.engine.factors import Factor, factors_of, product_of
from graphc.rewrite.engine.facts import Facts, is_number
from graphc.rewrite.engine.rule import rounding


def _normal_value(node: Node, facts: Facts) -> Node | None:
    """w·(x - mean(x))/sqrt(var(x) + c) → w·standardize(x); w·x/sqrt(mean(x²) + c) by analogy."""
    factors = _factors(node)
    for i, (below, divides) in enumerate(factors):
        found = _power(below, divides)
        if found is None or not lines_up(below, found[0]):
            continue
        power, eps = found
        for j, (above, divides_too) in enumerate(factors):
            op = None if divides_too or i == j else _made_normal(above, power, facts)
            if op is None:
                continue
            x = above.inputs[0] if op == "standardize" else above
            value = OPS[op].make([x], axis=power.attrs["axis"], eps=eps)
            rest = product_of([f for k, f in enumerate(factors) if k not in (i, j)])
            if rest is not None or node.name is None:
                value = value.named(called_after(value, "normal"))
            return value if rest is None else OPS["multiply"](rest, value)
    return None


def _factors(node: Node) -> list[Factor]:
    """Return the factors of a product; those of a small one that is broadcast there: `g/spread`."""
    factors = factors_of(node)
    for i, (factor, divides) in enumerate(factors):
        inner = factor.inputs[0] if factor.op.name == "broadcast_to" else factor
        small = factors_of(inner)
        if inner is not factor and any(_power(x, within) for x, within in small):
            wide = [(OPS["broadcast_to"](x, factor.shape), divides != d) for x, d in small]
            return [*factors[:i], *wide, *factors[i + 1 :]]
    return factors


def _power(below: Node, divides: bool) -> tuple[Node, float] | None:
    """Return (v, c) of a divisor sqrt(v + c), or of a factor (v + c)**-0.5, and c > 0."""
    root = core(below)
    is_inverse = root.op.name == "power" and _value(root.inputs[1]) == -0.5
    if not (root.op.name == "sqrt" if divides else is_inverse):
        return None
    total = root.inputs[0]
    for v, c in (total.inputs, total.inputs[::-1]) if total.op.name == "add" else ():
        if _value(c) > 0 and v.op.name in ("var", "mean"):
            return v, _value(c)
    return None


def _value(node: Node) -> float:
    """Return the number that a uniform array holds; 0 for another node."""
    return float(node.attrs["value"]) if node.op is full and is_number(node) else 0.0


def _made_normal(above: Node, power: Node, facts: Facts) -> str | None:
    """Return the op that makes a factor normal, which is divided by the root of its power."""
    measured = power.inputs[0]
    if power.op.name == "mean":
        if measured.op.name != "square" or not facts.same(measured.inputs[0], above):
            return None
    elif power.attrs.get("ddof") or above.op.name != "subtract":
        return None
    if above.op.name == "subtract":
        x, spread = above.inputs
        mean = reduction_under(spread, "mean")
        if (
            mean is not None
            and mean.attrs["axis"] == power.attrs["axis"]
            and facts.same(x, mean.inputs[0])
            and (power.op.name == "mean" or facts.same(measured, x))
        ):
            return "standardize"
    return "rms_normalize" if power.op.name == "mean" else None


NORMAL_VALUES = (
    rounding(
        "normal_value",
        "(x - mean(x))/sqrt(var(x) + c)",
        "standardize(x)",
        "its derivative has all terms through mean and variance collected",
        apply=_normal_value,
        roots=("divide", "multiply"),
        operands=("broadcast_to", "reshape", "sqrt", "power"),
        forward_only=True,
        example="x: input(f64, 3, 4)\n"
        "y = (x - mean(x, axis=1, keepdims=True))/sqrt(var(x, axis=1, keepdims=True) + 0.1)",
    ),
)
