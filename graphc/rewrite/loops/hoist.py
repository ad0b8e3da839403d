"""Loop-invariant work: what does not wait for a carry is done for all steps at once.

Before the loop: what depends on sequences and constants alone (the input projection of a recurrent
layer becomes one matrix product). After it: what no carry waits for (the gradient of a weight, a
sum over steps of products, becomes one contraction over stacks).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from graphc.ir.dims import typical_size
from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import inherit
from graphc.ir.walk import consumers, topological
from graphc.ops.batching import batched_at_once
from graphc.ops.loop import Item, Scan, before_steps, item
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import Became, Draft, drafted, over_loops
from graphc.rewrite.engine.factors import terms_of_sum
from graphc.rewrite.engine.rule import Firing, by_whole_pass, rounding

#: Elements of a step from which on the work counts and not the call; and what is far smaller.
_MUCH_WORK, _FAR_SMALLER = 4096, 4

HOIST = rounding(
    "hoist_before_loop",
    "scan(x_t@W + …)",
    "scan((x@W)_t + …)",
    "what no carry enters is computed for all steps at once, before the loop",
    apply=by_whole_pass,
    example=(
        "x: input(f64, 3)\ns: input(f64)\n"
        "def cell(h, x_t):\n    return tanh(exp(x_t) + h)\n(y,) = scan(cell, init=s, xs=x)"
    ),
)
SINK = rounding(
    "sink_behind_loop",
    "scan(dW + h_t.T@d_t)",
    "sum(h.T@d)",
    "what no carry waits for is computed for all steps at once, after the loop",
    apply=by_whole_pass,
    example=(
        "x: input(f64, 3, 4)\ns: input(f64, 4)\nk: input(f64)\n"
        "def cell(h, total, x_t):\n    n = tanh(h + x_t)\n    return n, total + sum(n*x_t)\n"
        "h, y = scan(cell, init=(s, k), xs=x)"
    ),
)


def hoist_before_loops(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    return over_loops(graph, HOIST, _hoisted, became)


def sink_behind_loops(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    return over_loops(graph, SINK, _sunk, became)


# -- before ----------------------------------------------------------------------------------------


def _hoisted(node: Node, used: set[int]) -> dict[int, Node] | None:
    """Compute before the loop what no carry enters."""
    draft = drafted(node)
    order = topological(draft.roots())
    steady = draft.steady(order)
    outside = _Outside(draft)
    for x in order:
        if x in steady:
            outside.add(x)
    read = {x for user in order if user not in steady for x in user.inputs}
    read.update(draft.roots())
    replacement: dict[Node, Node] = {}
    for x in order:
        if x in steady and x in read:
            kept = _worth_keeping(x)
            if kept not in replacement and kept.inputs and outside.has(kept):
                replacement[kept] = outside.leaf_for(kept)
    if not replacement:
        return None
    draft.substitute(replacement)
    return draft.results(used)


def _worth_keeping(node: Node) -> Node:
    """Return the node, or what it repeats: a broadcast is not made larger before the loop."""
    while node.op is OPS["broadcast_to"]:
        node = node.inputs[0]
    return node


class _Outside:
    """The values that nodes of a body have outside the loop: one for all steps, or a stack."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.once: dict[Node, Node] = dict(draft.constants)
        self.stacks: dict[Node, Node] = dict(draft.sequences)

    def has(self, node: Node) -> bool:
        return node in self.once or node in self.stacks

    def add(self, node: Node) -> None:
        """Find the outer value of a node whose operands may have one."""
        if self.has(node):
            return
        if isinstance(node.op, (Scan, Item)) or node.op.is_leaf:
            return
        if all(x in self.once for x in node.inputs):
            self.once[node] = rebuilt(node, tuple([self.once[x] for x in node.inputs]))
        elif all(self.has(x) for x in node.inputs):
            self._add_stack(node)

    def _add_stack(self, node: Node) -> None:
        operands = tuple([self.once.get(x, x) for x in node.inputs])
        carried = [None if x in self.once else self.stacks[x] for x in node.inputs]
        with inherit(node.provenance):
            plain = rebuilt(node, operands)
            stack = batched_at_once(plain, carried, self.draft.length)
        if stack is not None:
            self.stacks[node] = stack

    def leaf_for(self, node: Node) -> Node:
        """Return the input of the body that brings in the outer value of a node."""
        name = node.name or f"{node.op.variable or node.op.name}_t"
        if node in self.once:
            return self.draft.add_constant(name, self.once[node])
        return self.draft.add_sequence(name, self.stacks[node], node)


