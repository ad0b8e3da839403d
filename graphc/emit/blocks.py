"""A run of statements as a loop over blocks of rows: each block stays in the cache meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphc.ir.code import ATOM, Code
from graphc.ir.dims import same
from graphc.ir.node import Node
from graphc.plan.program import Run, Statement

if TYPE_CHECKING:
    from graphc.emit.fast import FastBody

_INDENT = "    "


def write_run(body: FastBody, run: Run) -> None:
    """Write the loop, and before it the arrays that outlive it."""
    _Blocks(body, run).write()


class _Blocks:
    """One loop: the variables that show a block of an array, and the lines of its body."""

    def __init__(self, body: FastBody, run: Run) -> None:
        self.body = body
        self.run = run
        self.codes = body.expressions.code
        namer = body.expressions.namer
        self.rows, self.start, self.size = (namer.fresh(n) for n in ("rows", "start", "size"))
        self.slices: list[str] = []
        #: Arrays of the outside -> their text there.
        self.outside: dict[Node, Code] = {}

    def write(self) -> None:
        body, run = self.body, self.run
        for statement in run.statements:
            if statement.node in run.whole or statement.node in run.totals:
                self.begin(statement)
        for statement in run.statements:
            for operand in statement.operands:
                self.slice(operand)
        around, names = body.lines, body.first_names
        body.lines, body.first_names = [], {}
        for buffer in names:
            body.buffer_names.pop(buffer, None) if self.is_block(buffer) else None
        body.indent += _INDENT
        for statement in run.statements:
            body.current = statement.node
            self.step(statement)
        written, blocks = body.lines, body.first_names
        body.lines, body.first_names = around, names
        for buffer, name in blocks.items():
            kept = names.setdefault(buffer, body.expressions.namer.fresh(f"{name}_block"))
            self.slices.append(f"{name} = {kept}[:{self.size}]")
        self.head()
        body.lines += written
        body.indent = body.indent.removesuffix(_INDENT)
        self.end()
