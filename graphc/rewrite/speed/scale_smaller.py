"""Scale the smaller: a product that is multiplied by a number has the number in a small factor."""

from __future__ import annotations

from collections import Counter

from graphc.ir.dims import same
from graphc.ir.graph import Graph
from graphc.ir.naming import HIDDEN
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import inherit
from graphc.ir.walk import topological
from graphc.ops.contraction.einsum import Einsum
from graphc.ops.leaf import full
from graphc.ops.reduction.spread import is_at_least
from graphc.ops.registry import OPS
from graphc.ops.stored import stored
from graphc.rewrite.engine.bodies import Became, Standing, over_nodes
from graphc.rewrite.engine.facts import Facts, is_number
from graphc.rewrite.engine.rule import Firing, by_whole_pass, rounding

SCALE = rounding(
    "scale_smaller",
    "outer(a, b)*c",
    "outer(a*c, b)",
    "one number for each element of a factor is multiplied, not one for each of the product",
    apply=by_whole_pass,
)


def scale_smaller(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph in which numbers multiply factors that are smaller than their product.

    The product itself must not be needed; what only a caller who asks for it reads does not count,
    since such a caller's product is then computed for him alone.
    """
    always = _always_computed(graph)
    read = Counter(x for node in always for x in node.inputs) + Counter(graph.roots())
    facts = Facts()

    def scaled(node: Node, again: Node, new: Standing) -> Firing | None:
        found = _scaled_product(node, read, facts) if node in always else None
        if found is None:
            return None
        views, product, number = found
        with inherit(node.provenance):
            value = _within(product, number, new)
            for view in reversed(views):
                value = rebuilt(view, (value,))
        name = node.name or (product.name and f"scaled_{product.name}")
        return Firing(SCALE, (node, product), value.named(name))

    return over_nodes(graph, scaled, became)


def _always_computed(graph: Graph) -> dict[Node, None]:
    """Return what is computed whether or not anyone asks for more."""
    shown = [node for name, node in graph.outputs.items() if not name.startswith(HIDDEN)]
    return dict.fromkeys(topological([*shown, *graph.updates.values()]))


def _scaled_product(
    node: Node, read: Counter[Node], facts: Facts
) -> tuple[list[Node], Node, float | int] | None:
    """Return the product and the number that a node multiplies, if a factor may take the number.

    The product may stand behind views that nobody else reads; they come first, outermost first.
    """
    if node.op is not OPS["multiply"]:
        return None
    for operand, factor in (node.inputs, node.inputs[::-1]):
        if factor.op is not full or not is_number(factor):
            continue
        views, product = _views_over(operand, read)
        if not isinstance(product.op, Einsum) or read[product] != 1:
            continue
        number = factor.attrs["value"]
        if facts.is_moderate(number) and _small_operand(product) is not None:
            return views, product, number
    return None


def _views_over(node: Node, read: Counter[Node]) -> tuple[list[Node], Node]:
    """Return the views that show a value once in each of their places, and the value."""
    views: list[Node] = []
    while node.op.is_view and same(node.size, node.inputs[0].size) and read[node] == 1:
        views.append(node)
        node = node.inputs[0]
    return views, node


def _small_operand(product: Node) -> int | None:
    """Return the index of the first operand that is kept, or smaller than the product is."""
    for i, x in enumerate(product.inputs):
        if x.op is stored:
            return i
    for i, x in enumerate(product.inputs):
        if is_at_least(product.size, x.size) and not same(product.size, x.size):
            return i
    return None


def _within(product: Node, number: float | int, new: Standing) -> Node:
    """Return the product with one factor multiplied by the number."""
    operands = [new[x] for x in product.inputs]
    i = _small_operand(product)
    assert i is not None
    factor = operands[i]
    if factor.op is stored:
        operands[i] = stored(factor.attrs["value"] * number, factor.shape, factor.dtype)
    else:
        operands[i] = OPS["multiply"](factor, number)
    return product.op.make(operands, **product.attrs)