# -- after -----------------------------------------------------------------------------------------


def _sunk(node: Node, used: set[int]) -> dict[int, Node] | None:
    """Compute after the loop what no carry waits for."""
    draft = drafted(node)
    sums = _sums(draft)
    first = len(draft.carries)
    waiting = [carry.following for i, carry in enumerate(draft.carries) if i not in sums]
    needed = set(topological(waiting))
    inner = [x for x in topological(draft.roots()) if isinstance(x.op, Item)]
    needed.update(x for x in inner if x.inputs[0] in needed)  # all that a loop in it gives
    emitted = {j: draft.emitted[j - first] for j in used if j >= first}
    after = {j: x for j, x in emitted.items() if x not in needed and x.inputs}
    stacked = {x for j, x in emitted.items() if j not in after}
    after = {j: x for j, x in after.items() if not _is_far_smaller(x, needed, stacked)}
    added = [x for i, terms in sums.items() if i in used for term in terms for x in term.added]
    wanted = [*after.values(), *added]
    if not wanted or (not sums and not any(_is_work(x) for x in _between(wanted, needed))):
        return None
    plan = _After(draft, needed)
    for x in topological(wanted):
        plan.add(x)
    if any(not plan.has(x) for x in wanted):
        return None
    return plan.results(used, after, sums)


def _is_far_smaller(x: Node, needed: set[Node], stacked: set[Node]) -> bool:
    """Say whether a value is far smaller than what would have to be stacked to compute it later.

    The best predecessor of each state is one number, found among the scores of all of them. Where
    a step's work is small, calls are what counts, and one call behind the loop does for all steps.
    """
    order = topological([x], lambda node: node in needed or node in stacked)
    asked = [n for n in order if n in needed and n not in stacked and not n.op.is_leaf]
    size = sum(typical_size(n.shape) for n in asked)
    return size > max(_MUCH_WORK, _FAR_SMALLER * typical_size(x.shape))


def _is_work(node: Node) -> bool:
    return node.op.name not in ("broadcast_to", "reshape", "slice", "transpose", "cast")


def _between(wanted: Sequence[Node], needed: set[Node]) -> list[Node]:
    return [x for x in topological(wanted) if x not in needed and x.inputs]


@dataclass(frozen=True)
class _Term:
    """What a step adds to a carry: a sum with it, or a write into it, and the values added."""

    node: Node
    added: tuple[Node, ...]

    def over_steps(self, total: Node, stacks: Sequence[Node]) -> Node:
        """Return a total with what all steps add, given the stacks of the values added."""
        if self.node.op is not OPS["add"]:
            return self.node.op.added_up(self.node, total, stacks)
        for stack in stacks:
            total = OPS["add"](total, OPS["sum"](stack, 0))
        return total


def _sums(draft: Draft) -> dict[int, tuple[_Term, ...]]:
    """Return the carries that only add up, each with what it adds at a step."""
    order = topological(draft.roots())
    users = consumers(order)
    roots = Counter(draft.roots())
    found = {}
    for i, carry in enumerate(draft.carries):
        terms: list[_Term] = []
        at = carry.leaf
        while at is not carry.following:
            readers = users.get(at, [])
            term = _term(at, readers[0]) if len(readers) == 1 and not roots[at] else None
            if term is None:
                break
            terms.append(term)
            at = term.node
        is_final = at is carry.following and not users.get(at) and roots[at] == 1
        if terms and is_final and carry.leaf.dtype.kind == "f":
            found[i] = tuple(terms)
    return found


