"""Style `readable`: expressions, one idea a line, a comment with shape and mathematics."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.emit.expressions import (
    WIDTH,
    Expressions,
    comment,
    in_place_operator,
    with_comment,
)
from graphc.ir.code import ATOM, Code
from graphc.ir.node import Node
from graphc.ops.leaf import full
from graphc.plan.implicit import is_weak
from graphc.plan.program import Program, Statement

_INDENT = "    "
#: An expression deeper than this gets a line of its own, so that no parser nests too far.
_DEPTH = 8


@dataclass
class _Pending:
    """An expression that waits for its only reader."""

    statement: Statement
    depth: int
    reads: frozenset[str]


class ReadableBody:
    """Writes the statements of a program as lines of a function body."""

    def __init__(self, program: Program, expressions: Expressions) -> None:
        self.program = program
        self.expressions = expressions
        self.lines: list[str] = []
        self.pending: dict[Node, _Pending] = {}
        self.views: dict[Node, tuple[int, frozenset[str]]] = {}
        self.owned: set[Node] = set()
        self.readers: dict[Node, list[Statement]] = {}
        self.params = {node: name for name, node in program.graph.params.items()}
        self.kept = {*program.graph.roots(), *program.observed.values()}
        for statement in program.statements:
            for operand in statement.operands:
                self.readers.setdefault(operand, []).append(statement)

    # -- which values get a line -------------------------------------------------------------

    def has_own_line(self, statement: Statement) -> bool:
        """Say whether a value gets a variable, rather than being written where it is read."""
        node = statement.node
        if node in self.kept or node.op.is_random or statement.target or node.op.accumulates:
            return True
        if node in self.expressions.labels or self.uses(node) != 1:
            return True
        return self.readers[node][0].block != statement.block

    def write(self, statement: Statement) -> None:
        node = statement.node
        if node.op.is_leaf:
            return
        if node.op is full:
            self.expressions.code[node] = node.op.numpy(node, [], self.expressions.notation)
            if node in self.kept or (self.uses(node) > 1 and not self._is_number(node)):
                self.assign(statement)
            return
        is_plain = node not in self.kept and node not in self.expressions.labels
        if node.op.is_view and is_plain and self.inline_view(statement):
            return
        if self.has_own_line(statement) and not (is_weak(node) and node not in self.kept):
            self.assign(statement)
        else:
            self.defer(statement)

    def uses(self, node: Node) -> int:
        return len(self.readers.get(node, ()))

    def _is_number(self, node: Node) -> bool:
        return all(s.node.op.broadcasts(s.node) for s in self.readers[node])

    def inline_view(self, statement: Statement) -> bool:
        """Write a view where it is read; it costs nothing to write it again."""
        operand = statement.operands[0]
        base = self.expressions.code[operand]
        if operand in self.pending or base.precedence < ATOM or len(base.text) > 24:
            return False
        code = self.expressions.expression(statement)
        if len(code.text) > 40:
            return False
        self.expressions.code[statement.node] = code
        _, reads = self.views.get(operand, (0, self._own_reads(operand)))
        self.views[statement.node] = (0, reads)
        return True

    def _own_reads(self, node: Node) -> frozenset[str]:
        if node in self.params:
            return frozenset({self.params[node]})
        if node in self.pending:
            return self.pending[node].reads
        return self.views[node][1] if node in self.views else frozenset()

    def defer(self, statement: Statement) -> None:
        """Keep the expression until its reader comes, unless it is too long or too deep."""
        depth = 1 + max(
            (self.pending[x].depth for x in statement.operands if x in self.pending), default=0
        )
        code = self.fitted(statement, 60)
        if depth > _DEPTH or len(code.text) > 60:
            self.assign(statement)
            return
        reads = frozenset().union(*[self._own_reads(x) for x in statement.operands])
        for operand in statement.operands:
            self.pending.pop(operand, None)
        self.expressions.code[statement.node] = code
        self.pending[statement.node] = _Pending(statement, depth, reads)

    def fitted(self, statement: Statement, room: int) -> Code:
        """Return the expression; operands are given lines of their own until it fits the room."""
        code = self.expressions.expression(statement)
        while len(code.text) > room:
            waiting = [x for x in statement.operands if x in self.pending]
            if not waiting:
                break
            self.flush(max(waiting, key=lambda x: len(self.expressions.code[x].text)))
            code = self.expressions.expression(statement)
        return code

    def flush(self, node: Node) -> None:
        """Give a waiting expression its line now."""
        statement = self.pending.pop(node).statement
        code = self.expressions.code[node]
        name = self.expressions.name(node)
        self.owned.add(node)
        self.emit(f"{name} = {code}", statement, code.text)

    # -- lines -------------------------------------------------------------------------------

    def emit(self, code: str, statement: Statement, shown: str = "") -> None:
        remark = comment(self.expressions, statement.node, shown)
        self.lines += with_comment(code, remark, _INDENT)

    def assign(self, statement: Statement) -> None:
        """Write the line that computes a value."""
        node = statement.node
        if node.op.accumulates:
            self.accumulate(statement)
            return
        if statement.target is not None:
            self.update(statement)
            return
        wanted = self.expressions.wanted_name(node)
        if node.op is full:
            code = self.expressions.code[node]
        else:
            code = self.fitted(statement, WIDTH - len(wanted) - 8)
        for operand in statement.operands:
            self.pending.pop(operand, None)
        if is_weak(node):
            code = Code(f"np.{node.dtype.name}({code})")
        name = self.expressions.name(node)
        if not node.op.is_view:
            self.owned.add(node)
        self.emit(f"{name} = {code}", statement, code.text)

    def accumulate(self, statement: Statement) -> None:
        """Write an op that adds into a base: on the base's own array when nobody else needs it."""
        node, base = statement.node, statement.operands[0]
        name_code = self.expressions.code[base]
        is_fresh = base in self.pending and not base.op.is_view
        is_ours = (
            base in self.owned
            and self.uses(base) == 1
            and base not in self.kept
            and base.op.accumulates
        )
        if is_ours:
            name = name_code.text
            self.expressions.code[node] = name_code
        else:
            if is_fresh or base.op is full:
                first = name_code.text
                self.pending.pop(base, None)
            else:
                first = f"{name_code.within(ATOM)}.copy()"
            name = self.expressions.name(node)
            self.emit(f"{name} = {first}", statement)
        self.owned.add(node)
        codes = self.expressions.operands(statement)
        for operand in statement.operands:
            self.pending.pop(operand, None)
        line = node.op.numpy_into(node, codes, name, self.expressions.notation)
        self.lines.append(f"{_INDENT}{line}")
        if statement.target is not None:
            self.flush_readers(statement.target, statement)
            self.store(statement.target, Code(name))

    def update(self, statement: Statement) -> None:
        """Write a parameter's new value into its array."""
        node, target = statement.node, statement.target
        assert target is not None
        param = self.program.graph.params[target]
        array = self.expressions.code[param].text
        self.flush_readers(target, statement)
        symbol = in_place_operator(node)
        operands = statement.operands
        if symbol and operands[0] is param and operands[1] is not param:
            self.fitted(statement, WIDTH - len(array) - 8)
            other = self.expressions.operands(statement)[1]
            line = f"{array} {symbol} {other}"
        else:
            code = self.fitted(statement, WIDTH - len(array) - 12)
            line = f"{array}[...] = {code}"
        for operand in operands:
            self.pending.pop(operand, None)
        self.expressions.code[node] = Code(array)
        self.lines.append(f"{_INDENT}{line}")

    def flush_readers(self, target: str, statement: Statement) -> None:
        """Write out the expressions that read a parameter which is about to change."""
        for node in [x for x, p in self.pending.items() if target in p.reads]:
            if all(node is not x for x in statement.operands):
                self.flush(node)

    def store(self, target: str, value: Code) -> None:
        array = self.expressions.code[self.program.graph.params[target]].text
        self.lines.append(f"{_INDENT}{array}[...] = {value}")

    def flush_all(self) -> None:
        for node in list(self.pending):
            self.flush(node)

    def stores(self) -> None:
        """Write the remaining parameters, from values that were computed before any was changed."""
        copies = []
        for target, node in self.program.stores.items():
            value = self.expressions.code[node]
            is_state = node.op.is_leaf or node.op.is_view
            if is_state and len(self.program.stores) > 1:
                name = self.expressions.namer.fresh(f"{target}_next")
                self.lines.append(f"{_INDENT}{name} = {value.within(ATOM)}.copy()")
                value = Code(name)
            copies.append((target, value))
        for target, value in copies:
            self.store(target, value)


def write_readable(
    program: Program, expressions: Expressions, after_backward: list[str]
) -> list[str]:
    """Return the lines of the function body, with a heading for each block."""
    body = ReadableBody(program, expressions)
    blocks = list(dict.fromkeys(s.block for s in program.statements))
    current = None
    observed_written = not after_backward
    for statement in program.statements:
        if statement.block != current:
            body.flush_all()
            if current is not None and statement.block == "update" and not observed_written:
                body.lines += after_backward
                observed_written = True
            current = statement.block
            if len(blocks) > 1:
                body.lines += ["", f"{_INDENT}# {current}"]
        body.write(statement)
    body.flush_all()
    if not observed_written:
        body.lines += after_backward
    body.stores()
    return body.lines
