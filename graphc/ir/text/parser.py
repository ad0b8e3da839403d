"""Read a graph from its text form: Python's syntax, read by `ast` and never executed.

Statements are cut out one by one (`lines`), each is parsed alone, and `statements` says what each
kind means. Time and memory grow linearly with the text.
"""

from __future__ import annotations

import ast
import re
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.text.blocks import Block
from graphc.ir.text.errors import GraphTextError, Place
from graphc.ir.text.expressions import in_text, too_deep
from graphc.ir.text.functions import LoopFunction, has_plain_parameters, is_def
from graphc.ir.text.lines import LogicalLine, logical_lines
from graphc.ir.text.misread import name_for, what_was_meant, word_as_name
from graphc.ir.text.statements import Statements
from graphc.ir.text.title import UNNAMED, read_title

#: Held while Python's filters of warnings, which all threads share, are others.
_MUTING = threading.Lock()
_BLOCK_WORDS = re.compile(r"(?:async|class|for|if|while|try|elif|else|except|finally)\b|@")
_INSTEAD = {
    "for": "write the lines out, or run a `def` by a scan: h, hs = scan(cell, init=h0, xs=x)",
    "while": "run a `def` by a scan: h, hs = scan(cell, init=h0, xs=x)",
    "if": "write y = where(condition, a, b)",
}


def parse(
    source: str, functions: Mapping[str, Callable[..., Any]], filename: str = "<text>"
) -> Graph:
    """Return the graph that a text states; `functions` holds all that the text may call.

    Raises:
        GraphTextError: with file, line, column and a caret, where the text is not a graph.
    """
    return _Parser(functions, filename).parse(source)


@dataclass(frozen=True, slots=True)
class _Level:
    """An open block: how far its lines are indented (None: its first line decides)."""

    indent: str | None
    block: Block