def _term(total: Node, reader: Node) -> _Term | None:
    """Return what a node adds to a total, where that can be added for all steps at once."""
    if reader.op is OPS["add"]:
        others = [x for x in reader.inputs if x is not total]
        parts = tuple(terms_of_sum(others[0])) if len(others) == 1 else ()
        return _Term(reader, parts) if parts and all(map(_is_contraction, parts)) else None
    is_write = reader.op.adds_over_steps and reader.inputs[0] is total
    return _Term(reader, reader.inputs[1:]) if is_write else None


def _is_contraction(node: Node) -> bool:
    """Say whether a step's contribution is a sum itself, so that its stack need not be made."""
    while node.op.name in ("broadcast_to", "reshape", "transpose"):
        node = node.inputs[0]
    return node.op.name in ("einsum", "sum", "mean") or not node.shape


class _After(_Outside):
    """Values of a body behind the loop, from the stacks of what the loop computes."""

    def __init__(self, draft: Draft, needed: set[Node]) -> None:
        super().__init__(draft)
        self.needed = needed
        #: Values that the loop has to emit -> what stands for their stacks until it is built.
        self.asked: dict[Node, Node] = {}
        self.carried = {carry.leaf: carry for carry in draft.carries}

    def add(self, node: Node) -> None:
        """Find the outer value of a node; what the loop needs as well, it has to emit."""
        is_computed = node in self.carried or (node in self.needed and bool(node.inputs))
        if is_computed and not self.has(node) and not isinstance(node.op, Scan):
            self._ask(node)
        else:
            super().add(node)

    def _ask(self, node: Node) -> None:
        """Have the loop emit a value; a carry is what the step before made of it."""
        carry = self.carried.get(node)
        if carry is not None and carry.following.inputs:
            if not self.has(carry.following):
                self._ask(carry.following)
            after = self._outer(carry.following)
            is_reversed = self.draft.origin.attrs["reverse"]
            self.stacks[node] = before_steps(carry.initial, after, is_reversed)
            return
        shape = (self.draft.length, *node.shape)
        self.asked[node] = self.stacks[node] = OPS["input"]("stack", shape, node.dtype)

    def results(
        self, used: set[int], after: dict[int, Node], sums: dict[int, tuple[_Term, ...]]
    ) -> dict[int, Node]:
        """Return what stands for the used results: `after` and `sums` are computed here."""
        draft, first = self.draft, len(self.draft.carries)
        kept = [i for i in range(first) if i not in sums]
        stacks = {
            j: draft.emitted[j - first] for j in sorted(used) if j >= first and j not in after
        }
        initial = {i: draft.carries[i].initial for i in sums}
        draft.carries = [draft.carries[i] for i in kept]
        draft.emitted = list(dict.fromkeys(stacks.values()))
        for x in self.asked:
            draft.emit(x)
        loop = draft.built() if draft.carries or draft.emitted else None
        found: dict[Node, Node] = {}
        for k, x in enumerate(draft.emitted):
            if loop is not None and x in self.asked:
                found[self.asked[x]] = item(loop, len(draft.carries) + k)
        place = {i: k for k, i in enumerate(kept)}
        results: dict[int, Node] = {}
        for j in sorted(used):
            if j in sums:
                results[j] = initial[j]
                for term in sums[j]:
                    added = self._built([self._outer(x) for x in term.added], found)
                    results[j] = term.over_steps(results[j], added)
            elif j in after:
                (results[j],) = self._built([self._outer(after[j])], found)
            else:
                assert loop is not None
                at = place[j] if j < first else len(kept) + _index(draft.emitted, stacks[j])
                results[j] = item(loop, at)
        return results

    def _outer(self, node: Node) -> Node:
        if node in self.stacks:
            return self.stacks[node]
        return OPS["broadcast_to"](self.once[node], (self.draft.length, *node.shape))

    def _built(self, roots: Sequence[Node], found: dict[Node, Node]) -> list[Node]:
        """Return values over the loop's stacks; `found` grows by what they are made of."""
        for node in topological(roots):
            if node not in found:
                found[node] = rebuilt(node, tuple([found[x] for x in node.inputs]))
        return [found[root] for root in roots]


def _index(nodes: Sequence[Node], wanted: Node) -> int:
    return next(k for k, node in enumerate(nodes) if node is wanted)
