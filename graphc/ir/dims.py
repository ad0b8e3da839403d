"""Dimensions: an int, or a SymPy expression over named positive integer symbols.

Every function takes the integer path first and touches SymPy only for a symbolic dim.
Named dims are rigid: `N` agrees with `N` and with nothing else, so a mismatch is found while
the graph is built.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from graphc.errors import GraphError
from graphc.ir.attributes import plain
from graphc.ir.dim_expressions import dim_expression, is_arithmetic
from graphc.ir.dim_symbols import dim_symbol
from graphc.ir.provenance import user_error, user_location
from graphc.ir.symbols import sympy_module

if TYPE_CHECKING:
    import sympy

Dim: TypeAlias = "int | sympy.Expr"
Shape: TypeAlias = "tuple[Dim, ...]"

_OPEN = "a size that each call fixes has a name, such as 'N'"


def as_dim(value: object) -> Dim:
    """Return `value` as a dim: an integer, a name, or a SymPy expression of dims."""
    if isinstance(value, (bool, np.bool_)):  # which Python and older NumPy take for 0 or 1
        raise _no_dim(value)
    if isinstance(value, int):
        if value < 0:
            fix = _OPEN if value == -1 else None
            where = user_location()
            raise GraphError("a dimension cannot be negative", where=where, got=value, fix=fix)
        return int(value)
    if isinstance(value, str):
        if not value.isidentifier():
            raise _no_name(value)
        return dim_symbol(value)
    if hasattr(value, "free_symbols") and isinstance(value, sympy_module().Expr):
        return normal(value)
    try:
        return as_dim(value.__index__())  # type: ignore[attr-defined]  # the call is the check
    except AttributeError:
        raise _no_dim(value) from None


def _no_dim(value: object) -> GraphError:
    return user_error(
        "not a dimension",
        got=f"{value!r} of type {type(value).__name__}",
        expected="an int, a name such as 'N', or an expression of gc.dim(...)",
        fix=_instead_of_dim(value),
    )


def _instead_of_dim(value: object) -> str | None:
    """Return what is written where other libraries take None for a dim, or where rows stand."""
    if value is None:
        return _OPEN
    if isinstance(value, list):
        return "numbers are no shape: gc.param(name, W.shape, init=W), or gc.constant(W)"
    return None


def _no_name(text: str) -> GraphError:
    is_number = text.strip().isdecimal()
    return user_error(
        "a dimension is a whole number or a name",
        got=repr(text),
        expected="an int, a name that is an identifier, or an expression of gc.dim(...)",
        fix=f"write {int(text)}, without quotes" if is_number else _name_of_dims(text),
    )


def _name_of_dims(text: str) -> str:
    """Return how the sizes of a text such as "N, 3" are written."""
    parts = [part.strip() for part in text.strip("()[]").split(",")]
    if len(parts) < 2 or not all(part.isdecimal() or part.isidentifier() for part in parts):
        return 'write gc.dim("N")'
    shown = [part if part.isdecimal() else f'"{part}"' for part in parts]
    return f"a shape is a tuple: ({', '.join(shown)})"


def as_shape(values: object) -> Shape:
    """Return a shape from one dim or an iterable of dims."""
    values = plain(values)
    if isinstance(values, (list, tuple)):
        return tuple(as_dim(value) for value in values)
    return (as_dim(values),)


def normal(dim: object) -> Dim:
    """Return a symbolic dim in expanded form, and an int when it is a number."""
    if isinstance(dim, int):
        return dim
    expanded = sympy_module().expand(dim)
    return int(expanded) if expanded.is_Integer else expanded


def same(a: Dim, b: Dim) -> bool:
    """Say whether two dims are equal for every value of their symbols."""
    if a is b:
        return True
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    return bool(a == b) or normal(a - b) == 0


def same_shape(a: Shape, b: Shape) -> bool:
    """Say whether two shapes are equal for every value of their symbols."""
    return a is b or (len(a) == len(b) and all(map(same, a, b)))


def product(dims: Iterable[Dim]) -> Dim:
    """Return the product of dims; 1 for none."""
    result: Dim = 1
    for dim in dims:
        result = result * dim
    return normal(result)


def typical_size(dims: Iterable[Dim]) -> int:
    """Return the product of dims, named ones taken to be of a usual length: to compare costs."""
    return math.prod(dim if isinstance(dim, int) else 64 for dim in dims)


def add(a: Dim, b: Dim) -> Dim:
    """Return a + b."""
    return normal(a + b)


def floor_divide(a: Dim, b: Dim) -> Dim:
    """Return floor(a / b), exact where b divides a."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    sympy = sympy_module()
    return normal(sympy.floor(sympy.sympify(a) / b))


def remainder(a: Dim, b: Dim) -> Any:
    """Return a % b as it stands: what SymPy simplifies once, it may simplify again."""
    return sympy_module().Mod(a, b, evaluate=False)


