"""How is a derivative written down? SymPy expressions and trees as formulas in the names of ops.

The text is what a reader would write (`y*(1 - y)`, `-y/b`), depends on nothing but the expression,
and is read back by `graphc.ops.elementwise.formula`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from graphc.differentiate.formulas.kept_digits import kept_digits
from graphc.differentiate.formulas.symbolic import (
    Branch,
    Expression,
    Tree,
    leaves,
    number,
    plain_function,
)
from graphc.ir.code import ATOM, COMPARISON, POWER, PRODUCT, SUM, UNARY, Code
from graphc.ir.symbols import sympy_module

_OP_OF_FUNCTION = {"Abs": "abs", "Min": "minimum", "Max": "maximum"}
_LOGIC = {"And": "logical_and", "Or": "logical_or", "Not": "logical_not", "Xor": "logical_xor"}
_LONGEST_FRACTION = 1000


def tree_text(tree: Tree, guarded: bool = False) -> str:
    """Return a tree as a formula, its cases as nested `where`s; a 0/1 choice is its condition."""
    if not isinstance(tree, Branch):
        return write(tree, guarded).text
    truth = truth_of(tree)
    if truth is not None:
        return write(truth).text
    inner = tree_text(tree.then, guarded), tree_text(tree.otherwise, guarded)
    return f"where({write(tree.condition).text}, {inner[0]}, {inner[1]})"


def scaled_tree_text(tree: Tree, leaf_text: Callable[[Expression], str]) -> str:
    """Return `g` times a tree, where `leaf_text` gives the product in each leaf."""
    if not isinstance(tree, Branch):
        return leaf_text(tree)
    parts = scaled_tree_text(tree.then, leaf_text), scaled_tree_text(tree.otherwise, leaf_text)
    return f"where({write(tree.condition).text}, {parts[0]}, {parts[1]})"


def truth_of(tree: Tree) -> Expression | None:
    """Return the condition under which a tree of zeros and ones is 1, or None for other trees."""
    chosen = chosen_number(tree)
    return condition_of(tree) if chosen == 1 else None


def chosen_number(tree: Tree) -> Expression | None:
    """Return the number c of a tree whose leaves are 0 and c, or None for other trees."""
    values = list(dict.fromkeys(leaf for leaf in leaves(tree) if leaf != 0))
    return values[0] if len(values) == 1 and values[0].is_number else None


def condition_of(tree: Tree) -> Expression:
    """Return the condition under which a tree is not 0."""
    sympy = sympy_module()
    if not isinstance(tree, Branch):
        return sympy.false if tree == 0 else sympy.true
    c, a, b = tree.condition, condition_of(tree.then), condition_of(tree.otherwise)
    return sympy.Or(sympy.And(c, a), sympy.And(sympy.Not(c), b))


def stable(expression: Expression) -> Expression:
    """Return the expression as it is computed: with expm1 and log1p, and its numbers multiplied."""
    sympy = sympy_module()
    expm1, log1p = plain_function("expm1"), plain_function("log1p")

    def rewrite(e: Expression) -> Expression:
        if e.is_Add and len(e.args) == 2:
            found = _exp_minus_one(e)
            return found[0] * expm1(found[1]) if found else e
        if e.func is sympy.log and e.args[0].is_Add and sympy.S.One in e.args[0].args:
            return log1p(e.args[0] - 1)
        if e.is_Mul:
            numbers = [f for f in e.args if f.is_number]
            if any(not f.is_Rational for f in numbers):
                rest = [f for f in e.args if not f.is_number]
                coefficient = number(float(sympy.Mul(*numbers)))
                return sympy.Mul(coefficient, sympy.Mul(*rest), evaluate=False)
        return e

    digits_kept = kept_digits(expression)
    return digits_kept.replace(lambda e: e.is_Add or e.is_Mul or e.func is sympy.log, rewrite)


def _exp_minus_one(total: Expression) -> tuple[int, Expression] | None:
    """Return (sign, u) of a sum that is sign*(exp(u) - 1), else None."""
    sympy = sympy_module()
    one, other = total.args
    if other.is_Integer:
        one, other = other, one
    for sign in (1, -1):
        if one == -sign and (sign * other).func is sympy.exp:
            return sign, (sign * other).args[0]
    return None


def write(expression: Expression, guarded: bool = False) -> Code:
    """Return a SymPy expression as formula text with its precedence.

    `guarded` writes quotients and products that meet 0/0 or 0·∞ with the ops that give 0 there.
    """
    if expression.is_Symbol:
        return Code(expression.name)
    if expression.is_Relational or expression.is_Boolean:
        return _condition(expression)
    if expression.is_Rational:
        return _number(expression)
    if expression.is_Add:
        return _sum(expression, guarded)
    if expression.is_Mul or expression.is_Pow:
        return _signed(expression, guarded)
    if expression == sympy_module().pi:
        return Code("pi")
    if expression == sympy_module().E:
        return Code("exp(1)")
    name = type(expression).__name__
    inner = ", ".join(write(argument, guarded).text for argument in expression.args)
    return Code(f"{_OP_OF_FUNCTION.get(name, name)}({inner})")


def _condition(condition: Expression) -> Code:
    if condition.is_Relational:
        left, right = (write(side).within(SUM) for side in condition.args)
        sign = {"Eq": "==", "Ne": "!="}.get(condition.rel_op, condition.rel_op)
        return Code(f"{left} {sign} {right}", COMPARISON)
    parts = sorted(write(part).text for part in condition.args)
    name = _LOGIC[type(condition).__name__]
    text = parts[-1]
    if name == "logical_not":
        return Code(f"logical_not({text})")
    for part in reversed(parts[:-1]):
        text = f"{name}({part}, {text})"
    return Code(text)


def _number(value: Expression) -> Code:
    if value < 0:
        return Code("-" + _number(-value).within(PRODUCT), UNARY)
    if value.q == 1:
        return Code(str(value.p))
    decimal = _decimal(value)
    return Code(decimal) if decimal else Code(f"{value.p}/{value.q}", PRODUCT)


def _decimal(value: Expression) -> str | None:
    """Return a long fraction that ends in decimals as such: 0.044715, not 8943/200000."""
    rest = value.q
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1 or max(value.p, value.q) < _LONGEST_FRACTION:
        return None
    exact = (Decimal(value.p) / Decimal(value.q)).normalize()
    return format(exact, "f") if len(exact.as_tuple().digits) <= 17 else repr(float(value))


def _sum(total: Expression, guarded: bool) -> Code:
    """Return a sum: positive terms before negative ones, numbers where a reader expects them."""
    rows = []
    for term in total.args:
        negative = term.could_extract_minus_sign() and not term.is_Add
        magnitude = -term if negative else term
        order = (term.is_number == negative, *_reading_order(magnitude.as_coeff_Mul()[1]))
        rows.append((negative, order, write(magnitude, guarded).within(PRODUCT)))
    rows.sort()
    text = ("-" if rows[0][0] else "") + rows[0][2]
    for negative, _, term_text in rows[1:]:
        text += (" - " if negative else " + ") + term_text
    return Code(text, SUM)


def _signed(product: Expression, guarded: bool) -> Code:
    negative, numerator, denominator = split(product)
    code = quotient(numerator, denominator, guarded)
    return Code("-" + code.within(PRODUCT), UNARY) if negative else code


def split(product: Expression) -> tuple[bool, list[Expression], list[Expression]]:
    """Return (is negative, numerator factors, denominator factors), a sign drawn into a sum."""
    sympy = sympy_module()
    coefficient, rest = product.as_coeff_Mul()
    factors = [f for f in sympy.Mul.make_args(rest) if f != 1]
    negative = bool(coefficient < 0)
    for i, factor in enumerate(factors):
        if _is_negative_sum(factor) or (negative and _is_better_negated(factor)):
            factors[i], negative = factor.func(*[-term for term in factor.args]), not negative
    top, bottom = sympy.Rational(abs(coefficient)).as_numer_denom()
    if _decimal(sympy.Rational(abs(coefficient))):
        top, bottom = abs(coefficient), sympy.S.One
    numerator = [top] if top != 1 else []
    denominator = [bottom] if bottom != 1 else []
    for factor in sorted(factors, key=_reading_order):
        if factor.is_Pow and factor.exp.is_Rational and factor.exp < 0:
            denominator.append(factor.base**-factor.exp)
        else:
            numerator.append(factor)
    return negative, numerator, denominator


def _is_better_negated(factor: Expression) -> bool:
    """Say whether a sum takes in a sign before it: b - a is what SymPy calls -(a - b)."""
    ends_in_minus = bool(factor.as_coeff_Add()[0] < 0)
    return factor.is_Add and (ends_in_minus or factor.could_extract_minus_sign())


def _is_negative_sum(factor: Expression) -> bool:
    """Say whether every term of a sum has a minus sign."""
    return factor.is_Add and all(term.could_extract_minus_sign() for term in factor.args)


def _reading_order(factor: Expression) -> tuple[int, str]:
    """Numbers, symbols, powers, functions, and sums last: `sqrt(2)*y*log(2)*exp(x)*(1 - y)`."""
    base = factor.base if factor.is_Pow and factor.exp.is_number else factor
    is_plain = factor.is_number and factor.func is not sympy_module().log
    kinds = (is_plain, factor.is_Symbol, base.is_Symbol, base.is_Pow, not base.is_Add)
    return next((i for i, holds in enumerate(kinds) if holds), len(kinds)), str(factor)


def quotient(
    numerator: Sequence[Expression], denominator: Sequence[Expression], guarded: bool
) -> Code:
    """Return the quotient of two products of positive factors."""
    if guarded and numerator:
        return _guarded_quotient(numerator, denominator)
    top = _product_text(numerator)
    if not denominator:
        return top
    distances, others = _distances(denominator)
    if others:
        below = _product_text(others)
        top = Code(f"{top.within(PRODUCT)}/{below.within(PRODUCT + 1)}", PRODUCT)
    return Code("/".join([top.within(PRODUCT), *distances]), PRODUCT)


def _distances(factors: Sequence[Expression]) -> tuple[list[str], list[Expression]]:
    """Return each `hypot(a, b)` of squares of it, which may overflow, and the other factors."""
    distances: list[str] = []
    others: list[Expression] = []
    for factor in factors:
        is_square = factor.is_Pow and factor.exp == 2 and type(factor.base).__name__ == "hypot"
        if is_square:
            distances += [write(factor.base).text] * 2
        else:
            others.append(factor)
    return distances, others


def _guarded_quotient(numerator: Sequence[Expression], denominator: Sequence[Expression]) -> Code:
    infinite = [f for f in numerator if _may_be_infinite(f)]
    rest = [f for f in numerator if f not in infinite]
    if not denominator and all(f.is_number for f in rest):
        return _product_text(numerator)  # no factor is 0
    code = _product_text(rest)
    distances, others = _distances(denominator)
    for below in [*([_product_text(others).text] if others else []), *distances]:
        code = Code(f"divide_no_nan({code}, {below})")
    if infinite:
        code = Code(f"multiply_no_nan({code}, {_product_text(infinite)})")
    return code


def _may_be_infinite(factor: Expression) -> bool:
    """Say whether a factor has a pole, or overflows as a polynomial does."""
    return bool(
        factor.func is sympy_module().log
        or (factor.is_Pow and not factor.exp.is_nonnegative)
        or (factor.is_Add and factor.is_polynomial() and factor.has(sympy_module().Pow))
    )


def _product_text(factors: Sequence[Expression]) -> Code:
    if not factors:
        return Code("1")
    if len(factors) == 1:
        return _power(factors[0])
    parts = [_power(f).within(PRODUCT + (i > 0)) for i, f in enumerate(factors)]
    return Code("*".join(parts), PRODUCT)


def _power(factor: Expression) -> Code:
    if not factor.is_Pow:
        return write(factor)
    base, exponent = factor.args
    if exponent == sympy_module().Rational(1, 2):
        return Code(f"sqrt({write(base).text})")
    if exponent.is_Rational and exponent < 0:
        return write(factor)
    return Code(f"{write(base).within(ATOM)}**{write(exponent).within(UNARY)}", POWER)
