"""How are names and numbers set? Subscripts, accents, bars, digits, and text widths."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir.latex_names import GREEK, with_accent_apart

#: Digits set lower, as an index is.
LOWERED = "₀₁₂₃₄₅₆₇₈₉"
_SUBSCRIPT = dict(
    zip("0123456789aehijklmnoprstuvx+-", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ₊₋", strict=True)
)
_SUPERSCRIPT = dict(
    zip(
        "0123456789-abcdefghijklmnoprstuvwxyz",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ",
        strict=True,
    )
)
_ACCENTS = {"hat": "\u0302", "tilde": "\u0303", "bar": "\u0304", "dot": "\u0307"}
_LONGEST_NAME = 48
_MACRON, _OVERLINE = "\u0304", "\u0305"
_LETTER = "[^\u0300-\u036f][\u0300-\u0304\u0306-\u036f]*"  # with its accents
#: A name and the number at its end: `h`, `2` for h2 and h_2.
NUMBERED = re.compile(r"(?P<stem>.*?[^\W\d_])_?(?P<digits>\d+)")


def printable(text: str) -> str:
    """Return the text on one line: what XML or a reader cannot take is written as an escape."""
    shown = [
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    ]
    return "".join(shown) or "␣"


def name_text(name: str) -> str:
    """Return a variable's name as mathematics sets it.

    >>> name_text("u1"), name_text("y_hat"), name_text("x_t"), name_text("alpha2")
    ('u₁', 'ŷ', 'xₜ', 'α₂')
    >>> name_text("y_star")  # the label, as lectures write it
    'y*'
    """
    name = with_accent_apart(shortened(name, _LONGEST_NAME))
    if not name.replace("−", "").isidentifier():
        return printable(name)
    starred = name.removesuffix("_star")
    if starred != name and starred.isalpha():
        return f"{_stem_text(starred)}*"
    match = NUMBERED.fullmatch(name)
    if match:
        return _stem_text(match["stem"]) + subscript(match["digits"])
    return _stem_text(name)


def _stem_text(stem: str) -> str:
    head, _, tail = stem.rpartition("_")
    if head.isalpha() and tail in _ACCENTS:
        return accented(_stem_text(head), _ACCENTS[tail])
    single = head.isalpha() and len(GREEK.get(head, head)) == 1
    if single and head != "d" and all(c in _SUBSCRIPT for c in tail):
        return GREEK.get(head, head) + subscript(tail)
    if head in GREEK:
        return f"{GREEK[head]}_{tail}"
    return GREEK.get(stem, stem)


def subscript(text: str) -> str:
    return "".join(_SUBSCRIPT.get(char, char) for char in text)


def superscript(text: str) -> str | None:
    """Return the text raised, or None where Unicode lacks a raised character."""
    raised = [_SUPERSCRIPT.get(char) for char in text.replace("−", "-")]
    return "".join(map(str, raised)) if all(raised) else None


def accented(text: str, mark: str) -> str:
    """Return the text with a combining mark on its first letter."""
    return unicodedata.normalize("NFC", text[:1] + mark) + text[1:]


def bar(name: str) -> str:
    """Return the name of an adjoint: a bar over the whole variable, subscripts left alone.

    A long name has a bar on every letter, which `overlined` joins, and so has a letter with an
    accent, which a bar in its place would cover.

    >>> bar("u₁")
    'ū₁'
    """
    stem = name.rstrip("".join(_SUBSCRIPT.values()))
    letters = [char for char in stem if not unicodedata.combining(char)]
    if len(letters) <= 1 and unicodedata.normalize("NFD", stem) in letters:
        return unicodedata.normalize("NFC", stem + _MACRON) + name[len(stem) :]
    return re.sub(_LETTER, rf"\g<0>{_OVERLINE}", stem) + name[len(stem) :]


def raised_exponents(text: str) -> str:
    """Return formula text with `x**2` as `x²` and `x.T` as `xᵀ`; other exponents keep `^`."""

    def raise_one(match: re.Match[str]) -> str:
        return superscript(match[1]) or f"^{match[1]}"

    raised = re.sub(r"\*\*([-−]?\w+(?:\.\d+)?)", raise_one, text).replace("**", "^")
    return re.sub(r"\.T\b", "ᵀ", raised)


# -- numbers ---------------------------------------------------------------------------------


def number_text(value: Any) -> str:
    """Return a number with four significant digits and a true minus sign.

    >>> number_text(-0.84009), number_text(1.0), number_text(1.23e-7)
    ('−0.8401', '1', '1.23e−7')
    """
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if isinstance(value, (int, np.integer)):
        return str(int(value)).replace("-", "−")
    number = float(value)
    if not math.isfinite(number):
        return "nan" if math.isnan(number) else ("∞" if number > 0 else "−∞")
    text = f"{number:.4g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa}e{int(exponent)}"
    return ("0" if text == "-0" else text).replace("-", "−")


def nested_text(array: np.ndarray, write: Callable[[Any], str]) -> str:
    """Return all numbers of a small array: `0.5`, `[[1, 2], [3, 4]]`."""
    if not array.ndim:
        return write(array[()])
    return f"[{', '.join(nested_text(part, write) for part in array)}]"


def literal_text(text: str) -> str:
    """Return a constant's literal, a long one shortened to six digits."""
    if len(text) <= 9:
        return text.replace("-", "−")
    try:
        return f"{float(text):.6g}".replace("-", "−")
    except ValueError:
        return text


