"""Programs: order by block, updates in place only when nobody reads the old value, buffers."""

from __future__ import annotations

import numpy as np

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, UPDATE, phase
from graphc.ops import OPS
from graphc.ops.leaf import fill, input_, param
from graphc.plan import plan
from graphc.plan.buffers import storages
from graphc.plan.implicit import implicit_operands, written_as_numbers


def chain(length: int) -> Graph:
    x = input_("x", ("N", 8))
    for _ in range(length):
        x = OPS["tanh"](x)
    return Graph({"y": x})


def test_values_of_a_chain_share_one_buffer() -> None:
    program = plan(chain(10))
    assert len(program.buffers) == 1
    # The output leaves the call, so it is not placed in kept memory.
    assert program.graph.outputs["y"] not in program.place


def test_a_value_that_is_read_later_keeps_its_buffer() -> None:
    x = input_("x", ("N",))
    a = OPS["exp"](x)
    b = OPS["sin"](a)
    program = plan(Graph({"y": OPS["sum"](OPS["multiply"](a, b))}))
    assert program.place[a] is not program.place[b]


def test_no_two_live_values_share_memory() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        nodes: list[Node] = [input_("x", ("N", 4)), input_("z", ("N", 4))]
        for _ in range(30):
            a, b = (nodes[rng.integers(len(nodes))] for _ in range(2))
            op = ["add", "multiply", "tanh", "maximum"][rng.integers(4)]
            nodes.append(OPS[op](a) if op == "tanh" else OPS[op](a, b))
        program = plan(Graph({"y": OPS["sum"](OPS["add"](nodes[-1], nodes[-2]))}))
        _check_memory(program.statements, program.place)


def _check_memory(statements: tuple, place: dict) -> None:
    """Run the program on symbols: each read must find the value that was written."""
    memory: dict[object, Node] = {}
    storage = storages(statements, {})
    for statement in statements:
        for operand in statement.operands:
            base = storage.get(operand, operand)
            if base in place:
                assert memory[place[base]] is base
        if statement.node in place:
            memory[place[statement.node]] = statement.node


def test_an_update_is_written_in_place_when_it_is_the_last_reader() -> None:
    W, g = param("W", (3,)), input_("g", (3,))
    with phase(UPDATE):
        new = OPS["subtract"](W, OPS["multiply"](0.1, g))
    program = plan(Graph({"s": OPS["sum"](W)}, updates={"W": new}))
    assert [s.target for s in program.statements if s.node is new] == ["W"]
    assert not program.stores


def test_swapped_parameters_are_not_overwritten_before_they_are_read() -> None:
    a, b = param("a", (3,)), param("b", (3,))
    with phase(UPDATE):
        new_a, new_b = OPS["multiply"](b, 2.0), OPS["multiply"](a, 3.0)
    program = plan(Graph({"s": OPS["sum"](a)}, updates={"a": new_a, "b": new_b}))
    targets = [s.target for s in program.statements if s.target]
    assert len(targets) <= 1
    assert len(targets) + len(program.stores) == 2


def test_blocks_come_in_order() -> None:
    x = input_("x", (3,))
    with phase(BACKWARD):
        d = OPS["cos"](x)
    with phase(UPDATE):
        u = OPS["add"](d, 1.0)
    program = plan(Graph({"u": u, "y": OPS["sin"](x), "d": d}))
    blocks = [s.block for s in program.statements]
    assert blocks == sorted(blocks, key=["forward", "backward", "update"].index)


def test_arithmetic_takes_broadcasts_and_masks_by_itself() -> None:
    x, b = input_("x", ("N", 4)), input_("b", (4,))
    total = OPS["add"](x, b)
    assert implicit_operands(total)[1] is b
    masked = OPS["multiply"](x, OPS["cast"](OPS["greater"](x, 0.0), "float32"))
    assert implicit_operands(masked)[1].dtype == bool


def test_a_cast_that_changes_the_result_is_kept() -> None:
    i = input_("i", ("N",), "int64")
    halved = OPS["divide"](OPS["cast"](i, "float32"), 2.0)
    # int64 / 2 would be float64.
    assert implicit_operands(halved)[0].dtype == np.float32


def test_the_plan_is_linear() -> None:
    assert len(plan(chain(20_000)).statements) == 20_001


def test_numbers_are_written_out_to_a_depth_of_three() -> None:
    number = fill(2.0, (), np.dtype("float64"))
    chain = [number]
    for op in ("add", "multiply", "subtract", "multiply", "add"):
        chain.append(OPS[op](chain[-1], number))
    assert written_as_numbers(chain) == {*chain[:4]}
