"""Updates that are alike, in style `readable`: one `for` over the parameters."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.emit.columns import name_of_all
from graphc.emit.expressions import Expressions
from graphc.emit.leaving import are_owned
from graphc.emit.lines.bindings import bound, row_of
from graphc.emit.lines.names import string_literal
from graphc.emit.lines.wrapping import INDENT, WIDTH
from graphc.emit.readable.statements import ReadableBody
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.plan.program import Program, Statement
from graphc.plan.squares import sum_of_squares
from graphc.plan.update_loops import Alike, updates_alike


class UpdateLoops(ReadableBody):
    """Writes once what the updates of several parameters have in common."""

    def __init__(self, program: Program, expressions: Expressions, indent: str = INDENT) -> None:
        super().__init__(program, expressions, indent)
        loops = updates_alike(program)
        self.of_many.update(s.node for found in loops for part in found.parts for s in part)
        #: Node -> the loop that its statement belongs to.
        self.alike = {
            statement.node: found for found in loops for part in found.parts for statement in part
        }
        #: The loop over all gradients, and the sum of their squares, where there are both.
        self.over_all = next((x for x in loops if {*x.names} == {*program.observed}), None)
        is_looked_for = self.over_all is not None and self.over_all.is_derived
        self.squares = sum_of_squares(program) if is_looked_for else None

    def write_one(self, statement: Statement) -> None:
        found = self.alike.get(statement.node)
        if self.squares is not None and statement.node in self.squares.inside:
            if statement.node is self.squares.total:
                self._write_squares(statement.node)
        elif found is None:
            super().write_one(statement)
        elif statement is found.parts[-1][-1]:  # the numbers in between have been written
            self._write_loop_over(found)

    def _write_loop_over(self, found: Alike) -> None:
        codes, stems, first = self.expressions.code, self.expressions.stems, found.parts[0]
        self.current = first[0].node
        for target in [s.target for part in found.parts for s in part if s.target]:
            self.flush_readers(target, first[0])
        for node in [x for column in found.columns for x in column if x in self.pending]:
            self.flush(node)
        before = dict(codes)
        variables = self._head_by_name(found) if found.moments or found.is_derived else {}
        if not variables:
            variables = self._head(found)
        codes |= {node: Code(name) for node, name in variables.items()}
        stems |= variables
        for statement in first:
            node = statement.node
            stems[node] = next(filter(None, [stems[x] for x in statement.operands]), "")
            self.expressions.labels.pop(node, None)  # the name of what is one parameter's
            super().write_one(statement)
        self.indent = self.indent.removesuffix(INDENT)
        codes |= before

    def _write_squares(self, total: Node) -> None:
        """Write the sum of the squares of all gradients."""
        assert self.over_all is not None
        listing = self._listing(self.over_all)
        gradients = f"{listing}.values()" if listing else self.expressions.namer.fresh("summed")
        if not listing:
            each = [self.expressions.code[x].text for x in self.over_all.columns[0]]
            self.plain(f"{gradients} = ({', '.join(each)})")
        code = f"sum(np.square(gradient).sum() for gradient in {gradients})"
        self.emit(f"{self.expressions.name(total, 'squares')} = {code}", total)

    def _head(self, found: Alike) -> dict[Node, str]:
        """Write the head of a loop over parameters, with what belongs to each in a row."""
        parameters = [tuple([self.program.graph.params[name] for name in found.names])]
        columns = [*filter(None, parameters), *found.columns, *found.moments.values()]
        names = [
            self.expressions.namer.fresh(name_of_all(self.expressions, column))
            for column in columns
        ]
        codes = [[self.expressions.code[x].text for x in column] for column in columns]
        self._open(names, [*zip(*codes, strict=True)])
        return {column[0]: name for column, name in zip(columns, names, strict=True)}

    def _head_by_name(self, found: Alike) -> dict[Node, str]:
        """Write the head of a loop over names of parameters, and look up their state by them."""
        codes, fresh = self.expressions.code, self.expressions.namer.fresh
        key = fresh("name")
        names = [fresh(name_of_all(self.expressions, column)) for column in found.columns]
        keys = [string_literal(name) for name in found.names]
        listing = self._listing(found) if found.is_derived else ""
        if listing:
            self.plain(f"for {key}, {names[0]} in {listing}.items():")
            self.indent += INDENT
        else:
            columns = [keys, *[[codes[x].text for x in column] for column in found.columns]]
            self._open([key, *names], [*zip(*columns, strict=True)])
        variables = {column[0]: name for column, name in zip(found.columns, names, strict=True)}
        reads = [(self.program.graph.params[found.names[0]], fresh("parameter"), key)]
        for kind, column in found.moments.items():
            is_free = self.expressions.namer.is_free(kind)
            variable = fresh(kind if is_free else f"gradient_{kind}")
            reads.append((column[0], variable, f'f"{{{key}}}.{kind}"'))
        pairs = [(variable, f"state[{key}]") for _, variable, key in reads]
        fits = len(self.indent + bound(pairs)) <= WIDTH
        for together in [pairs] if fits else [pairs[:1], pairs[1:]]:
            self.plain(bound(together))
        return variables | {node: variable for node, variable, _ in reads}

    def _listing(self, found: Alike) -> str:
        """Return the dict of the gradients, where a loop may go over all that it holds."""
        if not are_owned(self.program, self.expressions, found.columns[0]):
            return ""
        if not self.gathered <= {*found.names}:
            return ""
        whole = {*found.names}
        known = [x for x, names in self.listings.items() if {*names} in (whole, self.gathered)]
        listing = known[0] if known else self.expressions.namer.fresh("derivatives")
        self.listings[listing] = found.names
        return listing

    def _open(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write the head of a loop over rows of text."""
        self.plain(f"for {', '.join(names)} in ({', '.join(map(row_of, rows))}):")
        self.indent += INDENT
