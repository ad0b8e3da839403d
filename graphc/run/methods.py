"""Four ways to a derivative, side by side: numerical, symbolic, forward mode and reverse mode.

For one scalar output at one point: the values, how many passes each way takes, how many
operations these are, and how far off they end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphc.build.graphs import astype
from graphc.differentiate.gradient import check_scalar, gradient
from graphc.differentiate.tangent import tangent
from graphc.errors import GraphError
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.plan.cost import cost
from graphc.rewrite.before_derivative import stable_form
from graphc.rewrite.pipeline import optimize
from graphc.run.arguments import Arrays
from graphc.run.closed_form import ClosedForm, closed_form
from graphc.run.differences import central_difference, forward_difference
from graphc.run.gradcheck import bound_point, checked_output, checked_wrt, restricted
from graphc.run.reference import evaluate
from graphc.run.text_table import table_text

#: A table with more derivatives than this shows no values, only errors.
_SHOWN = 6
#: A pass for each derivative takes its time.
MOST_VARIABLES = 4096
#: A derivative with fewer operations than this is printed.
_SHORT = 12


@dataclass(frozen=True)
class Method:
    """One way to the derivatives: what it gives and what it takes.

    `passes` are evaluations of the graph, or of the graph with its tangent or cotangents; the
    symbolic way takes one formula for each derivative. `error` is the largest distance to the
    exact derivatives, relative to max(1, |exact|).
    """

    name: str
    passes: str
    operations: int
    values: Mapping[str, np.ndarray]
    error: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """The methods for the derivatives of `of`; `notes` say what was left out and why."""

    of: str
    dtype: str
    variables: int
    operations: int
    methods: tuple[Method, ...]
    judge: str
    form: ClosedForm | None
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Method:
        for method in self.methods:
            if method.name == name:
                return method
        raise GraphError(
            f"no method is called {name!r}", expected=", ".join(m.name for m in self.methods)
        )

    def __str__(self) -> str:
        wrt = f"{self.variables} derivative{'s' * (self.variables != 1)} of {self.of}"
        title = f"{wrt} in {self.dtype}; {self.of} itself takes {self.operations:,} operations"
        rows = [("method", "passes", "operations", "error")]
        rows += [(m.name, m.passes, f"{m.operations:,}", f"{m.error:.1e}") for m in self.methods]
        values = ["", *table_text(self._values())] if self.variables <= _SHOWN else []
        notes = [*self._formulas(), f"errors are distances to {self.judge}", *self.notes]
        return "\n".join([title, "", *table_text(rows), *values, "", *notes])

    def _values(self) -> list[tuple[str, ...]]:
        """Return a row for each derivative, with its value by every method."""
        rows = [("derivative", *[method.name for method in self.methods])]
        for name, values in self.methods[0].values.items():
            for index in np.ndindex(values.shape):
                place = f"d{self.of}/d{name}{list(index) if index else ''}"
                found = [f"{m.values[name][index]:.12g}" for m in self.methods]
                rows.append((place, *found))
        return rows

    def _formulas(self) -> list[str]:
        """Return the symbolic derivatives that are short, and how much larger they grew."""
        form = self.form
        if form is None:
            return []
        lines = [f"{self.of} written out in one formula: {form.operations:,} operations"]
        if form.why:
            return [f"{lines[0]}, {form.why}"]
        lines[0] += f"; its derivatives: {form.derivative_operations:,}"
        if form.derivative_operations <= _SHORT * self.variables and self.variables <= _SHOWN:
            cells = [
                (form.symbols[name][index], derivatives[index])
                for name, derivatives in form.derivatives.items()
                for index in np.ndindex(derivatives.shape)
            ]
            lines += [f"d{self.of}/d{symbol} = {derivative}" for symbol, derivative in cells]
        return lines


@takes_graph("of", "wrt")
def compare_methods(
    graph: Graph,
    of: str | None = None,
    at: Mapping[str, Any] | None = None,
    wrt: Iterable[str] | str | None = None,
    *,
    step: float = 1e-6,
    seed: int = 0,
) -> Comparison:
    """Compute the derivatives of a scalar output by every method, in float64.

    `at` gives inputs and parameters by name; what it leaves out is drawn from `seed`. `wrt` None
    stands for the trainable parameters, or for all float inputs. `step` is that of the numerical
    methods. What is evaluated and derived is the stable form of the graph, as in `compile`. The
    judge of the errors is the symbolic form, computed with 30 digits; where a graph has none that
    can be derived, it is reverse mode.

    **Raises.** GraphError for a point that does not fit, an unknown name, or no scalar output.
    """
    of = checked_output(graph, of)
    check_scalar(graph.outputs[of])
    names = checked_wrt(graph, wrt)
    written = astype(graph, "float64")
    form, notes = _closed_form(Point(written, of, names, at or {}, seed))
    point = Point(stable_form(written, names), of, names, at or {}, seed)
    backward = gradient(point.graph, of, names)
    reverse = point.values_of(backward, [f"d_{of}_d_{name}" for name in names])
    exact = reverse if form is None or form.why else form.at(point.floats)
    n, own = point.variables, point.operations(point.graph)
    forward = _differences(point, forward_difference, step)
    central = _differences(point, central_difference, step)
    methods = [
        Method("forward difference", f"{n + 1}", (n + 1) * own, forward),
        Method("central difference", f"{2 * n}", 2 * n * own, central),
    ]
    if form is not None and not form.why:
        methods.append(Method("symbolic", "-", form.derivative_operations, exact))
    by_forward, per_pass = _by_forward_mode(point)
    methods += [
        Method("forward mode", f"{n}", n * per_pass, by_forward),
        Method("reverse mode", "1", point.operations(backward), reverse),
    ]
    judged = tuple([replace(m, error=_distance(m.values, exact)) for m in methods])
    judge = "reverse mode" if exact is reverse else "the symbolic form at 30 digits"
    return Comparison(of, "float64", n, own, judged, judge, form, tuple(notes))


class Point:
    """A graph at a point: what all methods start from."""

    def __init__(
        self, graph: Graph, of: str, names: Sequence[str], at: Mapping[str, Any], seed: int
    ) -> None:
        self.graph = graph.with_outputs({of: graph.outputs[of]})
        self.of, self.names, self.seed = of, tuple(names), seed
        self.env, self.sizes = bound_point(graph, at, seed)
        leaves = {**graph.params, **graph.inputs}
        self.leaves = {name: leaves[name] for name in names}
        self.given = {name: self.env[leaf] for name, leaf in self.leaves.items()}
        floats = {name: leaf for name, leaf in leaves.items() if leaf.dtype.kind == "f"}
        self.floats = {name: self.env[leaf] for name, leaf in floats.items()}
        self.variables = sum(array.size for array in self.given.values())
        if self.variables > MOST_VARIABLES:
            raise GraphError(
                "too many derivatives for methods that take a pass for each",
                got=f"{self.variables:,} elements of {', '.join(names)}",
                expected=f"at most {MOST_VARIABLES:,}",
                fix=f"choose fewer: wrt=[{min(names, key=lambda n: self.given[n].size)!r}]",
            )

    @property
    def root(self) -> Node:
        return self.graph.outputs[self.of]

    def values(self, roots: Iterable[Node], more: Arrays | None = None) -> Arrays:
        """Return the value of each node under the roots; draws are the same on every call."""
        env = {**self.env, **(more or {})}
        rng = np.random.default_rng(self.seed)
        return evaluate(roots, env, sizes=self.sizes, rng=rng)

    def values_of(self, derived: Graph, outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """Return some outputs of a graph at the point, under the names they belong to."""
        found = self.values([derived.outputs[output] for output in outputs])
        pairs = zip(self.names, outputs, strict=True)
        return {name: found[derived.outputs[output]] for name, output in pairs}

    def operations(self, graph: Graph) -> int:
        """Return how many operations one evaluation takes, after the passes of the compiler."""
        flops = cost(optimize(graph, 2)).flops
        return int(flops.subs({s: self.sizes[s.name] for s in flops.free_symbols}))


def _differences(
    point: Point, difference: Callable[..., float], step: float
) -> dict[str, np.ndarray]:
    """Return difference quotients by all variables, one element at a time."""
    nodes = topological([point.root])
    values = point.values([point.root])
    found = {}
    for name, leaf in point.leaves.items():
        function = restricted(point.root, nodes, leaf, values, point.sizes)
        quotients = np.empty(point.given[name].shape)
        for index in np.ndindex(quotients.shape):
            quotients[index] = difference(function, point.given[name], index, step)
        found[name] = quotients
    return found


def _by_forward_mode(point: Point) -> tuple[dict[str, np.ndarray], int]:
    """Return the derivatives by one tangent for each element, and the operations of a pass."""
    found = {}
    per_pass = 0
    for name in point.leaves:
        per_pass = max(per_pass, point.operations(tangent(point.graph, name)))
        size, shape = int(point.given[name].size), point.given[name].shape
        moving = tangent(point.graph, name, directions=size)
        (seed,) = [node for n, node in moving.inputs.items() if n not in point.graph.inputs]
        directions = np.eye(size).reshape((size, *shape))
        (result,) = [node for n, node in moving.outputs.items() if n != point.of]
        found[name] = point.values([result], {seed: directions})[result].reshape(shape)
    return found, per_pass


def _closed_form(point: Point) -> tuple[ClosedForm | None, list[str]]:
    values = point.values([point.root])
    fixed = {n: v for n, v in values.items() if n.op.is_leaf or n.op.is_random}
    try:
        form = closed_form(point.root, point.names, fixed, point.sizes)
    except GraphError as problem:
        return None, [f"no symbolic form: {problem.what}"]
    return form, []


def _distance(values: Mapping[str, np.ndarray], exact: Mapping[str, np.ndarray]) -> float:
    """Return the largest error, relative to max(1, |exact|)."""
    errors = [
        np.abs(values[name] - right) / np.maximum(1.0, np.abs(right))
        for name, right in exact.items()
    ]
    return max((float(e.max()) for e in errors if e.size), default=0.0)
