"""One link of the chain rule: what a derivative sends to its operands, or gets from them.

Links are small graphs over the variables themselves and over stand-ins for derivatives, so that the
same link is written with names and with numbers. Their partials are those of
`graphc.differentiate`; nothing here knows an op by name.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphc.differentiate.formulas.local import Partial, specialized
from graphc.differentiate.sweeps.forward import is_derived_from_formula, tangents
from graphc.differentiate.sweeps.reverse import cotangents
from graphc.draw.formula import is_product
from graphc.draw.numbering import Use
from graphc.draw.traces.loops import in_a_word
from graphc.draw.values import Values
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.walk import substitute
from graphc.ops import OPS
from graphc.ops.elementwise.algebras import ARRAYS, NODES
from graphc.ops.elementwise.formula import evaluate_formula, parse_formula
from graphc.ops.elementwise.pointwise import OUTPUT, Pointwise
from graphc.ops.leaf import is_fill
from graphc.rewrite.pipeline import stabilize_forward


@dataclass(frozen=True, eq=False)
class Link:
    """A part of a derivative: how it is written, over which stand-ins, and its value."""

    root: Node
    #: Stand-ins for the consumer and its operands, where the formula is not over them themselves.
    stand_ins: Mapping[Node, Node]
    value: np.ndarray


def stand_in(name: str, like: Node) -> Node:
    """Return a leaf of a node's type."""
    return OPS["input"](name, like.shape, like.dtype)


def over_stand_ins(node: Node) -> tuple[list[Node], Node]:
    """Return stand-ins for a node's operands, and the node over them."""
    operands = [
        operand if is_fill(operand) else stand_in(f"operand{i}", operand)
        for i, operand in enumerate(node.inputs)
    ]
    return operands, node.op.make(operands, **node.attrs)


# -- reverse mode ------------------------------------------------------------------------------


def sent_back(
    consumer: Node, uses: Sequence[Use], adjoint: Node, value: np.ndarray, point: Values
) -> list[Link]:
    """Return what a consumer whose adjoint is known sends back through each use of an operand."""
    indices = [use.index for use in uses]
    if is_derived_from_formula(consumer.op):
        links = [_adjoint_times_partial(consumer, i, adjoint, value, point) for i in indices]
    else:
        links = _transposed(consumer, indices, adjoint, value, point)
    return [_past(use.silent, link, point) for use, link in zip(uses, links, strict=True)]


def _past(silent: Sequence[Node], link: Link, point: Values) -> Link:
    """Return the link behind what adapts a variable: a broadcast is summed, a cast undone."""
    root, array = link.root, link.value
    for node in reversed(silent):
        below, seed = stand_in("below", node.inputs[0]), stand_in("seed", node)
        again = node.op.make([below], **node.attrs)
        known = {seed: array, below: point.arrays[node.inputs[0]]}
        array = point.of(_cotangent(again, seed, below), known)
        root = _cotangent(again, root, below)
    return Link(root, link.stand_ins, array)


def _cotangent(root: Node, seed: Node, operand: Node) -> Node:
    (found,) = cotangents([root], [seed], [operand])
    assert found is not None, "a use through which no derivative flows is no use"
    return found


def _adjoint_times_partial(
    consumer: Node, index: int, adjoint: Node, value: np.ndarray, point: Values
) -> Link:
    partial = partial_of(consumer, index)
    number = partial_value(consumer, partial, point)
    root = _times(adjoint, partial_node(consumer, partial), consumer)
    return Link(root, {}, scaled(value, number).astype(value.dtype))


def _transposed(
    consumer: Node, indices: Sequence[int], adjoint: Node, value: np.ndarray, point: Values
) -> list[Link]:
    """Return the contributions that reverse mode builds for one node over stand-ins."""
    operands, again = over_stand_ins(consumer)
    result = stand_in("result", consumer)
    shown = dict(zip(operands, consumer.inputs, strict=True)) | {result: consumer}
    known = {leaf: point.arrays[node] for leaf, node in shown.items()} | {adjoint: value}
    links = []
    for i, sent in zip(
        indices, cotangents([again], [adjoint], [operands[i] for i in indices]), strict=True
    ):
        root = OPS["full"](operands[i].shape, 0, operands[i].dtype) if sent is None else sent
        root = in_a_word("backward", consumer, root, [adjoint], operands, operands[i])
        (root,) = substitute([root], {again: result})
        if not is_linear(consumer):
            (root,) = tidied([root])
        links.append(Link(root, shown, point.of(root, known)))
    return links


