"""Layers that are alike share one loop, forward and backward, in style `readable`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from stepping import assert_steps_agree

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node

nn = gc.nn
RUFF = [sys.executable, "-m", "ruff"]


def entry(width: int = 6) -> Node:
    return gc.input("x", ("N", width), dtype="float64")


def compared(h: Node, name: str = "network") -> Graph:
    target = gc.input("y", ("N", *h.shape[1:]), dtype="float64")
    return gc.graph({"loss": gc.mean(gc.square(h - target)), "h": h}, name=name)


def dense(depth: int) -> Graph:
    h = entry()
    for i in range(depth):
        h = nn.dense(h, 6, activation="relu", name=f"layer{i}")
    return compared(h)


def unnamed(depth: int) -> Graph:
    h = entry()
    for _ in range(depth):
        h = nn.dense(h, 6, activation="tanh")
    return compared(h)


def by_hand(depth: int) -> Graph:
    h = entry()
    for i in range(depth, 0, -1):
        W = gc.param(f"W{i}", (6, 6), "float64", init=gc.init.normal(0.3))
        b = gc.param(f"b{i}", (6,), "float64")
        h = h + gc.sigmoid(h @ W + b)
    return compared(h)


def transformer(depth: int, width: int = 8, heads: int = 2, steps: int = 5) -> Graph:
    ids = gc.input("ids", ("N", steps), dtype="int64")
    target = gc.input("target", ("N", steps), dtype="int64")
    x = gc.param("table", (7, width), "float64", init=gc.init.normal(1.0))[ids]

    def split(t: Node) -> Node:
        parts = gc.reshape(t, (t.shape[0], steps, heads, width // heads))
        return gc.transpose(parts, (0, 2, 1, 3))

    for i in range(depth):
        with gc.scope(f"block{i}"):
            h = nn.layer_norm(x)
            q, k, v = (split(nn.dense(h, width, name=f"block{i}.{n}")) for n in "qkv")
            weights = gc.softmax(q @ gc.swapaxes(k, -1, -2) / 2, axis=-1)
            seen = gc.reshape(gc.transpose(weights @ v, (0, 2, 1, 3)), x.shape)
            x = x + nn.dense(seen, width, name=f"block{i}.o")
            h = nn.dense(nn.layer_norm(x), 16, activation="gelu", name=f"block{i}.up")
            x = x + nn.dense(h, width, name=f"block{i}.down")
    z = nn.dense(nn.layer_norm(x), 7, name="out")
    loss = gc.mean(nn.softmax_cross_entropy(z, target))
    return gc.graph({"loss": loss}, name="transformer")


def residual(depth: int) -> Graph:
    image = gc.input("image", ("N", 2, 5, 5), dtype="float64")
    h = gc.relu(nn.conv2d(image, 3, 3, padding=1, name="stem"))
    for i in range(depth):
        with gc.scope(f"block{i}"):
            a = gc.relu(nn.batch_norm(nn.conv2d(h, 3, 3, padding=1), name=f"block{i}.norm"))
            h = gc.relu(h + nn.conv2d(a, 3, 3, padding=1))
    return compared(nn.dense(gc.mean(h, axis=(2, 3)), 4, name="out"))


def dropped(depth: int) -> Graph:
    h = entry()
    for i in range(depth):
        h = nn.dropout(nn.dense(h, 6, activation="tanh", name=f"layer{i}"), 0.3)
    return compared(h)


def weightless(depth: int) -> Graph:
    w = gc.param("w", (6, 6), "float64", init=gc.init.normal(0.4))
    h = entry()
    for _ in range(depth):
        h = gc.tanh(h @ w)
    return compared(h)


def two_stacks(depth: int) -> Graph:
    h = entry()
    for i in range(depth):
        h = nn.dense(h, 6, activation="relu", name=f"encoder.{i}.layer")
    h = nn.dense(h, 9, activation="sigmoid", name="middle")
    for i in range(depth):
        h = h + nn.layer_norm(nn.dense(h, 9, name=f"decoder.{i}.layer"), name=f"decoder.{i}.norm")
    return compared(h)


def skipping(depth: int) -> Graph:
    """What goes down is read again on the way up, in the other direction."""
    h, kept = entry(), []
    for i in range(depth):
        h = nn.dense(h, 6, activation="softplus", name=f"down{i}")
        kept.append(h)
    for i in range(depth):
        h = gc.tanh(nn.dense(h, 6, name=f"up{i}")) + kept[-1 - i]
    return compared(h)


def highway(depth: int) -> Graph:
    """The mean gate of all layers is part of the loss."""
    h, opened = entry(), []
    for i in range(depth):
        gate = gc.sigmoid(nn.dense(h, 6, name=f"layer{i}.gate"))
        h = gate * gc.tanh(nn.dense(h, 6, name=f"layer{i}.value")) + (1 - gate) * h
        opened.append(gc.mean(gate))
    target = gc.input("y", ("N", 6), dtype="float64")
    loss = gc.mean(gc.square(h - target)) + 0.01 * sum(opened[1:], opened[0])
    return gc.graph({"loss": loss, "open": opened[2]}, name="highway")


def in_pairs(depth: int) -> Graph:
    """Each layer reads the results of the two before."""
    a = entry()
    b = gc.sin(a)
    w = gc.param("w", (6,), "float64", init=gc.init.normal(1.0))
    for _ in range(depth):
        a, b = b, gc.tanh(a + b * w)
    return compared(a + b)


def decayed(depth: int) -> Graph:
    h, weights = entry(), []
    for i in range(depth):
        W = gc.param(f"layer{i}.W", (6, 6), "float64", init=gc.init.normal(0.3))
        weights.append(W)
        h = gc.softplus(h @ W)
    target = gc.input("y", ("N", 6), dtype="float64")
    loss = gc.mean(gc.square(h - target)) + 0.01 * sum(gc.sum(W * W) for W in weights)
    return gc.graph({"loss": loss}, name="decayed")


def experts(depth: int) -> Graph:
    mask = gc.input("mask", ("N", 1), dtype="float64")
    h = entry()
    for i in range(depth):
        made = [gc.tanh(nn.dense(h, 6, name=f"block{i}.expert{j}")) for j in range(3)]
        gate = gc.softmax(nn.dense(h, 3, name=f"block{i}.gate"), axis=-1)
        h = h + sum(gate[:, j : j + 1] * made[j] for j in range(3)) * mask
    return compared(h)


def looked_up(depth: int) -> Graph:
    """Each layer has a table of its own, to whose rows gradients are added."""
    ids = gc.input("ids", ("N",), dtype="int64")
    h = entry()
    for i in range(depth):
        table = gc.param(f"layer{i}.table", (5, 6), "float64", init=gc.init.normal(0.5))
        h = gc.tanh(h + table[ids])
    return compared(h)


def shared(depth: int) -> Graph:
    """Two layers of three have weights of their own, the third one's are the same for all."""
    w = gc.param("w", (6, 6), "float64", init=gc.init.normal(0.4))
    h = entry()
    for i in range(depth):
        h = nn.dense(gc.tanh(nn.dense(h, 6, name=f"a{i}") @ w), 6, name=f"b{i}", activation="relu")
    return compared(h)


