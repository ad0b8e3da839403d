"""A function body: the statements by block, the updates, what is the same in every style."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.emit.expressions import Expressions, comment, with_comment
from graphc.ir.code import ATOM, Code
from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE
from graphc.plan.program import Program, Statement

INDENT = "    "


class Body:
    """Writes the statements of a program as lines; a style says how one statement is written."""

    def __init__(self, program: Program, expressions: Expressions) -> None:
        self.program = program
        self.expressions = expressions
        self.lines: list[str] = []
        self.kept = {*program.graph.roots(), *program.observed.values()}

    def write(self, statement: Statement) -> None:
        """Write one statement, or keep it until it is read."""
        raise NotImplementedError

    def end_block(self) -> None:
        """Write what still waits."""

    def emit(self, code: str, node: Node, shown: str = "") -> None:
        self.lines += with_comment(code, comment(self.expressions, node, shown), INDENT)

    def plain(self, code: str) -> None:
        """Write a line that explains itself."""
        self.lines.append(f"{INDENT}{code}")

    def array(self, target: str) -> str:
        """Return the variable of a parameter."""
        return self.expressions.code[self.program.graph.params[target]].text

    def write_all(self, before_update: Sequence[str]) -> list[str]:
        """Return all lines, with a heading for each block where there are several."""
        blocks: dict[str, list[str]] = {}
        for statement in self.program.statements:
            if statement.block not in blocks:
                self.end_block()
                self.lines = blocks.setdefault(statement.block, [])
            self.write(statement)
        self.end_block()
        self.lines = blocks.setdefault(UPDATE, [])
        self.stores()
        is_headed = sum(map(bool, blocks.values())) > 1
        lines: list[str] = []
        for block, written in blocks.items():
            lines += before_update if block == UPDATE else []
            lines += ["", f"{INDENT}# {block}"] if is_headed and written else []
            lines += written
        self.lines = lines
        return lines

    def stores(self) -> None:
        """Write the remaining parameters from values that were computed before any was changed.

        Values that are themselves a parameter's memory go first; one whose parameter an earlier
        line overwrites is saved before all of them.
        """
        graph, base = self.program.graph, self.program.base
        stores = list(self.program.stores.items())
        stores.sort(key=lambda store: not base(store[1]).op.is_leaf)
        changed: set[Node] = set()
        lines: list[str] = []
        for target, node in stores:
            value = self.expressions.code[node]
            if base(node) in changed:
                saved = self.expressions.namer.fresh(f"{target}_next")
                self.plain(f"{saved} = {value.within(ATOM)}.copy()")
                value = Code(saved)
            lines.append(f"{INDENT}{self.array(target)}[...] = {value}")
            changed.add(graph.params[target])
        self.lines += lines


def read_by(statements: Sequence[Statement]) -> dict[Node, list[Statement]]:
    """Return the statements that read each value, one entry a use."""
    readers: dict[Node, list[Statement]] = {}
    for statement in statements:
        for operand in statement.operands:
            readers.setdefault(operand, []).append(statement)
    return readers
