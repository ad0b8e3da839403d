"""What does a model cost, and under which checkpoints? Arithmetic and memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from graphc.commands.stage import counted, stage_of
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt
from graphc.plan.cost import Cost

#: More scopes than this are not tried one by one.
_MOST = 16


def costs(
    graph: Graph, gradient: str | None, level: int, sizes: Mapping[str, int], compare: bool
) -> str:
    """Return the cost of a graph after the passes of a level; `compare` it under checkpoints.

    Raises:
        GraphError: where checkpoints are to be compared, but not for a gradient.
    """
    if not compare:
        cost = stage_of(graph, gradient, None, level).cost().at(**sizes)
        return f"{cost}\n\n{counted(level)}"
    if gradient is None:
        raise GraphError(
            "checkpoints trade memory of a gradient", fix="graphc cost … --gradient loss"
        )
    choice = choices(graph).items()
    found = {name: stage_of(g, gradient, None, level).cost() for name, g in choice}
    return comparison({name: cost.at(**sizes) for name, cost in found.items()})


def choices(graph: Graph) -> Mapping[str, Graph]:
    """Return the graph under the checkpoints that are worth comparing, by what is recomputed.

    None, those that the graph states, each outermost scope alone, and all of these.

    Raises:
        GraphError: for a graph without scopes.
    """
    scopes = list(dict.fromkeys(filter(None, map(_outermost, graph.nodes))))
    if not scopes:
        raise GraphError(
            f"graph {graph.name!r} has no scopes that could be checkpoints",
            fix='build its parts inside `with gc.scope("block1"):`',
        )
    found = {"nothing": checkpointed(graph, ())}
    if any(node.provenance.checkpoints for node in graph.nodes):
        found["as stated"] = graph
    if 1 < len(scopes) <= _MOST:
        found |= {scope: checkpointed(graph, [scope]) for scope in scopes}
    name = scopes[0] if len(scopes) == 1 else "each scope"
    found[name] = checkpointed(graph, scopes)
    return found


def checkpointed(graph: Graph, scopes: Iterable[str]) -> Graph:
    """Return the graph whose checkpoints are these outermost scopes, whatever they were before."""
    chosen, new = set(scopes), dict[Node, Node]()
    for node in graph.nodes:
        again = rebuilt(node, tuple([new[x] for x in node.inputs]))
        own = (_outermost(node),) if _outermost(node) in chosen else ()
        if not node.op.is_leaf and own != node.provenance.checkpoints:
            provenance = replace(node.provenance, checkpoints=own)
            again = Node(again.op, again.inputs, again.attrs, again.type, provenance)
        new[node] = again
    return graph.mapped(new)


def _outermost(node: Node) -> str:
    return node.provenance.scope.partition("/")[0]


def comparison(costs: Mapping[str, Cost]) -> str:
    """Return the costs of several choices as a table.

    Raises:
        GraphError: where the costs depend on dims, since only numbers compare at a glance.
    """
    dims = sorted({name for cost in costs.values() for name in cost.dims})
    if dims:
        raise GraphError(
            "checkpoints are compared for given sizes",
            got=f"no size for {', '.join(dims)}",
            fix=" ".join(f"--at {name}=128" for name in dims),
        )
    rows: list[tuple[str, ...]] = [("recomputed", "FLOPs", "peak live bytes", "memory of a call")]
    for name, cost in costs.items():
        numbers = (cost.flops, cost.peak_bytes, cost.memory_bytes)
        rows.append((name, *[f"{int(number):,}" for number in numbers]))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    return "\n".join(lines)