class _Parser:
    """The state of reading one text: the line at hand, the open blocks, what has been built."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]], filename: str) -> None:
        self.filename = filename
        self.here = LogicalLine("", "", 1)
        self.levels = [_Level("", Block())]
        self.statements = Statements(functions, filename, self.place, self._later)
        self.source = ""
        self.name, self.doc = UNNAMED, ""
        #: The `def` whose lines are being collected.
        self.function: LoopFunction | None = None
        #: All that have been read.
        self.closed: list[LoopFunction] = []

    def parse(self, source: str) -> Graph:
        source = source.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
        self._refuse_binary(source)
        self.source = source
        is_first = True
        for here in logical_lines(source):
            self._take(here, is_first)
            is_first = False
        if is_first:
            raise GraphTextError(
                "an empty text holds no graph",
                Place(self.filename, 1, 1),
                expected="declarations, lines such as `z = x @ W + b`, and output(z)",
            )
        self._close_function(None)
        if self.levels[-1].indent is None:
            raise GraphTextError("the block is empty: the text ends here", self._end())
        graph = self._graph()
        self._refuse_idle_functions()
        return graph

    def _graph(self) -> Graph:
        built = self.statements
        if not built.outputs and not built.updates:
            raise GraphTextError(
                "the text ends without an output",
                self._end(),
                expected="output(name) as the last line",
                fix="is the file complete?",
            )
        try:
            return Graph(
                built.outputs,
                updates=built.updates,
                name=self.name,
                doc=self.doc,
                inputs=built.inputs.values(),
                params=built.params.values(),
                names=built.names,
            )
        except GraphError as problem:
            raise GraphTextError(
                problem.what,
                self._end(),
                got=problem.got,
                expected=problem.expected,
                fix=in_text(problem.fix),
            ) from problem

    # -- loop bodies -------------------------------------------------------------------------

    def _take(self, line: LogicalLine, is_first: bool = False) -> None:
        """Read a line, or keep it as part of the `def` that is open."""
        self._close_function(line)
        if self.function is not None:
            self.function.lines.append(line)
            return
        self.here = line
        if is_def(line):
            self._enter_block()
            self.function = LoopFunction(self._definition(), line, self)
        else:
            self._read(is_first)

    def _close_function(self, line: LogicalLine | None) -> None:
        """End the open `def` where a line stands outside it."""
        function = self.function
        if function is None or (line is not None and function.holds(line)):
            return
        self.function = None
        if not function.lines:
            self.here = function.head
            raise GraphTextError(
                "the loop body is empty", self._start(), expected="lines, the last one a `return`"
            )
        self.statements.define(function.tree, function)
        self.closed.append(function)

    def _refuse_idle_functions(self) -> None:
        """Raise where no scan has run a `def`: what stands in it has not been read as a graph."""
        for function in self.closed:
            if not function.has_run:
                self.here = function.head
                name = function.__name__
                raise GraphTextError(
                    f"no scan runs {name!r}, and a `def` serves nothing else",
                    self._start(len(function.head.text)),
                    fix=f"run it: y, = scan({name}, xs=x); or leave it out",
                )

    def _definition(self) -> ast.FunctionDef:
        """Return the head of a `def` as syntax, checked to have plain parameters only."""
        tree = self._trees()[0]
        if not isinstance(tree, ast.FunctionDef) or not has_plain_parameters(tree):
            raise GraphTextError(
                "a loop body takes plain parameters",
                self._start(len(self.here.text)),
                expected="def cell(h, x_t):",
            )
        return tree

    def run_body(self, function: LoopFunction, arguments: Sequence[Node]) -> Any:
        """Return what a loop body returns for these arguments: its lines are read once more."""
        here, levels, outer = self.here, self.levels, self.function
        statements = self.statements
        with statements.local(dict(zip(function.parameters, arguments, strict=True))):
            self.levels, self.function = [_Level(function.head.indent, Block())], None
            self.levels.append(_Level(None, Block()))
            try:
                for line in function.lines[:-1]:
                    self._take(line)
                self._close_function(None)
                self.here = function.lines[-1]
                self._enter_block()
                return statements.returned(self._trees(), self.levels[-1].block, self.here.line)
            finally:
                self.here, self.levels, self.function = here, levels, outer

    # -- one line ----------------------------------------------------------------------------

    def _read(self, is_first: bool) -> None:
        self._enter_block()
        block = self.levels[-1].block
        for tree in self._trees():
            title = _string(tree)
            if is_first and title is not None:
                self.name, self.doc = read_title(title)
            elif isinstance(tree, ast.With):
                inner = self.statements.opened_block(tree, block)
                body = [s for s in tree.body if not isinstance(s, ast.Pass)]
                if not body:
                    self.levels.append(_Level(None, inner))
                for statement in body:
                    self.statements.run(statement, inner, self._line_of(statement))
            else:
                self.statements.run(tree, block, self._line_of(tree))

    def _enter_block(self) -> None:
        """Close the blocks that a line's indentation ends; open the one that it starts."""
        indent, levels = self.here.indent, self.levels
        if levels[-1].indent is None:
            outer = levels[-2].indent or ""
            if not (indent.startswith(outer) and len(indent) > len(outer)):
                raise GraphTextError(
                    "the block is empty", self._start(), expected="an indented line"
                )
            levels[-1] = _Level(indent, levels[-1].block)
        while len(levels) > 1 and levels[-1].indent != indent:
            levels.pop()
        if levels[-1].indent != indent:
            raise GraphTextError(
                "the indentation fits no open block",
                self._start(),
                expected="the indentation of the lines above",
            )

    def _trees(self) -> list[ast.stmt]:
        """Return the syntax of the line at hand; a block's head comes with `pass` as its body."""
        text = self.here.text
        word = word_as_name(text)
        if word:
            raise GraphTextError(
                f"{word!r} is a word of Python's, which no value can have as its name",
                self._start(len(word)),
                fix=name_for(word),
            )
        refused = _BLOCK_WORDS.match(text)
        if refused:
            raise GraphTextError(
                f"`{refused[0]}` is no part of the text form, which is data and never runs",
                self._start(len(refused[0])),
                fix=_INSTEAD.get(refused[0]),
            )
        is_head = is_def(self.here) or (text.startswith("with") and not text[4:5].isidentifier())
        try:
            return _parsed(text + "\n pass" if is_head else text)
        except SyntaxError as problem:
            if is_head and problem.msg == "unexpected indent":
                return self._trees_of_one_line_block(text)
            raise self._unreadable(problem) from None
        except (MemoryError, RecursionError):
            raise too_deep(self._start(len(text))) from None
        except ValueError as problem:
            raise GraphTextError(f"cannot read this: {problem}", self._start()) from None

    def _trees_of_one_line_block(self, text: str) -> list[ast.stmt]:
        try:
            return _parsed(text)
        except SyntaxError as problem:
            raise self._unreadable(problem) from None

    def _unreadable(self, problem: SyntaxError) -> GraphTextError:
        if "too many nested" in problem.msg:
            return too_deep(self._start(len(self.here.text)))
        if "integer string conversion" in problem.msg:
            return GraphTextError("a number has too many digits", self._start(), fix="write 1e30")
        row = min(problem.lineno or 1, self.here.text.count("\n") + 1)
        message = problem.msg.partition(" (detected at line")[0]  # a line of this statement
        column = (problem.offset or 1) + (len(self.here.indent) if row == 1 else 0)
        return GraphTextError(
            f"cannot read this: {message}",
            self._place(row, column, 1),
            expected="one statement, such as `z = x @ W + b`",
            fix=what_was_meant(self.here.text, problem.msg),
        )

    def _later(self, name: str) -> int | None:
        """Return the first line at or below the one at hand that gives `name` a value."""
        definition = re.compile(rf"^[ \t]*{re.escape(name)}[ \t]*(?:=(?!=)|:)", re.MULTILINE)
        for found in definition.finditer(self.source):
            line = self.source.count("\n", 0, found.start()) + 1
            if line >= self.here.line:
                return line
        return None

    # -- places ------------------------------------------------------------------------------

    def place(self, tree: ast.AST) -> Place:
        """Return where a piece of the line at hand stands; `ast` counts columns in UTF-8 bytes."""
        row = getattr(tree, "lineno", 1)
        line = self._row(row).encode()
        start = getattr(tree, "col_offset", 0)
        is_one_row = getattr(tree, "end_lineno", row) == row
        end = getattr(tree, "end_col_offset", start + 1) if is_one_row else len(line)
        width = len(line[start:end].decode(errors="replace"))
        shift = len(self.here.indent) if row == 1 else 0
        return self._place(row, len(line[:start].decode(errors="replace")) + 1 + shift, width)

    def _place(self, row: int, column: int, width: int) -> Place:
        shown = (self.here.indent if row == 1 else "") + self._row(row)
        return Place(self.filename, self.here.line + row - 1, column, shown, width)

    def _row(self, row: int) -> str:
        text = self.here.text
        return text.split("\n")[row - 1] if "\n" in text else text

    def _line_of(self, tree: ast.stmt) -> int:
        return self.here.line + tree.lineno - 1

    def _start(self, width: int = 1) -> Place:
        return self._place(1, len(self.here.indent) + 1, width)

    def _end(self) -> Place:
        """Return the end of the last line."""
        rows = self.here.text.count("\n") + 1
        shift = len(self.here.indent) if rows == 1 else 0
        return self._place(rows, len(self._row(rows)) + 1 + shift, 1)

    def _refuse_binary(self, source: str) -> None:
        found = re.search(r"[\x00-\x08\x0e-\x1f\x7f\ufffd\ud800-\udfff]", source)
        if found:
            before = source[: found.start()]
            line, column = before.count("\n") + 1, found.start() - before.rfind("\n")
            raise GraphTextError(
                "not a graph file: it is not text",
                Place(self.filename, line, column),
                got=f"the character {found[0]!r}",
            )


def _parsed(text: str) -> list[ast.stmt]:
    if "\\" not in text:
        return ast.parse(text).body
    with _MUTING, warnings.catch_warnings():
        # Python warns of unknown escapes such as "\d"; the text is data, and stands as it is.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", SyntaxWarning)
        return ast.parse(text).body


def _string(tree: ast.stmt) -> str | None:
    """Return the text of a statement that is nothing but a string."""
    literal = tree.value if isinstance(tree, ast.Expr) else None
    value = literal.value if isinstance(literal, ast.Constant) else None
    return value if isinstance(value, str) else None
