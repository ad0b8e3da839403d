"""Where a function reads the sizes of its named dims: from the axes of its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from graphc.errors import GraphError
from graphc.ir.code import Notation
from graphc.ir.dims import Dim, linear_parts, shape_text, symbols_of
from graphc.ir.graph import Graph
from graphc.ir.node import Node


class Axis(NamedTuple):
    """An axis of an argument, which has a dim as its size; `code` is what reads the size."""

    dim: Dim
    code: str


class Entry(NamedTuple):
    """The lines that read all dims, and the tests that a dim is not below zero."""

    lines: list[str]
    tests: list[str]


def read_dims(graph: Graph, variables: Mapping[Node, str], dims: Mapping[str, str]) -> Entry:
    """Return how a function reads each dim, from the first axis that is that very symbol.

    A dim that stands in expressions alone comes from one that is linear in it: K from an axis
    2*K + 1. The check of the shapes then says whether it came out whole.

    Raises: GraphError for a dim that no axis fixes.
    """
    axes = [
        Axis(dim, f"{variables[leaf]}.shape[{number}]")
        for leaf in [*graph.inputs.values(), *graph.params.values()]
        for number, dim in enumerate(leaf.shape)
        if not isinstance(dim, int)
    ]
    known: dict[str, str] = {}
    for axis in axes:
        if not isinstance(axis.dim, int) and axis.dim.is_Symbol:
            known.setdefault(axis.dim.name, axis.code)
    entry = Entry([f"{dims[name]} = {code}" for name, code in known.items()], [])
    waiting = [axis for axis in axes if set(symbols_of([axis.dim])) - set(known)]
    found = set(known)
    while waiting:
        # One that fixes a dim may make another one fix the next.
        solved = _solve(waiting, found, dims, entry)
        if not solved:
            break
        waiting = [axis for axis in waiting if set(symbols_of([axis.dim])) - found]
    missing = [name for name in graph.dims if name not in found]
    if missing:
        raise _unfixed(graph, missing[0])
    return entry


def _solve(axes: list[Axis], found: set[str], dims: Mapping[str, str], entry: Entry) -> bool:
    """Write the line of each dim that is the only unknown of an axis; say whether one was."""
    before = len(found)
    for axis in axes:
        unknown = [name for name in symbols_of([axis.dim]) if name not in found]
        parts = linear_parts(axis.dim, unknown[0]) if len(unknown) == 1 else None
        if parts is None:
            continue
        variable = dims[unknown[0]]
        entry.lines.append(f"{variable} = {_solution(axis.code, *parts, Notation(dims))}")
        if _may_fall_below_zero(*parts):
            entry.tests.append(f"{variable} < 0")
        found.add(unknown[0])
    return len(found) > before


def _solution(size: str, slope: Dim, rest: Dim, notation: Notation) -> str:
    """Return the code of x where slope*x + rest is `size`: `(image.shape[3] - 1) // 2`."""
    is_falling = isinstance(slope, int) and slope < 0
    slope = -slope if is_falling else slope
    if is_falling:
        difference = f"{notation.dim(rest)} - {size}"
    elif isinstance(rest, int):
        difference = f"{size} {'-' if rest > 0 else '+'} {abs(rest)}" if rest else size
    else:
        text = notation.dim(rest)
        difference = f"{size} - {text}" if text.isidentifier() else f"{size} - ({text})"
    if isinstance(slope, int) and slope == 1:
        return difference
    numerator = difference if difference == size else f"({difference})"
    divisor = notation.dim(slope)
    return f"{numerator} // {divisor if divisor.isalnum() else f'({divisor})'}"


def _may_fall_below_zero(slope: Dim, rest: Dim) -> bool:
    """Say whether some size of an axis is slope*x + rest for an x below zero, a whole one."""
    if not isinstance(rest, int):
        return True
    is_rising = slope > 0 if isinstance(slope, int) else slope.is_positive
    return not is_rising or rest >= (slope if isinstance(slope, int) else 1)


def _unfixed(graph: Graph, name: str) -> GraphError:
    leaves = {**graph.inputs, **graph.params}
    holding = [
        f"{leaf_name}: {shape_text(leaf.shape)}"
        for leaf_name, leaf in leaves.items()
        if name in symbols_of(leaf.shape)
    ]
    return GraphError(
        f"no input has an axis that tells a call the size of {name}",
        got=", ".join(holding),
        expected=f"an axis {name}, or one that is linear in it, such as 2*{name} + 1",
        fix=f"add an input with an axis {name}",
    )
