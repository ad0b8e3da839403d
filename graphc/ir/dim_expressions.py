"""How is an expression of dims written in Python? So that reading it gives this very expression.

SymPy sorts and simplifies what it is given, operation by operation: 2*(N + 1) becomes 2*N + 2, and
Python takes 1/2 for 0.5. So factors and fractions are written in an order of operations from which
SymPy makes the expression again, and floats with all of their digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from graphc.ir.symbols import sympy_module

# Precedence of what is written, low to high. Quotients that are rounded, and remainders, stand as
# they are in a sum only: 2*(N//2) needs the parentheses.
_COMPARISON, _SUM, _ROUNDED, _PRODUCT, _UNARY, _POWER, _ATOM = range(7)


def dim_expression(dim: Any, rename: Mapping[str, str], is_exact: bool = False) -> str:
    """Return an expression of dims as Python: floor(a/b) is written a//b.

    `is_exact` says that what is read is not multiplied out again, as a size is: floor(N/s - k/s)
    is another expression than (N - k)//s.

    >>> from graphc.ir.dim_symbols import dim_symbol
    >>> N = dim_symbol("N")
    >>> [dim_expression(e, {}) for e in ((N + 1) / 2, N // 2 + 1, 1 / N**0.5, N % 3)]
    ['(N + 1)/2', 'N//2 + 1', 'N**(-0.5)', 'N % 3']
    """
    return _Writer(dim, rename, is_exact).written(dim)[0]


def is_arithmetic(dim: Any) -> bool:
    """Say whether Python's operators make this expression of dims and numbers.

    >>> from graphc.ir.dim_symbols import dim_symbol
    >>> N = dim_symbol("N")
    >>> is_arithmetic((N % 2) / N**0.5), is_arithmetic(abs(N - 3))
    (True, False)
    """
    parts = sympy_module().preorder_traversal(dim)
    return all(
        part.is_Symbol or part.is_Rational or part.is_Float or part.func.__name__ in _Writer._RULES
        for part in parts
    )


class _Writer:
    """Writes the parts of one expression; each rule returns a text and its precedence."""

    def __init__(
        self, dim: Any, rename: Mapping[str, str], is_exact: bool, order: str | None = "lex"
    ) -> None:
        names = sorted(symbol.name for symbol in dim.free_symbols)
        self.rename = rename
        self.is_exact = is_exact
        self.order = order
        #: A dim of the expression: a ratio that stands alone is written N/(3*N), as 1/3 is a float.
        self.any_dim = rename.get(names[0], names[0]) if names else "1"

    def written(self, dim: Any) -> tuple[str, int]:
        rule = self._RULES.get(dim.func.__name__)
        if rule is not None:
            return rule(self, dim)
        if dim.is_Symbol:
            return self.rename.get(dim.name, dim.name), _ATOM
        if dim.is_Rational and not dim.is_Integer:
            return self._ratio(dim)
        is_number = dim.is_Float or dim.is_Integer
        text = repr(float(dim)) if dim.is_Float else sympy_module().sstr(dim, order="lex")
        return text, _UNARY if is_number and dim.is_negative else _ATOM

    def within(self, dim: Any, precedence: int) -> str:
        """Return the text, in parentheses where it binds less tightly than `precedence`."""
        text, own = self.written(dim)
        return text if own >= precedence else f"({text})"

    def _ratio(self, number: Any) -> tuple[str, int]:
        above = self.any_dim if number.p == 1 else f"{number.p}*{self.any_dim}"
        return f"{above}/({number.q}*{self.any_dim})", _PRODUCT

    # -- sums --------------------------------------------------------------------------------

    def _sum(self, dim: Any) -> tuple[str, int]:
        terms = dim.as_ordered_terms(order=self.order)
        cleared = _cleared(dim)
        if cleared is not None and any(x.is_Rational and not x.is_Integer for x in terms):
            return self._quotient(*cleared, "/"), _PRODUCT
        text = self.within(terms[0], _ROUNDED)
        for term in terms[1:]:
            number, rest = term.as_coeff_Mul()
            if number == -1 and number.is_Integer:
                text += f" - {self.within(rest, _ROUNDED)}"
                continue
            written = self.within(term, _ROUNDED)
            text += f" - {written[1:]}" if written.startswith("-") else f" + {written}"
        return text, _SUM

    # -- products, quotients and powers ------------------------------------------------------

    def _product(self, dim: Any) -> tuple[str, int]:
        number, rest = dim.as_coeff_Mul()
        count, divisor = (number.p, number.q) if number.is_Rational else (number, 1)
        above, below = _factors(rest)
        # A sum that meets a number first would be multiplied out, so the number comes last.
        is_last = bool(above) and above[0].is_Add
        count = sympy_module().sympify(count)
        is_one, is_minus = (count.is_Integer and count == sign for sign in (1, -1))
        words = [self.within(factor, _POWER) for factor in above]
        if is_minus and words and not is_last:
            words[0] = f"-{words[0]}"
        elif not words or not (is_one or is_last):
            words.insert(0, self.written(count)[0])
        text = "*".join(words) + "".join([f"/{self.within(x, _POWER)}" for x in below])
        if is_last and is_minus:
            text = f"-({text})"
        elif is_last and not is_one:
            text += f"*{self.within(count, _POWER)}"
        text += f"/{divisor}" if divisor != 1 else ""
        is_negated = text.startswith("-") and len(above) == 1 and not below and divisor == 1
        return text, _UNARY if is_negated else _PRODUCT

    def _power(self, dim: Any) -> tuple[str, int]:
        base, exponent = dim.args
        if exponent == -1 and exponent.is_Integer:
            return f"1/{self.within(base, _POWER)}", _PRODUCT
        return f"{self.within(base, _ATOM)}**{self.within(exponent, _ATOM)}", _POWER

    def _floor(self, dim: Any) -> tuple[str, int]:
        inner = dim.args[0]
        numerator, denominator = sympy_module().together(inner).as_numer_denom()
        if self.is_exact and numerator / denominator != inner:
            numerator, denominator = _cleared(inner) or (inner, sympy_module().Integer(1))
        # SymPy's own order writes a sum in parentheses as readers do: (3 - N)//2.
        inside = _Writer(dim, self.rename, self.is_exact, order=None)
        return inside._quotient(numerator, denominator, "//"), _ROUNDED

    def _remainder(self, dim: Any) -> tuple[str, int]:
        a, b = dim.args
        return self._quotient(a, b, " % "), _ROUNDED

    def _comparison(self, dim: Any) -> tuple[str, int]:
        sides = self.within(dim.lhs, _SUM), self.within(dim.rhs, _SUM)
        return f"{sides[0]} {dim.rel_op} {sides[1]}", _COMPARISON

    def _quotient(self, a: Any, b: Any, sign: str) -> str:
        return f"{self.within(a, _ATOM)}{sign}{self.within(b, _ATOM)}"

    _RULES: ClassVar[dict[str, Callable[[_Writer, Any], tuple[str, int]]]] = {
        "Add": _sum,
        "Mul": _product,
        "Pow": _power,
        "floor": _floor,
        "Mod": _remainder,
        "StrictLessThan": _comparison,
        "LessThan": _comparison,
        "StrictGreaterThan": _comparison,
        "GreaterThan": _comparison,
    }


def _cleared(dim: Any) -> tuple[Any, Any] | None:
    """Return (a, q) with dim being a/q: (N + 1, 2) for N/2 + 1/2. None beside floats."""
    sympy = sympy_module()
    terms = sympy.Add.make_args(dim)
    numbers = [term.as_coeff_Mul()[0] for term in terms]
    if not all(number.is_Rational for number in numbers):
        return None
    scale = sympy.Integer(math.lcm(*[number.q for number in numbers]))
    scaled = sympy.Add(*[scale * term for term in terms])
    return (scaled, scale) if scaled / scale == dim else None


def _factors(product: Any) -> tuple[list[Any], list[Any]]:
    """Return what stands above and below the line; sums come last above it."""
    above, below = [], []
    for factor in product.as_ordered_factors():
        is_below = factor.is_Pow and factor.exp.is_Integer and factor.exp.is_negative
        if is_below:
            below.append(1 / factor)
        else:
            above.append(factor)
    return sorted(above, key=lambda factor: bool(factor.is_Add)), below
