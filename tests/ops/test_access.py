"""What an op says it reads covers what its result depends on, and is not much more."""

from __future__ import annotations

import math

import numpy as np
import pytest

from graphc.ir.access import Span, reads
from graphc.ir.attributes import Attributes
from graphc.ir.dims import as_dim
from graphc.ir.node import Node
from graphc.ir.op import Case, Op
from graphc.ir.types import TensorType
from graphc.ops import OPS
from graphc.ops.leaf import input_
from graphc.ops.movement.reshaping import reshape_groups
from graphc.run.reference import evaluate

CASES = [
    pytest.param(name, case, id=f"{name}-{i}")
    for name, op in OPS.items()
    for i, case in enumerate(op.cases)
    if case.differentiable and case.args
]


def dependence(node: Node, point: dict[Node, np.ndarray], operand: Node) -> np.ndarray:
    """Return which elements of a node change when one element of an operand does."""
    here = evaluate([node], point, sizes={})[node].ravel()
    changes = np.zeros((here.size, point[operand].size), bool)
    for place in range(point[operand].size):
        for step in (1e-3, -1e-3, 0.4):
            moved = np.array(point[operand])
            moved.ravel()[place] += step
            there = evaluate([node], {**point, operand: moved}, sizes={})[node].ravel()
            changes[:, place] |= (there != here) & ~(np.isnan(there) & np.isnan(here))
    return changes


def described(access: tuple[Span, ...], node: Node, operand: Node) -> np.ndarray:
    """Return which elements of an operand an access names, for each element of the node."""
    result = np.zeros((int(node.size), int(operand.size)), bool)
    for row, index in enumerate(np.ndindex(*node.shape)):
        for column, place in enumerate(np.ndindex(*operand.shape)):
            starts = [sum(int(s) * index[a] for a, s in span.steps) for span in access]
            result[row, column] = all(
                start + int(span.low) <= p <= start + int(span.high)
                for start, span, p in zip(starts, access, place, strict=True)
            )
    return result


@pytest.mark.parametrize(("name", "case"), CASES)
def test_what_is_read_covers_what_matters(name: str, case: Case) -> None:
    rng = np.random.default_rng(3)
    leaves = [input_(f"x{i}", arg.shape, arg.dtype) for i, arg in enumerate(case.args)]
    node = OPS[name](*leaves, **case.kwargs)
    drawn = {leaf: arg.draw(rng) for leaf, arg in zip(leaves, case.args, strict=True)}
    values = evaluate([node], drawn, sizes={})
    point = {operand: values[operand] for operand in node.inputs}
    for i, operand in enumerate(node.inputs):
        if operand.dtype.kind == "f" and node.size:
            covered = described(reads(node, i), node, operand)
            assert not (dependence(node, point, operand) & ~covered).any()


@pytest.mark.parametrize(
    ("name", "shape", "kwargs", "expected"),
    [
        ("sin", (3, 4), {}, (Span(0, 0, ((0, 1),)), Span(0, 0, ((1, 1),)))),
        ("sin", (3, 1), {}, (Span(0, 0, ((0, 1),)), Span(0, 0))),
        ("sum", (3, 4), {"axis": 0}, (Span(0, 2), Span(0, 0, ((0, 1),)))),
        ("transpose", (3, 4), {}, (Span(0, 0, ((1, 1),)), Span(0, 0, ((0, 1),)))),
        ("broadcast_to", (4,), {"shape": (3, 4)}, (Span(0, 0, ((1, 1),)),)),
        ("pad", (4,), {"widths": 2}, (Span(-2, -2, ((0, 1),)),)),
        ("slice", (9,), {"slices": (slice(1, None, 3),)}, (Span(1, 1, ((0, 3),)),)),
        ("slice", (9,), {"slices": (slice(None, None, -1),)}, (Span(8, 8, ((0, -1),)),)),
        ("reshape", (12,), {"shape": (3, 4)}, (Span(0, 0, ((0, 4), (1, 1))),)),
        ("reshape", (3, 4), {"shape": (12,)}, (Span(0, 2), Span(0, 3))),
        ("reshape", (3, 4), {"shape": (3, 1, 4)}, (Span(0, 0, ((0, 1),)), Span(0, 0, ((2, 1),)))),
    ],
)
def test_accesses_are_exact_where_they_can_be(
    name: str, shape: tuple[int, ...], kwargs: dict[str, object], expected: tuple[Span, ...]
) -> None:
    node = OPS[name](input_("x", shape, "float64"), **kwargs)
    assert reads(node, 0) == expected


def test_accesses_of_named_dims() -> None:
    n = as_dim("N")
    x = input_("x", (n, 4), "float64")
    flat = OPS["reshape"](x, (4 * n,))
    back = OPS["reshape"](flat, (n, 4))
    assert reads(back, 0) == (Span(0, 0, ((0, 4), (1, 1))),)
    joined = OPS["concat"](x, x, axis=0)
    assert reads(joined, 1)[0] == Span(-n, -n, ((0, 1),))


@pytest.mark.parametrize(
    ("source", "result"),
    [((2, 3, 4), (6, 4)), ((24,), (2, 3, 4)), ((1, 6, 1), (2, 3)), ((), (1, 1)), ((0, 3), (3, 0))],
)
def test_reshape_groups_hold_the_same_elements(
    source: tuple[int, ...], result: tuple[int, ...]
) -> None:
    groups = list(reshape_groups(source, result))
    assert [i for a, _ in groups for i in a] == list(range(len(source)))
    assert [j for _, b in groups for j in b] == list(range(len(result)))
    for a, b in groups:
        assert math.prod(source[i] for i in a) == math.prod(result[j] for j in b)


class Unknown(Op):
    """An op that says nothing of what it reads."""

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0]


def test_an_op_that_says_nothing_reads_everything() -> None:
    node = Unknown("unknown", "").make([input_("x", (3, 4), "float64")])
    assert reads(node, 0) == (Span(0, 2), Span(0, 3))
