"""Optimizers against PyTorch's formulas, written once more in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from graphc.build import optim
from graphc.build.graphs import graph, param
from graphc.build.init import initial_state
from graphc.build.optim import Optimizer, parse_optimizer
from graphc.errors import GraphError
from graphc.ir.provenance import UPDATE
from graphc.run.reference import interpret

START = {"W": np.array([[1.0, -2.0], [0.5, 3.0]]), "b": np.array([0.1, -0.2])}
TARGET = {"W": np.array([[0.0, 1.0], [2.0, -1.0]]), "b": np.array([1.0, 1.0])}
Arrays = dict[str, np.ndarray]


def gradients_at(values: Arrays) -> Arrays:
    """Return the gradient of ½‖θ - target‖⁴/10, which is not linear."""
    return {k: 0.2 * ((v - TARGET[k]) ** 2).sum() * (v - TARGET[k]) for k, v in values.items()}


def steps_of(optimizer: Optimizer, count: int = 6, dtype: str = "float64") -> Iterator[Arrays]:
    """Yield the parameters after each step of the graph that the optimizer makes."""
    params = {k: param(k, v.shape, dtype, init=v) for k, v in START.items()}
    gradients = {}
    for key, node in params.items():
        difference = node - TARGET[key].astype(dtype)
        gradients[key] = 0.2 * (difference * difference).sum() * difference
    g = graph({"W": params["W"]}, updates=optimizer.updates(params, gradients))
    state = initial_state(g)
    for _ in range(count):
        interpret(g, state)
        yield {k: state[k].copy() for k in START}


class Reference:
    """An optimizer in plain NumPy: `move(key, value, gradient, t)` gives the next value."""

    def __init__(self, move: Callable[..., np.ndarray]) -> None:
        self.move = move
        self.memory: dict[Any, Any] = {}

    def steps(self, count: int = 6) -> Iterator[Arrays]:
        values = dict(START)
        for t in range(count):
            grads = gradients_at(values)
            values = {k: self.move(self.memory, k, values[k], grads[k], t) for k in values}
            yield values


def sgd(lr: Any, mu: float = 0.0, nesterov: bool = False, wd: float = 0.0) -> Reference:
    rate = lr if callable(lr) else lambda t: lr

    def move(memory: Any, k: str, p: Any, g: Any, t: int) -> Any:
        g = g + wd * p
        if mu:
            memory[k] = mu * memory[k] + g if k in memory else g
            g = g + mu * memory[k] if nesterov else memory[k]
        return p - rate(t) * g

    return Reference(move)


def adagrad(lr: float, eps: float = 1e-10, wd: float = 0.0, start: float = 0.0) -> Reference:
    def move(memory: Any, k: str, p: Any, g: Any, t: int) -> Any:
        g = g + wd * p
        memory[k] = memory.get(k, start) + g * g
        return p - lr * g / (np.sqrt(memory[k]) + eps)

    return Reference(move)


def rmsprop(
    lr: float, alpha: float = 0.99, wd: float = 0.0, mu: float = 0.0, centered: bool = False
) -> Reference:
    def move(memory: Any, k: str, p: Any, g: Any, t: int) -> Any:
        g = g + wd * p
        v = memory[k, "v"] = alpha * memory.get((k, "v"), 0) + (1 - alpha) * g * g
        if centered:
            m = memory[k, "m"] = alpha * memory.get((k, "m"), 0) + (1 - alpha) * g
            v = v - m * m
        g = g / (np.sqrt(v) + 1e-8)
        if mu:
            g = memory[k, "b"] = mu * memory.get((k, "b"), 0) + g
        return p - lr * g

    return Reference(move)


def adam(
    lr: float, b1: float = 0.9, b2: float = 0.999, wd: float = 0.0, w: bool = False
) -> Reference:
    def move(memory: Any, k: str, p: Any, g: Any, t: int) -> Any:
        p, g = (p * (1 - lr * wd), g) if w else (p, g + wd * p)
        m = memory[k, "m"] = b1 * memory.get((k, "m"), 0) + (1 - b1) * g
        v = memory[k, "v"] = b2 * memory.get((k, "v"), 0) + (1 - b2) * g * g
        c1, c2 = 1 - b1 ** (t + 1), 1 - b2 ** (t + 1)
        return p - lr / c1 * m / (np.sqrt(v) / np.sqrt(c2) + 1e-8)

    return Reference(move)


PAIRS: list[tuple[str, Reference]] = [
    ("sgd(0.1)", sgd(0.1)),
    ("sgd(0.1, momentum=0.9)", sgd(0.1, 0.9)),
    ("sgd(0.1, momentum=0.9, nesterov=True)", sgd(0.1, 0.9, True)),
    ("sgd(0.1, momentum=0.5, weight_decay=0.01)", sgd(0.1, 0.5, wd=0.01)),
    ("adagrad(0.1)", adagrad(0.1)),
    ("adagrad(0.1, weight_decay=0.1, initial_accumulator=0.5)", adagrad(0.1, wd=0.1, start=0.5)),
    ("rmsprop(0.01)", rmsprop(0.01)),
    ("rmsprop(0.01, alpha=0.9, momentum=0.5, centered=True)", rmsprop(0.01, 0.9, 0, 0.5, True)),
    ("rmsprop(0.01, weight_decay=0.1)", rmsprop(0.01, wd=0.1)),
    ("adam(0.01)", adam(0.01)),
    ("adam(0.01, beta1=0.8, beta2=0.99, weight_decay=0.1)", adam(0.01, 0.8, 0.99, 0.1)),
    ("adamw(0.01)", adam(0.01, wd=0.01, w=True)),
    ("adamw(0.01, weight_decay=0.0)", adam(0.01)),
    ("sgd(constant(0.1))", sgd(0.1)),
    ("sgd(step_decay(0.1, 2, factor=0.5))", sgd(lambda t: 0.1 * 0.5 ** (t // 2))),
    ("sgd(exponential(0.1, 0.9))", sgd(lambda t: 0.1 * 0.9**t)),
    (
        "sgd(cosine(0.1, 4, final=0.01))",
        sgd(lambda t: 0.01 + 0.09 * (1 + np.cos(np.pi * min(t, 4) / 4)) / 2),
    ),
    ("sgd(inverse_time(0.1, 0.5))", sgd(lambda t: 0.1 / (1 + 0.5 * t))),
    ("sgd(polynomial(0.1, 4))", sgd(lambda t: 0.1 * (1 - min(t, 4) / 4))),
    ("sgd(polynomial(0.1, 4, power=2.0))", sgd(lambda t: 0.1 * (1 - min(t, 4) / 4) ** 2)),
    ("sgd(linear_warmup(0.1, 3))", sgd(lambda t: 0.1 * min(1, (t + 1) / 3))),
    (
        "sgd(linear_warmup(exponential(0.1, 0.9), 3))",
        sgd(lambda t: 0.1 * 0.9**t * min(1, (t + 1) / 3)),
    ),
]


@pytest.mark.parametrize("text, reference", PAIRS, ids=[row[0] for row in PAIRS])
def test_formulas(text: str, reference: Reference) -> None:
    optimizer = parse_optimizer(text)
    reference.memory.clear()
    for got, wanted in zip(steps_of(optimizer), reference.steps(), strict=True):
        for key in START:
            np.testing.assert_allclose(got[key], wanted[key], rtol=1e-12)


@pytest.mark.parametrize("text", [row[0] for row in PAIRS])
def test_text_form_round_trip(text: str) -> None:
    optimizer = parse_optimizer(text)
    assert parse_optimizer(repr(optimizer)) == optimizer


def test_clipping_by_the_common_norm() -> None:
    first = gradients_at(START)
    norm = np.sqrt(sum((g**2).sum() for g in first.values()))
    got = next(steps_of(parse_optimizer("clip_by_norm(sgd(0.1), 0.5)")))
    for key, gradient in first.items():
        wanted = START[key] - 0.1 * gradient * 0.5 / (norm + 1e-6)
        np.testing.assert_allclose(got[key], wanted, rtol=1e-12)
    free = next(steps_of(parse_optimizer("clip_by_norm(sgd(0.1), 1000)")))
    np.testing.assert_array_equal(free["W"], START["W"] - 0.1 * first["W"])


def test_clipping_by_value() -> None:
    got = next(steps_of(optim.clip_by_value(optim.sgd(0.1), 0.3)))
    for key, gradient in gradients_at(START).items():
        np.testing.assert_allclose(got[key], START[key] - 0.1 * np.clip(gradient, -0.3, 0.3))


def test_max_norm_limits_columns_and_leaves_vectors() -> None:
    free = next(steps_of(optim.sgd(0.01)))
    got = next(steps_of(optim.max_norm(optim.sgd(0.01), 1.5)))
    sizes = np.linalg.norm(free["W"], axis=0)
    assert (sizes > 1.5).any()
    np.testing.assert_allclose(got["W"], free["W"] * np.minimum(1, 1.5 / sizes))
    np.testing.assert_array_equal(got["b"], free["b"])


def test_float32_stays_float32_and_slots_are_named_after_their_parameter() -> None:
    params = {"W": param("W", (2, 2))}
    updates = optim.adam(optim.cosine(0.1, 10)).updates(params, {"W": params["W"] * 2})
    assert list(updates) == ["W", "W.step", "W.mean", "W.mean_square"]
    assert [updates[k].dtype.name for k in updates] == ["float32", "int64", "float32", "float32"]
    assert {node.provenance.phase for node in updates.values()} == {UPDATE}
    assert all(node.name is None for node in updates.values())


def test_bias_correction_is_exact_in_float32() -> None:
    wide = next(steps_of(optim.adam(0.01)))["W"]
    narrow = next(steps_of(optim.adam(0.01), dtype="float32"))["W"]
    np.testing.assert_allclose(narrow, wide, rtol=3e-7)


def test_parameters_without_gradient_stay() -> None:
    params = {"a": param("a", (2,)), "b": param("b", (2,))}
    assert list(optim.sgd(0.1).updates(params, {"b": params["b"]})) == ["b"]
    with pytest.raises(GraphError, match="does not belong"):
        optim.sgd(0.1).updates(params, {"b": params["b"].sum()})


MISTAKES: list[tuple[str, str]] = [
    ("sgdd(0.1)", "did you mean 'sgd'"),
    ("sgd()", r"cannot be called so[\s\S]*sgd\(learning_rate, "),
    ("sgd(0.1, speed=2)", "sgd has no setting 'speed'"),
    ("sgd(lr=0.1)", r"where     sgd\(lr=0.1\)[\s\S]*did you mean learning_rate="),
    ("sgd(0.1, 0.9, learning_rate=0.1)", "cannot be called so"),
    ("adam(0.1, betas=(0.9, 0.99))", "did you mean beta1="),
    ("adam(0.1, epsilon=1e-8)", "did you mean eps="),
    ("adm(0.1)", "did you mean 'adam'"),
    ("clip_by_norm(sgd(0.1), max_norm=1.0)", "did you mean limit="),
    ("sgd(step_decay(0.1, 2, gamma=0.5))", "did you mean factor="),
    ("sgd(cosine(0.1))", r"cosine\(rate, steps, final=0.0\)"),
    ("sgd(-0.1)", "positive number"),
    ("sgd('fast')", "positive number"),
    ("sgd(0.1, nesterov=True)", "needs momentum"),
    ("adam(0.1, beta1=1.5)", r"beta1 of adam must be a number in \[0, 1\)"),
    ("clip_by_norm(0.1, 1.0)", "takes an optimizer first"),
    ("__import__('os').system('true')", "not an optimizer"),
    ("sgd(0.1 if True else 2)", "not an optimizer"),
    ("sgd(open('x'))", "no optimizer is called 'open'"),
    ("0.1", "not an optimizer"),
    ("cosine(0.1, 5)", "not an optimizer"),
    ("sgd(0.1", "not an optimizer"),
    ("sgd(0.1, **{'momentum': 0.9})", "not an optimizer"),
    ("sgd(*[0.1])", "not an optimizer"),
]


@pytest.mark.parametrize("text, message", MISTAKES, ids=[row[0] for row in MISTAKES])
def test_mistakes_are_told(text: str, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        parse_optimizer(text)


def test_a_bare_name_means_the_defaults() -> None:
    assert parse_optimizer("adam") == optim.adam() == parse_optimizer("adam()")
    assert repr(optim.adam()) == "adam(0.001)"
    assert repr(optim.sgd(0.1)) == "sgd(0.1)"
