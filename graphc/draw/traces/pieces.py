"""What stands in a trace: variables, derivatives, numbers and words, in text, LaTeX and HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from graphc.draw.typography import (
    LOWERED,
    name_text,
    nested_text,
    printable,
    subscript,
    superscript,
)
from graphc.ir.code import ATOM, UNARY
from graphc.ir.latex_names import latex_escape, name_latex

#: Below this a number is written with three significant digits, above the other as a power of ten.
_SMALL, _LARGE = 0.01, 1e6
#: How far a number may be from three decimals, relatively, and still count as exact.
_EXACT = {"float32": 2e-6, "float64": 4e-15}

#: Arrays with more elements are told by their shape and norm.
_MOST_ELEMENTS = 6

_LAYERED = re.compile(r"(?P<stem>[^\W\d]*[^\W\d_])_?(?P<digits>\d+)")
_DIGITS = str.maketrans(LOWERED, "0123456789")


class Written(Protocol):
    """Anything that can be written in the three notations."""

    @property
    def text(self) -> str: ...
    @property
    def latex(self) -> str: ...
    @property
    def html(self) -> str: ...


#: What stands in one cell of a table, from left to right.
Phrase = Sequence[Written]


@dataclass(frozen=True)
class Piece:
    """A symbol or a word in the three notations, and how tightly it binds as an operand."""

    text: str
    latex: str
    html: str
    precedence: int = ATOM


def words(text: str) -> Piece:
    """Return plain words."""
    shown = printable(text) if text else ""
    return Piece(shown, rf"\text{{{latex_escape(shown)}}}" if shown else "", html.escape(shown))


def relation(sign: str) -> Piece:
    """Return a sign between two formulas; → leads from shapes to a shape."""
    latex = {"→": r"\to", "+=": r"\mathrel{+}="}.get(sign, sign)
    return Piece(f" {sign} ", f" {latex} ", f" {html.escape(sign)} ")


def variable(letter: str, number: int | None = None) -> Piece:
    """Return the value of a variable, v3; v stands for any."""
    return _indexed(letter, letter, number)


def adjoint(letter: str, number: int | None = None) -> Piece:
    """Return the adjoint of a variable, v̄3."""
    return _indexed(f"{letter}\N{COMBINING MACRON}", rf"\bar{{{letter}}}", number)


def tangent(letter: str, number: int | None = None) -> Piece:
    """Return the tangent of a variable in one direction, v̇3."""
    return _indexed(f"{letter}\N{COMBINING DOT ABOVE}", rf"\dot{{{letter}}}", number)


def _indexed(letter: str, latex: str, number: int | None) -> Piece:
    if number is None:
        return Piece(letter, latex, f"<i>{letter}</i>")
    return Piece(
        f"{letter}{number}", f"{latex}_{{{number}}}", f"<i>{letter}</i><sub>{number}</sub>"
    )


def derivative(top: Piece, bottom: Piece, d: str = "∂") -> Piece:
    """Return ∂top/∂bottom."""
    sign = {"∂": r"\partial "}.get(d, d)
    return Piece(
        f"{d}{top.text}/{d}{bottom.text}",
        rf"\frac{{{sign}{top.latex}}}{{{sign}{bottom.latex}}}",
        f"{d}{top.html}/{d}{bottom.html}",
    )


def named(name: str) -> Piece:
    """Return a user's name as it is written in the model; `y_star` is the lectures' y*."""
    starred = _starred(name)
    shown = printable(starred or name) if name else "␣"
    plain = f"‹{shown}›" if re.search(r"\s", shown) else shown
    return Piece(plain, name_latex(printable(name)), _name_html(name))


def element(name: str, indices: Sequence[str]) -> Piece:
    """Return a user's name as mathematics sets it, with indices: αⱼᵢ; W1 has elements W⁽¹⁾ᵢⱼ."""
    letters = "".join(indices)
    match = _LAYERED.fullmatch(name) if letters else None
    if match is None:
        below = f"<sub>{letters}</sub>" if letters else ""
        latex = name_latex(printable(name))
        if letters:
            latex = f"{{{latex}}}_{{{letters}}}" if "_" in latex else f"{latex}_{{{letters}}}"
        return Piece(name_text(name) + subscript(letters), latex, _name_html(name) + below)
    stem, digits = match["stem"], match["digits"]
    return Piece(
        f"{name_text(stem)}⁽{superscript(digits)}⁾{subscript(letters)}",
        f"{name_latex(stem)}^{{({digits})}}_{{{letters}}}",
        f"{_name_html(stem)}<sup>({digits})</sup><sub>{letters}</sub>",
    )


