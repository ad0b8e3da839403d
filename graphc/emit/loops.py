"""Loops: a scan is a `for` over its steps, its body written in the style of what surrounds it.

Carries are variables that each step sets anew; what a step emits goes into its place in a stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphc.emit.body import INDENT, Body, read_by
from graphc.emit.expressions import WIDTH, Expressions, in_place_operator
from graphc.emit.fast import FastBody
from graphc.emit.readable import ReadableBody
from graphc.ir.code import Code
from graphc.ir.dims import same_shape
from graphc.ir.node import Node
from graphc.ops.leaf import full
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


class Readable(ReadableBody):
    """A function body in style `readable`, with its loops."""

    def write_loop(self, statement: Statement) -> None:
        loop = self.program.loops[statement.node]
        operands = [self._variable(x) for x in statement.operands]
        names = _names(self, loop)
        notation = self.expressions.notation
        for item, stack in zip(loop.stacks, names.stacks, strict=True):
            shape, dtype = notation.size(item.shape), notation.dtype(item.dtype)
            self.emit(f"{stack} = np.empty({shape}, {dtype})", item)
        for variable, operand in zip(names.carries.values(), operands, strict=False):
            self.plain(f"{variable} = {operand}")
        self.plain(_head(self, loop, names))
        self.lines += ReadableSteps(self, loop, operands, names).write_steps()
        _bind_items(self, loop, names)

    def _variable(self, node: Node) -> str:
        """Return how the loop refers to an operand: by a variable, or as a number."""
        code = self.expressions.code[node]
        if node in self.pending:
            self.flush(node)
        elif node.op is full and not node.shape:
            return self.expressions.typed(node).text
        elif node.op is not full and not _is_plain(code):
            self.name_inlined(node)
        return self.expressions.code[node].text


class Fast(FastBody):
    """A function body in style `fast`, with its loops."""

    def write_loop(self, statement: Statement) -> None:
        loop = self.program.loops[statement.node]
        operands = [self._variable(x) for x in statement.operands]
        names = _names(self, loop)
        for item, stack in zip(loop.stacks, names.stacks, strict=True):
            self.take_buffer(item, stack)
        for i, variable in enumerate(names.carries.values()):
            self._start(loop, i, variable, operands[i])
        self.plain(_head(self, loop, names))
        steps = FastSteps(self, loop, operands, names)
        self.lines += steps.write_steps()
        self.first_names |= steps.first_names
        self.constants |= steps.constants
        _bind_items(self, loop, names)

    def _start(self, loop: Loop, index: int, variable: str, operand: str) -> None:
        """Write a carry's first value: into its own array, unless it lives in its stack."""
        item, initial = loop.items[index], loop.node.inputs[index]
        if index in loop.slots:
            self.plain(f"{variable} = {operand}")
        elif item not in self.program.place:
            fresh = operand if initial.op is full and initial.shape else f"np.array({operand})"
            self.plain(f"{variable} = {fresh}")
        else:
            self.take_buffer(item, variable)
            if initial.op is full:
                self.plain(f"{variable}.fill({self.expressions.number(initial)})")
            else:
                self.plain(f"np.copyto({variable}, {operand})")

    def take_buffer(self, item: Node, name: str) -> None:
        """Bind a variable to the memory of a loop's result: kept, or fresh where it leaves."""
        buffer = self.program.place.get(item)
        if buffer is None:
            notation = self.expressions.notation
            shape, dtype = notation.size(item.shape), notation.dtype(item.dtype)
            self.plain(f"{name} = np.empty({shape}, {dtype})")
            return
        before = self.buffer_names.get(buffer)
        has_shape = buffer not in self.reshaped and same_shape(buffer.type.shape, item.shape)
        if before is None and has_shape:
            self.first_names[buffer] = name
        elif not has_shape:
            if before is None:
                before = self.first_names[buffer] = self.expressions.namer.fresh(f"{name}_memory")
            words = ", ".join(map(self.expressions.notation.dim, item.shape))
            self.plain(f"{name} = {before}.reshape({words})")
            self.reshaped.add(buffer)
        else:
            self.plain(f"{name} = {before}")
        self.buffer_names[buffer] = name

    def _variable(self, node: Node) -> str:
        code = self.expressions.code[node]
        if node.op is full and not node.shape:
            return self.expressions.typed(node).text
        if node.op is not full and not _is_plain(code):
            self.emit(f"{self.expressions.name(node)} = {code}", node)
        return self.expressions.code[node].text


class ReadableSteps(Steps, Readable):
    """The body of a loop in expressions; a carry's variable is bound anew."""

    def __init__(self, outer: Body, loop: Loop, operands: Sequence[str], names: Names) -> None:
        self.loop, self.names = loop, names
        expressions = _inner_expressions(outer, loop, operands, names)
        super().__init__(loop.inside, expressions, outer.indent + INDENT)
        shared = {self.program.base(x) for x in self.program.stores.values()}
        #: Carries whose array was made for this loop and is seen by nobody else.
        self.own = {
            leaf.attrs["name"]
            for leaf, operand in zip(loop.carries, loop.node.inputs, strict=False)
            if operand.op is full and leaf not in shared
        }

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
        if pairs:
            lefts, rights = zip(*pairs, strict=True)
            self.plain(f"{', '.join(lefts)} = {', '.join(rights)}")


