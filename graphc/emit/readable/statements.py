"""Style `readable`: expressions, one idea a line, a comment with shape and mathematics."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.emit.body import Body
from graphc.emit.expressions import Expressions, in_place_operator
from graphc.emit.lines.wrapping import INDENT, WIDTH
from graphc.ir.code import ATOM, Code
from graphc.ir.node import Node
from graphc.ops.leaf import full
from graphc.plan.program import Program, Statement

#: An expression deeper than this gets a line of its own, so that no parser nests too far.
_DEPTH = 8
#: A longer expression gets a line of its own, rather than being written where it is read, unless
#: that is the step of a parameter.
_LONGEST = 60


@dataclass
class _Pending:
    """An expression that waits for its only reader."""

    depth: int
    reads: frozenset[str]


class ReadableBody(Body):
    """Writes each value where it is read, or on a line of its own."""

    def __init__(self, program: Program, expressions: Expressions, indent: str = INDENT) -> None:
        super().__init__(program, expressions, indent)
        self.pending: dict[Node, _Pending] = {}
        #: Parameter -> the expressions that read it and have waited at some time.
        self.waiting: dict[str, list[Node]] = {}
        #: View that is written where it is read -> the parameters that it shows.
        self.views: dict[Node, frozenset[str]] = {}
        #: Values that live in an array which additions are written into.
        self.collected: set[Node] = set()
        self.readers = program.readers
        self.computed = {s.node: s for s in program.statements}

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
        if node.op.is_leaf or self.expressions.tabulate(node):
            return
        if node.op is full:
            self.expressions.code[node] = self.expressions.expression(statement)
            if node in self.kept or (self.uses(node) > 1 and not self._is_number(node)):
                self.assign(statement)
            return
        is_plain = node not in self.kept and node not in self.expressions.labels
        if node.op.is_view and is_plain and self.inline_view(statement):
            return
        is_number = node in self.program.numbers and node not in self.kept
        if self.has_own_line(statement) and not is_number:
            self.assign(statement)
        else:
            self.defer(statement)

    def uses(self, node: Node) -> int:
        return len(self.readers.get(node, ()))

    def _is_number(self, node: Node) -> bool:
        """Say whether a fill is never an array: its readers broadcast it, or start from a copy.

        A loop writes a single number where it is read, too.
        """
        ops = [(s.node.op, s.node) for s in self.readers[node]]
        is_single = not node.shape
        return all(
            op.broadcasts(reader) or op.accumulates or (is_single and reader in self.program.loops)
            for op, reader in ops
        )

    def inline_view(self, statement: Statement) -> bool:
        """Write a view where it is read; it costs nothing to write it again, unless of a view."""
        operand = statement.operands[0]
        base = self.expressions.code[operand]
        if self.uses(statement.node) > 1 and not base.text.isidentifier():
            return False
        if operand in self.pending or base.precedence < ATOM or len(base.text) > 24:
            return False
        code = self.expressions.expression(statement)
        if len(code.text) > 40:
            return False
        self.expressions.code[statement.node] = code
        self.views[statement.node] = self._own_reads(operand)
        return True

    def _own_reads(self, node: Node) -> frozenset[str]:
        if node in self.program.param_names:
            return frozenset({self.program.param_names[node]})
        if node in self.pending:
            return self.pending[node].reads
        return self.views.get(node, frozenset())

    def defer(self, statement: Statement) -> None:
        """Keep the expression until its reader comes, unless it is too long or too deep."""
        depth = 1 + max(
            (self.pending[x].depth for x in statement.operands if x in self.pending), default=0
        )
        target = self.readers[statement.node][0].target if self.uses(statement.node) else None
        longest = max(_LONGEST, self._room(self.array(target)) if target else 0)
        code = self.fitted(statement, longest)
        if depth > _DEPTH or len(code.text) > longest:
            self.assign(statement)
            return
        reads = frozenset().union(*[self._own_reads(x) for x in statement.operands])
        self.take(statement)
        self.expressions.code[statement.node] = code
        self.pending[statement.node] = _Pending(depth, reads)
        for name in reads:
            self.waiting.setdefault(name, []).append(statement.node)

    def take(self, statement: Statement) -> None:
        """Note that a statement has written its operands' expressions."""
        for operand in statement.operands:
            self.pending.pop(operand, None)

    def fitted(self, statement: Statement, room: int) -> Code:
        """Return the expression; operands are given lines of their own until it fits the room."""
        codes = self.expressions.code
        code = self.expressions.expression(statement)
        excess = len(code.text) - room
        if excess <= 0:
            return code
        waiting = dict.fromkeys(x for x in statement.operands if x in self.pending)
        for operand in sorted(waiting, key=lambda x: -len(codes[x].text)):
            before = len(codes[operand].text)
            self.flush(operand)
            excess -= before - len(codes[operand].text)
            if excess <= 2:  # parentheses may have gone too
                code = self.expressions.expression(statement)
                excess = len(code.text) - room
                if excess <= 0:
                    return code
        return self.expressions.expression(statement)

    def _room(self, variable: str) -> int:
        """Return how long an expression may be that a variable, maybe numbered, is bound to."""
        return WIDTH - len(self.indent) - len(variable) - 4

    def flush(self, node: Node) -> None:
        """Give a waiting expression its line now."""
        del self.pending[node]
        self.name_inlined(node)

    def name_inlined(self, node: Node) -> None:
        """Give a variable to a value that was to be written where it is read."""
        code = self.expressions.code[node]
        shown = code.text
        if node in self.program.numbers:
            code = Code(f"np.{node.dtype.name}({code})")
        self.emit(f"{self.expressions.name(node)} = {code}", node, shown)

    # -- lines -------------------------------------------------------------------------------

    def assign(self, statement: Statement) -> None:
        """Write the line that computes a value."""
        node = statement.node
        if node.op.accumulates:
            self.accumulate(statement)
            return
        if statement.target is not None:
            self.update(statement)
            return
        base = statement.operands[0] if statement.operands else node
        if self._is_ours(base) and self._is_changed_in_place(statement, base):
            self.change(statement)
            return
        wanted = self.expressions.wanted_name(node)
        if node.op is full:
            code = self.expressions.code[node]
        else:
            code = self.fitted(statement, self._room(wanted))
        self.take(statement)
        if node in self.program.numbers and node.op is not full:
            code = Code(f"np.{node.dtype.name}({code})")
        name = self.expressions.name(node)
        self.emit(f"{name} = {code}", node, code.text)

    def accumulate(self, statement: Statement) -> None:
        """Write an op that adds into a base: on the base's own array when nobody else needs it."""
        node, base = statement.node, statement.operands[0]
        if statement.target is not None and not self._reads_memory(statement, statement.target):
            self.accumulate_update(statement, statement.target)
            return
        is_ours = self._is_ours(base)
        whole = base if is_ours else self._collector(node)
        name = self.expressions.code[base].text if is_ours else self.expressions.name(whole)
        self.expressions.code[node] = Code(name)
        self.collected.add(node)
        added = self._added(statement, name)
        if not is_ours:  # below what is added, which may have lines of its own
            self.emit(f"{name} = {self._fresh(base)}", whole)
        self.plain(added)
        self.take(statement)
        if statement.target is not None:
            self.flush_readers(statement.target, statement)
            self.plain(f"{self.array(statement.target)}[...] = {name}")

    def change(self, statement: Statement) -> None:
        """Write arithmetic on an array of ours in place: `d_z /= N`."""
        array = self.expressions.code[statement.operands[0]]
        self.fitted(statement, self._room(array.text))
        other = self.expressions.operands(statement)[1]
        self.take(statement)
        self.plain(f"{array} {in_place_operator(statement.node)} {other}")
        self.expressions.code[statement.node] = array
        self.collected.add(statement.node)

    def _reads_memory(self, statement: Statement, target: str) -> bool:
        """Say whether what is written is a view of the parameter that it is written into."""
        param = self.program.graph.params[target]
        return any(self.program.base(x) is param for x in statement.operands[1:])

    def accumulate_update(self, statement: Statement, target: str) -> None:
        """Write into the array of a parameter, of which nobody needs the old value any more."""
        base, array = statement.operands[0], self.array(target)
        self.flush_readers(target, statement)
        if self.expressions.code[base].text != array:
            for operand in statement.operands[1:]:
                if operand in self.pending:
                    self.flush(operand)
            self.plain(f"{array}[...] = {self._value(base)}")
        self.plain(self._added(statement, array))
        self.take(statement)
        self.expressions.code[statement.node] = Code(array)

    def _value(self, base: Node) -> str:
        """Return the expression of a value that an array is filled with."""
        code = self.expressions.number(base) if base.op is full else self.expressions.code[base]
        return code.text

    def _added(self, statement: Statement, name: str) -> str:
        """Return the line that adds to an array; operands get lines of their own until it fits."""
        codes = self.expressions.code
        for operand in sorted(statement.operands[1:], key=lambda x: -len(codes[x].text)):
            line = self._addition(statement, name)
            if len(self.indent) + len(line) <= WIDTH:
                return line
            if operand not in self.program.numbers and not codes[operand].text.isidentifier():
                self.pending.pop(operand, None)
                self.name_inlined(operand)
        return self._addition(statement, name)

    def _addition(self, statement: Statement, name: str) -> str:
        codes = self.expressions.operands(statement)
        notation = self.expressions.notation
        return str(statement.node.op.numpy_into(statement.node, codes, name, notation))

    def _collector(self, node: Node) -> Node:
        """Return the named value that an unnamed sum will have become in the same array."""
        while node not in self.expressions.labels and self.uses(node) == 1:
            reader = self.readers[node][0]
            goes_on = reader.node.op.accumulates and reader.operands[0] is node
            if not goes_on and not self._is_changed_in_place(reader, node):
                break
            node = reader.node
        return node

    def _is_changed_in_place(self, reader: Statement, base: Node) -> bool:
        """Say whether a named value is an array of ours, with arithmetic done on it: `d /= N`."""
        node = reader.node
        return (
            in_place_operator(node) is not None
            and reader.operands[0] is base
            and node.type == base.type
            and node in self.expressions.labels
            and reader.target is None
        )

    def _is_ours(self, base: Node) -> bool:
        """Say whether a sum that is being collected may go on in the same array."""
        is_free = self.uses(base) == 1 and base not in self.kept
        return base in self.collected and is_free

    def _fresh(self, base: Node) -> str:
        """Return an expression for a new array with a value."""
        if base.op is full:
            return full.numpy(base, [], self.expressions.notation).text
        code = self.expressions.code[base]
        if base in self.pending and not base.op.is_view:
            self.pending.pop(base)
            return code.text
        return f"{code.within(ATOM)}.copy()"

    def update(self, statement: Statement) -> None:
        """Write a parameter's new value into its array."""
        node, target = statement.node, statement.target
        assert target is not None
        param = self.program.graph.params[target]
        array = self.array(target)
        self.flush_readers(target, statement)
        symbol = in_place_operator(node)
        operands = statement.operands
        scale = self._scale(statement, param)
        if scale and len(self.indent + f"{array}[...] = ") + self._length(statement) > WIDTH:
            # Where `m[...] = 0.9 * m + g` is too long.
            self.plain(f"{array} *= {scale}")
            self.plain(self._augmented(array, statement))
        elif symbol and operands[0] is param and operands[1] is not param:
            self.plain(self._augmented(array, statement))
        else:
            self.plain(f"{array}[...] = {self.fitted(statement, self._room(array) - 4)}")
        self.take(statement)
        self.expressions.code[node] = Code(array)

    def _length(self, statement: Statement) -> int:
        return len(self.expressions.expression(statement).text)

    def _augmented(self, array: str, statement: Statement) -> str:
        """Return `array += other`; the other operand gets its own line where that is too long."""
        other = statement.operands[1]
        head = f"{array} {in_place_operator(statement.node)} "
        right = self.expressions.operands(statement)[1]
        if len(self.indent + head + right.text) > WIDTH and other in self.pending:
            self.flush(other)
            right = self.expressions.operands(statement)[1]
        return f"{head}{right}"

    def _scale(self, statement: Statement, param: Node) -> Code | None:
        """Return what a parameter is multiplied by before the other operand is added to it."""
        if in_place_operator(statement.node) not in ("+=", "-="):
            return None
        first, other = statement.operands
        if first not in self.pending or in_place_operator(first) != "*=" or first is other:
            return None
        scaled = self.computed[first]
        codes = zip(scaled.operands, self.expressions.operands(scaled), strict=True)
        factors = [code for x, code in codes if x is not param]
        if len(factors) != 1 or param.attrs["name"] in self._own_reads(other):
            return None
        return factors[0]

    def flush_readers(self, target: str, statement: Statement) -> None:
        """Write out the expressions that read a parameter which is about to change."""
        for node in self.waiting.pop(target, ()):
            if node in self.pending and all(node is not x for x in statement.operands):
                self.flush(node)

    def end_block(self) -> None:
        for node in list(self.pending):
            self.flush(node)
