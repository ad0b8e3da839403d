"""Of three matrices, the two are multiplied first that take fewer operations, and as they lie."""

from __future__ import annotations

import re

import numpy as np

import graphc as gc


def test_no_product_is_turned_that_could_have_been_written_so() -> None:
    n = gc.dim("N")
    x, links = gc.input("x", (n, 16), "float64"), gc.input("links", (n, n), "float64")
    first, second = gc.param("W1", (16, 8), "float64"), gc.param("W2", (8, 4), "float64")
    h = gc.relu(links @ x @ first)
    graph = gc.graph({"loss": gc.mean((links @ h @ second) ** 2)})
    source = gc.compile(graph, gradient_of="loss", style="readable").source
    assert ".T @ links).T" not in source
    assert re.search(r"d_h = links\.T @ \w+ @ W2\.T", source)
    rng = np.random.default_rng(0)
    at = {"x": rng.normal(size=(5, 16)), "links": rng.normal(size=(5, 5))}
    assert gc.check_gradient(graph, of="loss", at=at).passed
