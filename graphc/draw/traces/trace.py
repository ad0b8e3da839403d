"""Traces: every variable of one evaluation, or of one derivative, in a table that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from graphc.draw.numbering import numbered
from graphc.draw.traces.forward import forward_rows, tangent_rows
from graphc.draw.traces.loops import with_single_results
from graphc.draw.traces.pieces import (
    Phrase,
    Piece,
    Written,
    adjoint,
    derivative,
    is_listed,
    named,
    relation,
    result,
    tangent,
    variable,
    words,
)
from graphc.draw.traces.reverse import increments, sums_over_consumers
from graphc.draw.traces.scene import Row, Scene, in_order, scalar_output
from graphc.draw.traces.table import Column, Table, Tabular
from graphc.draw.values import evaluated
from graphc.errors import GraphError, did_you_mean
from graphc.ir.given import one_name
from graphc.ir.graph import Graph
from graphc.ir.node import Node

MODES = ("forward", "tangent", "reverse")
VERSIONS = ("A", "B")


@dataclass(frozen=True, eq=False)
class Trace(Tabular):
    """The rows of a trace; `str()` is a table, `.format(…)` gives it in another notation.

    `rows` stand from the inputs to the outputs. Those of a reverse trace are filled from the last
    one up: `row.step` counts.
    """

    mode: str
    title: Phrase
    remark: Phrase
    rows: tuple[Row, ...]

    @cached_property
    def values(self) -> Mapping[str, float | np.ndarray]:
        """The final value of each variable: a number, or an array."""
        filled = self.rows[::-1] if self.mode == "reverse" else self.rows
        return {r.variable: r.value if r.value.ndim else float(r.value) for r in filled}

    def table(self) -> Table:
        """Return the rows as cells."""
        heads = _COLUMNS[self.mode]
        columns = [Column(head, is_words=head in ("step", "rule")) for head in heads]
        rows = []
        for row in self.rows:
            cells = _cells(row)
            rows.append([cells[head] if head in cells else row.equation() for head in heads])
        return Table(self.title, self.remark, columns, rows)

    def __len__(self) -> int:
        return len(self.rows)


#: The columns of each mode.
_COLUMNS = {
    "forward": ("name", "formula", "value"),
    "tangent": ("name", "derivative", "value", "rule"),
    "reverse": ("step", "name", "chain", "local derivatives", "value", "rule"),
}


def _cells(row: Row) -> dict[str, Phrase]:
    """Return the cells of a row by their columns; the others hold its equation."""
    return {
        "step": [words(str(row.step))] if row.step is not None else [],
        "name": [row.label] if row.label is not None else [],
        "local derivatives": [row.local] if row.local is not None else [],
        "value": row.arithmetic(),
        "rule": [words(row.rule)],
    }


def trace(
    graph: Graph | Node,
    at: Mapping[str, Any] | None = None,
    mode: str = "forward",
    *,
    wrt: str | None = None,
    of: str | None = None,
    version: str = "A",
) -> Trace:
    """Return the trace of a graph at a point, variable by variable.

    `at` maps inputs and parameters to numbers or arrays; without any parameter in it, all of them
    have their initial values. Modes:

    - "forward": the value of each variable;
    - "tangent": its derivative by the input or parameter `wrt`, from the inputs to the outputs;
      where `wrt` is an array, the derivative in the direction in which all its elements grow;
    - "reverse": the derivative of the output `of` by each variable, from the output back; version
      "A" sums over the consumers of a variable, version "B" increments.

    `wrt` and `of` may be left out where only one fits. Given in another mode, `of` leaves out what
    that output does not need.

    **Raises** GraphError for an unknown mode, version or name, and where a value is missing.
    """
    if isinstance(graph, Node):
        raise GraphError(
            "a trace is taken of a graph",
            got=f"a node, {graph.type}",
            fix="gc.trace(gc.graph(y), at={...}); the sum of a diagonal is x.trace()",
        )
    _check_choice("mode of a trace", mode, MODES)
    _check_choice("version of a reverse trace", version, VERSIONS)
    of, wrt = one_name(graph, of, "of"), one_name(graph, wrt, "wrt")
    graph = with_single_results(graph)
    scene = scene_at(graph, at or {})
    target = None if of is None else graph.find(of)
    if mode == "reverse":
        target = scalar_output(graph, of)
    wanted = None if target is None else scene.numbering.needed_for(target)
    nodes, where = in_order(scene, wanted), _where(scene, at or {})
    if mode == "forward":
        title = [words("Forward evaluation"), *where]
        return Trace(mode, title, [], tuple(forward_rows(scene, nodes)))
    if mode == "tangent":
        source = _source(graph, wrt)
        rows = tangent_rows(scene, nodes, source)
        title = [words("Forward derivative with respect to "), _label(graph, source), *where]
        return Trace(mode, title, _direction(scene, source), tuple(rows))
    assert target is not None
    rows = (sums_over_consumers if version == "A" else increments)(scene, nodes, target)
    title = [words("Backward derivative of "), _label(graph, target), *where]
    return Trace(mode, title, _reverse_remark(scene, target, version), tuple(rows))


def _check_choice(what: str, got: str, choices: tuple[str, ...]) -> None:
    if got not in choices:
        raise GraphError(
            f"unknown {what}",
            got=repr(got),
            expected=", ".join(map(repr, choices)),
            fix=did_you_mean(got, choices),
        )


def scene_at(graph: Graph, at: Mapping[str, Any]) -> Scene:
    """Return one evaluation of a graph whose nodes have one value each."""
    numbering = numbered(graph)
    return Scene(numbering, evaluated(graph, at, numbering.number))


def _source(graph: Graph, wrt: str | None) -> Node:
    """Return what the tangent moves with: a float input or parameter."""
    leaves = {**graph.inputs, **graph.params}
    floats = [name for name, node in leaves.items() if node.dtype.kind == "f"]
    if wrt is None:
        if len(floats) != 1:
            raise GraphError(
                "a tangent is taken by one input or parameter",
                got="none",
                expected=", ".join(floats) or "a float input: the graph has none",
                fix=f"wrt={floats[0]!r}" if floats else None,
            )
        return leaves[floats[0]]
    node = graph.variable(wrt)
    if node.dtype.kind != "f":
        raise GraphError(f"no derivative by {wrt!r}", got=str(node.type), expected="a float")
    return node


def _label(graph: Graph, node: Node) -> Piece:
    return named(graph.labels[node])


def _where(scene: Scene, at: Mapping[str, Any]) -> Phrase:
    """Return ` at x1 = 2, x2 = 5 (N = 4)`: what is given and short, and the sizes of dims."""
    graph = scene.numbering.graph
    numbers: list[Phrase] = [
        [named(name), relation("="), *result(scene.value(node))]
        for name, node in {**graph.inputs, **graph.params}.items()
        if name in at and (not node.shape or (node.ndim == 1 and is_listed(scene.value(node))))
    ]
    if len(numbers) > _MOST_NAMED:
        numbers = [*numbers[:_MOST_NAMED], [words("…")]]
    initial = bool(graph.params) and not any(name in at for name in graph.params)
    rest = [f"{name} = {scene.point.sizes[name]}" for name in graph.dims]
    rest += ["initial parameters"] * initial
    phrase: list[Written] = []
    for place, part in enumerate(numbers):
        phrase += [words(", " if place else " at "), *part]
    return [*phrase, words(f" ({', '.join(rest)})")] if rest else phrase


#: How many numbers a title names.
_MOST_NAMED = 8


def _direction(scene: Scene, source: Node) -> Phrase:
    if not source.shape:
        return []
    along = words(" is the derivative along the direction in which every element of ")
    graph, letter = scene.numbering.graph, scene.numbering.letter
    return [tangent(letter), along, _label(graph, source), words(" grows at the rate 1")]


def _reverse_remark(scene: Scene, target: Node, version: str) -> Phrase:
    graph = scene.numbering.graph
    letter = scene.numbering.letter
    filled = "filled from the last row up"
    if version == "B":
        filled = f"all others start at 0; {filled}"
    meaning = [scene.adjoint(target), relation("="), words("1"), words("; " + filled)]
    of_each = derivative(_label(graph, target), variable(letter))
    return [adjoint(letter), relation("="), of_each, words(", "), *meaning]
