"""Headings for the scopes of a long block: `# encoder/block3` above what the user built in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from graphc.emit.lines.names import one_line
from graphc.emit.lines.sources import Line
from graphc.emit.lines.wrapping import INDENT

#: A block of no more lines is taken in at a glance.
_GLANCE = 40
#: A scope of no more lines in a row goes without a heading; with less than so many lines to each
#: section, headings are in the way.
_FEW = 3
_MEAN = 8
#: A section of more lines is divided by the scopes inside its scope.
_MANY = 60


def with_headings(lines: Sequence[str]) -> list[str]:
    """Return the lines of a block; where it is long, each scope in it starts with its name."""
    if len(lines) <= _GLANCE:
        return [*lines]
    sections = _divided([*zip(_scopes(lines), lines, strict=True)], 1)
    if len({scope for scope, _ in sections if scope}) < 2:
        return [*lines]
    headed: list[str] = []
    for scope, section in sections:
        headed += [""] if headed else []
        headed += [f"{INDENT}# {one_line(scope)}"] if scope else []
        headed += section
    return without_double_blanks(headed)  # the function of a block brings one with it


def without_double_blanks(lines: Sequence[str]) -> list[str]:
    """Return lines without blank ones that begin or end them, or follow another one."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _scopes(lines: Sequence[str]) -> list[str]:
    """Return the scope of each line; what a loop or a condition holds belongs to its head."""
    scopes: list[str] = []
    for line in lines:
        if isinstance(line, Line) and not line.startswith(INDENT * 2):
            scopes.append(line.scope)
        else:
            scopes.append(scopes[-1] if scopes else "")
    return scopes


def _divided(lines: Sequence[tuple[str, str]], depth: int) -> list[tuple[str, list[str]]]:
    """Return scopes to this depth of nesting with their lines, deeper where a section is long."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for scope, group in groupby(lines, key=lambda line: "/".join(line[0].split("/")[:depth])):
        section = [*group]
        name = scope if len(section) > _FEW else ""
        if found and found[-1][0] == name:
            found[-1][1].extend(section)
        else:
            found.append((name, section))
    if len(lines) < _MEAN * len(found):
        return [("", [line for _, line in lines])]
    sections: list[tuple[str, list[str]]] = []
    for name, section in found:
        is_nested = len(section) > _MANY and any(s.count("/") >= depth for s, _ in section)
        inner = _divided(section, depth + 1) if name and is_nested else []
        whole = [(name, [line for _, line in section])]
        sections += inner if len(inner) > 1 else whole
    return sections
