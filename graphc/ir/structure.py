"""What do nodes compute, whatever they are called? Rows that name their operands by number."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from graphc.ir.node import Node


def structure(nodes: Sequence[Node], leaves: Iterable[Node], roots: Iterable[Node]) -> Hashable:
    """Return a key that is equal where roots compute the same from leaves in the same places.

    `nodes` stand in topological order. Of a leaf only its place counts: whoever compares says
    what else there is to it.
    """
    number: dict[Node, int] = {leaf: -1 - i for i, leaf in enumerate(leaves)}
    draws = sorted(node.attrs["draw"] for node in nodes if node.op.is_random)
    rank = {draw: i for i, draw in enumerate(draws)}
    rows: list[Hashable] = []
    inserted: dict[Hashable, int] = {}
    for node in nodes:
        if node in number:
            continue
        attrs = _ranked(node, rank) if node.op.is_random else node.attrs.key
        row = (node.op.name, tuple([number[x] for x in node.inputs]), attrs, node.type)
        # A constant or a broadcast belongs to its user: shared or not is no difference.
        number[node] = inserted.setdefault(row, len(rows)) if node.op.is_inserted else len(rows)
        if number[node] == len(rows):
            rows.append(row)
    return (tuple(rows), tuple([number[root] for root in roots]))


def _ranked(node: Node, rank: Mapping[Hashable, int]) -> tuple[tuple[str, Hashable], ...]:
    """Return a random draw's attributes; of its number, only the order among draws counts."""
    return tuple([(k, rank[v]) if k == "draw" else (k, v) for k, v in node.attrs.key])
