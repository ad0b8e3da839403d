"""The symbol that a named dim is: SymPy's, with graphc's words where Python wants its number."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from graphc.errors import NodeValueError
from graphc.ir.provenance import user_location
from graphc.ir.symbols import sympy_module

if TYPE_CHECKING:
    import sympy


@cache
def dim_symbol(name: str) -> sympy.Symbol:
    """Return the positive integer symbol that stands for the dimension `name`."""
    return _symbol_class()(name, integer=True, positive=True)


@cache
def _symbol_class() -> Any:
    """Return the class of dims; SymPy sorts and writes by its name, which is that of its own."""
    symbol = sympy_module().Symbol
    own = {"__slots__": (), "__hash__": symbol.__hash__}
    return type("Symbol", (_Numberless, symbol), own)


class _Numberless:
    """What a dim has before SymPy's symbol, which it is equal to: a call fixes its number.

    The class is made where SymPy is first needed, so what it has of `Symbol` is not told here.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> Any:
        if self is other:
            return True
        symbol = sympy_module().Symbol
        content = symbol._hashable_content
        if type(other) is symbol:
            return bool(content(self) == content(other))
        return super().__eq__(other)

    def __reduce_ex__(self, protocol: object) -> Any:
        return dim_symbol, (self.name,)  # type: ignore[attr-defined]  # Symbol's

    def _eval_subs(self, old: Any, new: Any) -> Any:
        """Substitute for SymPy's own symbol of this name, too."""
        return new if old == self else None

    def sqrt(self) -> Any:
        """Return the root: `np.sqrt` calls this method of what is no array."""
        return self**0.5  # type: ignore[operator]  # Symbol's

    def log(self) -> NoReturn:
        """Raise: `np.log` calls this method of what is no array."""
        raise _without_number(str(self), f"gc.log({self})")

    def __index__(self) -> NoReturn:
        raise _without_number(
            str(self),
            f"gc.arange({self}) for its numbers, gc.zeros({self}) for an array, gc.scan for a loop "
            "along an axis; or a whole number in the input's shape",
        )

    __int__ = __index__

    def __float__(self) -> NoReturn:
        raise _without_number(str(self), f"gc.sqrt({self}) for math.sqrt; {self} * x needs none")


def _without_number(name: str, fix: str) -> NodeValueError:
    return NodeValueError(
        f"the dim {name} has no number yet: each call fixes it", where=user_location(), fix=fix
    )