def is_linear(node: Node) -> bool:
    """Say whether an op is a linear map of one of its operands, and so states its transpose."""
    seed = stand_in("seed", node)
    return any(node.op.transpose(node, seed, i) is not None for i in range(len(node.inputs)))


def tidied(built: Sequence[Node]) -> list[Node]:
    """Return what reverse mode built as a person writes it: a - sum(b), not a + sum(-b)."""
    stable = stabilize_forward(Graph({f"{i}": node for i, node in enumerate(built)}))
    found = stable.outputs.values()
    return [added(*node.inputs) if node.op is OPS["add"] else node for node in found]


# -- forward mode ------------------------------------------------------------------------------


def carried_forward(
    node: Node,
    moving: Mapping[int, Node],
    values: Mapping[int, np.ndarray],
    point: Values,
) -> Link:
    """Return the tangent of a node whose operands (by index) have the given tangents."""
    if is_derived_from_formula(node.op):
        return _sum_of_partials(node, moving, values, point)
    operands, again = over_stand_ins(node)
    indices = [i for i in moving if not is_fill(operands[i])]
    wrt = [operands[i] for i in indices]
    found = tangents([again], wrt, [moving[i] for i in indices])[0]
    if found is None:
        zero = OPS["full"](node.shape, 0, node.dtype)
        return Link(zero, {}, np.zeros_like(point.arrays[node]))
    found = in_a_word("tangent", node, found, list(moving.values()), operands)
    shown = dict(zip(operands, node.inputs, strict=True)) | {again: node}
    known = {leaf: point.arrays[n] for leaf, n in shown.items()}
    known |= {moving[i]: values[i] for i in indices}
    return Link(found, shown, point.of(found, known))


def _sum_of_partials(
    node: Node, moving: Mapping[int, Node], values: Mapping[int, np.ndarray], point: Values
) -> Link:
    root: Node | None = None
    total = np.zeros(point.arrays[node].shape)
    for index, tangent in moving.items():
        partial = partial_of(node, index)
        number = partial_value(node, partial, point)
        total = total + scaled(values[index], number)
        if is_product(node):
            # The product rule as it is taught: each factor in its place, one of them derived.
            factors = [tangent if i == index else x for i, x in enumerate(node.inputs)]
            root = added(root, OPS["multiply"](*factors))
        else:
            root = added(root, _multiple(partial_node(node, partial), tangent))
    if root is None:
        root = OPS["full"](node.shape, 0, node.dtype)
    return Link(root, {}, total.astype(node.dtype))


def added(total: Node | None, term: Node) -> Node:
    """Return total + term, written as a difference where the term has a minus sign."""
    if total is None:
        return term
    positive = without_sign(term)
    return OPS["add"](total, term) if positive is None else OPS["subtract"](total, positive)


def without_sign(node: Node) -> Node | None:
    """Return -node of a formula that is written with a minus sign in front: -x, -x/y, -1/N."""

    def positive(first: Node) -> Node | None:
        if first.op is OPS["negative"]:
            return first.inputs[0]
        return rescaled_number(first, -1) if (number_of(first) or 0) < 0 else None

    return _with_first(node, positive)


def rescaled(node: Node, factor: float) -> Node | None:
    """Return factor*node of a formula that starts with a number: 2/N for 1/N and 2."""
    return _with_first(node, lambda first: rescaled_number(first, factor))


def rescaled_number(node: Node, factor: float) -> Node | None:
    number = number_of(node)
    return None if number is None else OPS["full"](node.shape, number * factor, node.dtype)


def _with_first(node: Node, change: Callable[[Node], Node | None]) -> Node | None:
    """Return a product or quotient with its first factor changed; None where that is None."""
    following: list[Node] = []
    while node.op.infix in ("*", "/") or (node.op.is_view and node.inputs):
        following.append(node)
        node = node.inputs[0]
    changed = change(node)
    for outer in reversed(following):
        if changed is not None:
            changed = _first_put(changed, outer)
    return changed


