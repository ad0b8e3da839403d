"""Loops: a scan is a `for` over its steps, its body written in the style of what surrounds it.

Carries are variables that each step sets anew; what a step emits goes into its place in a stack.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from graphc.emit.body import Body
from graphc.emit.expressions import Expressions, in_place_operator
from graphc.emit.leaf_names import about
from graphc.emit.lines.brackets import reads
from graphc.emit.lines.names import identifier
from graphc.emit.lines.sources import alike
from graphc.emit.lines.wrapping import INDENT, WIDTH
from graphc.emit.readable.layer_loops import LayerLoops
from graphc.emit.readable.statements import ReadableBody
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.ops.leaf import full
from graphc.ops.loop import by_kind
from graphc.plan.loops import Loop
from graphc.plan.program import Statement


@dataclass(frozen=True)
class Names:
    """The variables of one loop: the step's number, the carries by name, and the stacks."""

    step: str
    carries: dict[str, str]
    stacks: tuple[str, ...]

    def slot(self, stack: int) -> str:
        """Return the place of this step in a stack."""
        return f"{self.stacks[stack]}[{self.step}]"


class Steps(Body):
    """What the bodies of loops have in common in both styles."""

    loop: Loop
    names: Names

    def write_steps(self) -> list[str]:
        """Return the lines of one step."""
        following = {*self.loop.following}
        for node in dict.fromkeys(self.loop.emitted):
            if node.op.is_leaf:  # before the carry among them changes
                self.store_emitted(node)
        for statement in self.program.statements:
            self.write_one(statement)
            if statement.node not in following and not statement.node.op.is_leaf:
                self.store_emitted(statement.node)
        self.end_block()
        for node in dict.fromkeys(self.loop.emitted):
            if node in following and not node.op.is_leaf:
                self.store_emitted(node)
        self.stores()
        if not self.lines:
            self.plain("pass")
        return self.lines

    def stacks_of(self, node: Node) -> list[int]:
        """Return the stacks that a value of the body goes to."""
        return [j for j, emitted in enumerate(self.loop.emitted) if emitted is node]

    def store_emitted(self, node: Node) -> None:
        """Write a value into its places in the stacks."""
        for j in self.stacks_of(node):
            self.current = node
            self.plain(f"{self.names.slot(j)} = {self.expressions.code[node]}")


class Readable(LayerLoops):
    """A function body in style `readable`, with its loops."""

    def write_loop(self, statement: Statement) -> None:
        loop = self.program.loops[statement.node]
        firsts = {x for x in statement.operands[: len(loop.carries)] if self._is_first_value(x)}
        operands = [
            self.expressions.code[x].text if x in firsts else self._variable(x)
            for x in statement.operands
        ]
        inner = body_expressions(self, loop, operands)
        handed = {x for x in loop.node.inputs[: len(loop.carries)] if self._is_handed_over(x)}
        names = loop_names(self, loop, inner, handed)
        notation = self.expressions.notation
        for j in loop.in_order:
            item, stack = loop.stacks[j], names.stacks[j]
            shape, dtype = notation.size(item.shape), notation.dtype(item.dtype)
            self.emit(f"{stack} = np.empty({shape}, {dtype})", item)
        starts = zip(names.carries.values(), operands, statement.operands, strict=False)
        for variable, operand, node in starts:
            if node in firsts:
                self.emit(f"{variable} = {operand}", node, operand)
            elif variable != operand:
                self.plain(f"{variable} = {operand}")
        head = _head(self, loop, names)
        steps = ReadableSteps(self, loop, operands, names, inner)
        lines = steps.write_steps()
        self.lines += steps.in_front
        self.plain(head)
        self.lines += lines
        end_loop(self, loop, names)

    def _is_first_value(self, node: Node) -> bool:
        """Say whether only a carry begins with a value, which waits to be written there."""
        if node in self.program.numbers or self.uses(node) != 1:
            return False
        return self.pending.pop(node, None) is not None

    def _is_handed_over(self, node: Node) -> bool:
        """Say whether a value has a variable of its own, and nobody but one carry reads it."""
        statement = self.computed.get(node)
        if statement is None or self.uses(node) != 1:
            return False
        if node in self.kept or node in self.collected:
            return False
        codes = self.expressions.code
        return is_plain(codes[node]) and all(
            codes[x].text != codes[node].text for x in statement.operands if x in codes
        )

    def _variable(self, node: Node) -> str:
        """Return how the loop refers to an operand: by a variable, or as a number."""
        code = self.expressions.code[node]
        if node in self.pending:
            self.flush(node)
        elif node.op is full and not node.shape:
            return self.expressions.typed(node).text
        elif node.op is not full and not is_plain(code):
            self.name_inlined(node)
        return self.expressions.code[node].text


