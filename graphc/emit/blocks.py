"""A run of statements as a loop over blocks of rows: each block stays in the cache meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphc.ir.code import ATOM, Code
from graphc.ir.dims import same
from graphc.ir.node import Node
from graphc.plan.program import Buffer, Run, Statement

if TYPE_CHECKING:
    from graphc.emit.fast import FastBody

_INDENT = "    "


def write_run(body: FastBody, run: Run) -> None:
    """Write the loop, and in front of it the arrays that outlive it."""
    _Blocks(body, run).write()


class _Blocks:
    """One loop: the variables that show a block of an array, and the lines of its body."""

    def __init__(self, body: FastBody, run: Run) -> None:
        self.body = body
        self.run = run
        self.codes = body.expressions.code
        self.notation = body.expressions.notation
        namer = body.expressions.namer
        self.start, self.rows, self.size = (namer.fresh(n) for n in ("start", "rows", "size"))
        #: Lines that bind a variable to a block of an array.
        self.slices: list[str] = []
        #: Array that is seen in blocks -> its text outside of the loop.
        self.outside: dict[Node, Code] = {}

    def write(self) -> None:
        body = self.body
        for statement in self.run.statements:
            if statement.node in self.run.whole or statement.node in self.run.totals:
                body.current = statement.node
                self.begin(statement)
        for statement in self.run.statements:
            for operand in statement.operands:
                if self.is_in_rows(operand):
                    self.slice(operand)
        lines, body.lines = body.lines, []
        body.indent += _INDENT
        blocks = self.write_steps()
        written, body.lines = body.lines, lines
        self.head(blocks)
        body.lines += written
        body.indent = body.indent.removesuffix(_INDENT)
        self.end()

    def begin(self, statement: Statement) -> None:
        """Make the array that the loop fills, or the total that it adds to."""
        body, node = self.body, statement.node
        buffer = body.program.place.get(node)
        is_total = node in self.run.totals
        if is_total and not node.shape:
            body.plain(f"{body.expressions.name(node)} = 0.0")
            return
        name = body.name(statement)
        if buffer is None:
            make = "zeros" if is_total else "empty"
            shape, dtype = self.notation.size(node.shape), self.notation.dtype(node.dtype)
            body.plain(f"{name} = np.{make}({shape}, {dtype})")
            return
        before = body.buffer_names.get(buffer)
        if before is None:
            body.first_names[buffer] = name
        elif before != name:
            body.plain(f"{name} = {before}")
        body.buffer_names[buffer] = name
        if is_total:
            body.plain(f"{name}.fill(0)")

    def is_in_rows(self, operand: Node) -> bool:
        """Say whether a block reads rows of an array, rather than all of it."""
        first = self.run.statements[0].node
        is_outside = self.body.program.runs.get(operand) is not self.run
        is_long = operand.ndim >= first.ndim and bool(operand.shape)
        return is_outside and is_long and same(operand.shape[0], self.run.extent)

    def slice(self, node: Node) -> None:
        """Bind a variable to a block of an array."""
        if node in self.outside or node in self.body.program.numbers:
            return
        code = self.outside[node] = self.codes[node]
        wanted = f"{code}_rows" if code.text.isidentifier() else "part"
        name = self.body.expressions.namer.fresh(wanted)
        self.slices.append(f"{name} = {code.within(ATOM)}[{self.rows}]")
        self.codes[node] = Code(name)

    def write_steps(self) -> dict[Buffer, str]:
        """Write what is done with each block; return the first variable of each block buffer."""
        body = self.body
        whole = body.first_names
        body.first_names = {}
        for buffer in body.program.block_buffers:
            body.buffer_names.pop(buffer, None)
        for statement in self.run.statements:
            body.current = statement.node
            self.step(statement)
        blocks, body.first_names = body.first_names, whole
        return blocks

    def step(self, statement: Statement) -> None:
        body, node = self.body, statement.node
        codes = body.expressions.operands(statement)
        if node in self.run.totals:
            part = node.op.numpy(node, codes, self.notation)
            part = part if node.shape else Code(f"float({part})")
            body.emit(f"{self.codes[node]} += {part}", node)
        elif node in self.run.whole:
            self.slice(node)
            name = self.codes[node].text
            kept = replace(self.notation, owns_out=True)
            body.emit(str(node.op.numpy_into(node, codes, name, kept)), node)
        else:
            body.compute(statement, codes)

    def head(self, blocks: dict[Buffer, str]) -> None:
        """Write the head of the loop, and the variables that show a block of each array."""
        body, namer = self.body, self.body.expressions.namer
        extent, step = self.notation.dim(self.run.extent), self.run.step
        body.indent = body.indent.removesuffix(_INDENT)
        body.plain(f"for {self.start} in range(0, {extent}, {step}):  # blocks stay in the cache")
        body.indent += _INDENT
        stop = f"min({self.start} + {step}, {extent})"
        body.plain(f"{self.rows} = slice({self.start}, {stop})")
        if blocks:
            body.plain(f"{self.size} = {self.rows}.stop - {self.start}")
        for buffer, name in blocks.items():
            if buffer not in body.first_names:
                body.first_names[buffer] = namer.fresh(f"{name}_block")
            self.slices.append(f"{name} = {body.first_names[buffer]}[:{self.size}]")
        for line in self.slices:
            body.plain(line)

    def end(self) -> None:
        """Go back to whole arrays; a total becomes a number of its dtype."""
        self.codes.update(self.outside)
        for node in [statement.node for statement in self.run.statements]:
            if node in self.run.totals and not node.shape:
                name = self.codes[node].text
                self.body.current = node
                self.body.plain(f"{name} = np.{node.dtype.name}({name})")
