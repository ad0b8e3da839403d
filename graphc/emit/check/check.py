"""The check that an emitted module runs on itself: its gradient against central differences."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from graphc.differentiate.held_back import held_back
from graphc.emit.check.domains import Interval, intervals
from graphc.emit.check.index_bounds import index_bounds
from graphc.emit.initial import sizes_of_init, with_params_of
from graphc.emit.lines.names import one_line, string_literal
from graphc.emit.lines.wrapping import INDENT, WIDTH, wrapped
from graphc.ir.code import Notation
from graphc.ir.graph import Graph
from graphc.ir.node import Node

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
        "direction",
        "kind",
        "norm",
        "size",
        "nudge",
        "center",
        "rounding",
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


def self_check(graph: Graph, layout: ModuleLayout, of: str, model: Graph) -> list[list[str]]:
    """Return `check` and the `__main__` block: along each gradient, the loss rises as it says.

    What the model reads under `stop_gradient` is left out, and named: there a difference sees what
    the gradient, rightly, does not. Where nothing is left to check, a comment says why.
    """
    wrt, gradient = _gradients(graph, layout, of)
    if not wrt or of not in graph.outputs:
        return []
    left_out = held_back(model, of, wrt)
    names = [name for name in wrt if name not in left_out]
    if not names:
        return [_why_unchecked(left_out)]
    notation = Notation(dict.fromkeys(graph.dims, str(_SIZE)))
    chosen, bounds = intervals(graph, graph.outputs[of]), index_bounds(graph, _SIZE)
    first = _first_state(with_params_of(graph, model))
    samples = [
        _sample_line(
            f"    point[{string_literal(name)}]",
            _sample(node, notation, chosen.get(name), bounds.get(name, _SIZE)),
        )
        for name, node in graph.inputs.items()
    ]
    lines = [
        "def check(seed=0):",
        '    """Compare each gradient with central differences along itself."""',
        "    rng = np.random.default_rng(seed)",
        f"    point = {first if layout.params else '{}'}",
        *samples,
        "",
        "    def evaluate(point, gradients=None):",
        *_call(graph, layout, of, gradient, first),
        f"        return float(outputs[{string_literal(of)}])",
        "",
        "    gradients = {}",
        *_center(graph),
        "    if not np.isfinite(center):",
        f"        print({string_literal(f'not checked: at a random point {of} is')}, center)",
        "        return",
        *_over_gradients(names, all_of_them=not left_out),
        "        kind = point[name].dtype",
        "        norm = np.sqrt(np.sum(direction.astype(np.float64) ** 2)) + 1e-30",
        "        for size in (1e-2, 3e-3, 1e-3, 3e-4):  # a kink in between spoils a difference",
        "            rounding = 50 * np.finfo(kind).eps * abs(center) / size",
        "            nudge = size / norm * direction",
        "            above = evaluate({**point, name: (point[name] + nudge).astype(kind)})",
        "            below = evaluate({**point, name: (point[name] - nudge).astype(kind)})",
        "            slope = (above - below) / (2 * size)",
        "            error = abs(slope - norm) / max(norm, 1e-3, rounding)",
        "            if error < 2e-2:",
        "                break",
        '        print(f"{name}: gradient {norm:.5g}, difference {slope:.5g}, error {error:.0e}")',
        '        assert error < 2e-2, f"the gradient of {name} is wrong, or its start on a kink"',
    ]
    if left_out:
        lines += [
            _loop(left_out),
            '        print(f"{name}: not checked, a difference sees what stop_gradient hides")',
        ]
    fitting = [piece for line in lines for piece in wrapped(line)]
    return [fitting, ['if __name__ == "__main__":', "    check()"]]


def _center(graph: Graph) -> list[str]:
    """Return the lines that evaluate a random point, which may have matrices without an answer."""
    line = f"{INDENT}center = evaluate(point, gradients)"
    if not any(node.op.family == "linear algebra" for node in graph.nodes):
        return [line]
    return [
        f"{INDENT}try:",
        INDENT + line,
        f"{INDENT}except np.linalg.LinAlgError as problem:",
        f'{INDENT * 2}print("not checked: a random point has no value:", problem)',
        f"{INDENT * 2}return",
    ]


def _first_state(graph: Graph) -> str:
    """Return the call of `init`, with the sizes that the check takes."""
    sizes = [f"{name}={_SIZE}" for name in sizes_of_init(graph).values()]
    return f"init({', '.join(['seed', *sizes])})"


def _why_unchecked(names: Sequence[str]) -> list[str]:
    """Return the comment that stands in the place of `check`."""
    text = (
        "No check against differences: they see what stop_gradient hides from the gradient of "
        f"{', '.join(map(one_line, names))}."
    )
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _over_gradients(names: Sequence[str], *, all_of_them: bool) -> list[str]:
    """Return the head of the loop that checks one gradient after the other."""
    if all_of_them:
        return [f"{INDENT}for name, direction in gradients.items():"]
    return [_loop(names), f"{INDENT * 2}direction = gradients[name]"]


def _loop(names: Iterable[str], indent: str = INDENT) -> str:
    """Return the head of a loop over names."""
    words = [string_literal(name) for name in names]
    return f"{indent}for name in ({', '.join(words)}{',' if len(words) == 1 else ''}):"


def _gradients(graph: Graph, layout: ModuleLayout, of: str) -> tuple[list[str], dict[str, str]]:
    """Return the names differentiated by, and for outputs that are gradients, name -> output."""
    if layout.observed:
        return list(layout.observed), {}
    prefix = _prefix(of)
    found = {n.removeprefix(prefix): n for n in graph.outputs if n.startswith(prefix)}
    # The gradient of a parameter that the code turned out not to need stays an output, of zeros.
    leaves = {*graph.inputs, *graph.params}
    outputs = {name: output for name, output in found.items() if name in leaves}
    return list(outputs), outputs


def _prefix(of: str) -> str:
    """Return what the names of outputs begin with that are gradients."""
    return f"d_{of}_d_"


def _call(
    graph: Graph, layout: ModuleLayout, of: str, gradient: Mapping[str, str], first: str
) -> list[str]:
    """Return the lines that call the function at a point, with the names that `first` makes."""
    words = [f"point[{string_literal(name)}]" for name in graph.inputs]
    if layout.params:
        words.insert(0, "state")
    if layout.draws:
        words.append("np.random.default_rng(1)")
    if layout.observed:
        words.append("gradients=gradients")
    inner = INDENT * 2
    lines = []
    if layout.params:
        state = f"{{name: np.array(point[name]) for name in {first}}}"
        lines.append(f"{inner}state = {state}")
    lines.append(f"{inner}outputs = {layout.function}({', '.join(words)})")
    if not gradient:
        return lines
    pairs = [(string_literal(name), string_literal(out)) for name, out in gradient.items()]
    entries = ", ".join(f"{name}: outputs[{out}]" for name, out in pairs)
    line = f"{inner}    gradients.update({{{entries}}})"
    lines.append(f"{inner}if gradients is not None:")
    if len(line) <= WIDTH:
        return [*lines, line]
    prefix = string_literal(_prefix(of))
    body = f"{inner}        gradients[name] = outputs[{prefix} + name]"
    return [*lines, _loop(gradient, f"{inner}    "), body]


def _sample_line(target: str, sample: str) -> str:
    """Return the line that draws an input; a cast that does not fit becomes an argument."""
    line = f"{target} = {sample}"
    drawn, _, dtype = sample.removesuffix(")").rpartition(".astype(")
    is_too_long = len(line) > WIDTH and drawn
    return f"{target} = np.asarray({drawn}, {dtype})" if is_too_long else line


def _sample(node: Node, notation: Notation, interval: Interval | None, bound: int) -> str:
    shape, dtype = notation.size(node.shape), notation.dtype(node.dtype)
    if node.dtype.kind == "b":
        return f"rng.random({shape}) < 0.5"
    if interval is None:
        return f"rng.integers(0, {bound}, {shape}, {dtype})"
    low, high = interval
    if not node.shape:
        return f"np.array(rng.uniform({low}, {high}), {dtype})"
    drawn = f"rng.uniform({low}, {high}, {shape})"
    return drawn if node.dtype == np.float64 else f"{drawn}.astype({dtype})"
