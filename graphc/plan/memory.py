"""How much memory does a call take? What a program is given, keeps and makes anew."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from graphc.ir.dim_symbols import dim_symbol
from graphc.ir.dims import same_shape
from graphc.ir.symbols import sympy_module
from graphc.ops.leaf import is_fill
from graphc.plan.amounts import (
    NOTHING,
    Amount,
    add,
    amount,
    bytes_of,
    expression,
    largest,
    maxima,
    scaled,
)
from graphc.plan.program import ON_DEMAND, SHARES, Buffer, Program, Statement

if TYPE_CHECKING:
    import sympy

#: The dim that stands for the number of threads which run through blocks.
CORES = "cores"
#: Elements that NumPy copies at a time where operands do not lie as the result does.
_COPIED = 8192


def memory(program: Program) -> sympy.Expr:
    """Return the most bytes that a call in style `fast` holds at any time.

    Inputs and parameters, the buffers and constants that it keeps for the next call, the outputs
    that it makes, and the most that a single NumPy call takes for itself. Buffers are never freed,
    so all but the last stays until the call returns.
    """
    return expression(_kept(program)) + largest(_moments(program))


def _kept(program: Program) -> Amount:
    """Return the bytes that are there before a call and after it."""
    total: dict[Any, int] = {}
    for leaf in [*program.graph.inputs.values(), *program.graph.params.values()]:
        add(total, bytes_of(leaf))
    for current in program.programs:
        blocks = dict.fromkeys(current.block_buffers)
        for buffer in current.buffers:
            size = _blocks(current, buffer) if buffer in blocks else amount(buffer.type.size)
            add(total, scaled(size, buffer.type.dtype.itemsize))
        for statement in current.statements:
            node = statement.node
            is_number = is_fill(node) and node not in current.read_whole
            if not node.inputs and not node.op.is_leaf and not is_number and node.shape:
                add(total, bytes_of(node))
    return total


def _moments(program: Program) -> Iterator[Amount]:
    """Return what a call holds besides at the times when that may be most.

    The outputs made so far, and what a statement needs while it runs; a run through blocks makes
    its outputs before it starts.
    """
    made = {program.base(node) for node in program.graph.outputs.values()} - set(program.place)
    outputs: dict[Any, int] = {}
    for statement in program.statements:
        run = program.runs.get(statement.node)
        if run is None:
            begun: Sequence[Statement] = [statement]
        else:
            begun = run.statements if run.statements[0].node is statement.node else ()
        for node in [s.node for s in begun]:
            if node in made and node.inputs:
                add(outputs, bytes_of(node))
        taken = _taken(program, statement) if statement.block != ON_DEMAND else NOTHING
        if taken:
            yield _sum(outputs, taken)
    for inside in program.programs:
        for statement in inside.statements if inside is not program else ():
            if statement.block != ON_DEMAND:
                yield _sum(outputs, _taken(inside, statement))
    for part in _copied_parts(program):
        yield _sum(outputs, part)
    yield outputs


def _sum(one: Amount, other: Amount) -> Amount:
    total = dict(one)
    add(total, other)
    return total


def _blocks(program: Program, buffer: Buffer) -> Amount:
    """Return the elements of a buffer that has a block of rows for each core at work."""
    sympy = sympy_module()
    runs = program.runs_through(buffer)
    extent, run = sympy.Max(*(run.extent for run in runs)), runs[0]
    step = run.step
    if step is None:
        step = sympy.Max(1, sympy.floor(sympy.Integer(run.block) / sympy.Max(1, run.row)))
    elif run.is_shared:
        step = sympy.Max(1, sympy.Min(step, sympy.floor(sympy.sympify(run.extent) / SHARES)))
    workers = sympy.Min(dim_symbol(CORES), sympy.ceiling(extent / step))
    return amount(sympy.Min(extent, step) * workers * buffer.type.size)


def _copied_parts(program: Program) -> list[Amount]:
    """Return the bytes of operands that NumPy copies while it reads them."""
    copied: dict[int, list[Amount]] = {}
    for statement in program.all_statements:
        of_an_element = _copied_operands(statement) * statement.node.dtype.itemsize
        if of_an_element and statement.block != ON_DEMAND:
            copied.setdefault(of_an_element, []).append(amount(statement.node.size))
    some = sympy_module().Min
    return [
        scaled(amount(some(expression(size), _COPIED)), of_an_element)
        for of_an_element, sizes in copied.items()
        for size in maxima(sizes)
    ]


def _taken(program: Program, statement: Statement) -> Amount:
    """Return the bytes that an op takes for itself, and for uniform operands written out.

    Those that the program keeps are there already.
    """
    node = statement.node
    total = dict(amount(node.op.scratch(node)))
    if not (node.op.broadcasts(node) or node.op.accumulates or node.op.is_view):
        for operand in statement.operands:
            if is_fill(operand) and operand not in program.read_whole:
                add(total, bytes_of(operand))
    return total


def _copied_operands(statement: Statement) -> int:
    """Return how many operands NumPy copies part by part: repeated, converted, or apart."""
    node = statement.node
    if not node.op.broadcasts(node):
        return 0
    pairs = zip(statement.operands, node.inputs, strict=True)
    return sum(
        x.dtype != whole.dtype
        or not same_shape(x.shape, node.shape)
        or (x.op.is_view and not x.op.may_copy)
        for x, whole in pairs
        if x.shape and not is_fill(x)
    )


def cores() -> int:
    """Return how many threads emitted code uses on this machine."""
    return int(os.getenv("OMP_NUM_THREADS", "").split(",")[0] or 0) or os.cpu_count() or 1