class FastSteps(Steps, Fast):
    """The body of a loop in kept buffers; a carry that is emitted lives in its stack."""

    def __init__(self, outer: Body, loop: Loop, operands: Sequence[str], names: Names) -> None:
        self.loop, self.names = loop, names
        expressions = _inner_expressions(outer, loop, operands, names)
        super().__init__(loop.inside, expressions, outer.indent + INDENT)
        self.readers = read_by(loop.inside.statements)
        #: Carry -> its stack, for the carries that live there.
        self.slots = {loop.carries[i].attrs["name"]: j for i, j in loop.slots.items()}
        #: Values that were computed straight into the first of their stacks.
        self.written: set[Node] = set()

    def compute(self, statement: Statement, codes: list[Code]) -> None:
        node = statement.node
        stacks = self.stacks_of(node)
        if not stacks:
            super().compute(statement, codes)
            return
        name = self.expressions.name(node) if node in self.readers else ""
        self.into_slot(statement, codes, stacks[0], name)
        self.expressions.code[node] = Code(name or self.names.slot(stacks[0]))

    def into_slot(self, statement: Statement, codes: list[Code], stack: int, name: str) -> None:
        """Compute a value into its place in a stack; a `name` is bound to that place."""
        node, slot = statement.node, self.names.slot(stack)
        notation = replace(self.expressions.notation, owns_out=True)
        into = node.op.numpy_into(node, codes, slot, notation) if node.shape else None
        if into is None or not into.endswith(f"={slot})"):
            self.emit(into or f"{slot} = {node.op.numpy(node, codes, notation)}", node)
            if name:
                self.plain(f"{name} = {slot}")
        else:
            self.emit(f"{name} = {into}" if name else into, node)
        self.written.add(node)

    def store_emitted(self, node: Node) -> None:
        for j in self.stacks_of(node):
            if node in self.written and j == self.stacks_of(node)[0]:
                continue
            self.current = node
            self.plain(f"{self.names.slot(j)} = {self.expressions.code[node]}")

    def update(self, statement: Statement, codes: list[Code]) -> None:
        node, target = statement.node, statement.target
        assert target is not None
        if target not in self.slots:
            super().update(statement, codes)
            return
        variable, slot = self.array(target), self.names.slot(self.slots[target])
        if node.op.accumulates:
            self.accumulate(replace(statement, target=None), codes)
            self.plain(f"{slot} = {self.expressions.code[node]}")
            self.plain(f"{variable} = {slot}")
            self.written.add(node)
        else:
            self.into_slot(statement, codes, self.slots[target], variable)
        self.expressions.code[node] = Code(variable)

    def stores(self) -> None:
        """Give the carries that wait for it their next values; those in stacks only move on."""
        super().stores()
        for target in self.program.stores:
            if target in self.slots:
                self.plain(f"{self.array(target)} = {self.names.slot(self.slots[target])}")

    def is_stored(self, target: str) -> bool:
        return target not in self.slots


def _names(outer: Body, loop: Loop) -> Names:
    """Return fresh variables for a loop."""
    namer = outer.expressions.namer
    inside = dict(loop.inside.graph.labels)
    inside |= {x: c.attrs["name"] for x, c in zip(loop.following, loop.carries, strict=True)}
    stacks = []
    for item, node in zip(loop.stacks, loop.emitted, strict=True):
        of_step = inside.get(node) or node.op.variable or node.op.name
        wanted = outer.expressions.labels.get(item) or f"{of_step.removesuffix('_next')}_steps"
        stacks.append(namer.fresh(wanted))
    names = [leaf.attrs["name"] for leaf in loop.carries]
    return Names(namer.fresh("t"), {name: namer.fresh(name) for name in names}, tuple(stacks))


def _inner_expressions(
    outer: Body, loop: Loop, operands: Sequence[str], names: Names
) -> Expressions:
    """Return the expressions of a body, whose inputs have the variables of the outside."""
    around = outer.expressions
    inner = Expressions(loop.inside, around.namer, around.notation, around.of)
    for leaf in loop.carries:
        inner.code[leaf] = Code(names.carries[leaf.attrs["name"]])
    first = len(loop.carries)
    after = first + len(loop.sequences)
    for leaf, code in zip(loop.sequences, operands[first:after], strict=True):
        inner.code[leaf] = Code(f"{code}[{names.step}]")
    for leaf, code in zip(loop.constants, operands[after:], strict=True):
        inner.code[leaf] = Code(code)
    return inner


def _head(outer: Body, loop: Loop, names: Names) -> str:
    steps = f"range({outer.expressions.notation.dim(loop.node.attrs['length'])})"
    steps = f"reversed({steps})" if loop.node.attrs["reverse"] else steps
    return f"for {names.step} in {steps}:"


def _bind_items(outer: Body, loop: Loop, names: Names) -> None:
    variables = [*names.carries.values(), *names.stacks]
    for item, variable in zip(loop.items, variables, strict=True):
        outer.expressions.code[item] = Code(variable)


def _is_plain(code: Code) -> bool:
    return code.text.isidentifier()
