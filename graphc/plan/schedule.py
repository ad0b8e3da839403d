"""Order: forward, then backward, then update, each in the order a person would write it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from functools import partial

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, FORWARD, UPDATE
from graphc.ir.walk import topological
from graphc.ops.loop import Item
from graphc.plan.blocks import in_blocks
from graphc.plan.buffers import assign_buffers, storages
from graphc.plan.implicit import implicit_operands, written_as_numbers
from graphc.plan.loops import Loop, loops_of
from graphc.plan.program import BLOCKS, ON_DEMAND, Program, Run, Statement, ends_of_carries
from graphc.plan.samples import by_samples
from graphc.plan.shared_updates import shared_updates
from graphc.plan.whole_numbers import with_whole_numbers

_RANK = {block: rank for rank, block in enumerate(BLOCKS)}


def plan(
    graph: Graph,
    observed: Mapping[str, Node] | None = None,
    is_body: bool = False,
    stepwise: bool = False,
    derived: str | None = None,
) -> Program:
    """Return the program of a lowered graph: order, in-place updates and buffers.

    `observed` maps parameter names to their gradients, which stay readable at the end of the
    backward block. `derived` names the output that they are the gradients of: what it is computed
    from belongs to the forward block, even where that is a derivative itself. `is_body` says that
    the graph is the body of a loop: its parameters are carries, which take their next values as
    soon as nobody reads the old ones. `stepwise` is for a printer that writes a call for each
    statement, not expressions: a parameter's new value then grows in its array from step to step,
    and chains of pointwise work on arrays that may be large are gathered into loops over blocks,
    neither of them in a body; numbers that calls take sooner as arrays are arrays, there too.
    """
    seen = dict(observed or {})
    model = _model(graph, derived)
    if is_body:
        order = topological(graph.roots())
        block = dict.fromkeys(order, FORWARD)
    else:
        order, block = _order(graph, seen, model, draws_first=stepwise)
    numbers = written_as_numbers(order)
    needed = _needed(order, [*graph.roots(), *seen.values()], numbers)
    statements = [Statement(node, operands, block[node]) for node, operands in needed]
    loops = loops_of(order, partial(plan, is_body=True, stepwise=stepwise))
    storage = storages(statements, loops)
    last_block = FORWARD if is_body else UPDATE
    has_runs = stepwise and not is_body
    targets = _targets(graph, statements, storage, seen, loops, last_block, has_runs)
    statements = [
        replace(s, target=targets[s.node]) if s.node in targets else s for s in statements
    ]
    placed = set(targets.values())
    stores = {
        name: node
        for name, node in graph.updates.items()
        if name not in placed and node is not graph.params[name]
    }
    runs: dict[Node, Run] = {}
    if has_runs:
        read_at_last = {*graph.outputs.values(), *seen.values(), *stores.values()}
        statements, runs = by_samples(statements, read_at_last)
        if not runs:
            statements, runs = in_blocks(statements, read_at_last)
        ordered = Program(graph, tuple(statements), stores, seen, storage=storage, numbers=numbers)
        statements, shared = shared_updates(ordered, read_at_last)
        runs |= shared
    if stepwise:
        statements = with_whole_numbers(statements, runs)
    buffers, place = assign_buffers(graph, statements, storage, stores, seen, loops, runs)
    return Program(
        graph, tuple(statements), stores, seen, buffers, place, storage, numbers, loops, runs, model
    )


def execution_order(graph: Graph) -> list[Node]:
    """Return the nodes of a graph in the order in which its program computes them."""
    return _order(graph, {}, frozenset(), draws_first=True)[0]


def _model(graph: Graph, derived: str | None) -> frozenset[Node]:
    """Return the nodes that the output of this name is computed from."""
    return frozenset(topological([node for x, node in graph.outputs.items() if x == derived]))


def _order(
    graph: Graph, observed: Mapping[str, Node], model: Container[Node], draws_first: bool
) -> tuple[list[Node], dict[Node, str]]:
    """Return the nodes in execution order, and the block of each.

    Depth-first from the outputs; gradients are taken last parameter first, so that each is
    computed as soon as the sweep reaches its layer; draws come in the order of their making, all of
    them first unless they may stand where they are read; and numbers that several updates read
    before these.
    What leads to nothing but observed values is computed on demand: a table's gradient, where the
    update adds to the table's rows.
    """
    draws = sorted((n for n in graph.nodes if n.op.is_random), key=lambda n: n.attrs["draw"])
    outputs = list(graph.outputs.values())
    forward = [node for node in outputs if node.provenance.phase == FORWARD]
    later = [node for node in [*outputs, *observed.values()] if node.provenance.phase != FORWARD]
    steps = [*_shared_numbers(graph), *graph.updates.values()]
    # A gradient that is zero everywhere is a constant, of no phase and perhaps of no other use.
    roots = [*forward, *reversed(later), *_frontier(graph), *steps, *observed.values()]
    nodes = topological(roots)
    met = [node for node in nodes if node.op.is_random]
    if draws_first or any(a is not b for a, b in zip(met, draws, strict=False)):
        nodes = topological([*draws, *roots])
    early, late = _shown(graph), _next_values(graph, nodes, observed)
    always = set(graph.nodes)
    rank: dict[Node, int] = {}
    for node in nodes:
        own = _RANK[UPDATE if node in late else node.provenance.phase]
        own = own if node in always else _RANK[ON_DEMAND]
        if node.op.is_random or node.op.is_leaf or node in early or node in model:
            own = 0
        rank[node] = max([own, *[rank[operand] for operand in node.inputs]])
    ordered = sorted(nodes, key=rank.__getitem__)
    return ordered, {node: BLOCKS[rank[node]] for node in ordered}


def _shown(graph: Graph) -> set[Node]:
    """Return the views through which outputs show memory; they exist before anything changes."""
    shown: set[Node] = set()
    for node in graph.outputs.values():
        while node.op.is_view and node not in shown:
            shown.add(node)
            node = node.inputs[0]
    return shown


def _next_values(graph: Graph, nodes: list[Node], observed: Mapping[str, Node]) -> set[Node]:
    """Return the updates that nothing else needs: they belong to the update block anyway.

    So does what only they need, and what they make of parameters directly: in `0.9*T + 0.1*W`, T
    is to be multiplied in place, after all that may fail.
    """
    needed = {operand for node in nodes for operand in node.inputs}
    needed.update(graph.outputs.values(), observed.values())
    late = {node for node in graph.updates.values() if node not in needed}
    if not late:
        return late
    elsewhere = {operand for node in nodes if node not in late for operand in node.inputs}
    elsewhere.update(graph.outputs.values(), graph.updates.values(), observed.values())
    below = {operand for node in late for operand in node.inputs} - elsewhere
    return late | {node for node in below if not any(x.inputs for x in node.inputs)}


def _needed(
    order: list[Node], roots: list[Node], numbers: frozenset[Node]
) -> list[tuple[Node, tuple[Node, ...]]]:
    """Return the nodes that need a statement, with the operands that each takes."""
    needed = set(roots)
    taken: list[tuple[Node, tuple[Node, ...]]] = []
    for node in reversed(order):
        if node in needed:
            operands = implicit_operands(node, numbers)
            needed.update(operands)
            taken.append((node, operands))
    return taken[::-1]


def _frontier(graph: Graph) -> list[Node]:
    """Return the values of the backward block that the update block reads, last first."""
    if not graph.updates:
        return []
    found: dict[Node, None] = {}
    for node in graph.nodes:
        if node.provenance.phase == UPDATE:
            for operand in node.inputs:
                if operand.provenance.phase == BACKWARD:
                    found[operand] = None
    return list(reversed(found))


def _shared_numbers(graph: Graph) -> list[Node]:
    """Return the single numbers of the update block that several parameters' updates read."""
    several = ""
    reader = {graph.updates[name]: name for name in graph.trainable if name in graph.updates}
    for node in reversed(graph.nodes):
        if node in reader and node.provenance.phase == UPDATE:
            for x in node.inputs:
                reader[x] = reader[node] if reader.get(x, reader[node]) == reader[node] else several
    numbers = [x for x in graph.nodes if x.provenance.phase == UPDATE and not x.shape]
    return [x for x in numbers if reader.get(x) == several]


