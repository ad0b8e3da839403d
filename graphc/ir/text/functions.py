"""Functions of a text: the `def` that a scan runs. It is read again at each use, never executed."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from typing import Any, Protocol

from graphc.ir.node import Node
from graphc.ir.text.lines import LogicalLine


class Reader(Protocol):
    """What reads the lines of a body."""

    def run_body(self, function: LoopFunction, arguments: Sequence[Node]) -> Any: ...


class LoopFunction:
    """A `def` of the text: its parameters and its lines. Calling it builds its nodes."""

    def __init__(self, tree: ast.FunctionDef, head: LogicalLine, reader: Reader) -> None:
        self.tree = tree
        self.head = head
        self.lines: list[LogicalLine] = []
        self.has_run = False
        self.parameters = [argument.arg for argument in tree.args.args]
        self._reader = reader
        self.__name__ = tree.name
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(name, kind) for name in self.parameters]
        )

    def holds(self, line: LogicalLine) -> bool:
        """Say whether a line is indented deeper than the head, and so belongs to the body."""
        indent, outer = line.indent, self.head.indent
        return indent.startswith(outer) and len(indent) > len(outer)

    def __call__(self, *arguments: Node) -> Any:
        self.has_run = True
        return self._reader.run_body(self, arguments)


def is_def(line: LogicalLine) -> bool:
    """Say whether a line is the head of a function."""
    return line.text.startswith("def ")


def has_plain_parameters(tree: ast.FunctionDef) -> bool:
    """Say whether a head has nothing but parameters without defaults, each of another name."""
    given = tree.args
    extra = [*given.posonlyargs, *given.kwonlyargs, *given.defaults, given.vararg, given.kwarg]
    names = [argument.arg for argument in given.args]
    annotated = [argument.annotation for argument in given.args]
    is_plain = not any(part is not None for part in (*extra, *annotated, tree.returns))
    return is_plain and len(set(names)) == len(names)
