"""What dies with a statement is overwritten only where the statement sees it in one way."""

from __future__ import annotations

import pytest

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.ops.leaf import input_
from graphc.plan import plan


def places(value: Node, result: Node) -> bool:
    """Say whether a result is written over a value."""
    place = plan(Graph({"total": OPS["sum"](result)})).place
    return place[value] is place[result]


def test_an_operand_that_dies_is_overwritten() -> None:
    value = OPS["exp"](input_("x", (4, 4)))
    assert places(value, OPS["multiply"](value, input_("z", (4, 4))))


@pytest.mark.parametrize("op", ["multiply", "subtract", "maximum"])
def test_an_operand_that_is_also_read_through_a_view_is_not(op: str) -> None:
    value = OPS["exp"](input_("x", (4, 4)))
    turned = OPS["transpose"](value)
    assert not places(value, OPS[op](value, turned))
    assert not places(value, OPS[op](turned, value))


def test_an_operand_of_another_type_is_not() -> None:
    value = OPS["exp"](input_("x", (4, 4)))
    assert not places(value, OPS["greater"](value, 1.0))


def test_what_cannot_be_written_in_place_takes_memory_that_is_free() -> None:
    value, w = input_("x", (4, 4)), input_("w", (4, 4))
    for _ in range(6):
        value = OPS["einsum"]("ij,jk->ik", value, w)
    assert len(plan(Graph({"total": OPS["sum"](value)})).buffers) == 2


def test_where_one_operand_does_not_fit_another_one_may() -> None:
    """Within a run of blocks, a block takes over a block, not the rows of a whole array."""
    x, u = gc.input("x", ("N", 64)), gc.input("u", ("N", 512))
    value = x @ gc.param("W", (64, 512)) + gc.exp(u)
    for _ in range(3):
        value = gc.tanh(gc.sin(value) * u)
    source = gc.compile(gc.graph({"total": gc.sum(value)}), style="fast").source
    assert source.count("(workers, rows, 512)") == 1
