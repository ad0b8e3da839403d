"""A run of statements as a function of a block of rows, which all cores call for their share.

Each block stays in the cache meanwhile, and NumPy lets go of the interpreter during each call, so
that threads work side by side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from graphc.emit.body import LONGEST_VIEW
from graphc.emit.lines.names import Namer
from graphc.emit.lines.wrapping import INDENT, WIDTH
from graphc.ir.code import ATOM, PRODUCT, SUM, Code, Notation
from graphc.ir.dims import Dim, same
from graphc.ir.node import Node
from graphc.ops.movement.reshaping import Reshape
from graphc.plan.program import SHARES, Buffer, Program, Run, Statement

if TYPE_CHECKING:
    from graphc.emit.fast.statements import FastBody

_WHY, _WHY_SAMPLES = "  # blocks stay in the cache", "  # each core takes some of the samples"
_ALONE = "# BLAS may start threads where one block has all cores"


def write_run(body: FastBody, run: Run) -> None:
    """Write the function of a block, and its calls; before it, the arrays that outlive it."""
    _Blocks(body, run).write()


def block_sizes(
    program: Program, notation: Notation, taken: Sequence[str]
) -> tuple[list[str], dict[Buffer, str]]:
    """Return the lines that count workers and rows, and the size of each block buffer by them.

    A buffer has a block for each worker: at most one a core, and one a block.
    """
    namer = Namer(taken)
    lines: list[str] = []
    counted: dict[tuple[Code, str], tuple[str, str]] = {}
    sizes: dict[Buffer, str] = {}
    for buffer in program.block_buffers:
        runs = program.runs_through(buffer)
        step, extent = step_text(runs[0], notation), _longest(runs, notation)
        if (extent, step) not in counted:
            counted[extent, step] = _counts(lines, namer, extent, step)
        workers, rows = counted[extent, step]
        count, *rest = buffer.type.shape
        sizes[buffer] = f"({', '.join([workers, times(count, rows), *map(notation.dim, rest)])})"
    return lines, sizes


def step_text(run: Run, notation: Notation) -> str:
    """Return the number of steps in a block."""
    if run.step is None:
        return f"max(1, {run.block} // max(1, {notation.dim(run.row)}))"
    if not run.is_shared:
        return str(run.step)
    extent = notation.dim(run.extent)
    if extent.isdecimal():
        return str(max(1, min(run.step, int(extent) // SHARES)))
    whole = Code(extent, ATOM if extent.isalnum() else SUM)
    return f"max(1, min({run.step}, {whole.within(PRODUCT)} // {SHARES}))"


def times(count: Dim, number: str) -> str:
    """Return `count * number`."""
    if number.isdecimal() and isinstance(count, int):
        return str(count * int(number))
    return number if same(count, 1) else f"{count} * {number}"


def _longest(runs: Sequence[Run], notation: Notation) -> Code:
    """Return the greatest number of rows that one of the runs goes through."""
    numbers = [run.extent for run in runs if isinstance(run.extent, int)]
    named = dict.fromkeys(notation.dim(r.extent) for r in runs if not isinstance(r.extent, int))
    words = [*named, *([str(max(numbers))] if numbers else [])]
    if len(words) > 1:
        return Code(f"max({', '.join(words)})")
    return Code(words[0], ATOM if words[0].isalnum() else SUM)


def _counts(lines: list[str], namer: Namer, extent: Code, step: str) -> tuple[str, str]:
    """Write how many workers and rows of a block there are; return their variables or numbers."""
    workers = namer.fresh("workers")
    if extent.text.isdecimal() and step.isdecimal():
        lines.append(f"{workers} = min(CORES, {-(-int(extent.text) // int(step))})")
        return workers, str(min(int(extent.text), int(step)))
    if step == "1":
        lines.append(f"{workers} = min(CORES, {extent} or 1)")
        return workers, step
    rows = namer.fresh("rows")
    lines.append(f"{rows} = min({extent}, {step})")
    count = f"-(-{extent.within(ATOM)} // ({rows} or 1))"
    lines.append(f"{workers} = min(CORES, {count} or 1)")
    return workers, rows


class _Blocks:
    """One run: the variables that show a block of an array, and the lines of its function."""

    def __init__(self, body: FastBody, run: Run) -> None:
        self.body = body
        self.run = run
        self.codes = body.expressions.code
        self.notation = body.expressions.notation
        self.function = body.expressions.namer.fresh("block")
        #: Whether a line counts the rows of a block.
        self.is_sized = False
        self.rows, self.worker, self.size, self.multiply = body.words_of_blocks()
        #: What the function of a block reads.
        self.read: set[Node] = set()
        for statement in reversed(run.statements):
            if statement.node in self.read or not statement.node.op.is_view:
                self.read.update(statement.operands)
        #: Total -> the variable of a block's part of it.
        self.parts: dict[Node, str] = {}
        #: Lines that bind a variable to a block of an array.
        self.slices: list[str] = []
        #: The variables of the arrays that each block reads its own rows of.
        operands = {x for s in run.statements for x in s.operands if self.is_in_rows(x)}
        self.shown = {self.codes[x].text for x in operands}
        #: Array in the memory of one of them -> its variable when all blocks are done.
        self.renamed: dict[Node, str] = {}
        #: A block of an array -> the variable that is bound to it.
        self.sliced: dict[str, str] = {}
        #: Array that is seen in blocks -> its text outside of the function.
        self.outside: dict[Node, Code] = {}

    def write(self) -> None:
        body = self.body
        for statement in self.run.statements:
            node = statement.node
            if node in self.run.whole | self.run.totals and not node.op.is_view:
                body.current = node
                self.begin(statement)
        for statement in self.run.statements:
            for operand in statement.operands:
                if self.is_in_rows(operand):
                    self.slice(operand)
        lines, body.lines = body.lines, []
        body.indent += INDENT
        blocks = self.write_steps()
        written, body.lines = body.lines, lines
        called = re.compile(rf"(?<![.\w]){self.multiply}\(")
        self.head(blocks, any(map(called.search, written)))
        body.lines += written
        if self.parts:
            self.leave()
        body.indent = body.indent.removesuffix(INDENT)
        self.end()

    def begin(self, statement: Statement) -> None:
        """Make the array that the blocks fill, or the total that they add to."""
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
        elif before != name and before in self.shown and not is_total:
            self.codes[node] = Code(before)
            self.renamed[node] = name
        elif before != name:
            body.plain(f"{name} = {before}")
        body.buffer_names[buffer] = name
        if is_total:
            body.plain(f"{name}.fill(0)")

    def is_in_rows(self, operand: Node) -> bool:
        """Say whether a block reads rows of an array from outside, rather than all of it."""
        return operand in self.run.rows and self.body.program.runs.get(operand) is not self.run

    def slice(self, node: Node) -> None:
        """Bind a variable to a block of an array."""
        if node in self.outside or node in self.body.program.numbers:
            return
        code = self.outside[node] = self.codes[node]
        block = f"{code.within(ATOM)}[{self.rows_of(node)}]"
        if block not in self.sliced:
            stem = code.text if code.text.isidentifier() else self.body.expressions.stems[node]
            name = self.body.expressions.namer.fresh(f"{stem or 'part'}_rows")
            self.slices.append(f"{name} = {block}")
            self.sliced[block] = name
        self.codes[node] = Code(self.sliced[block])

    def rows_of(self, node: Node) -> str:
        """Return the rows of an array that belong to a block."""
        count = self.run.rows[node]
        if count == 1:
            return self.rows
        return f"{count} * {self.rows}.start : {count} * {self.rows}.stop"

    def write_steps(self) -> dict[Buffer, str]:
        """Write what is done with each block; return the first variable of each block buffer."""
        body = self.body
        whole = body.first_names
        body.first_names = {}
        for buffer in body.program.block_buffers:
            body.buffer_names.pop(buffer, None)
        body.expressions.notation = replace(
            self.notation, threads="beside", multiply=self.multiply, is_long=True
        )
        for statement in self.run.statements:
            body.current = statement.node
            self.step(statement)
        body.expressions.notation = self.notation
        blocks, body.first_names = body.first_names, whole
        return blocks

    def step(self, statement: Statement) -> None:
        body, node = self.body, statement.node
        if node.op.is_view and node not in self.read:
            return  # It shows the whole array afterwards.
        codes = body.operands(statement)
        if node.op.is_view:
            self.codes[node] = code = self.view(node, codes)
            if len(code.text) > LONGEST_VIEW:
                body.emit(f"{body.expressions.name(node)} = {code}", node)
        elif node in self.run.totals:
            name = self.codes[node].text
            self.parts[node] = body.expressions.namer.fresh(f"{name}_part")
            body.emit(f"{self.parts[node]} = {self.part(node, codes)}", node)
        elif node in self.run.whole:
            self.slice(node)
            self.fill(node, codes)
        else:
            body.compute(statement, codes)

    def fill(self, node: Node, codes: Sequence[Code]) -> None:
        """Write a block into its place in the whole array."""
        rows = self.codes[node].text
        line = self.into(node, codes, rows)
        if node in self.renamed and node in self.read and line.endswith(f"={rows})"):
            self.codes[node] = Code(self.body.expressions.namer.fresh(f"{self.renamed[node]}_rows"))
            line = f"{self.codes[node]} = {line}"
        self.body.emit(line, node)

    def view(self, node: Node, codes: Sequence[Code]) -> Code:
        """Return a view of a block's rows, whose number is not that of the whole array."""
        code = node.op.numpy(node, codes, self.body.expressions.notation)
        if not isinstance(node.op, Reshape) or code.text.endswith("]"):
            return code
        self.is_sized = True
        shape = [times(self.run.rows[node], self.size), *map(self.notation.dim, node.shape[1:])]
        return Code(f"{codes[0].within(ATOM)}.reshape({', '.join(shape)})")

    def part(self, node: Node, codes: Sequence[Code]) -> str:
        """Return a block's part of a total."""
        code = node.op.numpy(node, codes, self.body.expressions.notation)
        return str(code) if node.shape else f"float({code})"

    def into(self, node: Node, codes: Sequence[Code], name: str) -> str:
        """Return the statement that writes a block into its place in the whole array."""
        kept = replace(self.body.expressions.notation, owns_out=True)
        made = node.op.numpy_into(node, codes, name, kept)
        return made or f"{name}[...] = {node.op.numpy(node, codes, kept)}"

    def head(self, blocks: dict[Buffer, str], multiplies: bool) -> None:
        """Write the head of the function, and the variables that show a block of each array."""
        body, namer = self.body, self.body.expressions.namer
        body.indent = body.indent.removesuffix(INDENT)
        self.body.blank()
        why = _WHY_SAMPLES if self.run.multiplies else _WHY
        body.plain(f"def {self.function}({self.rows}, {self.worker}):{why}")
        body.indent += INDENT
        if blocks or self.is_sized or multiplies:
            body.plain(f"{self.size} = {self.rows}.stop - {self.rows}.start")
        if multiplies:
            is_alone = f"{self.size} == {self.notation.dim(self.run.extent)}"
            choice = f"np.matmul if {is_alone} else {self.notation.multiply}"
            body.plain(_ALONE)
            body.plain(f"{self.multiply} = {choice}")
        for buffer, name in blocks.items():
            if buffer not in body.first_names:
                body.first_names[buffer] = namer.fresh(f"{name}_block")
            kept = body.first_names[buffer]
            rows = times(buffer.type.shape[0], self.size)
            colon = ":" if rows.isidentifier() else ": "  # as formatters set it
            self.slices.append(f"{name} = {kept}[{self.worker}, {colon}{rows}]")
        for line in self.slices:
            body.plain(line)

    def leave(self) -> None:
        """Return a block's parts of the totals."""
        body, line = self.body, f"return {', '.join(self.parts.values())}"
        if len(body.indent + line) <= WIDTH:
            body.plain(line)
            return
        body.plain("return (")
        for part in self.parts.values():
            body.plain(f"{INDENT}{part},")
        body.plain(")")

    def end(self) -> None:
        """Call the function for all blocks; then show its arrays as views of them do."""
        self.codes.update(self.outside)
        self.body.blank()
        self.call()
        for node, name in self.renamed.items():
            self.body.plain(f"{name} = {self.codes[node]}")
            self.codes[node] = Code(name)
        for statement in self.run.statements:
            if statement.node.op.is_view and statement.node in self.run.whole:
                self.body.current = statement.node
                self.body.view(statement, self.body.expressions.operands(statement))

    def call(self) -> None:
        """Call the function for all blocks; a total becomes a number of its dtype."""
        body = self.body
        extent = self.notation.dim(self.run.extent)
        call = f"in_blocks({self.function}, {extent}, {step_text(self.run, self.notation)})"
        if not self.parts:
            body.plain(call)
            return
        parts, head = list(self.parts.values()), f"for {', '.join(self.parts.values())} in {call}:"
        if len(parts) > 1 and len(body.indent + head) > WIDTH:
            name = body.expressions.namer.fresh("parts")
            parts, head = [f"{name}[{i}]" for i in range(len(parts))], f"for {name} in {call}:"
        body.plain(head)
        for node, part in zip(self.parts, parts, strict=True):
            body.current = node
            body.plain(f"{INDENT}{self.codes[node]} += {part}")
        for node in self.parts:
            if not node.shape:
                name = self.codes[node].text
                body.current = node
                body.plain(f"{name} = np.{node.dtype.name}({name})")
