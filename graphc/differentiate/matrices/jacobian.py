"""Jacobians: by forward or reverse mode, whichever takes fewer passes, and no zeros computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphc.differentiate.gradient import check_derived, check_float
from graphc.differentiate.matrices.compression import (
    FORWARD_MODE,
    Compression,
    axis_compression_of,
    compression_of,
)
from graphc.differentiate.matrices.seeds import full_form, seeds_of, with_last_first
from graphc.differentiate.sweeps.forward import tangents
from graphc.differentiate.sweeps.reverse import cotangents, placeholder
from graphc.differentiate.sweeps.several import batched
from graphc.errors import GraphError
from graphc.ir.dims import same
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import ADJOINT, BACKWARD, TANGENT, inherit
from graphc.ops.leaf import fill

DENOMINATOR, NUMERATOR = "denominator", "numerator"
DENSE, COMPACT = "dense", "compact"


def jacobian(
    graph: Graph,
    of: str,
    wrt: str | Iterable[str],
    *,
    layout: str = DENOMINATOR,
    form: str = DENSE,
    mode: str | None = None,
) -> Graph:
    """Return the graph with outputs `d_<of>_d_<name>` added, one for each name of `wrt`.

    `layout` "denominator" puts the axes of `wrt` first, "numerator" those of `of`. `form`
    "compact" returns the passes that determine the Jacobian, without its zeros:
    `jacobian_structure` says how many they are and where each entry stands. `mode` fixes forward
    or reverse. All dims may be named.

    **Shapes.** dense: wrt.shape + of.shape (numerator: of.shape + wrt.shape). compact:
    [passes, *of.shape] by forward mode, [passes, *wrt.shape] by reverse mode; one pass alone has
    no axis for it, so the compact form of an elementwise layer is its diagonal.
    **Raises.** GraphError where a name is unknown or stands for no float.
    """
    names = [wrt] if isinstance(wrt, str) else list(wrt)
    check_choice("layout", layout, (DENOMINATOR, NUMERATOR))
    check_choice("form", form, (DENSE, COMPACT))
    node = graph.find(of)
    check_derived(node)
    outputs = dict(graph.outputs)
    for name in names:
        target = float_node(graph, name)
        if form == COMPACT:
            found = compact_jacobian(node, target, compression_of(node, target, mode))
        else:
            found = dense_jacobian(node, target, mode)
            if layout == NUMERATOR:
                found = with_last_first(found, node.ndim)
        outputs[f"d_{of}_d_{name}"] = found
    return graph.with_outputs(outputs, graph.updates)


def jacobian_structure(graph: Graph, of: str, wrt: str, mode: str | None = None) -> Compression:
    """Return what a Jacobian looks like and how many passes of which mode it takes.

    Its `dense` and `triplets` read the compact form.
    """
    node = graph.find(of)
    check_derived(node)
    return compression_of(node, float_node(graph, wrt), mode)


def dense_jacobian(of: Node, wrt: Node, mode: str | None) -> Node:
    """Return d of / d wrt with all its zeros, in denominator layout."""
    compression = axis_compression_of(of, wrt, mode)
    if compression is None:
        return fill(0.0, (*wrt.shape, *of.shape), of.dtype)
    compact = compact_jacobian(of, wrt, compression)
    with inherit(of.provenance, f"{ADJOINT} {wrt.name or wrt.op.name}", compact.provenance.phase):
        return full_form(compression, compact)


def compact_jacobian(of: Node, wrt: Node, compression: Compression) -> Node:
    """Return the results of the passes."""
    if same(compression.passes, 0):
        return fill(0.0, compression.compact_shape, of.dtype)
    is_forward = compression.mode == FORWARD_MODE
    start = wrt if is_forward else of
    if same(compression.passes, 1):
        found = _passes(of, wrt, fill(1.0, start.shape, start.dtype), is_forward)
        return fill(0.0, compression.compact_shape, of.dtype) if found is None else found
    seed = placeholder(start)
    found = _passes(of, wrt, seed, is_forward)
    if found is None:
        return fill(0.0, compression.compact_shape, of.dtype)
    note = f"{TANGENT if is_forward else ADJOINT} {start.name or start.op.name}"
    with inherit(start.provenance, note, None if is_forward else BACKWARD):
        seeds = seeds_of(compression, start.dtype)
    return batched([found], {seed: seeds}, compression.passes)[0]


def _passes(of: Node, wrt: Node, seed: Node, is_forward: bool) -> Node | None:
    """Return what one pass gives, from a seed that may later stand for many."""
    if is_forward:
        return tangents([of], [wrt], [seed])[0]
    return cotangents([of], [seed], [wrt])[0]


def float_node(graph: Graph, name: str) -> Node:
    """Return what a name of `wrt` means: a float, for a derivative to be taken by it."""
    node = graph.variable(name)
    check_float(node, name)
    return node


def check_choice(what: str, got: str, expected: Sequence[str]) -> None:
    """Raise a GraphError unless a word is one of those expected."""
    if got not in expected:
        raise GraphError(f"unknown {what}", got=repr(got), expected=" or ".join(expected))
