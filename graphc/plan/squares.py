"""The sum of the squares of all gradients, as clipping by their norm needs it."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE
from graphc.ops.registry import OPS
from graphc.plan.program import Program, Statement

_ADD, _SUM = OPS["add"], OPS["sum"]
_SQUARE, _EINSUM = OPS["square"], OPS["einsum"]


@dataclass(frozen=True)
class SumOfSquares:
    """The node that all squares of all gradients are summed up in, and what leads to it alone."""

    total: Node
    inside: frozenset[Node]


def sum_of_squares(program: Program) -> SumOfSquares | None:
    """Return the sum of the squares of exactly the gradients that a caller may ask for."""
    made = {s.node: s for s in program.statements if s.block == UPDATE}
    readers = program.readers
    gradients = {*program.observed.values()}
    wanted = len(program.observed)
    for total in [node for node in made if node.op is _ADD and not node.shape]:
        if any(s.node.op is _ADD and not s.node.shape for s in readers.get(total, ())):
            continue  # not the whole sum yet
        inside, terms = _terms(made, readers, total)
        squared = [_squared(made, term) for term in terms]
        if len(terms) == wanted and {x for x, _ in squared if x is not None} == gradients:
            inside |= {node for _, nodes in squared for node in nodes}
            if all(len(readers[node]) == 1 for node in inside - {total}):
                return SumOfSquares(total, frozenset(inside))
    return None


def _terms(
    made: dict[Node, Statement], readers: dict[Node, list[Statement]], total: Node
) -> tuple[set[Node], list[Node]]:
    """Return the sums on the way to a total that nobody else reads, and what they add."""
    inside, terms, pending = {total}, [], [total]
    while pending:
        for operand in made[pending.pop()].operands:
            is_sum = operand in made and operand.op is _ADD and not operand.shape
            if is_sum and len(readers[operand]) == 1 and operand.dtype == total.dtype:
                inside.add(operand)
                pending.append(operand)
            else:
                terms.append(operand)
    return inside, terms


def _squared(made: dict[Node, Statement], term: Node) -> tuple[Node | None, list[Node]]:
    """Return the value whose squares a term sums up, if it does, and the statements for it."""
    statement = made.get(term)
    if statement is None or not statement.operands or term.shape:
        return None, []
    first = statement.operands[0]
    if first.dtype != term.dtype:
        return None, []
    if term.op is _SQUARE:
        return first, [term]
    if term.op is _EINSUM and term.attrs["spec"] == "a,a->" and statement.operands[1] is first:
        return first, [term]
    if term.op is _SUM and first in made and first.op is _SQUARE:
        return made[first].operands[0], [term, first]
    return None, []
