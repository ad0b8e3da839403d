"""The title of a text: its docstring, `name: what the graph is`, or only what it is."""

from __future__ import annotations

import re

from graphc.ir.text.words import as_identifier, is_plain

#: The name of a graph that has none.
UNNAMED = "graph"
_TITLE = re.compile(r"(?P<name>[^\W\d]\w*):(?:[ \t\n]+|$)(?P<doc>.*)", re.DOTALL)

#: Quotes that would end the literal, or touch those that do.
_ENDING = re.compile(r'"{3}|"\Z')


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
    if name == UNNAMED and not _TITLE.fullmatch(doc):
        text = doc
    return f'"""{_escaped(text)}"""'.split("\n") if text else []


def _escaped(text: str) -> str:
    """Return the inside of a triple-quoted string literal of this text."""
    safe = "".join(map(_character, text))
    return _ENDING.sub(lambda quotes: '\\"' * len(quotes[0]), safe)


def _character(char: str) -> str:
    if char == "\\":
        return "\\\\"
    return char if char.isprintable() or char == "\n" else repr(char)[1:-1]
