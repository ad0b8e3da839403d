"""Derivatives of loops: the tangent of a scan is a scan, and so is its cotangent, run backwards.

The body is differentiated like any graph. Forward mode carries the tangents beside the values.
Reverse mode carries cotangents from the last step to the first (backpropagation through time):
what the body's adjoint reads of a step is emitted by the forward loop and stacked; gradients of
the loop's constants are added up from step to step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from graphc.ir.body import Body
from graphc.ir.dims import Dim
from graphc.ir.naming import free_name
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import BACKWARD, inherit
from graphc.ir.walk import reaching, substitute, topological
from graphc.ops.leaf import zeros_like
from graphc.ops.loop import Parts, before_steps, item, scan
from graphc.ops.registry import OPS

#: Outputs, seeds, wrt -> cotangents (or tangents) of a body: the sweep of all other graphs.
Derivative = Callable[[Sequence[Node], Sequence[Node], Sequence[Node]], "list[Node | None]"]


class Loop(Parts):
    """A loop's parts, and what moves with what through all steps."""

    def varied(self, moved: Iterable[int]) -> list[int]:
        """Return the inputs that move when those at `moved` do: carries pass it on."""
        inputs, results = self.body.inputs, self.body.results
        found = set(moved)
        while True:
            reached = reaching(self.body.graph.nodes, [inputs[i] for i in sorted(found)])
            more = {
                i
                for i in range(self.carries)
                if results[i] in reached and inputs[i].dtype.kind == "f"
            }
            if more <= found:
                return sorted(found)
            found |= more

    def useful(self, wanted: Iterable[int]) -> set[int]:
        """Return the carries that the results at `wanted` depend on, through all steps."""
        results = self.body.results
        position = {leaf: i for i, leaf in enumerate(self.body.inputs[: self.carries])}
        roots = set(wanted)
        while True:
            needed = topological([results[i] for i in sorted(roots)])
            more = {position[node] for node in needed if node in position}
            if more <= roots:
                return {i for i in roots if i < self.carries}
            roots |= more


class _Interface:
    """The inputs of a new body, each with the outer node that feeds it and a name of its own."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self.leaves: list[list[Node]] = [[], [], []]
        self.operands: list[list[Node]] = [[], [], []]

    def carry(self, name: str, initial: Node) -> Node:
        return self._add(0, name, initial, initial.shape)

    def sequence(self, name: str, stack: Node) -> Node:
        return self._add(1, name, stack, stack.shape[1:])

    def constant(self, name: str, value: Node) -> Node:
        return self._add(2, name, value, value.shape)

    def _add(self, kind: int, name: str, operand: Node, shape: tuple[Dim, ...]) -> Node:
        free = free_name(name, self._taken)
        self._taken.add(free)
        leaf = OPS["input"](free, shape, operand.dtype)
        self.leaves[kind].append(leaf)
        self.operands[kind].append(operand)
        return leaf

    def scan(
        self, name: str, results: Sequence[tuple[str, Node]], length: Dim, reverse: bool
    ) -> Node:
        """Return the loop over a body that computes `results` of these inputs."""
        outputs: dict[str, Node] = {}
        for wanted, node in results:
            outputs[free_name(wanted, outputs)] = node
        leaves = [leaf for group in self.leaves for leaf in group]
        operands = [operand for group in self.operands for operand in group]
        return scan(
            *operands,
            body=Body.of(outputs, leaves, name),
            carries=len(self.leaves[0]),
            sequences=len(self.leaves[1]),
            length=length,
            reverse=reverse,
        )


def _name(leaf: Node) -> str:
    return str(leaf.attrs["name"])


# -- reverse mode ----------------------------------------------------------------------------------


def pulled_back(
    node: Node, given: Mapping[int, Node], needed: Sequence[int], cotangents: Derivative
) -> dict[int, Node]:
    """Return the cotangents of a loop's operands at `needed`, from those of its results."""
    loop = Loop(node)
    leaves, results = loop.body.inputs, loop.body.results
    varied = loop.varied(i for i in needed if leaves[i].dtype.kind == "f")
    carried = [i for i in varied if i < loop.carries and i in loop.useful(given)]
    others = [i for i in varied if i >= loop.carries]
    emitted = [j for j in sorted(given) if j >= loop.carries]
    new = _Interface()
    seeds, outputs = [], []
    for i in carried:
        initial = given[i] if i in given else zeros_like(leaves[i])
        seeds.append(new.carry(f"d_{_name(leaves[i])}", initial))
        outputs.append(results[i])
    sums = {
        i: new.carry(f"d_{_name(leaves[i])}", zeros_like(leaves[i]))
        for i in others
        if i >= loop.constants_from
    }
    names = list(loop.body.graph.outputs)
    for j in emitted:
        seeds.append(new.sequence(f"d_{names[j]}", given[j]))
        outputs.append(results[j])
    wrt = [*carried, *others]
    found = dict(zip(wrt, cotangents(outputs, seeds, [leaves[i] for i in wrt]), strict=True))
    with inherit(node.provenance, f"adjoint of {loop.body.name}", BACKWARD):
        return _backward_loop(loop, new, carried, found, sums)


