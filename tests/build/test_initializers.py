"""Initializers: the printed source draws what `sample` draws, with the promised spread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.build import init
from graphc.build.graphs import graph, input, param
from graphc.build.init import Initializer, fans, initial_state
from graphc.errors import GraphError

RULES: list[Initializer] = [
    init.zeros(),
    init.ones(),
    init.constant(0.25),
    init.normal(),
    init.normal(0.5, mean=1.0),
    init.uniform(-2.0, 3.0),
    init.glorot_uniform(),
    init.glorot_normal(),
    init.he_uniform(),
    init.he_normal(gain=0.5),
    init.lecun_uniform(),
    init.lecun_normal(),
    init.orthogonal(),
    init.orthogonal(gain=2.0),
]


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_source_is_what_sample_gives(rule: Initializer, dtype: str) -> None:
    for shape in ((6, 4), (4, 6), (3, 2, 2, 2), (5,), (), (0, 3)):
        if isinstance(rule, init.orthogonal) and (len(shape) < 2 or 0 in shape):
            continue
        kind = np.dtype(dtype)
        sampled = rule.sample(np.random.default_rng(7), shape, kind)
        scope = {"np": np, "rng": np.random.default_rng(7)}
        printed = eval(rule.source(shape, kind), scope)
        assert isinstance(sampled, np.ndarray) and isinstance(printed, np.ndarray)
        assert sampled.shape == printed.shape == shape
        assert sampled.dtype == printed.dtype == kind
        np.testing.assert_array_equal(sampled, printed)


SPREADS: list[tuple[Initializer, float]] = [
    (init.glorot_uniform(), 2 / 500),
    (init.glorot_normal(), 2 / 500),
    (init.he_uniform(), 2 / 300),
    (init.he_normal(), 2 / 300),
    (init.lecun_uniform(), 1 / 300),
    (init.lecun_normal(), 1 / 300),
    (init.normal(0.1), 0.01),
    (init.uniform(-1.0, 1.0), 1 / 3),
]


@pytest.mark.parametrize("rule, variance", SPREADS, ids=lambda v: repr(v))
def test_variance_follows_the_fans(rule: Initializer, variance: float) -> None:
    values = rule.sample(np.random.default_rng(0), (300, 200), np.dtype("float64"))
    assert abs(values.var() / variance - 1) < 0.02
    assert abs(values.mean()) < 0.01


def test_fans() -> None:
    assert fans((784, 10)) == (784, 10)
    assert fans((6, 3, 5, 5)) == (75, 150)
    assert fans((7,)) == (7, 7)
    assert fans(()) == (1, 1)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (2, 3, 2)])
def test_orthogonal_is_orthogonal(shape: tuple[int, ...]) -> None:
    q = init.orthogonal().sample(np.random.default_rng(0), shape, np.dtype("float64"))
    q = q.reshape(shape[0], -1)
    gram = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-12)


def test_repr_is_the_text_form() -> None:
    assert repr(init.glorot_uniform()) == "glorot_uniform()"
    assert repr(init.normal(0.5)) == "normal(scale=0.5)"
    assert repr(init.constant(0.1)) == "constant(0.1)"
    assert repr(init.constant([[1.0, 2.5]])) == "constant([[1.0, 2.5]], dtype=f64)"
    assert init.constant(0) == init.zeros() and init.constant(1.0) == init.ones()
    assert init.constant([1.0]) == init.constant([1.0]) != init.constant([2.0])


@pytest.mark.parametrize("given", [[[1, 2], [3, 4]], np.array([[1.0, 2.0], [3.0, 4.0]])])
def test_fixed_values(given: Any) -> None:
    w = param("w", (2, 2), init=given)
    g = graph({"y": w * 1})
    value = initial_state(g)["w"]
    np.testing.assert_array_equal(value, [[1, 2], [3, 4]])
    assert value.dtype == np.float32
    value[...] = 0  # the state is a copy
    np.testing.assert_array_equal(initial_state(g)["w"], [[1, 2], [3, 4]])


def test_initial_state_draws_in_order_from_one_generator() -> None:
    a = param("a", (2, 3), init=init.normal(1.0))
    b = param("b", (3,))
    c = param("c", (3, 2), "float64", init=init.glorot_uniform)
    s = param("s", (2,), slot=True, init=0.5)
    g = graph({"y": ((a + b) @ c).sum() + s.sum()})
    state = initial_state(g, seed=3)
    rng = np.random.default_rng(3)
    for name, node in g.params.items():
        source = (node.attrs["init"] or init.zeros()).source(node.shape, node.dtype)
        np.testing.assert_array_equal(state[name], eval(source, {"np": np, "rng": rng}))
    assert {name: v.dtype for name, v in state.items()} == {
        name: node.dtype for name, node in g.params.items()
    }
    assert not np.array_equal(state["a"], initial_state(g, seed=4)["a"])


def test_named_dims_in_parameters_need_sizes() -> None:
    g = graph({"y": param("w", ("D", 2), init=init.normal()) + input("x", (2,))})
    with pytest.raises(GraphError, match=r"depends on D[\s\S]*D=10"):
        initial_state(g)
    assert initial_state(g, D=5)["w"].shape == (5, 2)


def test_what_initializers_have_in_common_is_none_itself() -> None:
    with pytest.raises(GraphError, match="Initializer is what others have in common"):
        Initializer()


def test_integer_parameters_cannot_draw_floats() -> None:
    with pytest.raises(GraphError, match=r"draws floats[\s\S]*test_initializers\.py"):
        param("n", (2,), "int64", init=init.normal())


def _first(value: Any, dtype: str, shape: tuple[int, ...] = ()) -> np.ndarray:
    """Return the first value of a parameter, which the emitted `init` gives, too."""
    g = gc.graph({"y": gc.param("n", shape, dtype, init=value) * 1})
    emitted = gc.compile(g).init()["n"]
    state = gc.parse(g.text()).init()["n"]
    np.testing.assert_array_equal(state, emitted)
    assert state.dtype == emitted.dtype == np.dtype(dtype)
    return np.asarray(state)


@pytest.mark.parametrize("value", [2**53 + 1, np.int64(2**53 + 1), -(2**63), np.uint8(3)])
def test_an_integer_keeps_all_its_digits(value: Any) -> None:
    assert int(_first(value, "int64")) == int(value)


@pytest.mark.parametrize(
    "values", [[2**53 + 1, 3], np.array([1, 250], np.uint8), [True, False], [2.0, -1.0]]
)
def test_integers_keep_all_their_digits(values: Any) -> None:
    assert _first(values, "int64", (2,)).tolist() == [int(v) for v in values]


@pytest.mark.parametrize(
    "value, dtype",
    [
        (0.5, "int64"),
        ([0.5, 1.7], "int64"),
        (np.array([0.5, 1.0]), "int32"),
        (2**31, "int32"),
        (2**63, "int64"),
        (2**63 + 1, "int64"),
        (2**70, "int64"),
        ([2**31, 0], "int32"),
        (float("nan"), "int64"),
        (float("inf"), "int64"),
        (7, "bool"),
        ([0, 2], "bool"),
        (1e300, "float32"),
        (10**400, "float64"),
        ([2**24 + 1, 0], "float32"),
        ([2**53 + 1, 0], "float64"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_first_value_that_the_dtype_cannot_hold_is_refused(value: Any, dtype: str) -> None:
    shape = () if isinstance(value, (int, float)) else (2,)
    with pytest.raises(GraphError, match=rf"{dtype} cannot hold exactly"):
        param("n", shape, dtype, init=value)


def test_a_dtype_of_fixed_values_holds_them() -> None:
    assert repr(init.constant([2**53 + 1], "int64")) == "constant([9007199254740993], dtype=i64)"
    assert init.constant(0.1, "float32") == init.constant(0.1)
    for value in (0.5, [0.5]):
        with pytest.raises(GraphError, match=r"int64 cannot hold exactly[\s\S]*0\.5"):
            init.constant(value, "int64")
    with pytest.raises(GraphError, match="unknown dtype"):
        init.constant([1.0], "float16")


def test_floats_are_rounded_and_infinity_stays() -> None:
    assert _first(0.1, "float32") == np.float32(0.1)
    assert _first([0.1, -np.inf], "float32", (2,)).tolist() == [float(np.float32(0.1)), -np.inf]


def test_a_misspelt_size_is_told() -> None:
    g = graph({"y": param("w", ("Kk", 2)).sum() * input("x", ("N", 1))})
    with pytest.raises(GraphError, match=r"no dim called 'K'[\s\S]*N, Kk[\s\S]*mean 'Kk'"):
        initial_state(g, K=3, Kk=3)
    assert initial_state(g, Kk=3, N=2)["w"].shape == (3, 2)  # N is a dim, though of no parameter
