"""Compare a gradient graph with numerical derivatives, entry by entry.

The judges: forward and central differences, which work for every graph, and the complex step
`Im f(x + ih)/h` (Squire & Trapp 1998, doi:10.1137/S003614459631241X), which has no cancellation
and so is exact to the last digits, but needs ops that continue to complex numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.build.arrays.whole_numbers import whole
from graphc.build.graphs import astype
from graphc.differentiate.gradient import default_wrt, gradient
from graphc.differentiate.held_back import held_in_loops
from graphc.errors import GraphError, did_you_mean
from graphc.ir.body import bodies
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph, first_scalar
from graphc.ir.labels import typed_names
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.ops.barrier import stop_gradient
from graphc.ops.loop import Parts
from graphc.run.arguments import Arrays, bind
from graphc.run.continuation import continues_to_complex
from graphc.run.differences import (
    central_difference,
    complex_step,
    extrapolated_difference,
    forward_difference,
    one_sided_slopes,
)
from graphc.run.points import sample_point
from graphc.run.reference import evaluate
from graphc.run.text_table import table_text

METHODS_IN_WORDS = {
    "forward": "forward differences",
    "central": "central differences",
    "complex": "the complex step",
}

#: Largest accepted error: what the method itself gets wrong in float64, with a margin.
TOLERANCES = {"forward": 1e-4, "central": 1e-6, "complex": 1e-10}


@dataclass(frozen=True)
class Entry:
    """How well the gradient of one parameter fits; `index` is where it fits worst.

    `excuse` says why no difference tells there what the gradient is: on a kink, at an end.
    """

    name: str
    shape: tuple[int, ...]
    checked: int
    error: float
    index: tuple[int, ...]
    analytic: float
    numeric: float
    excuse: str = ""

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class GradientCheck:
    """The result of a check; true where something was checked, and every error is within tolerance.

    An error is |analytic - numeric| / max(1, |analytic|, |numeric|).
    """

    of: str
    method: str
    dtype: str
    tolerance: float
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()

    @property
    def max_error(self) -> float:
        return max((entry.error for entry in self.entries), default=0.0)

    @property
    def worst(self) -> Entry | None:
        return max(self.entries, key=lambda entry: entry.error, default=None)

    @property
    def passed(self) -> bool:
        return bool(self.entries) and self.max_error <= self.tolerance

    @property
    def verdict(self) -> str:
        """What is to be said of a gradient that did not pass."""
        if not self.entries:
            return "was not checked"
        bad = [entry for entry in self.entries if entry.error > self.tolerance]
        return "cannot be checked here" if all(entry.excuse for entry in bad) else "is wrong"

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        if not self.entries:
            return "\n".join([f"gradient of {self.of} NOT CHECKED", *self.notes])
        verdict = "agrees" if self.passed else "DISAGREES"
        words = METHODS_IN_WORDS[self.method]
        title = f"gradient of {self.of} {verdict} with {words} in {self.dtype}"
        limit = f"max error {self.max_error:.2e}, tolerance {self.tolerance:.0e}"
        header = ("wrt", "shape", "checked", "error", "worst at", "analytic", "numeric")
        rows = [header, *map(_row, self.entries)]
        told = [*self.notes, *[entry.excuse for entry in self.entries if entry.excuse]]
        notes = [f"note: {note}" for note in told]
        return "\n".join([f"{title} ({limit})", *table_text(rows), *notes])


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        entry.name,
        str(list(entry.shape)),
        f"{entry.checked} of {entry.size}",
        f"{entry.error:.2e}",
        str(list(entry.index)),
        f"{entry.analytic:.10g}",
        f"{entry.numeric:.10g}",
    )


@takes_graph("of", "wrt")
def check_gradient(
    graph: Graph,
    of: str | None = None,
    at: Mapping[str, Any] | None = None,
    method: str = "central",
    wrt: Iterable[str] | None = None,
    raises: bool = False,
    *,
    entries: int = 64,
    seed: int = 0,
) -> GradientCheck:
    """Check the gradient of a scalar output with respect to parameters or inputs.

    `at` gives inputs and parameters by name; what it leaves out is drawn from `seed`. Of large
    arrays, `entries` randomly chosen elements are checked, half of them where the gradient is not
    0. Float32 graphs are checked in float64.
    `wrt` defaults to the trainable parameters, or to the float inputs where there are none.

    Raises: GraphError for a point that does not fit the graph, or where the output is infinite or
    NaN; with `raises=True` also where the gradient is wrong, or nothing of it could be checked.
    """
    entries = whole("entries", entries, 1, of="check_gradient")
    if method not in METHODS_IN_WORDS:
        raise GraphError(
            "unknown method", got=repr(method), expected=" or ".join(map(repr, METHODS_IN_WORDS))
        )
    of = checked_output(graph, of)
    names = checked_wrt(graph, wrt)
    graph = astype(graph, "float64")
    derived = gradient(graph, of, names)
    env, sizes = bound_point(derived, at or {}, seed)
    analytic, values = _analytic(derived, of, names, env, sizes, seed)
    root, nodes = graph.outputs[of], topological([graph.outputs[of]])
    leaves = [graph.params[n] if n in graph.params else graph.inputs[n] for n in names]
    if not np.isfinite(values[root]):
        pairs = [(n, values[x]) for n, x in zip(names, leaves, strict=True) if not x.shape]
        raise GraphError(
            f"{of} is {float(values[root])} at this point, so it has no gradient to check",
            got=", ".join([f"{n} = {float(value):g}" for n, value in pairs]) or None,
            fix="choose another point",
        )
    notes: list[str] = []
    if method == "complex":
        obstacle = _obstacle(nodes, leaves)
        if obstacle:
            notes.append(f"{obstacle} has no complex form; central differences instead")
            method = "central"
    tolerance = TOLERANCES[method]
    rng = np.random.default_rng(seed)
    found = []
    hidden = held_in_loops(nodes)
    for name, leaf in zip(names, leaves, strict=True):
        if not hidden.isdisjoint(_dependent(nodes, [leaf])):
            notes.append(
                f"{name}: not checked, a difference sees what stop_gradient hides in a loop"
            )
            continue
        function = restricted(root, nodes, leaf, values, sizes)
        settings = method, tolerance, entries, rng
        found.append(_compare(name, values[leaf], analytic[name], function, *settings))
    if found and not any(np.any(analytic[entry.name]) for entry in found):
        notes.append(f"the gradient is 0 in all places; does {of} depend on them smoothly?")
    check = GradientCheck(of, method, root.dtype.name, tolerance, tuple(found), tuple(notes))
    if raises and not check:
        raise GraphError(f"the gradient of {of} {check.verdict}", got=f"\n{check}")
    return check


def checked_output(graph: Graph, of: str | None) -> str:
    """Return the name of an output; of the first scalar one where none is given."""
    if of is None:
        return first_scalar(graph)
    if of in graph.outputs:
        return of
    raise GraphError(
        f"no output is called {of!r}",
        expected=typed_names(graph.outputs),
        fix=did_you_mean(of, graph.outputs),
    )


def checked_wrt(graph: Graph, wrt: Iterable[str] | None) -> list[str]:
    """Return the names of leaves to derive by."""
    if wrt is not None:
        names = [wrt] if isinstance(wrt, str) else list(wrt)
        known = [*graph.params, *graph.inputs]
        for name in names:
            if name not in known:
                raise GraphError(
                    f"no parameter or input is called {name!r}",
                    expected=", ".join(known),
                    fix=did_you_mean(name, known),
                )
        return names
    return default_wrt(graph)


def bound_point(graph: Graph, at: Mapping[str, Any], seed: int) -> tuple[Arrays, dict[str, int]]:
    """Return the arrays of all leaves, and the sizes of the named dims."""
    values = sample_point(graph, at, seed)
    state = {name: values[name] for name in graph.params}
    return bind(graph, state or None, {name: values[name] for name in graph.inputs})


def _analytic(
    derived: Graph,
    of: str,
    names: Sequence[str],
    env: Arrays,
    sizes: Mapping[str, int],
    seed: int,
) -> tuple[dict[str, np.ndarray], Arrays]:
    """Return the gradient by name, and the value of every node there; draws are made once."""
    try:
        values = evaluate(derived.roots(), env, sizes=sizes, rng=np.random.default_rng(seed))
    except np.linalg.LinAlgError as problem:
        raise GraphError(
            f"{of} has no value at this point, so it has no gradient to check",
            got=str(problem),
            fix="choose another point, with matrices such as M @ M.T + np.eye(n)",
        ) from None
    return {name: values[derived.outputs[f"d_{of}_d_{name}"]] for name in names}, values


def _obstacle(nodes: Sequence[Node], leaves: Sequence[Node]) -> str | None:
    """Return the name of the first op on the way, or in a loop there, that has no complex form."""
    dependent = _dependent(nodes, leaves)
    for node in nodes:
        if node not in dependent or not node.inputs:
            continue
        if not continues_to_complex(node.op):
            return node.op.name
        for body in bodies(node.attrs):
            moved = [x for x, y in zip(body.inputs, node.inputs, strict=True) if y in dependent]
            # A carry depends on what the step before it has read.
            found = _obstacle(body.graph.nodes, [*moved, *Parts(node).leaves.carries])
            if found:
                return found
    return None


def _dependent(nodes: Sequence[Node], leaves: Iterable[Node]) -> set[Node]:
    """Return the nodes that vary with the leaves; `stop_gradient` is held constant, as promised."""
    dependent = set(leaves)
    for node in nodes:
        if node.op is not stop_gradient and any(i in dependent for i in node.inputs):
            dependent.add(node)
    return dependent


def restricted(
    root: Node, nodes: Sequence[Node], leaf: Node, values: Arrays, sizes: Mapping[str, int]
) -> Callable[[np.ndarray], Any]:
    """Return the output as a function of one leaf; what does not depend on it is kept."""
    dependent = _dependent(nodes, [leaf])
    fixed = {node: values[node] for node in nodes if node not in dependent}

    def function(array: np.ndarray) -> Any:
        return evaluate([root], {**fixed, leaf: array}, sizes=sizes)[root][()]

    return function


def _compare(
    name: str,
    point: np.ndarray,
    gradient: np.ndarray,
    function: Callable[[np.ndarray], Any],
    method: str,
    tolerance: float,
    entries: int,
    rng: np.random.Generator,
) -> Entry:
    """Return the worst of the checked entries of one leaf.

    Where central differences disagree they may be what is wrong: they are extrapolated.
    """
    chosen = _chosen(gradient, entries, rng)
    derivative = _DERIVATIVES[method]
    worst, is_wrong = Entry(name, point.shape, len(chosen), 0.0, (0,) * point.ndim, 0.0, 0.0), False
    for number, flat in enumerate(chosen):
        index = tuple(int(i) for i in np.unravel_index(flat, point.shape))
        analytic, numeric = float(gradient[index]), derivative(function, point, index)
        error = _error(analytic, numeric)
        if error > tolerance and method == "central":
            numeric = extrapolated_difference(function, point, index)
            error = _error(analytic, numeric)
        excuse = _excuse(name, point, index, analytic, function) if error > tolerance else ""
        # One that nothing excuses is worse than one on a kink, however far off that is.
        wrong = error > tolerance and not excuse
        if number == 0 or (wrong, error) > (is_wrong, worst.error):
            worst = Entry(name, point.shape, len(chosen), error, index, analytic, numeric, excuse)
            is_wrong = wrong
    return worst


def _chosen(gradient: np.ndarray, entries: int, rng: np.random.Generator) -> np.ndarray:
    """Return the places to check: half of them where the gradient is not 0, if there are such.

    Of a table's rows a batch reads a few; elements drawn from all rows would hardly meet one.
    """
    if gradient.size <= entries:
        return np.arange(gradient.size)
    order = rng.permutation(gradient.size)
    moved = order[gradient.reshape(-1)[order] != 0][: (entries + 1) // 2]
    others = order[~np.isin(order, moved)][: entries - len(moved)]
    return np.sort(np.concatenate([moved, others]))


def _excuse(
    name: str,
    point: np.ndarray,
    index: tuple[int, ...],
    analytic: float,
    function: Callable[[np.ndarray], Any],
) -> str:
    """Return why a gradient may be right although it is no difference; nothing if it is wrong."""
    place = f"{name}{list(index) if index else ''}"
    below, above = one_sided_slopes(function, point, index)
    if not np.isfinite([below, above]).all():
        return f"{place} has no value on both sides, so there is no difference: check elsewhere"
    low, high = sorted((below, above))
    margin = 1e-3 * max(1.0, abs(low), abs(high))
    if high - low < margin or not low - margin <= analytic <= high + margin:
        return ""
    slopes = f"slopes {below + 0.0:.4g} below and {above + 0.0:.4g} above"
    return f"{place} is on a kink, {slopes}; the gradient there is a convention: check elsewhere"


def _error(analytic: float, numeric: float) -> float:
    if analytic == numeric:
        return 0.0
    error = abs(analytic - numeric) / max(1.0, abs(analytic), abs(numeric))
    return error if np.isfinite(error) else float("inf")


_DERIVATIVES = {
    "forward": forward_difference,
    "central": central_difference,
    "complex": complex_step,
}