def _backward_loop(
    loop: Loop,
    new: _Interface,
    carried: Sequence[int],
    found: Mapping[int, Node | None],
    sums: Mapping[int, Node],
) -> dict[int, Node]:
    """Return the operands' cotangents, from the adjoint of the body in terms of its values."""
    leaves = loop.body.inputs
    parts = {i: part for i, part in found.items() if part is not None}
    inside = _over_stacks(loop, new, list(parts.values()))
    adjoint = dict(zip(parts, inside, strict=True))
    results: list[tuple[str, Node]] = []
    for i in carried:
        result = adjoint[i] if i in adjoint else zeros_like(leaves[i])
        results.append((f"d_{_name(leaves[i])}_next", result))
    for i, total in sums.items():
        result = OPS["add"](total, adjoint[i]) if i in adjoint else total
        results.append((f"d_{_name(leaves[i])}_next", result))
    stacked = [i for i in adjoint if loop.carries <= i < loop.constants_from]
    results += [(f"d_{_name(leaves[i])}", adjoint[i]) for i in stacked]
    order = [*carried, *sums, *stacked]
    if not order:
        return {}
    backward = new.scan(f"{loop.body.name}_backward", results, loop.length, not loop.is_reversed)
    return {
        i: item(backward, place) for place, i in enumerate(order) if i in adjoint or i in carried
    }


def _over_stacks(loop: Loop, new: _Interface, roots: Sequence[Node]) -> list[Node]:
    """Return adjoint nodes with each value of the forward body replaced by a slice of its stack."""
    body = loop.body
    position = {leaf: i for i, leaf in enumerate(body.inputs)}
    moving = reaching(body.graph.nodes, body.inputs[: loop.constants_from])
    kept: dict[Node, None] = {}
    order: list[Node] = []

    def is_value(node: Node) -> bool:
        # The adjoint of an inner loop may read results of it that the body itself does not.
        return node in position or node in moving or (node.op is item and node.inputs[0] in moving)

    for node in topological(roots, is_value):
        if is_value(node):
            kept[node] = None
        else:
            order.append(node)
    replacement: dict[Node, Node] = {}
    constants = set(body.inputs[loop.constants_from :])
    stacks = _Stacks(loop, [x for x in kept if x not in constants])
    for node in kept:
        if node in constants:
            replacement[node] = new.constant(_name(node), loop.node.inputs[position[node]])
        else:
            replacement[node] = new.sequence(_spoken(loop, node), stacks.stack(node))
    own = {leaf for group in new.leaves for leaf in group}
    for node in order:
        if node not in own:
            operands = tuple([replacement.get(x, x) for x in node.inputs])
            replacement[node] = rebuilt(node, operands)
    return [replacement.get(root, root) for root in roots]


def _spoken(loop: Loop, node: Node) -> str:
    """Return what a value of a body is called."""
    return loop.body.graph.labels.get(node) or node.op.variable or node.op.name


