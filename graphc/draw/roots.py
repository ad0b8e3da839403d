"""Which decimals are roots that a textbook writes as such? √2 for 1.4142135."""

from __future__ import annotations

import math
from dataclasses import dataclass

_RADICANDS = {
    "2": 2.0,
    "3": 3.0,
    "π": math.pi,
    "2π": 2 * math.pi,
    "2/π": 2 / math.pi,
}
#: How many digits must agree: a short decimal is meant as it stands.
_DIGITS = 7


@dataclass(frozen=True)
class Root:
    """A root, or twice one."""

    factor: int
    radicand: str

    @property
    def text(self) -> str:
        """`√2`, `2√π`, `√(2π)`."""
        inside = self.radicand if len(self.radicand) == 1 else f"({self.radicand})"
        return f"{self._factor}√{inside}"

    @property
    def latex(self) -> str:
        r"""`\sqrt{2}`, `2\sqrt{\pi}`."""
        inside = self.radicand.replace("π", r"\pi")
        return rf"{self._factor}\sqrt{{{inside}}}"

    @property
    def _factor(self) -> str:
        return "" if self.factor == 1 else str(self.factor)


def root_of(text: str) -> Root | None:
    """Return the root that a decimal stands for, rounded to one of the float types.

    >>> root_of("1.4142135").text, root_of("3.5449077018110318").text, root_of("1.41")
    ('√2', '2√π', None)
    """
    digits = text.replace(".", "").lstrip("0")
    if not digits.isdigit() or len(digits) < _DIGITS:
        return None
    tolerance = 1e-6 if len(digits) < 12 else 1e-14
    for radicand, value in _RADICANDS.items():
        for factor in (1, 2):
            if math.isclose(float(text), factor * math.sqrt(value), rel_tol=tolerance):
                return Root(factor, radicand)
    return None
