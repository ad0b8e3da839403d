"""Write a graph in its text form; `parse(graph_text(g)) == g` holds for every graph.

Named nodes and nodes with several users get a line of their own; the others stand inside their
user's expression, as far as the line stays readable. Everything is one pass over the nodes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.ir.body import bodies
from graphc.ir.code import Code
from graphc.ir.dims import dim_text
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import FORWARD
from graphc.ir.text.blocks import OPEN, Block, block_of
from graphc.ir.text.loops import (
    WrittenLoop,
    is_loop,
    loop_of_item,
    result_count,
    scan_lines,
    written_loop,
)
from graphc.ir.text.order import in_order_of_lines
from graphc.ir.text.plain_dims import all_dims, identifiers_of_dims, with_renamed_dims
from graphc.ir.text.spelling import Speller, Spelling
from graphc.ir.text.title import title_lines
from graphc.ir.text.words import (
    FORMS,
    RESERVED,
    assign_identifiers,
    called_words,
    quoted,
    text_length,
)
from graphc.ir.types import SHORT, TensorType

#: An expression grows no longer than this by taking in its operands.
_EXPRESSION = 64
#: A list of outputs is broken into lines of this length.
_LINE = 96


def graph_text(graph: Graph) -> str:
    """Return the text form of a graph, ending in a newline."""
    identifiers = identifiers_of_dims(all_dims(graph))
    if any(identifier != name for name, identifier in identifiers.items()):
        graph = with_renamed_dims(graph, identifiers)
    return _Printer(graph, {identifier: name for name, identifier in identifiers.items()}).text()


@dataclass(frozen=True)
class _Around:
    """What the body of a loop shares with the text around it."""

    #: Constants of the body -> the identifiers that they have outside.
    given: Mapping[Node, str]
    taken: set[str]
    counter: Iterator[int]
    margin: str


class _Printer:
    """The state of writing one graph: the lines so far, and how each node is referred to."""

    def __init__(
        self, graph: Graph, dims: Mapping[str, str], around: _Around | None = None
    ) -> None:
        self.graph = graph
        self.lines: list[str] = title_lines(graph.name, graph.doc) if around is None else []
        self.margin = "" if around is None else around.margin + "    "
        self.block = OPEN
        #: Identifier of a dim -> its name.
        self.dims = dims
        given = {} if around is None else around.given
        leaves = [*graph.inputs.values(), *graph.params.values()]
        own = {leaf: leaf.attrs["name"] for leaf in leaves}
        self.labels = {x: n for x, n in {**own, **graph.labels}.items() if x not in given}
        reserved = [*FORMS, *RESERVED, *self.dims, *_called_words(graph), *given.values()]
        identifiers = assign_identifiers(self.labels.values(), reserved)
        self.identifiers = {**given, **dict(zip(self.labels, identifiers, strict=True))}
        self.taken = set() if around is None else around.taken
        self.taken.update(reserved, identifiers)
        #: Expressions of nodes without a line, and of nodes with one.
        self.codes: dict[Node, Code] = {}
        self.statements: dict[Node, Code] = {}
        #: Nodes that are declared or have a line; how many of them wait for a name.
        self.written: set[Node] = {*leaves, *given}
        self.counter = itertools.count() if around is None else around.counter
        #: Loop -> how it is written; item -> the first node of the same result.
        self.loops: dict[Node, WrittenLoop] = {}
        self.results: dict[tuple[Node, int], Node] = {}
        self.speller = Speller(self.code, self.is_optional)
        self.types: dict[tuple[Any, ...], str] = {}
        self.uses: dict[Node, int] = {}
        self.user: dict[Node, Node] = {}
        self.optional: set[Node] = set()
        self._find_optional()
        self._count_uses()

    def text(self) -> str:
        self._declare()
        order = self._visit_all()
        updates = [(name, self.code(node), node) for name, node in self.graph.updates.items()]
        self._write_statements(node for node in order if node in self.statements)
        self._write_updates(updates)
        self._write_outputs()
        return self._with_names("\n".join(self.lines) + "\n")

    def body_lines(self) -> list[str]:
        """Return the lines of a loop's body, which ends by returning its outputs."""
        order = self._visit_all()
        results = [self.code(node) for node in self.graph.outputs.values()]
        self._write_statements(node for node in order if node in self.statements)
        self._enter(OPEN)
        self._line(f"return {', '.join(code.text for code in results)}")
        return self.lines

    def _visit_all(self) -> list[Node]:
        order = in_order_of_lines(self.graph.nodes, self.optional)
        for node in order:
            if node not in self.written and not self.is_optional(node):
                self._visit(node)
        return order

    # -- declarations ------------------------------------------------------------------------

    def _declare(self) -> None:
        leaves = [*self.graph.inputs.values(), *self.graph.params.values()]
        for identifier, name in self.dims.items():
            if identifier != name:
                self.lines.append(f"{identifier}: dim(name={quoted(name)})")
            elif name not in self.graph.dims:
                self.lines.append(f"{name}: dim")
        for leaf in leaves:
            identifier, call = self.identifiers[leaf], leaf.op.text(leaf, ()).text
            if identifier != leaf.attrs["name"]:
                call = f"{call[:-1]}, name={quoted(leaf.attrs['name'])})"
            self.lines.append(f"{identifier}: {call}")
        has_lines = any(not (n.op.is_leaf or n in self.optional) for n in self.graph.nodes)
        if self.lines and (has_lines or self.graph.updates):
            self.lines.append("")

    # -- statements --------------------------------------------------------------------------

    def _visit(self, node: Node) -> None:
        if is_loop(node):
            self._visit_loop(node)
            return
        code = self._expression(node)
        if self._needs_line(node):
            self._give_line(node, code)
        else:
            self.codes[node] = code

    def _visit_loop(self, node: Node) -> None:
        """Give a loop its line, in which all of its results get names."""
        loop = self.loops[node] = written_loop(node)
        for operand in loop.closed_over.values():
            if operand not in self.written:
                code = self.codes.pop(operand, None) or self.speller.spell(operand).code
                self._give_line(operand, code)
        self.statements[node] = Code("")
        self.written.add(node)

    def _needs_line(self, node: Node) -> bool:
        if node in self.labels or node.op.is_random or self.uses[node] != 1:
            return True
        return node in self.user and block_of(self.user[node]) != block_of(node)

    def _count_uses(self) -> None:
        """Count where each node is written, and note who writes it: users of what is left out."""
        for node in self.graph.updates.values():
            self.uses[node] = self.uses.get(node, 0) + 1
        for node in reversed(self.graph.nodes):
            is_optional = self.is_optional(node)
            for operand in node.inputs:
                count = self.uses[node] if is_optional else 1
                self.uses[operand] = self.uses.get(operand, 0) + count
                user = self.user.get(node) if is_optional else node
                if user is not None:
                    self.user[operand] = user

    def is_optional(self, node: Node) -> bool:
        """Say whether a node never has a line: its users leave it out, or spell it each time."""
        return node in self.optional

    def _find_optional(self) -> None:
        for node in self.graph.nodes:
            loop = loop_of_item(node)
            if loop is not None:
                self._add_result(loop, node)
                continue
            # A broadcast of a broadcast is no builder's work: the inner one has a line.
            is_nested = any(operand in self.optional for operand in node.inputs)
            if node.op.is_inserted and node not in self.labels and not is_nested:
                self.optional.add(node)

    def _add_result(self, loop: Node, node: Node) -> None:
        """Note an item: it has the name of its result, and no line of its own."""
        first = self.results.setdefault((loop, node.attrs["index"]), node)
        if first is not node and first in self.identifiers:
            self.identifiers[node] = self.identifiers[first]
        elif node not in self.identifiers:
            self.identifiers[node] = self._placeholder()
        self.written.add(node)

    def _placeholder(self) -> str:
        """Return what stands for a node without a name until all of them are numbered."""
        return f"\0{next(self.counter)}\0"

    def _expression(self, node: Node) -> Code:
        """Return the node's expression; operands that make it too long get their own lines."""
        while True:
            spelling = self.speller.spell(node)
            inlined = self._inlined(spelling)
            if text_length(spelling.code.text) <= _EXPRESSION or not inlined:
                return spelling.code
            surplus = text_length(spelling.code.text) - _EXPRESSION
            for operand in sorted(inlined, key=lambda x: -text_length(self.codes[x].text)):
                if surplus > 0:
                    surplus -= max(1, text_length(self.codes[operand].text) - len("v000"))
                    self._give_line(operand, self.codes.pop(operand))

    def _inlined(self, spelling: Spelling) -> list[Node]:
        """Return the operands whose own expressions stand in a spelling."""
        shown: list[Node] = []
        for node in spelling.shown:
            shown += node.inputs if self.is_optional(node) else [node]
        return [node for node in shown if node in self.codes]

    def code(self, node: Node) -> Code:
        """Return how a node is written where it is used."""
        if node in self.written:
            return Code(self.identifiers[node])
        return self.speller.spell(node).code if self.is_optional(node) else self.codes[node]

    def _give_line(self, node: Node, code: Code) -> None:
        self.statements[node] = code
        self.written.add(node)
        if node not in self.identifiers:
            self.identifiers[node] = self._placeholder()

    def _write_statements(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if node in self.loops:
                self._write_loop(self.loops[node])
                continue
            identifier, text = self.identifiers[node], self.statements[node].text
            label = self.labels.get(node, identifier)
            if label != identifier:
                text = f"named({text}, {quoted(label)})"
            self._enter(block_of(node))
            self._line(f"{identifier}: {self._type(node.type)} = {text}")

    def _write_loop(self, loop: WrittenLoop) -> None:
        """Write the body as a `def`, and the line that runs it."""
        name = assign_identifiers([loop.body.name], self.taken)[0]
        self.taken.add(name)
        given = {leaf: self.identifiers[x] for leaf, x in loop.closed_over.items()}
        around = _Around(given, self.taken, self.counter, self.margin)
        inner = _Printer(loop.body.graph, self.dims, around)
        lines = inner.body_lines()
        self._enter(OPEN)
        arguments = ", ".join(inner.identifiers[leaf] for leaf in loop.arguments)
        self._line(f"def {name}({arguments}):")
        self.lines += lines
        node = loop.node
        targets = []
        for index in range(result_count(node)):
            item = self.results.get((node, index))
            targets.append(self._placeholder() if item is None else self.identifiers[item])
        left = targets[0] + "," if len(targets) == 1 else ", ".join(targets)
        self._enter(block_of(node))
        length = dim_text(node.attrs["length"])
        for line in scan_lines(loop, name, self.code, length, f"{left} = "):
            self._line(line)

    def _with_names(self, text: str) -> str:
        """Return the text with v1, v2, … for the nodes without a name, in the order of lines."""
        numbers = (f"v{number}" for number in itertools.count(1))
        free = (name for name in numbers if name not in self.taken)
        names: dict[str, str] = {}

        def name(match: re.Match[str]) -> str:
            if match[0] not in names:
                names[match[0]] = next(free)
            return names[match[0]]

        return re.sub("\0\\d+\0", name, text)

    def _type(self, kind: TensorType) -> str:
        key = (kind.dtype.char, kind.shape)
        if key not in self.types:
            dims = ", ".join(map(dim_text, kind.shape))
            self.types[key] = f"{SHORT[kind.dtype]}[{dims}]" if dims else SHORT[kind.dtype]
        return self.types[key]

    def _enter(self, block: Block) -> None:
        if block != self.block and block != OPEN:
            heads = [f"phase({quoted(block.phase)})"] * (block.phase != FORWARD)
            heads += [f"{word}({quoted(name)})" for word, name in block.scopes()]
            self.lines.append(f"{self.margin}with {', '.join(heads)}:")
        self.block = block

    def _line(self, text: str) -> None:
        indent = self.margin if self.block == OPEN else f"{self.margin}    "
        self.lines.append(indent + text)

    # -- roots -------------------------------------------------------------------------------

    def _write_updates(self, updates: Iterable[tuple[str, Code, Node]]) -> None:
        for name, value, node in updates:
            self._enter(block_of(node))
            self._line(f"update({self.identifiers[self.graph.params[name]]}, {value})")

    def _write_outputs(self) -> None:
        if not self.graph.outputs:
            return
        self._enter(OPEN)
        words: list[str] = []
        is_positional = True
        for name, node in self.graph.outputs.items():
            value = self.identifiers[node]
            is_positional = is_positional and value == name
            words.append(_output_word(name, value, is_positional))
        self.lines += _output_lines(words)


def _output_word(name: str, value: str, is_positional: bool) -> str:
    if is_positional:
        return value
    plain = assign_identifiers([name], ()) == [name]
    return f"{name}={value}" if plain else f"**{{{quoted(name)}: {value}}}"


def _output_lines(words: Sequence[str]) -> list[str]:
    line = f"output({', '.join(words)})"
    if text_length(line) <= _LINE:
        return [line]
    return ["output(", *[f"    {word}," for word in words], ")"]


def _called_words(graph: Graph) -> list[str]:
    """Return the names of all functions that the graph's text calls."""
    words = {node.op.name: None for node in graph.nodes}
    for body in [body for node in graph.nodes for body in bodies(node.attrs)]:
        words.update(dict.fromkeys(_called_words(body.graph)))
    for param in graph.params.values():
        words.update(dict.fromkeys(called_words(repr(param.attrs["init"]))))
    return list(words)
