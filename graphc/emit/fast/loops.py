"""Loops in style `fast`: a step's places in all arrays are named by the `for` that makes them.

`for x_t, h_t in zip(x, h_steps)` takes the slices of a step in half the time of `x[t]`. What does
not change from step to step is made before the loop: views of arrays that stay where they are, and
numbers as arrays of no axes, which NumPy takes more quickly than Python's.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace

from graphc.emit.expressions import Expressions, comment, with_comment
from graphc.emit.fast.statements import FastBody
from graphc.emit.leaf_names import slice_name
from graphc.emit.lines.sources import Line
from graphc.emit.lines.wrapping import INDENT, WIDTH
from graphc.emit.loops import (
    Names,
    Steps,
    bind_inputs,
    body_expressions,
    end_loop,
    is_plain,
    loop_names,
)
from graphc.ir.code import Code
from graphc.ir.dims import same_shape
from graphc.ir.node import Node
from graphc.ops.batching import batched_at_once
from graphc.ops.leaf import full
from graphc.ops.loop import by_kind
from graphc.ops.movement.reshaping import reshape_words
from graphc.ops.movement.slicing import Slice, index_words
from graphc.plan.loops import Loop
from graphc.plan.program import Statement

_WORD = re.compile(r"\w+")


@dataclass
class Rows:
    """What a loop goes through side by side: a variable for each slice, and the arrays."""

    length: str
    is_reversed: bool
    variables: list[str] = field(default_factory=list)
    arrays: list[str] = field(default_factory=list)
    #: The variable of the step's number, where one is needed.
    step: str | None = None

    def add(self, variable: str, array: str) -> None:
        self.variables.append(variable)
        self.arrays.append(f"{array}[::-1]" if self.is_reversed else array)

    def keep(self, names: Container[str]) -> None:
        """Drop the arrays whose slices have none of these names."""
        pairs = zip(self.variables, self.arrays, strict=True)
        kept = [(variable, array) for variable, array in pairs if variable in names]
        self.variables, self.arrays = [v for v, _ in kept], [a for _, a in kept]

    def head(self, indent: str) -> list[str]:
        """Return the lines of the `for`."""
        steps = f"range({self.length})"
        variables, arrays = list(self.variables), list(self.arrays)
        if self.step or not variables:
            variables.insert(0, self.step or "_")
            arrays.insert(0, f"reversed({steps})" if self.is_reversed and self.step else steps)
        if len(variables) == 1:
            return [f"{indent}for {variables[0]} in {arrays[0]}:"]
        line = f"for {', '.join(variables)} in zip"
        if len(indent) + len(line) < WIDTH - len("("):
            return [f"{indent}{line}({', '.join(arrays)}):"]
        targets, sources = (
            [f"{indent}    {word}," for word in each] for each in (variables, arrays)
        )
        return [f"{indent}for (", *targets, f"{indent}) in zip(", *sources, f"{indent}):"]


class Fast(FastBody):
    """A function body in style `fast`, with its loops."""

    def write_loop(self, statement: Statement) -> None:
        loop = self.program.loops[statement.node]
        operands = [self._variable(x) for x in statement.operands]
        inner = body_expressions(self, loop, operands)
        names = loop_names(self, loop, inner)
        for j in loop.in_order:
            item, stack = loop.stacks[j], names.stacks[j]
            self.take_buffer(item, stack)
        for i, variable in enumerate(names.carries.values()):
            self._start(loop, i, variable, operands[i])
        steps = FastSteps(self, loop, operands, names, inner)
        written = steps.write_steps()
        self.lines += steps.lines_before(written) + written
        if not self.before:  # not under a condition
            self.bound_views |= {code: name for name, code in steps.views_before.items()}
        self.first_names |= steps.first_names
        self.constants |= steps.constants
        end_loop(self, loop, names)

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
                self.plain(f"{variable}[...] = {operand}")

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
            words = reshape_words(item.shape, self.expressions.notation)
            self.plain(f"{name} = {before}.reshape({words})")
            self.reshaped.add(buffer)
        else:
            self.plain(f"{name} = {before}")
        self.buffer_names[buffer] = name

    def _variable(self, node: Node) -> str:
        code = self.expressions.code[node]
        if node.op is full and not node.shape:
            return self.expressions.typed(node).text
        if node.op is not full and not is_plain(code):
            self.emit(f"{self.expressions.name(node)} = {code}", node)
        return self.expressions.code[node].text


class FastSteps(Steps, Fast):
    """The body of a loop in kept buffers; a carry that is emitted lives in its stack."""

    def __init__(
        self,
        outer: Fast,
        loop: Loop,
        operands: Sequence[str],
        names: Names,
        expressions: Expressions,
    ) -> None:
        self.loop, self.names = loop, names
        expressions.notation = replace(expressions.notation, keeps_views=True)
        bind_inputs(expressions, loop, operands, names)
        super().__init__(loop.inside, expressions, outer.indent + INDENT)
        self.readers = loop.inside.readers
        self.kept_numbers = outer.kept_numbers
        self.kept_carries = {
            leaf.attrs["name"]
            for leaf, item in zip(loop.carries, loop.items, strict=False)
            if item in outer.program.place
        }
        #: Carry -> its stack, for the carries that live there.
        self.slots = {loop.carries[i].attrs["name"]: j for i, j in loop.slots.items()}
        #: Values that were computed straight into the first of their stacks.
        self.written: set[Node] = set()
        #: What is bound in front of the loop: a variable, and the lines that make it.
        self.in_front: list[tuple[str, list[str]]] = []
        #: The variables among it, and what they show.
        self.views_before: dict[str, str] = {}
        length = expressions.notation.dim(loop.node.attrs["length"])
        self.rows = Rows(length, loop.node.attrs["reverse"])
        #: Value -> the array of all steps' values: as a node, and its variable.
        self.stacked: dict[Node, tuple[Node, str]] = {}
        #: Value -> the variable of its memory, where that is the same at each step.
        self.still = {
            leaf: names.carries[leaf.attrs["name"]]
            for leaf in loop.carries
            if leaf.shape and leaf.attrs["name"] not in self.slots
        }
        self.still |= {x: expressions.code[x].text for x in loop.constants if x.shape}
        self._name_slices(operands)

    def _name_slices(self, operands: Sequence[str]) -> None:
        """Give variables to the slices of the sequences that are read, and of the stacks."""
        loop, fresh = self.loop, self.expressions.namer.fresh
        read = {*self.readers, *loop.emitted, *map(self.program.base, loop.following)}
        arrays = by_kind(loop.node.attrs, operands).sequences
        nodes = by_kind(loop.node.attrs, loop.node.inputs).sequences
        for leaf, array, node in zip(loop.sequences, arrays, nodes, strict=True):
            if leaf in read:
                variable = fresh(slice_name(leaf, array))
                self.rows.add(variable, array)
                self.expressions.code[leaf] = Code(variable)
                self.stacked[leaf] = (node, array)
        carried = dict(zip(loop.following, self.names.carries.values(), strict=True))
        #: Stack -> the variable of a step's place in it; a slice of no axes is no array.
        self.places: dict[int, str] = {}
        for j in loop.in_order:
            node = loop.emitted[j]
            of_carry = f"{carried[node]}_t" if node in carried else None
            if loop.stacks[j].ndim > 1:
                self.places[j] = fresh(of_carry or self.expressions.wanted_name(node))
                self.rows.add(self.places[j], self.names.stacks[j])

    def slot(self, stack: int) -> str:
        """Return the place of this step in a stack."""
        if stack not in self.places:
            self.rows.step = self.names.step
            return self.names.slot(stack)
        return self.places[stack]

    def compute(self, statement: Statement, codes: list[Code]) -> None:
        node = statement.node
        stacks = self.stacks_of(node)
        if not stacks:
            super().compute(statement, codes)
            return
        self.into_slot(statement, codes, stacks[0])
        name = self.slot(stacks[0])
        if not node.shape and node in self.readers:
            self.plain(f"{self.expressions.name(node)} = {name}")
        else:
            self.expressions.code[node] = Code(name)

    def into_slot(
        self, statement: Statement, codes: list[Code], stack: int, name: str = ""
    ) -> None:
        """Compute a value into its place in a stack; a `name` is bound to that place."""
        node, slot = statement.node, self.slot(stack)
        notation = replace(self.expressions.notation, owns_out=True)
        into = node.op.numpy_into(node, codes, slot, notation) if node.shape else None
        if into is not None and into.endswith(f"={slot})"):
            self.emit(f"{name} = {into}" if name else into, node)
        else:
            at = f"{slot}[...]" if node.shape else slot
            self.emit(into or f"{at} = {node.op.numpy(node, codes, notation)}", node)
            if name:
                self.plain(f"{name} = {slot}")
        if self.loop.stacks[stack].ndim > 1:
            self.stacked[node] = (self.loop.stacks[stack], self.names.stacks[stack])
        self.written.add(node)

    def store_emitted(self, node: Node) -> None:
        for j in self.stacks_of(node):
            if node in self.written and j == self.stacks_of(node)[0]:
                continue
            self.current = node
            at = f"{self.slot(j)}[...]" if node.shape else self.slot(j)
            self.plain(f"{at} = {self.expressions.code[node]}")

    def update(self, statement: Statement, codes: list[Code]) -> None:
        node, target = statement.node, statement.target
        assert target is not None
        if target not in self.slots:
            super().update(statement, codes)
            return
        variable, stack = self.array(target), self.slots[target]
        if node.op.accumulates:
            self.accumulate(replace(statement, target=None), codes)
            slot = self.slot(stack)
            at = f"{slot}[...]" if node.shape else slot
            self.plain(f"{at} = {self.expressions.code[node]}")
            self.plain(f"{variable} = {slot}")
            self.written.add(node)
        else:
            self.into_slot(statement, codes, stack, variable)
        self.expressions.code[node] = Code(variable)

    def owns(self, target: str) -> bool:
        """Say whether a carry's array was made by this module and lies in one piece."""
        return target in self.kept_carries

    def keeps_numbers(self, node: Node) -> bool:
        """Say whether a step's numbers are kept: all of them, as a step is run many times."""
        return bool(node.shape)

    def view(self, statement: Statement, codes: list[Code]) -> None:
        """Bind a view once: of all steps' values, or of memory that is the same at each step."""
        node, source = statement.node, statement.operands[0]
        memory = self._memory(source)
        if source in self.stacked and self._view_of_all_steps(node, source):
            return
        if memory is not None and not node.op.may_copy:
            code = node.op.numpy(node, [Code(memory)], self.expressions.notation)
            name = self._bound_before(node, node, self.expressions.wanted_name(node), code)
            self.still[node], self.expressions.code[node] = name, Code(name)
            return
        if memory is not None and source in self.program.place:
            # In one piece, so another shape is a view too; what turns it is bound before the loop.
            self.still[node] = str(node.op.numpy(node, [Code(memory)], self.expressions.notation))
        super().view(statement, codes)

    def _view_of_all_steps(self, node: Node, source: Node) -> bool:
        """Bind a view of all steps' values, of which each step has its slice, if that is one."""
        if not node.shape and not self.program.base(source).op.is_leaf:
            return False  # a row that is a number is a copy, taken before this step writes it
        if len(node.inputs) > 1:
            return False  # a barrier, of which nothing shows: it is called as what it passes on
        stack, array = self.stacked[source]
        notation = self.expressions.notation
        whole = batched_at_once(node, [stack], self.loop.node.attrs["length"])
        assert whole is not None
        index = None
        if isinstance(stack.op, Slice) and not source.op.is_leaf:  # a sequence may be a slice too
            index = index_words(stack, whole.shape, notation)
        before = self.stacked.get(source.inputs[0]) if index is not None else None
        if before is not None:
            code = Code(f"{before[1]}[{index}]")
        elif not whole.op.may_copy and whole.inputs[0] is stack:
            code = whole.op.numpy(whole, [Code(array)], notation)
        else:
            return False
        variable = self.expressions.name(node)
        shown = self._bound_before(node, whole, f"{variable}_steps", code)
        self.rows.add(variable, shown)
        self.stacked[node] = (whole, shown)
        return True

    def _bound_before(self, node: Node, shown: Node, wanted: str, code: Code) -> str:
        """Bind a view before the loop and return its variable."""
        name = self.expressions.namer.fresh(wanted)
        self.views_before[name] = code.text
        remark = comment(self.expressions, shown)
        lines = with_comment(f"{name} = {code}", remark, self.indent.removesuffix(INDENT))
        self.in_front.append((name, [Line(line, node) for line in lines]))
        return name

    def _memory(self, node: Node) -> str | None:
        """Return the variable that shows a value's memory before the first step too."""
        buffer = self.program.place.get(node)
        if buffer is None:
            return self.still.get(node)
        # Some values are made afresh at each step, although there is a place for them.
        is_there = self.buffer_names.get(buffer) == self.expressions.code[node].text
        is_alike = buffer not in self.reshaped and same_shape(buffer.type.shape, node.shape)
        return self.first_names.get(buffer) if is_there and is_alike else None

    def lines_before(self, written: Sequence[str]) -> list[str]:
        """Return the lines in front of the loop and its head, without what nobody reads."""
        read = set(_WORD.findall("\n".join(written)))
        self.rows.keep(read)
        read.update(_WORD.findall("\n".join(self.rows.arrays)))
        lines: list[str] = []
        for name, bound in reversed(self.in_front):
            if name in read:
                read.update(_WORD.findall("\n".join(bound)))
                lines = bound + lines
            else:
                self.views_before.pop(name, None)
        head = self.rows.head(self.indent.removesuffix(INDENT))
        return [*lines, *[Line(line, self.loop.node) for line in head]]

    def stores(self) -> None:
        """Give the carries that wait for it their next values; those in stacks only move on."""
        super().stores()
        for target in self.program.stores:
            if target in self.slots:
                self.plain(f"{self.array(target)} = {self.slot(self.slots[target])}")

    def is_stored(self, target: str) -> bool:
        return target not in self.slots
