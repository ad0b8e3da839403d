"""What leaves a function: outputs that nothing may overwrite later, and gradients on request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Protocol

from graphc.emit.expressions import Expressions
from graphc.emit.lines.names import string_literal
from graphc.emit.lines.wrapping import INDENT
from graphc.ir.node import Node
from graphc.ir.walk import behind_views
from graphc.ops.leaf import full
from graphc.ops.loop import Item
from graphc.plan.program import Program, is_broadcast

#: Stands in a body just before anything is updated, until the values have variables.
BEFORE_UPDATE = "\0before update"


def saved_outputs(program: Program, expressions: Expressions) -> dict[str, str]:
    """Return variables for the outputs whose memory is that of a parameter which is updated."""
    updated = {program.graph.params[name] for name in program.graph.updates}
    outputs = program.graph.outputs.items()
    shown = [name for name, node in outputs if program.shown(node) & updated]
    return {name: expressions.namer.fresh(name) for name in shown}


class Offers(Protocol):
    """What a body has written that its caller may ask for."""

    @property
    def on_demand(self) -> Sequence[str]: ...
    @property
    def listings(self) -> Mapping[str, Sequence[str]]: ...
    @property
    def gathered(self) -> Set[str]: ...


def lines_before_update(
    program: Program,
    expressions: Expressions,
    saved: Mapping[str, str],
    is_fast: bool,
    body: Offers,
) -> list[str]:
    """Return the lines that save outputs which show updated state, and offer the gradients."""
    lines = []
    for name, variable in saved.items():
        code = expressions.code[program.graph.outputs[name]]
        lines.append(f"{INDENT}{variable} = np.array({code})")
    if not program.observed:
        return lines
    given = _given(program)
    listed = [name for names in body.listings.values() for name in names]
    entries = {
        name: f"{string_literal(name)}: "
        + _owned(program, expressions, program.observed[name], given, is_fast)
        for name in dict.fromkeys([*listed, *program.observed])
    }
    for listing, names in body.listings.items():
        rest = [entries.pop(x) for x in names if x not in body.gathered]
        held = [entries.pop(x) for x in names if x in body.gathered]
        if not held:
            lines.append(f"{INDENT}{listing} = {{{', '.join(rest)}}}")
        elif rest:
            lines.append(f"{INDENT}{listing} |= {{{', '.join(rest)}}}")
    words = [*entries.values(), *[f"**{listing}" for listing in body.listings]]
    offered = ", ".join(words)
    only = [*body.listings] if len(words) == 1 and body.listings else [f"{{{offered}}}"]
    lines += [f"{INDENT}if gradients is not None:", *body.on_demand]
    return [*lines, f"{INDENT * 2}gradients.update({only[0]})"]


def are_owned(program: Program, expressions: Expressions, nodes: Iterable[Node]) -> bool:
    """Say whether values live in arrays of their own, which a caller may keep and write to."""
    code, given = expressions.code, _given(program)
    return all(_owned(program, expressions, x, given, False) == code[x].text for x in nodes)


def _given(program: Program) -> set[Node]:
    """Return the nodes whose memory is returned."""
    return {program.base(node) for node in program.graph.outputs.values()}


def return_lines(
    program: Program,
    expressions: Expressions,
    saved: Mapping[str, str],
    is_fast: bool,
    body: Offers,
) -> list[str]:
    """Return the `return` of all outputs by name; what others may write to is copied."""
    given: set[Node] = set()
    words = []
    gathered = set() if program.observed else body.gathered
    for name, node in program.graph.outputs.items():
        if name in gathered:
            whole = [f"**{listing}" for listing in body.listings]
            words += [word for word in whole if word not in words]
            continue
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
    memory = expressions.code.get(base)  # of one of several layers, only the gradient is known
    is_table = memory is not None and memory.text in expressions.tables
    code = expressions.code[node].text
    is_fresh = _is_fresh(program, node, is_fast) and not is_shared and not is_table
    return code if is_fresh else f"np.array({code})"


def _is_fresh(program: Program, node: Node, is_fast: bool) -> bool:
    """Say whether a value lives in an array that this call made and that can be written to."""
    base = program.base(node)
    if base.op.is_leaf or base in program.targets or is_broadcast(node) or _is_carry(node):
        return False
    # Style fast keeps its buffers, and what depends on nothing but the dims.
    is_constant = not base.inputs and not base.op.is_random and base.op is not full
    return not (is_fast and (is_constant or base in program.place))


def _is_carry(node: Node) -> bool:
    """Say whether a value is the last one of a carry: its first one where a loop has no steps."""
    node = behind_views(node)
    return isinstance(node.op, Item) and node.attrs["index"] < node.inputs[0].attrs["carries"]
