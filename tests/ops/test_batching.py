"""An op with one more axis in front is the op applied to each direction in turn."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

from graphc.differentiate.sweeps.several import batched
from graphc.errors import GraphError
from graphc.ir.dims import as_dim
from graphc.ir.op import Case, Op
from graphc.ops import OPS
from graphc.ops.batching import batched_node
from graphc.ops.leaf import input_
from graphc.run.reference import evaluate

SIZE = 3
CASES = [
    pytest.param(name, case, id=f"{name}-{i}")
    for name, op in OPS.items()
    for i, case in enumerate(op.cases)
    if case.args and not op.is_random
]


def choices(case: Case) -> list[tuple[int, ...]]:
    """Return which operands carry the new axis: each alone, and all that are no index."""
    able = [i for i, arg in enumerate(case.args) if not arg.dtype.startswith("int")]
    return list(dict.fromkeys([*itertools.combinations(able, 1), tuple(able)]))


@pytest.mark.parametrize(("name", "case"), CASES)
def test_an_axis_in_front_is_each_direction_in_turn(name: str, case: Case) -> None:
    rng = np.random.default_rng(0)
    leaves = [input_(f"x{i}", arg.shape, arg.dtype) for i, arg in enumerate(case.args)]
    point = {leaf: arg.draw(rng) for leaf, arg in zip(leaves, case.args, strict=True)}
    node = OPS[name](*leaves, **case.kwargs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no elements
        for chosen in choices(case):
            drawn = {i: np.stack([case.args[i].draw(rng) for _ in range(SIZE)]) for i in chosen}
            many = {
                leaves[i]: input_(f"many{i}", array.shape, array.dtype)
                for i, array in drawn.items()
            }
            (found,) = batched([node], many, SIZE)
            values = {many[leaves[i]]: array for i, array in drawn.items()}
            actual = evaluate([found], {**point, **values}, sizes={})[found]
            for k in range(SIZE):
                one = {**point, **{leaves[i]: array[k] for i, array in drawn.items()}}
                expected = evaluate([node], one, sizes={})[node]
                np.testing.assert_allclose(actual[k], expected, rtol=1e-12)


def test_each_family_states_a_rule() -> None:
    """The fallback, one direction after the other, is for users' own ops."""
    size = as_dim("K")  # a named number of directions has no fallback
    for name, op in OPS.items():
        for case in op.cases:
            if not case.args or op.is_random or not case.differentiable:
                continue
            leaves = [input_(f"x{i}", arg.shape, arg.dtype) for i, arg in enumerate(case.args)]
            node = op(*leaves, **case.kwargs)
            carried = [
                input_("many", (size, *x.shape), x.dtype) if x.dtype.kind == "f" else None
                for x in node.inputs
            ]
            found = batched_node(node, carried, size)
            assert found.shape[0] is size or found.shape[0] == size, name


def test_an_op_without_a_rule_is_applied_to_each_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(OPS["cumsum"]), "batched", Op.batched)
    x, many = input_("x", (4,), "float64"), input_("many", (2, 4), "float64")
    node = OPS["cumsum"](x, axis=0)
    found = batched_node(node, [many], 2)
    value = np.arange(8.0).reshape(2, 4)
    assert found.shape == (2, 4)
    np.testing.assert_array_equal(
        evaluate([found], {many: value}, sizes={})[found], np.cumsum(value, axis=1)
    )
    with pytest.raises(GraphError, match="cumsum cannot be differentiated in K directions"):
        batched_node(node, [input_("many", ("K", 4), "float64")], as_dim("K"))


def test_places_that_differ_between_directions_are_taken_one_by_one() -> None:
    x = input_("x", (5,), "float64")
    places, many = input_("i", (2,), "int64"), input_("many", (3, 2), "int64")
    node = OPS["gather"](x, places)
    found = batched_node(node, [None, many], 3)
    values = {x: np.arange(5.0) ** 2, many: np.array([[0, 1], [4, 4], [2, 3]])}
    np.testing.assert_array_equal(
        evaluate([found], values, sizes={})[found], [[0, 1], [16, 16], [4, 9]]
    )
