"""What is a body's input called that nobody named? After what it is outside of the loop.

Such an input, a value that the body found around it or that a derivative kept, is called by its op:
`item`, `multiply_t_3`. That tells nothing, and neither does `d_item`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from graphc.ir.node import Node
from graphc.ops.loop import by_kind, item
from graphc.ops.registry import OPS
from graphc.plan.loops import Loop

#: A name that an op gave: `slice`, `slice_2`, `slice_t_2`, and that of its adjoint.
_GIVEN = re.compile(r"(?:d_)?(?P<op>\w+?)(?:_t)?(?:_\d+)?")
#: The stack of what a loop emits.
_STACK = re.compile(r"(.+)_steps(?:_\d+)?")


def _is_given(name: str) -> bool:
    """Say whether a name is that of an op, perhaps counted, of one step, or of an adjoint.

    >>> [_is_given(name) for name in ("sum", "sum_2", "sum_t", "d_sum_t", "summary", "h_t")]
    [True, True, True, True, False, False]
    """
    match = _GIVEN.fullmatch(name)
    return match is not None and match["op"] in {*OPS, *[op.variable for op in OPS.values()]}


def is_named_by_op(leaf: Node) -> bool:
    """Say whether an input of a body has no name but that of an op."""
    return _is_given(leaf.attrs["name"])


def is_output_named_by_op(node: Node, label: str) -> bool:
    """Say whether a result of a body has no name but that of its op."""
    names = {node.op.name, node.op.called(node)}
    is_adjoint = label.startswith("d_") and _is_given(label)
    return not node.name and (is_adjoint or re.sub(r"_\d+$", "", label) in names)


def about(
    loop: Loop, operands: Sequence[str], labels: Mapping[Node, str], stems: Mapping[Node, str]
) -> dict[Node, str]:
    """Return what the inputs of a loop's body are about that nobody named inside.

    `operands` are the loop's operands as they are written; `labels` and `stems` their names and
    what they are about, outside of the loop.
    """
    found: dict[Node, str] = {}
    inputs = by_kind(loop.node.attrs, loop.node.inputs)
    _, sequences, constants = by_kind(loop.node.attrs, operands)
    for leaf, node, code in zip(loop.sequences, inputs.sequences, sequences, strict=True):
        stack = _STACK.fullmatch(code)
        found[leaf] = labels.get(node) or (stack.group(1) if stack else stems.get(node, ""))
    for leaf, node, code in zip(loop.constants, inputs.constants, constants, strict=True):
        whole = code if node.op is item and code.isidentifier() else stems.get(node, "")
        found[leaf] = labels.get(node) or whole
    return {leaf: name for leaf, name in found.items() if name and is_named_by_op(leaf)}


def slice_name(leaf: Node, array: str) -> str:
    """Return the variable of a step's slice of an array, which is written so."""
    if not array.isidentifier() or not is_named_by_op(leaf):
        return str(leaf.attrs["name"])
    stack = _STACK.fullmatch(array)
    return f"{stack.group(1) if stack else array}_t"
