"""Long lines, broken where formatters break them: inside the brackets that end them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from graphc.emit.expressions import WIDTH

_CLOSING = {"(": ")", "[": "]", "{": "}"}


def wrapped(line: str, width: int = WIDTH) -> list[str]:
    """Return a line of code as lines that fit, if it is one call or display, or assigns one."""
    if len(line) <= width or line.lstrip().startswith(("#", '"')):
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    top = [at for at, depth in _places(line) if depth == 1 and line[at] in _CLOSING]
    if not top:
        return [line]
    head, opening = line[: top[-1]], line[top[-1]]
    commas, end = [], len(line)
    for at, depth in _places(line):
        if at > top[-1] and depth == 1 and line[at] == ",":
            commas.append(at)
        elif at > top[-1] and depth == 0 and line[at] == _CLOSING[opening]:
            end = at
            break
    tail = line[end + 1 :]
    code, separator, remark = tail.partition("  #")
    words = [line[a + 1 : b].strip() for a, b in pairwise([top[-1], *commas, end])]
    if code not in ("", ",") or not _is_one_value(head) or not words[-1]:
        return [line]
    # The comma behind the last word makes formatters keep the break, whatever their line length;
    # behind a single index it would make a tuple of that.
    is_index = opening == "[" and len(words) == 1 and not head.endswith((" ", "="))
    comma = "" if is_index else ","
    lines = [part for word in words for part in wrapped(f"{indent}    {word}{comma}", width)]
    return [f"{head}{opening}", *lines, f"{indent}{_CLOSING[opening]}{code}{separator}{remark}"]


def _is_one_value(head: str) -> bool:
    """Say whether what stands before the bracket is `name = function`, and no sum of terms."""
    *_, function = head.rpartition(" = ")
    return all(c.isalnum() or c in "._" for c in function.strip())


def _places(line: str) -> Iterator[tuple[int, int]]:
    """Yield each bracket and comma outside strings and comments, with the depth that it leaves."""
    depth, quote, is_escaped = 0, "", False
    for at, character in enumerate(line):
        if quote:
            if is_escaped or character == "\\":
                is_escaped = not is_escaped
            elif character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character == "#":
            return
        elif character in "([{)]}":
            depth += 1 if character in _CLOSING else -1
            yield at, depth
        elif character == ",":
            yield at, depth
