"""A module by itself says which dtype its arrays must have, where its buffers are made."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc

N = gc.dim("N")


def classifier(style: str) -> gc.CompiledFunction:
    x, y = gc.input("x", (N, 4)), gc.input("y", (N,), dtype="int64")
    scores = gc.nn.dense(x, 3, name="scores")
    loss = gc.nn.softmax_cross_entropy(scores, y).mean()
    model = gc.graph({"loss": loss}, name="classifier")
    return gc.compile(model, minimize="loss", optimizer=gc.optim.sgd(0.1), style=style)


@pytest.mark.parametrize("dtype", ["float64", "int64", ">f4"])
def test_a_fast_module_names_the_array_of_another_dtype(dtype: str) -> None:
    module, workspace = classifier("fast").module, {}
    state, labels = module.init(), np.array([0, 2])
    for _ in range(2):  # nothing is kept of a call that did not fit
        with pytest.raises(TypeError, match=f"expected x float32; got x {dtype}"):
            module.step(state, np.ones((2, 4), dtype), labels, workspace=workspace)
    assert not workspace
    module.step(state, np.ones((2, 4), np.float32), labels.astype(np.int32), workspace=workspace)


def test_a_readable_module_computes_with_any_floats() -> None:
    module = classifier("readable").module
    found = module.step(module.init(), np.ones((2, 4)), np.array([0, 2]))
    assert found["loss"].dtype == np.float64


def test_the_check_of_many_inputs_fits_the_lines() -> None:
    inputs = [gc.input(f"measurement_{i}", (N, 4)) for i in range(12)]
    total = gc.sum(gc.exp(sum(inputs[1:], inputs[0])), axis=1)
    source = gc.emit(gc.graph({"total": total}), style="fast")
    assert "measurement_11.dtype != np.float32" in source
    assert max(map(len, source.splitlines())) <= 88
    assert "dtype !=" not in gc.emit(gc.graph({"y": gc.exp(gc.input("s", ())) + 1}), style="fast")
