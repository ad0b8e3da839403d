"""How much memory does a call take? What a program is given, keeps and makes anew."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Node
from graphc.ops.leaf import is_fill
from graphc.plan.amounts import Amount, add, amount, scaled
from graphc.plan.program import Program


def memory(program: Program) -> Amount:
    """Return the bytes that a call in style `fast` holds when it returns.

    Inputs and parameters, the buffers and constants that it keeps for the next call, and the
    outputs that it makes. Buffers are never freed, so this is also the most that it holds at any
    time, but for what single NumPy calls take for themselves.
    """
    total: dict[Any, int] = {}
    for leaf in [*program.graph.inputs.values(), *program.graph.params.values()]:
        add(total, _bytes(leaf))
    programs = [program]
    while programs:
        current = programs.pop()
        programs += [loop.inside for loop in current.loops.values()]
        for buffer in current.buffers:
            add(total, scaled(amount(buffer.type.size), buffer.type.dtype.itemsize))
        for statement in current.statements:
            node = statement.node
            if not node.inputs and not node.op.is_leaf and not is_fill(node) and node.shape:
                add(total, _bytes(node))
    made = {program.base(node) for node in program.graph.outputs.values()} - set(program.place)
    for node in program.graph.nodes:
        if node in made and node.inputs:
            add(total, _bytes(node))
    return total


def _bytes(node: Node) -> Amount:
    return scaled(amount(node.size), node.dtype.itemsize)
