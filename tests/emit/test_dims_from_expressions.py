"""Dims that stand in expressions alone are solved for at the call, or what fails is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

import graphc as gc
from graphc.run.loader import load

H, K, N = (gc.dim(name) for name in "HKN")
Shapes = Mapping[str, Sequence[object]]


def filled(shapes: Shapes) -> gc.Graph:
    """Return a graph whose outputs hold ones in the size of each dim."""
    leaves = {name: gc.input(name, tuple(shape)) for name, shape in shapes.items()}
    dims = gc.graph(leaves).dims
    total = sum(gc.sum(leaf) for leaf in leaves.values())
    return gc.graph({dim: gc.ones((gc.dim(dim),)) * total for dim in dims})


def arrays(shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    return {name: np.ones(shape, np.float32) for name, shape in shapes.items()}


SOLVED = [
    pytest.param({"a": [2 * K + 1]}, {"a": [7]}, {"K": 3}, id="odd"),
    pytest.param({"a": [2 * K + 1]}, {"a": [1]}, {"K": 0}, id="none of them"),
    pytest.param({"a": [K + 3]}, {"a": [5]}, {"K": 2}, id="padded"),
    pytest.param({"a": [2 * K - 3]}, {"a": [5]}, {"K": 4}, id="cut"),
    pytest.param({"a": [6 - 2 * K]}, {"a": [2]}, {"K": 2}, id="falling"),
    pytest.param({"a": [N * K], "b": [N]}, {"a": [6], "b": [2]}, {"K": 3, "N": 2}, id="product"),
    pytest.param({"a": [H - K], "b": [H]}, {"a": [2], "b": [5]}, {"K": 3, "H": 5}, id="difference"),
    pytest.param(
        {"a": [N + 2 * K], "b": [3 * N]}, {"a": [8], "b": [6]}, {"K": 3, "N": 2}, id="two"
    ),
]


@pytest.mark.parametrize(("shapes", "given", "sizes"), SOLVED)
@pytest.mark.parametrize("style", ["readable", "fast"])
def test_a_dim_is_solved_for(
    shapes: Shapes, given: Mapping[str, Sequence[int]], sizes: Mapping[str, int], style: str
) -> None:
    graph = filled(shapes)
    alone = load(gc.emit(graph, style=style), "graph").graph
    for run in (gc.compile(graph, style=style), alone, lambda **x: gc.interpret(graph, **x)):
        found = {name: len(value) for name, value in run(**arrays(given)).items()}
        assert found == dict(sizes)


REFUSED = [
    pytest.param({"a": [2 * K + 1]}, {"a": [6]}, "it would be 5/2", id="not whole"),
    pytest.param({"a": [2 * K + 1]}, {"a": [0]}, "it would be -1/2", id="empty"),
    pytest.param({"a": [K + 3]}, {"a": [2]}, "it would be -1", id="below zero"),
    pytest.param({"a": [H - K], "b": [H]}, {"a": [5], "b": [2]}, "it would be -3", id="larger"),
    pytest.param({"a": [N * K], "b": [N]}, {"a": [3], "b": [0]}, "it would be 3/0", id="by none"),
]


@pytest.mark.parametrize(("shapes", "given", "words"), REFUSED)
def test_a_size_that_no_whole_number_gives_is_one_clear_error(
    shapes: Shapes, given: Mapping[str, Sequence[int]], words: str
) -> None:
    graph = filled(shapes)
    for run in (gc.compile(graph), lambda **x: gc.interpret(graph, **x)):
        with pytest.raises(gc.GraphError, match=f"does not fix K: {words}"):
            run(**arrays(given))


@pytest.mark.parametrize(("shapes", "given", "words"), REFUSED[:-1])
def test_a_module_that_stands_alone_refuses_it_too(
    shapes: Shapes, given: Mapping[str, Sequence[int]], words: str
) -> None:
    alone = load(gc.emit(filled(shapes)), "graph").graph
    with pytest.raises(ValueError, match="expected a"):
        alone(**arrays(given))


@pytest.mark.parametrize("dim", [K * K, K // 2, K + N])
def test_a_dim_that_no_axis_fixes_is_an_error_before_the_call(dim: object) -> None:
    with pytest.raises(gc.GraphError, match="tells a call the size of K") as error:
        gc.emit(filled({"a": [dim]}))
    assert "a: [" in str(error.value) and "add an input with an axis K" in str(error.value)


def test_the_example_of_the_manual_compiles() -> None:
    image = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    graph = gc.parse(
        "image: input(f32, B, 3, H, 2*K + 1)\n"
        "half = H // 2\n"
        "top = image[:, :, :half]\n"
        "brightness = sum(image, axis=(1, 2, 3)) / (3 * H * (2*K + 1))\n"
        "output(top, brightness)\n"
    )
    values = gc.compile(graph)(image=image)
    np.testing.assert_array_equal(values["top"], image[:, :, :2])
    np.testing.assert_allclose(values["brightness"], image.mean((1, 2, 3)))
    # The shape says what is wrong with K, so no test of its own is written.
    assert "K = (image.shape[3] - 1) // 2" in gc.emit(graph) and "K < 0" not in gc.emit(graph)


def test_an_expression_may_wait_for_a_dim_that_a_later_input_fixes() -> None:
    graph = filled({"a": [K + N], "b": [2 * N]})
    found = gc.compile(graph)(**arrays({"a": [7], "b": [4]}))
    assert (len(found["K"]), len(found["N"])) == (5, 2)
