"""Updates that are alike: parameters that take the same step may share one loop over them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from operator import is_

from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE
from graphc.ops.leaf import full
from graphc.plan.program import Program, Statement

#: An update of more statements is another idea than a step that is repeated.
_LONGEST = 16
#: A loop is another thought to follow: it must spare so many lines; and so many where it goes
#: over all gradients by name, since one reads `W1 -= 0.1 * d_W1` at once.
_WORTH = 3
_WORTH_BY_NAME = 8


@dataclass(frozen=True)
class Alike:
    """Statements that do the same for one parameter after the other.

    `parts` are the statements for each parameter. What differs from part to part and is made
    elsewhere: the parameters themselves by `names`; their `moments`, which are called as the
    parameter is, and by what they are (`W.mean`); and the values in `columns`. `is_derived` says
    that these are the gradients that a caller may ask for.
    """

    parts: tuple[tuple[Statement, ...], ...]
    names: tuple[str, ...]
    moments: Mapping[str, tuple[Node, ...]]
    columns: tuple[tuple[Node, ...], ...]
    is_derived: bool

    @property
    def spared(self) -> int:
        """How many statements need not be written a second time."""
        return (len(self.parts) - 1) * len(self.parts[0])

    @property
    def is_worth_a_loop(self) -> bool:
        """Whether a loop takes less lines.

        That is a head, those of a step, and one for each parameter, unless its gradient is listed
        anyway for who asks for it. A moment that is found by name needs no variable before.
        """
        count, lines = len(self.parts), sum(s.target is not None for s in self.parts[0])
        if self.is_derived:
            return count * (lines + len(self.moments)) - lines - 3 >= _WORTH_BY_NAME
        return (count - 1) * lines - count - 2 >= _WORTH


def updates_alike(program: Program) -> list[Alike]:
    """Return what is repeated so often in the update block that a loop is worth it, in order."""
    statements = [s for s in program.statements if s.block == UPDATE and not _is_number(program, s)]
    keys = [key_of(program, s) for s in statements]
    found: list[Alike] = []
    start = 0
    while start < len(statements):
        lengths = range(1, min(_LONGEST, (len(statements) - start) // 2) + 1)
        several = [_repeated(program, statements, keys, start, length) for length in lengths]
        best = max(filter(None, several), key=lambda alike: alike.spared, default=None)
        if best is None or not best.is_worth_a_loop:
            # What is repeated, but not worth a loop, is not looked through again: this is linear.
            start += 1 if best is None else max(1, best.spared)
            continue
        found.append(best)
        start += sum(map(len, best.parts))
    return found


def _is_number(program: Program, statement: Statement) -> bool:
    """Say whether a statement has no line of its own, wherever it stands."""
    node = statement.node
    return node.op.is_leaf or node.op is full or node in program.numbers


def key_of(program: Program, statement: Statement) -> Hashable:
    """Return what the text of a statement follows from, but for the variables in it.

    A statement that is never like another is its own key.
    """
    if not may_repeat(statement):
        return id(statement)
    node, is_target = statement.node, statement.target is not None
    operands = tuple([_operand_key(program, x) for x in statement.operands])
    return (node.op, node.attrs, node.dtype, is_target, operands)


def may_repeat(statement: Statement) -> bool:
    """Say whether a statement is arithmetic on arrays of one shape and numbers."""
    node = statement.node
    is_arithmetic = node.op.broadcasts(node) and bool(node.shape)
    return is_arithmetic and all(not x.shape or x.shape == node.shape for x in statement.operands)


def _operand_key(program: Program, node: Node) -> Hashable:
    if node.op is full:
        return (node.attrs["value"], node.dtype)
    return id(node) if node in program.numbers else (bool(node.shape), node.dtype)


def _repeated(
    program: Program,
    statements: Sequence[Statement],
    keys: Sequence[Hashable],
    start: int,
    length: int,
) -> Alike | None:
    """Return the parts of this length that follow one another from here, and are alike."""
    if keys[start] != keys[start + length]:
        return None
    first = statements[start : start + length]
    parts, rows = [tuple(first)], [leaves_of(program, first)]
    at = start + length
    while keys[at : at + length] == keys[start : start + length]:
        part = statements[at : at + length]
        row = leaves_of(program, part)
        if not correspond(program, (first, rows[0]), (part, row)):
            break
        parts.append(tuple(part))
        rows.append(row)
        at += length
    before = 0
    while before != len(parts) > 1:
        before = len(parts)
        del parts[max(1, _first_in_touch(program, parts)) :]
    rows = rows[: len(parts)]
    columns = [column for column in zip(*rows, strict=True) if len({*column}) > 1]
    return _alike(program, parts, columns)


def _alike(
    program: Program, parts: Sequence[tuple[Statement, ...]], columns: Sequence[tuple[Node, ...]]
) -> Alike:
    """Return the parts with what differs between them, told apart by what it is."""
    named = [tuple([program.param_names.get(node, "") for node in c]) for c in columns]
    trained = [
        names
        for column, names in zip(columns, named, strict=True)
        if all(names) and all(node.attrs["trainable"] for node in column)
    ]
    owners = trained[0] if len(trained) == 1 else ()
    moments: dict[str, tuple[Node, ...]] = {}
    others: list[tuple[Node, ...]] = []
    for column, names in zip(columns, named, strict=True):
        kind = names[0].removeprefix(f"{owners[0]}.") if owners else ""
        if kind.isidentifier() and names == tuple([f"{owner}.{kind}" for owner in owners]):
            moments[kind] = column
        elif names != owners or not owners:
            others.append(column)
    asked = [program.observed.get(owner) for owner in owners]
    is_derived = len(others) == 1 and all(map(is_, others[0], asked)) and bool(asked)
    return Alike(tuple(parts), owners, moments, tuple(others), is_derived)


def leaves_of(program: Program, part: Sequence[Statement]) -> tuple[Node, ...]:
    """Return the values that a part reads or overwrites and does not make, in order."""
    made = {s.node for s in part}
    params = program.graph.params
    used = [[*s.operands, *([params[s.target]] if s.target else [])] for s in part]
    nodes = [x for nodes in used for x in nodes if x not in made and x.op is not full]
    return tuple(dict.fromkeys(nodes))


def correspond(
    program: Program,
    one: tuple[Sequence[Statement], Sequence[Node]],
    other: tuple[Sequence[Statement], Sequence[Node]],
) -> bool:
    """Say whether two parts are the same but for the values that they read."""
    pairs = [[*[s.node for s in part], *row] for part, row in (one, other)]
    if len(pairs[0]) != len(pairs[1]):
        return False
    became = dict(zip(*pairs, strict=True))
    params = program.graph.params
    for first, second in zip(one[0], other[0], strict=True):
        operands = zip(first.operands, second.operands, strict=True)
        if any(became.get(a, a) is not b for a, b in operands if a.op is not full):
            return False
        if first.target and became[params[first.target]] is not params[second.target or ""]:
            return False
    return True


def _first_in_touch(program: Program, parts: Sequence[Sequence[Statement]]) -> int:
    """Return the first part that has to do with one before it, or with what is outside of all.

    Nobody else may read what a part makes, but as the next value of a parameter, and nothing of
    the parameter that it overwrites.
    """
    params = program.graph.params
    owner = {s.node: i for i, part in enumerate(parts) for s in part}
    over = {params[s.target]: i for i, part in enumerate(parts) for s in part if s.target}
    seen = [*program.graph.outputs.values(), *program.observed.values(), *program.stores.values()]
    found = [owner[node] for node in seen if node in owner]
    for statement in program.statements:
        place = owner.get(statement.node)
        for x in statement.operands:
            made, overwritten = owner.get(x), over.get(program.base(x))
            if made is not None and made != place:
                found.append(made if place is None else max(made, place))
            if overwritten is not None and place is not None and overwritten != place:
                found.append(max(overwritten, place))
    return min(found, default=len(parts))
