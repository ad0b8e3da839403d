"""Style `fast`: the same values in planned buffers; nothing is allocated that could be kept."""

from __future__ import annotations

from graphc.emit.expressions import Expressions, comment, in_place_operator, with_comment
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.ops.leaf import full
from graphc.plan.implicit import is_weak
from graphc.plan.program import Buffer, Program, Statement

_INDENT = "    "
#: Stands for the destination until its variable is known; no expression can contain it.
_OUT = "\0out"


class FastBody:
    """Writes each statement as one call into its buffer.

    A buffer's variable is named after the first value that lives in it; a later value in the same
    memory is bound to its own name by the call that writes it (`h1 = np.maximum(z1, 0, out=z1)`).
    """

    def __init__(self, program: Program, expressions: Expressions) -> None:
        self.program = program
        self.expressions = expressions
        self.lines: list[str] = []
        #: The variable of each buffer at the start of a call, and the one that names it now.
        self.first_names: dict[Buffer, str] = {}
        self.buffer_names: dict[Buffer, str] = {}
        self.constants: dict[str, Node] = {}
        self.kept = set(program.graph.roots())
        #: Value -> the value that overwrites its memory in place.
        self.successors: dict[Node, Node] = {}
        for statement in program.statements:
            buffer = program.place.get(statement.node)
            for operand in statement.operands:
                if buffer is not None and program.place.get(operand) is buffer:
                    self.successors[operand] = statement.node

    def write(self, statement: Statement) -> None:
        node = statement.node
        if node.op.is_leaf:
            return
        codes = self.expressions.operands(statement)
        notation = self.expressions.notation
        if node.op is full or (is_weak(node) and node not in self.kept):
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

    def emit(self, code: str, node: Node) -> None:
        self.lines += with_comment(code, comment(self.expressions, node), _INDENT)

    def constant(self, statement: Statement) -> None:
        """Keep an array that depends on nothing but the dims in the workspace."""
        node = statement.node
        name = self.expressions.name(node)
        self.constants[name] = node

    def view(self, statement: Statement, codes: list[Code]) -> None:
        node = statement.node
        code = node.op.numpy(node, codes, self.expressions.notation)
        if len(code.text) > 40 or node in self.expressions.labels:
            self.emit(f"{self.expressions.name(node)} = {code}", node)
        else:
            self.expressions.code[node] = code

    def compute(self, statement: Statement, codes: list[Code]) -> None:
        node, notation = statement.node, self.expressions.notation
        buffer = self.program.place.get(node)
        into = node.op.numpy_into(node, codes, _OUT, notation) if buffer else None
        if buffer is None or into is None:
            code = node.op.numpy(node, codes, notation)
            text = f"np.{node.dtype.name}({code})" if is_weak(node) else code.text
            self.emit(f"{self.name(statement)} = {text}", node)
            return
        out = self.buffer_names.get(buffer)
        name = self.name(statement)
        line = into.replace(_OUT, out or name)
        if out is None:
            self.first_names[buffer] = name
        elif out != name and line.startswith(f"{out}["):
            self.lines.append(f"{_INDENT}{name} = {out}")
            line = into.replace(_OUT, name)
        elif out != name:
            line = f"{name} = {line}"
        self.buffer_names[buffer] = name
        self.emit(line, node)

    def name(self, statement: Statement) -> str:
        """Give a value its variable.

        An unnamed value that overwrites an operand keeps the operand's variable; one that will be
        overwritten by a named value is called by that name from the start.
        """
        node = statement.node
        if node in self.expressions.code:
            return self.expressions.code[node].text
        if node not in self.expressions.labels:
            buffer = self.program.place.get(node)
            for operand in statement.operands:
                if buffer is not None and self.program.place.get(operand) is buffer:
                    self.expressions.code[node] = self.expressions.code[operand]
                    return self.expressions.code[node].text
        heir = self.heir(node)
        if heir in self.expressions.code:
            return self.expressions.name(node)
        name = self.expressions.name(heir)
        self.expressions.code[node] = Code(name)
        return name

    def heir(self, node: Node) -> Node:
        """Return the named value that takes over this unnamed value's memory, or itself."""
        heir = node
        while heir not in self.expressions.labels and heir in self.successors:
            heir = self.successors[heir]
        return heir

    def accumulate(self, statement: Statement, codes: list[Code]) -> None:
        """Add into the base: in its own memory where it may be overwritten, else in a copy."""
        node, base = statement.node, statement.operands[0]
        buffer = self.program.place.get(node)
        if buffer is not None and self.program.place.get(base) is buffer:
            name = codes[0].text
            if node in self.expressions.labels and node not in self.expressions.code:
                name = self.expressions.name(node)
                self.lines.append(f"{_INDENT}{name} = {codes[0]}")
            self.expressions.code[node] = Code(name)
        elif buffer is not None:
            out = self.buffer_names.get(buffer)
            name = self.name(statement)
            if out is not None and out != name:
                self.lines.append(f"{_INDENT}{name} = {out}")
            elif out is None:
                self.first_names[buffer] = name
            self.buffer_names[buffer] = name
            if base.op is full:
                self.emit(f"{name}.fill({self.expressions.number(base)})", node)
            else:
                self.emit(f"np.copyto({name}, {codes[0]})", node)
        else:
            name = self.name(statement)
            self.emit(f"{name} = np.array({codes[0]})", node)
        line = node.op.numpy_into(node, codes, name, self.expressions.notation)
        self.lines.append(f"{_INDENT}{line}")

    def update(self, statement: Statement, codes: list[Code]) -> None:
        node, target = statement.node, statement.target
        assert target is not None
        param = self.program.graph.params[target]
        array = self.expressions.code[param].text
        symbol = in_place_operator(node)
        notation = self.expressions.notation
        into = None if node.op.accumulates else node.op.numpy_into(node, codes, array, notation)
        if symbol and statement.operands[0] is param:
            self.lines.append(f"{_INDENT}{array} {symbol} {codes[1]}")
        elif node.op.accumulates:
            if statement.operands[0] is not param:
                self.lines.append(f"{_INDENT}np.copyto({array}, {codes[0]})")
            line = node.op.numpy_into(node, codes, array, notation)
            self.lines.append(f"{_INDENT}{line}")
        elif into is not None and all(x is not param for x in statement.operands):
            self.lines.append(f"{_INDENT}{into}")
        else:
            code = node.op.numpy(node, codes, notation)
            self.lines.append(f"{_INDENT}{array}[...] = {code}")
        self.expressions.code[node] = Code(array)

    def stores(self) -> None:
        copies = []
        for target, node in self.program.stores.items():
            value = self.expressions.code[node].text
            if (node.op.is_leaf or node.op.is_view) and len(self.program.stores) > 1:
                name = self.expressions.namer.fresh(f"{target}_next")
                self.lines.append(f"{_INDENT}{name} = np.array({value})")
                value = name
            copies.append((self.expressions.code[self.program.graph.params[target]].text, value))
        self.lines += [f"{_INDENT}{array}[...] = {value}" for array, value in copies]


def write_fast(program: Program, expressions: Expressions, after_backward: list[str]) -> FastBody:
    """Return the function body as calls into buffers, and the buffers it needs."""
    body = FastBody(program, expressions)
    blocks = list(dict.fromkeys(s.block for s in program.statements))
    current, waiting = None, list(after_backward)
    for statement in program.statements:
        if statement.block != current:
            if current is not None and statement.block == "update":
                body.lines += waiting
                waiting = []
            current = statement.block
            if len(blocks) > 1:
                body.lines += ["", f"{_INDENT}# {current}"]
        body.write(statement)
    body.lines += waiting
    body.stores()
    return body
