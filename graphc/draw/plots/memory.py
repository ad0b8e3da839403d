"""How much memory is live while a graph is computed, statement by statement?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.draw.palette import ADJOINT, INPUT_FILL, VALUE
from graphc.draw.plots.plot import Plot
from graphc.errors import GraphError
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph
from graphc.plan.amounts import Amount
from graphc.plan.cost import live_amounts

_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "bytes"))
#: How near to an end of the plot, as a share of it, a peak is told towards the middle.
_EDGE = 0.15


@takes_graph()
def memory(graph: Graph, title: str = "", **sizes: int) -> Plot:
    """Draw the bytes that are live while each statement of a graph runs, and where they are most.

    `sizes` gives each dim its number: `memory(g, N=128)`. Inputs and parameters are live all the
    time; any other value from the statement that makes it to the last one that reads it. For a
    compiled function draw `f.graph`; its gradient makes the picture of forward and backward.

    **Units.** bytes.
    **Raises.** GraphError where a dim has no number.
    """
    heights = live_bytes(graph, sizes)
    unit, word = next((u, w) for u, w in _UNITS if heights.max() >= u or u == 1)
    peak = int(heights.argmax())
    share = peak / max(len(heights) - 1, 1)
    side = "left" if share < _EDGE else "right" if share > 1 - _EDGE else "center"

    def draw(axes: Any) -> None:
        at = np.arange(len(heights))
        axes.fill_between(at, heights / unit, step="mid", color=INPUT_FILL)
        axes.step(at, heights / unit, where="mid", color=VALUE, lw=1.6)
        axes.plot(peak, heights[peak] / unit, "v", color=ADJOINT, ms=8)
        axes.annotate(
            f"most: {heights[peak] / unit:,.1f} {word}", (peak, heights[peak] / unit),
            textcoords="offset points", xytext=(0, 10), ha=side, color=ADJOINT,
        )  # fmt: skip
        axes.set_ylim(0, 1.18 * heights.max() / unit)
        axes.set_xlabel("statement")
        axes.set_ylabel(word)
        axes.set_title(title or f"live memory of {graph.name}")
        axes.get_xaxis().get_major_locator().set_params(integer=True)

    return Plot(draw, title or f"live memory of {graph.name}", (6.0, 3.6))


def live_bytes(graph: Graph, sizes: Mapping[str, int]) -> np.ndarray:
    """Return the live bytes before the first statement and during each. **Shapes.** -> [S + 1]"""
    missing = [name for name in graph.dims if name not in sizes]
    if missing:
        raise GraphError(
            "each dim needs a number",
            got=", ".join(f"{k}={v}" for k, v in sizes.items()) or "none",
            expected=", ".join(graph.dims),
            fix=f"memory(g, {', '.join(f'{name}=128' for name in missing)})",
        )
    return np.array([_number(amount, sizes) for amount in live_amounts(graph)], np.int64)


def _number(amount: Amount, sizes: Mapping[str, int]) -> int:
    total = 0
    for term, factor in amount.items():
        if not isinstance(term, int):
            term = term.subs({symbol: sizes[symbol.name] for symbol in term.free_symbols})
        total += int(term) * factor
    return total
