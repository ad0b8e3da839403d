"""What stands for an op of which one asks for the derivative, where it has no formula of elements?

Its node over a vector, or over the arguments of its first test case. A function that makes its
value of ops has no derivative of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from graphc.build.made_of_ops import made_of
from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops import OPS, get_op

_IN_A_MODEL = 'gc.derive(graph, "h1") derives through the node h1 of a model'


def asked_op(name: str) -> Op:
    """Return the op of a name.

    **Raises** GraphError for a function that is made of ops, and for an unknown name.
    """
    made = made_of(name)
    if made is None:
        return get_op(name)
    one = f'gc.derive("{made.ops[0]}") derives one of them; ' if made.ops else ""
    raise GraphError(
        f"{name} is no op: it is a function made of ops",
        got=f"{made.call} becomes {', '.join(made.ops)}" if made.ops else None,
        fix=one + _IN_A_MODEL,
    )


def typical_node(op: Op) -> Node:
    """Return a node of an op, called y, over x or over a, b, ….

    **Raises** GraphError for an op through which no derivative flows, and for a loop.
    """
    if not op.cases and not op.is_leaf:
        raise GraphError(f"{op.name} has no derivative by itself: {op.doc}", fix=_IN_A_MODEL)
    for leaves, options in _calls(op):
        try:
            node = op(*leaves, **options)
        except GraphError:
            continue  # it takes no vector
        is_float = isinstance(node, Node) and node.op is op and node.dtype.kind == "f"
        if is_float and any(op.is_differentiable(node, i) for i in range(len(leaves))):
            return node.named("y")
    raise GraphError(
        f"no derivative flows through {op.name}", got=op.doc, expected="an op of floats"
    )


def _calls(op: Op) -> Iterator[tuple[list[Node], dict[str, Any]]]:
    case = next((case for case in op.cases if case.differentiable), None)
    if case is None:
        return
    vector = OPS["input"]("x", ("n",), "float64")
    if len(case.args) == 1 and _takes(op, vector):
        yield [vector], {}
    names = "x" if len(case.args) == 1 else "abcdefgh"
    leaves = [
        OPS["input"](name, arg.shape, arg.dtype)
        for name, arg in zip(names, case.args, strict=False)
    ]
    yield leaves, dict(case.kwargs)


def _takes(op: Op, *operands: Node) -> bool:
    """Say whether an op can be called with operands alone."""
    try:
        inspect.signature(op.__call__).bind(*operands)
    except TypeError:
        return False
    return True
