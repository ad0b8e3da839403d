"""What does a module add to the derivatives of its operands? A formula over its own variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

from graphc.differentiate.formulas.symbolic import Branch, derivative, symbol, tree_of
from graphc.differentiate.formulas.text import tree_text
from graphc.differentiate.sweeps.forward import is_derived_from_formula
from graphc.differentiate.sweeps.reverse import cotangents
from graphc.draw.formula import is_product
from graphc.draw.silent import bare, is_silent
from graphc.draw.traces.chain import (
    added,
    is_linear,
    number_of,
    over_stand_ins,
    partial_node,
    partial_of,
    rescaled,
    stand_in,
    tidied,
    without_sign,
)
from graphc.draw.traces.loops import in_a_word
from graphc.draw.traces.modules import Module
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.walk import new_nodes, reaching, substitute, topological
from graphc.ops import OPS
from graphc.ops.elementwise.algebras import NODES
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import is_fill
from graphc.rewrite.contract.contractions import CONTRACTIONS
from graphc.rewrite.engine.fixpoint import rewrite

_TRANSPOSES = tuple(rule for rule in CONTRACTIONS if rule.name.startswith("transposed_"))
#: From so many ops on, a derivative that was built step by step is compared with that of the whole.
_LONG = 6


def contributions(
    module: Module, seed: Node, wanted: Iterable[Node], expanded: bool
) -> dict[Node, Node]:
    """Return what a module whose root has the adjoint `seed` sends to each of its operands.

    The formulas are those that a reader would write: without guards for what is infinite.
    `expanded` writes derivatives over the operands, not through the op's own output.
    """
    operands = list(wanted)
    # Leaves stand for the operands and for the result: what those are made of is not looked into.
    leaves = {x: stand_in(f"operand{i}", x) for i, x in enumerate(module.operands)}
    result = stand_in("result", module.meaning)
    (meaning,) = substitute([module.meaning], leaves)
    nodes = new_nodes(meaning, set(leaves.values()))
    active = reaching(nodes, [leaves[x] for x in operands])
    parts: dict[Node, list[Node]] = {meaning: [seed]}
    for node in reversed(nodes):
        if node not in parts:
            continue
        adjoint = _total(parts[node])
        if adjoint is not seed and without_sign(adjoint) is None and _is_built(node):
            return _of_stable_form(meaning, seed, {x: leaves[x] for x in operands}, leaves)
        for index, operand in enumerate(node.inputs):
            if operand in active and node.op.is_differentiable(node, index):
                output = result if node is meaning else node
                part = _part(node, index, adjoint, adjoint is seed, expanded, output)
                if part is not None:
                    parts.setdefault(operand, []).insert(0, part)
    places = {leaf: operand for operand, leaf in leaves.items()}
    places |= {meaning: module.meaning, result: module.meaning}
    found = {x: parts[leaves[x]] for x in operands if leaves[x] in parts}
    sent = dict(zip(found, _untransposed(map(_total, found.values())), strict=True))
    lengths = {x: _length(part) for x, part in sent.items()}  # the result is one word in them
    sent = {x: substitute([part], places)[0] for x, part in sent.items()}
    is_short = all(len(parts) < 2 for parts in found.values())
    if expanded or (is_short and all(length < _LONG for length in lengths.values())):
        return sent
    # On several or long ways a derivative may fall into parts that cancel: (σ(s) - t)/N is one.
    whole = _of_stable_form(meaning, seed, {x: leaves[x] for x in sent}, leaves)
    return {
        x: whole[x] if x in whole and 1.5 * _length(whole[x]) < lengths[x] else part
        for x, part in sent.items()
    }


def _untransposed(built: Iterable[Node]) -> list[Node]:
    """Return formulas in which a product reads U where it read the transpose of Uᵀ."""
    outputs = {f"{i}": node for i, node in enumerate(built)}
    if not outputs:
        return []  # a mask sends nothing back to what it compares
    return list(rewrite(Graph(outputs, warns=False), _TRANSPOSES)[0].outputs.values())


def _length(root: Node) -> int:
    """Return how many ops are written in a formula."""
    return sum(bool(node.inputs) and not is_silent(node) for node in topological([root]))


def _negative(node: Node) -> Node:
    """Return -node; a difference is turned around."""
    if node.op is OPS["subtract"]:
        return OPS["subtract"](*reversed(node.inputs))
    unsigned = without_sign(node)
    return OPS["negative"](node) if unsigned is None else unsigned


def _total(parts: Sequence[Node]) -> Node:
    """Return the sum of parts, one without a minus sign first."""
    first = next((i for i, part in enumerate(parts) if without_sign(part) is None), 0)
    return reduce(added, [parts[first], *parts[:first], *parts[first + 1 :]])


def _part(
    node: Node, index: int, adjoint: Node, is_seed: bool, expanded: bool, output: Node
) -> Node | None:
    if is_derived_from_formula(node.op):
        partial = partial_of(node, index)
        if partial.is_zero:
            return None
        text = direct_derivative(node.op, index) if expanded and can_expand(node) else None
        factor = partial_node(node, partial, text, output)
        positive = without_sign(adjoint)
        if positive is None:
            return _scaled(adjoint, factor, is_seed)
        return _negative(_scaled(positive, factor, is_seed))
    transposed = node.op.transpose(node, adjoint, index)
    if transposed is not None:
        return transposed
    positive = without_sign(adjoint)
    if positive is None:
        return _by_reverse_mode(node, index, adjoint)
    sent = _by_reverse_mode(node, index, positive)
    return None if sent is None else _negative(sent)


def _scaled(adjoint: Node, partial: Node | float, is_seed: bool) -> Node:
    """Return adjoint times partial; numbers are multiplied, and a factor of 1 is left out."""
    number = _number_of(partial)
    if number is not None:
        if number == 1:
            return adjoint
        if number > 0 and round(number, 4) != number and (1 / number).is_integer():
            return OPS["divide"](adjoint, 1 / number)  # a third is no decimal number
        known = rescaled(adjoint, number)
        if known is not None:
            return known
        return OPS["negative"](adjoint) if number == -1 else OPS["multiply"](number, adjoint)
    assert isinstance(partial, Node)
    scale = number_of(partial.inputs[0]) if is_product(partial) else None
    known = None if scale is None else rescaled(adjoint, scale)
    if known is not None:
        adjoint, partial = known, partial.inputs[1]
    filled = number_of(bare(adjoint))  # it may have been broadcast
    if filled == 1:
        return partial
    if filled == -1:
        return OPS["negative"](partial)
    if is_fill(partial):
        return OPS["multiply"](partial, adjoint)
    is_inverse = partial.op is OPS["divide"] and is_fill(partial.inputs[0], 1)
    if is_inverse and not is_seed:
        return OPS["divide"](adjoint, partial.inputs[1])
    return OPS["multiply"](adjoint, partial)


def _number_of(partial: Node | float) -> float | None:
    """Return the number that a partial is, 1/2 included."""
    if not isinstance(partial, Node):
        return partial
    operands = [number_of(x) for x in partial.inputs] if partial.op is OPS["divide"] else []
    if operands and all(x is not None for x in operands):
        return float(operands[0] or 0) / float(operands[1] or 1)
    return number_of(partial)


def _by_reverse_mode(node: Node, index: int, adjoint: Node) -> Node | None:
    """Return what reverse mode builds for an op that is not linear, over the node's operands."""
    operands, again = over_stand_ins(node)
    seed, result = stand_in("seed", node), stand_in("result", node)
    (sent,) = cotangents([again], [seed], [operands[index]])
    if sent is None:
        return None
    sent = in_a_word("backward", node, sent, [seed], operands, operands[index])
    (sent,) = tidied(substitute([sent], {again: result}))
    actual = dict(zip(operands, node.inputs, strict=True)) | {result: node, seed: adjoint}
    return substitute([sent], actual)[0]


