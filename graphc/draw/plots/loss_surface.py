"""How does a loss look over two parameters, and which way does descent take on it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.draw.palette import ADJOINT, INK, VALUE
from graphc.draw.plots.plot import Plot
from graphc.draw.typography import name_text
from graphc.errors import GraphError
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.run.arguments import as_array
from graphc.run.reference import bind, evaluate

#: One element of a parameter: its name and its index; a scalar's index is ().
Coordinate = tuple[str, tuple[int, ...]]


@takes_graph("of")
def loss_surface(
    graph: Graph,
    of: str,
    state: Mapping[str, Any],
    at: Mapping[str, Any] | None = None,
    *,
    over: tuple[Any, Any],
    paths: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    span: float | None = None,
    resolution: int = 40,
    title: str = "",
) -> Plot:
    """Draw a loss as contour lines over two elements of the parameters, with paths of descent.

    `over` names the two: `("w", "b")`, or `(("W", (0, 0)), ("W", (0, 1)))` for elements of arrays.
    All else stays as in `state`; `at` holds the inputs. `paths` gives, for each optimizer, copies
    of the states that it went through; ○ is where a path begins and ✕ where it ends. Without `span`
    (how far the picture reaches on each side of the middle) it covers all paths.

    **Raises.** GraphError where `of` is no number, or a coordinate names no element.
    """
    target = graph.find(of)
    if target.shape:
        raise GraphError("a loss surface shows a single number", got=f"{of}: {target.type}")
    if resolution < 2:
        raise GraphError("a surface needs at least two points a side", got=resolution)
    first, second = (_coordinate(graph, c) for c in over)
    tracks = {
        name: np.array([[_element(s, first), _element(s, second)] for s in states])
        for name, states in (paths or {}).items()
    }
    start = np.array([_element(state, first), _element(state, second)])
    low, high = _window(start, list(tracks.values()), span)
    xs, ys = (np.linspace(low[k], high[k], resolution) for k in range(2))
    heights = surface_values(graph, target, state, at or {}, (first, second), xs, ys)

    def draw(axes: Any) -> None:
        levels = _levels(heights)
        axes.contourf(xs, ys, heights, levels=levels, cmap="Blues", alpha=0.6)
        lines = axes.contour(xs, ys, heights, levels=levels, colors=INK, linewidths=0.5)
        axes.clabel(lines, fontsize=7)
        colours, dashes = (ADJOINT, INK, VALUE), ("-", "--", "-.", ":")
        for i, (name, track) in enumerate(tracks.items()):
            colour = colours[i % 3]
            axes.plot(*track.T, dashes[i % 4], color=colour, marker=".", ms=4, lw=1.4, label=name)
            axes.plot(*track[0], "o", color=colour, mfc="white", ms=8)
            axes.plot(*track[-1], "x", color=colour, ms=9, mew=2.2)
        axes.set_xlabel(_words(first))
        axes.set_ylabel(_words(second))
        axes.set_title(title or f"{name_text(of)} over {_words(first)} and {_words(second)}")
        if tracks:
            axes.legend(fontsize=8)

    return Plot(draw, title or f"loss surface of {of}", (5.6, 4.6))


def surface_values(
    graph: Graph,
    target: Node,
    state: Mapping[str, Any],
    at: Mapping[str, Any],
    over: tuple[Coordinate, Coordinate],
    xs: np.ndarray,
    ys: np.ndarray,
) -> np.ndarray:
    """Return the loss at all places. **Shapes.** xs: [M], ys: [K] -> [K, M]"""
    moved = {name: np.array(value, np.float64) for name, value in state.items()}
    wanted = graph.with_outputs({"loss": target})
    used = {name: moved[name] for name in wanted.params}
    inputs = {name: at[name] for name in wanted.inputs if name in at}
    env, sizes = bind(wanted, used or None, inputs)
    heights = np.empty((len(ys), len(xs)))
    for name, _ in over:  # arrays of our own, to be written into
        leaf = graph.params[name]
        env[leaf] = np.array(moved[name], leaf.dtype)
    for row, y in enumerate(ys):
        for column, x in enumerate(xs):
            for (name, index), value in zip(over, (x, y), strict=True):
                env[graph.params[name]][index] = value
            rng = np.random.default_rng(0)
            heights[row, column] = evaluate([target], env, sizes=sizes, rng=rng)[target]
    return heights


def _coordinate(graph: Graph, given: Any) -> Coordinate:
    name, index = (given, ()) if isinstance(given, str) else given
    if name not in graph.params:
        raise GraphError(
            f"no parameter is called {name!r}", expected=", ".join(graph.params) or "a parameter"
        )
    shape = graph.params[name].shape
    if not index and all(d == 1 for d in shape):
        index = (0,) * len(shape)
    fits = len(index) == len(shape) and all(
        isinstance(d, int) and 0 <= i < d for i, d in zip(index, shape, strict=False)
    )
    if not fits:
        raise GraphError(
            f"{name!r} is an array; an element of it is a coordinate",
            got=str(tuple(index)) if index else "no index",
            expected=f"an index into {graph.params[name].type}, as ({name!r}, (0, 1))",
        )
    return name, tuple(index)


def _element(state: Mapping[str, Any], coordinate: Coordinate) -> float:
    name, index = coordinate
    if name not in state:
        raise GraphError(f"a state lacks the parameter {name!r}", got=", ".join(map(str, state)))
    return float(as_array(state[name], np.dtype("float64"), name)[index])


def _window(
    start: np.ndarray, tracks: Sequence[np.ndarray], span: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of what is shown."""
    if span is not None or not tracks:
        return start - (span or 2.0), start + (span or 2.0)
    points = np.concatenate([start[None], *tracks])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.maximum(0.25 * (high - low), 0.1)
    return low - margin, high + margin


def _levels(heights: np.ndarray) -> np.ndarray:
    """Return rising levels, closer together near the lowest place."""
    finite = heights[np.isfinite(heights)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if high <= low:
        return np.array([low, low + 1.0])
    return low + (high - low) * np.linspace(0, 1, 14) ** 2


def _words(coordinate: Coordinate) -> str:
    name, index = coordinate
    shown = name_text(name)
    return f"{shown}[{', '.join(map(str, index))}]" if any(index) or len(index) > 1 else shown