def as_number(value: Any) -> bool | int | float | sympy.Expr:
    """Return an expression of dims as a number; one that depends on no dim as Python's own.

    A comparison of dims is such a number too, a truth value.
    **Raises.** GraphError for what is not real, and for what Python's operators do not make.
    """
    is_truth_value = value.is_Boolean and not value.is_Symbol
    if not is_truth_value and value.is_extended_real is False:
        raise GraphError("not a real number", got=str(value))
    if not value.free_symbols:
        return _plain(value)
    if not is_arithmetic(value):
        raise GraphError(
            "this number is made from dims by more than Python's operators",
            got=str(value),
            expected="dims and numbers, combined by +, -, *, /, //, % and **",
            fix="use graphc's function, such as gc.maximum, gc.abs or gc.sqrt",
        )
    return value


def _plain(value: Any) -> Any:
    """Return the number of Python's that SymPy's number or truth value is."""
    if value.is_Boolean:
        return bool(value)
    if value.is_infinite and not value.is_extended_real:  # SymPy's 1/0, not a bound
        raise ZeroDivisionError
    return int(value) if value.is_Integer else float(value)


def divide_exactly(a: Dim, b: Dim) -> Dim | None:
    """Return a / b where it is a dim for every value of the symbols, else None."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b if b and a % b == 0 else None
    quotient = sympy_module().cancel(sympy_module().sympify(a) / b)
    if quotient.is_integer or quotient.is_polynomial(*quotient.free_symbols):
        return normal(quotient) if quotient.is_integer else None
    return None


def symbols_of(shape: Iterable[Dim]) -> list[str]:
    """Return the names of the symbols in a shape, in order of first appearance."""
    names: dict[str, None] = {}
    for dim in shape:
        if not isinstance(dim, int):
            names.update(dict.fromkeys(sorted(s.name for s in dim.free_symbols)))
    return list(names)


def linear_parts(dim: Dim, name: str) -> tuple[Dim, Dim] | None:
    """Return (a, b) of a dim that is a*name + b, with neither holding the symbol, else None.

    >>> from graphc.ir.dim_symbols import dim_symbol
    >>> linear_parts(2 * dim_symbol("K") + 1, "K")
    (2, 1)
    """
    if isinstance(dim, int):
        return None
    symbol = dim_symbol(name)
    whole = sympy_module().expand(dim)
    slope = whole.coeff(symbol, 1)
    rest = whole - slope * symbol
    if slope == 0 or not slope.is_integer or slope.has(symbol) or rest.has(symbol):
        return None
    return normal(slope), normal(rest)


def evaluate(dim: Dim, sizes: Mapping[str, int]) -> Any:
    """Return a dim's value when its symbols have the given sizes.

    A number made from dims need not be whole: N/2 is 1.5 for N = 3, and N > 2 is True.
    """
    if isinstance(dim, int):
        return dim
    if dim.is_Symbol:
        return sizes[dim.name]
    return _plain(dim.subs({symbol: sizes[symbol.name] for symbol in dim.free_symbols}))


def evaluate_shape(shape: Shape, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return a shape's value when its symbols have the given sizes."""
    return tuple(evaluate(dim, sizes) for dim in shape)


def broadcast_shapes(*shapes: Shape) -> Shape | None:
    """Return the shape that NumPy broadcasting gives, or None where the shapes do not fit."""
    rank = max(map(len, shapes), default=0)
    result: list[Dim] = []
    for axis in range(-rank, 0):
        dims = [shape[axis] for shape in shapes if len(shape) >= -axis]
        others = [dim for dim in dims if not (isinstance(dim, int) and dim == 1)]
        if any(not same(others[0], dim) for dim in others[1:]):
            return None
        result.append(others[0] if others else 1)
    return tuple(result)


def dim_text(dim: Dim, rename: Mapping[str, str] | None = None, is_exact: bool = False) -> str:
    """Return a dim as a Python expression: floor(a/b) is written a//b.

    `is_exact` is for a number made from dims, which is not multiplied out again as a size is.

    >>> from graphc.ir.dim_symbols import dim_symbol
    >>> dim_text(floor_divide(dim_symbol("W") - 3, 2) + 1)
    '(W - 3)//2 + 1'
    """
    if isinstance(dim, int):
        return str(dim)
    if dim.is_Symbol:
        return rename.get(dim.name, dim.name) if rename else dim.name
    return dim_expression(dim, rename or {}, is_exact)


def size_text(dim: Dim, rename: Mapping[str, str] | None = None) -> str:
    """Return a dim as a Python expression that gives an int: N/2, which is whole, as N//2.

    >>> from graphc.ir.dim_symbols import dim_symbol
    >>> size_text((dim_symbol("N") + 1) / 2)
    '(N + 1)//2'
    """
    if isinstance(dim, int) or dim.is_Symbol:
        return dim_text(dim, rename)
    numerator, denominator = sympy_module().together(dim).as_numer_denom()
    if denominator == 1:
        return dim_text(dim, rename)
    return dim_expression(sympy_module().floor(numerator / denominator), rename or {})


def shape_text(shape: Shape) -> str:
    """Return a shape as readers write it: `[N, 784]`."""
    return "[" + ", ".join(map(dim_text, shape)) + "]"