def _is_built(node: Node) -> bool:
    """Say whether the derivative through a node has neither a formula nor is it a transpose."""
    return not is_derived_from_formula(node.op) and not is_linear(node)


def _of_stable_form(
    meaning: Node, seed: Node, wanted: Mapping[Node, Node], leaves: Mapping[Node, Node]
) -> dict[Node, Node]:
    """Return what a formula sends, derived in one piece: (softmax(z) - y)/N of a cross-entropy."""
    (stable,) = tidied([meaning])
    found = cotangents([stable], [seed], list(wanted.values()))
    sent = {x: part for x, part in zip(wanted, found, strict=True) if part is not None}
    places = {leaf: operand for operand, leaf in leaves.items()}
    return dict(zip(sent, substitute(tidied(list(sent.values())), places), strict=True))


# -- written out -------------------------------------------------------------------------------


def can_expand(node: Node) -> bool:
    """Say whether an op is known by a name and defined by a formula of others: the sigmoid."""
    op = node.op
    if not isinstance(op, Pointwise) or op.is_primitive or op.arity != 1 or op.is_view:
        return False
    return not isinstance(tree_of(op.formula, {op.args[0]: symbol(op.args[0])}), Branch)


def direct_derivative(op: Op, index: int) -> str:
    """Return the derivative of an op's formula over its arguments: `exp(-x)/(1 + exp(-x))**2`."""
    assert isinstance(op, Pointwise)
    variables = {name: symbol(name) for name in op.args}
    tree = tree_of(op.formula, variables)
    return tree_text(derivative(tree, variables[op.args[index]]))


def written_out(module: Module) -> Node:
    """Return a module's root with such ops replaced by their formulas."""
    again: dict[Node, Node] = {}
    for node in module.nodes:
        inputs = [again.get(operand, operand) for operand in node.inputs]
        if can_expand(node):
            assert isinstance(node.op, Pointwise)
            again[node] = evaluate_formula(node.op.formula, {node.op.args[0]: inputs[0]}, NODES)
        else:
            again[node] = node.op.make(inputs, **node.attrs) if node.inputs else node
    return again[module.root]