def remembering(depth: int) -> Graph:
    """Two values are handed on, which are one and the same at first."""
    h = before = gc.tanh(entry())
    for i in range(depth):
        made = nn.dense(h, 6, activation="tanh", name=f"layer{i}")
        h, before = made + 0.1 * before, made
    return compared(h)


def words(depth: int) -> Graph:
    """Layers that are told apart by words."""
    h = entry()
    names = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"]
    for name in [*names, *[f"{name}_again" for name in names]][:depth]:
        h = nn.dense(h, 6, activation="elu", name=f"net.{name}.dense")
    return compared(h)


MODELS: Mapping[str, Callable[[int], Graph]] = {
    f.__name__: f
    for f in (
        *(dense, unnamed, by_hand, transformer, residual, dropped, weightless, two_stacks),
        *(skipping, highway, in_pairs, decayed, experts, looked_up, shared, remembering, words),
    )
}
DEPTHS = {"transformer": 3, "residual": 4, "weightless": 20, "in_pairs": 30}
OPTIMIZERS = (
    gc.optim.sgd(0.05),
    gc.optim.adam(0.01),
    gc.optim.clip_by_norm(gc.optim.sgd(0.05, momentum=0.9), 1.0),
)


def arguments(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    for name, node in graph.inputs.items():
        shape = [3 if not isinstance(dim, int) else dim for dim in node.shape]
        is_index = node.dtype.kind == "i"
        found[name] = rng.integers(0, 5, shape) if is_index else rng.normal(size=shape)
    return found


def agrees(function: Any) -> None:
    graph = function.graph
    state = function.init(seed=0) if graph.params else {}
    assert_steps_agree(graph, state, [arguments(graph, seed) for seed in range(3)], function)


def built(name: str, depth: int | None = None) -> Graph:
    return MODELS[name](depth or DEPTHS.get(name, 9))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_steps_of_layers_agree_with_the_reference(name: str, optimizer: Any) -> None:
    step = gc.compile(built(name), minimize="loss", optimizer=optimizer, style="readable")
    assert step.source.count(" = kept[") >= 1
    agrees(step)


@pytest.mark.parametrize("name", MODELS)
def test_outputs_and_gradients_of_layers_agree_with_the_reference(name: str) -> None:
    for of in (None, "loss"):
        function = gc.compile(built(name), gradient_of=of, style="readable")
        assert of is None or " = kept[" in function.source
        agrees(function)


@pytest.mark.parametrize("name", ["dense", "unnamed", "by_hand", "dropped", "experts"])
def test_deeper_is_no_longer(name: str) -> None:
    lengths = set()
    for depth in (12, 24):
        optimizer = gc.optim.adam(0.01)
        step = gc.compile(
            built(name, depth), minimize="loss", optimizer=optimizer, style="readable"
        )
        function = step.source.partition("def step(")[2].partition("    # update")[0]
        lengths.add(len(function.splitlines()))
    assert len(lengths) == 1


def test_a_stack_reads_as_by_hand() -> None:
    graph = gc.graph({"loss": built("dense").outputs["loss"]}, name="stack")
    step = gc.compile(graph, minimize="loss", optimizer="sgd(0.1)", style="readable")
    forward, _, backward = step.source.partition("    # backward\n")
    assert forward.endswith(
        "    kept = {}\n"
        "    layer_relu = x\n"
        "    for layer in range(9):\n"
        '        W, b = state[f"layer{layer}.W"], state[f"layer{layer}.b"]\n'
        "        layer_relu = np.maximum(layer_relu @ W + b, 0)  # [N, 6]\n"
        "        kept[layer] = layer_relu\n"
        "    layer8_subtract = layer_relu - y  # [N, 6]\n"
        "    loss = np.square(layer8_subtract).mean()  # []\n"
        "\n"
    )
    assert backward.partition("    derivatives = {}\n")[2].startswith(
        "    for layer in reversed(range(1, 9)):\n"
        '        W = state[f"layer{layer}.W"]\n'
        "        layer_relu = kept[layer - 1]\n"
        '        derivatives[f"layer{layer}.b"] = d_layer_pre.sum(axis=0)  # [6]\n'
        '        derivatives[f"layer{layer}.W"] = layer_relu.T @ d_layer_pre  # [6, 6]\n'
        "        d_layer = d_layer_pre @ W.T  # [N, 6]  dloss/dlayer\n"
        "        d_layer_pre = d_layer * (layer_relu > 0)  # [N, 6]\n"
    )


def test_few_layers_stay_as_they_are() -> None:
    step = gc.compile(built("dense", 4), minimize="loss", optimizer="sgd(0.1)", style="readable")
    assert "kept" not in step.source
    assert "    for layer" not in step.source.partition("# update")[0]


def test_words_of_layers_are_listed_once() -> None:
    step = gc.compile(built("transformer"), minimize="loss", optimizer="sgd(0.1)", style="readable")
    function = step.source.partition("def step(")[2]
    assert function.count('("block1", "layer_norm_3", "layer_norm_4")') == 1
    assert "in reversed(blocks):" in function


def test_numbers_of_layers_are_no_part_of_shapes_and_names() -> None:
    step = gc.compile(built("two_stacks"), minimize="loss", optimizer="sgd(0.1)", style="readable")
    function = step.source.partition("def step(")[2]
    assert "    encoder_layer = np.maximum(encoder_layer_add, 0)  # [N, 6]\n" in function
    assert "[N, ]" not in function
    assert "  dloss/ddecoder.norm_normal\n" in function
    assert "dloss/dmiddle\n" not in function  # which is the last of what that loop hands on


def test_outputs_of_all_layers_are_returned_by_name() -> None:
    h, outputs = entry(), {}
    for i in range(12):
        h = nn.dense(h, 6, activation="tanh", name=f"layer{i}")
        outputs[f"h{i}"] = h
    function = gc.compile(gc.graph(outputs, name="layers"), style="readable")
    assert '        outputs[f"h{layer}"] = ' in function.source
    agrees(function)


def test_carries_of_a_scan_are_no_parameters_of_a_state() -> None:
    def step(*values: Node) -> tuple[Node, ...]:
        *carries, x = values
        for i, carry in enumerate(carries):
            x = carries[i] = gc.tanh(carry * 0.5 + gc.sin(x) * 0.3)
        return (*carries, x)

    starts = [gc.param(f"h{i}", (6,), "float64", init=gc.init.normal(0.3)) for i in range(12)]
    *_, last = gc.scan(step, starts, gc.input("xs", ("T", 6), dtype="float64"))
    function = gc.compile(gc.graph({"loss": gc.sum(last)}, name="stack"), style="readable")
    rng = np.random.default_rng(0)
    calls = [{"xs": rng.normal(size=(4, 6))}]
    assert_steps_agree(function.graph, function.init(seed=0), calls, function)


@pytest.mark.parametrize("name", MODELS)
def test_modules_of_layers_are_formatted(name: str) -> None:
    for options in ({"gradient_of": "loss"}, {"minimize": "loss", "optimizer": "adam(0.01)"}):
        source = gc.compile(built(name), style="readable", **options).source
        subprocess.run([*RUFF, "format", "--check", "-"], input=source, text=True, check=True)
        subprocess.run(
            [*RUFF, "check", "--isolated", "-q", "-"], input=source, text=True, check=True
        )
        assert max(map(len, source.splitlines())) <= 88


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("dense", "shared")])
def test_modules_of_layers_check_themselves(name: str) -> None:
    source = gc.compile(built(name), gradient_of="loss", style="readable").source
    subprocess.run([sys.executable, "-"], input=source, text=True, check=True, capture_output=True)


