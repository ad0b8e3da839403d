"""Numbers as arrays of their own, where a call goes through two arrays sooner than through one."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable
from dataclasses import replace

from graphc.ir.dims import same_shape
from graphc.ir.node import Node
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import is_fill
from graphc.ops.stored import stored
from graphc.plan.program import Statement


def with_whole_numbers(
    statements: Iterable[Statement], in_runs: Container[Node]
) -> list[Statement]:
    """Return the statements, with an array for each number that its reader takes sooner so.

    Only beside an array in one piece: elements that lie otherwise are gone through one by one
    anyway. What runs in blocks has too many of them.
    """
    found: list[Statement] = []
    arrays: dict[Hashable, Node] = {}
    for statement in statements:
        node, whole = statement.node, {}
        for x in _taken_whole(statement) if node not in in_runs else ():
            value = x.attrs["value"]
            key = (value, node.dtype, *map(str, node.shape))
            if key not in arrays:
                arrays[key] = stored(value, node.shape, node.dtype)
                found.append(Statement(arrays[key], (), statement.block))
            whole[x] = arrays[key]
        if whole:
            operands = tuple([whole.get(x, x) for x in statement.operands])
            statement = replace(statement, operands=operands)
        found.append(statement)
    return found


def _taken_whole(statement: Statement) -> list[Node]:
    """Return the numbers that the call of a statement takes sooner as arrays."""
    node, op = statement.node, statement.node.op
    if not isinstance(op, Pointwise):
        return []
    numbers = [x for x in statement.operands if is_fill(x) and op.takes_whole(node, x)]
    rest = [x for x in statement.operands if not is_fill(x)]
    lie_alike = all(not x.op.is_view and same_shape(x.shape, node.shape) for x in rest)
    return numbers if lie_alike else []
