"""Read from steps: what a loop computes at each step is not computed again from its stacks.

The derivative of `logsumexp(x)` is made of `exp(x - max(x))`, which the forward loop had in its
hands: it emits that, and not the x of which the backward pass would make it once more.
"""

from __future__ import annotations

from graphc.ir.dims import Dim, evaluate
from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import inherit
from graphc.ir.walk import reaching
from graphc.ops.batching import batched_at_once
from graphc.ops.leaf import full
from graphc.ops.loop import Item, Parts, Scan, item
from graphc.rewrite.engine.bodies import Became, drafted, replaced
from graphc.rewrite.engine.numbering import ValueNumbers
from graphc.rewrite.engine.rule import Firing, by_whole_pass, rounding

READ = rounding(
    "read_from_steps",
    "f(stack of x), where the loop computes f(x)",
    "stack of f(x)",
    "what the steps computed is emitted, not computed again",
    apply=by_whole_pass,
    example=(
        "x: input(f64, 5, 3)\ns: input(f64, 3)\n"
        "def cell(h, x_t):\n    a = h + x_t\n    return exp(a), a\n"
        "h, a = scan(cell, init=s, xs=x)\ny = exp(a)*x"
    ),
)
#: Operations an element from which a value is worth a stack: exponentials, sums over an axis.
_WORTH_KEEPING = 4
#: What a named dim is taken to be.
_TYPICAL = 64

#: Nodes around a loop -> the nodes of its body whose values of all steps they are.
_Matches = dict[Node, Node]


def read_from_steps(
    graph: Graph, became: Became, number: ValueNumbers
) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph whose loops emit what is computed from their stacks once more."""
    around = {number(node): node for node in graph.nodes}
    kept: dict[Node, _Matches] = {}
    for loop in graph.nodes:
        if isinstance(loop.op, Scan):
            kept[loop] = _worth_a_stack(graph, loop, _matches(graph, loop, number, around))
    loop_of = {node: loop for loop, found in kept.items() for node in found}
    if not loop_of:
        return graph, ()
    new: dict[Node, Node] = {}
    places: dict[Node, int] = {}
    firings: list[Firing] = []
    for node in graph.nodes:
        if node in loop_of:
            with inherit(node.provenance):
                new[node] = item(new[loop_of[node]], places[node]).named(node.name)
            firings.append(Firing(READ, (node,), new[node]))
            continue
        new[node] = rebuilt(node, tuple([new[x] for x in node.inputs]))
        if kept.get(node):
            draft = drafted(new[node])
            first = len(draft.carries)
            places |= {outer: first + draft.emit(x) for outer, x in kept[node].items()}
            with inherit(node.provenance):
                new[node] = draft.built()
    return replaced(graph, new, became), tuple(firings)


def _matches(graph: Graph, loop: Node, number: ValueNumbers, around: dict[int, Node]) -> _Matches:
    """Return the nodes around a loop that compute for all steps what its body does for one."""
    parts = Parts(loop)
    once = dict(zip(parts.leaves.constants, parts.operands.constants, strict=True))
    stacks = dict(zip(parts.leaves.sequences, parts.operands.sequences, strict=True))
    for x in graph.consumers[loop]:
        if isinstance(x.op, Item) and x.attrs["index"] >= parts.carries:
            stacks.setdefault(parts.emitted[x.attrs["index"] - parts.carries], x)
    behind = reaching(graph.nodes, [loop])
    given = {*once, *parts.leaves.sequences}
    found: _Matches = {}
    for x in parts.body.graph.nodes:
        if x in given:
            continue
        if x.op is full:
            once[x] = x
        stack = _of_all_steps(x, once, stacks, parts.length)
        known = None if stack is None else around.get(number(stack))
        if known is not None and known in behind:
            stacks.setdefault(x, known)
            found[known] = x
        elif stack is not None and _is_shown(x):
            stacks.setdefault(x, stack)
    return found


def _of_all_steps(
    x: Node, once: dict[Node, Node], stacks: dict[Node, Node], length: Dim
) -> Node | None:
    """Return the values of all steps of a node of a body, computed of those of its operands."""
    if isinstance(x.op, (Scan, Item)) or x.op.is_random or not any(i in stacks for i in x.inputs):
        return None
    if not all(i in once or i in stacks for i in x.inputs):
        return None
    plain = rebuilt(x, tuple([once.get(i, i) for i in x.inputs]))
    return batched_at_once(plain, [None if i in once else stacks[i] for i in x.inputs], length)


def _worth_a_stack(graph: Graph, loop: Node, found: _Matches) -> _Matches:
    """Return those of the values computed twice that others read, and that cost more than a stack.

    A stack that is there already costs nothing.
    """
    sizes = dict.fromkeys(graph.dims, _TYPICAL)
    emitted = set(Parts(loop).emitted)
    costly: set[Node] = set()
    for node in found:
        work = evaluate(node.op.flops(node), sizes) >= _WORTH_KEEPING * evaluate(node.size, sizes)
        if work or any(x in costly for x in node.inputs):
            costly.add(node)
    roots = set(graph.roots())
    kept: _Matches = {}
    computed: set[Node] = set()  # and so are their operands, unless these are kept
    for node in reversed([x for x in graph.nodes if x in found]):
        users = graph.consumers[node]
        if node in roots or any(user not in found or user in computed for user in users):
            if (node in costly or found[node] in emitted) and not _is_shown(node):
                kept[node] = found[node]
            else:
                computed.add(node)
    return kept


def _is_shown(node: Node) -> bool:
    """Say whether a node only shows another one's elements."""
    return node.op.is_view or node.op.is_inserted
