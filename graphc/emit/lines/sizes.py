"""Long numbers made of dims: a variable of their own where a line has no room for them.

Broken into calls of NumPy's functions, they would no longer be Python's numbers, which take the
dtype of what they meet: float32 divided by an int64 of NumPy's is float64.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence

from graphc.emit.lines.brackets import CLOSING, contents, places
from graphc.emit.lines.names import Namer
from graphc.emit.lines.sources import alike
from graphc.emit.lines.wrapping import WIDTH

#: A shorter number leaves a line as long as it was.
_LONG = 24
_STATEMENT = re.compile(r"\s*(?:\w+(?:\[[^=]*\])? [-+*/]?= |\w+[.\[(])")
_ARITHMETIC = re.compile(r"[\w\s+*/%()-]*[+*/%-][\w\s+*/%()-]*")


def with_sizes_apart(lines: Sequence[str], dims: Container[str], namer: Namer) -> list[str]:
    """Return the lines of a function, with long numbers made of dims in lines of their own."""
    kept: list[str] = []
    depth = 0
    for line in lines:
        is_statement = depth == 0 and len(line) > WIDTH and _STATEMENT.match(line)
        depth += sum(1 if line[at] in CLOSING else -1 for at, _ in places(line) if line[at] != ",")
        size = max(_sizes(line, dims), key=len, default="") if is_statement else ""
        if depth == 0 and len(size) >= _LONG:
            name = namer.fresh("size")
            indent = line[: len(line) - len(line.lstrip())]
            above = bool(kept) and kept[-1].lstrip().startswith("# [")  # the line's own comment
            kept[len(kept) - above : len(kept) - above] = alike([f"{indent}{name} = {size}"], line)
            shorter = line.replace(f" ({size})", f" {name}").replace(size, name)
            kept += alike([shorter], line)
        else:
            kept.append(line)
    return kept


def _sizes(line: str, dims: Container[str]) -> Iterator[str]:
    """Yield what stands in brackets, or between commas there, and is arithmetic on dims alone."""
    for words in contents(line):
        for word in words:
            names = re.findall(r"\w+", word) if _ARITHMETIC.fullmatch(word) else [""]
            if all(n.isdecimal() or n in dims for n in names):
                yield word
