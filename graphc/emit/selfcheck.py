"""The check that an emitted module runs on itself: its gradient against central differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from graphc.emit.domains import Interval, intervals
from graphc.emit.expressions import call
from graphc.emit.names import string_literal
from graphc.emit.wrapping import WIDTH
from graphc.ir.code import Notation
from graphc.ir.graph import Graph
from graphc.ir.node import Node

_INDENT = "    "
#: The variables of the check; the function under check must not be hidden by one of them.
LOCALS = frozenset(
    [
        "seed",
        "rng",
        "point",
        "state",
        "evaluate",
        "outputs",
        "name",
        "kind",
        "norm",
        "size",
        "nudge",
        "above",
        "below",
        "slope",
        "error",
    ]
)
#: The size that every dim takes in the check.
_SIZE = 6


class ModuleLayout(Protocol):
    """What the check needs to know of the module around it."""

    @property
    def function(self) -> str: ...
    @property
    def inputs(self) -> Mapping[str, str]: ...
    @property
    def params(self) -> Mapping[str, str]: ...
    @property
    def draws(self) -> bool: ...
    @property
    def observed(self) -> Mapping[str, Node]: ...


def self_check(graph: Graph, layout: ModuleLayout, of: str) -> list[list[str]]:
    """Return `check` and the `__main__` block: along each gradient, the loss rises as it says."""
    wrt, gradient = _gradients(graph, layout, of)
    if not wrt:
        return []
    names = [string_literal(name) for name in wrt]
    notation = Notation(dict.fromkeys(graph.dims, str(_SIZE)))
    chosen = intervals(graph, graph.outputs[of])
    samples = [
        f"    point[{string_literal(name)}] = {_sample(graph, node, notation, chosen.get(name))}"
        for name, node in graph.inputs.items()
    ]
    lines = [
        "def check(seed=0):",
        '    """Compare each gradient with central differences along itself."""',
        "    rng = np.random.default_rng(seed)",
        f"    point = {'init(seed)' if layout.params else '{}'}",
        *samples,
        "",
        "    def evaluate(point, gradients=None):",
        *_call(graph, layout, gradient),
        f"        return float(outputs[{string_literal(of)}])",
        "",
        "    gradients = {}",
        "    evaluate(point, gradients)",
        *_loop(names),
        "        kind = point[name].dtype",
        "        norm = np.sqrt(np.sum(gradients[name].astype(np.float64) ** 2)) + 1e-30",
        "        for size in (1e-2, 3e-3, 1e-3):  # a kink in between spoils a difference",
        "            nudge = size / norm * gradients[name]",
        "            above = evaluate({**point, name: (point[name] + nudge).astype(kind)})",
        "            below = evaluate({**point, name: (point[name] - nudge).astype(kind)})",
        "            slope = (above - below) / (2 * size)",
        "            error = abs(slope - norm) / max(norm, 1e-3)",
        "            if error < 2e-2:",
        "                break",
        '        print(f"{name}: gradient {norm:.5g}, difference {slope:.5g}, error {error:.0e}")',
        '        assert error < 2e-2, f"the gradient of {name} is not its difference"',
    ]
    return [lines, ['if __name__ == "__main__":', "    check()"]]


def _loop(names: Sequence[str]) -> list[str]:
    line = f"    for name in {_tuple(names)}:"
    if len(line) <= WIDTH:
        return [line]
    return ["    for name in (", *[f"        {name}," for name in names], "    ):"]


def _gradients(graph: Graph, layout: ModuleLayout, of: str) -> tuple[list[str], dict[str, str]]:
    """Return the names differentiated by, and for outputs that are gradients, name -> output."""
    if layout.observed:
        return list(layout.observed), {}
    prefix = f"d_{of}_d_"
    outputs = {n.removeprefix(prefix): n for n in graph.outputs if n.startswith(prefix)}
    return list(outputs), outputs


def _call(graph: Graph, layout: ModuleLayout, gradient: Mapping[str, str]) -> list[str]:
    words = [f"point[{string_literal(name)}]" for name in graph.inputs]
    if layout.params:
        words.insert(0, "state")
    if layout.draws:
        words.append("np.random.default_rng(1)")
    if layout.observed:
        words.append("gradients=gradients")
    inner = _INDENT * 2
    lines = []
    if layout.params:
        lines.append(f"{inner}state = {{name: np.array(point[name]) for name in init(seed)}}")
    lines += call(f"outputs = {layout.function}", words, inner)
    if not gradient:
        return lines
    pairs = [(string_literal(name), string_literal(out)) for name, out in gradient.items()]
    entries = ", ".join(f"{name}: outputs[{out}]" for name, out in pairs)
    line = f"{inner}    gradients.update({{{entries}}})"
    lines.append(f"{inner}if gradients is not None:")
    if len(line) <= WIDTH:
        return [*lines, line]
    return [*lines, *[f"{inner}    gradients[{name}] = outputs[{out}]" for name, out in pairs]]


def _tuple(words: Sequence[str]) -> str:
    return f"({', '.join(words)}{',' if len(words) == 1 else ''})"


def _sample(graph: Graph, node: Node, notation: Notation, interval: Interval | None) -> str:
    shape, dtype = notation.size(node.shape), notation.dtype(node.dtype)
    if node.dtype.kind == "b":
        return f"rng.random({shape}) < 0.5"
    if interval is None:
        return f"rng.integers(0, {_index_bound(graph, node)}, {shape}, {dtype})"
    low, high = interval
    if not node.shape:
        return f"np.array(rng.uniform({low}, {high}), {dtype})"
    drawn = f"rng.uniform({low}, {high}, {shape})"
    return drawn if node.dtype == np.float64 else f"{drawn}.astype({dtype})"


def _index_bound(graph: Graph, leaf: Node) -> int:
    """Return a bound below which an integer input indexes inside every axis that it indexes."""
    bound = _SIZE
    moved = {leaf}
    for node in graph.nodes:
        if not any(operand in moved for operand in node.inputs):
            continue
        if node.op.is_view:
            moved.add(node)
        for position, operand in enumerate(node.inputs):
            if operand in moved:
                for dim in node.op.indexed_dims(node, position):
                    bound = min(bound, dim if isinstance(dim, int) else _SIZE)
    return max(bound, 1)
