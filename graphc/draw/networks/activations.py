"""What is an activation called? It is recognized by its values, however it is written."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from graphc.draw.silent import is_silent
from graphc.errors import GraphError
from graphc.ir.dims import evaluate_shape, symbols_of
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.walk import topological
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.run.reference import evaluate

_SPELLED = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "standardize": "layer norm"}
_MASKS = (OPS["random_bernoulli"], OPS["dropout_mask"])
_LARGEST = 4096
#: Functions of more steps than this are told in one word, or not at all.
_MOST_STEPS, _MOST_WORDS = 12, 3


def name_of_activation(total: Node, node: Node) -> str:
    """Return what a layer applies to its sum, step by step: `tanh, dropout`; else `f`.

    A step is an op of the registry by its values, however it is written: `1/(1 + exp(-z))` is
    sigmoid and `exp(z)/sum(exp(z))` is softmax. What no values tell, for parameters or chance take
    part, is told by its op. The identity has no name.
    """
    necks = _necks(total, node)
    if len(necks) > _MOST_STEPS:
        necks = [total, node]
    words: list[str] = []
    at, last = 0, len(necks) - 1
    while at < last:
        for after in range(last, at, -1):
            word = _recognized(necks[at], necks[after])
            if word is not None:
                break
        else:
            after = at + 1
            word = _step(necks[at], necks[after])
        is_affine = word in ("scale", "shift") and words and words[-1].endswith("norm")
        words += [word] if word and not is_affine else []  # a norm has its own scale and shift
        at = after
    return ", ".join(words) if len(words) <= _MOST_WORDS and "f" not in words else "f"


def _necks(total: Node, node: Node) -> list[Node]:
    """Return the nodes that every way from the sum to a node leads through, both ends included."""
    inside = {total}
    kept = [total]
    for x in nodes_between(total, node):
        if x not in inside and any(i in inside for i in x.inputs):
            inside.add(x)
            kept.append(x)
    place = {x: i for i, x in enumerate(kept)}
    reaches = list(range(len(kept)))  # the last place that reads what stands at one
    for i, x in enumerate(kept[1:], 1):
        for operand in x.inputs:
            if operand in place:
                reaches[place[operand]] = i
    furthest, necks = 0, []
    for i, x in enumerate(kept):
        if furthest <= i:
            necks.append(x)
        furthest = max(furthest, reaches[i])
    return necks


def _recognized(total: Node, node: Node) -> str | None:
    """Return the name of the op that has the same values; None where there is none."""
    if is_silent(node) and node.inputs[0] is total:
        return ""
    values = _sampled(total, node)
    if values is None or values[0].shape != values[1].shape:
        return None
    before, after = values
    if np.array_equal(before, after):
        return ""
    for candidate in _candidates(before.ndim > 0):
        z = OPS["input"]("z", before.shape, before.dtype)
        y = candidate(z)
        expected = evaluate([y], {z: before})[y]
        if np.allclose(expected, after, rtol=1e-4, atol=1e-5, equal_nan=True):
            return _spelled(y.op)
    return None


def _step(before: Node, node: Node) -> str:
    """Return what one op does to its only operand that is data; `f` for more than one op."""
    others = [x for x in node.inputs if x is not before]
    if len(others) == len(node.inputs) or any(
        before in set(nodes_between(before, x)) for x in others
    ):
        return "f"
    behind = [x for other in others for x in nodes_between(before, other)]
    by_chance = any(x.op.family == "random" for x in behind)
    if by_chance and node.op.infix in ("*", "/"):
        leaves_out = any(x.op in _MASKS or x.dtype.kind == "b" for x in behind)
        return "dropout" if leaves_out else "noise"
    if node.op.infix in ("*", "/"):
        return "scale"
    if node.op.infix in ("+", "-"):
        return "noise" if by_chance else "shift"
    return "sum over rows" if node.op.family == "contraction" else _spelled(node.op)


def probabilities(total: Node, node: Node) -> bool:
    """Say whether a function of the sum gives numbers between 0 and 1 at all sampled points."""
    values = _sampled(total, node)
    if values is None or values[1].dtype.kind != "f":
        return False
    return bool(np.all((values[1] >= 0) & (values[1] <= 1)))


@cache
def _candidates(has_axes: bool) -> tuple[Callable[[Node], Node], ...]:
    """Return the ops of one argument that keep its shape, from the registry."""
    pointwise = [op for op in OPS.values() if isinstance(op, Pointwise) and op.arity == 1]
    unary = [op for op in pointwise if not op.cuts_to_bool and op is not OPS["cast"]]
    along = [OPS["softmax"], OPS["log_softmax"], OPS["standardize"]] if has_axes else []
    unit_length = [partial(OPS["normalize"], axis=-1)] if has_axes else []
    return (*unary, *along, *unit_length)


def _spelled(op: Op) -> str:
    name = _SPELLED.get(op.name, op.name.replace("_", " "))
    return name.replace(" normalize", " norm")


def _sampled(total: Node, node: Node) -> tuple[np.ndarray, np.ndarray] | None:
    """Return points of the sum and the node's values there; None where more is needed."""
    names = symbols_of(d for n in nodes_between(total, node) for d in n.shape)
    sizes = {name: 5 + i for i, name in enumerate(names)}
    shape = evaluate_shape(total.shape, sizes)
    if np.prod(shape) > _LARGEST**2:
        return None
    points = np.random.default_rng(0).uniform(-4, 4, shape).astype(total.dtype)
    try:
        return points, evaluate([node], {total: points}, sizes=sizes)[node]
    except GraphError:
        return None


def nodes_between(total: Node, node: Node) -> list[Node]:
    """Return `node` and what it reads, operands first; nothing below `total`."""
    return topological([node], stop=lambda x: x is total)
