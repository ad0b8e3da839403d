"""Can a derivative be had from the op's own output? Sigmoid's is `y*(1 - y)`: no exponential left.

From y = f(x), outer functions are undone one after the other (y = 1/(1 + E) gives 1 + E = 1/y, then
E = 1/y - 1), and every subexpression of the derivative whose value is known so is replaced.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphc.differentiate.formulas.kept_digits import softmax_of_two
from graphc.differentiate.formulas.symbolic import Expression, plain_function
from graphc.ir.symbols import sympy_module

#: A subexpression of f and its value in terms of y.
Equation = tuple[Expression, Expression]
#: What the functions are that `without_overflow` writes, and what one at -u is by that at u.
NAMED = ("sigmoid(u) = 1/(1 + exp(-u))", "tanh(u) = sinh(u)/cosh(u)")
MIRRORED = "sigmoid(-u) = 1 - sigmoid(u)"
_LONGEST_CHAIN = 8
_LARGEST_TO_EXPAND = 24
_LARGEST_FRACTION = 60


def undone(f: Expression, y: Expression) -> Iterator[list[Equation]]:
    """Yield chains of equations that follow from y = f, outermost first.

    A product of several factors can be solved for each of them, so there may be several chains.
    """
    pending: list[list[Equation]] = [[(f, y)]]
    while pending:
        chain = pending.pop()
        steps = list(_solved(*chain[-1])) if len(chain) < _LONGEST_CHAIN else []
        if steps:
            pending += [[*chain, step] for step in reversed(steps)]
        else:
            yield chain


def _solved(whole: Expression, value: Expression) -> Iterator[Equation]:
    """Yield (part, its value) for the parts that `whole = value` determines."""
    sympy = sympy_module()
    if whole.func is sympy.log:
        yield whole.args[0], sympy.exp(value)
    elif whole.is_Pow and whole.exp.is_Rational and (1 / whole.exp).is_Integer:
        yield whole.base, value ** (1 / whole.exp)
    elif whole.is_Add:
        constant, rest = whole.as_coeff_Add()
        if constant != 0:
            yield rest, value - constant
    elif whole.is_Mul:
        for factor in whole.args:
            if not factor.is_number:
                yield factor, value / (whole / factor)


def candidates(f: Expression, derivative: Expression, y: Expression) -> list[Expression]:
    """Return forms of the derivative that read y, each in its simplest writings."""
    found: dict[Expression, None] = {}
    for chain in undone(f, y):
        form = derivative
        for part, value in chain:
            form = form.xreplace({part: value})
        if y in form.free_symbols:
            found.update(dict.fromkeys(writings(form)))
    return list(found)


def writings(form: Expression) -> list[Expression]:
    """Return the form as it is, multiplied out, with common factors drawn out, as one fraction."""
    sympy = sympy_module()
    if form.is_Mul and len(form.atoms(sympy.exp)) > 1:
        form = sympy.powsimp(form, combine="exp")
    if not form.has(sympy.Add):
        return [form]
    size = sum(1 for _ in sympy.preorder_traversal(form))
    fraction = (
        _as_one_fraction(form) if size <= _LARGEST_FRACTION and _has_fraction_in_sum(form) else []
    )
    if size > _LARGEST_TO_EXPAND:
        return [form, *fraction]
    expanded = sympy.expand(form, power_base=False, log=False)
    if not expanded.is_Add or len(expanded.args) > 2:
        return [form, expanded, *fraction]
    factored = sympy.gcd_terms(expanded)
    return [form, expanded, factored, *fraction, *_with_one_sigmoid(factored)]


def _has_fraction_in_sum(form: Expression) -> bool:
    """Say whether a form is a rational function that is not written as one fraction."""
    sympy = sympy_module()
    if not form.is_rational_function():
        return False
    powers = (p for total in form.atoms(sympy.Add) for p in total.atoms(sympy.Pow))
    return any(p.exp.is_negative for p in powers)


def _as_one_fraction(form: Expression) -> list[Expression]:
    """Return a rational function as one fraction, a sign drawn into its denominator.

    In the first writing common factors are drawn out of both polynomials, in the second both are
    products of as many factors as there are.
    """
    sympy = sympy_module()
    numerator, denominator = sympy.cancel(form).as_numer_denom()
    if numerator.could_extract_minus_sign():
        numerator, denominator = -numerator, -denominator
    factored = sympy.factor(numerator) / sympy.factor(denominator)
    return [_compact(numerator) / _compact(denominator), factored]


def _compact(polynomial: Expression) -> Expression:
    """Return a polynomial with common factors drawn out; as a product where it holds a square."""
    sympy = sympy_module()
    factored = sympy.factor(polynomial)
    squares = any(part.is_Pow and part.base.is_Add for part in sympy.Mul.make_args(factored))
    return factored if squares else sympy.gcd_terms(polynomial)


def _with_one_sigmoid(form: Expression) -> Iterator[Expression]:
    """Yield the form with sigmoid(-u) written 1 - sigmoid(u) where sigmoid(u) is there too."""
    sigmoid = plain_function("sigmoid")
    for function in sorted(form.atoms(sigmoid), key=str):
        mirrored = sigmoid(-function.args[0])
        if form.has(mirrored):
            yield form.xreplace({mirrored: 1 - function})


def without_overflow(expression: Expression) -> Expression:
    """Return 1/(1 + exp(u)) as sigmoid(-u) and sinh(u)/cosh(u) as tanh(u), for no overflow."""
    sympy = sympy_module()
    sigmoid = plain_function("sigmoid")
    expression = softmax_of_two(expression)

    def rewrite(e: Expression) -> Expression:
        if e.is_Mul:
            e = _absorbed(_with_tanh(e))
            terms = sympy.Add.make_args(sympy.expand_mul(e)) if e.has(sigmoid) else (e,)
            absorbed = sympy.Add(*map(_absorbed, terms))
            return absorbed if absorbed.count(sympy.exp) < e.count(sympy.exp) else e
        exponential = _one_plus_exp(e.base)
        if exponential is None or not e.exp.is_negative:
            return e
        return sigmoid(-exponential.args[0]) ** -e.exp

    return expression.replace(lambda e: e.is_Mul or e.is_Pow, rewrite)


def _with_tanh(product: Expression) -> Expression:
    """Return sinh(u)**n/cosh(u)**m in a product as tanh(u)**n*cosh(u)**(n - m), n not above m."""
    sympy = sympy_module()
    powers = product.as_powers_dict()
    for factor, power in list(powers.items()):
        if factor.func is sympy.sinh and power.is_positive:
            below = sympy.cosh(factor.args[0])
            if (powers[below] + power).is_nonpositive:
                product = product / factor**power * below**power * sympy.tanh(*factor.args) ** power
    return product


def _absorbed(product: Expression) -> Expression:
    """Return exp(u)*sigmoid(-u) in a product as sigmoid(u), and so for whole powers of them."""
    sympy = sympy_module()
    sigmoid = plain_function("sigmoid")
    for factor in sympy.Mul.make_args(product):
        share, power = factor.as_base_exp()
        if share.func is not sigmoid or not power.is_Integer:
            continue
        u = -share.args[0]
        for exponential in sympy.Mul.make_args(product):
            count = exponential.args[0] / u if exponential.func is sympy.exp else None
            if count is not None and count.is_Integer and 0 < count <= power:
                return _absorbed(product / exponential / share**count * sigmoid(u) ** count)
    return product


def _one_plus_exp(total: Expression) -> Expression | None:
    """Return exp(u) of a sum 1 + exp(u), else None."""
    sympy = sympy_module()
    if not (total.is_Add and len(total.args) == 2 and total.args[0] == 1):
        return None
    return total.args[1] if total.args[1].func is sympy.exp else None
