"""Remove dead: updates that change nothing, and what only they needed."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.rewrite.engine.bodies import Became
from graphc.rewrite.engine.rule import Firing, Rule, by_whole_pass

DEAD = Rule(
    "remove_dead",
    "W ← W",
    "no update",
    "a parameter that keeps its value needs no update",
    apply=by_whole_pass,
)


def remove_dead(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph without updates of a parameter to itself.

    Nodes that no output or update needs are not in a graph at all, so nothing else can be dead,
    and each node that stays is itself: nothing is added to `became`.
    """
    dead = [name for name, node in graph.updates.items() if node is graph.params.get(name)]
    if not dead or (len(dead) == len(graph.updates) and not graph.outputs):
        return graph, ()
    updates = {name: node for name, node in graph.updates.items() if name not in dead}
    firings = [Firing(DEAD, (graph.params[name],), graph.params[name]) for name in dead]
    return graph.with_outputs(graph.outputs, updates, history=()), tuple(firings)
