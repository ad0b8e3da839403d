"""Small things that nobody who writes NumPy by hand would write otherwise."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node

STYLES = ["readable", "fast"]


def body(source: str) -> str:
    """Return the lines of the function that computes, without those of its check."""
    return source.partition('"""Return the outputs')[2].partition("def check")[0]


def check(graph: gc.Graph, style: str, **arguments: np.ndarray) -> str:
    """Return the code of a graph, which computes what the graph does."""
    function = gc.compile(graph, style=style)
    expected = gc.interpret(graph, **arguments)
    for name, value in function(**arguments).items():
        np.testing.assert_allclose(value, expected[name], rtol=2e-6, atol=1e-6)
        assert value.dtype == expected[name].dtype and value.shape == expected[name].shape
    return body(function.source)


@pytest.mark.parametrize("style", STYLES)
def test_places_are_indices(style: str) -> None:
    x = gc.input("x", ("N", 5))
    y = gc.exp(x[:, 2]) * x[0, 1] + x[:, -1] - x[-1, 3] + x[1, 1:4][2]
    arguments = {"x": np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)}
    code = check(gc.graph({"y": y, "z": x[1, 0], "r": x[-1]}), style, **arguments)
    assert "reshape" not in code
    for part in ("x[:, 2]", "x[0, 1", "x[:, 4]", "x[-1, 3", "x[1, 0", "x[-1]"):
        assert part in code


@pytest.mark.parametrize("style", STYLES)
def test_a_place_of_a_loop_is_that_of_its_step(style: str) -> None:
    def step(h: Node, x: Node) -> tuple[Node, Node]:
        h = gc.tanh(h * x[0] + x[1:] * h[1])
        return h, h[2] * x[2] + h[0]

    xs = gc.input("xs", ("T", 4))
    last, outs = gc.scan(step, gc.ones((3,)) / 2, xs)
    arguments = {"xs": np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)}
    check(gc.graph({"last": last[1], "outs": outs}), style, **arguments)


def test_terms_have_their_sign_between_them() -> None:
    rng = np.random.default_rng(2)
    x, s = gc.input("x", ("N", 3)), gc.input("s")
    sign = gc.broadcast_to(-s, x.shape)
    arguments = {"x": rng.normal(size=(4, 3)).astype(np.float32)}
    arguments["s"] = np.float32(0.7)
    for y, shown in (
        (x + sign * gc.exp(x), "x - s * np.exp(x)"),
        (x - sign * gc.exp(x), "x + s * np.exp(x)"),
        (sign * gc.exp(x) + gc.sin(x), "np.sin(x) - s * np.exp(x)"),
    ):
        assert f"y = {shown}" in check(gc.graph({"y": y}), "readable", **arguments)


def test_a_rounded_quotient_keeps_its_sign() -> None:
    n, m = gc.input("n", ("N",), dtype="int64"), gc.input("m", ("N",), dtype="int64")
    graph = gc.graph({"y": n + (-m) // 2})
    arguments = {"n": np.arange(5), "m": np.array([1, 2, 3, -1, -2])}
    assert "n + -m // 2" in check(graph, "readable", **arguments)


@pytest.mark.parametrize("style", STYLES)
def test_numbers_stand_right_of_comparisons(style: str) -> None:
    x = gc.input("x", ("N",))
    graph = gc.graph({"loss": gc.sum(gc.maximum(0, x)), "few": gc.less(2, x)}).gradient("loss", "x")
    code = check(graph, style, x=np.array([-1, 0, 3], np.float32))
    wanted = {"readable": ("x > 0", "x < 0", "x > 2"), "fast": ("greater(x", "less(x")}
    assert all(part in code for part in wanted[style])


def test_a_number_made_of_dims_is_negated_as_it_is_made() -> None:
    mu = gc.input("mu", ("N", 3))
    graph = gc.graph({"kl": -0.5 * gc.mean(gc.sum(1 + mu - gc.exp(mu), axis=1))})
    for style in STYLES:
        code = gc.compile(graph, gradient_of="kl", wrt=["mu"], style=style).source
        assert "-(-" not in code and "negative" not in code


def test_a_mean_over_rows_is_one_product() -> None:
    x = gc.input("x", ("N", 24))
    code = check(
        gc.graph({"y": gc.exp(x - gc.mean(x, axis=1, keepdims=True))}),
        "fast",
        x=np.random.default_rng(3).normal(size=(5, 24)).astype(np.float32),
    )
    assert code.count(".dot(") == 1
    assert "np.multiply(" not in code


def test_a_caller_who_asks_for_a_gradient_gets_the_change_scaled() -> None:
    x, W, b = gc.input("x", ("N", 6)), gc.param("W", (6, 4)), gc.param("b", (4,))
    graph = gc.graph({"loss": gc.sum(gc.sin(x @ W + b) @ gc.param("v", (4,)))})
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1))
    assert "d_b = change_of_b * -10" in step.source


@pytest.mark.parametrize("rows, is_written", [(10, True), (10_000, False)])
def test_a_table_read_more_often_than_it_has_rows_has_a_gradient(
    rows: int, is_written: bool
) -> None:
    """Of a small one each row changes, and the rate is a factor of the loss; of a large one few."""
    tokens, table = gc.input("tokens", (20, "N"), dtype="int64"), gc.param("table", (rows, 4))
    graph = gc.graph({"loss": gc.sum(gc.sin(gc.take(table, tokens, axis=0) @ gc.param("W", (4,))))})
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1))
    assert ("add_rows(change_of_table, tokens" in step.source) is is_written
    assert ("add_rows(table, tokens" in step.source) is not is_written


