"""Layers over features or channels whose number is a named dim: as those of a fixed number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.errors import GraphError
from graphc.run.compiled import CompiledFunction
from graphc.run.sizes import dims_of_state

SIZES = {"D": 4, "H": 6}

Layer = Callable[[gc.Node, "int | str"], gc.Node]

LAYERS: dict[str, tuple[tuple[int, ...], Layer]] = {
    "dense": ((), lambda x, h: nn.dense(nn.dense(x, h, activation="tanh"), 2)),
    "he": ((), lambda x, h: nn.dense(x, h, init=gc.init.he_normal(), use_bias=False)),
    "batch_norm": ((), lambda x, h: nn.batch_norm(nn.dense(x, h))),
    "layer_norm": ((), lambda x, h: nn.layer_norm(x)),
    "rms_norm": ((3,), lambda x, h: nn.rms_norm(x, axis=(1, 2))),
    "instance_norm": ((5,), lambda x, h: nn.instance_norm(x, affine=True)),
    "conv1d": ((7,), lambda x, h: nn.conv1d(x, h, 3)),
    "conv2d": ((5, 5), lambda x, h: nn.conv2d(nn.conv2d(x, h, 3), 2, 3)),
    "conv_transpose2d": ((5, 5), lambda x, h: nn.conv_transpose2d(x, h, 3)),
    "flattened": ((2, 2), lambda x, h: nn.dense(x.reshape("N", -1), h)),
}


def step_of(key: str, features: int | str, hidden: int | str) -> CompiledFunction:
    places, layer = LAYERS[key]
    y = layer(gc.input("x", ("N", features, *places)), hidden)
    graph = gc.graph({"loss": gc.mean(gc.tanh(y - 0.3) ** 2)})
    assert gc.parse(str(graph)) == graph
    return gc.compile(graph, minimize="loss", optimizer="sgd(0.1)")


@pytest.mark.parametrize("key", LAYERS)
def test_a_named_number_of_features_trains_as_a_fixed_one(key: str) -> None:
    named, fixed = step_of(key, "D", gc.dim("H")), step_of(key, SIZES["D"], SIZES["H"])
    wanted = dims_of_state(named.graph)
    assert wanted
    first = named.init(seed=3, **{name: SIZES[name] for name in wanted})
    second = fixed.init(seed=3)
    assert list(first) == list(second)
    x = np.random.default_rng(0).normal(size=(3, SIZES["D"], *LAYERS[key][0])).astype("float32")
    for _ in range(2):
        for name in first:
            np.testing.assert_allclose(first[name], second[name], rtol=1e-5, atol=1e-7)
        one, other = named(first, x=x)["loss"], fixed(second, x=x)["loss"]
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda x: nn.dense(x[:, 0], 3), r"N samples or N features\?[\s\S]*x\[:, None\]"),
        (lambda x: nn.group_norm(x, 2), r"2 equal groups[\s\S]*D channels"),
        (lambda x: nn.conv1d(x[:, :, None], 4, 1, groups=2), r"2 equal groups[\s\S]*D channels in"),
        (lambda x: nn.locally_connected1d(x[:, :, None], 4, 1), "depends on a named dim"),
    ],
)
def test_what_needs_a_known_number_says_so(
    build: Callable[[gc.Node], gc.Node], message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        build(gc.input("x", ("N", "D")))


def test_groups_that_divide_a_multiple_of_a_dim() -> None:
    channels = 2 * gc.dim("C")
    y = nn.conv1d(gc.input("x", ("N", channels, 5)), 4, 3, groups=2, name="g")
    z = nn.group_norm(y + 0 * y, 2, name="n")
    graph = gc.graph({"z": z})
    state = graph.init(C=3)
    assert state["g.W"].shape == (4, 3, 3)
    x = np.random.default_rng(0).normal(size=(2, 6, 5))
    found = gc.compile(graph)(state, x=x)["z"]
    np.testing.assert_allclose(found, gc.interpret(graph, state, x=x)["z"], rtol=1e-4, atol=1e-5)
