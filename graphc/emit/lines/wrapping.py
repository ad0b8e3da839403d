"""Long lines, broken where formatters break them: inside the brackets that end them."""

from __future__ import annotations

import re

from graphc.emit.lines.brackets import (
    CLOSING,
    OPERATORS,
    bare,
    inside,
    links,
    operation,
    places,
    reads,
    words_of,
)

#: Longest line that is left as it is; formatters agree on code up to this width.
WIDTH = 88
INDENT = "    "

#: A statement that begins with an array's indices, and what may follow them.
_TARGET = re.compile(r"\s*[\w.]+\[")
_OPERATOR = re.compile(r" (?:[-+*/]|//)?= ")
#: What a value is assigned to or added to, or the name of an argument; nothing for other arguments.
_HEAD = re.compile(r"(\s*)([\w.]+(?:\[[^=]*\])? (?:[-+*/|]|//)?= |\w+=(?!=)|)")
#: A call of a method on what another call returns, one whose value is added to a variable, and one
#: in the entry of a dict.
_METHOD = re.compile(r"\s*\w+(?:\.\w+)*\(.*\)\.\w+")
_ADDITION = re.compile(r"\s*\w+ (?:[-+*/]|//)= [\w.]+")
_ENTRY = re.compile(r"\s*f?\"(?:[^\"\\]|\\.)*\": [\w.]+")
#: A method that NumPy has as a function, too, called on what may be long.
_FUNCTION = re.compile(r"(\s*(?:\w+ = )?)(.+)\.(dot|take)")
#: A variable, or a place in one: nothing is computed there.
_PLACE = re.compile(r"[\w.]+(?:\[[^()]*\])?")


def wrapped(line: str, width: int = WIDTH) -> list[str]:
    """Return a line of code as lines that fit, where it has a form that can be broken.

    That is one call or display, alone, assigned or in the head of a function or a `for`; a chain
    of methods, the last of which may become a function; what is written, or added, to several
    indices of an array; an operation on two values, which becomes a call of NumPy's function, or
    two statements; and the assignment of several variables.
    """
    if len(line) <= width or line.lstrip().startswith(("#", '"""')):
        return [line]
    ways = (_broken_call, _as_function, _broken_target, _broken_pairs, steps, _broken_operation)
    for broken in ways:
        lines = broken(line, width)
        if lines:
            return lines
    return [line]


def _broken_call(line: str, width: int) -> list[str]:
    """Break the last bracket: `name = function(first, second)` gets a line for each argument."""
    top = [at for at, depth in places(line) if depth == 1 and line[at] in CLOSING]
    if not top:
        return []
    head, opening = line[: top[-1]], line[top[-1]]
    words, end = inside(line, top[-1])
    tail = line[end + 1 :]
    code, separator, remark = tail.partition("  #")
    is_method = _METHOD.fullmatch(head) and len(links(head.strip())) == 1
    is_within = opening == "(" and (_ADDITION.fullmatch(head) or _ENTRY.fullmatch(head))
    is_value = _is_one_value(head) or is_method or is_within
    if code not in ("", ",", ":") or not is_value or words == [""]:
        return []
    indent = _indent(line)
    # The comma behind the last word makes formatters keep the break, whatever their line length;
    # behind a single index it would make a tuple of that.
    is_index = opening == "[" and len(words) == 1 and not head.endswith((" ", "="))
    words = [word for word in words if word]
    comma = "" if is_index else ","
    lines = [part for word in words for part in wrapped(f"{indent}{INDENT}{word}{comma}", width)]
    return [f"{head}{opening}", *lines, f"{indent}{CLOSING[opening]}{code}{separator}{remark}"]


def _as_function(line: str, width: int) -> list[str]:
    """Write `a[0].reshape(3, 4).dot(b)` as `np.dot(a[0].reshape(3, 4), b)`, in several lines."""
    top = [at for at, depth in places(line) if depth == 1 and line[at] in CLOSING]
    match = _FUNCTION.fullmatch(line[: top[-1]]) if top else None
    if match is None or match[2] == "np" or len(words_of(match[2])) > 1:
        return []
    start, receiver, method = match.groups()
    return wrapped(f"{start}np.{method}({bare(receiver)}, {line[top[-1] + 1 :]}", width)