def test_a_state_begins_as_before() -> None:
    """Loops in `init` draw in the order of the parameters, and name what they should."""
    for name in MODELS:
        step = gc.compile(built(name), minimize="loss", optimizer="adam(0.01)", style="readable")
        state = step.init(seed=3)
        assert {*state} == {*step.graph.params}
        for key, node in step.graph.params.items():
            initializer = node.attrs["init"]
            assert state[key].shape == node.shape
            assert state[key].dtype == node.dtype
            if initializer is None:
                assert not state[key].any()
        assert all(np.isfinite(value).all() for value in state.values())
        again = gc.compile(built(name), style="fast").init(seed=3)
        for key, value in again.items():
            np.testing.assert_array_equal(state[key], value)


def test_what_is_not_trained_has_no_moments() -> None:
    """A parameter whose name has no dot is told apart by nothing that a loop could ask for."""
    h = gc.input("x", ("N", 4)) * gc.param("frozen", (4,), trainable=False)
    for _ in range(5):
        h = nn.dense(h, 4)
    loss = gc.mean(gc.square(h))
    step = gc.compile(gc.graph({"loss": loss}), minimize="loss", optimizer="adam", style="readable")
    assert {*step.init(seed=0)} == {*step.graph.params}


def layer(rng: np.random.Generator, h: Node, aside: Node, i: int) -> tuple[Node, Node]:
    """A random layer of a few ops, the same for each number but for its parameters."""
    ops: list[Callable[[Node], Node]] = [
        gc.tanh,
        gc.sin,
        gc.softplus,
        gc.sigmoid,
        gc.square,
        gc.abs,
    ]
    values = [h, aside]
    for k in range(int(rng.integers(2, 7))):
        a, b = (values[int(j)] for j in rng.integers(0, len(values), 2))
        kind = int(rng.integers(0, 7))
        if kind == 0:
            made = nn.dense(a, 6, name=f"layer{i}.dense{k}")
        elif kind == 1:
            made = a * gc.param(f"layer{i}.scale{k}", (6,), "float64", init=gc.init.normal(0.5))
        elif kind == 2:
            made = (a + b) * 0.5
        elif kind == 3:
            made = gc.tanh(a) * b
        elif kind == 4:
            made = gc.softmax(a, axis=1)
        elif kind == 5:
            made = a - gc.mean(b, axis=1, keepdims=True)
        else:
            made = ops[int(rng.integers(0, len(ops)))](a)
        values.append(made)
    return gc.tanh(values[-1] + h), gc.tanh(values[-2])


def random_stack(seed: int) -> Graph:
    """Return a stack of a random layer; some return all layers' values, or read further back."""
    depth = int(np.random.default_rng(seed).integers(6, 12))
    h = entry()
    aside = gc.cos(h)
    hidden = [h]
    for i in range(depth):
        h, aside = layer(np.random.default_rng(seed + 1), h, aside, i)
        hidden.append(h)
        if seed % 4 == 1:
            h = h + 0.1 * hidden[-2]
    outputs = compared(h + aside).outputs
    if seed % 4 == 2:
        outputs = {**outputs, **{f"h{i}": value for i, value in enumerate(hidden[1:])}}
    return gc.graph(outputs, name="stack")


@pytest.mark.parametrize("seed", range(60))
def test_random_stacks_agree_with_the_reference(seed: int) -> None:
    graph = random_stack(seed)
    agrees(gc.compile(graph, gradient_of="loss", style="readable"))
    if any(node.attrs["trainable"] for node in graph.params.values()):
        step = gc.compile(graph, minimize="loss", optimizer="adamw(0.01)", style="readable")
        agrees(step)
