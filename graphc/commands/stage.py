"""Which stage of a model is meant? As it stands in its file, with a gradient, after passes."""

from __future__ import annotations

from pathlib import Path

from graphc.compile import load, optimize
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.rewrite.before_derivative import stabilized_around


def stage(model: Path, gradient: str | None, wrt: str | None, level: int) -> Graph:
    """Return the graph of a file with its gradient, after the passes of a level."""
    return stage_of(load(model), gradient, wrt, level)


def stage_of(graph: Graph, gradient: str | None, wrt: str | None, level: int) -> Graph:
    """Return a graph with its gradient, after the passes of a level."""
    if wrt and not gradient:
        raise GraphError(
            "--wrt says what to differentiate by, but nothing is to be differentiated",
            got=f"--wrt {wrt}",
            fix=f"--gradient OUTPUT --wrt {wrt}",
        )
    if gradient:
        # The gradient of the stable form of this level, as `compile` takes it.
        targets = names(wrt)
        stable = stabilized_around(graph, targets or (), level)
        graph = stable.gradient(gradient, targets, stabilize=False)
    return optimize(graph, level) if level else graph


def in_use(graph: Graph, outputs: str | None) -> Graph:
    """Return what computes the named outputs in use, or the graph itself where none is named."""
    wanted = names(outputs)
    return graph.for_inference(*wanted) if wanted else graph


def counted(level: int) -> str:
    """Return which graph has been counted: power, say, is dearer as written than as compiled."""
    if level:
        return (
            f"operations are counted after the passes of level {level}, as `cost --level {level}`"
        )
    return "operations are counted as the model is written; --level 2 counts what is compiled"


def names(text: str | None) -> list[str] | None:
    """Return the names in a text such as `W,b`."""
    return [name.strip() for name in text.split(",")] if text else None
