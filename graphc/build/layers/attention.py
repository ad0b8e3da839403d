"""Attention: for each query a mean of values, weighted by how well their keys answer it."""

from __future__ import annotations

import math
from typing import Any

from graphc.build.arrays.contractions import matmul
from graphc.build.arrays.creation import arange
from graphc.build.arrays.reductions import any as any_of
from graphc.build.arrays.shaping import expand_dims, reshape, swapaxes
from graphc.build.layers.naming import layer_name, remember
from graphc.build.layers.plain import affine, dense, floating
from graphc.ir.attributes import plain
from graphc.ir.dims import Shape, broadcast_shapes, same_shape, shape_text
from graphc.ir.node import Node
from graphc.ir.provenance import scope, user_error
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS

__all__ = ["attention", "multi_head_attention"]

#: The score of what is not read. Not -inf: a row of these has a softmax, and a derivative, too.
_UNREAD = -1e30


def attention(query: Any, key: Any, value: Any, *, mask: Any = None, causal: bool = False) -> Node:
    """Return softmax(query @ key.T / sqrt(d)) @ value: for each query, a mean of the values.

    A query reads the values at which `mask` is True; one that may read none gets zeros. With
    `causal`, query t reads values 0 to t.

    **Shapes.** query: [..., Q, d], key: [..., K, d], value: [..., K, v]; mask: what broadcasts to
    [..., Q, K] -> [..., Q, v]
    **Raises.** GraphError where the shapes do not fit, or the mask does not hold truth values.
    **Source.** Vaswani et al. 2017, arXiv:1706.03762;
    torch.nn.functional.scaled_dot_product_attention.
    """
    q, k, v = (floating(as_node(x)) for x in (query, key, value))
    are_rows = min(q.ndim, k.ndim, v.ndim) > 1 and type(q.shape[-1]) is int
    if not are_rows or not same_shape((q.shape[-1], k.shape[-2]), (k.shape[-1], v.shape[-2])):
        raise user_error(
            "attention: queries, keys and values do not fit",
            got=f"{q.type}, {k.type} and {v.type}",
            expected="[..., Q, d], [..., K, d] and [..., K, v], with a known d",
        )
    scores = _scores(q, k)
    return _means(scores, v, _reads(mask, causal, scores.shape), mask is not None)


def _scores(query: Node, key: Node) -> Node:
    """Return how well each key answers each query: [..., Q, d], [..., K, d] -> [..., Q, K]."""
    return matmul(query, swapaxes(key, -1, -2)) / math.sqrt(int(query.shape[-1]))


def _reads(mask: Any, causal: bool, shape: Shape) -> Node | None:
    """Return which query, of the last axis but one, reads which value; None for all of them."""
    node = None if mask is None else as_node(mask)
    if node is not None:
        common = broadcast_shapes(node.shape, shape)
        if node.dtype.kind != "b" or common is None or not same_shape(common, shape):
            is_truth = node.dtype.kind == "b"
            raise user_error(
                "attention: a mask is True where a query reads a value",
                got=str(node.type),
                expected=f"truth values that broadcast to {shape_text(shape)}",
                fix=None if is_truth else "compare: mask > 0",
            )
    if not causal:
        return node
    past = expand_dims(arange(shape[-2]), 1) >= arange(shape[-1])
    return past.named("past") if node is None else OPS["logical_and"](past, node)


def _means(
    scores: Node, value: Node, reads: Node | None, may_read_none: bool, label: str = "attention"
) -> Node:
    """Return the means that the scores weigh; scores and weights are named after the layer."""
    if reads is not None:
        scores = OPS["where"](reads, scores, _UNREAD)
    weights = OPS["softmax"](scores.named(f"{label}_scores"), -1)
    means = matmul(weights.named(f"{label}_weights"), value)
    if reads is None or not may_read_none:
        return means
    return OPS["where"](any_of(reads, -1, keepdims=True), means, 0.0)


def multi_head_attention(
    x: Any,
    heads: int,
    *,
    name: str | None = None,
    context: Any = None,
    mask: Any = None,
    causal: bool = False,
    use_bias: bool = True,
    init: Any = None,
) -> Node:
    """Return attention by several heads, each over its share of the features, side by side.

    Queries come from x; keys and values come from `context`, or from x itself. Creates four dense
    layers, `{name}.query`, `{name}.key`, `{name}.value` [in, in] and `{name}.out`. `mask` and
    `causal` are those of `attention`, the same for all heads: `lengths[:, None, None] >
    gc.arange(T)` is a mask of padded sequences.

    **Shapes.** x: [..., Q, in], context: [..., K, any], mask: what broadcasts to [..., Q, K]
    -> [..., Q, in]
    **Raises.** GraphError where the heads do not share the features evenly, the shapes do not fit,
    or the mask does not hold truth values.
    **Source.** Vaswani et al. 2017, arXiv:1706.03762; torch.nn.MultiheadAttention, whose boolean
    masks are True where nothing is read.
    """
    node = floating(as_node(x))
    label = layer_name("attention", name, node)
    size, heads = node.shape[-1] if node.ndim > 1 else None, plain(heads)
    if type(size) is not int or type(heads) is not int or heads < 1 or size % heads:
        raise user_error(
            f"{label}: the heads do not share the features evenly",
            got=f"{heads} heads for {node.type}",
            expected="rows of features, a multiple of the number of heads",
        )
    source = node if context is None else floating(as_node(context))
    if source.ndim < 2:
        raise user_error(
            f"{label}: the context is rows of features",
            got=str(source.type),
            expected="[..., K, features]",
        )
    # Outside of the scope: layers of the same mask share it.
    reads = _reads(mask, causal, (*node.shape[:-1], source.shape[-2]))
    if reads is not None and reads.ndim > 2:
        reads = expand_dims(reads, -3)  # the same for all heads
    with scope(label):

        def part(of: Node, what: str) -> Node:
            """Return queries, keys or values: [..., T, in] -> [..., heads, T, in/heads]."""
            layer = f"{label}.{what}"
            with scope(layer):
                features = affine(layer, of, size, use_bias=use_bias, init=init)
            shares = reshape(features, (*of.shape[:-1], heads, size // heads))
            return swapaxes(shares.named(f"{label}_{what}"), -3, -2)

        query, key, value = part(node, "query"), part(source, "key"), part(source, "value")
        means = _means(_scores(query, key), value, reads, mask is not None, label)
        together = reshape(swapaxes(means, -3, -2), node.shape)
        return remember(
            node, dense(together, size, name=f"{label}.out", use_bias=use_bias, init=init)
        )
