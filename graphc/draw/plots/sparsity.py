"""Which elements depend on which? The pattern of a Jacobian or a Hessian, without its numbers."""

from __future__ import annotations

from typing import Any

from graphc.differentiate.gradient import grad
from graphc.differentiate.matrices.sparsity import Pattern, sparsity
from graphc.draw.palette import INK, VALUE
from graphc.draw.plots.plot import Plot
from graphc.draw.typography import name_text
from graphc.errors import GraphError
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph
from graphc.ir.node import Node


@takes_graph("of", "wrt")
def jacobian_sparsity(graph: Graph, of: str, wrt: str) -> Plot:
    """Draw where ∂of/∂wrt can be other than 0: rows are elements of `of`, columns of `wrt`.

    The pattern follows from the graph alone, for all values at once.

    **Raises.** GraphError where a dim on the way has no number.
    """
    found = _pattern(graph.find(of), graph.variable(wrt), of, wrt)
    return _plot(found, f"∂{name_text(of)}/∂{name_text(wrt)}", name_text(of), name_text(wrt))


@takes_graph("of", "wrt")
def hessian_sparsity(graph: Graph, of: str, wrt: str) -> Plot:
    """Draw where the second derivative of a number can be other than 0.

    **Raises.** GraphError where `of` is no number, or a dim on the way has no number.
    """
    leaf = graph.variable(wrt)
    (slope,) = grad(graph.find(of), [leaf])
    found = _pattern(slope, leaf, f"the gradient of {of}", wrt)
    name = name_text(wrt)
    return _plot(found, f"∂²{name_text(of)}/∂{name}²", name, name)


def _pattern(of: Node, wrt: Node, of_name: str, wrt_name: str) -> Pattern:
    found = sparsity(of, wrt)
    if found is None:
        raise GraphError(
            f"the pattern of {of_name} by {wrt_name} is not known",
            got=f"{of.type} by {wrt.type}",
            expected="shapes of numbers alone, and fewer than a million entries",
            fix="declare inputs with fixed sizes, or take fewer elements",
        )
    return found


def _plot(found: Pattern, title: str, rows: str, columns: str) -> Plot:
    high, wide = found.shape
    share = found.size / max(high * wide, 1)

    def draw(axes: Any) -> None:
        side = max(high, wide, 1)
        axes.plot(
            found.columns, found.rows, "s", color=VALUE, ms=max(1.0, min(18.0, 190 / side)), mew=0
        )
        axes.set_xlim(-0.5, wide - 0.5)
        axes.set_ylim(high - 0.5, -0.5)
        axes.set_aspect("equal")
        axes.set_xlabel(columns)
        axes.set_ylabel(rows)
        axes.set_title(
            f"{title}: {found.size:,} of {high * wide:,} entries ({share:.0%})", color=INK
        )
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_major_locator().set_params(integer=True)

    return Plot(draw, f"sparsity of {title}", (4.6, 4.6))