def _first_put(first: Node, outer: Node) -> Node:
    """Return a product, quotient or view with another first operand; 1·x is x, (−1)·x is −x."""
    number = number_of(first)
    if outer.op.infix == "*" and number in (1, -1) and outer.inputs[1].type == outer.type:
        other = outer.inputs[1]
        return other if number == 1 else OPS["negative"](other)
    if outer.op.is_view and number is not None:
        return OPS["full"](outer.shape, number, outer.dtype)
    return outer.op.make([first, *outer.inputs[1:]], **outer.attrs)


def _multiple(factor: Node | float, tangent: Node) -> Node:
    if not isinstance(factor, Node):
        if factor == 1:
            return tangent
        return OPS["negative"](tangent) if factor == -1 else OPS["multiply"](factor, tangent)
    return OPS["multiply"](factor, tangent)


# -- partial derivatives -------------------------------------------------------------------------


def partial_of(node: Node, index: int) -> Partial:
    """Return the partial derivative of a node's op, its constant operands put in."""
    op = node.op
    assert isinstance(op, Pointwise)
    return specialized(op, index, [number_of(operand) for operand in node.inputs])


def number_of(operand: Node) -> float | None:
    """Return the number that fills a node, if one does."""
    value = operand.attrs["value"] if is_fill(operand) else None
    return float(value) if isinstance(value, (int, float)) else None


def partial_node(
    node: Node, partial: Partial, text: str | None = None, output: Node | None = None
) -> Node | float:
    """Return the partial as a small graph over the node's operands and itself, or a number.

    `output` may stand in for the node itself.
    """
    itself = node if output is None else output
    variables = dict(zip(partial.op.args, node.inputs, strict=True)) | {OUTPUT: itself}
    found: Node | float = evaluate_formula(text or partial.text, variables, NODES)
    return found


def partial_value(node: Node, partial: Partial, point: Values) -> np.ndarray:
    """Return the value of a partial at a point."""
    arrays = [point.arrays[operand].astype(np.float64) for operand in node.inputs]
    variables = dict(zip(partial.op.args, arrays, strict=True))
    variables[OUTPUT] = point.arrays[node].astype(np.float64)
    with np.errstate(all="ignore"):
        return np.asarray(evaluate_formula(partial.built, variables, ARRAYS), np.float64)


def scaled(derivative: np.ndarray, partial: np.ndarray) -> np.ndarray:
    """Return the product; a zero of either factor wins over an infinity of the other."""
    with np.errstate(all="ignore"):
        return np.where((derivative == 0) | (partial == 0), 0.0, derivative * partial)


def _times(adjoint: Node, partial: Node | float, consumer: Node) -> Node:
    """Return adjoint times partial; arrays do not show a factor of 1 or -1, numbers do."""
    if not isinstance(partial, Node) and consumer.shape:
        return _multiple(partial, adjoint)
    return OPS["multiply"](adjoint, partial)


# -- rules ---------------------------------------------------------------------------------------

_RULES = {
    ast.Add: "sum",
    ast.Sub: "sum",
    ast.Mult: "product",
    ast.Div: "quotient",
}


def rule_of(node: Node, moving: Sequence[int]) -> str:
    """Return the name of the rule by which a node is derived: sum, product, chain, …

    It is read from the op's own formula; an op without one is linear, or a chain of others.
    """
    if not moving:
        return "constant"
    op = node.op
    if is_derived_from_formula(op):
        assert isinstance(op, Pointwise)
        formula = parse_formula(op.formula)
        is_one_operation = isinstance(formula, ast.BinOp) and all(
            isinstance(side, ast.Name) for side in (formula.left, formula.right)
        )
        if isinstance(formula, ast.BinOp) and is_one_operation:
            rule = _RULES.get(type(formula.op), "chain")
            scales = rule in ("product", "quotient") and _is_multiple(node, moving)
            return "constant factor" if scales else rule
        is_signed = isinstance(formula, ast.UnaryOp) and isinstance(formula.operand, ast.Name)
        return "constant factor" if is_signed else "chain"
    if type(op).transpose is Op.transpose:
        return "chain"
    if op.family == "contraction" and len(moving) > 1:
        return "product"
    return "sum" if op.family == "reduction" else "linear"


def _is_multiple(node: Node, moving: Sequence[int]) -> bool:
    """Say whether a product or quotient only scales what varies: 3·t, t/2, but not 2/t."""
    rest = [operand for i, operand in enumerate(node.inputs) if i not in moving]
    return bool(rest) and all(map(is_fill, rest)) and (is_product(node) or moving[0] == 0)
