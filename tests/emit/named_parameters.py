"""Models whose parameters have named dims, and inputs for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import graphc as gc

Arrays = dict[str, np.ndarray]


def square_of_all() -> gc.Graph:
    Z = gc.param("Z", ("N", 2), init=gc.init.normal(1.0))
    return gc.graph({"loss": (Z**2).sum()}, name="squares")


def scaling(dtype: str = "float64") -> gc.Graph:
    """Points in the plane whose distances are as given: multidimensional scaling."""
    distances = gc.input("distances", ("N", "N"), dtype)
    Z = gc.param("Z", ("N", 2), dtype, init=gc.init.normal(1.0))
    squares = ((Z[:, None] - Z[None, :]) ** 2).sum(axis=2)
    found = gc.sqrt(squares + gc.constant(1e-6, dtype))
    return gc.graph({"loss": ((found - distances) ** 2).mean()}, name="scaling")


def neighbours(dtype: str = "float64") -> gc.Graph:
    """The loss of t-SNE: how neighbours in the plane differ from neighbours as they were."""
    p = gc.input("p", ("N", "N"), dtype)
    Y = gc.param("Y", ("N", 2), dtype, init=gc.init.normal(0.1))
    squares = ((Y[:, None] - Y[None, :]) ** 2).sum(axis=2)
    n = gc.dim("N")
    others = gc.astype(gc.arange(n)[:, None] != gc.arange(n)[None, :], dtype)
    close = others / (1 + squares)
    q = close / close.sum()
    loss = (p * (gc.log(p + 1e-12) - gc.log(q + 1e-12))).sum()
    return gc.graph({"loss": loss}, name="neighbours")


def words(dtype: str = "float64") -> gc.Graph:
    """A table of words, of which nobody knows yet how many there are, and a classifier on it."""
    word = gc.input("word", ("B",), dtype="int64")
    label = gc.input("label", ("B",), dtype="int64")
    table = gc.param("table", ("V", 4), dtype, init=gc.init.glorot_uniform())
    W = gc.param("W", (4, 3), dtype, init=gc.init.glorot_uniform())
    z = gc.take(table, word, axis=0) @ W
    loss = gc.nn.softmax_cross_entropy(z, label).mean()
    return gc.graph({"loss": loss, "z": z}, name="words")


def codes(dtype: str = "float64") -> gc.Graph:
    """A code for each row of an input, decoded by a matrix: both have the dim K."""
    x = gc.input("x", ("N", 3), dtype)
    code = gc.param("code", ("N", "K"), dtype, init=gc.init.normal(0.5))
    decode = gc.param("decode", ("K", 3), dtype, init=gc.init.lecun_normal())
    loss = ((code @ decode - x) ** 2).mean()
    return gc.graph({"loss": loss, "made": code @ decode}, name="codes")


def distances_of(count: int) -> np.ndarray:
    points = np.random.default_rng(1).normal(size=(count, 3))
    return np.sqrt(((points[:, None] - points) ** 2).sum(axis=2))


def similarities_of(count: int) -> np.ndarray:
    p = np.exp(-distances_of(count)) * (1 - np.eye(count))
    return p / p.sum()


RNG = np.random.default_rng(0)
MODELS: dict[str, tuple[Callable[[str], gc.Graph], dict[str, int], Arrays]] = {
    "scaling": (scaling, {"N": 20}, {"distances": distances_of(20)}),
    "neighbours": (neighbours, {"N": 9}, {"p": similarities_of(9)}),
    "words": (
        words,
        {"V": 7},
        {"word": np.array([0, 6, 2, 2, 5]), "label": np.array([0, 2, 1, 1, 0])},
    ),
    "codes": (codes, {"N": 5, "K": 2}, {"x": RNG.normal(size=(5, 3))}),
}


def case(model: str, dtype: str = "float64") -> tuple[gc.Graph, dict[str, int], Arrays]:
    """Return a graph, the sizes of its parameters, and inputs of its dtype."""
    make, sizes, inputs = MODELS[model]
    typed = {n: a.astype(dtype) if a.dtype.kind == "f" else a for n, a in inputs.items()}
    return make(dtype), sizes, typed


def copied(state: Mapping[str, np.ndarray]) -> Arrays:
    return {name: array.copy() for name, array in state.items()}


def assert_close(found: Mapping[str, Any], wanted: Mapping[str, Any], dtype: str) -> None:
    assert found.keys() == wanted.keys()
    loose = 1e-4 if dtype == "float32" else 1e-9
    for name, value in wanted.items():
        assert np.asarray(found[name]).dtype == np.asarray(value).dtype, name
        np.testing.assert_allclose(found[name], value, rtol=loose, atol=loose, err_msg=name)
