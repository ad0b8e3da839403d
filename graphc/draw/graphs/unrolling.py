"""How does backpropagation go through a loop? Through the first steps, some left out, the last.

The graph is built again with these steps written out. It computes the same: what is left out
between them is a loop over the steps in the middle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphc.draw.dim_formula import dim_formula
from graphc.draw.graphs.variables import variable_names
from graphc.ir.body import Body
from graphc.ir.dims import Dim, evaluate_shape
from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt
from graphc.ir.walk import new_nodes, substitute
from graphc.ops import OPS
from graphc.ops.loop import Item, Scan, by_kind, item, scan

#: How many loops of a picture are written out, and how many variables may stand around them.
_MOST_LOOPS, _MOST_AROUND = 2, 24


@dataclass
class Unrolled:
    """A graph whose loops are written out: which step each node belongs to, and names of nodes."""

    graph: Graph
    step_of: dict[Node, str] = field(default_factory=dict)
    known: dict[Node, str] = field(default_factory=dict)


def unrolled(graph: Graph, steps: int, sizes: Mapping[str, int] | None = None) -> Unrolled | None:
    """Return the graph with so many steps of each loop; None where there is none, or no room.

    `sizes` are those of the dims, where they are known: there may be fewer steps.
    """
    loops = [node for node in graph.nodes if isinstance(node.op, Scan)]
    for loop in loops:
        length = loop.attrs["length"] if sizes is None else _size(loop.attrs["length"], sizes)
        steps = min(steps, length) if isinstance(length, int) else steps
    if steps < 2 or not 0 < len(loops) <= _MOST_LOOPS or len(graph.nodes) > 2 * _MOST_AROUND:
        return None
    found = Unrolled(graph)
    new: dict[Node, Node] = {}
    results: dict[Node, list[Node | None]] = {}
    labels = graph.labels
    taken = set(labels.values())
    for node in graph.nodes:
        operands = tuple(new.get(x, x) for x in node.inputs)
        if isinstance(node.op, Scan):
            wanted = {user.attrs["index"]: labels.get(user, "") for user in graph.consumers[node]}
            writer = _Writer(node, operands, found, taken, len(loops) > 1)
            results[node] = writer.results(node.attrs["length"], steps, wanted)
        elif isinstance(node.op, Item) and node.inputs[0] in results:
            result = results[node.inputs[0]][node.attrs["index"]]
            assert result is not None
            new[node] = result
        else:
            same = all(a is b for a, b in zip(operands, node.inputs, strict=True))
            new[node] = node if same else rebuilt(node, operands)
    names = {new[node]: label for node, label in labels.items() if node in new}
    for node, name in variable_names(graph).items():
        if node in new and not isinstance(node.op, (Scan, Item)):
            found.known.setdefault(new[node], name)
    found.graph = graph.with_outputs(
        {name: new[node] for name, node in graph.outputs.items()}, {}, {**found.known, **names}
    )
    return found


def _size(length: Dim, sizes: Mapping[str, int]) -> int:
    (size,) = evaluate_shape((length,), sizes)
    return size


def _numeral(step: Dim) -> str:
    """Return the number of a step as a part of a name."""
    return dim_formula(step).replace(" ", "")


def _at_step(name: str, step: str) -> str:
    """Return a variable's name at a step: `h2`, but `x_T`, as `xT` would be x transposed."""
    return f"{name}{step}" if step.isdigit() else f"{name}_{step}"


