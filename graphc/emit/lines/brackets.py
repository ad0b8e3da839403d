"""Where do brackets, commas and operators stand in a line of code? Strings and comments aside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

CLOSING = {"(": ")", "[": "]", "{": "}"}
#: Operator -> how closely it binds, and NumPy's function for it. (`np.power` knows less than `**`,
#: which takes a square root where the exponent is 0.5.)
OPERATORS = {
    "==": (0, "equal"),
    "!=": (0, "not_equal"),
    "<": (0, "less"),
    "<=": (0, "less_equal"),
    ">": (0, "greater"),
    ">=": (0, "greater_equal"),
    "|": (1, "bitwise_or"),
    "^": (2, "bitwise_xor"),
    "&": (3, "bitwise_and"),
    "+": (4, "add"),
    "-": (4, "subtract"),
    "*": (5, "multiply"),
    "/": (5, "divide"),
    "//": (5, "floor_divide"),
    "%": (5, "remainder"),
    "@": (5, "matmul"),
    "**": (6, ""),
}


def places(line: str) -> Iterator[tuple[int, int]]:
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
            depth += 1 if character in CLOSING else -1
            yield at, depth
        elif character == ",":
            yield at, depth


def inside(line: str, opening: int) -> tuple[list[str], int]:
    """Return the words between a bracket and the one that closes it, and where that stands."""
    commas, end = [], len(line)
    outer = None
    for at, depth in places(line):
        if at == opening:
            outer = depth - 1
        elif outer is not None and line[at] == "," and depth == outer + 1:
            commas.append(at)
        elif outer is not None and depth == outer:
            end = at
            break
    return [line[a + 1 : b].strip() for a, b in pairwise([opening, *commas, end])], end


def contents(line: str) -> list[list[str]]:
    """Return, for each bracket that opens, the words between it and the one that closes it.

    >>> contents("f(a, g[b])")
    [['a', 'g[b]'], ['b']]
    """
    found: dict[int, list[str]] = {}
    open_at: list[list[int]] = []
    for at, _ in places(line):
        if line[at] in CLOSING:
            found[at] = []
            open_at.append([at])
        elif open_at and line[at] == ",":
            open_at[-1].append(at)
        elif open_at:
            edges = [*open_at.pop(), at]
            found[edges[0]] = [line[a + 1 : b].strip() for a, b in pairwise(edges)]
    return [*found.values()]


def words_of(value: str) -> list[str]:
    """Return the parts between spaces outside of brackets: operands, and operators around them.

    >>> words_of("a[0, 1] - (b + c) * d")
    ['a[0, 1]', '-', '(b + c)', '*', 'd']
    """
    words, depth, at = [""], 0, 0
    for place, now in [*places(value), (len(value), 0)]:
        first, *rest = value[at:place].split(" ") if depth == 0 else [value[at:place]]
        words[-1] += first
        words += rest
        words[-1] += value[place : place + 1]
        depth, at = now, place + 1
    return words


def operation(value: str) -> tuple[str, str, str] | None:
    """Return the operands and the operator that is applied last; None for what is no operation.

    >>> operation("a * b - c + d")
    ('a * b - c', '+', 'd')
    """
    words = words_of(value)
    operands, operators = words[::2], words[1::2]
    is_one = len(operands) == len(operators) + 1 and all(op in OPERATORS for op in operators)
    if not operators or not is_one or any(not x or x in OPERATORS for x in operands):
        return None
    loosest = min(OPERATORS[op][0] for op in operators)
    found = [i for i, op in enumerate(operators) if OPERATORS[op][0] == loosest]
    if operators[found[0]] == "**" and words[0][0] in "-~":
        return None  # the sign of a power
    at = 2 * (found[0] if operators[found[0]] == "**" else found[-1]) + 1
    return " ".join(words[:at]), words[at], " ".join(words[at + 1 :])


def links(value: str) -> list[int]:
    """Return where a chain may be cut: before a method, an attribute or an index of a value.

    >>> [("np.sum(x)[0].T")[at:] for at in links("np.sum(x)[0].T")]
    ['[0].T', '.T']
    """
    if len(words_of(value)) > 1:
        return []
    closed = [at + 1 for at, depth in places(value) if depth == 0 and value[at] in ")]"]
    return [at for at in closed if value[at : at + 1] in (".", "[")]


def bare(value: str) -> str:
    """Return a value without parentheses around the whole of it."""
    closing = next((at for at, depth in places(value) if depth == 0 and value[at] == ")"), -1)
    return value[1:-1] if value.startswith("(") and closing == len(value) - 1 else value


def reads(value: str, name: str) -> bool:
    """Say whether a variable occurs in an expression."""
    return re.search(rf"(?<![\w.]){re.escape(name)}\b", value) is not None
