"""The form of a graph that is differentiated: the gradient of a stable form is stable.

log(sum(exp(x))) has a derivative everywhere, but at x = 1e4 its textbook chain is inf/inf.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphc.ir.graph import Graph, with_own_names
from graphc.ir.node import Node, rebuilt
from graphc.ir.walk import substitute
from graphc.ops.registry import OPS
from graphc.rewrite.pipeline import STABILIZE, stabilize_forward

#: Stands before the names of outputs and inputs that exist only while rules run.
_HELD = "\0held "


def stable_form(graph: Graph, names: Iterable[str] = ()) -> Graph:
    """Return the graph with what overflows or cancels in its stable form.

    It is the graph itself where no such expression is found. Nodes of `names` stay as they are,
    and what depends on them still does: they are what is derived, or derived by.
    """
    stable = stabilized_around(graph, names)
    records = stable.history[len(graph.history) :]
    fired = any(firing.rule in STABILIZE for record in records for firing in record.firings)
    return stable if fired else graph


def stable_node(node: Node, targets: Iterable[Node]) -> Node:
    """Return a node with what overflows or cancels on the way from the targets in its stable form.

    It is the node itself where no such expression is found. The targets stay as they are.
    """
    interior = [target for target in targets if target.inputs]
    stand_in = {
        target: OPS["input"](f"{_HELD}{i}", target.shape, target.dtype)
        for i, target in enumerate(interior)
    }
    graph = Graph(_substituted({"of": node}, stand_in), warns=False)
    stable = stable_form(graph)
    if stable is graph:
        return node
    back = {leaf: target for target, leaf in stand_in.items()}
    return substitute([stable.outputs["of"]], back)[0]


def stabilized_around(graph: Graph, names: Iterable[str] = (), level: int = 2) -> Graph:
    """Return the graph after the passes before differentiation; nodes of `names` stay."""
    named = with_own_names(graph)
    leaves = {*named.inputs, *named.params}
    wanted = {named.find(name): name for name in names if name not in leaves}
    held = {node: wanted[node] for node in named.nodes if node in wanted and node.inputs}
    stable = stabilize_forward(_taken_apart(named, held), level)
    return _put_together(named, stable, held)


def _taken_apart(graph: Graph, held: Mapping[Node, str]) -> Graph:
    """Return the graph in which users of a held node read an input, and the node is an output."""
    if not held:
        return graph
    stand_in = {node: OPS["input"](_HELD + n, node.shape, node.dtype) for node, n in held.items()}
    outputs = _substituted(graph.outputs, stand_in)
    for node, name in held.items():
        inputs = substitute(node.inputs, stand_in)
        outputs[_HELD + name] = rebuilt(node, tuple(inputs))
    return graph.with_outputs(outputs, _substituted(graph.updates, stand_in))


def _put_together(graph: Graph, stable: Graph, held: Mapping[Node, str]) -> Graph:
    """Return the stable graph with the held nodes in their places again."""
    back: dict[Node, Node] = {}
    for node, name in held.items():
        value = substitute([stable.outputs[_HELD + name]], back)[0]
        if value.op.is_leaf or value.op.is_random:
            value = node  # x + 0 became x, which has a name of its own; a draw's copy is another
        if _HELD + name in stable.inputs:
            back[stable.inputs[_HELD + name]] = value if value.name == name else value.named(name)
    outputs = {name: node for name, node in stable.outputs.items() if not name.startswith(_HELD)}
    return graph.with_outputs(
        _substituted(outputs, back), _substituted(stable.updates, back), history=stable.history
    )


def _substituted(roots: Mapping[str, Node], new: dict[Node, Node]) -> dict[str, Node]:
    return dict(zip(roots, substitute(list(roots.values()), new), strict=True))
