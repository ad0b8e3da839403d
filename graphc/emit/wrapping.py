"""Long lines, broken where formatters break them: inside the brackets that end them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

#: Longest line that is left as it is; formatters agree on code up to this width.
WIDTH = 88

_CLOSING = {"(": ")", "[": "]", "{": "}"}
#: A statement that begins with an array's indices, and what may follow them.
_TARGET = re.compile(r"\s*[\w.]+\[")
_OPERATOR = re.compile(r" (?:[-+*/]|//)?= ")


def wrapped(line: str, width: int = WIDTH) -> list[str]:
    """Return a line of code as lines that fit, where it has a form that can be broken.

    That is one call or display, alone, assigned or in the head of a `for`; a chain of methods; and
    what is written, or added, to several indices of an array; and a product of two matrices.
    """
    if len(line) <= width or line.lstrip().startswith(("#", '"')):
        return [line]
    for broken in (_broken_call, _broken_target, _broken_product, steps):
        lines = broken(line, width)
        if lines:
            return lines
    return [line]


def _broken_call(line: str, width: int) -> list[str]:
    """Break the last bracket: `name = function(first, second)` gets a line for each argument."""
    top = [at for at, depth in _places(line) if depth == 1 and line[at] in _CLOSING]
    if not top:
        return []
    head, opening = line[: top[-1]], line[top[-1]]
    words, end = _inside(line, top[-1])
    tail = line[end + 1 :]
    code, separator, remark = tail.partition("  #")
    if code not in ("", ",", ":") or not _is_one_value(head) or not words[-1]:
        return []
    indent = _indent(line)
    # The comma behind the last word makes formatters keep the break, whatever their line length;
    # behind a single index it would make a tuple of that.
    is_index = opening == "[" and len(words) == 1 and not head.endswith((" ", "="))
    comma = "" if is_index else ","
    lines = [part for word in words for part in wrapped(f"{indent}    {word}{comma}", width)]
    return [f"{head}{opening}", *lines, f"{indent}{_CLOSING[opening]}{code}{separator}{remark}"]


def _broken_target(line: str, width: int) -> list[str]:
    """Break the indices that a statement writes to: `x[first, second] += value`."""
    match = _TARGET.match(line)
    if not match:
        return []
    words, end = _inside(line, match.end() - 1)
    tail = line[end + 1 :]
    indent = _indent(line)
    if len(words) < 2 or not _OPERATOR.match(tail) or len(indent) + 1 + len(tail) > width:
        return []
    lines = [part for word in words for part in wrapped(f"{indent}    {word},", width)]
    return [match.group(), *lines, f"{indent}]{tail}"]


def _broken_product(line: str, width: int) -> list[str]:
    """Write `name = left @ right` as a call, which has a line for each operand."""
    name, equals, value = line.partition(" = ")
    value, separator, remark = value.partition("  #")
    left, at, right = value.partition(" @ ")
    *_, depth = [0, *[depth for _, depth in _places(left)]]
    if not equals or not at or depth or _has_spaces(left) or _has_spaces(right):
        return []
    return wrapped(f"{name} = np.matmul({left}, {right}){separator}{remark}", width)


def steps(line: str, width: int = WIDTH) -> list[str]:
    """Take a long chain of methods in two steps: `x = a.transpose(1, 0)`, `x = x.reshape(6)`.

    Nothing is returned for other lines.
    """
    name, equals, value = line.partition(" = ")
    value, separator, remark = value.partition("  #")
    if len(line) <= width or not equals or not name.strip().isidentifier():
        return []
    opened = [at for at, depth in _places(value) if depth == 1 and value[at] == "("]
    if len(opened) < 2 or not value.endswith(")"):
        return []
    dot = value.rfind(".", 0, opened[-1])
    between = value[dot + 1 : opened[-1]]
    if dot < 0 or not between.isidentifier() or _has_spaces(value):
        return []
    first = wrapped(f"{name} = {_bare(value[:dot])}", width)
    last = f"{name} = {name.strip()}{value[dot:]}{separator}{remark}"
    return [*first, last] if len(last) <= width else []


def _bare(value: str) -> str:
    """Return a value without parentheses around the whole of it."""
    closing = next((at for at, depth in _places(value) if depth == 0 and value[at] == ")"), -1)
    return value[1:-1] if value.startswith("(") and closing == len(value) - 1 else value


def _has_spaces(value: str) -> bool:
    """Say whether a space stands outside of all brackets, as it does around operators."""
    depth, at = 0, 0
    for place, now in [*_places(value), (len(value), 0)]:
        if depth == 0 and " " in value[at:place]:
            return True
        depth, at = now, place
    return False


def _inside(line: str, opening: int) -> tuple[list[str], int]:
    """Return the words between a bracket and the one that closes it, and where that stands."""
    commas, end = [], len(line)
    outer = None
    for at, depth in _places(line):
        if at == opening:
            outer = depth - 1
        elif outer is not None and line[at] == "," and depth == outer + 1:
            commas.append(at)
        elif outer is not None and depth == outer:
            end = at
            break
    return [line[a + 1 : b].strip() for a, b in pairwise([opening, *commas, end])], end


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _is_one_value(head: str) -> bool:
    """Say whether what stands before the bracket is `name = function`, and no sum of terms."""
    *_, function = head.rpartition(" in " if head.lstrip().startswith("for ") else " = ")
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
