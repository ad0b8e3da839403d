"""Dropped-out units are crossed and have no edges; frozen weights have hollow arrows."""

from __future__ import annotations

import pytest
from drawn_graphs import boxes, edges, texts, two_layers

import graphc as gc


def test_dropped_units_are_crossed_and_lose_their_edges() -> None:
    picture = gc.draw.network(two_layers(), dropped={"z": [1], "x": [0]})
    assert texts(picture).count("✕") == 2 and "✕ dropped out" in texts(picture)
    drawn = edges(picture)
    assert len(drawn) == 2 * 3 + 3 * 2
    assert not any("u1_1" in pair or "u0_0" in pair for pair in drawn)
    labels = [key for key in boxes(picture) if key.startswith("lw_")]
    assert len(labels) == len(drawn)
    assert {"u1_1", "u0_0"} <= set(boxes(picture))


def test_without_dropped_units_nothing_is_crossed() -> None:
    shown = texts(gc.draw.network(two_layers()))
    assert "✕" not in shown and "hollow arrows: frozen weights" not in shown


def test_unknown_layers_and_units_are_refused() -> None:
    with pytest.raises(gc.GraphError, match="no layer is called 'w'"):
        gc.draw.network(two_layers(), dropped={"w": [0]})
    with pytest.raises(gc.GraphError, match="'z' has no unit 4"):
        gc.draw.network(two_layers(), dropped={"z": [4]})


def test_units_hidden_behind_an_ellipsis_may_be_dropped() -> None:
    picture = gc.draw.network(two_layers(3, 100, 2), dropped={"z": [2, 50]})
    assert texts(picture).count("✕") == 1


def test_frozen_weights_have_hollow_arrows() -> None:
    x = gc.input("x", ("N", 3))
    W = gc.param("W", (3, 2), trainable=False)
    h = gc.tanh(x @ W).named("h")
    graph = gc.graph({"y": (h @ gc.param("V", (2, 2))).named("y")})
    picture = gc.draw.network(graph)
    lines = [line for line in picture.source.splitlines() if 'class="frozen"' in line]
    assert len(lines) == 3 * 2 and all('arrowhead="empty"' in line for line in lines)
    assert "hollow arrows: frozen weights" in texts(picture)
