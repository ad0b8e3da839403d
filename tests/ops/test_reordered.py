"""Ops with their operands' axes in another order give the same, with its axes in another order."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

import graphc as gc
from graphc.ir.op import Case, Op
from graphc.ops import OPS
from graphc.run.reference import evaluate

CASES = [
    pytest.param(op, case, id=f"{op.name}-{number}")
    for op in OPS.values()
    if type(op).reordered is not Op.reordered
    for number, case in enumerate(op.cases)
    if any(len(arg.shape) > 1 for arg in case.args) and 0 not in case.args[0].shape
]


@pytest.mark.parametrize(("op", "case"), CASES)
def test_an_op_in_another_order_of_axes_is_the_same(op: Op, case: Case) -> None:
    rng = np.random.default_rng(3)
    arrays = [arg.draw(rng) for arg in case.args]
    inputs = [gc.input(f"x{i}", a.shape, a.dtype.name) for i, a in enumerate(arrays)]
    made = op(*inputs, **case.kwargs)
    given = dict(zip(inputs, arrays, strict=True))
    wanted = evaluate([made], given)[made]
    rank = max([x.ndim for x in made.inputs])
    for order in permutations(range(rank)):
        found = op.reordered(made, order, OPS["transpose"])
        if found is None:
            continue
        result, axes = found
        assert result.shape == tuple([made.shape[axis] for axis in axes])
        got = evaluate([result], given)[result]
        np.testing.assert_allclose(got, wanted.transpose(axes), rtol=1e-12, atol=1e-12)


def test_ops_of_images_have_such_a_form() -> None:
    of_images = {"batch_normalize", "standardize", "softmax", "concat", "mean", "relu", "pad"}
    assert of_images <= {case.values[0].name for case in CASES}  # type: ignore[union-attr]
