"""Loops in the text form: `def` holds a body, and a call of `scan` runs it.

A body refers to the nodes around it by their names, as a function of Python does. Where that would
not build the very same loop again (an operand that is read twice, constants in another order), the
constants are written as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from graphc.ir.body import Body
from graphc.ir.code import Code, grouped
from graphc.ir.node import Node
from graphc.ir.text.words import text_length
from graphc.ir.types import TupleType

#: A longer call gets a line for each argument.
_LINE = 92


@dataclass(frozen=True)
class WrittenLoop:
    """What the printer needs to know of a loop: its body, and which constants are arguments."""

    node: Node
    body: Body
    carries: tuple[Node, ...]
    sequences: tuple[Node, ...]
    constants: tuple[Node, ...]
    #: Constants of the body -> the nodes around that they stand for, where the body names those.
    closed_over: Mapping[Node, Node]

    @property
    def arguments(self) -> list[Node]:
        """The inputs of the body that are parameters of its `def`."""
        return [leaf for leaf in self.body.inputs if leaf not in self.closed_over]


def written_loop(node: Node) -> WrittenLoop:
    """Return how a loop is written."""
    body: Body = node.attrs["body"]
    first = node.attrs["carries"]
    after = first + node.attrs["sequences"]
    leaves, operands = body.inputs[after:], node.inputs[after:]
    closed = (
        dict(zip(leaves, operands, strict=True)) if _is_canonical(body, after, operands) else {}
    )
    return WrittenLoop(node, body, node.inputs[:first], node.inputs[first:after], operands, closed)


def _is_canonical(body: Body, after: int, operands: Sequence[Node]) -> bool:
    """Say whether the builder would find these constants, each once and in this order."""
    leaves = set(body.inputs[after:])
    met = [node for node in body.graph.nodes if node in leaves]
    in_order = len(met) == len(operands) and all(
        a is b for a, b in zip(met, body.inputs[after:], strict=True)
    )
    is_found = all(operand.inputs or operand.op.is_leaf for operand in operands)
    return in_order and is_found and len(set(operands)) == len(operands)


def scan_lines(
    loop: WrittenLoop, name: str, code: Callable[[Node], Code], length: str, left: str
) -> list[str]:
    """Return the call that runs a body, `scan(cell, init=h0, xs=x)`, in lines that fit."""
    words = [name]
    words += grouped("init", [code(x) for x in loop.carries])
    words += grouped("xs", [code(x) for x in loop.sequences])
    if not loop.closed_over:
        words += grouped("constants", [code(x) for x in loop.constants])
    if not loop.sequences:
        words.append(f"length={length}")
    if loop.node.attrs["reverse"]:
        words.append("reverse=True")
    line = f"{left}scan({', '.join(words)})"
    if text_length(line) <= _LINE:
        return [line]
    return [f"{left}scan(", *[f"    {word}," for word in words], ")"]


def result_count(node: Node) -> int:
    """Return how many results a loop has."""
    assert isinstance(node.type, TupleType)
    return len(node.type.items)


def is_loop(node: Node) -> bool:
    """Say whether a node has several results, and so stands in a line of its own."""
    return isinstance(node.type, TupleType)


def loop_of_item(node: Node) -> Node | None:
    """Return the loop whose result a node is, or None."""
    is_item = len(node.inputs) == 1 and is_loop(node.inputs[0])
    return node.inputs[0] if is_item else None
