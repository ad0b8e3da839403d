"""Long arrays of numbers: constants of the module, as rows that fill the width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphc.emit.lines.wrapping import INDENT, WIDTH
from graphc.ir.code import Code, Notation

#: What a line has beside the expression: its indent, a variable, the comment's shape.
_BESIDE = 28
_SPECIAL = {"nan": "np.nan", "inf": "np.inf", "-inf": "-np.inf"}


def is_table(code: Code) -> bool:
    """Say whether an array of numbers, written so, is too long for a line."""
    return len(code.text) > WIDTH - _BESIDE


def table(name: str, array: np.ndarray, notation: Notation, indent: str = "") -> list[str]:
    """Return the statement that binds a name to an array of numbers.

    Rows of a matrix stay rows where they fit; other arrays are written flat, and reshaped.
    """
    words = _words(array)
    room = WIDTH - len(indent) - len(INDENT)
    lengths = [len(word) + 2 for word in words]
    if array.ndim == 2 and array.shape[1] * max(lengths) + 1 <= room:
        rows = np.array(words).reshape(array.shape).tolist()
        lines = [f"[{', '.join(row)}]," for row in rows]
        shape = ""
    else:
        a_line = max(1, (room + 1) // max(lengths))
        rows = [words[at : at + a_line] for at in range(0, len(words), a_line)]
        lines = [f"{', '.join(row)}," for row in rows]
        shape = f".reshape{notation.shape(array.shape)}" if array.ndim > 1 else ""
    end = f"], {notation.dtype(array.dtype)}){shape}"
    whole = [f"{name} = np.array([", *[INDENT + line for line in lines], end]
    return [indent + line for line in whole]


def tables(named: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the statements of a module's tables, which formatters are asked to leave."""
    lines = [line for statement in named.values() for line in statement]
    return ["", "# fmt: off", *lines, "# fmt: on"] if lines else []


def _words(array: np.ndarray) -> list[str]:
    """Return the numbers as text of one width, as short as their dtype allows."""
    flat = array.ravel()
    if array.dtype.kind == "b":
        words = [str(int(value)) for value in flat]
    else:
        words = [_SPECIAL.get(str(value), str(value)) for value in flat]
    width = max(map(len, words))
    return [word.rjust(width) for word in words]
