"""Nodes as expressions: names for values that have a variable, inlined text for the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from graphc.emit.joined_names import argument_name, joined_name
from graphc.emit.leaf_names import is_named_by_op, is_output_named_by_op
from graphc.emit.lines.names import Namer, one_line
from graphc.emit.lines.tables import is_table, table
from graphc.emit.lines.wrapping import WIDTH, steps
from graphc.ir.code import Code, Notation
from graphc.ir.dims import shape_text
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD
from graphc.ops.leaf import constant, full
from graphc.ops.loop import Item
from graphc.plan.program import ON_DEMAND, Program, Statement

#: What gradients are called: `d_W`, and `change_of_W` where the step is in them already.
_GRADIENT = re.compile(r"(?:d|change_of)_(.+)", re.DOTALL)

#: A formula that is one function of one value: `relu(h)`.
_CALL = re.compile(r"(\w+)\((\w+)\)")

#: The comment of a number without a meaning.
_OF_A_NUMBER = "# []"
#: Ops that only give their operand's elements another order.
_ORDER = frozenset({"pack", "reshape", "transpose"})


class Expressions:
    """The text of each node of one program, and the names of its variables."""

    def __init__(
        self, program: Program, namer: Namer, notation: Notation, of: str | None = None
    ) -> None:
        self.program = program
        #: The output whose gradient the backward block computes.
        self.of = of
        self.namer = namer
        self.notation = notation
        # Only a caller may ask for some gradients: no output leads to them, so no label is theirs.
        self.gradients = {
            x: f"d_{name}" for name, x in program.observed.items() if not x.op.is_leaf
        }
        asked = (s.node for s in program.statements if s.block == ON_DEMAND)
        before = {node: node.name for node in asked if node.name and not node.op.is_leaf}
        # A value that the model computes is not called after the derivative that it happens to be.
        labels = {
            node: label
            for node, label in program.graph.labels.items()
            if node not in program.model or not label.startswith(f"d_{of}_d_")
        }
        self.labels = {**before, **self.gradients, **labels}
        self._call_gradients_first()
        #: In a loop's body, what each step adds to a carry: a `d_W_2` to the `d_W` of all steps.
        self.parts: set[Node] = set()
        #: In a loop's body, the next values of carries, which have their variables in the end.
        self.carried: dict[Node, str] = {}
        #: Names inside of loops that nobody gave -> what they are called instead.
        self.renamed: dict[str, str] = {}
        self.code: dict[Node, Code] = {}
        #: Node -> where its value is put that has no variable: an entry of a dict.
        self.places: dict[Node, str] = {}
        #: Constants of the module: a name, and the statement that makes it.
        self.tables: dict[str, list[str]] = {}
        #: The rows of a table -> its name: bodies of loops have constants of their own.
        self.known_tables: dict[tuple[str, ...], str] = {}
        #: The names of all layers.
        self.layers = {node.provenance.layer for node in program.graph.nodes}
        #: What each value is about: its layer, or the named value that it is computed from first.
        self.stems: dict[Node, str] = {}
        #: Adjoints of what a named value is a function of -> what each is called: `d_h_pre`.
        self.arguments: dict[Node, str] = {}
        self._find_stems()

    def _call_gradients_first(self) -> None:
        """Leave the name of a gradient to what is one, not to its elements in another order."""
        holders = {label: node for node, label in self.labels.items()}
        shown = {*self.program.graph.roots(), *self.program.graph.inputs.values()}
        for node, label in self.gradients.items():
            holder = holders.get(label, node)
            is_second = self.labels[node].startswith(f"{label}_") and node not in shown
            if is_second and holder.size == node.size and holder not in {*shown, *self.gradients}:
                del self.labels[holder]
                self.labels[node] = label

    def _find_stems(self) -> None:
        for node in self.program.graph.nodes:
            shown = self.labels.get(node.inputs[0]) if node.op.is_view else None
            own = [
                self.labels.get(node),
                self.carried.get(node),
                shown,
                self.layer(node),
                self._stem_of_steps(node),
            ]
            of_inputs = [self.stems[x] for x in node.inputs]
            if node.provenance.phase == BACKWARD:  # a cotangent passes through, not a mask
                of_inputs.sort(key=lambda stem: not stem.startswith("d_"))
            self.stems[node] = next(filter(None, [*own, *of_inputs]), "")
        self.arguments = {node: name for node in self.stems if (name := self._argument(node))}

    def _argument(self, node: Node) -> str:
        """Return `d_h_pre`, what the adjoint is called of what h is a function of, or nothing.

        What a loop multiplies by to get it is a slope.
        """
        of = self.rename(node.provenance.argument_of)
        if not of or node.provenance.is_of_argument:
            return of and f"d_{of}_pre"
        users = self.program.graph.consumers[node]
        return f"{of}_slope" if users and all(x in self.program.loops for x in users) else ""

    def _stem_of_steps(self, node: Node) -> str:
        """Return what a loop's result is about: as its steps call it, not what the loop reads."""
        if not isinstance(node.op, Item):
            return ""
        loop = self.program.loops[node.inputs[0]]
        found = (*loop.following, *loop.emitted)[node.attrs["index"]]
        while found.name is None and found.inputs:
            found = found.inputs[0]
        if found.inputs or not found.op.is_leaf:
            return found.name or ""
        return "" if is_named_by_op(found) else str(found.attrs["name"])

    def of_body(
        self,
        program: Program,
        about: Mapping[Node, str],
        constants: Sequence[Node],
        carried: Mapping[Node, str],
    ) -> Expressions:
        """Return the expressions of a loop's body; `about` says what some of its inputs are.

        What a derivative names after a constant is then named after what that is.
        """
        inner = Expressions(program, self.namer, self.notation, self.of)
        updates = [(x, program.graph.params[name]) for name, x in program.graph.updates.items()]
        inner.parts = {
            part
            for total, carry in updates
            for part in total.inputs[1:]
            if total.inputs[0] is carry and part.name == carry.attrs["name"]
        }
        inner.tables, inner.renamed = self.tables, self.renamed
        inner.known_tables = self.known_tables
        for leaf in constants:
            wanted = about.get(leaf)
            if wanted and self.renamed.setdefault(leaf.attrs["name"], wanted) != wanted:
                self.renamed[leaf.attrs["name"]] = ""  # that could be one or the other
        inner.labels = {
            node: about.get(node) or self._renamed_label(node, label)
            for node, label in inner.labels.items()
            if node.op.is_leaf or not is_output_named_by_op(node, label)
        }
        inner.carried = {x: name for x, name in carried.items() if not x.op.is_leaf}
        inner._find_stems()
        return inner

    def _renamed_label(self, node: Node, label: str) -> str:
        renamed = self.rename(node.name or label)
        return label if renamed == node.name else renamed

    def is_called_by_user(self, node: Node) -> bool:
        """Say whether a value has a name, or the one that it is a gradient of, but no layer's."""
        label = self.labels.get(node)
        return label is not None and label.removeprefix("d_") not in self.layers

    def rename(self, name: str) -> str:
        """Return a name with that of an op in it replaced: `d_item` -> `d_hs`."""
        match = _GRADIENT.fullmatch(name)
        stem = match.group(1) if match else name
        return name.removesuffix(stem) + (self.renamed.get(stem) or stem)

    def name(self, node: Node, wanted: str | None = None) -> str:
        """Give the node a variable and return its name."""
        name = self.places.get(node) or self.namer.fresh(wanted or self.wanted_name(node))
        self.code[node] = Code(name)
        return name

    def wanted_name(self, node: Node) -> str:
        """Return the user's name, or one that says what the value is: `z2_max`."""
        label = self.places.get(node) or self.labels.get(node)
        if label:
            is_numbered = node.name is not None and label.startswith(f"{node.name}_")
            is_taken = is_numbered and not self.namer.is_free(label)
            return str(node.name) if is_taken else label  # counted on: d_h_3, not d_h_2_2
        if node in self.arguments:
            return self.arguments[node]
        if self._is_read_by_steps(node):
            return f"{self.code[node.inputs[0]]}_steps"
        named = {**self.carried, **self.labels}
        made = argument_name(node, named, self.program.graph.consumers) or joined_name(node, named)
        if made and made not in self.labels.values():
            return made
        kind, stem = node.op.called(node), self.stems.get(node, "")
        if node.op is full:  # zeros that a derivative begins with are not one themselves
            stem = stem.removeprefix("d_")
        if not stem and not node.shape and node.inputs:  # made of numbers and sizes
            return "scale"
        return f"{stem}_{kind}" if stem else kind

    def _is_read_by_steps(self, node: Node) -> bool:
        """Say whether a node only shows a variable as loops go through it."""
        users = self.program.graph.consumers.get(node, ())
        if not (node.op.is_view and users and all(x in self.program.loops for x in users)):
            return False
        shown = self.code.get(node.inputs[0])
        return shown is not None and shown.text.isidentifier()

    def tabulate(self, node: Node) -> bool:
        """Make a constant of the module of a long array of numbers; say whether it is one."""
        code = node.op.numpy(node, [], self.notation) if node.op is constant else None
        if code is None or not is_table(code):
            return False
        rows = tuple(table("", node.attrs["value"].array, self.notation))
        if rows in self.known_tables and node not in self.labels:
            self.code[node] = Code(self.known_tables[rows])
            return True
        name = self.known_tables[rows] = self.name(node, self.wanted_name(node).upper())
        self.tables[name] = [f"{name}{rows[0]}", *rows[1:]]
        return True

    @staticmethod
    def layer(node: Node) -> str:
        """Return the layer (the innermost scope) that a value belongs to, or its gradient does.

        A gradient in another order of its elements is still that of the same layer.
        """
        while node.op.name in _ORDER and _is_of_layer(node) and _is_of_layer(node.inputs[0]):
            node = node.inputs[0]
        layer = node.provenance.scope.rpartition("/")[2]
        return f"d_{layer}" if _is_of_layer(node) else layer

    def operands(self, statement: Statement) -> list[Code]:
        """Return the operands' texts as the statement's op takes them."""
        node, operands = statement.node, statement.operands
        numbers = self.program.numbers
        takes_numbers = node.op.broadcasts(node) and any(x not in numbers for x in operands)
        # Of `where(mask, 0, 0.125)` the mask is an array, but says nothing about the dtype.
        is_typed = any(x not in numbers and x.dtype == operands[-1].dtype for x in operands)
        result = []
        for position, operand in enumerate(operands):
            is_added = node.op.accumulates and position == 1
            if operand not in numbers:
                result.append(self.code[operand])
            elif takes_numbers and not is_typed:
                result.append(self.typed(operand))
            elif is_added or takes_numbers or node in numbers or self.is_led(node, position):
                result.append(self.number(operand))
            elif operand.op is full:
                result.append(self.code[operand])
            else:
                result.append(self.typed(operand))
        return result

    @staticmethod
    def is_led(node: Node, position: int) -> bool:
        """Say whether an operator takes its dtype from a later operand: `1 / np.float32(N)`."""
        return node.op.infix is not None and position < len(node.inputs) - 1

    def typed(self, operand: Node) -> Code:
        """Return a number as a NumPy scalar of its dtype."""
        kind = "bool_" if operand.dtype.kind == "b" else operand.dtype.name
        return Code(f"np.{kind}({self.number(operand)})")

    def number(self, operand: Node) -> Code:
        if operand.op is full:
            return full.scalar(operand, self.notation)
        return self.code[operand]

    def expression(self, statement: Statement) -> Code:
        """Return the NumPy expression of a statement's node."""
        return statement.node.op.numpy(statement.node, self.operands(statement), self.notation)


