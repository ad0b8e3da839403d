"""How do functions of one number look, and their derivatives? Activations, losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.differentiate.gradient import grad
from graphc.draw.palette import ADJOINT, GREEN, INK, MUTED, PURPLE, VALUE
from graphc.draw.plots.plot import Plot
from graphc.errors import GraphError, did_you_mean
from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.ops.pointwise import Pointwise
from graphc.run.reference import evaluate

#: Colour and dash of each function: the dash alone tells them apart.
_LOOKS = (
    (VALUE, "-"),
    (ADJOINT, "--"),
    (GREEN, "-."),
    (PURPLE, ":"),
    (INK, (0, (6, 1, 1, 1, 1, 1))),
    (MUTED, (0, (1, 3))),
)

Function = Callable[[Node], Node]


def curves(
    functions: Sequence[str] | Mapping[str, Function],
    over: tuple[float, float] = (-4.0, 4.0),
    *,
    derivatives: bool = True,
    points: int = 401,
    title: str = "",
    label: str = "x",
) -> Plot:
    """Draw functions of one number, and beside them their derivatives, as graphc computes both.

    `functions` names ops, `["sigmoid", "tanh"]`, or gives each curve its function of a node:
    `{"hinge": lambda m: gc.relu(1 - m)}`. The derivative is reverse mode's, with the conventions
    that hold at kinks.

    **Units.** over: ends of the interval, in units of the argument.
    **Raises.** GraphError for an unknown op, an empty interval, or a function of other than one
    argument.
    """
    low, high = map(float, over)
    if not low < high or not np.isfinite([low, high]).all():
        raise GraphError(
            "curves need an interval", got=f"({low:g}, {high:g})", expected="low < high"
        )
    if points < 2:
        raise GraphError("a curve needs at least two points", got=points)
    named = functions if isinstance(functions, Mapping) else {n: _op(n) for n in functions}
    at = np.linspace(low, high, points)
    found = {name: values_and_slopes(name, function, at) for name, function in named.items()}

    def draw(axes: Any) -> None:
        panels = [axes]
        if derivatives:
            spec = axes.get_subplotspec().subgridspec(1, 2)
            axes.set_axis_off()
            panels = [axes.figure.add_subplot(spec[0, k]) for k in range(2)]
        for k, panel in enumerate(panels):
            for i, (name, pair) in enumerate(found.items()):
                color, dash = _LOOKS[i % len(_LOOKS)]
                panel.plot(at, _broken(pair[k]), color=color, linestyle=dash, label=name, lw=1.8)
            panel.axhline(0, color=MUTED, lw=0.6, zorder=0)
            panel.axvline(0, color=MUTED, lw=0.6, zorder=0)
            panel.set_xlabel(label)
            panel.set_title(("values", "derivatives")[k] if derivatives else title)
        panels[0].legend(frameon=False)

    return Plot(draw, title or ", ".join(named), (8.4 if derivatives else 5.0, 3.8))


def values_and_slopes(
    name: str, function: Function, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a function's values and derivatives. **Shapes.** [M] -> [M], [M]"""
    x = OPS["input"]("x", at.shape, "float64")
    y = function(x)
    if not isinstance(y, Node) or y.shape != at.shape:
        raise GraphError(
            f"{name!r} is no function of one number",
            got=str(getattr(y, "type", type(y).__name__)),
            expected=str(x.type),
        )
    if y.dtype.kind != "f":
        y = OPS["cast"](y, "float64")
    (slope,) = grad(OPS["sum"](y), [x])
    values = evaluate([y, slope], {x: at})
    return values[y], values[slope]


def _op(name: str) -> Function:
    known = {n: op for n, op in OPS.items() if isinstance(op, Pointwise) and op.arity == 1}
    if name not in known:
        raise GraphError(
            f"no function of one argument is called {name!r}",
            fix=did_you_mean(name, known),
        )
    return known[name]


def _broken(values: np.ndarray) -> np.ndarray:
    """Return the values with a gap where the curve jumps, so that no line joins both sides."""
    shown = np.array(values, np.float64)
    span = float(np.ptp(shown[np.isfinite(shown)])) if np.isfinite(shown).any() else 0.0
    steps = np.abs(np.diff(shown))
    shown[1:][steps > max(0.4 * span, 1e-12)] = np.nan
    return shown
