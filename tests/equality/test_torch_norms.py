"""Normalization layers equal PyTorch's: values, gradients, and the running averages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch_equality import DTYPES, assert_close, assert_equal, of_ours, torch

import graphc as gc

RNG = np.random.default_rng(0)
F = torch.nn.functional

#: [N, C], sequences [N, C, L] and images [N, C, H, W]; the last with a mean far from 0.
DATA = {
    "table": RNG.normal(size=(7, 6)),
    "sequence": RNG.normal(size=(3, 6, 5)) * 2 - 1,
    "image": RNG.normal(size=(2, 6, 3, 4)) + 3,
}


def state_of(name: str, channels: int, kinds: tuple[str, ...] = ("W", "b")) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    numbers = {kind: rng.normal(size=channels) for kind in ("W", "b", "running_mean")}
    numbers["running_var"] = rng.uniform(0.5, 2, channels)
    return {f"{name}.{kind}": numbers[kind] for kind in kinds}


BATCH = ("running_mean", "running_var", "W", "b")
TORCH_NAMES = {
    "bn.W": "weight",
    "bn.b": "bias",
    "bn.running_mean": "running_mean",
    "bn.running_var": "running_var",
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("settings", [{}, {"momentum": 0.3, "eps": 0.1}], ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(data: str, settings: dict[str, float], training: bool, dtype: str) -> None:
    x = DATA[data].astype(dtype)
    state = {k: a.astype(dtype) for k, a in state_of("bn", 6, BATCH).items()}
    theirs = {TORCH_NAMES[k]: torch.tensor(a) for k, a in state.items()}
    leaf = torch.tensor(x, requires_grad=True)
    weight, bias = (theirs.pop(k).requires_grad_() for k in ("weight", "bias"))
    y = F.batch_norm(leaf, **theirs, weight=weight, bias=bias, training=training, **settings)
    numbers = np.random.default_rng(99).normal(size=y.shape).astype(dtype)
    (y * torch.tensor(numbers)).sum().backward()

    leaf_node = gc.input("x", ("N", *x.shape[1:]), dtype)
    weights = gc.input("weights", leaf_node.shape, dtype)
    out = gc.nn.batch_norm(leaf_node, name="bn", **settings)
    graph = gc.graph({"y": out, "loss": gc.sum(out * weights)})
    graph = graph if training else graph.for_inference()
    wanted = {"x": leaf.grad, "bn.W": weight.grad, "bn.b": bias.grad}
    for style in ("readable", "fast"):
        f = gc.compile(graph, gradient_of="loss", wrt=list(wanted), style=style)
        after = {k: a.copy() for k, a in state.items()}
        got = f(after, x=x, weights=numbers)
        assert_close(got["y"], y.detach().numpy(), dtype, style)
        for name, grad in wanted.items():
            assert_close(got[f"d_loss_d_{name}"], grad.numpy(), dtype, f"{style} {name}")
        for kind in ("running_mean", "running_var"):
            assert_close(after[f"bn.{kind}"], theirs[kind].numpy(), dtype, f"{style} {kind}")
            assert np.array_equal(after[f"bn.{kind}"], state[f"bn.{kind}"]) is not training


@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_norm_without_momentum(dtype: str) -> None:
    peer = torch.nn.BatchNorm1d(6, momentum=None, dtype=getattr(torch, dtype))
    f = gc.compile(gc.graph(gc.nn.batch_norm(gc.input("x", ("N", 6), dtype), momentum=None)))
    state = f.init()
    rng = np.random.default_rng(11)
    for size in (4, 7, 5):
        x = rng.normal(size=(size, 6)).astype(dtype)
        peer(torch.tensor(x))
        f(state, x=x)
    assert state["batch_norm.batches"] == int(peer.num_batches_tracked) == 3
    for kind in ("running_mean", "running_var"):
        assert_close(state[f"batch_norm.{kind}"], getattr(peer, kind).numpy(), dtype, kind)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_layer_norm(data: str, axes: int, eps: float, dtype: str) -> None:
    x = DATA[data]
    axes = min(axes, x.ndim - 1)
    shape = x.shape[-axes:]
    state = {k: RNG.normal(size=shape) for k in ("ln.W", "ln.b")}
    assert_equal(
        lambda x: gc.nn.layer_norm(x, tuple(range(-axes, 0)), name="ln", eps=eps),
        lambda x, weight, bias: F.layer_norm(x, shape, weight, bias, eps),
        {"x": x},
        state,
        dtype,
        {"ln.W": "weight", "ln.b": "bias"},
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_group_norm(data: str, groups: int, dtype: str) -> None:
    if data == "table" and groups > 2:
        groups = 1  # two elements are always -1 and +1: nothing but rounding would be compared
    assert_equal(
        lambda x: gc.nn.group_norm(x, groups, name="gn"),
        lambda x, weight, bias: F.group_norm(x, groups, weight, bias),
        {"x": DATA[data]},
        state_of("gn", 6),
        dtype,
        {"gn.W": "weight", "gn.b": "bias"},
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", ["sequence", "image"])
@pytest.mark.parametrize("affine", [False, True])
def test_instance_norm(data: str, affine: bool, dtype: str) -> None:
    assert_equal(
        lambda x: gc.nn.instance_norm(x, name="in", affine=affine),
        lambda x, weight=None, bias=None: F.instance_norm(x, weight=weight, bias=bias),
        {"x": DATA[data]},
        state_of("in", 6) if affine else {},
        dtype,
        {"in.W": "weight", "in.b": "bias"},
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("eps", [None, 1e-3])
def test_rms_norm(data: str, eps: float | None, dtype: str) -> None:
    size = DATA[data].shape[-1]

    def build(x: gc.Node) -> gc.Node:
        return gc.nn.rms_norm(x, name="rms", eps=eps)

    assert_equal(
        build,
        lambda x, weight: F.rms_norm(x, (size,), weight, eps),
        {"x": DATA[data]},
        {"rms.W": RNG.normal(size=size)},
        dtype,
        {"rms.W": "weight"},
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", ["sequence", "image"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("settings", [{}, {"alpha": 0.5, "beta": 0.6, "k": 2.0}], ids=str)
def test_local_response_norm(data: str, size: int, settings: dict[str, float], dtype: str) -> None:
    assert_equal(
        lambda x: gc.nn.local_response_norm(x, size, **settings),
        lambda x: F.local_response_norm(x, size, **settings),
        {"x": DATA[data]},
        dtype=dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("style", ["readable", "fast"])
def test_training_and_use_of_a_network(style: str, dtype: str) -> None:
    """Twelve steps with batches of two sizes, then the network in use, against torch.nn."""
    kind = getattr(torch, dtype)
    torch.manual_seed(0)
    peer = torch.nn.Sequential(
        torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Tanh(), torch.nn.Linear(6, 1)
    ).to(kind)
    x, y = gc.input("x", ("N", 4), dtype), gc.input("y", ("N", 1), dtype)
    h = gc.nn.batch_norm(gc.nn.dense(x, 6, name="a"), name="bn", activation="tanh")
    out = gc.nn.dense(h, 1, name="b")
    g = gc.graph({"loss": gc.nn.mean_squared_error(out, y).mean(), "out": out})
    step = gc.compile(g, minimize="loss", optimizer="sgd(0.1, momentum=0.9)", style=style)
    state = step.init()
    mirror = {"a.W": "0.weight", "a.b": "0.bias", "b.W": "3.weight", "b.b": "3.bias"}
    mirror |= {"bn.W": "1.weight", "bn.b": "1.bias"}
    mirror |= {f"bn.{name}": f"1.{name}" for name in ("running_mean", "running_var")}
    theirs = peer.state_dict()
    for name, other in mirror.items():
        state[name][...] = theirs[other].numpy().T
    optimizer = torch.optim.SGD(peer.parameters(), 0.1, momentum=0.9)
    for number in range(12):
        rows = 5 + number % 2 * 4
        batch, target = (RNG.normal(size=(rows, n)).astype(dtype) for n in (4, 1))
        loss = step(state, x=batch, y=target)["loss"]
        optimizer.zero_grad()
        wanted = torch.nn.functional.mse_loss(peer(torch.tensor(batch)), torch.tensor(target))
        wanted.backward()
        optimizer.step()
        assert_close(loss, wanted.detach().numpy(), dtype, f"loss {number}")
    for name, other in mirror.items():
        assert_close(state[name], peer.state_dict()[other].numpy().T, dtype, name)
    peer.eval()
    used = step.for_inference()(state, x=batch, y=target)["out"]
    assert_close(used, peer(torch.tensor(batch)).detach().numpy(), dtype, "in use")


def test_a_large_mean_costs_no_digits() -> None:
    x = (DATA["table"] + 1e4).astype("float32")
    wide = F.layer_norm(torch.tensor(x.astype("float64")), (6,)).numpy()
    outputs, _ = of_ours(lambda x: gc.nn.layer_norm(x, affine=False), {"x": x}, {})
    np.testing.assert_allclose(outputs["y"], wide, atol=2e-3)  # x itself has 4 digits left
