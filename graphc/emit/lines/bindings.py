"""Several names bound at once, and variables called otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from graphc.emit.lines.sources import alike
from graphc.emit.lines.wrapping import INDENT, WIDTH

#: Room for what stands on the other side of an assignment of several.
_BESIDE = 24
_STRING = re.compile(r'("(?:[^"\\]|\\.)*")')


def renamed(line: str, word: re.Pattern[str], to: str) -> str:
    """Return a line with a variable called otherwise, but not in its strings."""
    pieces = _STRING.split(line)
    pieces[::2] = [word.sub(to, piece) for piece in pieces[::2]]
    return alike(["".join(pieces)], line)[0]


def word_of(name: str) -> re.Pattern[str]:
    """Return the pattern of a variable: not that of an attribute, or of an argument's name."""
    return re.compile(rf"(?<![.\w]){re.escape(name)}\b(?!=)")


def bound(pairs: Sequence[tuple[str, str]]) -> str:
    """Return the line that binds several names at once."""
    names, values = zip(*pairs, strict=True)
    return f"{', '.join(names)} = {', '.join(values)}"


def by_layer(pairs: Sequence[tuple[str, str]], indent: str) -> list[list[tuple[str, str]]]:
    """Return the names that are bound together: those of a layer, each alone where it is long.

    The values tell the layers apart, `state["block3.W"]` that of `block3`.
    """
    found: list[list[tuple[str, str]]] = []
    for _, group in groupby(pairs, key=lambda pair: pair[1].rpartition(".")[0] or pair[1]):
        layer = [*group]
        is_short = len(indent + bound(layer)) <= WIDTH
        found += [layer] if is_short else [[pair] for pair in layer]
    return found


def row_of(words: Sequence[str]) -> str:
    """Return a row that a loop goes over: a tuple, or a single value."""
    return f"({', '.join(words)})" if len(words) > 1 else words[0]


def several(words: Sequence[str], before: str) -> list[str]:
    """Return several words as they are bound and kept together: a tuple, or a single value."""
    together = ", ".join(words)
    if len(before) + len(together) + _BESIDE <= WIDTH:
        return [together]
    return ["(", *[f"{INDENT}{word}," for word in words], ")"]
