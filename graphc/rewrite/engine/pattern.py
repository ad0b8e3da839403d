"""Patterns: a formula read as a shape of nodes to look for.

`log(1 + x)` matches the node of `log` whose operand is an `add` of a constant 1 and anything.
Commutative ops match in both orders; a name that occurs twice must be the same expression twice.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from graphc.ir.node import Node
from graphc.ir.text.syntax import COMPARE
from graphc.ops.elementwise.formula import ARITHMETIC, parse_formula
from graphc.ops.leaf import full
from graphc.ops.registry import get_op
from graphc.rewrite.engine.numbering import is_commutative

Same: TypeAlias = Callable[[Node, Node], bool]


@dataclass(frozen=True, slots=True)
class Anything:
    """A name: any node, the same one wherever the name stands."""

    name: str

    def match(self, node: Node, found: Match, same: Same) -> bool:
        known = found.names.setdefault(self.name, node)
        return known is node or same(known, node)


@dataclass(frozen=True, slots=True)
class AnyNumber:
    """A name of a numeric constant (`c`, `c1`, …): a uniform array of a plain number.

    An integer is one where it may be negated, and added to another one, without leaving its dtype.
    """

    name: str

    def match(self, node: Node, found: Match, same: Same) -> bool:
        value = node.attrs["value"] if node.op is full else None
        if type(value) is not int and type(value) is not float:
            return False
        if node.dtype.kind == "i" and abs(value) > np.iinfo(node.dtype).max // 2:
            return False
        return bool(found.numbers.setdefault(self.name, value) == value)


@dataclass(frozen=True, slots=True)
class Number:
    """A number: a uniform array of it, of any shape."""

    value: float

    def match(self, node: Node, found: Match, same: Same) -> bool:
        return node.op is full and bool(node.attrs["value"] == self.value)


@dataclass(frozen=True, slots=True)
class Applied:
    """An op on patterns."""

    op: str
    operands: tuple[Pattern, ...]

    def resembles(self, node: Node) -> bool:
        """Say whether the ops are those of the pattern; what its names stand for is not asked."""
        if node.op.name != self.op or len(node.inputs) != len(self.operands):
            return False
        for pattern, operand in zip(self.operands, node.inputs, strict=True):
            if isinstance(pattern, Applied):
                if not pattern.resembles(operand):
                    return False
            elif operand.op is not full and not isinstance(pattern, Anything):
                return False
        return True

    def match(self, node: Node, found: Match, same: Same) -> bool:
        if node.op.name != self.op or len(node.inputs) != len(self.operands):
            return False
        found.nodes.append(node)
        for pattern, operand in zip(self.operands, node.inputs, strict=True):
            if not pattern.match(operand, found, same):
                return False
        return True


Pattern: TypeAlias = "Anything | AnyNumber | Number | Applied"


class Match:
    """What the names of a pattern stand for, and the op nodes that it covers, root first."""

    __slots__ = ("names", "nodes", "numbers")

    def __init__(self) -> None:
        self.names: dict[str, Node] = {}
        self.numbers: dict[str, float] = {}
        self.nodes: list[Node] = []


def match(pattern: Pattern, node: Node, same: Same) -> Match | None:
    """Return what the pattern's names stand for where it matches at `node`, else None."""
    if isinstance(pattern, Applied) and not pattern.resembles(node):
        return None
    found = Match()
    return found if pattern.match(node, found, same) else None


def read_pattern(text: str) -> Applied:
    """Return the pattern that a formula denotes."""
    pattern = _read(parse_formula(text))
    if not isinstance(pattern, Applied):
        raise ValueError(f"a pattern needs an op at its root: {text!r}")
    return pattern


def is_number_name(name: str) -> bool:
    return name == "c" or (name[0] == "c" and name[1:].isdigit())


def _read(tree: ast.expr) -> Pattern:
    if isinstance(tree, ast.Name):
        return AnyNumber(tree.id) if is_number_name(tree.id) else Anything(tree.id)
    if isinstance(tree, ast.Constant) and isinstance(tree.value, (bool, int, float)):
        return Number(tree.value)
    if isinstance(tree, ast.UnaryOp):
        operand = _read(tree.operand)
        if isinstance(operand, Number):
            return Number(-operand.value)
        return Applied("negative", (operand,))
    if isinstance(tree, ast.BinOp):
        return Applied(ARITHMETIC[type(tree.op)][0], (_read(tree.left), _read(tree.right)))
    if isinstance(tree, ast.Compare):
        return Applied(COMPARE[type(tree.ops[0])], (_read(tree.left), _read(tree.comparators[0])))
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        return Applied(get_op(tree.func.id).name, tuple(map(_read, tree.args)))
    raise ValueError(f"not part of a pattern: {ast.unparse(tree)}")


def variants(pattern: Pattern) -> Iterator[Pattern]:
    """Yield the pattern with the operands of commutative ops in every order, without repeats."""
    if not isinstance(pattern, Applied):
        yield pattern
        return
    seen: set[Pattern] = set()
    orders = [pattern.operands]
    if is_commutative(get_op(pattern.op)):
        orders.append(pattern.operands[::-1])
    for order in orders:
        for operands in itertools.product(*[tuple(variants(operand)) for operand in order]):
            variant = Applied(pattern.op, operands)
            if variant not in seen:
                seen.add(variant)
                yield variant


def fits(pattern: Applied, operands: Sequence[str]) -> bool:
    """Say whether the ops of a root's operands allow a match."""
    if len(pattern.operands) != len(operands):
        return False
    return all(map(_allows, pattern.operands, operands))


def _allows(pattern: Pattern, op: str) -> bool:
    if isinstance(pattern, Applied):
        return pattern.op == op
    return isinstance(pattern, Anything) or op == "full"
