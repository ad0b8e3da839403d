"""The one door to SymPy: it is imported when the first symbolic dim or derivative needs it."""

from __future__ import annotations

from functools import cache
from types import ModuleType


@cache
def sympy_module() -> ModuleType:
    """Return SymPy; importing it costs 0.35 s, which models without symbols need not pay."""
    import sympy

    return sympy
