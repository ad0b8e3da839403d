"""Gradients as nodes (`grad`) and as a graph (`gradient`): what users call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphc.differentiate.sweeps.reverse import cotangents
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import FORWARD
from graphc.ir.walk import topological
from graphc.ops.leaf import fill, zeros_like
from graphc.ops.movement.rows import row_form
from graphc.ops.registry import OPS


def grad(node: Node, wrt: Node | Sequence[Node]) -> list[Node]:
    """Return the derivatives of a scalar node, each with the shape of its node of `wrt`.

    A node of `wrt` that the scalar does not depend on gets zeros, if it depends on another one.

    Raises:
        GraphError: where `node` is not a float scalar, where one of `wrt` is not a float, or where
            the scalar depends on none of them.
    """
    targets = derived_by(node, wrt)
    parts = _gradient_parts(node, targets)
    if targets and all(part is None for part in parts):
        _check_dependence(node, targets)
    return or_zeros(parts, targets)


def or_zeros(parts: Sequence[Node | None], targets: Sequence[Node]) -> list[Node]:
    """Return derivatives with zeros in place of those that are nothing."""
    return [zeros_like(t) if part is None else part for t, part in zip(targets, parts, strict=True)]


def derived_by(node: Node, wrt: Node | Sequence[Node]) -> list[Node]:
    """Return the nodes that a scalar is derived by, checked: both must be floats."""
    targets = [wrt] if isinstance(wrt, Node) else list(wrt)
    check_scalar(node)
    for target in targets:
        check_float(target)
    return targets


def gradient(
    graph: Graph, of: str, wrt: Iterable[str] | str | None = None, sparse: bool = False
) -> Graph:
    """Return the graph with outputs `d_<of>_d_<name>` added, one for each name of `wrt`.

    `wrt` None stands for the trainable parameters; for all float inputs where there are none. With
    `sparse`, the gradient of a table that is only read by rows comes as two outputs instead, of the
    batch's size: `d_<of>_d_<name>.values` [n, ...] belong to the `d_<of>_d_<name>.rows` [n], and
    those of equal rows add up.
    """
    node = graph.find(of)
    check_scalar(node)
    names = [wrt] if isinstance(wrt, str) else list(default_wrt(graph) if wrt is None else wrt)
    targets = [graph.variable(name) for name in names]
    for name, target in zip(names, targets, strict=True):
        check_float(target, name)
    outputs: dict[str, Node] = {}
    parts = _gradient_parts(node, targets)
    for name, target, part in zip(names, targets, parts, strict=True):
        whole = zeros_like(target) if part is None else part
        found = row_form(whole) if sparse and target.ndim and part is not None else None
        if found is None:
            outputs[f"d_{of}_d_{name}"] = whole
        else:
            outputs[f"d_{of}_d_{name}.rows"], outputs[f"d_{of}_d_{name}.values"] = found
    _check_names(graph, outputs)
    return graph.with_outputs({**graph.outputs, **outputs}, graph.updates)


def _check_names(graph: Graph, gradients: Mapping[str, Node]) -> None:
    """Raise where an output that is something else has the name of a gradient."""
    for name, node in gradients.items():
        known = graph.outputs.get(name, node)
        # A derivative is this one, of a graph that was derived before and rewritten since.
        is_derivative = known.provenance.phase != FORWARD or known is node
        one, other = (Graph({name: root}, warns=False) for root in (known, node))
        if not is_derivative and one != other:
            raise GraphError(
                f"the graph has an output {name!r} already, which is not that gradient",
                got=str(known.type),
                fix=f"give your output another name than {name!r}",
            )


def default_wrt(graph: Graph) -> list[str]:
    """Return the trainable parameters' names, or the float inputs' where there are none."""
    if graph.trainable:
        return list(graph.trainable)
    names = [name for name, node in graph.inputs.items() if node.dtype.kind == "f"]
    if not names:
        raise GraphError(
            f"graph {graph.name!r} has nothing to derive by",
            expected="a trainable parameter or a float input",
        )
    return names


def _gradient_parts(node: Node, targets: Sequence[Node]) -> list[Node | None]:
    return cotangents([node], [fill(1.0, (), node.dtype)], targets)


def check_derived(node: Node) -> None:
    """Raise unless a node is a float, which alone has a derivative."""
    if not isinstance(node, Node):
        raise GraphError(
            "a node is derived",
            got=f"{node!r} of type {type(node).__name__}",
            fix="g.gradient(of) takes names",
        )
    if node.dtype.kind != "f":
        raise node.provenance.error(
            "only a float has a gradient",
            got=_label(node),
            fix="cast it, or derive the float that it was computed from",
        )


def _label(node: Node) -> str:
    name = node.attrs["name"] if node.op.is_leaf else node.name or node.op.name
    return f"{name}: {node.type}"


def check_scalar(node: Node) -> None:
    check_derived(node)
    if node.shape:
        raise node.provenance.error(
            "only a single number has a gradient",
            got=_label(node),
            expected="shape []",
            fix="reduce it first: .mean() or .sum(); for all derivatives use a jacobian",
        )


def check_float(target: Node, name: str | None = None) -> None:
    if not isinstance(target, Node):
        raise GraphError(
            "a derivative is taken by a node",
            got=f"{target!r} of type {type(target).__name__}",
            fix='gc.grad(loss, [W]) takes nodes; graph.gradient("loss", ["W"]) takes names',
        )
    if target.dtype.kind != "f":
        raise target.provenance.error(
            "no derivative by an integer or bool",
            got=f"{name or target.name or target.op.name}: {target.type}",
            fix="give it a float dtype, or leave it out of wrt",
        )


def _check_dependence(node: Node, targets: Sequence[Node]) -> None:
    """Raise unless zeros are a sensible answer: the derivative of a derivative may well be 0.

    So may that of a number, which a derivative has become.
    """
    order = topological([node])
    present = set(order)
    if any(t in present for t in targets) or any(x.provenance.is_derivative for x in order):
        return
    if not any(x.op in (OPS["input"], OPS["param"]) for x in order):
        return
    names = ", ".join(t.name or repr(t) for t in targets)
    raise node.provenance.error(
        f"{node.name or 'the output'} does not depend on {names}",
        got=repr(node),
        fix="derive by a node that it was computed from; a renamed copy is another node",
    )
