"""The passes in order, and what each level of optimization runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.rewrite.contract.contractions import COMMON_OPERAND, CONTRACTIONS
from graphc.rewrite.contract.convolution import CONVOLUTIONS, POOLING, POOLING_GRADIENTS
from graphc.rewrite.contract.one_hot import ONE_HOT
from graphc.rewrite.contract.pointwise_convolution import POINTWISE_CONVOLUTIONS
from graphc.rewrite.engine.bodies import has_loops
from graphc.rewrite.engine.fixpoint import Memory
from graphc.rewrite.engine.passes import Pass
from graphc.rewrite.engine.rule import Firing, History, PassRecord, Rule
from graphc.rewrite.loops.hoist import HOIST, SINK, hoist_before_loops, sink_behind_loops
from graphc.rewrite.loops.loop_results import LAST_STATE, PRUNE, prune_loops
from graphc.rewrite.loops.merge_loops import MERGE_LOOPS, merge_loops
from graphc.rewrite.loops.read_from_steps import READ, read_from_steps
from graphc.rewrite.loops.split_products import PRODUCTS_OF_PIECES, SPLIT, split_products
from graphc.rewrite.loops.steady_terms import GATHER, gather_steady_terms
from graphc.rewrite.lower import EXACT_SHIFT, LOWER
from graphc.rewrite.simplify.adjoints import ADJOINTS
from graphc.rewrite.simplify.arithmetic import ARITHMETIC
from graphc.rewrite.simplify.extremes import EXTREMES
from graphc.rewrite.simplify.fold_constants import FOLD
from graphc.rewrite.simplify.hinges import HINGES, HINGES_BY_CLIP
from graphc.rewrite.simplify.merge_common import MERGE, merge_common
from graphc.rewrite.simplify.movement import MOVEMENT
from graphc.rewrite.simplify.pieces import PIECES
from graphc.rewrite.simplify.reduce_once import ONCE, reduce_once
from graphc.rewrite.simplify.reductions import REDUCTIONS
from graphc.rewrite.simplify.remove_dead import DEAD, remove_dead
from graphc.rewrite.simplify.shares import SHARES
from graphc.rewrite.simplify.signs import SIGNS_OF_FACTORS
from graphc.rewrite.simplify.square_exponentials import SQUARE, square_exponentials
from graphc.rewrite.specialize import SPECIALIZE
from graphc.rewrite.speed.borders import BORDERS
from graphc.rewrite.speed.channels_first import CONVOLVE, KEEP_ORDER, channels_first
from graphc.rewrite.speed.cheapest import SPEED
from graphc.rewrite.speed.lay_apart import APART, lay_apart
from graphc.rewrite.speed.overflow import OVERFLOW
from graphc.rewrite.speed.packed_products import PACKED_PRODUCTS
from graphc.rewrite.speed.scale_smaller import SCALE, scale_smaller
from graphc.rewrite.speed.share_exponentials import SHARE, share_exponentials
from graphc.rewrite.speed.short_rows import ROWS, copy_short_rows
from graphc.rewrite.speed.side_by_side import EMIT_WHOLE, JOIN, emit_whole, join_slices
from graphc.rewrite.speed.small_factors import SMALL_FACTORS
from graphc.rewrite.speed.small_terms import SMALL_TERMS
from graphc.rewrite.speed.table_rows import TABLE_ROWS
from graphc.rewrite.speed.turn_weights import TURN, turn_weights
from graphc.rewrite.speed.turned_filters import TURNED_FILTERS
from graphc.rewrite.speed.two_slopes import TWO_SLOPES
from graphc.rewrite.stabilize.early_movement import MOVES_BEFORE_ARITHMETIC
from graphc.rewrite.stabilize.exponentials import (
    EXPONENTIALS_OF_ANY_BASE,
    QUOTIENTS_OF_EXPONENTIALS,
)
from graphc.rewrite.stabilize.linear_algebra import LINEAR_ALGEBRA
from graphc.rewrite.stabilize.logarithms import LOGARITHM_MOVES
from graphc.rewrite.stabilize.logarithms_of_powers import LOGARITHMS_OF_POWERS
from graphc.rewrite.stabilize.normal_values import NORMAL_VALUES
from graphc.rewrite.stabilize.removable_quotients import REMOVABLE_QUOTIENTS
from graphc.rewrite.stabilize.small_differences import ROOTS_LESS_NUMBERS, SHARES_BY_TANH
from graphc.rewrite.stabilize.softmax import SOFTMAX
from graphc.rewrite.stabilize.softmax_over_edges import SOFTMAX_OVER_EDGES
from graphc.rewrite.stabilize.stable_formulas import STABLE_FORMULAS
from graphc.rewrite.stabilize.unit_vectors import UNIT_VECTORS

SIMPLIFY = (
    *ARITHMETIC,
    *MOVEMENT,
    *REDUCTIONS,
    *POOLING,
    *EXTREMES,
    *ADJOINTS,
    *SHARES,
    *HINGES,
    *PIECES,
    *SIGNS_OF_FACTORS,
    LAST_STATE,
    *UNIT_VECTORS,  # these two here, too: before a sum of x/norm(x) divides behind it
    *REMOVABLE_QUOTIENTS,
)
STABILIZE = (
    *UNIT_VECTORS,
    *NORMAL_VALUES,
    *LOGARITHM_MOVES,
    *LOGARITHMS_OF_POWERS,
    *EXPONENTIALS_OF_ANY_BASE,
    *STABLE_FORMULAS,
    *ROOTS_LESS_NUMBERS,
    *SHARES_BY_TANH,
    *SOFTMAX,
    *SOFTMAX_OVER_EDGES,
    *QUOTIENTS_OF_EXPONENTIALS,
    *REMOVABLE_QUOTIENTS,
    *MOVES_BEFORE_ARITHMETIC,
    *LINEAR_ALGEBRA,
)


SIMPLIFY_PASS = Pass(
    "simplify", "Remove what does nothing; bring the rest to normal form", helpers=SIMPLIFY
)
STABILIZE_PASS = Pass(
    "stabilize", "Replace expressions that overflow, underflow or cancel", STABILIZE, SIMPLIFY
)
FOLD_PASS = Pass("fold", "Compute what no input changes", FOLD, SIMPLIFY)
MERGE_PASS = Pass("merge common", "Compute equal expressions once", (MERGE,), numbered=merge_common)
CONTRACT_PASS = Pass(
    "contractions",
    "Make products and sums one contraction",
    (*CONTRACTIONS, *PRODUCTS_OF_PIECES, *ONE_HOT),
    SIMPLIFY,
)
COMMON_PASS = Pass(
    "common operands",
    "Multiply once what two products share, now that nothing stops gradients",
    (COMMON_OPERAND,),
)
CONVOLVE_PASS = Pass(
    "convolutions",
    "Make products of windows products of matrices",
    (*POINTWISE_CONVOLUTIONS, *CONVOLUTIONS),
    SIMPLIFY,
)
CHANNELS_PASS = Pass(
    "channels first",
    "Convolve by chunks of columns, and keep the order of axes that suits them",
    (CONVOLVE, KEEP_ORDER),
    whole=channels_first,
)
SPECIALIZE_PASS = Pass("specialize", "Choose the cheapest op for each value", SPECIALIZE)
LOWER_PASS = Pass("lower", "Write composite ops in ops that NumPy has", (LOWER, EXACT_SHIFT))
ONCE_PASS = Pass("reduce once", "Add up once what sums share", (ONCE,), numbered=reduce_once)
FAST = (
    *SMALL_FACTORS,
    *SMALL_TERMS,
    *SPEED,
    *HINGES_BY_CLIP,
    *TWO_SLOPES,
    *PACKED_PRODUCTS,
    *TABLE_ROWS,
    *BORDERS,
    *OVERFLOW,
    *POOLING_GRADIENTS,
    *TURNED_FILTERS,
)
SPEED_PASS = Pass("for speed", "Choose what NumPy computes fastest", FAST, MOVEMENT)
ROWS_PASS = Pass(
    "short rows",
    "Copy short rows that many calls read",
    (ROWS,),
    whole=copy_short_rows,
)
JOIN_PASS = Pass("side by side", "Do at once what several slices need", (JOIN,), whole=join_slices)
EMIT_PASS = Pass("emit whole", "Stack an array, not its slices", (EMIT_WHOLE,), whole=emit_whole)
APART_PASS = Pass(
    "lay apart",
    "Write one behind the other what is read in slices side by side",
    (APART,),
    whole=lay_apart,
)
TURN_PASS = Pass(
    "turn weights", "Lay out by columns what loops read so", (TURN,), whole=turn_weights
)
SCALE_PASS = Pass(
    "scale the smaller",
    "Multiply a factor by a number, not the product",
    (SCALE,),
    whole=scale_smaller,
)
SQUARE_PASS = Pass(
    "square exponentials", "Square rather than exponentiate", (SQUARE,), whole=square_exponentials
)
SHARE_PASS = Pass(
    "share exponentials", "Divide rather than exponentiate", (SHARE,), whole=share_exponentials
)
DEAD_PASS = Pass("remove dead", "Drop what changes nothing", (DEAD,), whole=remove_dead)

PRUNE_PASS = Pass("prune loops", "Carry, take and emit what is read", (PRUNE,), whole=prune_loops)

SINK_PASS = Pass(
    "sink behind loops",
    "Compute after a loop, at once, what no carry waits for",
    (SINK,),
    whole=sink_behind_loops,
)
HOIST_PASS = Pass(
    "hoist before loops",
    "Compute before a loop, at once, what no carry enters",
    (HOIST,),
    whole=hoist_before_loops,
)

LOOP_PASSES = (
    PRUNE_PASS,
    Pass("split products", "Multiply apart what no carry enters", (SPLIT,), whole=split_products),
    Pass(
        "gather steady terms",
        "Add terms that no carry enters first",
        (GATHER,),
        whole=gather_steady_terms,
    ),
    SINK_PASS,
    HOIST_PASS,
    PRUNE_PASS,
    SIMPLIFY_PASS,
    FOLD_PASS,
    MERGE_PASS,
    CONTRACT_PASS,
)
READ_PASS = Pass(
    "read from steps",
    "Emit what steps compute rather than compute it again",
    (READ,),
    numbered=read_from_steps,
)
MERGE_LOOPS_PASS = Pass(
    "merge loops", "Go through the same states once", (MERGE_LOOPS,), numbered=merge_loops
)


def _for_loops(*passes: Pass) -> tuple[Pass, ...]:
    """Return the passes as they run in graphs with loops alone."""
    return tuple([replace(step, is_for_loops=True) for step in passes])


def _for_speed(*passes: Pass) -> tuple[Pass, ...]:
    """Return the passes as they run in style `fast` alone."""
    return tuple([replace(step, is_for_speed=True) for step in passes])


#: What runs on the forward graph before it is differentiated. A loop that makes probabilities, and
#: their logarithm behind it, are stable together: what no carry waits for leaves the loop first.
FORWARD_PASSES = (
    SIMPLIFY_PASS,
    MERGE_PASS,
    *_for_loops(SINK_PASS, HOIST_PASS, PRUNE_PASS),
    STABILIZE_PASS,
    MERGE_PASS,
)

#: What runs on the whole graph in style `fast`.
FAST_PASSES = (
    *_for_loops(MERGE_LOOPS_PASS),
    SIMPLIFY_PASS,
    STABILIZE_PASS,
    FOLD_PASS,
    MERGE_PASS,
    CONTRACT_PASS,
    *_for_loops(*LOOP_PASSES),
    *_for_speed(CHANNELS_PASS),
    CONVOLVE_PASS,
    SPECIALIZE_PASS,
    LOWER_PASS,
    MERGE_PASS,
    COMMON_PASS,
    *_for_loops(READ_PASS, PRUNE_PASS),
    SQUARE_PASS,
    MERGE_PASS,
    ONCE_PASS,
    SIMPLIFY_PASS,
    FOLD_PASS,
    MERGE_PASS,
    *_for_speed(JOIN_PASS),
    *_for_loops(EMIT_PASS),
    *_for_speed(*_for_loops(MERGE_PASS, APART_PASS, TURN_PASS), MERGE_PASS, SPEED_PASS),
    *_for_speed(*_for_loops(PRUNE_PASS), ROWS_PASS, SCALE_PASS, MERGE_PASS, SHARE_PASS),
    DEAD_PASS,
)

#: What runs on it in style `readable`.
PASSES = tuple(step for step in FAST_PASSES if not step.is_for_speed)

#: Every rule of style readable once, in the order in which they come into play.
ALL_RULES: tuple[Rule, ...] = tuple(
    dict.fromkeys(rule for step in PASSES for rule in (*step.rules, *step.helpers))
)


def optimize(graph: Graph, level: int = 2, style: str = "readable") -> Graph:
    """Return a better graph of the same meaning; `.history` says what each pass did and why.

    Level 0 changes nothing; 1 keeps every bit (up to the sign of a zero); 2, the default, also
    stabilizes and reassociates; 3 also assumes that no infinity or NaN is met. For style "fast",
    the ops are chosen that NumPy computes fastest.
    """
    return run_passes(graph, FAST_PASSES if style == "fast" else PASSES, level)


def stabilize_forward(graph: Graph, level: int = 2) -> Graph:
    """Return the form that is differentiated: the gradient of a stable form is stable."""
    return run_passes(graph, FORWARD_PASSES, level, is_to_be_derived=True)


def run_passes(
    graph: Graph, passes: Sequence[Pass], level: int, is_to_be_derived: bool = False
) -> Graph:
    """Return what the passes of a level make of a graph, one after the other.

    Rules that move a kink wait until a graph has been differentiated.
    """
    if level not in (0, 1, 2, 3):
        raise GraphError("no such optimization level", got=repr(level), expected="0, 1, 2 or 3")
    if level == 0:
        return graph

    is_stabilized = any(record.name == STABILIZE_PASS.name for record in graph.history)

    def allowed(rule: Rule) -> bool:
        if (rule.moves_kink and is_to_be_derived) or (rule.spares_blends and is_stabilized):
            return False  # what it spared before the derivative is now read for that, too
        return rule.level <= level

    records = list(graph.history)
    current = graph
    memory = Memory()
    left_alone: dict[str, Graph] = {}  # by each pass, so that it need not look again
    for step in passes:
        if step.level > level or (step.is_for_loops and not has_loops(current)):
            continue
        became: dict[Node, Node] = {}
        following: Graph = current
        firings: tuple[Firing, ...] = ()
        if left_alone.get(step.name) is not current:
            following, firings = step.apply(current, allowed, memory, became)
        if following is current:
            left_alone[step.name] = current
        records.append(PassRecord(step.name, step.title, current, following, firings, became))
        current = following
    return current.with_outputs(current.outputs, current.updates, history=History(records))