def _is_of_layer(node: Node) -> bool:
    """Say whether a value belongs to the backward pass of a layer."""
    return node.provenance.phase == BACKWARD and bool(node.provenance.scope)


def in_place_operator(node: Node) -> str | None:
    """Return `-=` for a difference, and so on: the operator that changes its left operand."""
    symbol = node.op.infix
    return f"{symbol}=" if symbol in ("+", "-", "*", "/") else None


def comment(expressions: Expressions, node: Node, shown: str = "") -> str:
    """Return the comment of a line: the value's shape, then what it is in mathematics."""
    meaning = meaning_of(expressions, node)
    if meaning and meaning == shown:
        meaning = ""
    return "  ".join(part for part in (f"# {shape_text(node.shape)}", one_line(meaning)) if part)


def meaning_of(expressions: Expressions, node: Node) -> str:
    """Return the formula that a reader would want beside the code."""
    note = node.provenance.origin.note
    if note.startswith("adjoint of ") and node in expressions.program.model:
        return ""  # a derivative in the model itself is not one of its output
    if note.startswith("adjoint of "):
        # What is on the way to an adjoint has no name of its own, or one that tells of itself.
        named = _GRADIENT.match(
            expressions.rename(node.name or expressions.gradients.get(node, ""))
        )
        if not (named and expressions.of):
            return ""
        if named.group(1).startswith("d_") and _is_numbered(expressions, node):
            return ""  # of several derivatives of one name it is not said which
        formula = f"d{expressions.of}/d{named.group(1)}"
        return f"this step's {formula}" if node in expressions.parts else formula
    if not note or note.startswith("tangent of ") or "\n" in note or len(note) >= 60:
        return ""
    users = expressions.program.graph.consumers[node]
    name = expressions.code[node].text if node in expressions.code else ""
    if name.isidentifier() and re.search(rf"\b{name}\b", note):
        return ""  # of stop_gradient(h), the h that is called so tells nothing
    call = _CALL.fullmatch(note)
    if call and name == f"{call.group(2)}_{call.group(1)}":
        return ""  # nor does relu(h) of the h_relu
    # A step on the way to softplus(z) is no softplus(z) yet.
    is_step = "(" in note and any(user.provenance.origin.note == note for user in users)
    return "" if is_step else note


def _is_numbered(expressions: Expressions, node: Node) -> bool:
    """Say whether a variable has a number behind its name, which another one has already."""
    return node in expressions.code and expressions.code[node].text != node.name


def with_comment(code: str, remark: str, indent: str) -> list[str]:
    """Return code with its comment beside it, or above it where the line would be too long.

    That a value is a single number is not worth a line of its own.
    """
    line = f"{indent}{code}"
    *first, line = steps(line) or [line]
    if first:
        return [*first, *with_comment(line.strip(), remark, indent)]
    if len(line) + 2 + len(remark) <= WIDTH:
        return [f"{line}  {remark}"]
    room = WIDTH - len(indent)
    return [f"{indent}{remark[:room]}", line] if remark != _OF_A_NUMBER else [line]
