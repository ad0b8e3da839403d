"""Layers that are alike, in style `readable`: one `for` over them, forward and backward.

What the backward pass reads of a layer is kept by the layer's name or number; gradients are put
where the update, and who asks for them, finds them by the parameter's name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar

from graphc.emit.expressions import Expressions, comment, with_comment
from graphc.emit.headings import without_double_blanks
from graphc.emit.lines.bindings import bound, by_layer, renamed, several, word_of
from graphc.emit.lines.names import string_literal
from graphc.emit.lines.sources import Line, of_no_scope
from graphc.emit.lines.wrapping import INDENT, WIDTH, wrapped
from graphc.emit.readable.layer_heads import Head
from graphc.emit.readable.update_loops import UpdateLoops
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.plan.layers import Layers
from graphc.plan.program import Program, Statement
from graphc.plan.repeats import Carried, Repeat

#: A loop of more lines stands apart from what is around it.
_GLANCE = 10
#: The number behind a name of which there are several.
_NUMBERED = re.compile(r"_?\d+$")


class LayerLoops(UpdateLoops):
    """Writes once what several layers have in common."""

    is_body: ClassVar[bool] = False

    def __init__(self, program: Program, expressions: Expressions, indent: str = INDENT) -> None:
        super().__init__(program, expressions, indent)
        self.layers = Layers(program, self.is_body)
        #: Loop -> its head; and the dict that keeps what later loops read of it.
        self.heads: dict[Repeat, Head] = {}
        self.stores_of: dict[Repeat, str] = {}
        #: The variables of what each layer of a loop makes or takes over.
        self.variables: dict[tuple[Repeat, int | Carried], str] = {}
        #: Values that layers call differently: comments say nothing of the last layer's.
        self.unlike: set[Node] = set()
        #: The dict of gradients.
        self.derived = ""
        #: Heads of loops over words, and the variables of these.
        self.tables: list[tuple[Head, str]] = []
        #: The head of the loop that is being written.
        self.head: Head | None = None
        self.kept.update(self.layers.read_elsewhere)

    def write_one(self, statement: Statement) -> None:
        found = self.layers.made_by.get(statement.node)
        if found is None:
            super().write_one(statement)
        elif statement is found.written[-1]:
            _LayerLoop(self, found).write()

    def sections(self, written: Sequence[str]) -> list[str]:
        """Return the lines of a block, with long loops apart."""
        return without_double_blanks(super().sections(written))

    def derivatives(self) -> str:
        """Return the dict that gradients, or outputs, are put into where they are computed."""
        if not self.derived:
            wanted = "derivatives" if self.layers.derives else "outputs"
            self.derived = self.expressions.namer.fresh(wanted)
        return self.derived

    def write_layer(self, statements: Iterable[Statement], head: Head) -> None:
        """Write what is done for each layer."""
        self.head = head
        for statement in statements:
            super().write_one(statement)
        self.end_block()
        self.head = None

    def emit(self, code: str, node: Node, shown: str = "") -> None:
        """Write a line; its comment does not tell of one layer where it stands for several."""
        if self.head is None:
            super().emit(code, node, shown)
            return
        shape, gap, meaning = comment(self.expressions, node, shown).partition("  ")
        remark = shape if node in self.unlike else shape + gap + self.head.general(meaning)
        place = self.expressions.places.get(node)
        entry: list[str] = []
        if place is not None:
            code, *entry = self._put(place, code, self.expressions.labels.get(node, "value"))
            if not entry:  # its key tells more than a comment could
                remark = shape
        written = with_comment(code, remark, self.indent)
        written += [f"{self.indent}{line}" for line in entry]
        self.lines += [Line(line, node) for line in written]

    def _put(self, place: str, code: str, label: str) -> list[str]:
        """Return the lines that put a value into its place; too long ones begin with a variable."""
        value = code.removeprefix(f"{place} = ")
        fits = all(len(piece) <= WIDTH for piece in wrapped(f"{self.indent}{code}"))
        if fits or value == code:
            return [code]
        name = self.expressions.namer.fresh(label)
        return [f"{name} = {value}", f"{place} = {name}"]


class _LayerLoop:
    """One loop: what it begins with, hands on and keeps."""

    def __init__(self, body: LayerLoops, found: Repeat) -> None:
        self.body = body
        self.found = found
        self.codes = body.expressions.code
        self.fresh = body.expressions.namer.fresh
        columns = [*found.params.values(), *found.gradients.values()]
        keys = [self._literals(source, order) for source, order in found.sources]
        self.head = Head(len(found.parts), columns, keys, body.expressions.namer)
        body.heads[found] = self.head
        #: The variables that nobody reads after the loop.
        self.own = [*self.head.variables]
        #: Gradient -> its place among all.
        self.entries: dict[Node, str] = {}

    def _literals(self, source: Repeat, order: Sequence[int]) -> tuple[int | str, ...]:
        """Return what parts of another loop are told apart by."""
        literals = self.body.heads[source].literals
        return tuple([literals[i] for i in order])

    def write(self) -> None:
        body, found = self.body, self.found
        body.end_block()
        body.current = found.written[0].node
        first = len(body.lines)
        outer = [*found.params, *found.kept, *found.views]
        before = {column[-1]: self.codes.get(column[-1]) for column in outer}
        self.generalize()
        lists = self.begin()
        self.take_over()
        self.call_after()
        start = len(body.lines)
        body.plain(self.line())
        body.indent += INDENT
        self.look_up()
        self.take_out()
        for column in found.views:
            body.write(body.computed[column[-1]])
        body.write_layer(found.written, self.head)
        self.unite(start)
        self.keep(lists)
        body.indent = body.indent.removesuffix(INDENT)
        written = [of_no_scope(line) for line in body.lines[first:]]
        is_long = len(written) > _GLANCE
        body.lines[first:] = ["", *written, ""] if is_long else written
        for node, code in before.items():
            self.codes.pop(node, None)
            if code is not None:
                self.codes[node] = code
        self.leave(lists)
        for name in self.own:
            body.expressions.namer.release(name)

    def generalize(self) -> None:
        """Name values of the layer that is written without what tells of that layer."""
        expressions, head = self.body.expressions, self.head
        for column in self.found.columns:
            node = column[-1]
            labels = [expressions.labels.get(x, "") for x in column]
            kinds = {_NUMBERED.sub("", label) for label in labels}
            label = head.within(kinds.pop() if len(kinds) == 1 else labels[-1])
            is_alike = label == self.most(labels)
            if not is_alike:
                self.body.unlike.add(node)
            is_told = is_alike or expressions.is_called_by_user(node)
            if label and is_told and label not in head.variables:
                expressions.labels[node] = label
            else:
                expressions.labels.pop(node, None)
            expressions.stems[node] = self.most([expressions.stems[x] for x in column])
            if node in expressions.arguments:
                alike = [expressions.arguments.get(x, "") for x in column]
                expressions.arguments[node] = self.most(alike)
        layers, written = self.body.layers, self.found.written
        read = {x for s in written for x in s.operands}
        places = [carried.place for carried in self.found.carried]
        places += [place for place in layers.wanted[self.found] if isinstance(place, int)]
        read.update(written[place].node for place in [*places, *layers.outside[self.found]])
        for place, names in self.found.gradients.items():
            node, listing = written[place].node, self.body.derivatives()
            self.entries[node] = f"{listing}[{head.name(names)}]"
            if node not in read:
                expressions.places[node] = self.entries[node]

    def most(self, names: Sequence[str]) -> str:
        """Return what most layers call a value, without what tells of a layer."""
        return Counter(map(self.head.within, names)).most_common(1)[0][0]

    def call_after(self) -> None:
        """Name values that belong to no layer of their own after what the loop hands on."""
        expressions, found = self.body.expressions, self.found
        stems = expressions.stems
        for carried in found.carried:
            stems[found.taken(carried)[-1]] = self.body.variables[found, carried]
        for column in [*found.params, *found.kept, *found.views]:
            stems[column[-1]] = self.most([stems[x] for x in column])
        for column in found.columns:
            node = column[-1]
            own = [expressions.labels.get(node), self.most([*map(expressions.layer, column)])]
            stems[node] = next(filter(None, [*own, *[stems[x] for x in node.inputs]]), "")

    def line(self) -> str:
        """Return the head; a table of words that another loop goes over from behind has a name."""
        body, head = self.body, self.head
        for other, table in body.tables:
            line = head.backwards(other, table)
            if line:
                return line
        is_read = any(found.kept and found not in body.heads for found in body.layers.found)
        if head.numbers is not None or not is_read:
            return head.line
        table = self.fresh(f"{head.variables[0]}s")
        body.tables.append((head, table))
        body.plain(f"{table} = {head.table}")
        return f"for {', '.join(head.variables)} in {table}:"

    def take_over(self) -> None:
        """Bind a variable to the first value of what each layer hands on to the next."""
        body, found = self.body, self.found
        for carried in found.carried:
            made = found.written[carried.place].node
            first = self.codes[carried.first].text
            labels = body.expressions.labels
            is_ours = self.is_read_here(carried.first)
            wanted = body.expressions.wanted_name(made)
            if is_ours and carried.first in labels and made not in labels:
                name = first
            else:
                name = self.fresh(wanted)
                if not self.is_renamed(carried.first, name):
                    body.plain(f"{name} = {first}")
            body.variables[found, carried] = name
            self.codes[found.taken(carried)[-1]] = Code(name)

    def is_read_here(self, first: Node) -> bool:
        """Say whether only the first layer reads what has a variable of its own."""
        body, code = self.body, self.codes[first]
        several = [carried for carried in self.found.carried if carried.first is first]
        is_made = first in body.computed and code.text.isidentifier() and len(several) == 1
        readers = [self.found.place.get(s.node, (1, 0)) for s in body.readers.get(first, ())]
        return is_made and not body.layers.is_read_last(first) and {i for i, _ in readers} == {0}

    def is_renamed(self, first: Node, name: str) -> bool:
        """Call a value otherwise that only the first layer reads; say whether it is done."""
        body, variable = self.body, self.codes[first].text
        start = f"{body.indent}{variable} = "
        made = [i for i, line in enumerate(body.lines) if line.startswith(start)]
        if not made or not self.is_read_here(first):
            return False
        self.rename(variable, name, made[0])
        self.codes[first] = Code(name)
        return True

    def begin(self) -> dict[int, str]:
        """Begin the dicts of what is kept; return those of what is read outside of all loops."""
        body, found = self.body, self.found
        if body.layers.wanted[found]:
            body.stores_of[found] = self.fresh("kept")
            body.plain(f"{body.stores_of[found]} = {{}}")
        lists = {}
        for place in body.layers.outside[found]:
            wanted = body.expressions.wanted_name(found.written[place].node)
            lists[place] = self.fresh(f"{wanted}s")
            body.plain(f"{lists[place]} = {{}}")
        if found.gradients:
            is_first, listing = not body.gathered, body.derivatives()
            body.gathered.update(x for names in found.gradients.values() for x in names)
            body.listings[listing] = tuple(body.gathered)
            if is_first:
                body.plain(f"{listing} = {{}}")
        return lists

    def put(self, lines: Sequence[str], end: str = "") -> None:
        """Write the lines of one statement."""
        *before, last = lines
        for line in [*before, last + end]:
            self.body.plain(line)

    def look_up(self) -> None:
        """Bind variables to the parameters of a layer."""
        pairs = []
        for column, names in self.found.params.items():
            name = self.fresh(self.head.within(names[-1]))
            pairs.append((name, f"state[{self.head.name(names)}]"))
            self.codes[column[-1]] = Code(name)
            self.own.append(name)
        line: list[tuple[str, str]] = []
        for more in by_layer(pairs, self.body.indent):
            together = [*line, *more]
            is_long = len(self.body.indent + bound(together)) > WIDTH
            if line and (is_long or len(more) > 1 or len(line) > 1):
                self.body.plain(bound(line))
                together = more
            line = together
        if line:
            self.body.plain(bound(line))

    def take_out(self) -> None:
        """Bind variables to what earlier loops have kept of a layer."""
        body = self.body
        taken: set[str] = set()
        for source, order in self.found.sources:
            columns = {
                kept.value: column
                for column, kept in self.found.kept.items()
                if (kept.source, kept.order) == (source, order)
            }
            may_rebind = body.layers.may_rebind(source, self.found)
            names = []
            for value in body.layers.wanted[source]:
                if value not in columns:
                    names.append("_")
                    continue
                name = body.variables[source, value]
                if not may_rebind or name in taken:
                    name = self.fresh(_NUMBERED.sub("", name))
                taken.add(name)
                names.append(name)
                self.codes[columns[value][-1]] = Code(name)
            key = self.head.key(self._literals(source, order))
            self.put(several(names, body.indent), f" = {body.stores_of[source]}[{key}]")

    def unite(self, start: int) -> None:
        """Hand on to the next layer: in the variable itself, where its old value is not read."""
        body, found = self.body, self.found
        for place in range(len(found.written)):
            body.variables[found, place] = self.codes[found.written[place].node].text
        wanted = body.layers.wanted[found]
        for carried in found.carried:
            old, new = body.variables[found, carried], body.variables[found, carried.place]
            lines = body.lines[start:]
            made = [i for i, line in enumerate(lines) if line.startswith(f"{body.indent}{new} = ")]
            word = word_of(old)
            is_read = any(word.search(line) for line in lines[made[0] + 1 :]) if made else True
            if carried not in wanted and not is_read:
                self.rename(new, old, start)

    def rename(self, name: str, to: str, start: int) -> None:
        """Call a variable of the loop otherwise."""
        body, word = self.body, word_of(name)
        body.lines[start:] = [renamed(line, word, to) for line in body.lines[start:]]
        for place, statement in enumerate(self.found.written):
            code = self.codes.get(statement.node)
            if code is not None:
                self.codes[statement.node] = Code(word.sub(to, code.text), code.precedence)
                body.variables[self.found, place] = self.codes[statement.node].text

    def keep(self, lists: dict[int, str]) -> None:
        """Keep what others read of a layer, and hand on what the next one takes over."""
        body, found = self.body, self.found
        key = self.head.key(self.head.literals)
        for node, entry in self.entries.items():
            if node not in body.expressions.places:
                body.plain(f"{entry} = {self.codes[node]}")
        for place, name in lists.items():
            body.plain(f"{name}[{key}] = {body.variables[found, place]}")
        if wanted := body.layers.wanted[found]:
            names = [body.variables[found, value] for value in wanted]
            head = f"{body.stores_of[found]}[{key}] = "
            first, *rest = several(names, body.indent + head)
            self.put([head + first, *rest])
        pairs = [
            (body.variables[found, carried], body.variables[found, carried.place])
            for carried in found.carried
        ]
        differing = [pair for pair in pairs if pair[0] != pair[1]]
        if differing:
            body.plain(bound(differing))

    def leave(self, lists: dict[int, str]) -> None:
        """Note how what the loop has made is read after it."""
        found, literals = self.found, self.head.literals
        for place, name in lists.items():
            for part, key in zip(found.parts, literals, strict=True):
                literal = string_literal(key) if isinstance(key, str) else str(key)
                self.codes[part[place].node] = Code(f"{name}[{literal}]")
        for place, names in found.gradients.items():
            for part, key in zip(found.parts, names, strict=True):
                listing = self.body.derivatives()
                self.codes[part[place].node] = Code(f"{listing}[{string_literal(key)}]")
