"""What is computed, one variable a step? The trace of one evaluation, forward and then back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphc.differentiate.sweeps.reverse import cotangents
from graphc.draw.explorer.lineage import Stage
from graphc.draw.numbering import Numbering, numbered
from graphc.draw.traces.forward import forward_rows
from graphc.draw.traces.loops import with_single_results
from graphc.draw.traces.pieces import result
from graphc.draw.traces.reverse import increments
from graphc.draw.traces.scene import Row, Scene, in_order
from graphc.draw.traces.table import plain
from graphc.draw.values import Values
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.leaf import fill
from graphc.rewrite.engine.numbering import ValueNumbers

#: A longer evaluation has no stepper: nobody steps through thousands of variables.
MOST = 250

FORWARD, BACKWARD = "forward", "backward"


@dataclass(frozen=True)
class Step:
    """One row of the trace, and what it is about."""

    phase: str
    node: Node
    #: The nodes whose values (forward) or adjoints (backward) it reads.
    reads: tuple[Node, ...]
    #: The node of the stage that computes the adjoint, so that its line can be lit.
    adjoint: Node | None
    row: Row


@dataclass(frozen=True, eq=False)
class Steps:
    """All steps of an evaluation, and the number v0, v1, … of each variable, behind `letter`.

    Where there are no steps, `left_out` says why.
    """

    steps: tuple[Step, ...]
    number: Mapping[Node, int]
    letter: str = "v"
    left_out: str = ""


def steps_of(
    model: Graph,
    arrays: Mapping[Node, np.ndarray],
    sizes: Mapping[str, int],
    of: str | None,
    derived: Stage | None,
) -> Steps:
    """Return the steps that evaluate a graph and then derive its output `of`, if one is given.

    `derived` is the stage that holds the adjoints. Each result of a loop is one step.
    """
    single = with_single_results(model)
    numbering = numbered(single)
    if len(numbering.number) > MOST:
        many = f"{len(numbering.number):,} variables, and steps are shown up to {MOST}"
        return Steps((), {}, left_out=many)
    # A node that is built again over the single results of loops keeps its provenance.
    by_provenance = {node.provenance: node for node in model.nodes}
    original = {node: by_provenance[node.provenance] for node in single.nodes}
    values = {node: arrays[known] for node, known in original.items()}
    scene = Scene(numbering, Values(values, sizes))
    with np.errstate(all="ignore"):  # an infinity at this point is what the page has to show
        steps = _forward_steps(scene, original)
        if of is not None:
            steps += _backward_steps(scene, original, of, derived)
    places = numbering.number.items()  # an input that nothing reads has a number, and no node
    number = {original[node]: place for node, place in places if node in original}
    return Steps(tuple(steps), number, numbering.letter)


def _forward_steps(scene: Scene, original: Mapping[Node, Node]) -> list[Step]:
    nodes = in_order(scene, set(original))
    steps = []
    for node, row in zip(nodes, forward_rows(scene, nodes), strict=True):
        reads = tuple(original[x] for x in _operands(node, scene.numbering))
        steps.append(Step(FORWARD, original[node], reads, None, row))
    return steps


def _backward_steps(
    scene: Scene, original: Mapping[Node, Node], of: str, derived: Stage | None
) -> list[Step]:
    target = scene.numbering.graph.find(of)
    rows = increments(scene, in_order(scene, None), target)[::-1]
    nodes = [original[row.node] for row in rows if row.node is not None]
    known = _adjoints(original[target], nodes, derived) | _gradients(of, derived)
    steps = []
    for node, row in zip(nodes, rows, strict=True):
        reads = () if row.consumer is None else (original[row.consumer],)
        steps.append(Step(BACKWARD, node, reads, known.get(node), row))
    return steps


def _operands(node: Node, numbering: Numbering) -> tuple[Node, ...]:
    sources = dict.fromkeys(numbering.source(operand)[0] for operand in node.inputs)
    return tuple(source for source in sources if source in numbering.number)


def short_value(value: np.ndarray) -> str:
    """Return a value as it stands under a box: a number, or the norm of an array."""
    words = plain(result(value))
    _, _, norm = words.partition(", norm ")
    return f"‖·‖ {norm}" if norm else words


def answer_of(row: Row) -> tuple[float | None, bool]:
    """Return the number that the quiz asks for, if any, and whether it is an array's norm."""
    value = np.asarray(row.value)
    is_given = row.numbers is None and row.rule != "seed"
    if is_given or value.dtype.kind not in "fiu" or not value.size:
        return None, False
    number = float(value) if value.ndim == 0 else float(np.linalg.norm(value.astype(np.float64)))
    if not np.isfinite(number) or (value.ndim and value.dtype.kind != "f"):
        return None, False
    return number, value.ndim > 0


def _adjoints(of: Node, nodes: Sequence[Node], derived: Stage | None) -> dict[Node, Node]:
    """Return, for each variable, the node of the derived graph that computes its adjoint.

    Found by value: the adjoints of all variables, built again, are numbered with those there.
    """
    if derived is None:
        return {}
    number = ValueNumbers()
    there: dict[int, Node] = {}
    for node in derived.graph.nodes:
        there.setdefault(number(node), node)
    targets = list(dict.fromkeys(nodes))
    built = cotangents([of], [fill(1.0, (), of.dtype)], targets)
    found: dict[Node, Node] = {}
    for target, adjoint in zip(targets, built, strict=True):
        if adjoint is not None and number(adjoint) in there:
            found[target] = there[number(adjoint)]
    return found


def _gradients(of: str, derived: Stage | None) -> dict[Node, Node]:
    """Return the adjoints of inputs and parameters, which the derived graph puts out by name."""
    if derived is None:
        return {}
    graph = derived.graph
    named = {f"d_{of}_d_{name}": leaf for name, leaf in {**graph.inputs, **graph.params}.items()}
    return {named[name]: node for name, node in graph.outputs.items() if name in named}
