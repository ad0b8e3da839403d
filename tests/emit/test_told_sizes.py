"""`init` is told the sizes of parameters' named dims, and draws what the graph draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from named_parameters import assert_close, codes, copied

import graphc as gc


def test_init_is_told_the_sizes() -> None:
    source = gc.emit(codes("float32"))
    assert (
        "def init(seed=0, *, N, K):\n"
        '    """Return freshly initialized parameters of these sizes."""\n'
        "    rng = np.random.default_rng(seed)\n"
        "    return {\n"
        '        "code": np.asarray(rng.normal(0.0, 0.5, (N, K)), np.float32),\n'
        '        "decode": np.asarray((1 / K) ** 0.5 * rng.standard_normal((K, 3)), np.float32),\n'
        "    }\n"
    ) in source
    assert "    N = x.shape[0]\n    K = code.shape[1]\n" in source
    assert "if x.shape != (N, 3) or code.shape != (N, K) or decode.shape != (K, 3):" in source


def test_where_no_parameter_has_a_named_dim_nothing_is_told() -> None:
    W = gc.param("W", (3, 2))
    source = gc.emit(gc.graph({"y": gc.input("x", ("N", 3)) @ W}))
    assert 'def init(seed=0):\n    """Return freshly initialized parameters."""\n' in source
    assert "W.shape" not in source


INITIALIZERS = [
    gc.init.zeros(),
    gc.init.ones(),
    gc.init.constant(0.5),
    gc.init.normal(0.1, 1.0),
    gc.init.uniform(-1, 1),
    gc.init.glorot_uniform(),
    gc.init.glorot_normal(gain=2.0),
    gc.init.he_uniform(),
    gc.init.he_normal(),
    gc.init.lecun_uniform(),
    gc.init.lecun_normal(),
    gc.init.orthogonal(),
    gc.init.orthogonal(gain=2.0),
]
SHAPES: list[tuple[Any, ...]] = [
    ("N", 2),
    (3, "N"),
    ("N", "N"),
    (2 * gc.dim("N") + 1, "M"),
    ("N", 3, "M", "M"),
    ("N", "M", 2),
    (gc.dim("N") - 1, 4),
]


@pytest.mark.parametrize("initializer", INITIALIZERS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_rule_draws_what_the_graph_draws(
    initializer: gc.init.Initializer, shape: tuple[Any, ...]
) -> None:
    W = gc.param("W", shape, "float64", init=initializer)
    b = gc.param("b", ("N", "M"), "float64", init=gc.init.normal(1.0))  # drawn after it
    graph = gc.graph({"y": W.sum() + b.sum()})
    sizes = {"N": 4, "M": 3}
    assert_close(gc.compile(graph).init(7, **sizes), graph.init(7, **sizes), "float64")


def test_names_of_dims_that_python_or_init_uses() -> None:
    shape = tuple(gc.dim(name) for name in ("rng", "np", "state", "sum"))
    graph = gc.graph({"y": gc.param("W", shape, init=gc.init.normal(1.0)).sum()})
    sizes = {"rng": 2, "np": 3, "state": 4, "sum": 5}
    f = gc.compile(graph)
    state = f.init(1, **sizes)
    assert_close(state, graph.init(1, **sizes), "float32")
    assert_close(f(state), gc.interpret(graph, state), "float32")


class Counted(gc.init.Initializer):
    """A user's own rule, which computes with the size itself."""

    name = "counted"

    def source(self, shape: Any, dtype: np.dtype) -> str:
        return f"np.full({shape}, {1 / shape[0]!r}, np.{dtype.name})"

    def sample(self, rng: np.random.Generator, shape: Any, dtype: np.dtype) -> np.ndarray:
        return np.full(shape, 1 / shape[0], dtype)


def test_a_rule_that_needs_numbers_is_refused() -> None:
    graph = gc.graph({"y": gc.param("W", ("N", 2), init=Counted()).sum()})
    with pytest.raises(gc.GraphError, match=r"needs numbers, but parameter 'W' has named dims"):
        gc.compile(graph)


def test_layers_of_one_named_width_begin_in_a_loop() -> None:
    h = x = gc.input("x", ("B", "H"))
    for i in range(8):
        W = gc.param(f"layer{i}.W", ("H", "H"), init=gc.init.glorot_uniform())
        h = gc.tanh(h @ W + gc.param(f"layer{i}.b", ("H",)))
    graph = gc.graph({"loss": ((h - x) ** 2).mean()})
    step = gc.compile(graph, minimize="loss", optimizer="adam(0.01)", style="readable")
    assert "for layer in range(8):" in step.source
    assert "np.zeros_like(parameter)" in step.source
    state, again = step.init(3, H=5), graph.init(3, H=5)
    assert_close({name: state[name] for name in again}, again, "float32")
    other, inputs = copied(state), {"x": np.ones((2, 5), np.float32)}
    assert_close(step(state, **inputs), gc.interpret(step.graph, other, **inputs), "float32")
    assert_close(state, other, "float32")


MISTAKES = [
    ({}, "the size of parameter 'code' depends on N", "f.init(seed=0, N=10, K=10)"),
    ({"N": 5}, "the size of parameter 'code' depends on K", "f.init(seed=0, N=5, K=10)"),
    ({"N": 5, "k": 2}, "no parameter has a dim called 'k'", "did you mean 'K'?"),
    ({"N": 5, "K": -2}, "K is no size", "-2"),
    ({"N": 5, "K": 2.5}, "K is no size", "2.5"),
    ({"N": True, "K": 2}, "N is no size", "True"),
]


@pytest.mark.parametrize(("sizes", "what", "told"), MISTAKES)
def test_a_size_that_is_missing_or_wrong(sizes: dict[str, Any], what: str, told: str) -> None:
    f = gc.compile(codes())
    with pytest.raises(gc.GraphError) as error:
        f.init(**sizes)
    assert what in str(error.value)
    assert told in str(error.value)


def test_an_expression_that_is_no_size() -> None:
    f = gc.compile(gc.graph({"y": gc.param("W", (gc.dim("N") - 3,)).sum()}))
    assert f.init(N=5)["W"].shape == (2,)
    with pytest.raises(gc.GraphError, match=r"N - 3 is no size of parameter 'W'"):
        f.init(N=2)


def test_fixed_sizes_need_no_telling_and_dims_of_inputs_may_be_told() -> None:
    f = gc.compile(gc.graph({"y": gc.input("x", ("N", 3)) @ gc.param("W", (3, 2))}))
    assert f.init(0, N=4).keys() == {"W"}
    with pytest.raises(gc.GraphError, match="no parameter has a dim called 'M'"):
        f.init(M=4)
