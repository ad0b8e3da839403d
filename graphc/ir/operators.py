"""The Python operators and array methods that a node answers to.

The IR says *which* operators exist; `graphc.build` binds what each one builds. Until then a node
is a plain value. Names and meanings are NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphc.ir.node import Node

Function = Callable[..., Any]

#: Function name -> function; filled once, when `graphc.build` is imported.
BINDINGS: dict[str, Function] = {}


def bind(functions: dict[str, Function]) -> None:
    """Bind array functions to the operators and methods of every node."""
    BINDINGS.update(functions)


def _binary(name: str) -> tuple[Function, Function]:
    def forward(self: Node, other: object) -> Node:
        return BINDINGS[name](self, other)

    def reflected(self: Node, other: object) -> Node:
        return BINDINGS[name](other, self)

    return forward, reflected


def _starting_with_zero(add: Function) -> Function:
    """Return an addition that leaves out the 0 with which Python's `sum` of nodes begins."""

    def reflected(self: Node, other: object) -> Node:
        is_start = type(other) is int and other == 0 and self.dtype.kind != "b"
        return self if is_start else add(self, other)

    return reflected


def _method(name: str) -> Function:
    def method(self: Node, *args: Any, **kwargs: Any) -> Any:
        return BINDINGS[name](self, *args, **kwargs)

    method.__name__ = name
    return method


class ArrayOperators:
    """Operators and methods of NumPy arrays, for nodes."""

    __slots__ = ()
    __array_priority__ = 1000
    #: SymPy converts no such object, and so leaves `N * x` of a dim to the node's `__rmul__`.
    __sympy__ = False

    if TYPE_CHECKING:  # what the assignments below provide, for the type checker
        T: Node

        def __add__(self, other: object) -> Node: ...
        def __radd__(self, other: object) -> Node: ...
        def __sub__(self, other: object) -> Node: ...
        def __rsub__(self, other: object) -> Node: ...
        def __mul__(self, other: object) -> Node: ...
        def __rmul__(self, other: object) -> Node: ...
        def __truediv__(self, other: object) -> Node: ...
        def __rtruediv__(self, other: object) -> Node: ...
        def __floordiv__(self, other: object) -> Node: ...
        def __mod__(self, other: object) -> Node: ...
        def __pow__(self, other: object) -> Node: ...
        def __rpow__(self, other: object) -> Node: ...
        def __matmul__(self, other: object) -> Node: ...
        def __rmatmul__(self, other: object) -> Node: ...
        def __lt__(self, other: object) -> Node: ...
        def __le__(self, other: object) -> Node: ...
        def __gt__(self, other: object) -> Node: ...
        def __ge__(self, other: object) -> Node: ...
        def __and__(self, other: object) -> Node: ...
        def __or__(self, other: object) -> Node: ...
        def __xor__(self, other: object) -> Node: ...
        def __neg__(self) -> Node: ...
        def __abs__(self) -> Node: ...
        def __invert__(self) -> Node: ...
        def __getitem__(self, index: Any) -> Node: ...
        def sum(self, axis: Any = None, *, keepdims: bool = False) -> Node: ...
        def mean(self, axis: Any = None, *, keepdims: bool = False) -> Node: ...
        def max(self, axis: Any = None, *, keepdims: bool = False) -> Node: ...
        def min(self, axis: Any = None, *, keepdims: bool = False) -> Node: ...
        def reshape(self, *shape: Any) -> Node: ...
        def transpose(self, *axes: Any) -> Node: ...
        def astype(self, dtype: Any) -> Node: ...
    else:
        __add__, __radd__ = _binary("add")[0], _starting_with_zero(_binary("add")[1])
        __sub__, __rsub__ = _binary("subtract")
        __mul__, __rmul__ = _binary("multiply")
        __truediv__, __rtruediv__ = _binary("divide")
        __floordiv__, __rfloordiv__ = _binary("floor_divide")
        __mod__, __rmod__ = _binary("remainder")
        __pow__, __rpow__ = _binary("power")
        __matmul__, __rmatmul__ = _binary("matmul")
        __and__, __rand__ = _binary("logical_and")
        __or__, __ror__ = _binary("logical_or")
        __xor__, __rxor__ = _binary("logical_xor")
        __lt__, __gt__ = _binary("less")[0], _binary("greater")[0]
        __le__, __ge__ = _binary("less_equal")[0], _binary("greater_equal")[0]
        __eq__, __ne__ = _binary("equal")[0], _binary("not_equal")[0]
        __hash__ = object.__hash__
        __neg__, __pos__ = _method("negative"), _method("positive")
        __abs__, __invert__ = _method("abs"), _method("logical_not")
        __getitem__ = _method("getitem")
        T = property(_method("matrix_transpose_all"))
        mT = property(_method("matrix_transpose"))  # noqa: N815  # NumPy's name
        sum, mean, prod = _method("sum"), _method("mean"), _method("prod")
        max, min = _method("max"), _method("min")
        var, std = _method("var"), _method("std")
        any, all = _method("any"), _method("all")
        argmax, argmin, argsort = _method("argmax"), _method("argmin"), _method("argsort")
        cumsum, cumprod = _method("cumsum"), _method("cumprod")
        dot, take, clip = _method("dot"), _method("take"), _method("clip")
        reshape, transpose = _method("reshape_method"), _method("transpose_method")
        ravel = flatten = _method("ravel")
        squeeze, swapaxes = _method("squeeze"), _method("swapaxes")
        repeat, trace = _method("repeat"), _method("trace")
        astype, round = _method("astype"), _method("round")
        __array_ufunc__ = _method("__array_ufunc__")
        __array_function__ = _method("__array_function__")
        __array_namespace__ = _method("__array_namespace__")
