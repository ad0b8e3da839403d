"""Second derivatives: Hessians, their products with a vector, and those of Gauss and Newton."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphc.differentiate.gradient import check_float, check_scalar, or_zeros
from graphc.differentiate.matrices.compression import compression_of
from graphc.differentiate.matrices.jacobian import (
    COMPACT,
    DENSE,
    check_choice,
    compact_jacobian,
    dense_jacobian,
    float_node,
)
from graphc.differentiate.sweeps.forward import tangents
from graphc.differentiate.sweeps.reverse import cotangents, placeholder
from graphc.differentiate.sweeps.several import batched
from graphc.differentiate.tangent import new_input, with_inputs
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import ADJOINT, BACKWARD, TANGENT, inherit
from graphc.ops.leaf import fill, zeros_like
from graphc.ops.registry import OPS

PRODUCT = "product"


def hessian(
    graph: Graph,
    of: str,
    wrt: str | Iterable[str],
    *,
    form: str = DENSE,
    mode: str | None = None,
) -> Graph:
    """Return the graph with outputs `d2_<of>_d_<a>_d_<b>` added: second derivatives of a scalar.

    Of several names, each pair comes once, in the order given. A Hessian is the Jacobian of the
    gradient: `mode` "forward" runs forward over reverse, "reverse" reverse over reverse; None
    takes fewer passes. For the structure of a compact form, ask
    `graph.gradient(of, a).jacobian_structure(f"d_{of}_d_{a}", a)`.

    **Shapes.** dense: a.shape + b.shape.
    **Raises.** GraphError where `of` is not a scalar, or where a name stands for no float.
    """
    names, node, targets = _arguments(graph, of, wrt)
    check_choice("form", form, (DENSE, COMPACT))
    gradients = _gradients(node, targets)
    outputs = dict(graph.outputs)
    for i, (a, target) in enumerate(zip(names, targets, strict=True)):
        for b, gradient in zip(names[i:], gradients[i:], strict=True):
            if form == DENSE:
                block = dense_jacobian(gradient, target, mode)
            else:
                plan = compression_of(gradient, target, mode)
                block = compact_jacobian(gradient, target, plan)
            outputs[f"d2_{of}_d_{a}_d_{b}"] = block
    return graph.with_outputs(outputs, graph.updates)


def hvp(graph: Graph, of: str, wrt: str | Iterable[str]) -> Graph:
    """Return the graph with inputs `W_v` and outputs `d2_<of>_d_W_v` added: Hessian times vector.

    Forward over reverse: the tangent of the gradient, at about twice its cost, whatever the size
    of W. Of several names the Hessian is that of all together: each output sums over all inputs.

    **Shapes.** `W_v`: W.shape; output: W.shape.
    """
    names, node, targets = _arguments(graph, of, wrt)
    vectors = _vectors(graph, names, targets)
    products = or_zeros(tangents(_gradients(node, targets), targets, vectors), targets)
    outputs = dict(graph.outputs)
    outputs |= {f"d2_{of}_d_{n}_v": product for n, product in zip(names, products, strict=True)}
    return with_inputs(graph, vectors, outputs)


def _vectors(graph: Graph, names: Sequence[str], targets: Sequence[Node]) -> list[Node]:
    """Return the inputs `W_v` that a matrix is to be multiplied by."""
    taken = {*graph.inputs, *graph.params, *graph.outputs}
    return [new_input(f"{n}_v", t, taken) for n, t in zip(names, targets, strict=True)]


def gauss_newton(
    graph: Graph,
    of: str,
    through: str,
    wrt: str | Iterable[str],
    *,
    form: str = PRODUCT,
) -> Graph:
    """Return the graph with Gauss-Newton products of a scalar `of` added: JᵀH J v.

    J is the Jacobian of the node `through` (the network's output, such as its logits), H the
    Hessian of `of` by that node. Where `of` is convex in it, JᵀHJ is positive semidefinite. What
    reaches `of` by another way, such as a regularizer of the weights, has no part in it.

    `form` "product" adds inputs `W_v` and outputs `gn_<of>_d_W_v`; "dense" adds the matrix as
    `gn_<of>_d_<a>_d_<b>`, each pair of names once.

    **Shapes.** product: W.shape; dense: a.shape + b.shape.
    **Source.** Schraudolph 2002, doi:10.1162/08997660260028683.
    """
    names, node, targets = _arguments(graph, of, wrt)
    check_choice("form", form, (PRODUCT, DENSE))
    middle = graph.find(through)
    check_float(middle, through)
    outputs = dict(graph.outputs)
    if form == DENSE:
        for i, a in enumerate(names):
            blocks = _gauss_newton_blocks(node, middle, targets[i], targets[i:])
            for b, block in zip(names[i:], blocks, strict=True):
                outputs[f"gn_{of}_d_{a}_d_{b}"] = block
        return graph.with_outputs(outputs, graph.updates)
    vectors = _vectors(graph, names, targets)
    products = _gauss_newton_products(node, middle, targets, vectors, targets)
    for name, product in zip(names, products, strict=True):
        outputs[f"gn_{of}_d_{name}_v"] = product
    return with_inputs(graph, vectors, outputs)


def _gauss_newton_products(
    of: Node, middle: Node, moved: Sequence[Node], vectors: Sequence[Node], wrt: Sequence[Node]
) -> list[Node]:
    """Return JᵀHJ v at each node of `wrt`, where `vectors` move the nodes `moved`."""
    (slope,) = _gradients(of, [middle])
    (along,) = tangents([middle], moved, vectors)
    if along is None:
        names = ", ".join(node.name or repr(node) for node in moved)
        raise GraphError(
            f"{middle.name or 'the node between'} does not depend on {names}",
            got=repr(middle),
            fix="name a node that lies between them and the output",
        )
    (curved,) = tangents([slope], [middle], [along])
    if curved is None:  # `of` is linear in the middle: no curvature
        return [zeros_like(node) for node in wrt]
    return or_zeros(cotangents([middle], [curved], wrt), wrt)


def _gauss_newton_blocks(of: Node, middle: Node, moved: Node, wrt: Sequence[Node]) -> list[Node]:
    seed = placeholder(moved)
    products = _gauss_newton_products(of, middle, [moved], [seed], wrt)
    with inherit(moved.provenance, f"{TANGENT} {moved.name or moved.op.name}"):
        eye = OPS["eye"](moved.size, dtype=moved.dtype)
        seeds = OPS["reshape"](eye, (moved.size, *moved.shape))
    blocks = batched(products, {seed: seeds}, moved.size)
    with inherit(moved.provenance, f"{ADJOINT} {moved.name or moved.op.name}", BACKWARD):
        return [
            OPS["reshape"](block, (*moved.shape, *node.shape))
            for block, node in zip(blocks, wrt, strict=True)
        ]


def _arguments(
    graph: Graph, of: str, wrt: str | Iterable[str]
) -> tuple[list[str], Node, list[Node]]:
    names = [wrt] if isinstance(wrt, str) else list(wrt)
    node = graph.find(of)
    check_scalar(node)
    return names, node, [float_node(graph, name) for name in names]


def _gradients(node: Node, targets: Sequence[Node]) -> list[Node]:
    return or_zeros(cotangents([node], [fill(1.0, (), node.dtype)], targets), targets)
