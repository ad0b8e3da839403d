"""Optimizers by groups of parameters, rates in the state, and optimizers of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.build.optim import parse_optimizer

X = np.array([[0.5, -1.0], [2.0, 0.25], [1.0, 1.0]])
Y = np.array([1.0, -2.0, 0.5])


def model(sparse: bool = False) -> gc.Graph:
    x, y = gc.input("x", (3, 2), "float64"), gc.input("y", (3,), "float64")
    W = gc.param("W", (2,), "float64", init=np.array([0.3, -0.2]))
    b = gc.param("b", (), "float64", init=0.1)
    p = x @ W + b
    if sparse:
        table = gc.param("E", (4, 2), "float64", init=gc.init.ones(), sparse=True)
        p = p + table[gc.constant(np.array([0, 2, 2]))].sum(axis=1)
    return gc.graph({"loss": gc.nn.mean_squared_error(p, y).mean(), "p": p}, name="line")


def run(optimizer: Any, steps: int = 4, graph: gc.Graph | None = None) -> dict[str, np.ndarray]:
    step = gc.compile(graph or model(), minimize="loss", optimizer=optimizer)
    state = step.init()
    for _ in range(steps):
        step(state, x=X, y=Y)
    return state


def two_players(first: Any, second: Any, graph: gc.Graph) -> Iterator[float]:
    """Train what is in `W` by one step and the rest by another, on one gradient each time."""
    one = gc.compile(graph.frozen("b"), minimize="loss", optimizer=first)
    other = gc.compile(graph.frozen("W"), minimize="loss", optimizer=second)
    state = one.init() | other.init()
    for _ in range(4):
        before = {name: array.copy() for name, array in state.items()}
        one(state, x=X, y=Y)
        other(before, x=X, y=Y)  # sees W as it was
        for name, array in before.items():
            if name != "W" and not name.startswith("W."):
                state[name][...] = array
        yield float(state["W"].sum() + state["b"])


@pytest.mark.parametrize(
    ("usual", "biases"),
    [
        ("sgd(0.1)", "sgd(0.02)"),
        ("adam(0.05)", "sgd(cosine(0.1, 9), momentum=0.5)"),
        ("adamw(linear_warmup(0.05, 3))", "adamw(0.05, weight_decay=0.0)"),
    ],
)
def test_each_group_has_its_optimizer(usual: str, biases: str) -> None:
    state = run(f'groups({usual}, {{"b": {biases}}})')
    *_, expected = two_players(usual, biases, model())
    assert float(state["W"].sum() + state["b"]) == pytest.approx(expected, rel=1e-14)


def test_the_first_pattern_that_matches_decides() -> None:
    grouped = gc.optim.groups(
        gc.optim.sgd(0.3), {"b*": gc.optim.sgd(0.1), "*": gc.optim.sgd(0.2), "b": gc.optim.sgd(9)}
    )
    state, slow, quick = run(grouped, 1), run("sgd(0.1)", 1), run("sgd(0.2)", 1)
    np.testing.assert_allclose(state["b"], slow["b"], rtol=1e-14)
    np.testing.assert_allclose(state["W"], quick["W"], rtol=1e-14)


def test_groups_are_text_and_back_and_stand_inside_others() -> None:
    text = "groups(adamw(0.001), {'*.b': adam(0.002), 'E': sgd(adjustable(0.1, key='rate'))})"
    optimizer = parse_optimizer(text)
    assert repr(optimizer) == text and parse_optimizer(repr(optimizer)) == optimizer
    assert hash(optimizer) == hash(parse_optimizer(text))
    assert len({optimizer, parse_optimizer(text)}) == 1
    turned = parse_optimizer(text.replace("'*.b'", "'*'").replace("'E'", "'*.b'"))
    given = dict(reversed(list(turned.others.items())))
    assert gc.optim.groups(turned.optimizer, given) != turned, "the first that matches decides"
    given.clear()
    assert len(turned.others) == 2 and "W" not in turned.others
    clipped = run('clip_by_norm(groups(sgd(0.1), {"b": sgd(0.1)}), 0.5)')
    whole = run("clip_by_norm(sgd(0.1), 0.5)")
    assert all(np.array_equal(clipped[name], whole[name]) for name in whole)


def test_sparse_tables_move_in_their_group() -> None:
    for inner in ("sgd(0.1)", "adam(0.1)"):
        state = run(f'groups(sgd(0.2), {{"E": {inner}}})', 1, model(sparse=True))
        whole = run(inner, 1, model(sparse=True))
        np.testing.assert_allclose(state["E"], whole["E"], rtol=1e-14)
        assert (state["E"][[1, 3]] == 1).all() and (state["E"][[0, 2]] != 1).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('groups(sgd(0.1), {"*.bias": sgd(0.2)})', r"matches '\*.bias'[\s\S]*expected  W, b"),
        ('groups(sgd(0.1), {"w": sgd(0.2)})', "did you mean 'W'"),
        ("groups(sgd(0.1), {})", "optimizers by pattern"),
        ("groups(sgd(0.1), 0.2)", "optimizers by pattern"),
        ('groups(sgd(0.1), {"b": 0.2})', "holds optimizers\n.*\n.*0.2"),
        ('groups("sgd", {"b": sgd(0.2)})', "holds optimizers"),
        ("groups(sgd(0.1), {[1]: sgd(0.2)})", "not an optimizer"),
        ("groups(sgd(0.1), {**{}})", "not an optimizer"),
        ("sgd({[1]: 2})", "not an optimizer"),
    ],
)
def test_mistakes_with_groups_are_told(text: str, message: str) -> None:
    with pytest.raises(gc.GraphError, match=message):
        gc.compile(model(), minimize="loss", optimizer=text)


# -- a rate in the state ---------------------------------------------------------------------


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("rule", ["sgd", "adam", "adamw"])
def test_a_rate_in_the_state_may_be_changed_between_steps(rule: str, style: str) -> None:
    step = gc.compile(model(), minimize="loss", optimizer=f"{rule}(adjustable(0.1))", style=style)
    state = step.init()
    assert state["learning_rate"] == 0.1 and state["learning_rate"].shape == ()
    rates = [0.1, 0.1, 0.02, 0.005]
    for rate in rates:
        state["learning_rate"][...] = rate
        step(state, x=X, y=Y)

    @dataclass(frozen=True, repr=False)
    class Listed(gc.optim.Schedule):
        rates: tuple[float, ...]

        def at(self, t: gc.Node) -> gc.Node:
            return gc.take(gc.constant(np.array(self.rates)), gc.cast(t, "int64"))

    rule_of = getattr(gc.optim, rule)
    expected = run(rule_of(Listed(tuple(rates))))
    for name in ("W", "b"):
        np.testing.assert_allclose(state[name], expected[name], rtol=1e-13)
    del state["learning_rate"]
    with pytest.raises(gc.GraphError, match=r"lacks parameter 'learning_rate'"):
        step(state, x=X, y=Y)


def test_a_rate_that_is_neither_number_nor_schedule_is_told_what_is() -> None:
    for rate in (lambda t: 0.1, gc.input("rate")):
        with pytest.raises(gc.GraphError, match=r"adjustable\(0.1\) is a number of the state"):
            gc.optim.sgd(rate)


# -- of one's own ----------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Lion(gc.optim.Optimizer):
    """The sign of a momentum (Chen et al. 2023, arXiv:2302.06675)."""

    learning_rate: float = 1e-3
    beta: float = 0.9

    def one(self, step: Any, key: str, value: gc.Node, gradient: gc.Node) -> gc.Node:
        mean = step.slot(key, "mean", value)
        moved = step.keep(mean, self.beta * mean + (1 - self.beta) * gradient)
        return value - step.rate(self.learning_rate, value.dtype) * gc.sign(moved)


def test_an_optimizer_of_ones_own_needs_no_name() -> None:
    assert repr(Lion(0.1)) == "Lion(0.1)"
    state = run(Lion(0.1), 1)
    assert sorted(state) == ["W", "W.mean", "b", "b.mean"]
    np.testing.assert_allclose(np.abs(state["W"] - [0.3, -0.2]), 0.1)
    with pytest.raises(gc.GraphError, match="Lion has no setting 'rate'"):
        Lion(rate=0.1)


def test_mistakes_of_ones_own_are_told() -> None:
    class Idle(gc.optim.Optimizer):
        pass

    with pytest.raises(gc.GraphError, match=r"Idle\(\) does not say .*\n.*def one\(self, step"):
        run(Idle())

    class Bare(gc.optim.Optimizer):
        def __init__(self, rate: float) -> None:
            self.rate = rate

    with pytest.raises(gc.GraphError, match=r"Bare cannot be called so[\s\S]*@dataclass\(frozen"):
        Bare(0.1)