class ReadableSteps(Steps, Readable):
    """The body of a loop in expressions; a carry's variable is bound anew."""

    is_body = True

    def __init__(
        self,
        outer: ReadableBody,
        loop: Loop,
        operands: Sequence[str],
        names: Names,
        expressions: Expressions,
    ) -> None:
        self.loop, self.names = loop, names
        bind_inputs(expressions, loop, operands, names)
        super().__init__(loop.inside, expressions, outer.indent + INDENT)
        #: Lines that make what is the same in each step.
        self.in_front: list[str] = []
        shared = {self.program.base(x) for x in self.program.stores.values()}
        #: Carries whose next value another carry takes, too.
        taken = {s.target for s in self.program.statements if s.node in shared}
        #: Carries whose array was made for this loop and is seen by nobody else.
        self.own = {
            leaf.attrs["name"]
            for leaf, operand in zip(loop.carries, loop.node.inputs, strict=False)
            if operand.op is full and leaf not in shared and outer.uses(operand) == 1
            if operand not in outer.kept and leaf.attrs["name"] not in taken
        }

    def write(self, statement: Statement) -> None:
        node = statement.node
        is_made = not (node.inputs or node.op.is_leaf or node.op.is_random or node.op is full)
        if not (is_made and node.shape) or self.expressions.tabulate(node):
            super().write(statement)
            return
        lines, self.lines = self.lines, []
        self.indent = self.indent.removesuffix(INDENT)
        self.assign(statement)
        self.indent += INDENT
        self.in_front += self.lines
        self.lines = lines

    def update(self, statement: Statement) -> None:
        node, target = statement.node, statement.target
        assert target is not None
        self.flush_readers(target, statement)
        variable, symbol = self.array(target), in_place_operator(node)
        code = self.fitted(statement, WIDTH - len(self.indent) - len(variable) - 3)
        carry = self.program.graph.params[target]
        is_sum = statement.operands[0] is carry and statement.operands[-1] is not carry
        if symbol and is_sum and target in self.own:
            right = self.expressions.operands(statement)[1]
            self.emit(f"{variable} {symbol} {right}", node, right.text)
        else:
            self.emit(f"{variable} = {code}", node, code.text)
        self.take(statement)
        self.expressions.code[node] = Code(variable)

    def accumulate(self, statement: Statement) -> None:
        target = statement.target
        super().accumulate(replace(statement, target=None))
        if target is not None:
            self.flush_readers(target, statement)
            self.plain(f"{self.array(target)} = {self.expressions.code[statement.node]}")
            self.expressions.code[statement.node] = Code(self.array(target))

    def stores(self) -> None:
        codes = self.expressions.code
        pairs = [(self.array(t), codes[x].text) for t, x in self.program.stores.items()]
        pairs = [(left, right) for left, right in pairs if left != right]
        pairs = [pair for pair in pairs if not self._bound_at_once(*pair, pairs)]
        if pairs:
            lefts, rights = zip(*pairs, strict=True)
            self.plain(f"{', '.join(lefts)} = {', '.join(rights)}")

    def _bound_at_once(self, carry: str, value: str, pairs: Sequence[tuple[str, str]]) -> bool:
        """Compute a carry's next value under the name of the carry, if that is read no more."""
        start = f"{self.indent}{value} = "
        first = next((i for i, line in enumerate(self.lines) if line.startswith(start)), None)
        names = [name for pair in pairs for name in pair]
        if first is None or names.count(carry) > 1 or names.count(value) > 1:
            return False
        if value in self.names.carries.values():  # another carry, which needs it as well
            return False
        before, after = self.lines[:first], self.lines[first:]
        if any(reads(_code(line), value) for line in before):
            return False
        if any(reads(_code(line), carry) for line in after[1:]):
            return False
        word = re.compile(rf"(?<![\w.]){re.escape(value)}\b")
        for line in after:
            code = _code(line)
            before += alike([word.sub(carry, code) + line[len(code) :]], line)
        self.lines[:] = before
        return True


