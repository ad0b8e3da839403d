"""Optimizers, clipping and schedules equal PyTorch's: 20 steps on one problem from one start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch_equality import DTYPES, assert_close, torch

import graphc as gc

RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=(16, 5)), RNG.normal(size=(16, 3))
START = {
    "a.W": RNG.normal(size=(5, 6)) * 0.5,
    "a.b": RNG.normal(size=6) * 0.1,
    "b.W": RNG.normal(size=(6, 3)) * 0.5,
    "b.b": RNG.normal(size=3) * 0.1,
}
STEPS = 20

Parameters = dict[str, Any]
Clip = Callable[[list[Any]], Any]


def problem(dtype: str) -> gc.Graph:
    """Return a small regression whose gradient is neither constant nor linear."""
    x, y = gc.input("x", ("N", 5), dtype), gc.input("y", ("N", 3), dtype)
    h = gc.nn.dense(x, 6, name="a", activation="tanh")
    loss = gc.nn.mean_squared_error(gc.nn.dense(h, 3, name="b"), y).mean()
    return gc.graph({"loss": 3 * loss}, name="problem")


def ours(optimizer: str, dtype: str, style: str) -> list[Parameters]:
    """Return the parameters after each step."""
    step = gc.compile(problem(dtype), minimize="loss", optimizer=optimizer, style=style)
    state = step.init()
    for name, value in START.items():
        state[name][...] = value
    path = []
    for _ in range(STEPS):
        step(state, x=X.astype(dtype), y=Y.astype(dtype))
        path.append({name: state[name].copy() for name in START})
    return path


def theirs(
    make: Callable[[list[Any]], Any],
    dtype: str,
    clip: Clip | None = None,
    schedule: Callable[[Any], Any] | None = None,
) -> list[Parameters]:
    kind = getattr(torch, dtype)
    p = {k: torch.tensor(v, dtype=kind, requires_grad=True) for k, v in START.items()}
    x, y = torch.tensor(X, dtype=kind), torch.tensor(Y, dtype=kind)
    optimizer = make(list(p.values()))
    scheduler = schedule(optimizer) if schedule else None
    path = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        h = torch.tanh(x @ p["a.W"] + p["a.b"])
        (3 * torch.nn.functional.mse_loss(h @ p["b.W"] + p["b.b"], y)).backward()
        if clip is not None:
            clip(list(p.values()))
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        path.append({k: v.detach().numpy().copy() for k, v in p.items()})
    return path


def assert_same_path(text: str, dtype: str, wanted: list[Parameters]) -> None:
    for style in ("readable", "fast"):
        for number, (got, at) in enumerate(zip(ours(text, dtype, style), wanted, strict=True)):
            for name in START:
                assert_close(got[name], at[name], dtype, f"{style} step {number} {name}")


optim = torch.optim
OPTIMIZERS: dict[str, Callable[[list[Any]], Any]] = {
    "sgd(0.1)": lambda p: optim.SGD(p, 0.1),
    "sgd(0.1, momentum=0.9)": lambda p: optim.SGD(p, 0.1, momentum=0.9),
    "sgd(0.05, momentum=0.9, nesterov=True)": lambda p: optim.SGD(p, 0.05, 0.9, nesterov=True),
    "sgd(0.1, weight_decay=0.1)": lambda p: optim.SGD(p, 0.1, weight_decay=0.1),
    "sgd(0.05, momentum=0.5, nesterov=True, weight_decay=0.01)": lambda p: optim.SGD(
        p, 0.05, 0.5, nesterov=True, weight_decay=0.01
    ),
    "adagrad(0.1)": lambda p: optim.Adagrad(p, 0.1),
    "adagrad(0.1, eps=0.001, weight_decay=0.1, initial_accumulator=0.5)": lambda p: optim.Adagrad(
        p, 0.1, eps=0.001, weight_decay=0.1, initial_accumulator_value=0.5
    ),
    "rmsprop(0.01)": lambda p: optim.RMSprop(p, 0.01),
    "rmsprop(0.01, alpha=0.9, eps=0.01, momentum=0.5)": lambda p: optim.RMSprop(
        p, 0.01, 0.9, 0.01, momentum=0.5
    ),
    "rmsprop(0.01, weight_decay=0.1, momentum=0.9, centered=True)": lambda p: optim.RMSprop(
        p, 0.01, weight_decay=0.1, momentum=0.9, centered=True
    ),
    "adam(0.01)": lambda p: optim.Adam(p, 0.01),
    "adam(0.05, beta1=0.5, beta2=0.9, eps=0.001, weight_decay=0.1)": lambda p: optim.Adam(
        p, 0.05, (0.5, 0.9), 0.001, 0.1
    ),
    "adamw(0.01)": lambda p: optim.AdamW(p, 0.01),
    "adamw(0.05, beta1=0.8, beta2=0.99, weight_decay=0.3)": lambda p: optim.AdamW(
        p, 0.05, (0.8, 0.99), weight_decay=0.3
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("text", OPTIMIZERS)
def test_optimizer(text: str, dtype: str) -> None:
    assert_same_path(text, dtype, theirs(OPTIMIZERS[text], dtype))


utils = torch.nn.utils
CLIPPED: dict[str, tuple[Callable[[list[Any]], Any], Clip]] = {
    "clip_by_norm(sgd(0.2), 0.3)": (
        lambda p: optim.SGD(p, 0.2),
        lambda p: utils.clip_grad_norm_(p, 0.3),
    ),
    "clip_by_norm(adam(0.01), 1000.0)": (
        lambda p: optim.Adam(p, 0.01),
        lambda p: utils.clip_grad_norm_(p, 1000.0),
    ),
    "clip_by_value(sgd(0.2, momentum=0.9), 0.05)": (
        lambda p: optim.SGD(p, 0.2, momentum=0.9),
        lambda p: utils.clip_grad_value_(p, 0.05),
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("text", CLIPPED)
def test_clipping(text: str, dtype: str) -> None:
    make, clip = CLIPPED[text]
    assert_same_path(text, dtype, theirs(make, dtype, clip))


rates = optim.lr_scheduler
#: Text form -> the first rate in PyTorch, and its schedule.
SCHEDULES: dict[str, tuple[float, Callable[[Any], Any]]] = {
    "constant(0.1)": (0.1, lambda o: rates.ConstantLR(o, factor=1.0)),
    "step_decay(0.2, 6, factor=0.5)": (0.2, lambda o: rates.StepLR(o, 6, 0.5)),
    "step_decay(0.2, 7)": (0.2, lambda o: rates.StepLR(o, 7)),
    "exponential(0.2, 0.9)": (0.2, lambda o: rates.ExponentialLR(o, 0.9)),
    "cosine(0.2, 30)": (0.2, lambda o: rates.CosineAnnealingLR(o, 30)),
    "cosine(0.2, 19, final=0.02)": (0.2, lambda o: rates.CosineAnnealingLR(o, 19, 0.02)),
    "polynomial(0.2, 10)": (0.2, lambda o: rates.PolynomialLR(o, 10)),
    "polynomial(0.2, 15, power=2.0)": (0.2, lambda o: rates.PolynomialLR(o, 15, 2.0)),
    "inverse_time(0.2, 0.5)": (0.2, lambda o: rates.LambdaLR(o, lambda t: 1 / (1 + 0.5 * t))),
    "linear_warmup(0.2, 5)": (0.2, lambda o: rates.LinearLR(o, 0.2, 1.0, 4)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("text", SCHEDULES)
def test_schedule(text: str, dtype: str) -> None:
    rate, schedule = SCHEDULES[text]
    wanted = theirs(lambda p: optim.SGD(p, rate), dtype, schedule=schedule)
    assert_same_path(f"sgd({text})", dtype, wanted)


def test_weight_decay_is_the_gradient_of_l2() -> None:
    """λ/2 ‖W‖² in the loss is what `weight_decay` does to the gradient."""
    g = problem("float64")
    penalty = gc.nn.l2([g.params[name] for name in START], 0.1)
    with_penalty = gc.graph({"loss": g.outputs["loss"] + penalty}, name="problem")
    step = gc.compile(with_penalty, minimize="loss", optimizer="sgd(0.1)")
    state = step.init()
    for name, value in START.items():
        state[name][...] = value
    for _ in range(STEPS):
        step(state, x=X, y=Y)
    wanted = theirs(OPTIMIZERS["sgd(0.1, weight_decay=0.1)"], "float64")[-1]
    for name in START:
        assert_close(state[name], wanted[name], "float64", name)


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_two_optimizers_of_one_state_count_their_own_steps(style: str) -> None:
    x, y = gc.input("x", ("N", 5), "float64"), gc.input("y", ("N", 3), "float64")
    h = gc.nn.dense(x, 6, name="a", activation="tanh")
    error = gc.mean((gc.nn.dense(h, 3, name="b") - y) ** 2)
    game = gc.graph({"error": error, "other": error + gc.mean(h)})
    first, second = (
        gc.compile(game.frozen(others), minimize=of, optimizer=rule, style=style)
        for others, of, rule in (("b.*", "error", "adam(0.05)"), ("a.*", "other", "adamw(0.02)"))
    )
    state = first.init(0) | second.init(0)
    for name, value in START.items():
        state[name][...] = value
    p = {name: torch.tensor(value, requires_grad=True) for name, value in START.items()}
    players = [
        (optim.Adam([p["a.W"], p["a.b"]], 0.05), 0.0),
        (optim.AdamW([p["b.W"], p["b.b"]], 0.02), 1.0),
    ]
    for _ in range(STEPS):
        first(state, x=X, y=Y)
        second(state, x=X, y=Y)
        for optimizer, share in players:
            optimizer.zero_grad()
            h = torch.tanh(torch.tensor(X) @ p["a.W"] + p["a.b"])
            loss = torch.mean((h @ p["b.W"] + p["b.b"] - torch.tensor(Y)) ** 2)
            (loss + share * h.mean()).backward()
            optimizer.step()
    for name, value in p.items():
        assert_close(state[name], value.detach().numpy(), "float64", name)
