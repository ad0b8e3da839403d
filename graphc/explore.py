"""The explorer: all stages of a compilation on one page. Here the pipeline meets its picture."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphc.differentiate.gradient import default_wrt, gradient
from graphc.draw.explorer import Stage, explorer_page, stages_of
from graphc.errors import GraphError, did_you_mean
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph, with_own_names
from graphc.ir.provenance import Origin, origin
from graphc.ir.verify import verify
from graphc.rewrite.pipeline import optimize, stabilize_forward
from graphc.run.files import write_whole


@takes_graph("gradient_of")
def explore(
    graph: Graph,
    path: str | os.PathLike[str],
    gradient_of: str | None = None,
    at: Mapping[str, Any] | None = None,
    *,
    level: int = 2,
) -> Path:
    """Write a page on which one watches the compiler work, and return its path.

    The page needs no network and no other file. It shows the graph and its code after every pass,
    each firing of a rule, what became of each node, costs, and one evaluation step by step.

    Args:
        gradient_of: also differentiate this scalar output, as `compile(gradient_of=…)` does.
        at: values of inputs, parameters and dims; what is left out is drawn at random (seed 0).
        level: of optimization, as in `optimize`.

    Raises:
        GraphError: where a name is unknown, a value does not fit, Graphviz's program `dot` is
            missing, or the file cannot be written. A file is written whole or not at all.
    """
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise GraphError("the explorer is a page", got=target.name, expected="a name like m.html")
    page = explorer_page(stages(graph, gradient_of, level), of=gradient_of, at=at)
    write_whole(target, page)
    return target


def stages(graph: Graph, gradient_of: str | None = None, level: int = 2) -> list[Stage]:
    """Return every stage of a graph's compilation, from what was written to what is emitted."""
    verify(graph)
    if gradient_of is not None and gradient_of not in graph.outputs:
        raise GraphError(
            f"no output is called {gradient_of!r}",
            expected=", ".join(graph.outputs),
            fix=did_you_mean(gradient_of, graph.outputs),
        )
    with origin(Origin()):  # what a pass makes of nothing comes from no line of the user's
        return _stages(with_own_names(graph), gradient_of, level)


def _stages(model: Graph, gradient_of: str | None, level: int) -> list[Stage]:
    stable = stabilize_forward(model, level)
    done = len(model.history)
    found = [Stage("as written", "The graph as it stands in the model", model)]
    found += stages_of(stable.history[done:])
    current = stable
    if gradient_of is not None:
        current = gradient(stable, gradient_of)
        wrt = ", ".join(default_wrt(stable)[:4])
        title = f"Add the derivative of {gradient_of} by {wrt}, node by node"
        found.append(Stage("differentiate", title, current, differentiates=True))
    done = len(current.history)
    return [*found, *stages_of(optimize(current, level).history[done:])]
