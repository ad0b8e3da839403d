"""Check a graph: every type re-derived, every leaf, update and draw in its place.

A pass that breaks a graph is found here, with the neighbourhood of the fault, before the fault
turns into a wrong number.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node

#: How many operands of a faulty node are shown, and how many users.
_SHOWN = 4


def verify(graph: Graph) -> None:
    """Raise a GraphError where the graph is not well formed.

    Raises:
        GraphError: with the node, its operands and its users, where a node's type is not what its
            op infers, an operand comes after its user, two leaves or two random draws are one
            too many, or an update does not fit its parameter.
    """
    _check_nodes(graph)
    _check_leaves(graph)
    _check_draws(graph)
    _check_roots(graph)


def _check_nodes(graph: Graph) -> None:
    earlier: set[Node] = set()
    for node in graph.nodes:
        operands: tuple[object, ...] = node.inputs
        for operand in operands:
            if not isinstance(operand, Node):
                kind = type(operand).__name__
                raise _fault(graph, node, "an operand is not a node", got=f"a {kind}")
            if operand not in earlier:
                raise _fault(graph, node, "an operand comes after its user: the graph has a cycle")
        earlier.add(node)
        _check_type(graph, node)


def _check_type(graph: Graph, node: Node) -> None:
    try:
        inferred = node.op.infer(tuple([operand.type for operand in node.inputs]), node.attrs)
    except GraphError as problem:
        raise _fault(
            graph, node, problem.what, got=problem.got, expected=problem.expected
        ) from None
    if inferred != node.type:
        what = f"{node.op.name} of these operands has another type"
        raise _fault(graph, node, what, got=str(node.type), expected=str(inferred))


def _check_leaves(graph: Graph) -> None:
    named: dict[str, Node] = {}
    declared: list[tuple[str, str, Node]] = [
        *[("input", name, leaf) for name, leaf in graph.inputs.items()],
        *[("param", name, leaf) for name, leaf in graph.params.items()],
    ]
    for kind, name, leaf in declared:
        if leaf.op.name != kind or leaf.attrs["name"] != name:
            raise _fault(graph, leaf, f"{name!r} stands among the {kind}s", got=leaf.op.name)
        if named.setdefault(name, leaf) is not leaf:
            raise _fault(graph, leaf, f"{name!r} is both an input and a parameter")
    for node in graph.nodes:
        if node.op.is_leaf and named.get(node.attrs["name"]) is not node:
            raise _fault(graph, node, f"a second {node.op.name} is called {node.attrs['name']!r}")


def _check_draws(graph: Graph) -> None:
    drawn: dict[int, Node] = {}
    for node in graph.nodes:
        if node.op.is_random and drawn.setdefault(node.attrs["draw"], node) is not node:
            what = "two random draws have one number, so their order is unknown"
            fix = "`.named(...)` makes another draw: name it where it is made, and read that one"
            raise _fault(graph, node, what, got=f"draw {node.attrs['draw']}", fix=fix)


def _check_roots(graph: Graph) -> None:
    for kind, roots in (("output", graph.outputs), ("update", graph.updates)):
        _check_names(kind, roots)
    for name, node in graph.updates.items():
        param = graph.params.get(name)
        if param is None:
            raise _fault(graph, node, f"the update of {name!r} has no such parameter")
        if node.type != param.type:
            what = f"the next value of {name!r} has another type"
            raise _fault(graph, node, what, got=str(node.type), expected=str(param.type))


def _check_names(kind: str, roots: Mapping[str, object]) -> None:
    for name, node in roots.items():
        if not isinstance(name, str) or not name:
            raise GraphError(f"an {kind} needs a name", got=repr(name))
        if not isinstance(node, Node):
            raise GraphError(f"{kind} {name!r} is not a node", got=f"a {type(node).__name__}")


def _fault(
    graph: Graph,
    node: Node,
    what: str,
    got: object = None,
    expected: object = None,
    fix: str | None = None,
) -> GraphError:
    """Return the error, with the node, its operands and its users written below it."""
    return node.provenance.error(
        f"verify: {what}\n{_neighbourhood(graph, node)}", got=got, expected=expected, fix=fix
    )


def _neighbourhood(graph: Graph, node: Node) -> str:
    """Return a few lines of `name: type = op(operands)`, the node itself marked by `>`."""
    number = {other: i for i, other in enumerate(graph.nodes)}

    def name(other: object) -> str:
        if not isinstance(other, Node):
            return repr(other)
        return other.name or f"%{number.get(other, '?')}"

    def line(other: Node, mark: str) -> str:
        operands = ", ".join(map(name, other.inputs))
        return f"  {mark} {name(other)}: {other.type} = {other.op.name}({operands})"

    operands = [operand for operand in dict.fromkeys(node.inputs) if isinstance(operand, Node)]
    users = [other for other in graph.nodes if any(node is operand for operand in other.inputs)]
    rows = [*[line(x, " ") for x in operands[:_SHOWN]], line(node, ">")]
    return "\n".join(rows + [line(x, " ") for x in users[:_SHOWN]])
