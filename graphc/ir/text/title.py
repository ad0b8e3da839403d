"""The title of a text: its docstring, `name: what the graph is`, or only what it is."""

from __future__ import annotations

import re

from graphc.ir.text.words import as_identifier, is_plain

#: The name of a graph that has none.
UNNAMED = "graph"
_TITLE = re.compile(r"(?P<name>[^\W\d]\w*):(?:[ \t\n]+|$)(?P<doc>.*)", re.DOTALL)


def read_title(text: str) -> tuple[str, str]:
    """Return the name and the description that a docstring gives.

    >>> read_title("mlp: two layers"), read_title("Two layers.")
    (('mlp', 'two layers'), ('graph', 'Two layers.'))
    """
    text = text.strip(" \t\n")
    title = _TITLE.fullmatch(text)
    return (title["name"], title["doc"]) if title else (UNNAMED, text)


def title_lines(name: str, doc: str) -> list[str]:
    """Return the docstring's lines; none where there is nothing to say."""
    name = name if is_plain(name) else as_identifier(name)
    text = f"{name}: {doc}" if doc else f"{name}:"
    if name == UNNAMED and not _TITLE.fullmatch(doc.strip(" \t\n")):
        text = doc
    return f'"""{_escaped(text)}"""'.split("\n") if text else []


def _escaped(text: str) -> str:
    """Return the inside of a triple-quoted string literal of this text."""
    safe = "".join(_character(char) for char in text).replace('"""', '\\"\\"\\"')
    return safe[:-1] + '\\"' if safe.endswith('"') else safe


def _character(char: str) -> str:
    if char == "\\":
        return "\\\\"
    return char if char.isprintable() or char == "\n" else repr(char)[1:-1]
