"""Style `fast`: the same values in planned buffers; nothing is allocated that could be kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from graphc.emit.body import LONGEST_VIEW, Body
from graphc.emit.expressions import Expressions, in_place_operator
from graphc.emit.fast.blocks import write_run
from graphc.emit.fast.kept_numbers import KeptNumbers, is_short
from graphc.emit.fast.shared_updates import write_shared_update
from graphc.emit.lines.wrapping import INDENT, WIDTH
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import full
from graphc.plan.program import Buffer, Program, Statement
from graphc.plan.shared_updates import SharedUpdate

#: Numbers that take more characters get lines of their own, before arithmetic of arrays with them.
_LONGEST_NUMBER = 28
#: What each block's function calls its rows, who works, how many rows there are, and products.
_WORDS = ("rows", "worker", "size", "multiply")
#: Stands for the destination until its variable is known; no expression can contain it.
_OUT = "\0out"


class FastBody(Body):
    """Writes each statement as one call into its buffer.

    A buffer's variable is named after the first value that lives in it; a later value in the same
    memory is bound to its own name by the call that writes it (`h1 = np.maximum(z1, 0, out=z1)`).
    What is no more than a step towards a value has that value's name.
    """

    def __init__(self, program: Program, expressions: Expressions, indent: str = INDENT) -> None:
        super().__init__(program, expressions, indent)
        #: The variable of each buffer at the start of a call, and the one that names it now.
        self.first_names: dict[Buffer, str] = {}
        self.buffer_names: dict[Buffer, str] = {}
        #: What depends on nothing but the dims, and is kept: a variable, and how it is made.
        self.constants: dict[str, str] = {}
        #: The numbers among them.
        self.kept_numbers = KeptNumbers()
        #: What the functions of blocks call the rows of a block, who works, and so on.
        self.block_words: tuple[str, ...] = ()
        #: The variables of loops over parameters: what they stand for, and which of them it is.
        self.loop_words: dict[tuple[str, int], str] = {}
        #: Buffers whose variable shows them in another shape than they were made in.
        self.reshaped: set[Buffer] = set()
        #: Value -> the value that overwrites its memory in place.
        self.successors: dict[Node, Node] = {}
        #: What is no more than a step -> the value that it is a step towards.
        self.heirs: dict[Node, Node] = {}
        #: Views that a loop has bound in front of it, as they are written, and their variables.
        self.bound_views: dict[str, str] = {}
        #: Numbers that wait for the next line, which alone reads them.
        self.waiting: dict[Node, bool] = {}
        #: Value -> its block, and its phase, as what runs block by block may hold several.
        self.homes = {s.node: (s.block, s.node.provenance.phase) for s in program.statements}
        for statement in program.statements:
            buffer = program.place.get(statement.node)
            for operand in statement.operands:
                if buffer is not None and program.place.get(operand) is buffer:
                    self.successors[operand] = statement.node
            if isinstance(program.runs.get(statement.node), SharedUpdate):
                self.of_many.add(statement.node)
        self.successors |= self.sums_in_new_arrays()

    def words_of_blocks(self) -> tuple[str, ...]:
        """Return what the functions of blocks call rows, who works, how many, and products."""
        if not self.block_words:  # each function's own, so all may use the same
            fresh = self.expressions.namer.fresh
            self.block_words = tuple([fresh(word) for word in _WORDS])
        return self.block_words

    def sums_in_new_arrays(self) -> dict[Node, Node]:
        """Return the values in arrays of this call alone -> what is made of them by adding."""
        found: dict[Node, Node] = {}
        for base, readers in self.program.readers.items():
            node = readers[0].node
            is_next = len(readers) == 1 and node.op.accumulates and readers[0].operands[0] is base
            is_kept = base in self.kept or base in self.program.targets
            has_buffer = base in self.program.place or node in self.program.place
            if base.op.accumulates and is_next and not (is_kept or has_buffer):
                found[base] = node
        return found

    def write_one(self, statement: Statement) -> None:
        op, codes = statement.node.op, self.expressions.code
        read = [x for x in dict.fromkeys(statement.operands) if self.waiting.pop(x, None)]
        if not (op.is_leaf or op is full or op.is_view or self.waits(statement)):
            self.end_block()
        for x in sorted(read, key=lambda x: -len(codes[x].text)):
            if self.is_long(statement):
                self.bind([x])
        super().write_one(statement)

    def is_long(self, statement: Statement) -> bool:
        """Say whether the line of a statement is too long; beside arrays, numbers are short."""
        node, codes = statement.node, self.operands(statement)
        if node.shape:
            return max(len(code.text) for code in codes) > _LONGEST_NUMBER
        head = f"{self.indent}{self.expressions.wanted_name(node)} += "
        return len(head + node.op.numpy(node, codes, self.expressions.notation).text) > WIDTH

    def end_block(self) -> None:
        self.bind(self.waiting)
        self.waiting = {}

    def bind(self, waiting: Iterable[Node]) -> None:
        """Give variables to numbers that were to be written where they are read."""
        for node in waiting:
            code = self.expressions.code[node]
            self.emit(f"{self.expressions.name(node)} = {code}", node)

    def waits(self, statement: Statement) -> bool:
        """Say whether a value is a number that is written where arithmetic alone reads it."""
        node, readers = statement.node, self.program.readers.get(statement.node, [])
        is_named = node in self.expressions.labels or node in self.kept
        if node.shape or is_named or node in self.program.runs or len(readers) != 1:
            return False
        reader = readers[0].node
        is_arithmetic = isinstance(reader.op, Pointwise) and reader not in self.program.runs
        is_computed = bool(node.inputs) and not (node.op.is_random or node.op.accumulates)
        is_near = self.homes[reader][0] == statement.block
        return is_computed and is_arithmetic and is_near and not statement.target

    def write(self, statement: Statement) -> None:
        node = statement.node
        if node in self.program.runs:
            run = self.program.runs[node]
            if run.statements[0] is not statement:
                pass  # it has been written with the first
            elif isinstance(run, SharedUpdate):
                write_shared_update(self, run)
            else:
                write_run(self, run)
            return
        if not node.op.is_leaf:
            self.write_call(statement)

    def write_call(self, statement: Statement) -> None:
        """Write one statement that is no leaf."""
        node = statement.node
        codes = self.operands(statement)
        notation = self.expressions.notation
        if node in self.program.read_whole:
            self.constant(statement)
        elif node.op is full or self.is_arithmetic_on_numbers(statement):
            self.expressions.code[node] = node.op.numpy(node, codes, notation)
        elif not node.inputs and not node.op.is_random:
            self.constant(statement)
        elif node.op.is_view:
            self.view(statement, codes)
        elif statement.target is not None:
            self.update(statement, codes)
        elif node.op.accumulates:
            self.accumulate(statement, codes)
        else:
            self.compute(statement, codes)

    def operands(self, statement: Statement) -> list[Code]:
        """Return the operands' texts as the statement's op takes them."""
        node, codes = statement.node, self.expressions.operands(statement)
        if not self.keeps_numbers(node):
            return codes
        numbers = self.kept_numbers
        return numbers.put(node, statement.operands, codes, self.expressions, self.constants)

    def keeps_numbers(self, node: Node) -> bool:
        """Say whether the call that computes a value takes numbers as arrays of no axes."""
        is_written = node in self.program.place or node in self.program.targets
        return is_written and is_short(node)

    def is_arithmetic_on_numbers(self, statement: Statement) -> bool:
        """Say whether a value is written where it is read: arithmetic on numbers and dims."""
        node, numbers = statement.node, self.program.numbers
        if node in self.kept or node.shape or not node.op.broadcasts(node):
            return False
        return all(x in numbers for x in statement.operands)

    def constant(self, statement: Statement) -> None:
        """Keep an array that depends on nothing but the dims in the workspace."""
        node = statement.node
        if self.expressions.tabulate(node):
            return
        name = self.expressions.name(node)
        self.constants[name] = str(node.op.numpy(node, [], self.expressions.notation))

    def view(self, statement: Statement, codes: list[Code]) -> None:
        node = statement.node
        code = node.op.numpy(node, codes, self.expressions.notation)
        if node not in self.kept and code.text in self.bound_views:
            self.expressions.code[node] = Code(self.bound_views[code.text])
        elif len(code.text) > LONGEST_VIEW or node in self.expressions.labels:
            self.emit(f"{self.expressions.name(node)} = {code}", node)
        else:
            self.expressions.code[node] = code

    def compute(self, statement: Statement, codes: list[Code]) -> None:
        node, notation = statement.node, self.expressions.notation
        buffer = self.program.place.get(node)
        out = self.buffer_names.get(buffer) if buffer else None
        into = self.written_into(node, codes, out or _OUT) if buffer else None
        if buffer is None or into is None:
            code = node.op.numpy(node, codes, notation)
            is_number = node in self.program.numbers
            if not is_number and self.waits(statement):
                self.expressions.code[node] = code
                self.waiting[node] = True
                return
            text = f"np.{node.dtype.name}({code})" if is_number else code.text
            self.emit(f"{self.name(statement)} = {text}", node)
            return
        if out and not into.endswith(f"={out})") and self.is_nameless_change(statement):
            self.expressions.code[node] = Code(out)
        name = self.name(statement)
        line = into.replace(_OUT, name)
        if out is None:
            self.first_names[buffer] = name
        elif out != name and not line.endswith(f"={out})"):
            # The call does not return the array as it is: it writes through a view, or where its
            # operand is, which it knows by the variable that it has had so far.
            self.emit(line, node)
            self.plain(f"{name} = {out}")
            self.buffer_names[buffer] = name
            return
        elif out != name:
            line = f"{name} = {line}"
        else:
            line = _changed_in_place(node, codes, out) or line
        self.buffer_names[buffer] = name
        self.emit(line, node)

    def is_nameless_change(self, statement: Statement) -> bool:
        """Say whether a value without a name changes the array of an operand: that stays named."""
        node = statement.node
        is_changed = any(self.successors.get(x) is node for x in statement.operands)
        return is_changed and node not in self.expressions.labels

    def written_into(self, node: Node, codes: list[Code], out: str) -> str | None:
        """Return the statement that writes a value into an array; None: it makes a new one.

        What is overwritten in its place later has to be there, even where an op cannot write.
        """
        notation = self.expressions.notation
        into = node.op.numpy_into(node, codes, out, replace(notation, owns_out=True))
        if into is None and node in self.successors:
            return f"{out}[...] = {node.op.numpy(node, codes, notation)}"
        return into

    def name(self, statement: Statement) -> str:
        """Give a value its variable, which the steps towards it have had before."""
        node, codes = statement.node, self.expressions.code
        if node in codes:
            return codes[node].text
        heir = self.heir(node)
        shared = [x for x in statement.operands if self.successors.get(x) is node and x in codes]
        if heir not in codes:
            codes[node] = Code(self.expressions.name(heir))
        elif any(codes[x] == codes[heir] for x in shared):
            codes[node] = codes[heir]
        else:
            self.expressions.name(node)
        return codes[node].text

    def heir(self, node: Node) -> Node:
        """Return the value that this one is a step towards, or itself.

        A step has no name, and nobody but the next one in its memory reads it. Nothing is called
        after what a later block makes of it: there is no `d_z` before there is a gradient.
        """
        heir, home, steps = node, self.homes.get(node), []
        while heir not in self.heirs and heir not in self.expressions.labels:
            successor = self.successors.get(heir)
            if successor is None or self.homes.get(successor) != home:
                break
            if len(self.program.readers[heir]) > 1:
                break
            steps.append(heir)
            heir = successor
        heir = self.heirs.get(heir, heir)
        self.heirs.update(dict.fromkeys(steps, heir))  # each step is walked once
        return heir

    def accumulate(self, statement: Statement, codes: list[Code]) -> None:
        """Add into the base: in its own memory where it may be overwritten, else in a copy."""
        node, base = statement.node, statement.operands[0]
        buffer = self.program.place.get(node)
        if buffer is not None and self.program.place.get(base) is buffer:
            name = codes[0].text
            if node in self.expressions.labels and node not in self.expressions.code:
                name = self.expressions.name(node)
                self.plain(f"{name} = {codes[0]}")
            self.expressions.code[node] = Code(name)
        elif buffer is not None:
            out = self.buffer_names.get(buffer)
            name = self.name(statement)
            if out is not None and out != name:
                self.plain(f"{name} = {out}")
            elif out is None:
                self.first_names[buffer] = name
            self.buffer_names[buffer] = name
            self.emit(self.copied(base, name), node)
        elif self.successors.get(base) is node:
            name = codes[0].text
            self.expressions.code[node] = codes[0]
        else:
            name = self.name(statement)
            code = self.expressions.code[base]
            line = f"{name} = {code if base.op is full else f'np.array({code})'}"
            self.emit(line, self.heir(node))
        self.plain(str(node.op.numpy_into(node, codes, name, self.expressions.notation)))

    def copied(self, base: Node, name: str) -> str:
        """Return the statement that writes a value into an array of its shape."""
        if base.op is full:
            return f"{name}.fill({self.expressions.number(base)})"
        return f"{name}[...] = {self.expressions.code[base]}"

    def update(self, statement: Statement, codes: list[Code]) -> None:
        """Write a parameter's new value into its array."""
        node, target = statement.node, statement.target
        assert target is not None
        array = self.array(target)
        if node.op.accumulates:
            self.accumulate_update(statement, codes, array)
        else:
            self.plain(self.overwritten(statement, codes, array))
        self.expressions.code[node] = Code(array)

    def accumulate_update(self, statement: Statement, codes: list[Code], array: str) -> None:
        """Add into the parameter's array; in a copy of the base where the values read it too."""
        node, base = statement.node, statement.operands[0]
        if not self.shows(statement.operands[1:], statement):
            if codes[0].text != array:
                self.plain(self.copied(base, array))
            self.plain(str(node.op.numpy_into(node, codes, array, self.expressions.notation)))
            return
        self.accumulate(statement, codes)
        self.plain(f"{array}[...] = {self.expressions.code[node]}")

    def overwritten(self, statement: Statement, codes: list[Code], array: str) -> str:
        """Return the line that computes a value into the array of a parameter.

        An op may read the array that it writes where it `reuses` that operand. What else shows
        the parameter (a slice, its transpose) is read completely first.
        """
        node, target = statement.node, str(statement.target)
        notation = replace(self.expressions.notation, owns_out=self.owns(target))
        changed = _changed_in_place(node, codes, array)
        if changed:
            return changed
        reused = [statement.operands[i] for i in node.op.reuses(node)]
        others = [
            x
            for x, code in zip(statement.operands, codes, strict=True)
            if code.text != array or all(x is not other for other in reused)
        ]
        into = node.op.numpy_into(node, codes, array, notation)
        if into is not None and not self.shows(others, statement):
            return into
        return f"{array}[...] = {node.op.numpy(node, codes, notation)}"

    def owns(self, target: str) -> bool:
        """Say whether a parameter's array was made by this module, so it lies in one piece."""
        return False

    def shows(self, operands: Sequence[Node], statement: Statement) -> bool:
        """Say whether one of the operands is the memory of the parameter that is written."""
        param = self.program.graph.params[str(statement.target)]
        return any(self.program.base(x) is param for x in operands)


def _changed_in_place(node: Node, codes: Sequence[Code], array: str) -> str:
    """Return `array += other` where a call would write what it reads; nothing for other calls.

    An operator has less to look at than a call with a keyword: a sixth of a small one's time.
    """
    symbol = in_place_operator(node)
    if symbol and codes[0].text == array:
        return f"{array} {symbol} {codes[1]}"
    if symbol in ("+=", "*=") and codes[1].text == array:
        return f"{array} {symbol} {codes[0]}"
    return ""
