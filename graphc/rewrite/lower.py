"""Lower: composite and derived ops become ops that have a NumPy form of their own."""

from __future__ import annotations

from dataclasses import replace

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.ops.leaf import full
from graphc.ops.reduction.spread import behind_views
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import in_bodies
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.fixpoint import rewrite
from graphc.rewrite.engine.rule import Rule, rounding


def _lower(node: Node, facts: Facts) -> Node | None:
    lowered = node.op.lower(node)
    if lowered is None or lowered.op.is_leaf:
        return lowered
    provenance = node.provenance
    names = [operand.name for operand in node.inputs if operand.op is not full]
    if provenance.origin.note or not all(names):
        return lowered
    # Readers of the primitives are told which op they come from.
    shown = [operand.name or operand.op.label(operand, []) for operand in node.inputs]
    if node.op.moves_state:  # what is measured may move an average that it does not read
        read = set(topological([lowered]))
        shown = [name for name, x in zip(shown, node.inputs, strict=True) if x in read]
    origin = replace(lowered.provenance.origin, note=node.op.label(node, shown))
    provenance = replace(lowered.provenance, origin=origin)
    return Node(lowered.op, lowered.inputs, lowered.attrs, lowered.type, provenance)


LOWER = Rule(
    "lower",
    "softmax(z)",
    "exp(z - max(z))/sum(exp(z - max(z)))",
    "the op has no NumPy form of its own",
    apply=_lower,
    family="*",
    example="z: input(f64, 3, 4)\ny = softmax(z, axis=1)",
)


def _exact_shift(node: Node, facts: Facts) -> Node | None:
    """(log s + m) − t → log s + (m − t): m and t are large and cancel, log s keeps its digits."""
    left, right = node.inputs
    parts = _log_and_shift(left)
    if parts is not None:
        return OPS["add"](parts[0], OPS["subtract"](parts[1], right))
    parts = _log_and_shift(right)
    if parts is not None:
        return OPS["subtract"](OPS["subtract"](left, parts[1]), parts[0])
    return None


def _log_and_shift(node: Node) -> tuple[Node, Node] | None:
    """Return (log s, m) where a node is log s + m with the shift m of s, moved alike."""
    node, moves = behind_views(node)
    if node.op.name != "add":
        return None
    logarithm, shift = node.inputs
    if logarithm.op.name != "log" or not _is_sum(logarithm.inputs[0]) or not _is_max(shift):
        return None
    for move in reversed(moves):
        logarithm, shift = (move.op.make([x], **move.attrs) for x in (logarithm, shift))
    return logarithm, shift


def _is_sum(total: Node) -> bool:
    """Say whether a node is a sum, of products too, or such a sum and what stands in for none."""
    return (total.inputs[0] if total.op.name == "add" else total).op.name in ("sum", "einsum")


def _is_max(shift: Node) -> bool:
    """Say whether a node is a maximum, or a maximum with its infinities made 0."""
    while shift.op.name in ("stop_gradient", "reshape", "where"):
        shift = shift.inputs[1 if shift.op.name == "where" else 0]
    return shift.op.name == "max"


EXACT_SHIFT = rounding(
    "exact_shift",
    "(log(s) + max(z)) - t",
    "log(s) + (max(z) - t)",
    "large logits cancel first, so that the small logarithm keeps its digits",
    apply=_exact_shift,
    roots=("subtract",),
    operands=("add", "broadcast_to", "reshape"),
    example="z: input(f64, 3, 4)\ny = z - logsumexp(z, axis=1, keepdims=True)",
)


def lower(graph: Graph, became: dict[Node, Node] | None = None) -> Graph:
    """Return the graph in ops that have a NumPy form; equal helpers are shared where they arise.

    `became` receives, for each node of the graph that does not stay, the node in its place.
    """
    inner: dict[Node, Node] = {}
    outer: dict[Node, Node] = {}
    graph, _ = in_bodies(graph, lambda body: (lower(body), ()), inner)
    lowered, _ = rewrite(graph, (LOWER,), became=outer)
    if became is not None:
        became.update(outer)
        became.update((old, outer.get(new, new)) for old, new in inner.items())
    return lowered
