"""Loops carry, take and emit no more than is read."""

from __future__ import annotations

from graphc.ir.dims import same
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.ops.loop import item
from graphc.ops.registry import OPS
from graphc.rewrite.bodies import Became, Draft, drafted, over_loops
from graphc.rewrite.rule import Firing, Rule

PRUNE = Rule(
    "prune_loop",
    "scan(body)",
    "scan(smaller body)",
    "what no step and nobody outside reads is not carried, taken or emitted",
    apply=lambda node, facts: None,
    example=(
        "x: input(f64, 3)\ns: input(f64)\ndef cell(a, b, x_t):\n    return tanh(a + x_t), b*x_t\n"
        "y, unread = scan(cell, init=(s, s), xs=x)"
    ),
)


def prune_loops(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph whose loops have no results, carries or operands that nobody reads."""
    return over_loops(graph, PRUNE, pruned, became)


def pruned(node: Node, used: set[int]) -> dict[int, Node] | None:
    """Return what stands for the used results of a loop, from a loop with nothing to spare."""
    draft = drafted(node)
    size = (len(draft.carries), len(draft.sequences), len(draft.constants), len(draft.emitted))
    first = len(draft.carries)
    settled: dict[int, Node] = {}
    _settle_operands(draft)
    kept = _needed_carries(draft, used)
    for index in sorted(used):
        outside = _found_outside(draft, index)
        if outside is not None:
            settled[index] = outside
    emitted = [draft.emitted[j - first] for j in sorted(used) if j >= first and j not in settled]
    steady = [i for i in kept if draft.carries[i].following is draft.carries[i].leaf]
    for i in steady:
        settled[i] = draft.carries[i].initial
        draft.constants.append((draft.carries[i].leaf, draft.carries[i].initial))
    place = {i: k for k, i in enumerate(i for i in kept if i not in steady)}
    results = {j: draft.emitted[j - first] for j in used if j >= first}
    draft.carries = [draft.carries[i] for i in place]
    draft.emitted = list(dict.fromkeys(emitted))
    stack = {x: k for k, x in enumerate(draft.emitted)}
    _drop_unread(draft)
    after = (len(draft.carries), len(draft.sequences), len(draft.constants), len(draft.emitted))
    if after == size and not settled:
        return None
    wanted = [j for j in sorted(used) if j not in settled]
    if not wanted:
        return settled
    loop = draft.built()
    for j in wanted:
        k = place[j] if j < first else len(draft.carries) + stack[results[j]]
        settled[j] = item(loop, k)
    return settled


def _settle_operands(draft: Draft) -> None:
    """Bring into the body what is the same at each step: constants, and broadcasts over steps."""
    replacement: dict[Node, Node] = {}
    sequences = []
    for leaf, stack in draft.sequences:
        steady = _same_at_each_step(stack)
        if steady is None:
            sequences.append((leaf, stack))
        elif steady.inputs or steady.op.is_leaf:
            draft.constants.append((leaf, steady))
        else:
            replacement[leaf] = steady
    draft.sequences = _merged(sequences, replacement)
    constants = []
    for leaf, value in draft.constants:
        if value.op is OPS["full"]:
            replacement[leaf] = value
        else:
            constants.append((leaf, value))
    draft.constants = _merged(constants, replacement)
    if replacement:
        draft.substitute(replacement)


def _merged(
    pairs: list[tuple[Node, Node]], replacement: dict[Node, Node]
) -> list[tuple[Node, Node]]:
    """Return the pairs without those whose operand another one has already."""
    first: dict[Node, Node] = {}
    for leaf, operand in pairs:
        if first.setdefault(operand, leaf) is not leaf:
            replacement[leaf] = first[operand]
    return [(leaf, operand) for operand, leaf in first.items()]


def _same_at_each_step(stack: Node) -> Node | None:
    """Return the slice that all steps of a stack share, or None."""
    if stack.op is OPS["full"]:
        return OPS["full"].make([], **{**stack.attrs, "shape": stack.shape[1:]})
    if stack.op is not OPS["broadcast_to"]:
        return None
    source = stack.inputs[0]
    if source.ndim == stack.ndim:
        if not same(source.shape[0], 1) or same(stack.shape[0], 1):
            return None
        source = OPS["reshape"](source, source.shape[1:])
    return OPS["broadcast_to"](source, stack.shape[1:])


def _needed_carries(draft: Draft, used: set[int]) -> list[int]:
    """Return the carries that the used results depend on, through all steps."""
    position = {carry.leaf: i for i, carry in enumerate(draft.carries)}
    needed = {i for i in used if i < len(draft.carries)}
    roots = [draft.emitted[j - len(draft.carries)] for j in sorted(used) if j not in needed]
    while True:
        nodes = topological([*roots, *[draft.carries[i].following for i in sorted(needed)]])
        more = {position[x] for x in nodes if x in position}
        if more <= needed:
            return sorted(needed)
        needed |= more


def _found_outside(draft: Draft, index: int) -> Node | None:
    """Return what a stack holds where nothing is computed for it: a sequence, or a constant."""
    first = len(draft.carries)
    if index < first:
        return None
    node = draft.emitted[index - first]
    for leaf, stack in draft.sequences:
        if leaf is node:
            return stack
    for leaf, value in draft.constants:
        if leaf is node:
            return OPS["broadcast_to"](value, (draft.length, *value.shape))
    if node.op is OPS["full"]:
        return OPS["broadcast_to"](node, (draft.length, *node.shape))
    return None


def _drop_unread(draft: Draft) -> None:
    read = set(topological(draft.roots()))
    draft.sequences = [pair for pair in draft.sequences if pair[0] in read]
    draft.constants = [pair for pair in draft.constants if pair[0] in read]
