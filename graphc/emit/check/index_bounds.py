"""Below which number does a check draw each integer input? So that indices stay inside their axes.

What is made of an input may index too: labels behind a start symbol, or shifted by one. What each
op makes of an interval says how far an index reaches; nothing is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from graphc.differentiate.bounds import BoundsOf
from graphc.ir.bounds import Bounds
from graphc.ir.dims import evaluate, evaluate_shape
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make_node
from graphc.ops.loop import Parts, scan

#: An index: its place in the program, and the inputs that it depends on.
_Index = tuple[tuple[Node, ...], int]
_Leaves = frozenset[Node]


def index_bounds(graph: Graph, size: int) -> dict[str, int]:
    """Return, for each integer input, the bound below which it is drawn where dims are `size`.

    That is `size`, or less where an index would reach outside of its axis. An index whose bounds
    are not known says nothing, and neither does one that is outside whatever is drawn.
    """
    leaves = {name: node for name, node in graph.inputs.items() if node.dtype.kind in "iu"}
    if not leaves:
        return {}
    sizes = dict.fromkeys(graph.dims, size)
    hopeless = dict(_outside(graph, dict.fromkeys(leaves.values(), 1), sizes))
    found = dict.fromkeys(leaves.values(), size)
    while True:
        outside = _outside(graph, found, sizes)
        wanted = [parts for index, parts in outside if index not in hopeless]
        smaller = {leaf for leaf in frozenset().union(*wanted) if found[leaf] > 1}
        if not smaller:
            return {name: found[node] for name, node in leaves.items()}
        for leaf in smaller:
            found[leaf] -= 1


def _outside(
    graph: Graph, drawn: Mapping[Node, int], sizes: Mapping[str, int]
) -> Iterator[tuple[_Index, _Leaves]]:
    """Yield the indices that reach outside of their axes, with the inputs that they depend on."""
    given = {leaf: Bounds(0.0, float(bound - 1)) for leaf, bound in drawn.items()}
    yield from _outside_in(graph.nodes, given, {x: frozenset([x]) for x in drawn}, sizes, ())


def _outside_in(
    nodes: Sequence[Node],
    given: Mapping[Node, Bounds],
    leaves: Mapping[Node, _Leaves],
    sizes: Mapping[str, int],
    around: tuple[Node, ...],
) -> Iterator[tuple[_Index, _Leaves]]:
    """Yield them for the nodes of a graph, or of a body inside the loops `around`."""
    bounds = BoundsOf({**_of_dims(nodes, sizes), **given})
    parts = dict(leaves)
    for node in nodes:
        parts[node] = parts.get(node, frozenset()).union(*[parts[x] for x in node.inputs])
        for position, operand in enumerate(node.inputs):
            for dim in node.op.indexed_dims(node, position) if parts[operand] else ():
                found, places = bounds(operand), max(evaluate(dim, sizes), 1)
                is_known = np.isfinite([found.low, found.high]).all()
                if is_known and not -places <= found.low <= found.high < places:
                    yield ((*around, node), position), parts[operand]
        if node.op is scan and parts[node]:
            # A carry may be anything: what it is after some steps is not followed.
            inner = Parts(node)
            pairs = [
                pair
                for leaves_of, operands in zip(inner.leaves[1:], inner.operands[1:], strict=True)
                for pair in zip(leaves_of, operands, strict=True)
            ]
            yield from _outside_in(
                inner.body.graph.nodes,
                {leaf: bounds(operand) for leaf, operand in pairs},
                {leaf: parts[operand] for leaf, operand in pairs},
                sizes,
                (*around, node),
            )


def _of_dims(nodes: Sequence[Node], sizes: Mapping[str, int]) -> dict[Node, Bounds]:
    """Return the bounds of the arrays that are made of dims alone, whose sizes are known here."""
    made = [x for x in nodes if not (x.inputs or x.op.is_leaf or x.op.is_random)]
    return {node: node.op.bounds(_sized(node, sizes), ()) for node in made}


def _sized(node: Node, sizes: Mapping[str, int]) -> Node:
    """Return an array that is made of dims with numbers in their place."""
    shape = evaluate_shape(node.shape, sizes)
    attrs = {
        name: evaluate(value, sizes) if hasattr(value, "free_symbols") else value
        for name, value in node.attrs.items()
    }
    return make_node(node.op, (), {**attrs, "shape": shape})
