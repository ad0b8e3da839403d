"""Updates that are alike, in style `readable`: one `for` over the parameters."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.emit.expressions import Expressions
from graphc.emit.lines import Line
from graphc.emit.readable import ReadableBody
from graphc.emit.wrapping import INDENT
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.plan.alike import Alike, updates_alike
from graphc.plan.program import Program, Statement


class UpdateLoops(ReadableBody):
    """Writes once what the updates of several parameters have in common."""

    def __init__(self, program: Program, expressions: Expressions, indent: str = INDENT) -> None:
        super().__init__(program, expressions, indent)
        #: Node -> the loop that its statement belongs to.
        self.alike = {
            statement.node: found
            for found in updates_alike(program)
            for part in found.parts
            for statement in part
        }

    def write_one(self, statement: Statement) -> None:
        found = self.alike.get(statement.node)
        if found is None:
            super().write_one(statement)
        elif statement is found.parts[-1][-1]:  # the numbers in between have been written
            self._write_loop_over(found)

    def _write_loop_over(self, found: Alike) -> None:
        codes, first = self.expressions.code, found.parts[0]
        self.current = first[0].node
        for target in [s.target for part in found.parts for s in part if s.target]:
            self.flush_readers(target, first[0])
        for node in [x for column in found.columns for x in column if x in self.pending]:
            self.flush(node)
        columns = sorted(found.columns, key=self._rank)
        before = {column[0]: codes[column[0]] for column in columns}
        names = [self.expressions.namer.fresh(self._name(column)) for column in columns]
        rows = [[codes[x].text for x in row] for row in zip(*columns, strict=True)]
        entries = ", ".join([f"({', '.join(row)})" for row in rows])
        self.plain(f"for {', '.join(names)} in ({entries}):")
        codes |= {column[0]: Code(name) for column, name in zip(columns, names, strict=True)}
        stems = self.expressions.stems
        stems |= {column[0]: name for column, name in zip(columns, names, strict=True)}
        self.indent += INDENT
        for statement in first:
            node = statement.node
            stems[node] = next(filter(None, [stems[x] for x in statement.operands]), "")
            self.expressions.labels.pop(node, None)  # the name of what is one parameter's
            super().write_one(statement)
        self.indent = self.indent.removesuffix(INDENT)
        codes |= before

    def emit(self, code: str, node: Node, shown: str = "") -> None:
        """Write a line without its comment where its value has several shapes."""
        if node in self.alike:
            self.lines.append(Line(f"{self.indent}{code}", node))
        else:
            super().emit(code, node, shown)

    def _rank(self, column: Sequence[Node]) -> int:
        """Return the place of a value in the loop's head: parameter, gradient, moments."""
        if self._are_trained(column):
            return 0
        return 2 if all(x in self.params for x in column) else 1

    def _name(self, column: Sequence[Node]) -> str:
        """Return what the values of all parameters are."""
        if self._are_trained(column):
            return "parameter"
        if not all(x in self.params for x in column):
            wanted = [self.expressions.wanted_name(x) for x in column]
            return "gradient" if all(x.startswith("d_") for x in wanted) else "step"
        kinds = {self.params[x].rpartition(".")[2] for x in column}
        return kinds.pop() if len(kinds) == 1 else "state"

    def _are_trained(self, column: Sequence[Node]) -> bool:
        return all(self.params.get(x) in self.program.graph.trainable for x in column)