def _targets(
    graph: Graph,
    statements: Sequence[Statement],
    storage: Mapping[Node, Node],
    observed: Mapping[str, Node],
    loops: Mapping[Node, Loop],
    last_block: str,
    stepwise: bool,
) -> dict[Node, str]:
    """Return the nodes that may be written straight into the parameter they update.

    The old value must not be read any more: by a later statement, through a view of it, or by
    another parameter's update that is this very memory (`{"a": 2 * a, "b": a}`). `stepwise`, so
    may what the new value is made of in place: `m *= 0.9; m += t` for 0.9 m + t.
    """
    position = {s.node: i for i, s in enumerate(statements) if s.block == last_block}
    last_read: dict[Node, int] = {}
    uses = Counter(graph.updates.values())
    for i, statement in enumerate(statements):
        for operand in statement.operands:
            last_read[storage.get(operand, operand)] = i
            uses[operand] += 1
    for node in graph.updates.values():
        if node.op.is_leaf or node.op.is_view or isinstance(node.op, Item):
            last_read[storage.get(node, node)] = len(statements)
    for last, first in ends_of_carries(loops):
        base = storage.get(first, first)
        last_read[base] = max(last_read.get(base, -1), last_read.get(storage.get(last, last), -1))
    kept = {*graph.outputs.values(), *observed.values()}
    targets: dict[Node, str] = {}
    for name, node in graph.updates.items():
        is_computed = bool(node.inputs) or node.op.is_random
        is_computed = is_computed and not isinstance(node.op, Item)  # written with its loop
        if node in kept or node in targets or node.op.is_view or not is_computed:
            continue
        writes = [write for write in _successive_writes(node, uses, kept) if write in position]
        read_at = last_read.get(graph.params[name], -1)
        if not writes or read_at > position[writes[-1]]:
            continue
        targets.update(dict.fromkeys(writes, name))
        if stepwise and 0 <= read_at < position[writes[-1]]:
            reader = statements[read_at].node
            if reader in position and _becomes(
                reader, statements[position[writes[-1]]], uses, kept
            ):
                targets[reader] = name
    return targets


def _becomes(
    reader: Node, statement: Statement, uses: Mapping[Node, int], kept: Container[Node]
) -> bool:
    """Say whether a statement overwrites what a parameter's last reader makes, and reads it alone.

    That value then stands in the parameter's array before, as the next one does after it.
    """
    node = statement.node
    is_array = not (reader.op.is_view or reader.op.accumulates) and reader.type == node.type
    is_overwritten = any(statement.operands[i] is reader for i in node.op.reuses(node))
    return is_array and is_overwritten and uses[reader] == 1 and reader not in kept


def _successive_writes(node: Node, uses: Mapping[Node, int], kept: Container[Node]) -> list[Node]:
    """Return the values that arise from one another by writing something into them, last first."""
    writes = [node]
    while writes[-1].op.accumulates:
        base = writes[-1].inputs[0]
        if not base.op.accumulates or base in kept or uses[base] > 1:
            break
        writes.append(base)
    return writes
