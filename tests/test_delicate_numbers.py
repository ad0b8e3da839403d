"""Found by an audit of delicate expressions: what each level computes is what the formula says."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import graphc as gc

LEVELS = (0, 1, 2, 3)
STYLES = ("readable", "fast")
INF = np.inf
X = "x: input(FT, N)"
XY = f"{X}\ny: input(FT, N)"


def computed(
    body: str, given: dict[str, Any], dtype: str, level: int, style: str, wrt: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """Return v of a text that computes it, and the gradients of its sum."""
    lines = [f"{k}: input({dtype}, {', '.join(shape(v))})" for k, v in given.items()]
    graph = gc.parse("\n".join([*lines, body, "total = sum(v)", "output(v, total)"]))
    gradient = {"gradient_of": "total", "wrt": list(wrt)} if wrt else {}
    f = gc.compile(graph, optimize=level, style=style, **gradient)
    kind = {"f32": np.float32, "f64": np.float64, "bool": bool}[dtype]
    return f(**{name: np.array(value, kind) for name, value in given.items()})


def shape(value: Any) -> list[str]:
    dims = np.shape(value)
    return ["N", *map(str, dims[1:])]


#: An ε that keeps a difference from 0, where it counts: the text, its dtype, x, and the value.
EPSILONS = [
    ("-log(1 - x + 1e-8)", "f32", 1.0, 18.420681),
    ("log(1e-8 - (x - 1))", "f32", 1.0, -18.420681),
    ("1/sqrt(x - 1 + 1e-8)", "f32", 1.0, 1e4),
    ("sqrt(1 - x**2 + 1e-8)", "f32", 1.0, 1e-4),
    ("log(1 - exp(x) + 1e-8)", "f32", 0.0, -18.420681),
    ("log(1 - tanh(x)**2 + 1e-8)", "f32", 20.0, -18.420681),
    ("log(1 - x + 1e-20)", "f64", 1.0, -46.051701859880914),
    ("1 - x + 1e-12", "f64", 1.0, 1e-12),
    ("(x + 1e308) + 1e308", "f64", -1e308, 1e308),
]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("formula", "dtype", "x", "value"), EPSILONS)
def test_an_epsilon_is_not_lost_in_a_larger_number(
    formula: str, dtype: str, x: float, value: float, level: int
) -> None:
    got = computed(f"v = {formula}", {"x": [x]}, dtype, level, "fast")["v"]
    np.testing.assert_allclose(got, [value], rtol=1e-6 if dtype == "f32" else 1e-12)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "term",
    [
        *("m*exp(-x)", "m*sigmoid(x)", "m*(1 - sigmoid(x))", "m/(1 + exp(-x))", "m/exp(x)"),
        *("m*exp(-abs(x))", "m*exp(-(x - 1)**2)", "x*exp(-x)", "m*exp(x)", "m*exp(x - 3)"),
    ],
)
def test_weighted_sums_of_exponentials_have_a_logarithm(term: str, level: int, style: str) -> None:
    given = {"x": [1.0, 2.0, 0.3], "m": [0.5, 1.5, 2.0]}
    wrt = ("x", "m") if "m" in term else ("x",)
    body = f"v = log(sum({term}))" if "m" in term else f"v = log(sum({term})) + 0*sum(m)"
    exact = computed(body, given, "f64", 0, "readable", wrt)
    got = computed(body, given, "f64", level, style, wrt)
    for name, value in exact.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", [2, 3])
@pytest.mark.parametrize("high", [80.0, 300.0])
def test_what_has_no_weight_may_be_the_largest(high: float, level: int, style: str) -> None:
    given = {"x": [high, -30.0, -31.0], "m": [0.0, 1.0, 1.0]}
    total = computed("v = log(sum(m*exp(x)))", given, "f32", level, style, ("x", "m"))
    rest = -30 + np.log1p(np.exp(-1.0))
    np.testing.assert_allclose(total["v"], rest, rtol=1e-6)
    shares = np.array([0, 1 / (1 + np.exp(-1)), 1 / (1 + np.e)])
    np.testing.assert_allclose(total["d_total_d_x"], shares, rtol=1e-5)
    assert total["d_total_d_m"][0] > 1e20  # as large as float32 has room for
    np.testing.assert_allclose(total["d_total_d_m"][1:], shares[1:], rtol=1e-5)
    softmax = computed("e = exp(x)*m\nv = e/sum(e)", given, "f32", level, style, ("x",))
    np.testing.assert_allclose(softmax["v"], shares, rtol=1e-5)
    np.testing.assert_allclose(softmax["d_total_d_x"], 0, atol=1e-6)


@pytest.mark.parametrize("style", STYLES)
def test_a_number_beyond_float32_is_infinite(style: str) -> None:
    x = gc.input("x", (3,), "float64")
    wide = gc.graph({"v": gc.where(x > 0, x, np.finfo(np.float64).min)})
    graph = wide.astype("float32")
    f = gc.compile(graph, style=style)
    np.testing.assert_array_equal(f(x=np.float32([1, -1, 0]))["v"], [1, -INF, -INF])
    np.testing.assert_array_equal(
        computed("v = where(x > 0, x, 1e39)", {"x": [1, -1]}, "f32", 2, style)["v"], [1, INF]
    )


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("formula", ["x + x", "x*x", "x*x*x"])
def test_sums_and_products_of_truth_are_truth(formula: str, level: int, style: str) -> None:
    graph = gc.parse(f"x: input(bool, N)\nv = {formula}\noutput(v)")
    got = gc.compile(graph, optimize=level, style=style)(x=np.array([True, False]))["v"]
    assert got.dtype == bool
    np.testing.assert_array_equal(got, [True, False])


@pytest.mark.parametrize("level", LEVELS)
def test_a_quotient_of_large_exponentials_stays_below_them(level: int) -> None:
    given = {"x": [95.0, 89.0], "y": [1e6, 10.0]}
    got = computed("v = exp(x - log(abs(y)))", given, "f32", level, "fast")["v"]
    np.testing.assert_allclose(got, [1.8112392e35, 4.4896128e37], rtol=1e-4)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "formula",
    [
        *("log(relu(x))", "1/relu(x)", "log(clip(x, 0, 5))", "log(hardtanh(x) + 1)"),
        *("log(maximum(x, 0))", "log(where(x > 0, x, 0.0))", "log(sqrt(relu(x)))"),
        *("log(hard_sigmoid(x))", "1/sqrt(elu(x) + 1)*0"),
    ],
)
def test_what_a_case_cuts_off_has_no_slope(formula: str, level: int, style: str) -> None:
    got = computed(f"v = {formula}", {"x": [-4.0, 1.0]}, "f64", level, style, ("x",))
    assert got["d_total_d_x"][0] == 0
    assert np.isfinite(got["d_total_d_x"][1])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("formula", ["max(x.T)", "max(max(x, axis=0))", "max(reshape(x.T, (4,)))"])
def test_the_first_of_equal_elements_is_the_first_as_written(
    formula: str, level: int, style: str
) -> None:
    graph = gc.parse(f"x: input(f64, 2, 2)\nv = {formula}\noutput(v)")
    f = gc.compile(graph, gradient_of="v", wrt=["x"], optimize=level, style=style)
    got = f(x=np.array([[1.0, 3], [3, 0]]))["d_v_d_x"]
    np.testing.assert_array_equal(got, [[0, 0], [1, 0]])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", LEVELS)
def test_a_hidden_markov_model_may_exclude_states(level: int, style: str) -> None:
    with np.errstate(divide="ignore"):
        moves = np.log([[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1.0]])
        start = np.log([1.0, 0, 0])
    e = gc.input("e", ("T", 3), dtype="float64")

    def step(a: gc.Node, e_t: gc.Node) -> tuple[gc.Node]:
        return (gc.logsumexp(a[:, None] + gc.constant(moves), axis=0) + e_t,)

    (last,) = gc.scan(step, init=gc.constant(start) + e[0], xs=e[1:])
    graph = gc.graph({"loss": -gc.logsumexp(last)}, name="hmm")
    f = gc.compile(graph, gradient_of="loss", wrt=["e"], optimize=level, style=style)
    rng = np.random.default_rng(0)
    for steps in (1, 2, 4):
        emissions = rng.normal(size=(steps, 3))
        found = f(e=emissions)
        np.testing.assert_allclose(found["d_loss_d_e"][0], [-1, 0, 0], atol=1e-12)
        assert gc.check_gradient(graph, of="loss", at={"e": emissions}).max_error < 1e-6
    impossible = np.full((4, 3), -INF)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # log(0) is meant
        assert f(e=impossible)["loss"] == INF


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", LEVELS)
def test_a_loop_of_no_steps_has_a_gradient(level: int, style: str) -> None:
    x = gc.input("x", ("T", "N", 2), "float64")
    W = gc.param("W", (2, 3), "float64", init=gc.init.normal(0.5))
    U = gc.param("U", (3, 3), "float64", init=gc.init.normal(0.5))
    (h,) = gc.scan(lambda h, t: (gc.tanh(t @ W + h @ U),), init=gc.tanh(x[0] @ W), xs=x[1:])
    graph = gc.graph({"loss": gc.sum(h**2)}, name="later")
    f = gc.compile(graph, gradient_of="loss", optimize=level, style=style)
    state = f.init(seed=0)
    data = np.random.default_rng(0).normal(size=(4, 5, 2))
    for steps in (1, 2, 4):
        expected = gc.interpret(graph.gradient("loss"), state, x=data[:steps])
        got = f(state, x=data[:steps])
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-12, atol=1e-14)
    assert not f(state, x=data[:1])["d_loss_d_U"].any()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", LEVELS)
def test_two_loops_of_one_form_have_a_gradient_each(level: int, style: str) -> None:
    # As in a siamese network: one body, one parameter, two sequences.
    x, y = gc.input("x", ("T", 3), "float64"), gc.input("y", ("T", 3), "float64")
    W = gc.param("W", (3,), "float64", init=0.5)

    def states(sequence: gc.Node) -> gc.Node:
        def step(h: gc.Node, x_t: gc.Node) -> tuple[gc.Node, gc.Node]:
            h = h * W + x_t
            return h, h

        return gc.scan(step, gc.zeros((3,), dtype="float64"), sequence)[1]

    graph = gc.graph({"loss": gc.mean(states(x)) + gc.mean(gc.square(states(y)))}, name="twins")
    data = dict(zip("xy", np.random.default_rng(0).normal(size=(2, 5, 3)), strict=True))
    f = gc.compile(graph, gradient_of="loss", optimize=level, style=style)
    state = f.init(seed=0)
    expected = gc.interpret(graph.gradient("loss", stabilize=False), state, **data)
    np.testing.assert_allclose(f(state, **data)["d_loss_d_W"], expected["d_loss_d_W"], rtol=1e-12)
    assert gc.check_gradient(graph, of="loss", at={**state, **data}).max_error < 1e-6


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("layer", ["rnn", "lstm", "gru"])
def test_a_layer_over_no_steps_has_a_gradient_of_zero(layer: str, style: str) -> None:
    x = gc.input("x", ("T", "N", 2))
    result = getattr(gc.nn, layer)(x, 3, name="layer")
    states = result[0] if isinstance(result, tuple) else result
    graph = gc.graph({"loss": gc.sum(gc.square(states))}, name="empty")
    f = gc.compile(graph, gradient_of="loss", style=style)
    found = f(f.init(seed=0), x=np.zeros((0, 2, 2), np.float32))
    assert not any(np.any(value) for value in found.values())


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["cumprod", "cumsum"])
def test_running_totals_of_nothing_have_gradients(name: str, style: str) -> None:
    graph = gc.parse(f"x: input(f64, N, 3)\nv = sum({name}(x, axis=0))\noutput(v)")
    f = gc.compile(graph, gradient_of="v", wrt=["x"], style=style)
    assert f(x=np.zeros((0, 3)))["d_v_d_x"].shape == (0, 3)