class _Writer:
    """Writes the steps of one loop out."""

    def __init__(
        self,
        loop: Node,
        operands: Sequence[Node],
        found: Unrolled,
        taken: set[str],
        has_others: bool,
    ) -> None:
        self.body: Body = loop.attrs["body"]
        self.attrs = loop.attrs
        state, self.sequences, self.constants = by_kind(loop.attrs, operands)
        self.state = list(state)
        self.found, self.taken = found, taken
        self.of = f"{self.body.name}, " if has_others else ""
        shared = [x for x in self.constants if x.op.is_leaf and len(found.graph.consumers[x]) == 1]
        found.step_of.update(dict.fromkeys(shared, f"{self.of}weights of all steps"))
        for leaf in shared:
            last = found.graph.labels[leaf].rpartition(".")[2]
            if last not in taken and not has_others:
                taken.add(last)
                found.known[leaf] = last

    def results(self, length: Dim, steps: int, wanted: Mapping[int, str]) -> list[Node | None]:
        """Return the loop's results, those that are read; carries in front."""
        stacks: dict[int, list[Node]] = {i: [] for i in wanted if i >= len(self.state)}
        is_short = isinstance(length, int) and length <= steps + 1
        first = int(length) - 1 if is_short else steps - 1
        for at in range(first):
            self._step(at, length, stacks)
        if not is_short:
            self._middle(first, length, stacks)
        self._step(-1, length, stacks, wanted)
        order = -1 if self.attrs["reverse"] else 1
        return [
            *self.state,
            *[
                OPS["concat"](*stacks[i][::order], axis=0) if i in stacks else None
                for i in range(len(self.state), len(self.body.results))
            ],
        ]

    def _step(
        self,
        at: int,
        length: Dim,
        stacks: Mapping[int, list[Node]],
        wanted: Mapping[int, str] | None = None,
    ) -> None:
        """Write one step: the one at a place from the beginning, or the last (-1)."""
        place = at if not self.attrs["reverse"] else -1 - at
        number = _numeral(place + 1 if place >= 0 else length + place + 1)
        slices = [x[place] for x in self.sequences]
        for leaf, x in zip(self.body.inputs[len(self.state) :], slices, strict=False):
            self._call(x.inputs[0], leaf.attrs["name"].removesuffix("_t"), number)
        given = dict(zip(self.body.inputs, [*self.state, *slices, *self.constants], strict=True))
        around = set(given.values())
        for node in self.body.graph.nodes:
            if not node.inputs and not node.op.is_leaf:
                given[node] = Node(node.op, (), node.attrs, node.type, node.provenance)
        results = substitute(self.body.results, dict(given))
        inside = dict.fromkeys(x for result in results for x in new_nodes(result, around))
        self.found.step_of.update(dict.fromkeys(inside, f"{self.of}step {number}"))
        self.state = results[: len(self.state)]
        for i, (leaf, value) in enumerate(zip(self.body.inputs, self.state, strict=False)):
            name = (wanted or {}).get(i)
            if value in inside and name:  # not what the body calls it, as each step's would be
                self.found.known.setdefault(value, name)
            elif value in inside:
                self._call(value, leaf.attrs["name"], number)
        for i, stack in stacks.items():
            if results[i] in inside:
                self._call(results[i], list(self.body.graph.outputs)[i], number)
            stack.append(results[i][None])

    def _middle(self, first: int, length: Dim, stacks: Mapping[int, list[Node]]) -> None:
        """Leave the steps between the first ones and the last to a loop."""
        between = slice(1, -first) if self.attrs["reverse"] else slice(first, -1)
        parts = [x[between] for x in self.sequences]
        attrs = {**self.attrs, "length": length - first - 1}
        loop = scan.make([*self.state, *parts, *self.constants], **attrs)
        before, after = first + 1, length - 1
        number = _numeral(after)
        if self.attrs["reverse"]:
            before, after, number = 2, length - first, "2"
        name = f"{self.of}steps {_numeral(before)} … {_numeral(after)}"
        inside = [*parts, loop]
        self.state = [item(loop, i) for i in range(len(self.state))]
        for leaf, value in zip(self.body.inputs, self.state, strict=False):
            self._call(value, leaf.attrs["name"], number)
        inside += self.state
        for i, stack in stacks.items():
            inside.append(item(loop, i))
            self._call(inside[-1], list(self.body.graph.outputs)[i], f"{_numeral(before)}…{number}")
            stack.append(inside[-1])
        self.found.step_of.update(dict.fromkeys(inside, name))

    def _call(self, node: Node, name: str, number: str) -> None:
        """Give a node of a step the name of its place: h1, h_T."""
        if node in self.found.known:
            return
        wanted = _at_step(name, number)
        while wanted in self.taken:
            wanted += "'"
        self.taken.add(wanted)
        self.found.known[node] = wanted
