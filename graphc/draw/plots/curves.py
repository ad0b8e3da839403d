"""How do functions of one number look, and their derivatives? Activations, losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import numpy as np

from graphc.build.arrays.pointwise import POINTWISE
from graphc.differentiate.gradient import grad
from graphc.draw.palette import ADJOINT, GREEN, INK, MUTED, PURPLE, VALUE
from graphc.draw.plots.plot import Plot
from graphc.errors import GraphError, did_you_mean
from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.run.reference import evaluate

#: Colour and dash of the first functions: the dash alone tells them apart.
_LOOKS = (
    (VALUE, "-"),
    (ADJOINT, "--"),
    (GREEN, "-."),
    (PURPLE, ":"),
    (INK, (0, (6, 1, 1, 1, 1, 1))),
    (MUTED, (0, (1, 3))),
)
#: Each further round of dashes has marks on its lines, and other colours.
_MARKS = ("", "o", "s", "^", "D", "v", "P", "X")

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
                panel.plot(at, _broken(pair[k]), label=name, lw=1.8, **_look(i, points))
            panel.axhline(0, color=MUTED, lw=0.6, zorder=0)
            panel.axvline(0, color=MUTED, lw=0.6, zorder=0)
            panel.set_xlabel(label)
            of = ("values", "derivatives")[k] if derivatives else ""
            panel.set_title(": ".join(filter(None, (title, of))))
        panels[0].legend(frameon=False)

    return Plot(draw, title or ", ".join(named), (8.4 if derivatives else 5.0, 3.8))


def _look(number: int, points: int) -> dict[str, Any]:
    """Return how a line of so many points looks, by the number of its function."""
    turn, place = divmod(number, len(_LOOKS))
    look: dict[str, Any] = {
        "color": _LOOKS[(place + turn) % len(_LOOKS)][0],
        "linestyle": _LOOKS[place][1],
    }
    if turn:
        apart = max(1, points // 16)
        first = place * apart // len(_LOOKS)  # marks of lines that coincide stand beside each other
        marker = _MARKS[turn % len(_MARKS)]
        look |= {"marker": marker, "markevery": (first, apart), "markersize": 5}
    return look


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
    """Return an op of one argument, also where others have values of their own: elu's alpha."""
    known: dict[str, Function] = {n: f for n, f in POINTWISE.items() if _takes_one(f)}
    known |= {n: op for n, op in OPS.items() if isinstance(op, Pointwise) and op.arity == 1}
    if name in known:
        return known[name]
    fix = did_you_mean(name, known)
    if name in POINTWISE:
        fix = f"{{{name!r}: lambda x: gc.{name}(x, …)}} gives it its other arguments"
    raise GraphError(f"no function of one argument is called {name!r}", fix=fix)


def _takes_one(function: Callable[..., Any]) -> bool:
    needed = [p for p in signature(function).parameters.values() if p.default is p.empty]
    return len(needed) == 1


def _broken(values: np.ndarray) -> np.ndarray:
    """Return the values with a gap where the curve jumps, so that no line joins both sides."""
    shown = np.array(values, np.float64)
    span = float(np.ptp(shown[np.isfinite(shown)])) if np.isfinite(shown).any() else 0.0
    steps = np.abs(np.diff(shown))
    shown[1:][steps > max(0.4 * span, 1e-12)] = np.nan
    return shown
