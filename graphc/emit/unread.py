"""Variables that nobody reads: a call that writes into an array needs none for its result."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from graphc.emit.lines.sources import alike

#: `name = a.dot(b, out=c)`, and `name = a.reshape(2, 3)`, which does nothing else.
_RECEIVER = r"\w+(?:\.\w+|\([^()]*\)|\[[^\[\]]*\])*"
_WRITTEN = re.compile(rf"(\s*)(\w+) = ({_RECEIVER}\.\w+\(.*\bout=\w+\)(?:  #.*)?)")
_VIEW = re.compile(r"\s*(\w+) = \w+(?:\.(?:reshape|swapaxes|transpose)\([^()]*\)|\.T|\[[^()]*\])+")
_WORD = re.compile(r"\w+")


def without_unread(lines: Sequence[str]) -> list[str]:
    """Return the lines of a function without variables that nobody reads.

    A call with an `out` stays, but is bound to nothing; a view goes, with the comment above it.
    """
    codes = [line.partition("  #")[0] for line in lines]
    count = Counter(word for code in codes for word in _WORD.findall(code))
    kept: list[str] = []
    for line, code in zip(lines, codes, strict=True):
        written, view = _WRITTEN.fullmatch(line), _VIEW.fullmatch(code)
        if view and count[view.group(1)] == 1:
            if kept and kept[-1].lstrip().startswith("# [") and line == code:
                kept.pop()
        elif written and count[written.group(2)] == 1:
            kept += alike([written.group(1) + written.group(3)], line)
        else:
            kept.append(line)
    return kept
