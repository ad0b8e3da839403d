"""Jacobians: right in every mode, layout and form, in as few passes as their structure allows."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

import graphc as gc
from graphc.differentiate.matrices.compression import compression_of
from graphc.errors import GraphError
from graphc.ops import OPS

Arrays = dict[str, np.ndarray]


def numerical(graph: gc.Graph, of: str, wrt: str, at: Arrays, step: float = 1e-6) -> np.ndarray:
    """Return the Jacobian in denominator layout by central differences."""
    shape = gc.interpret(graph, **at)[of].shape
    result = np.zeros((*at[wrt].shape, *shape))
    for place in np.ndindex(at[wrt].shape):
        ends = [np.array(at[wrt]), np.array(at[wrt])]
        ends[0][place] += step
        ends[1][place] -= step
        high, low = (gc.interpret(graph, **{**at, wrt: end})[of] for end in ends)
        result[place] = (high - low) / (2 * step)
    return result


def layers() -> tuple[gc.Graph, Arrays]:
    x = gc.input("x", ("N", 4), "float64")
    W = gc.input("W", (4, 3), "float64")
    z = x @ W
    p = gc.softmax(z)
    outputs = {"z": z, "p": p, "s": gc.sigmoid(x), "loss": (p**2).sum(), "c": x - x.mean(axis=0)}
    rng = np.random.default_rng(0)
    return gc.graph(outputs), {"x": rng.normal(size=(5, 4)), "W": rng.normal(size=(4, 3))}


def maps() -> tuple[gc.Graph, Arrays]:
    v = gc.input("v", (9,), "float64")
    zero = OPS["full"]((1,), 0.0, dtype="float64")
    matrix = np.diag(np.arange(1.0, 10.0)) + np.diag(np.ones(8), 1)
    outputs = {
        "tridiagonal": gc.concat(zero, v[:-1]) * v + gc.sin(gc.concat(v[1:], zero)),
        "periodic": gc.concat(v[-1:], v[:-1]) * v * gc.concat(v[1:], v[:1]),
        "turned": gc.tanh(v.reshape(3, 3)).T,
        "matrix": OPS["constant"](matrix) @ v,
        "gathered": v[OPS["constant"]([3, 1, 1, 0])] ** 2,
        "strided": gc.sin(v[::2]),
        "running": gc.cumsum(v),
        "element": v[3] ** 2,
    }
    return gc.graph(outputs), {"v": np.random.default_rng(1).normal(size=9)}


PAIRS = [
    *[("layers", of, wrt) for of in ("z", "p", "s", "loss", "c") for wrt in ("x", "W")],
    *[("maps", of, "v") for of in maps()[0].outputs],
]
MODELS = {"layers": layers, "maps": maps}


@pytest.mark.parametrize("mode", [None, "forward", "reverse"])
@pytest.mark.parametrize(("model", "of", "wrt"), PAIRS)
def test_every_mode_and_form_equals_differences(
    model: str, of: str, wrt: str, mode: str | None
) -> None:
    graph, at = MODELS[model]()
    expected = numerical(graph, of, wrt, at)
    name = f"d_{of}_d_{wrt}"
    dense = graph.jacobian(of, wrt, mode=mode)
    np.testing.assert_allclose(gc.interpret(dense, **at)[name], expected, atol=1e-7)
    compact = gc.interpret(graph.jacobian(of, wrt, form="compact", mode=mode), **at)[name]
    structure = graph.jacobian_structure(of, wrt, mode=mode)
    np.testing.assert_allclose(structure.dense(compact, N=5), expected, atol=1e-7)


@pytest.mark.parametrize(("model", "of", "wrt"), [PAIRS[2], PAIRS[4], *PAIRS[10:12]])
def test_compiled_jacobians(model: str, of: str, wrt: str) -> None:
    graph, at = MODELS[model]()
    found = gc.compile(graph.jacobian(of, wrt))(**at)[f"d_{of}_d_{wrt}"]
    np.testing.assert_allclose(found, numerical(graph, of, wrt, at), atol=1e-7)


@pytest.mark.parametrize(
    ("model", "of", "wrt", "expected"),
    [
        ("layers", "s", "x", "diagonal: 1 forward pass"),
        ("layers", "z", "x", "block diagonal: 3 reverse passes"),
        ("layers", "p", "x", "block diagonal: 3 reverse passes"),
        ("layers", "z", "W", "block diagonal: 4 forward passes"),
        ("layers", "loss", "W", "gradient: 1 reverse pass"),
        ("layers", "s", "W", "zero: 0 forward passes"),
        ("layers", "c", "x", "block diagonal: N forward passes"),
        ("maps", "tridiagonal", "v", "banded: 3 forward passes"),
        ("maps", "periodic", "v", "sparse: 3 forward passes"),
        ("maps", "turned", "v", "sparse: 1 forward pass"),
        ("maps", "matrix", "v", "sparse: 2 forward passes"),
        ("maps", "gathered", "v", "sparse: 1 forward pass"),
        ("maps", "running", "v", "dense: 9 forward passes"),
    ],
)
def test_structures_are_seen(model: str, of: str, wrt: str, expected: str) -> None:
    assert str(MODELS[model]()[0].jacobian_structure(of, wrt)) == expected


# -- layouts: the table of matrix calculus -------------------------------------------------------

SHAPES = {"scalar": (), "vector": (3,), "matrix": (2, 3)}


@pytest.mark.parametrize("of", SHAPES)
@pytest.mark.parametrize("wrt", SHAPES)
def test_shapes_of_the_table_of_matrix_calculus(of: str, wrt: str) -> None:
    x = gc.input("x", SHAPES[wrt], "float64")
    weights = np.random.default_rng(0).normal(size=(*SHAPES[of], *SHAPES[wrt]))
    letters, rest = "ab"[: len(SHAPES[of])], "cd"[: len(SHAPES[wrt])]
    y = gc.einsum(f"{letters}{rest},{rest}->{letters}", OPS["constant"](weights), x)
    graph, at = gc.graph({"y": y}), {"x": np.ones(SHAPES[wrt])}
    numerator = gc.interpret(graph.jacobian("y", "x", layout="numerator"), **at)["d_y_d_x"]
    np.testing.assert_allclose(numerator, weights)
    denominator = gc.interpret(graph.jacobian("y", "x"), **at)["d_y_d_x"]
    assert denominator.shape == SHAPES[wrt] + SHAPES[of]
    order = [*range(len(SHAPES[of]), weights.ndim), *range(len(SHAPES[of]))]
    np.testing.assert_allclose(denominator, weights.transpose(order))


def test_the_gradient_has_its_parameters_shape() -> None:
    graph, at = layers()
    jacobian = gc.interpret(graph.jacobian("loss", ["x", "W"]), **at)
    gradient = gc.interpret(graph.gradient("loss", ["x", "W"]), **at)
    for name in ("d_loss_d_x", "d_loss_d_W"):
        np.testing.assert_allclose(jacobian[name], gradient[name], rtol=1e-12)


def test_the_chain_rule_in_denominator_layout() -> None:
    """dy/dx = (du/dx)(dy/du): the order of the lectures."""
    x = gc.input("x", (3,), "float64")
    u = gc.tanh(OPS["constant"](np.arange(12.0).reshape(4, 3) / 10) @ x)
    y = gc.softmax(u)
    graph = gc.graph({"u": u, "y": y})
    at = {"x": np.array([0.1, -0.2, 0.3])}
    whole = gc.interpret(graph.jacobian("y", "x"), **at)["d_y_d_x"]
    inner = gc.interpret(graph.jacobian("u", "x"), **at)["d_u_d_x"]
    outer = gc.interpret(graph.jacobian("y", "u"), **at)["d_y_d_u"]
    np.testing.assert_allclose(whole, inner @ outer, rtol=1e-12)


# -- cost ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", ["N", 100])
def test_an_elementwise_layer_of_204_800_is_its_diagonal(rows: object) -> None:
    x = gc.input("x", (rows, 2048))
    graph = gc.graph({"y": gc.sigmoid(x)}).jacobian("y", "x", form="compact")
    f = gc.compile(graph)
    values = np.random.default_rng(0).normal(size=(100, 2048)).astype(np.float32)
    f(x=values)
    seconds = []
    tracemalloc.start()
    for _ in range(5):  # the best of five: other work may come between
        start = time.perf_counter()
        found = f(x=values)["d_y_d_x"]
        seconds.append(time.perf_counter() - start)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.shape == (100, 2048) and found.dtype == np.float32
    assert min(seconds) < 0.1 and peak < 10e6
    exact = 1 / (1 + np.exp(-values.astype(float)))
    np.testing.assert_allclose(found, exact * (1 - exact), rtol=1e-5)


def test_a_tridiagonal_map_of_10_000_takes_three_passes() -> None:
    x = gc.input("x", (10_000,), "float64")
    zero = OPS["full"]((1,), 0.0, dtype="float64")
    y = gc.concat(zero, x[:-1]) * x + gc.concat(x[1:], zero) ** 2
    graph = gc.graph({"y": y})
    structure = graph.jacobian_structure("y", "x")
    assert (structure.mode, structure.passes, structure.kind) == ("forward", 3, "banded")
    values = np.random.default_rng(0).normal(size=10_000)
    compact = gc.compile(graph.jacobian("y", "x", form="compact"))(x=values)["d_y_d_x"]
    assert compact.shape == (3, 10_000)
    rows, columns, entries = structure.triplets(compact)
    assert entries.size == 29_998
    below, on, above = (columns - rows == k for k in (-1, 0, 1))
    np.testing.assert_allclose(entries[below], values[1:])
    np.testing.assert_allclose(entries[on], np.concatenate([[0], values[:-1]]))
    np.testing.assert_allclose(entries[above], 2 * values[1:])


def test_a_convolution_is_banded() -> None:
    """Weight sharing: the same three weights stand on each row."""
    x = gc.input("x", ("T",), "float64")
    w = gc.input("w", (3,), "float64")
    padded = gc.pad(x, 1)
    T = gc.dim("T")
    y = w[0] * padded[0:T] + w[1] * padded[1 : T + 1] + w[2] * padded[2 : T + 2]
    graph = gc.graph({"y": y})
    assert str(graph.jacobian_structure("y", "x")) == "banded: 3 forward passes"
    at = {"x": np.arange(6.0), "w": np.array([1.0, 2.0, 3.0])}
    found = gc.interpret(graph.jacobian("y", "x", layout="numerator"), **at)["d_y_d_x"]
    np.testing.assert_allclose(
        found, np.diag(np.full(5, 1.0), -1) + np.diag(np.full(6, 2.0)) + np.diag(np.full(5, 3.0), 1)
    )


def test_the_size_of_the_graph_does_not_grow_with_the_passes() -> None:
    sizes = []
    for width in (8, 64):
        x = gc.input("x", (width,), "float64")
        W = gc.input("W", (width, width), "float64")
        sizes.append(len(gc.graph({"y": gc.tanh(W @ x)}).jacobian("y", "x").nodes))
    assert sizes[0] == sizes[1]


def test_the_mode_of_fewer_passes_is_taken() -> None:
    x, W = gc.input("x", (3,), "float64"), gc.input("W", (50, 3), "float64")
    wide = gc.tanh(W @ x)
    tall = gc.tanh(wide @ W)
    graph = gc.graph({"wide": wide, "tall": tall, "sum": wide.sum()})
    assert graph.jacobian_structure("wide", "x").mode == "forward"
    assert graph.jacobian_structure("sum", "x").mode == "reverse"
    between = compression_of(graph.outputs["tall"], graph.outputs["wide"])
    assert (between.mode, between.passes) == ("reverse", 3)


def test_no_elements_at_all() -> None:
    x = gc.input("x", (0, 3), "float64")
    graph = gc.graph({"y": gc.exp(x), "z": x @ OPS["constant"](np.ones((3, 2)))})
    empty = np.zeros((0, 3))
    assert gc.interpret(graph.jacobian("y", "x"), x=empty)["d_y_d_x"].shape == (0, 3, 0, 3)
    assert gc.interpret(graph.jacobian("z", "x"), x=empty)["d_z_d_x"].shape == (0, 3, 0, 2)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("dims", [("N", "M"), (2, 3), ("N", 1)])
@pytest.mark.parametrize("part", [slice(1, None), slice(0, 0), slice(None, -1), slice(0, 0, 3)])
def test_parts_that_may_hold_nothing(part: slice, dims: tuple[str | int, ...], mode: str) -> None:
    """An element that depends on no place of an axis takes part in no pass, nor is one read."""
    x = gc.input("x", dims, "float64")
    graph = gc.graph({"y": gc.sum(gc.exp(x[:, part]), axis=1)}).jacobian("y", "x", mode=mode)
    for size in (1, 3) if dims[1] == "M" else (dims[1],):
        at = np.linspace(0.0, 1.0, 2 * size).reshape(2, size)
        slope = np.zeros((2, size, 2))
        for row in range(2):
            slope[row, part, row] = np.exp(at[row, part])
        for found in (gc.interpret(graph, x=at), gc.compile(graph)(x=at)):
            np.testing.assert_allclose(found["d_y_d_x"], slope)


# -- the call ------------------------------------------------------------------------------------


def test_a_jacobian_graph_is_a_graph() -> None:
    graph, _ = layers()
    derived = graph.jacobian("p", "x")
    assert gc.parse(str(derived)) == derived
    assert list(derived.outputs) == [*graph.outputs, "d_p_d_x"]


def test_mistakes_are_told() -> None:
    graph, _ = layers()
    calls = {
        "unknown layout": lambda: graph.jacobian("p", "x", layout="rows"),
        "unknown form": lambda: graph.jacobian("p", "x", form="banded"),
        "unknown mode": lambda: graph.jacobian("p", "x", mode="both"),
        "no node is called": lambda: graph.jacobian("p", "y"),
    }
    for words, call in calls.items():
        with pytest.raises(GraphError, match=words):
            call()
    with pytest.raises(GraphError, match="the size of N is not known"):
        graph.jacobian_structure("z", "W").triplets(np.zeros(3))


def test_an_op_that_has_no_rule_for_several_directions_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import graphc.ops.batching as batching

    graph, at = layers()
    expected = gc.interpret(graph.jacobian("p", "x", mode="forward"), **at)["d_p_d_x"]
    monkeypatch.setattr(batching, "batched_at_once", lambda node, carried, size: None)
    with pytest.raises(GraphError, match=r"in N directions at once"):
        graph.jacobian("c", "x")
    found = gc.interpret(graph.jacobian("p", "x", mode="forward"), **at)["d_p_d_x"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_what_has_no_jacobian_is_told_from_what_none_is_taken_by() -> None:
    x, n = gc.input("x", (3,)), gc.input("n", (3,), dtype="int64")
    g = gc.graph({"y": x * 2, "m": n + 1})
    for derive in (g.jacobian, g.jacobian_structure):
        with pytest.raises(GraphError, match="only a float has a gradient"):
            derive("m", "x")
        with pytest.raises(GraphError, match="no derivative by an integer"):
            derive("y", "n")


def test_sizes_follow_from_a_compact_jacobian_of_longer_axes() -> None:
    x = gc.input("x", ("N", 3), "float64")
    graph = gc.graph({"p": gc.pad(x, 1) ** 2})
    at = {"x": np.arange(9.0).reshape(3, 3)}
    compact = gc.compile(graph.jacobian("p", "x", form="compact"))(**at)["d_p_d_x"]
    full = gc.compile(graph.jacobian("p", "x"))(**at)["d_p_d_x"]
    found = graph.jacobian_structure("p", "x").dense(compact)
    np.testing.assert_array_equal(found, full)
