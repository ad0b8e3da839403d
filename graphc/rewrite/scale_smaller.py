"""Scale the smaller: a product that is multiplied by a number has the number in a small factor."""

from __future__ import annotations

from collections import Counter

from graphc.ir.dims import same
from graphc.ir.graph import Graph
from graphc.ir.naming import HIDDEN
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import inherit
from graphc.ir.walk import topological
from graphc.ops.contraction import Einsum
from graphc.ops.leaf import full
from graphc.ops.registry import OPS
from graphc.rewrite.bodies import Became, replaced
from graphc.rewrite.facts import Facts, is_number
from graphc.rewrite.rule import REASSOCIATES, Firing, Rule
from graphc.rewrite.spread import is_at_least

SCALE = Rule(
    "scale_smaller",
    "outer(a, b)*c",
    "outer(a*c, b)",
    "one number for each element of a factor is multiplied, not one for each of the product",
    exactness=REASSOCIATES,
    apply=lambda node, facts: None,
)


def scale_smaller(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph in which numbers multiply factors that are smaller than their product.

    The product itself must not be needed; what only a caller who asks for it reads does not count,
    since such a caller's product is then computed for him alone.
    """
    read = _readings(graph)
    facts = Facts()
    new: dict[Node, Node] = {}
    firings: list[Firing] = []
    for node in graph.nodes:
        found = rebuilt(node, tuple([new[x] for x in node.inputs]))
        scaled = _scaled_product(node, read, facts)
        if scaled is not None:
            product, number = scaled
            with inherit(node.provenance):
                found = _within(product, number, new)
            name = node.name or (product.name and f"scaled_{product.name}")
            found = found.named(name) if name else found
            firings.append(Firing(SCALE, (node, product), found))
        new[node] = found
    if not firings:
        return graph, ()
    return replaced(graph, new, became), tuple(firings)


def _readings(graph: Graph) -> Counter[Node]:
    """Return how often each value is read, by what is computed whether or not anyone asks."""
    shown = [node for name, node in graph.outputs.items() if not name.startswith(HIDDEN)]
    read: Counter[Node] = Counter(graph.roots())
    for node in topological([*shown, *graph.updates.values()]):
        read.update(node.inputs)
    return read


def _scaled_product(
    node: Node, read: Counter[Node], facts: Facts
) -> tuple[Node, float | int] | None:
    """Return the product and the number that a node multiplies, if a factor may take the number."""
    if node.op is not OPS["multiply"]:
        return None
    for product, factor in (node.inputs, node.inputs[::-1]):
        if not isinstance(product.op, Einsum) or factor.op is not full or not is_number(factor):
            continue
        number = factor.attrs["value"]
        if read[product] == 1 and facts.is_moderate(number) and _small_operand(product) is not None:
            return product, number
    return None


def _small_operand(product: Node) -> int | None:
    """Return the index of the first operand that is smaller than the product for all sizes."""
    for i, x in enumerate(product.inputs):
        if is_at_least(product.size, x.size) and not same(product.size, x.size):
            return i
    return None


def _within(product: Node, number: float | int, new: dict[Node, Node]) -> Node:
    """Return the product with one factor multiplied by the number."""
    operands = [new[x] for x in product.inputs]
    i = _small_operand(product)
    assert i is not None
    operands[i] = OPS["multiply"](operands[i], number)
    return product.op.make(operands, **product.attrs)
