"""Where does a classifier decide for which class? The plane of two inputs, coloured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.draw.palette import ADJOINT, INK, PAPER, VALUE
from graphc.draw.plots.plot import Plot
from graphc.errors import GraphError, did_you_mean
from graphc.ir.graph import Graph
from graphc.ir.labels import typed_names
from graphc.run.arguments import as_array
from graphc.run.compiled import CompiledFunction
from graphc.run.figures import matplotlib_module

#: One colour a class; Okabe and Ito's, which the colour-blind can tell apart.
CLASSES = (VALUE, ADJOINT, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A6D00", INK)
_MARKERS = "os^Dvp*P"


def decision_boundary(
    f: CompiledFunction,
    state: Mapping[str, Any] | None,
    X: Any,
    y: Any = None,
    *,
    output: str | None = None,
    input: str | None = None,
    features: Callable[[np.ndarray], np.ndarray] | None = None,
    threshold: float = 0.5,
    resolution: int = 200,
    title: str = "",
    labels: tuple[str, str] = ("x₁", "x₂"),
) -> Plot:
    """Draw what a classifier decides over the plane, its boundary, and the examples X of class y.

    Args:
        f: a compiled function, or a training step, which is used in test mode.
        output: scores or probabilities of classes [N, K], or one number [N], which decides for
            class 1 above `threshold`; by default `p`, or the first output that has one a point.
        input: the input that takes the points; by default the first float of one row a point.
        features: maps points [M, 2] to what the input takes; by default the points themselves.

    **Shapes.** X: [N, 2]; y: [N] classes 0 … K - 1 (or -1 and +1), or None for no examples' colour.
    **Raises.** GraphError for points that are not pairs, or a name that is none.
    """
    points = _points(X)
    used = f.for_inference() if f.graph.updates or f.draws else f
    taken, shown = _input(used.graph, input), _output(used.graph, output)
    grid_x, grid_y = _grid(points, resolution)
    places = np.column_stack([grid_x.ravel(), grid_y.ravel()])
    values = _evaluated(used, state, taken, shown, features(places) if features else places)
    scores = values.reshape(*grid_x.shape, *values.shape[1:])
    classes = None if y is None else _classes(np.asarray(y), len(points))

    def draw(axes: Any) -> None:
        _regions(axes, grid_x, grid_y, scores, threshold)
        _examples(axes, points, classes)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.set_title(title)
        axes.set_xlim(grid_x.min(), grid_x.max())
        axes.set_ylim(grid_y.min(), grid_y.max())

    return Plot(draw, title or "decision boundary")


def _points(X: Any) -> np.ndarray:
    """Return pairs of numbers [N, 2], at least one."""
    points = as_array(X, np.dtype("float64"), "X")
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise GraphError(
            "a decision boundary is drawn over pairs of numbers",
            got=str(list(points.shape)),
            expected="[N, 2]",
        )
    if not np.isfinite(points).all():
        raise GraphError("X holds a number that is not finite, so it has no place in the plane")
    return points


def _input(graph: Graph, name: str | None) -> str:
    """Return the input that takes the points: named, or the first with one row a point."""
    if name is not None:
        if name not in graph.inputs:
            raise _unknown("input", name, list(graph.inputs))
        return name
    for key, leaf in graph.inputs.items():
        if leaf.ndim == 2 and leaf.dtype.kind == "f":
            return key
    raise GraphError("no input takes one row for each point", got=", ".join(graph.inputs))


def _output(graph: Graph, name: str | None) -> str:
    if name is not None:
        if name not in graph.outputs:
            raise _unknown("output", name, list(graph.outputs))
        return name
    several = [key for key, node in graph.outputs.items() if node.ndim]
    if not several:
        raise GraphError(
            "no output has a value for each point",
            got=typed_names(graph.outputs),
            fix="add the prediction to the graph's outputs",
        )
    return "p" if "p" in several else several[0]


def _unknown(kind: str, name: str, known: list[str]) -> GraphError:
    fix = did_you_mean(name, known)
    return GraphError(f"no {kind} is called {name!r}", expected=", ".join(known), fix=fix)


def _grid(points: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates of a grid over the points and a margin around them."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.where(high > low, 0.12 * (high - low), 1.0)
    axes = [np.linspace(a, b, resolution) for a, b in zip(low - margin, high + margin, strict=True)]
    x, y = np.meshgrid(*axes)
    return x, y


def _evaluated(
    f: CompiledFunction, state: Mapping[str, Any] | None, taken: str, shown: str, rows: np.ndarray
) -> np.ndarray:
    """Return the output for each row; inputs that it does not depend on (labels) are zeros."""
    count = len(rows)
    others: dict[str, Any] = {
        name: np.zeros([d if isinstance(d, int) else count for d in leaf.shape], leaf.dtype)
        for name, leaf in f.graph.inputs.items()
        if name != taken
    }
    given: dict[str, Any] = {taken: rows.astype(f.graph.inputs[taken].dtype), **others}
    found = f(state, **given) if f.graph.params else f(**given)
    values = np.asarray(found[shown], np.float64)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _classes(y: np.ndarray, count: int) -> np.ndarray:
    """Return class numbers from 0: -1 and +1 become 0 and 1, one-hot rows their index."""
    if not y.ndim or len(y) != count:
        raise GraphError("y needs one class a point", got=str(list(y.shape)), expected=f"[{count}]")
    flat = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y))
    numbers = flat.astype(np.int64)
    return (numbers > 0).astype(np.int64) if (numbers < 0).any() else numbers


def _regions(axes: Any, x: np.ndarray, y: np.ndarray, scores: np.ndarray, threshold: float) -> None:
    """Colour each place by the class it is decided for; the more certain, the stronger."""
    colours = matplotlib_module().colors
    if scores.ndim == 2:
        largest = max(float(np.abs(scores - threshold).max()), 1e-12)
        ends = [_pale(CLASSES[0], 0.45), PAPER, _pale(CLASSES[1], 0.45)]
        fade = colours.LinearSegmentedColormap.from_list("decision", ends)
        _mesh(axes, x, y, (scores - threshold) / largest, fade, (-1.0, 1.0))
        if scores.min() < threshold < scores.max():
            axes.contour(x, y, scores, [threshold], colors=INK, linewidths=1.5)
        return
    decided, count = scores.argmax(axis=-1), scores.shape[-1]
    flat = colours.ListedColormap([_pale(CLASSES[k % 8], 0.25) for k in range(count)])
    _mesh(axes, x, y, decided, flat, (-0.5, count - 0.5))
    for k in range(count):
        if (decided == k).any() and (decided != k).any():
            others = np.delete(scores, k, axis=-1).max(axis=-1)
            axes.contour(x, y, scores[..., k] - others, [0.0], colors=INK, linewidths=1.0)


def _mesh(
    axes: Any,
    x: np.ndarray,
    y: np.ndarray,
    values: np.ndarray,
    colours: Any,
    limits: tuple[float, float],
) -> None:
    """Colour the plane; as pixels also in a vector format, which would draw 40,000 squares."""
    low, high = limits
    axes.pcolormesh(x, y, values, cmap=colours, vmin=low, vmax=high, rasterized=True)


def _pale(colour: str, share: float) -> tuple[float, ...]:
    """Return a share of a colour on white. Not alpha: overlapping edges would show."""
    rgb = np.array(matplotlib_module().colors.to_rgb(colour))
    return tuple(1 - share * (1 - rgb))


def _examples(axes: Any, points: np.ndarray, classes: np.ndarray | None) -> None:
    if classes is None:
        axes.scatter(*points.T, s=14, color=INK, linewidths=0)
        return
    for k in sorted(set(classes.tolist())):
        axes.scatter(
            *points[classes == k].T,
            s=26,
            color=CLASSES[k % 8],
            marker=_MARKERS[k % 8],
            edgecolors=PAPER,
            linewidths=0.6,
            label=f"class {k}",
        )
