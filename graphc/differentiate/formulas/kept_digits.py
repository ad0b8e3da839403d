"""Which writing of a derivative keeps its digits? Equal over the reals, better in floating point.

sqrt(1 + x**2)           → hypot(1, x)                the square overflows before the root
b/(a**2 + b**2)          → b/hypot(a, b)/hypot(a, b)
1 + erf(u)               → erfc(-u)                   erf(u) rounds to -1
1 + tanh(u)              → 2*sigmoid(2*u)             tanh(u) rounds to -1
1 - tanh(u)**2           → 4*sigmoid(2*u)*sigmoid(-2*u)
floor(a/b)               → floor_divide(a, b)         a/b may round up to an integer
exp(a)/(exp(a) + exp(b)) → sigmoid(a - b)             the exponentials overflow
"""

from __future__ import annotations

from graphc.differentiate.formulas.symbolic import Expression, plain_function, step_function
from graphc.ir.symbols import sympy_module
from graphc.ops.elementwise.pointwise import OUTPUT


def kept_digits(expression: Expression) -> Expression:
    """Return the expression with its sums and roots in the writing that keeps their digits."""
    sympy = sympy_module()
    floor = step_function("floor")
    expression = expression.replace(floor, _floor_of_quotient)
    if not expression.has(sympy.Add):
        return expression
    rewritten = expression.replace(lambda e: e.is_Add, lambda e: _tail(_factored(e)))
    return rewritten.replace(lambda e: e.is_Pow and e.base.is_Add, _distance)


def _factored(total: Expression) -> Expression:
    """Return 1 - tanh(u)**2 as 4*sigmoid(2*u)*sigmoid(-2*u)."""
    sympy = sympy_module()
    sign, square = total.as_independent(sympy.Pow, as_Add=True)
    if sign not in (1, -1) or not (-sign * square).is_Pow:
        return total
    base, exponent = (-sign * square).args
    if exponent != 2 or base.func is not sympy.tanh:
        return total
    sigmoid, u = plain_function("sigmoid"), 2 * base.args[0]
    return 4 * sign * sigmoid(u) * sigmoid(-u)


def _floor_of_quotient(argument: Expression) -> Expression:
    """Return floor(a/b) as floor_divide(a, b), and other floors as they are."""
    a, b = argument.as_numer_denom()
    if b.is_number:
        return step_function("floor")(argument)
    return plain_function("floor_divide")(a, b)


def _tail(total: Expression) -> Expression:
    """Return c + c*erf(u) within a sum as c*erfc(-u), and c + c*tanh(u) as 2*c*sigmoid(2*u)."""
    sympy = sympy_module()
    erfc, sigmoid = plain_function("erfc"), plain_function("sigmoid")
    for term in total.args if total.is_Add else ():
        c, function = term.as_coeff_Mul()
        for sign in (1, -1):
            if sign * c not in total.args:
                continue
            rest = total - term - sign * c
            if function.func is sympy.erf:
                return rest + sign * c * erfc(-sign * function.args[0])
            if function.func is sympy.tanh:
                return rest + 2 * sign * c * sigmoid(2 * sign * function.args[0])
    return total


def _distance(power: Expression) -> Expression:
    """Return the root or the reciprocal of a**2 + b**2 through hypot(a, b)."""
    sympy = sympy_module()
    if len(power.base.args) != 2 or not power.exp.is_Rational:
        return power
    sides = [_side(term) for term in power.base.args]
    is_root = abs(power.exp) == sympy.Rational(1, 2)
    if None in sides or not (is_root or (power.exp < 0 and 1 not in sides)):
        return power
    return plain_function("hypot")(*sides) ** (2 * power.exp)


def _side(square: Expression) -> Expression | None:
    """Return x of x**2, and 1 of 1; None for other terms."""
    if square == 1:
        return square
    is_square = square.is_Pow and square.exp == 2 and square.base.is_Symbol
    return square.base if is_square and square.base.name != OUTPUT else None


def softmax_of_two(expression: Expression) -> Expression:
    """Return exp(a)/(exp(a) + exp(b)) as sigmoid(a - b), wherever it occurs."""
    sympy = sympy_module()
    sigmoid, scale = plain_function("sigmoid"), sympy.Dummy("scale")
    for power in sorted(expression.atoms(sympy.Pow), key=str):
        total = power.base
        if not (total.is_Add and len(total.args) == 2 and power.exp.is_negative):
            continue
        if any(term.func is not sympy.exp for term in total.args):
            continue
        a, b = (term.args[0] for term in total.args)
        shares = {
            total: scale,
            sympy.exp(a): scale * sigmoid(a - b),
            sympy.exp(b): scale * sigmoid(b - a),
        }
        replaced = expression.xreplace(shares)
        if scale not in replaced.free_symbols:
            expression = replaced
    return expression