def array_text(value: np.ndarray) -> list[str]:
    """Return the lines that tell a value: the number, a short list, or shape and size."""
    array = np.asarray(value)
    if array.ndim == 0:
        return [number_text(array[()])]
    if array.ndim == 1 and 0 < array.size <= 3:
        return [nested_text(array, number_text)]
    shape = "×".join(map(str, array.shape)) if array.ndim > 1 else f"{array.size} values"
    if array.size == 0:
        return [f"{shape}, empty"]
    if array.dtype.kind != "f":
        return [shape, f"{number_text(array.min())} … {number_text(array.max())}"]
    exact = array.astype(np.float64)
    return [
        shape,
        f"mean {number_text(exact.mean())}",
        f"‖·‖ {number_text(np.sqrt(np.square(exact).sum()))}",
    ]


# -- escapes and widths ----------------------------------------------------------------------


def escape(text: str) -> str:
    """Return text for a graphviz HTML-like label.

    Graphviz reads a node's name for `\\N` there, and refuses text of closing brackets alone.
    """
    safe = html.escape(printable(text) if text else "", quote=True).replace("\\", "\\\\")
    return safe if safe.strip("]") else safe.replace("]", "&#93;")


def italic(text: str) -> str:
    """Return an HTML-like label of an italic name; graphviz refuses an empty <I></I>."""
    return f"<I>{overlined(text)}</I>" if text else " "


def has_bar(text: str) -> bool:
    """Say whether a line stands over letters of the text, as `overlined` draws it."""
    return _OVERLINE in text


def overlined(text: str) -> str:
    """Return an HTML-like label in which one line stands over letters that have a bar each.

    Fonts set the bars of neighbours at different heights and lengths.

    >>> overlined("l\u0305o\u0305s\u0305s\u0305 / N")
    '<O>loss</O> / N'
    """
    parts = re.split(f"((?:{_LETTER}{_OVERLINE})+)", text)
    return "".join(
        f"<O>{escape(part.replace(_OVERLINE, ''))}</O>" if at % 2 else escape(part)
        for at, part in enumerate(parts)
    )


_ADVANCE = (
    "318 401 460 838 636 950 780 275 390 390 500 838 318 361 318 337 636 636 636 636 636 636 636 "
    "636 636 636 337 337 838 838 838 531 1000 684 686 698 770 632 575 775 752 295 295 656 557 863 "
    "748 787 603 787 695 635 611 732 684 989 685 611 685 390 337 390 838 500 500 613 635 550 635 "
    "615 352 635 634 278 278 579 278 974 634 612 635 635 411 521 392 634 592 818 592 592 525 636 "
    "337 636 838"
)
#: Advance widths of DejaVu Sans, in thousandths of the font size, for U+0020 … U+007E.
_WIDTHS = {chr(32 + i): int(width) for i, width in enumerate(_ADVANCE.split())}
_WIDTHS.update(dict.fromkeys(f"⁰¹²³⁴⁵⁶⁷⁸⁹{LOWERED}", 401))
_WIDTHS.update({"·": 318, "−": 838, "×": 838, "▸": 502, "◂": 502, "ᵀ": 385, "∂": 517, "‚": 318})


def text_width(text: str, size: float) -> float:
    """Return the width of text in points, as DejaVu Sans sets it (unknown letters count wide)."""
    plain = unicodedata.normalize("NFD", text)
    units = sum(
        0 if unicodedata.combining(char) else _WIDTHS.get(char, 680 if ord(char) < 0x2E80 else 1000)
        for char in plain
    )
    return units * size / 1000


def shortened(text: str, most: int) -> str:
    """Return text of at most so many characters; a longer one ends in an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def fitted(text: str, size: float, width: float) -> str:
    """Return text that is at most so wide, in points; a longer one ends in an ellipsis."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}…", size) > width:
        text = text[:-1]
    return f"{text}…"


def wrapped(text: str, limit: int) -> list[str]:
    """Return text in lines of about `limit` characters, broken at the outermost spaces.

    A sign between two operands begins a line, and never stands there alone.
    """
    lines: list[str] = []
    line, depth = "", 0
    for word in text.split(" "):
        if line and not depth and len(line) + len(word) >= limit and not _is_sign(line):
            before, _, last = line.rpartition(" ")
            carried = f"{last} " if before and _is_sign(last) else ""
            lines.append(before if carried else line)
            line = carried + word
        else:
            line = f"{line} {word}" if line else word
        depth += sum(word.count(c) for c in "([") - sum(word.count(c) for c in ")]")
    return [*lines, line]


def _is_sign(word: str) -> bool:
    return len(word) == 1 and not word.isalnum()


def listed(words: Sequence[str], limit: int = 6) -> str:
    """Return words joined by commas, the middle of a long list left out."""
    if len(words) <= limit:
        return ", ".join(words)
    return ", ".join([*words[: limit - 1], "…", words[-1]])