def _starred(name: str) -> str | None:
    stem = name.removesuffix("_star")
    return f"{stem}*" if stem != name and stem.isalpha() else None


def _name_html(name: str) -> str:
    """Return a name in italics, its number set lower."""
    pretty = html.escape(name_text(name))
    stem = pretty.rstrip(LOWERED)
    digits = pretty[len(stem) :].translate(_DIGITS)
    return f"<i>{stem}</i><sub>{digits}</sub>" if digits else f"<i>{pretty}</i>"


# -- numbers ---------------------------------------------------------------------------------


def quantity(value: np.ndarray) -> Piece:
    """Return a number as it is substituted, a short array's elements, or an array's shape."""
    if is_listed(value):
        return _plain(nested_text(value, decimal_text))
    if value.ndim:
        return _plain(f"[{', '.join(map(str, value.shape))}]")
    text = decimal_text(value)
    return _plain(text, UNARY if text.startswith("−") else ATOM)


def is_listed(value: np.ndarray) -> bool:
    """Say whether an array is so short that its elements are shown."""
    return value.ndim > 0 and 0 < value.size <= _MOST_ELEMENTS


def leads_to(value: np.ndarray) -> str:
    """Return the sign before a value: `=` before numbers, `→` before a shape."""
    return "→" if value.ndim and not is_listed(value) else "="


def result(value: np.ndarray) -> Phrase:
    """Return a number, a short array, or another's shape and norm, or its range for integers."""
    shape = quantity(value)
    if not value.ndim or not value.size or is_listed(value):
        return [shape]
    if value.dtype.kind == "f":
        norm = np.sqrt(np.square(value.astype(np.float64)).sum())
        return [shape, words(", norm "), _plain(decimal_text(norm))]
    low, high = (_plain(decimal_text(value.astype(np.int64).min())), value.astype(np.int64).max())
    return [shape, words(", "), low, words(" … "), _plain(decimal_text(high))]


def _plain(text: str, precedence: int = ATOM) -> Piece:
    latex = text.replace("−", "-").replace("∞", r"\infty")
    latex = re.sub(r"nan|true|false", lambda word: rf"\mathrm{{{word[0]}}}", latex)
    return Piece(text, power_of_ten(latex), text, precedence)


def power_of_ten(text: str) -> str:
    """Return a number's text in LaTeX: 3e-07 is 3 times a power of ten."""
    return re.sub(
        r"(?<=\d)e\+?(-?)0*(\d+)", lambda e: rf" \cdot 10^{{{e[1]}{e[2]}}}", text, count=1
    )


def decimal_text(value: Any) -> str:
    """Return a number with three decimals and a true minus sign; an exact one without zeros.

    >>> decimal_text(-0.958924), decimal_text(5.5), decimal_text(2.0), decimal_text(1.2345e-7)
    ('−0.959', '5.5', '2', '1.23e−7')
    """
    scalar = np.asarray(value)[()]
    if scalar.dtype.kind == "b":
        return str(bool(scalar)).lower()
    if scalar.dtype.kind in "iu":
        return str(int(scalar)).replace("-", "−")
    return _float_text(float(scalar), _EXACT.get(scalar.dtype.name, 4e-15)).replace("-", "−")


def _float_text(number: float, tolerance: float) -> str:
    if not np.isfinite(number):
        return "nan" if np.isnan(number) else ("∞" if number > 0 else "-∞")
    size = abs(number)
    if size >= _LARGE or 0 < size < _SMALL:
        text = f"{number:.3g}"
    else:
        text = f"{number:.3f}"
        if abs(float(text) - number) <= tolerance * max(size, 1.0):
            text = text.rstrip("0").rstrip(".")
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else ("0" if text == "-0" else text)
