"""Gradient checks: they pass for right gradients, fail for wrong ones, and name the entry."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.build.init import glorot_uniform
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.run import gradcheck
from graphc.run.continuation import continues_to_complex
from graphc.run.gradcheck import check_gradient
from graphc.run.points import sample_point


def ln_product_sine(dtype: str = "float64") -> Graph:
    x1, x2 = OPS["input"]("x1", (), dtype), OPS["input"]("x2", (), dtype)
    product = OPS["multiply"](x1, x2)
    y = OPS["subtract"](OPS["add"](OPS["log"](x1), product), OPS["sin"](x2))
    return Graph({"y": y}, name="ln_product_sine")


def softmax_regression(dtype: str = "float64") -> Graph:
    x = OPS["input"]("x", ("N", 3), dtype)
    y = OPS["input"]("y", ("N",), "int64")
    W = OPS["param"]("W", (3, 4), dtype, init=glorot_uniform())
    b = OPS["param"]("b", (4,), dtype)
    z = OPS["add"](OPS["einsum"](x, W, spec="ij,jk->ik"), b)
    picked = OPS["take_along_axis"](OPS["softmax"](z), OPS["reshape"](y, (y.shape[0], 1)), axis=1)
    loss = OPS["negative"](OPS["mean"](OPS["log"](picked)))
    return Graph({"loss": loss}, name="softmax_regression")


@pytest.mark.parametrize(
    ("method", "tolerance"), [("forward", 1e-6), ("central", 1e-8), ("complex", 1e-14)]
)
def test_a_right_gradient_passes(method: str, tolerance: float) -> None:
    found = check_gradient(ln_product_sine(), "y", {"x1": 2, "x2": 5}, method)
    assert found and found.method == method and found.max_error < tolerance
    assert [entry.name for entry in found.entries] == ["x1", "x2"]
    assert found.entries[0].analytic == pytest.approx(5.5)
    assert found.entries[1].numeric == pytest.approx(2 - np.cos(5), abs=1e-6)


@pytest.mark.parametrize("method", ["central", "complex"])
def test_parameters_and_missing_values_are_filled_in(method: str) -> None:
    found = check_gradient(softmax_regression(), method=method)
    assert found.of == "loss" and found.method == method and found
    assert [(e.name, e.shape, e.checked) for e in found.entries] == [
        ("W", (3, 4), 12),
        ("b", (4,), 4),
    ]


def test_a_wrong_gradient_fails_and_is_located(monkeypatch: pytest.MonkeyPatch) -> None:
    right = gradcheck.gradient

    def wrong(graph: Graph, of: str, wrt: list[str]) -> Graph:
        derived = right(graph, of, wrt)
        mask = OPS["constant"](np.eye(3, 4) * 0.25)
        spoilt = OPS["add"](derived.outputs["d_loss_d_W"], mask)
        return derived.with_outputs({**derived.outputs, "d_loss_d_W": spoilt})

    monkeypatch.setattr(gradcheck, "gradient", wrong)
    found = check_gradient(softmax_regression(), "loss")
    assert not found and found.max_error == pytest.approx(0.25, rel=1e-3)
    assert found.worst is not None and found.worst.name == "W"
    assert found.worst.index[0] == found.worst.index[1]
    assert found.worst.analytic - found.worst.numeric == pytest.approx(0.25, rel=1e-5)
    assert "DISAGREES" in str(found)
    with pytest.raises(GraphError, match="gradient of loss is wrong"):
        check_gradient(softmax_regression(), "loss", raises=True)


def test_it_prints_a_table() -> None:
    lines = str(check_gradient(ln_product_sine(), "y", {"x1": 2, "x2": 5})).splitlines()
    assert lines[0].startswith("gradient of y agrees with central differences in float64 (max")
    assert lines[1].split()[:3] == ["wrt", "shape", "checked"]
    assert lines[2].split()[0] == "x1" and "5.5" in lines[2]


def test_large_arrays_are_sampled_and_seeds_decide() -> None:
    x = OPS["input"]("x", (40, 50), "float64")
    graph = Graph({"y": OPS["sum"](OPS["square"](x))})
    found = check_gradient(graph, entries=10)
    assert (found.entries[0].checked, found.entries[0].size) == (10, 2000)
    assert found.entries[0] == check_gradient(graph, entries=10).entries[0]
    assert found.entries[0] != check_gradient(graph, entries=10, seed=1).entries[0]


def test_of_a_table_the_rows_that_are_read_are_checked() -> None:
    table = OPS["param"]("table", (1000, 4), "float64")
    rows = OPS["gather"](table, OPS["input"]("i", (2,), "int64"))
    graph = Graph({"y": OPS["sum"](OPS["exp"](rows))})
    found = check_gradient(graph, at={"i": [3, 700]}, entries=10)
    assert found and found.entries[0].checked == 10
    assert found.entries[0].index[0] in (3, 700) and found.entries[0].analytic != 0


def test_the_complex_step_gives_way_where_an_op_has_no_complex_form() -> None:
    x = OPS["input"]("x", (3,), "float64")
    graph = Graph({"y": OPS["sum"](OPS["abs"](x))})
    found = check_gradient(graph, method="complex")
    assert found and found.method == "central"
    assert found.notes == ("abs has no complex form; central differences instead",)


@pytest.mark.parametrize(
    "name", ["exp", "softmax", "einsum", "maximum", "where", "prod", "cumprod"]
)
def test_ops_that_continue_to_complex_numbers(name: str) -> None:
    assert continues_to_complex(OPS[name])


ADDED: dict[str, Callable[[Node], Node]] = {
    "slice_add": lambda x: OPS["slice_add"](gc.zeros((6,), "float64"), x, ((1, 5, 1),)),
    "scatter_add": lambda x: gc.scatter_add(
        gc.zeros((3,), "float64"), x, gc.constant([0, 2, 0, 1])
    ),
    "add_along_axis": lambda x: gc.grad(
        gc.sum(gc.take_along_axis(x, gc.constant([0, 2, 0, 1]), axis=0) ** 3), [x]
    )[0],
    "windows": lambda x: gc.grad(gc.sum(gc.windows(x, 2) ** 3), [x])[0],
    "max_pool": lambda x: gc.grad(gc.sum(gc.nn.max_pool1d(x[None, None], 2) ** 3), [x])[0],
}


@pytest.mark.parametrize("name", sorted(ADDED))
def test_complex_numbers_are_added_to_an_array_of_real_ones(name: str) -> None:
    x = gc.input("x", (4,), "float64")
    graph = gc.graph({"y": gc.sum(gc.sin(ADDED[name](x)))})
    found = check_gradient(graph, at={"x": [0.1, 0.5, -0.3, 0.8]}, method="complex")
    assert found and found.method == "complex" and found.max_error < 1e-14


def test_what_is_computed_again_is_real_beside_a_complex_cotangent() -> None:
    x, w = gc.input("x", (3,), "float64"), gc.input("w", (), "float64")
    with gc.checkpoint("again"):
        y = gc.sin(gc.tanh(x))
    slope = gc.grad(gc.sum(y * w), [x])[0]
    graph = gc.graph({"z": gc.sum(slope)})
    found = check_gradient(graph, at={"x": [0.1, 0.5, -0.3], "w": 0.7}, method="complex", wrt=["w"])
    assert found and found.method == "complex" and found.max_error < 1e-14


@pytest.mark.parametrize("name", ["abs", "sign", "hypot", "floor", "var", "erf"])
def test_ops_that_do_not(name: str) -> None:
    assert not continues_to_complex(OPS[name])


def test_draws_stay_the_same_in_all_evaluations() -> None:
    x = OPS["input"]("x", (4,), "float64")
    mask = OPS["cast"](OPS["random_bernoulli"]((4,), p=0.5), "float64")
    graph = Graph({"y": OPS["sum"](OPS["multiply"](OPS["square"](x), mask))})
    assert check_gradient(graph, seed=2).max_error < 1e-8


@pytest.mark.parametrize("method", ["central", "complex"])
def test_stop_gradient_is_held_constant(method: str) -> None:
    x = OPS["input"]("x", (3,), "float64")
    graph = Graph({"y": OPS["sum"](OPS["multiply"](x, OPS["stop_gradient"](OPS["exp"](x))))})
    found = check_gradient(graph, at={"x": [1, 2, 3]}, method=method)
    assert found and found.method == method
    assert found.entries[0].analytic in (pytest.approx(np.exp([1, 2, 3])[i]) for i in range(3))


def test_mistakes_are_named() -> None:
    graph = softmax_regression()
    with pytest.raises(GraphError, match="no output is called 'los'") as error:
        check_gradient(graph, "los")
    assert "did you mean 'loss'" in str(error.value)
    with pytest.raises(GraphError, match="no parameter or input is called 'w'"):
        check_gradient(graph, wrt=["w"])
    with pytest.raises(GraphError, match="unknown method"):
        check_gradient(graph, method="backward")
    with pytest.raises(GraphError, match="no input, parameter or dim called 'X'"):
        check_gradient(graph, at={"X": 1})


# -- points ----------------------------------------------------------------------------------


def test_points_fix_dims_and_keep_what_is_given() -> None:
    graph = softmax_regression("float32")
    point = sample_point(graph, {"N": 6, "b": [1, 2, 3, 4]})
    assert point["x"].shape == (6, 3) and point["y"].shape == (6,)
    np.testing.assert_array_equal(point["b"], np.array([1, 2, 3, 4], "f4"))
    assert all(point[n].dtype == leaf.dtype for n, leaf in graph.params.items())
    assert sample_point(graph, {"x": np.ones((2, 3))})["y"].shape == (2,)
    with pytest.raises(GraphError, match="N = 6 contradicts"):
        sample_point(graph, {"N": 6, "x": np.ones((2, 3))})


def test_points_do_not_sit_on_kinks() -> None:
    graph = softmax_regression()
    point = sample_point(graph)
    assert np.all(point["b"] != 0)
    assert np.all((point["x"] > 0) & (point["x"] < 1))


def test_two_dims_get_two_sizes() -> None:
    both: Node = OPS["input"]("a", ("N", "M"))
    shape = sample_point(Graph({"y": OPS["exp"](both)}))["a"].shape
    assert shape[0] != shape[1]


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (lambda x: OPS["sin"](OPS["multiply"](x, 3000.0)), 0.3),  # bends within a step
        (OPS["relu"], 1e-6),  # a kink within a step
        (lambda x: OPS["log"](x), 2e-5),  # the edge of the domain within a step
    ],
)
@pytest.mark.parametrize("scale", [1.0, 1.001])
def test_differences_that_a_step_is_too_large_for_accuse_nobody_falsely(
    function: Callable[[Node], Node], at: float, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = gradcheck.gradient

    def scaled(graph: Graph, of: str, names: list[str]) -> Graph:
        derived = right(graph, of, names)
        slope = OPS["multiply"](derived.outputs["d_y_d_x"], scale)
        return Graph({**derived.outputs, "d_y_d_x": slope})

    monkeypatch.setattr(gradcheck, "gradient", scaled)
    x = OPS["input"]("x", (), "float64")
    found = check_gradient(Graph({"y": function(x)}), "y", {"x": at})
    assert found.passed == (scale == 1.0), str(found)


def test_asking_for_complex_forms_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for op in OPS.values():
            continues_to_complex.__wrapped__(op)


def test_where_the_output_is_nan_no_gradient_is_called_wrong() -> None:
    x, w = (OPS["input"](name, (), "float64") for name in "xw")
    graph = Graph({"y": OPS["log"](x) + x * w})
    assert check_gradient(graph, "y", {"x": 2.0})
    with pytest.raises(GraphError, match=r"y is nan at this point(.|\n)*x = -1"):
        check_gradient(graph, "y", {"x": -1.0})


def test_what_stop_gradient_hides_in_a_loop_accuses_nobody() -> None:
    """A spiking cell with a surrogate derivative; what stands outside of the loop is checked."""

    def spike(u: Node) -> Node:
        smooth = gc.sigmoid(4 * u)
        return smooth + gc.stop_gradient(gc.heaviside(u, 0.0) - smooth)

    def cell(s: Node, v: Node) -> tuple[Node, Node]:
        s = spike(s + v @ W)
        return s, s

    x = gc.input("x", ("T", "N", 3))
    W = gc.param("W", (3, 3), init=gc.init.normal(1.0))
    c = gc.param("c", (3,), init=gc.init.normal(1.0))
    _, spikes = gc.scan(cell, init=gc.zeros((x.shape[1], 3)), xs=x)
    graph = gc.graph({"loss": gc.mean(spikes * gc.sin(c)), "plain": gc.mean(spikes)})
    check = gc.check_gradient(graph, of="loss", seed=1)
    assert check and [entry.name for entry in check.entries] == ["c"]
    assert "W: not checked" in check.notes[0]
    assert "NOT CHECKED" in str(gc.check_gradient(graph, of="plain", wrt="W"))


@pytest.mark.parametrize("entries", [0, -1, 2.5, True, None], ids=repr)
def test_a_check_takes_at_least_one_entry(entries: object) -> None:
    with pytest.raises(GraphError, match=r"entries of check_gradient .*at least 1[\s\S]*entries="):
        check_gradient(softmax_regression(), entries=entries)  # type: ignore[arg-type]


def test_what_was_not_checked_has_not_passed() -> None:
    w = gc.param("w", (), "float64")

    def cell(h: Node, x_t: Node) -> tuple[Node, Node]:
        after = h * w + gc.stop_gradient(h * w) * x_t
        return after, after

    last, _ = gc.scan(cell, init=gc.constant(1.0, "float64"), xs=gc.input("x", (3,), "float64"))
    g = gc.graph({"loss": last})
    found = check_gradient(g)
    assert "NOT CHECKED" in str(found)
    assert not found.passed and not found
    with pytest.raises(GraphError, match=r"gradient of loss was not checked[\s\S]*stop_gradient"):
        check_gradient(g, raises=True)


def test_a_gradient_that_is_0_everywhere_is_told() -> None:
    x = gc.input("x", (4,))
    steps = gc.graph({"y": gc.sum(gc.round(x))})
    assert "the gradient is 0 in all places" in str(
        gc.check_gradient(steps, at={"x": [1, 2, 3, 4]})
    )
    line = gc.graph({"y": gc.sum(gc.round(x) * x)})
    assert "note" not in str(gc.check_gradient(line, at={"x": [1.1, 2.2, 3.3, 4.1]}))
