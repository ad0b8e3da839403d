"""What rewriting drops is drawn all the same, so that the rest begins as in the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc

H = gc.dim("H")


def model() -> gc.Graph:
    """Return a model whose first parameter nothing needs where all numbers are finite."""
    normal = gc.init.normal(1.0)
    x = gc.input("x", ("N", 2))
    unneeded = gc.param("unneeded", (2, H), init=normal, trainable=False)
    w, b = gc.param("w", (2,), init=normal), gc.param("b", (), init=normal)
    return gc.graph({"loss": gc.mean((x @ w + 0 * gc.sum(x @ unneeded) + b) ** 2)})


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize(
    "what", [{}, {"gradient_of": "loss"}, {"minimize": "loss", "optimizer": "adam(0.1)"}]
)
def test_a_function_begins_as_its_model_does(what: dict[str, Any], style: str) -> None:
    graph = model()
    function = gc.compile(graph, optimize=3, style=style, **what)
    assert "unneeded" not in function.graph.params
    wanted, state = graph.init(seed=3, H=4), function.init(seed=3, H=4)
    for name, value in wanted.items():
        np.testing.assert_array_equal(state[name], value)
    x = np.ones((3, 2), np.float32)
    result = function(state, x=x)["loss"]
    np.testing.assert_allclose(result, gc.interpret(graph, wanted, x=x)["loss"], rtol=1e-6)
    del state["unneeded"]
    function(state, x=x)
    if what:
        function.module.check()
    with pytest.raises(gc.GraphError, match="size of parameter 'unneeded' depends on H"):
        function.init()


def test_training_takes_such_a_state(tmp_path: Any) -> None:
    step = gc.compile(model(), minimize="loss", optimizer="adam(0.1)", optimize=3)
    x = np.ones((8, 2), np.float32)
    gc.train.fit(step, step.init(H=4), {"x": x}, epochs=2, checkpoint=tmp_path / "run.npz")
    gc.train.fit(
        step, step.init(H=4), {"x": x}, epochs=3, checkpoint=tmp_path / "run.npz", resume=True
    )
