"""In which order do the lines of a text stand? Phase by phase, draws as they were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc.ir.node import Node
from graphc.ir.provenance import RANKS


def in_order_of_lines(nodes: Sequence[Node], without_line: set[Node]) -> list[Node]:
    """Return the nodes, operands first, phase by phase as far as what they depend on allows."""
    level: dict[Node, int] = {}
    last_draw = 0
    in_order = list(_in_order_of_draws(nodes))
    for node in in_order:
        has_no_line = node.op.is_leaf or node in without_line
        own = 0 if has_no_line else RANKS.get(node.provenance.phase, 0)
        level[node] = max([own, *[level[operand] for operand in node.inputs]])
        if node.op.is_random:
            level[node] = last_draw = max(level[node], last_draw)
    return sorted(in_order, key=level.__getitem__)


def _in_order_of_draws(nodes: Sequence[Node]) -> Iterator[Node]:
    """Return the nodes, operands first, with random draws in the order in which they were made."""
    draws = sorted([n for n in nodes if n.op.is_random], key=lambda n: n.attrs["draw"])
    done = 0
    for node in nodes:
        if not node.op.is_random:
            yield node
            continue
        while done < len(draws) and draws[done].attrs["draw"] <= node.attrs["draw"]:
            yield draws[done]
            done += 1
