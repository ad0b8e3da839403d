"""Loops carry, take and emit no more than is read, and nothing that only repeats another array."""

from __future__ import annotations

from graphc.ir.dims import Dim, as_dim, same, same_shape
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.ops.batching import batched_node
from graphc.ops.leaf import input_for
from graphc.ops.loop import Item, Parts, item
from graphc.ops.reduction.spread import behind_views
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import Became, Draft, drafted, over_loops
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import Firing, Rule, by_whole_pass

PRUNE = Rule(
    "prune_loop",
    "scan(body)",
    "scan(smaller body)",
    "what nobody reads is not carried, taken or emitted, nor what repeats a smaller array",
    apply=by_whole_pass,
    example=(
        "x: input(f64, 3)\ns: input(f64)\ndef cell(a, b, x_t):\n    return tanh(a + x_t), b*x_t\n"
        "y, unread = scan(cell, init=(s, s), xs=x)"
    ),
)


def _last_state(node: Node, facts: Facts) -> Node | None:
    (steps,) = node.inputs
    if not isinstance(steps.op, Item):
        return None
    loop = Parts(steps.inputs[0])
    emitted = steps.attrs["index"] - loop.carries
    last = 0 if loop.is_reversed else as_dim(loop.length - 1)
    (start, stop, _), *others = node.attrs["bounds"]
    if emitted < 0 or not same(start, last) or not same(stop, as_dim(last + 1)):
        return None
    for i, following in enumerate(loop.following):
        if following is loop.emitted[emitted]:
            state = OPS["reshape"](item(loop.node, i), (1, *steps.shape[1:]))
            is_whole = same_shape(node.shape, state.shape) and all(step == 1 for *_, step in others)
            return state if is_whole else node.op.make([state], bounds=((0, 1, 1), *others))
    return None


LAST_STATE = Rule(
    "last_state",
    "stack of all states[-1]",
    "last state",
    "the loop hands on its last state, so nobody asks for the others because of it",
    when="a loop emits what it carries",
    apply=_last_state,
    roots=("slice",),
    operands=("item",),
    example=(
        "x: input(f64, 3)\ns: input(f64)\n"
        "def cell(h, x_t):\n    n = tanh(h + x_t)\n    return n, n\n"
        "last, states = scan(cell, init=s, xs=x)\ny = states[2]"
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
    is_smaller = _settle_operands(draft)
    kept = _needed_carries(draft, used)
    sources = {j: behind_views(draft.emitted[j - first]) for j in sorted(used) if j >= first}
    is_smaller |= any(views for _, views in sources.values())
    for j, (source, views) in sources.items():
        outside = _found_outside(draft, source)
        if outside is not None:
            settled[j] = _viewed(outside, views, draft.length)
    emitted = [source for j, (source, _) in sources.items() if j not in settled]
    steady = [i for i in kept if draft.carries[i].following is draft.carries[i].leaf]
    for i in steady:
        settled[i] = draft.carries[i].initial
        draft.constants.append((draft.carries[i].leaf, draft.carries[i].initial))
    place = {i: k for k, i in enumerate(i for i in kept if i not in steady)}
    draft.carries = [draft.carries[i] for i in place]
    draft.emitted = list(dict.fromkeys(emitted))
    stack = {x: k for k, x in enumerate(draft.emitted)}
    _drop_unread(draft)
    after = (len(draft.carries), len(draft.sequences), len(draft.constants), len(draft.emitted))
    if after == size and not settled and not is_smaller:
        return None
    wanted = [j for j in sorted(used) if j not in settled]
    if not wanted:
        return settled
    loop = draft.built()
    for j in wanted:
        if j < first:
            settled[j] = item(loop, place[j])
        else:
            source, views = sources[j]
            steps = item(loop, len(draft.carries) + stack[source])
            settled[j] = _viewed(steps, views, draft.length)
    return settled


def _viewed(stack: Node, views: list[Node], length: Dim) -> Node:
    """Return the values of all steps, given those that the views of a step show."""
    for node in reversed(views):
        stack = batched_node(node, [stack], length)
    return stack


def _settle_operands(draft: Draft) -> bool:
    """Bring into the body what is the same at each step: constants, and broadcasts.

    Says whether a sequence is smaller than before, as its broadcast at each step is in the body.
    """
    replacement: dict[Node, Node] = {}
    narrow: dict[Node, tuple[Node, Node]] = {}
    sequences = []
    for leaf, stack in draft.sequences:
        steady = _same_at_each_step(stack)
        source = _source_of_steps(stack)
        if steady is None and source is not None:
            part = _part_of(source)
            narrow[leaf] = part, stack
            sequences.append((part, source))
        elif steady is None:
            sequences.append((leaf, stack))
        elif steady.inputs or steady.op.is_leaf:
            draft.constants.append((leaf, steady))
        else:
            replacement[leaf] = steady
    draft.sequences = _merged(sequences, replacement)
    for leaf, (part, stack) in narrow.items():
        step = replacement.pop(part, part)
        replacement[leaf] = OPS["broadcast_to"](step, stack.shape[1:])
    constants = []
    for leaf, value in draft.constants:
        if value.op is OPS["full"]:
            replacement[leaf] = value
        else:
            constants.append((leaf, value))
    draft.constants = _merged(constants, replacement)
    if replacement:
        draft.substitute(replacement)
    return bool(narrow)


def _source_of_steps(stack: Node) -> Node | None:
    """Return what a stack repeats within each step, or None."""
    source = stack
    while source.op is OPS["broadcast_to"]:
        source = source.inputs[0]
    is_of_steps = source.ndim == stack.ndim and same(source.shape[0], stack.shape[0])
    return source if source is not stack and is_of_steps else None


def _part_of(stack: Node) -> Node:
    """Return a step's part of a stack, called as the loop calls it that emits it."""
    shape = stack.shape[1:]
    if isinstance(stack.op, Item):
        outputs = list(stack.inputs[0].attrs["body"].graph.outputs.items())
        name, emitted = outputs[stack.attrs["index"]]
        return input_for(emitted, name, shape)
    name = stack.name or stack.attrs.get("name") or stack.op.variable or stack.op.name
    return input_for(stack, f"{name}_t", shape)


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


def _found_outside(draft: Draft, node: Node) -> Node | None:
    """Return what a stack holds where nothing is computed for it: a sequence, or a constant."""
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
