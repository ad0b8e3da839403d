"""How much memory does a call take? What a program is given, keeps and makes anew."""

from __future__ import annotations

import os
from typing import Any

from graphc.ir.node import Node
from graphc.ir.symbols import dim_symbol, sympy_module
from graphc.ops.leaf import is_fill
from graphc.plan.amounts import Amount, add, amount, scaled
from graphc.plan.program import Buffer, Program

#: The dim that stands for the number of threads which run through blocks.
CORES = "cores"


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
        blocks = dict.fromkeys(current.block_buffers)
        for buffer in current.buffers:
            size = _blocks(current, buffer) if buffer in blocks else amount(buffer.type.size)
            add(total, scaled(size, buffer.type.dtype.itemsize))
        for statement in current.statements:
            node = statement.node
            if not node.inputs and not node.op.is_leaf and not is_fill(node) and node.shape:
                add(total, _bytes(node))
    made = {program.base(node) for node in program.graph.outputs.values()} - set(program.place)
    for node in program.graph.nodes:
        if node in made and node.inputs:
            add(total, _bytes(node))
    return total


def _blocks(program: Program, buffer: Buffer) -> Amount:
    """Return the elements of a buffer that has a block of rows for each core at work."""
    sympy = sympy_module()
    runs, rest = program.runs_through(buffer), buffer.type.shape[1:]
    extent, step = sympy.Max(*(run.extent for run in runs)), runs[0].step
    workers = sympy.Min(dim_symbol(CORES), sympy.ceiling(extent / step))
    return amount(sympy.Min(extent, step) * workers * sympy.Mul(*rest))


def cores() -> int:
    """Return how many threads emitted code uses on this machine."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(wanted or os.cpu_count() or 1)


def _bytes(node: Node) -> Amount:
    return scaled(amount(node.size), node.dtype.itemsize)