def _code(line: str) -> str:
    """Return a line without its comment."""
    return "" if line.lstrip().startswith("#") else line.partition("  #")[0]


def body_expressions(outer: Body, loop: Loop, operands: Sequence[str]) -> Expressions:
    """Return the expressions of a loop's body, in the names of what is around it."""
    around = outer.expressions
    found = about(loop, operands, around.labels, around.stems)
    names = [leaf.attrs["name"] for leaf in loop.carries]
    carried = dict(zip(loop.following, names, strict=True))
    return around.of_body(loop.inside, found, loop.constants, carried)


def loop_names(outer: Body, loop: Loop, inner: Expressions, handed: Container[Node] = ()) -> Names:
    """Return variables for a loop: fresh ones, but for carries that go on with a value's own.

    `handed` are values that nobody else reads; a carry of that name goes on with the variable.
    """
    namer = outer.expressions.namer
    names = {leaf.attrs["name"]: inner.rename(leaf.attrs["name"]) for leaf in loop.carries}
    carried = dict(zip(loop.following, names.values(), strict=True))
    stacks: dict[int, str] = {}
    for j in loop.in_order:  # so that the second of a name inside is the second outside
        node = loop.emitted[j]
        of_step = carried.get(node) or inner.wanted_name(node)
        steps = f"{of_step.removesuffix('_next')}_steps"
        stacks[j] = namer.fresh(outer.expressions.labels.get(loop.stacks[j]) or steps)
    step = namer.fresh("t")
    codes = outer.expressions.code
    own = {
        old: codes[x].text
        for (old, name), x in zip(names.items(), loop.node.inputs, strict=False)
        if x in handed and codes[x].text == identifier(name)
    }
    carries = {old: own.get(old) or namer.fresh(name) for old, name in names.items()}
    return Names(step, carries, tuple([stacks[j] for j in range(len(stacks))]))


def bind_inputs(inner: Expressions, loop: Loop, operands: Sequence[str], names: Names) -> None:
    """Give the inputs of a body the variables of the outside."""
    for leaf in loop.carries:
        inner.code[leaf] = Code(names.carries[leaf.attrs["name"]])
    _, sequences, constants = by_kind(loop.node.attrs, operands)
    for leaf, code in zip(loop.sequences, sequences, strict=True):
        inner.code[leaf] = Code(f"{code}[{names.step}]")
    for leaf, code in zip(loop.constants, constants, strict=True):
        inner.code[leaf] = Code(code)


def _head(outer: Body, loop: Loop, names: Names) -> str:
    steps = f"range({outer.expressions.notation.dim(loop.node.attrs['length'])})"
    steps = f"reversed({steps})" if loop.node.attrs["reverse"] else steps
    return f"for {names.step} in {steps}:"


def end_loop(outer: Body, loop: Loop, names: Names) -> None:
    """Bind a loop's results to its variables; the next loop may count its steps as this one did."""
    outer.expressions.namer.release(names.step)
    variables = [*names.carries.values(), *names.stacks]
    for item, variable in zip(loop.items, variables, strict=True):
        outer.expressions.code[item] = Code(variable)


def is_plain(code: Code) -> bool:
    return code.text.isidentifier()
