"""Updates that parameters share, in style `fast`: a loop over arrays, or over pieces of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphc.emit.columns import name_of_all
from graphc.emit.lines.bindings import row_of
from graphc.emit.lines.sources import of_no_scope
from graphc.emit.lines.wrapping import INDENT
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.plan.program import Buffer
from graphc.plan.shared_updates import SharedUpdate

if TYPE_CHECKING:
    from graphc.emit.fast.statements import FastBody

_WHY = "  # pieces stay in the cache"
#: Numbers become arrays of no axes, which NumPy reads sooner, where more arrays are computed with.
_FEW = 3


def write_shared_update(body: FastBody, shared: SharedUpdate) -> None:
    """Write the update of several parameters."""
    _Update(body, shared).write()


class _Update:
    """The variables of one update, which stand for those of all parameters in turn."""

    def __init__(self, body: FastBody, shared: SharedUpdate) -> None:
        self.body = body
        self.shared = shared
        self.fresh = body.expressions.namer.fresh
        #: The part that is written: where one is short, numbers are kept for its calls.
        sizes = [part[0].node.size for part in shared.parts]
        is_known = all(isinstance(size, int) for size in sizes)
        self.which = sizes.index(min(sizes)) if is_known else 0
        #: What differs, the parameter first and what is kept of it last; and the variables of it.
        self.columns = sorted(shared.columns, key=lambda column: _rank(column[0]))
        self.names = self.words([name_of_all(body.expressions, x) for x in self.columns])
        #: The memory of what each part makes on its way, and its variables.
        place = body.program.place
        self.buffers = [
            [*dict.fromkeys([place[s.node] for s in part if s.node in place])]
            for part in shared.parts
        ]
        self.scratch = self.words(["scratch" for _ in self.buffers[0]])

    def words(self, wanted: Sequence[str]) -> list[str]:
        """Return variables: a function has its own, all loops over parameters have the same.

        These are not given back: a later array would be taken out of the workspace by such a name,
        and the loop stands behind that.
        """
        if self.shared.in_pieces:
            return [*map(self.fresh, wanted)]
        names = self.body.loop_words
        found = []
        for i, word in enumerate(wanted):
            key = word, wanted[:i].count(word)
            if key not in names:
                names[key] = self.fresh(word)
            found.append(names[key])
        return found

    def write(self) -> None:
        body = self.body
        first, indent = len(body.lines), body.indent
        body.current = self.shared.statements[0].node
        if self.shared.in_pieces:
            self.write_pieces()
        else:
            self.write_loop()
        body.indent = indent
        body.lines[first:] = map(of_no_scope, body.lines[first:])
        if self.shared.in_pieces:
            for name in [*self.names, *self.scratch]:
                body.expressions.namer.release(name)

    def write_loop(self) -> None:
        """Write the loop over small arrays; each comes with memory for what is made on the way."""
        kept = [[*map(self.kept, buffers)] for buffers in self.buffers]
        words = [[*row, *more] for row, more in zip(self.rows(), kept, strict=True)]
        for name in self.numbers() if len(words) > _FEW else ():
            self.body.plain(f"{name} = np.array({name})")
        names = ", ".join([*self.names, *self.scratch])
        self.body.plain(f"for {names} in ({', '.join(map(row_of, words))}):")
        self.body.indent += INDENT
        self.write_calls()

    def numbers(self) -> list[str]:
        """Return the variables of numbers that all parts read, and nobody is given."""
        body = self.body
        own = {x for column in self.columns for x in column}
        read = {x for s in self.shared.parts[0] for x in s.operands if not x.shape} - own
        made = [x for x in read if x in body.homes and x not in body.kept and x.inputs]
        codes = [body.expressions.code[x].text for x in made if x not in body.program.numbers]
        return sorted({code for code in codes if code.isidentifier()})

    def write_pieces(self) -> None:
        """Write the function that all cores call for pieces of the arrays."""
        body, parameter = self.body, self.names[0]
        function, pieces = self.fresh("update"), self.fresh("pieces")
        rows, worker = body.words_of_blocks()[:2]
        kept = [*map(self.kept, self.buffers[0])]
        arrays = ", ".join([*map(_tuple, self.rows())])
        body.plain(f"{pieces} = in_pieces([{arrays}], {self.shared.block})")
        body.blank()
        body.plain(f"def {function}({rows}, {worker}):{_WHY}")
        body.indent += INDENT
        names = ", ".join(self.names) if len(self.names) > 1 else _tuple(self.names)
        body.plain(f"for {names} in {pieces}[{rows}]:")
        body.indent += INDENT
        for name, buffer in zip(self.scratch, kept, strict=True):
            part = f"{buffer}[{worker}, : {parameter}.size]"
            body.plain(f"{name} = {part}.reshape({parameter}.shape)")
        self.write_calls()
        body.indent = body.indent.removesuffix(INDENT * 2)
        body.blank()
        body.plain(f"in_blocks({function}, len({pieces}), 1)")

    def kept(self, buffer: Buffer) -> str:
        """Return the variable of memory that is kept between calls."""
        names = self.body.first_names
        if buffer not in names:
            sizes = "_".join(map(str, buffer.type.shape))
            names[buffer] = self.fresh("scratches" if self.shared.in_pieces else f"scratch_{sizes}")
        return names[buffer]

    def rows(self) -> list[tuple[str, ...]]:
        """Return the texts of what differs, for each part."""
        codes = self.body.expressions.code
        texts = [[codes[x].text for x in column] for column in self.columns]
        return [*zip(*texts, strict=True)]

    def write_calls(self) -> None:
        """Write what is done for each parameter."""
        body, part = self.body, self.shared.parts[self.which]
        codes, place = body.expressions.code, body.program.place
        before = dict(codes)
        for column, name in zip(self.columns, self.names, strict=True):
            codes[column[self.which]] = Code(name)
        memory = dict(zip(self.buffers[self.which], self.scratch, strict=True))
        body.buffer_names |= memory
        codes |= {s.node: Code(memory[place[s.node]]) for s in part if s.node in place}
        for statement in part:
            body.current = statement.node
            body.write_call(statement)
        codes.clear()
        codes |= before


def _tuple(words: Sequence[str]) -> str:
    """Return the text of a tuple, also of a single value."""
    return f"({', '.join(words)})" if len(words) > 1 else f"({words[0]},)"


def _rank(node: Node) -> int:
    """Return where a value stands in a row: a parameter, its gradient, what is kept of it."""
    trainable = node.attrs.get("trainable") if node.op.is_leaf else None
    return 1 if trainable is None else 0 if trainable else 2
