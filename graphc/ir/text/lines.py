"""Cut a source into logical lines, in linear time, before Python's parser sees any of it.

One statement at a time keeps memory small for texts of any length, gives every error its line, and
means that a fault late in a file does not hide behind the parser's view of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: What decides where a statement ends: comments, strings, continued lines, brackets, newlines.
_TOKEN = re.compile(
    r"""(?P<skip>\#[^\n]*
        |\"{3}(?:[^"\\]++|\\.|"(?!""))*+\"{3}
        |'{3}(?:[^'\\]++|\\.|'(?!''))*+'{3}
        |"(?:[^"\\\n]++|\\.)*+"
        |'(?:[^'\\\n]++|\\.)*+'
        |\\\n)
        |(?P<open>[(\[{])
        |(?P<close>[)\]}])
        |(?P<newline>\n)""",
    re.VERBOSE | re.DOTALL,
)
_INDENT = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """One statement, or the head of a block: its text without indentation, and where it stands."""

    text: str
    indent: str
    line: int


def logical_lines(source: str) -> Iterator[LogicalLine]:
    """Return the statements of a source in order; blank lines and comments are left out."""
    depth, start, line = 0, 0, 1
    for token in _TOKEN.finditer(source):
        if token["open"]:
            depth += 1
        elif token["close"]:
            depth = max(0, depth - 1)
        elif token["newline"] and not depth:
            yield from _logical_line(source[start : token.start()], line)
            line += source.count("\n", start, token.end())
            start = token.end()
    yield from _logical_line(source[start:], line)


def _logical_line(raw: str, line: int) -> Iterator[LogicalLine]:
    indent = _INDENT.match(raw)
    text = raw[indent.end() :] if indent else raw
    if text.strip() and not text.startswith("#"):
        yield LogicalLine(text, indent[0] if indent else "", line)
