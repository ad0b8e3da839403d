"""Words of the text form, and how any string becomes an identifier or a literal of it."""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Iterable

from graphc.ir.types import DTYPES, SHORT

#: Words that start a declaration, a statement or a form of the text's own.
FORMS = (
    "input", "param", "dim", "output", "update",
    "scope", "checkpoint", "phase", "named", "node",
)  # fmt: skip

#: Names of dtypes, short and long.
DTYPE_WORDS = DTYPES | {short: dtype for dtype, short in SHORT.items()}

#: Names of numbers that Python has no literal for.
NUMBERS = {"inf": math.inf, "nan": math.nan, "pi": math.pi}

#: A name that the printer gives, and what stands for it until all of them are numbered.
_NUMBERED = re.compile(r"\bv\d+\b|\0\d+\0")

#: Words that no value and no dim may take.
RESERVED = frozenset([*DTYPE_WORDS, "inf", "nan"])


def text_length(text: str) -> int:
    """Return the length of a line, all names such as v12 being taken as equally long."""
    return len(_NUMBERED.sub("v000", text))


def is_plain(name: str) -> bool:
    """Say whether Python reads `name` back as this very identifier.

    Python normalizes identifiers (`ﬁ` becomes `fi`), so a name that is not normal is not plain.

    >>> [is_plain(name) for name in ("W", "α", "lambda", "x y", "ﬁt")]
    [True, True, False, False, False]
    """
    return (
        name.isidentifier()
        and not keyword.iskeyword(name)
        and unicodedata.normalize("NFKC", name) == name
    )


def as_identifier(name: str) -> str:
    """Return an identifier that resembles any string.

    >>> [as_identifier(name) for name in ("hidden1.W", "lambda", "2x", "")]
    ['hidden1_W', 'lambda_', '_2x', '_']
    """
    word = re.sub(r"\W", "_", unicodedata.normalize("NFKC", name))
    if not word.isidentifier():
        word = "_" + word
    if not is_plain(word):
        word = f"{word}_" if is_plain(f"{word}_") else re.sub(r"[^A-Za-z0-9_]", "_", word)
    return word


def assign_identifiers(names: Iterable[str], reserved: Iterable[str]) -> list[str]:
    """Return one identifier for each name, all different; plain names keep their own."""
    wanted = list(names)
    taken = set(reserved)
    result: list[str | None] = []
    for name in wanted:
        keeps = is_plain(name) and name not in taken
        result.append(name if keeps else None)
        if keeps:
            taken.add(name)
    numbers: dict[str, int] = {}
    for i, name in enumerate(wanted):
        if result[i] is None:
            result[i] = _free(as_identifier(name), taken, numbers)
            taken.add(str(result[i]))
    return [str(identifier) for identifier in result]


def _free(word: str, taken: set[str], numbers: dict[str, int]) -> str:
    if word in taken and f"{word}_" not in taken:
        return f"{word}_"
    number, candidate = numbers.get(word, 2), word
    while candidate in taken:
        candidate = f"{word}_{number}"
        number += 1
    numbers[word] = number
    return candidate


def called_words(text: str) -> list[str]:
    """Return the names that a text calls.

    >>> called_words("scaled(glorot_uniform(), 2.0)")
    ['scaled', 'glorot_uniform']
    """
    return re.findall(r"(\w+)\(", text)


def quoted(text: str) -> str:
    """Return a string literal, in double quotes where that needs no escape.

    >>> print(quoted("x y"), quoted('a"b'))
    "x y" 'a"b'
    """
    literal = repr(text)
    return f'"{literal[1:-1]}"' if literal[0] == "'" and '"' not in text else literal
