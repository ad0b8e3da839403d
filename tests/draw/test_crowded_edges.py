"""Edges of a network that share their ends, and weights whose names are long."""

from __future__ import annotations

import re
from functools import reduce

import numpy as np
import pytest
from drawn_graphs import boxes, center, edges, laid_out, on_curve, rectangle, texts

import graphc as gc


def sums(names: str | list[str]) -> gc.Graph:
    x = gc.input("x", ("N", 3))
    total = reduce(gc.add, [x @ gc.param(name, (3, 2)) for name in names])
    return gc.graph({"y": gc.tanh(total)}, name="sum")


def test_products_of_one_layer_that_are_added_share_their_edges() -> None:
    picture = gc.draw.network(sums("UV"))
    assert picture.source.count(" -> ") == len(edges(picture)) == 6
    assert {"U₁₁ + V₁₁", "U₃₂ + V₃₂"} <= set(texts(picture))


def test_the_value_of_a_shared_edge_is_the_sum() -> None:
    state = {"U": np.full((3, 2), 0.5), "V": np.full((3, 2), -0.75)}
    picture = gc.draw.network(sums("UV"), state=state)
    assert texts(picture).count("−0.25") == 6
    assert "U₁₁ = +0.5 + V₁₁ = −0.75" in picture.source


def test_products_of_different_functions_of_a_layer_keep_their_own_edges() -> None:
    x = gc.input("x", ("N", 3))
    h = gc.nn.dense(x, 2, name="first").named("h")
    y = h @ gc.param("U", (2, 2)) + gc.sin(h) @ gc.param("V", (2, 2))
    shown = texts(gc.draw.network(gc.graph({"y": y}, name="two functions")))
    assert {"U₁₁", "V₁₁"} <= set(shown)


def test_frozen_weights_share_no_edge_with_trained_ones() -> None:
    x, fixed = gc.input("x", ("N", 3)), gc.param("W", (3, 2), trainable=False)
    y = x @ fixed + x @ gc.param("D", (3, 2))
    picture = gc.draw.network(gc.graph({"y": y}, name="adapted"))
    assert {"W₁₁", "D₁₁"} <= set(texts(picture))
    assert picture.source.count('class="frozen"') == 6


@pytest.mark.parametrize("count", [1, 3, 12])
def test_labels_leave_most_of_an_edge_free(count: int) -> None:
    found = boxes(gc.draw.network(sums([f"W{i}" for i in range(count)])))
    labels = [rectangle(box) for key, box in found.items() if key.startswith("lw_")]
    start, end = (rectangle(found[f"u{layer}_0"]) for layer in (0, 1))
    assert all(right - left < 0.6 * (end[2] - start[0]) for left, _, right, _ in labels)
    assert bool(labels) == (count < 12)


def test_long_names_of_weights_are_cut_on_edges_and_whole_beside_them() -> None:
    name = "weights_of_the_first_layer"
    picture = gc.draw.network(sums([name]))
    assert "w₁₁" in texts(picture)
    assert f"w₁₁ of {name}" in picture.source


def test_edges_that_run_together_to_their_end_have_no_labels() -> None:
    features = [gc.input("x", ("N", 3))]
    for i in range(3):
        h = gc.concat(features, axis=1) if i else features[0]
        features.append(gc.nn.dense(h, 2, activation=gc.relu, name=f"layer{i}"))
    shown = texts(gc.draw.network(gc.graph({"y": features[-1]}, name="dense block")))
    assert "weights are not labelled: there is no room" in shown
    assert any("7×2" in text for text in shown)


def past_a_layer(inputs: int = 3) -> gc.Graph:
    x = gc.input("x", ("N", inputs))
    h = gc.nn.dense(x, 2, activation=gc.relu, name="first").named("h")
    return gc.graph({"y": h @ gc.param("U", (2, 2)) + x @ gc.param("V", (inputs, 2))}, name="past")


def test_an_edge_past_a_column_is_labelled_where_it_runs_alone() -> None:
    found = boxes(gc.draw.network(past_a_layer()))
    middle, _ = center(found["u1_0"])
    after = {
        key for key, box in found.items() if key.startswith("lw_2") and center(box)[0] > middle
    }
    assert after == {"lw_2_0_1", "lw_2_1_1"}  # both edges of x₂ begin between h₁ and h₂


@pytest.mark.parametrize("labels", [True, False])
def test_no_edge_past_a_column_runs_through_a_caption(labels: bool) -> None:
    picture = gc.draw.network(past_a_layer(2), weight_labels=labels)
    found = boxes(picture)
    words = [rectangle(box) for key, box in found.items() if re.fullmatch(r"caption\d|w\d", key)]
    points = [point for edge in laid_out(picture)["edges"] for point in on_curve(edge["pos"])]
    for left, low, right, high in words:
        assert not any(left < x < right and low < y < high for x, y in points)