def _broken_target(line: str, width: int) -> list[str]:
    """Break the indices that a statement writes to: `x[first, second] += value`."""
    match = _TARGET.match(line)
    if not match:
        return []
    words, end = inside(line, match.end() - 1)
    tail = line[end + 1 :]
    indent = _indent(line)
    if len(words) < 2 or not _OPERATOR.match(tail) or len(indent) + 1 + len(tail) > width:
        return []
    lines = [part for word in words for part in wrapped(f"{indent}{INDENT}{word},", width)]
    return [match.group(), *lines, f"{indent}]{tail}"]


def _broken_pairs(line: str, width: int) -> list[str]:
    """Break `a, b = c, d`: each variable and each value gets a line."""
    targets, equals, values = line.strip().partition(" = ")
    lefts, rights = (inside(f"({side})", 0)[0] for side in (targets, values))
    if not equals or len(lefts) < 2 or len(lefts) != len(rights):
        return []
    indent = _indent(line)
    lines = [f"{indent}(", *[f"{indent}{INDENT}{left}," for left in lefts], f"{indent}) = ("]
    lines += [part for right in rights for part in wrapped(f"{indent}{INDENT}{right},", width)]
    return [*lines, f"{indent})"]


def _broken_operation(line: str, width: int) -> list[str]:
    """Write an operation as a call: `x[...] = a + b` as `x[...] = np.add(a, b)`."""
    code, separator, remark = line.partition("  #")
    match = _HEAD.match(code)
    comma = "," if code.endswith(",") else ""
    if match is None or not (comma or match.group(2).endswith("= ")):
        return []
    found = operation(code[match.end() :].removesuffix(comma))
    if found is None or not OPERATORS[found[1]][1]:
        return []
    left, symbol, right = found
    indent = _indent(line)
    words = [f"{indent}{INDENT}{bare(operand)}," for operand in (left, right)]
    lines = [part for word in words for part in wrapped(word, width)]
    head = f"{match.group()}np.{OPERATORS[symbol][1]}("
    return [head, *lines, f"{indent}){comma}{separator}{remark}"]


def steps(line: str, width: int = WIDTH) -> list[str]:
    """Take a long expression in two steps: `x = a.transpose(1, 0)`, `x = x.reshape(6)`.

    That is a chain of methods and indices, or an operation of several. Nothing is returned for
    other lines, or where the second step would read what the first one overwrites.
    """
    name, equals, value = line.partition(" = ")
    value, separator, remark = value.partition("  #")
    if len(line) <= width or not equals or not name.strip().isidentifier():
        return []
    found = []
    for first, before, after in _halves(value):
        last = f"{name} = {before}{name.strip()}{after}{separator}{remark}"
        if len(last) <= width and not reads(before + after, name.strip()):
            found.append([f"{name} = {bare(first)}", last])
    if not found:
        return []
    first, last = next((both for both in found if len(both[0]) <= width), found[0])
    return [*wrapped(first, width), last]


def _halves(value: str) -> list[tuple[str, str, str]]:
    """Return what a first step may compute, with the text around it in the second; best first."""
    cuts = [(value[:at], "", value[at:]) for at in reversed(links(value))]
    found = operation(value)
    if found is None or len(words_of(value)) == 3:
        return cuts
    left, symbol, right = found
    both = [(left, "", f" {symbol} {right}"), (right, f"{left} {symbol} ", "")]
    return [half for half in both if not _PLACE.fullmatch(half[0])]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _is_one_value(head: str) -> bool:
    """Say whether what stands before the bracket is `name = function`, and no sum of terms."""
    head = head.removeprefix("def ")
    is_loop = head.lstrip().startswith("for ")
    function = re.split(" in " if is_loop else r" \|?= ", head)[-1]
    return all(c.isalnum() or c in "._" for c in function.strip())
