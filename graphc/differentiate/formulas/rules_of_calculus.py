"""The rules of calculus and the algebra that a derivation shows, one step at a time.

`D(u)` stands for a derivative that is still to be taken. Each function takes an expression and
returns the next one with the name of the rule that leads there.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphc.differentiate.formulas.symbolic import Expression, derivative, plain_function, symbol
from graphc.differentiate.formulas.text import split, write
from graphc.ir.symbols import sympy_module

#: The name of the rule, and the expression that it leads to as formula text.
Line = tuple[str, str]


def pending(u: Expression) -> Expression:
    """Return D(u), the derivative of u that is still to be taken."""
    return plain_function("D")(u)


def differentiation_lines(f: Expression, x: Expression) -> tuple[list[Line], Expression]:
    """Return the lines that take the derivative of f step by step, and where they end.

    A line applies one rule, wherever it is the next one to apply.
    """
    with sympy_module().core.parameters.distribute(False):  # 2*(1 + x) stays as the rule states it
        return _differentiated(f, x)


def _differentiated(f: Expression, x: Expression) -> tuple[list[Line], Expression]:
    expression = pending(f)
    lines = [("definition of y", write(expression).text)]
    while True:
        rules = {part: _apply_rule(part.args[0], x) for part in _outermost_pending(expression)}
        if not rules:
            return lines, expression
        name = next(iter(rules.values()))[0]
        taken = {part: value for part, (rule, value) in rules.items() if rule == name}
        expression = _settled(expression.xreplace(taken), x)
        lines.append((name, write(expression).text))


def _outermost_pending(expression: Expression) -> Iterator[Expression]:
    walk = sympy_module().preorder_traversal(expression)
    for part in walk:
        if part.func is plain_function("D"):
            yield part
            walk.skip()


def _settled(expression: Expression, x: Expression) -> Expression:
    """Take the derivatives that need no line of their own: of constants, x and multiples of x."""
    known = {}
    for part in _outermost_pending(expression):
        u = part.args[0]
        rest = u.as_coeff_Mul()[1]
        if x not in u.free_symbols:
            known[part] = sympy_module().S.Zero
        elif rest == x:
            known[part] = u.as_coeff_Mul()[0]
    return expression.xreplace(known)


def _apply_rule(u: Expression, x: Expression) -> tuple[str, Expression]:
    sympy = sympy_module()
    if x not in u.free_symbols:
        return "constant rule: c' = 0", sympy.S.Zero
    if u == x:
        return "x' = 1", sympy.S.One
    if u.is_Add:
        return "sum rule: (u + v)' = u' + v'", sympy.Add(*map(pending, u.args))
    if u.is_Mul:
        return _rule_for_product(u, x)
    if u.is_Pow and x not in u.exp.free_symbols:
        return _rule_for_power(u, x)
    if u.is_Pow:
        inner = u.exp * sympy.log(u.base)
        return "chain rule: (uᵛ)' = uᵛ·(v·log(u))'", u * pending(inner)
    return _rule_for_function(u, x)


def _rule_for_product(u: Expression, x: Expression) -> tuple[str, Expression]:
    sympy = sympy_module()
    constant, rest = u.as_independent(x, as_Add=False)
    if constant != 1:
        return "constant factor rule: (c·u)' = c·u'", constant * pending(rest)
    numerator, denominator = _fraction(u)
    if x in denominator.free_symbols:
        top = pending(numerator) * denominator - numerator * pending(denominator)
        return "quotient rule: (u/v)' = (u'·v - u·v')/v²", top / denominator**2
    first, second = u.args[0], sympy.Mul(*u.args[1:])
    return "product rule: (u·v)' = u'·v + u·v'", pending(first) * second + first * pending(second)


def _rule_for_power(u: Expression, x: Expression) -> tuple[str, Expression]:
    base, exponent = u.args
    if exponent == -1:
        return "reciprocal rule: (1/u)' = -u'/u²", -pending(base) / base**2
    outer = exponent * base ** (exponent - 1)
    if base == x:
        return "power rule: (xⁿ)' = n·xⁿ⁻¹", outer
    return "chain rule: (uⁿ)' = n·uⁿ⁻¹·u'", outer * pending(base)


def _rule_for_function(u: Expression, x: Expression) -> tuple[str, Expression]:
    position = next(i for i, a in enumerate(u.args) if x in a.free_symbols)
    letters = [_letter(i) for i in range(len(u.args))]
    in_general, inner = u.func(*letters), u.args[position]
    outer: Expression = derivative(in_general, letters[position])
    value = outer.xreplace(dict(zip(letters, u.args, strict=True)))
    shown = write(in_general).text
    if inner == x:
        return f"{shown}' = {write(outer)}", value
    chained = write(outer * symbol(f"{letters[position]}'"))
    return f"chain rule: {shown}' = {chained}", value * pending(inner)


def _letter(index: int) -> Expression:
    return sympy_module().Symbol("uvw"[index], real=True)


def _fraction(expression: Expression) -> tuple[Expression, Expression]:
    """Return numerator and denominator as a reader sees them; exp(-x) stays where it stands."""
    sympy = sympy_module()
    negative, numerator, denominator = split(expression)
    return sympy.Mul(-1 if negative else 1, *numerator), sympy.Mul(*denominator)


def fraction_lines(expression: Expression) -> tuple[list[Line], Expression]:
    """Return the lines from N/Dⁿ, where N is D - c, to a sum or product of powers of 1/D.

    This is how exp(-x)/(1 + exp(-x))**2 becomes s*(1 - s): add and subtract c, split, cancel, and
    factor where a factor is left in common.
    """
    numerator, denominator = _fraction(expression)
    base, power = denominator.as_base_exp()
    c = base - numerator
    if not (c.is_Integer and c > 0 and base.is_Add and power.is_Integer and power in (1, 2)):
        return [], expression
    whole, below = write(base).text, write(denominator).within(6)
    small = write(c).text
    lines = [
        (f"add and subtract {small}", f"({whole} - {small})/{below}"),
        ("split the fraction", f"({whole})/{below} - {small}/{below}"),
    ]
    if power == 1:
        lines.append(("cancel", f"1 - {small}/({whole})"))
        return lines, 1 - c / base
    lines.append(("cancel", f"1/({whole}) - {small}/({whole})**2"))
    lines.append(("factor out", f"1/({whole})*(1 - {small}/({whole}))"))
    sympy = sympy_module()
    return lines, sympy.Mul(1 / base, 1 - c / base, evaluate=False)