class _Stacks:
    """The values of all steps: sequences, what the loop emits, and what it is made to emit."""

    def __init__(self, loop: Loop, kept: Sequence[Node]) -> None:
        self.loop = loop
        body = loop.body
        #: Value -> the first stack that holds it.
        self.emitted: dict[Node, int] = {}
        for index in range(loop.carries, len(body.results)):
            self.emitted.setdefault(body.results[index], index)
        self.carry = {leaf: i for i, leaf in enumerate(body.inputs[: loop.carries])}
        self.sequence = {
            leaf: loop.node.inputs[i]
            for i, leaf in enumerate(body.inputs)
            if loop.carries <= i < loop.constants_from
        }
        self.extra: dict[Node, int] = {}
        for node in kept:
            value = self._emitted_for(node)
            if value is not None and value not in self.emitted:
                self.emitted[value] = len(body.results) + len(self.extra)
                self.extra[value] = self.emitted[value]
        self.source = self._emitting() if self.extra else loop.node

    def _emitted_for(self, node: Node) -> Node | None:
        """Return the value to emit so that a stack of `node` can be had; None for sequences.

        The carries before all steps are their first value and what each step but the last makes of
        them, so a step need not copy a carry that it is about to replace.
        """
        if node in self.sequence:
            return None
        return self.loop.body.results[self.carry[node]] if node in self.carry else node

    def _emitting(self) -> Node:
        """Return the forward loop, which also emits the values that are asked for."""
        loop = self.loop
        outputs = dict(loop.body.graph.outputs)
        for node in self.extra:
            outputs[free_name(_spoken(loop, node), outputs)] = node
        body = Body.of(outputs, loop.body.inputs, loop.body.name)
        with inherit(loop.node.provenance):
            attrs = {**loop.node.attrs, "body": body}
            return scan.make(loop.node.inputs, **attrs)

    def stack(self, node: Node) -> Node:
        """Return the values of a node at all steps."""
        if node in self.sequence:
            return self.sequence[node]
        provenance = self.loop.node.provenance
        if node in self.carry:
            # Put together for the derivative alone: the loop itself never sees it.
            with inherit(provenance, phase=BACKWARD):
                return self._carried(self.carry[node]).named(f"{_name(node)}_before")
        with inherit(provenance):
            return item(self.source, self.emitted[node])

    def _carried(self, index: int) -> Node:
        """Return the values of a carry before each step."""
        loop = self.loop
        after = item(self.source, self.emitted[loop.body.results[index]])
        return before_steps(loop.node.inputs[index], after, loop.is_reversed)


# -- forward mode ----------------------------------------------------------------------------------


def pushed_forward(node: Node, given: Mapping[int, Node], tangents: Derivative) -> dict[int, Node]:
    """Return the tangents of a loop's results, from those of its operands."""
    loop = Loop(node)
    leaves, results = loop.body.inputs, loop.body.results
    varied = loop.varied(given)
    new = _Interface()
    values: dict[Node, Node] = {}
    for i in range(loop.carries):
        values[leaves[i]] = new.carry(_name(leaves[i]), node.inputs[i])
    moving = [i for i in varied if i < loop.carries]
    seeds: dict[int, Node] = {}
    for i in moving:
        initial = given[i] if i in given else zeros_like(leaves[i])
        seeds[i] = new.carry(f"{_name(leaves[i])}_dot", initial)
    for i in range(loop.carries, len(leaves)):
        add = new.sequence if i < loop.constants_from else new.constant
        values[leaves[i]] = add(_name(leaves[i]), node.inputs[i])
        if i in given:
            seeds[i] = add(f"{_name(leaves[i])}_dot", given[i])
    moved = [i for i in varied if i in seeds]
    found = tangents(results, [leaves[i] for i in moved], [seeds[i] for i in moved])
    names = list(loop.body.graph.outputs)
    wanted: list[tuple[str, Node]] = [(names[i], results[i]) for i in range(loop.carries)]
    for i in moving:
        part = found[i]
        wanted.append((f"{names[i]}_dot", zeros_like(results[i]) if part is None else part))
    stacked = [j for j in range(loop.carries, len(results)) if found[j] is not None]
    for j in stacked:
        part = found[j]
        assert part is not None
        wanted.append((f"{names[j]}_dot", part))
    order = [*moving, *stacked]
    if not order:
        return {}
    inside = substitute([root for _, root in wanted], values)
    labelled = list(zip([name for name, _ in wanted], inside, strict=True))
    moved_loop = new.scan(loop.body.name, labelled, loop.length, loop.is_reversed)
    return {j: item(moved_loop, loop.carries + place) for place, j in enumerate(order)}


__all__ = ["Loop", "pulled_back", "pushed_forward"]
