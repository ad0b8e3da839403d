"""A function body: the statements by block, the updates, what is the same in every style."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from graphc.emit.expressions import Expressions, comment, with_comment
from graphc.emit.headings import with_headings
from graphc.emit.lines.sources import Line
from graphc.emit.lines.wrapping import INDENT
from graphc.ir.code import ATOM, Code
from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE
from graphc.ops.loop import Item
from graphc.plan.program import ON_DEMAND, Program, Statement

#: A view whose text is longer gets a variable.
LONGEST_VIEW = 40


class Body(ABC):
    """Writes the statements of a program as lines; a style says how one statement is written."""

    def __init__(self, program: Program, expressions: Expressions, indent: str = INDENT) -> None:
        self.program = program
        self.indent = indent
        self.expressions = expressions
        self.lines: list[str] = []
        #: The lines that only a caller who asks for gradients needs.
        self.on_demand: list[str] = []
        #: Variable -> the parameters whose gradients it lists by name, for a loop and the caller.
        self.listings: dict[str, tuple[str, ...]] = {}
        #: The parameters whose gradients have been put into one of them where they are computed.
        self.gathered: set[str] = set()
        self.before: dict[Node, Code] = {}
        #: Values that stand for those of several parameters, in several shapes.
        self.of_many: set[Node] = set()
        #: The node whose statement is being written.
        self.current: Node = program.graph.nodes[0]
        self.kept = {*program.graph.roots(), *program.observed.values()}

    @abstractmethod
    def write(self, statement: Statement) -> None:
        """Write one statement, or keep it until it is read."""

    def write_one(self, statement: Statement) -> None:
        """Write one statement; a loop is written whole, and with it all of its items."""
        self.current = statement.node
        if statement.node in self.program.loops:
            self.write_loop(statement)
        elif isinstance(statement.node.op, Item):
            (loop,), index = statement.node.inputs, statement.node.attrs["index"]
            code = self.expressions.code
            code[statement.node] = code[self.program.loops[loop].items[index]]
        else:
            self.write(statement)

    @abstractmethod
    def write_loop(self, statement: Statement) -> None:
        """Write a loop over the steps of a scan."""

    def begin_block(self, block: str) -> None:
        """Indent what stands under a condition; afterwards, forget the variables that it made.

        What is read after the block has the variable that it had before.
        """
        if block == ON_DEMAND:
            self.before = dict(self.expressions.code)
            self.indent += INDENT
        elif self.before:
            self.expressions.code |= self.before
            self.indent = self.indent.removesuffix(INDENT)
            self.before = {}

    def end_block(self) -> None:
        """Write what still waits: nothing, in a style that writes each statement at once."""
        return

    def emit(self, code: str, node: Node, shown: str = "") -> None:
        if node in self.of_many:
            written = [f"{self.indent}{code}"]
        else:
            written = with_comment(code, comment(self.expressions, node, shown), self.indent)
        self.lines += [Line(line, node) for line in written]

    def plain(self, code: str) -> None:
        """Write a line that explains itself."""
        self.lines.append(Line(f"{self.indent}{code}", self.current))

    def blank(self) -> None:
        """Set what follows apart."""
        self.lines.append(Line("", self.current))

    def array(self, target: str) -> str:
        """Return the variable of a parameter."""
        return self.expressions.code[self.program.graph.params[target]].text

    def write_all(self, before_update: Sequence[str]) -> list[str]:
        """Return all lines, with a heading for each block where there are several."""
        blocks: dict[str, list[str]] = {}
        for statement in self.program.statements:
            if statement.block not in blocks:
                self.end_block()
                self.begin_block(statement.block)
                self.lines = blocks.setdefault(statement.block, [])
            self.write_one(statement)
        self.end_block()
        self.begin_block(UPDATE)
        self.lines = blocks.setdefault(UPDATE, [])
        self.stores()
        self.on_demand = blocks.pop(ON_DEMAND, [])
        is_headed = sum(map(bool, blocks.values())) > 1
        lines: list[str] = []
        for block, written in blocks.items():
            lines += before_update if block == UPDATE else []
            headed = self.sections(written)
            lines += ["", f"{INDENT}# {block}"] if is_headed and written else []
            lines += [""] if not is_headed and len(headed) > len(written) else []
            lines += headed
        self.lines = lines
        return lines

    def sections(self, written: Sequence[str]) -> list[str]:
        """Return the lines of a block; where it is long, it is divided."""
        return with_headings(written)

    def is_stored(self, target: str) -> bool:
        """Say whether a parameter's next value is copied into its array."""
        return True

    def stores(self) -> None:
        """Write the remaining parameters from values that were computed before any was changed.

        Values that are themselves a parameter's memory go first; one whose parameter an earlier
        line overwrites is saved before all of them.
        """
        graph, base = self.program.graph, self.program.base
        stores = [store for store in self.program.stores.items() if self.is_stored(store[0])]
        stores.sort(key=lambda store: not base(store[1]).op.is_leaf)
        changed: set[Node] = set()
        lines: list[str] = []
        for target, node in stores:
            self.current = node
            value = self.expressions.code[node]
            if self.program.shown(node) & changed:
                saved = self.expressions.namer.fresh(f"{target}_next")
                self.plain(f"{saved} = {value.within(ATOM)}.copy()")
                value = Code(saved)
            lines.append(Line(f"{self.indent}{self.array(target)}[...] = {value}", node))
            changed.add(graph.params[target])
        self.lines += lines
