"""What leaves a function: outputs that nothing may overwrite later, and gradients on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.emit.expressions import Expressions
from graphc.emit.names import string_literal
from graphc.emit.wrapping import INDENT, WIDTH
from graphc.ir.node import Node
from graphc.ops.leaf import full
from graphc.ops.loop import Item
from graphc.ops.movement import broadcast_to
from graphc.plan.program import Program

#: Stands in a body just before anything is updated, until the values have variables.
BEFORE_UPDATE = "\0before update"


def saved_outputs(program: Program, expressions: Expressions) -> dict[str, str]:
    """Return variables for the outputs whose memory is that of a parameter which is updated."""
    updated = {program.graph.params[name] for name in program.graph.updates}
    outputs = program.graph.outputs.items()
    shown = [name for name, node in outputs if program.shown(node) & updated]
    return {name: expressions.namer.fresh(name) for name in shown}


def lines_before_update(
    program: Program,
    expressions: Expressions,
    saved: Mapping[str, str],
    is_fast: bool,
    on_demand: Sequence[str] = (),
) -> list[str]:
    """Return the lines that save outputs which show updated state, and offer the gradients.

    `on_demand` are the lines that compute what only the gradients need.
    """
    lines = []
    for name, variable in saved.items():
        code = expressions.code[program.graph.outputs[name]]
        lines.append(f"{INDENT}{variable} = np.array({code})")
    if program.observed:
        lines += _gradient_lines(program, expressions, is_fast, on_demand)
    return lines


def _gradient_lines(
    program: Program, expressions: Expressions, is_fast: bool, on_demand: Sequence[str]
) -> list[str]:
    given = {program.base(node) for node in program.graph.outputs.values()}
    words = []
    for name, node in program.observed.items():
        code = _owned(program, expressions, node, given, is_fast)
        words.append(f"{string_literal(name)}: {code}")
    lines = [f"{INDENT}if gradients is not None:", *on_demand]
    line = f"{INDENT * 2}gradients.update({{{', '.join(words)}}})"
    if len(line) <= WIDTH:
        return [*lines, line]
    inner = [f"{INDENT * 4}{word}," for word in words]
    head = [f"{INDENT * 2}gradients.update(", f"{INDENT * 3}{{"]
    return [*lines, *head, *inner, f"{INDENT * 3}}}", f"{INDENT * 2})"]


def return_lines(
    program: Program, expressions: Expressions, saved: Mapping[str, str], is_fast: bool
) -> list[str]:
    """Return the `return` of all outputs by name; what others may write to is copied."""
    given: set[Node] = set()
    words = []
    for name, node in program.graph.outputs.items():
        code = saved.get(name) or _owned(program, expressions, node, given, is_fast)
        words.append(f"{string_literal(name)}: {code}")
    return [f"{INDENT}return {{{', '.join(words)}}}"]


def _owned(
    program: Program, expressions: Expressions, node: Node, given: set[Node], is_fast: bool
) -> str:
    """Return an expression for the value in an array that nobody else writes to.

    `given` are the nodes whose memory left before; this one's is added.
    """
    base = program.base(node)
    is_shared = base in given and bool(node.shape)
    given.add(base)
    is_table = expressions.code[base].text in expressions.tables
    code = expressions.code[node].text
    is_fresh = _is_fresh(program, node, is_fast) and not is_shared and not is_table
    return code if is_fresh else f"np.array({code})"


def _is_fresh(program: Program, node: Node, is_fast: bool) -> bool:
    """Say whether a value lives in an array that this call made and that can be written to."""
    base = program.base(node)
    if base.op.is_leaf or base in program.targets or _is_broadcast(node) or _is_carry(node):
        return False
    # Style fast keeps its buffers, and what depends on nothing but the dims.
    is_constant = not base.inputs and not base.op.is_random and base.op is not full
    return not (is_fast and (is_constant or base in program.place))


def _is_carry(node: Node) -> bool:
    """Say whether a value is the last one of a carry: its first one where a loop has no steps."""
    while node.op.is_view:
        node = node.inputs[0]
    return isinstance(node.op, Item) and node.attrs["index"] < node.inputs[0].attrs["carries"]


def _is_broadcast(node: Node) -> bool:
    """Say whether a view shows one number in many places."""
    while node.op.is_view:
        if node.op is broadcast_to:
            return True
        node = node.inputs[0]
    return False
