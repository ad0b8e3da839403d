"""What stands for an op of which one asks for the derivative, where it has no formula of elements?

Its node over a vector, or over the arguments of its first test case.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops import OPS


def typical_node(op: Op) -> Node:
    """Return a node of an op, called y, over x or over a, b, ….

    **Raises** GraphError for an op through which no derivative flows.
    """
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
    if len(case.args) == 1:
        yield [OPS["input"]("x", ("n",), "float64")], {}
    names = "x" if len(case.args) == 1 else "abcdefgh"
    leaves = [
        OPS["input"](name, arg.shape, arg.dtype)
        for name, arg in zip(names, case.args, strict=False)
    ]
    yield leaves, dict(case.kwargs)