def test_an_array_of_numbers_is_made_once() -> None:
    """What a call of NumPy joins to others is kept, and so is what is made of numbers alone."""

    def step(alpha: Node, e: Node) -> Node:
        shifted = gc.concat([gc.full((1,), -np.inf, dtype="float32"), alpha[:-1]])
        return gc.logaddexp(alpha, shifted) + e

    start = gc.concat([gc.zeros((1,)), gc.full((4,), -np.inf, dtype="float32")])
    (last,) = gc.scan(step, start, gc.input("e", ("T", 5)))
    graph = gc.graph({"loss": -last[-1]})
    e = np.random.default_rng(4).normal(size=(7, 5)).astype(np.float32)
    code = check(graph, "fast", e=e)
    assert "np.full(" not in code and "np.zeros(" not in code
    assert "START" in check(graph, "readable", e=e)


def test_loops_one_after_another_count_with_one_variable() -> None:
    def step(h: Node, x: Node) -> Node:
        return gc.tanh(h + x)

    xs, t = gc.input("xs", ("T", 3)), gc.input("t", (3,))
    (h,) = gc.scan(step, gc.zeros((3,)), xs)
    graph = gc.graph({"loss": gc.sum(h)}).gradient("loss", "xs")
    assert "for t in reversed" in gc.compile(graph, style="readable").source
    (h,) = gc.scan(step, t, xs)
    graph = gc.graph({"loss": gc.sum(h)}).gradient("loss", "xs")
    assert gc.compile(graph, style="readable").source.count("for t_2 in ") == 2


@pytest.mark.parametrize("style", STYLES)
def test_a_vector_for_each_matrix_is_a_product(style: str) -> None:
    """Weighted sums over steps, and scores of steps: nothing is written out element by element."""
    a, c, x = gc.input("a", ("N", "T")), gc.input("c", ("N", 8)), gc.input("x", ("N", "T", 8))
    pooled = gc.sum(a[:, :, None] * x, axis=1)
    scores = gc.sum(c[:, None] * x, axis=2)
    whole = gc.sum(x * c[0], axis=2)
    rng = np.random.default_rng(5)
    arguments = {"a": rng.random((3, 5)), "c": rng.random((3, 8)), "x": rng.random((3, 5, 8))}
    arguments = {name: value.astype(np.float32) for name, value in arguments.items()}
    code = check(gc.graph({"pooled": pooled, "scores": scores, "w": whole}), style, **arguments)
    assert ".sum(" not in code and "multiply" not in code and "swapaxes" not in code
    if style == "readable":
        assert "(a[:, None] @ x)[:, 0]" in code
        assert "(x @ c[:, :, None])[:, :, 0]" in code
        assert "x @ c[0]" in code


def test_a_vector_for_each_tiny_matrix_is_multiplied_at_once() -> None:
    a, x = gc.input("a", ("N", 2)), gc.input("x", ("N", 2, 3))
    graph = gc.graph({"y": gc.sum(a[:, :, None] * x, axis=1)})
    assert "a[:, :, None] * x" in gc.compile(graph, style="readable").source


@pytest.mark.parametrize("style", STYLES)
def test_large_numbers_are_written_as_formatters_write_them(style: str) -> None:
    x = gc.input("x", ("N", 3))
    y = gc.maximum(x, -1e30) * 1e20
    code = gc.compile(gc.graph({"y": y}), style=style).source.partition("import numpy")[2]
    assert "1e30" in code and "e+" not in code


def test_keys_are_made_as_queries_are() -> None:
    """`k = x @ Wk`, in one product for all samples; the scores read its transpose."""
    x = gc.input("x", ("N", "T", 6))
    q, k = x @ gc.param("Wq", (6, 6)), x @ gc.param("Wk", (6, 6))
    graph = gc.graph({"loss": gc.sum(gc.sin(q @ gc.matrix_transpose(k)))})
    source = gc.compile(graph, gradient_of="loss", style="readable").source
    assert "    k = x @ Wk  # [N, T, 6]\n" in source and "q @ k.swapaxes(-1, -2)" in source
    assert "d_k = " in source and "@ q  # [N, T, 6]  dloss/dk\n" in source
    code = body(gc.compile(graph, gradient_of="loss", style="fast").source)
    assert "x.reshape(-1, 6), Wk, out=" in code


@pytest.mark.parametrize("style", STYLES)
def test_what_is_chosen_with_either_sign_is_chosen_once(style: str) -> None:
    x, y = gc.input("x", ("N", 5)), gc.input("y", ("N", 1), dtype="int64")
    margins = gc.maximum(0, x - gc.take_along_axis(x, y, axis=1) + 1)
    graph = gc.graph({"loss": gc.mean(gc.sum(margins, axis=1))}).gradient("loss", "x")
    rng = np.random.default_rng(6)
    arguments = {"x": rng.normal(size=(4, 5)).astype(np.float32), "y": rng.integers(0, 5, (4, 1))}
    code = check(graph, style, **arguments)
    assert code.count("np.where(") + code.count("_choose(") == 2


@pytest.mark.parametrize("style", STYLES)
def test_a_share_of_a_mean_is_never_zero(style: str) -> None:
    """The gradient of a scaled likelihood divides -1/N by what the steps sum up to, unguarded."""

    def step(alpha: Node, total: Node, e: Node) -> tuple[Node, Node]:
        alpha = alpha * gc.exp(e)
        s = alpha.sum(axis=1, keepdims=True)
        return alpha / s, total + gc.log(s[:, 0])

    starts = (gc.ones(("N", 3)) / 3, gc.zeros(("N",)))
    _, total = gc.scan(step, starts, gc.input("e", ("T", "N", 3)))
    graph = gc.graph({"loss": -gc.mean(total)})
    code = body(gc.compile(graph, gradient_of="loss", wrt=["e"], style=style).source)
    assert "scale == 0" not in code and "np.float32(N) == 0" not in code
