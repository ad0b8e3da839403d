"""Convolutions and poolings in graphs: one box each, with what they read as edges."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from drawn_graphs import edges

import graphc as gc
from graphc.draw.graphs.view import view

IMAGE = ("N", 4, 8, 8)
CONV, POOL = gc.nn.conv2d, gc.nn.max_pool2d
Layer = Callable[[gc.Node], gc.Node]


def told(graph: gc.Graph) -> dict[str, tuple[str, str]]:
    """Return formula and detail of each operation's box, by its name."""
    found = view(graph, "strict", 150, None).boxes
    return {b.name: (b.formula, b.detail) for b in found if b.kind in ("operation", "output")}


@pytest.mark.parametrize(
    ("layer", "formula", "detail"),
    [
        (lambda x: CONV(x, 8, 3, name="c"), "x ⋆ c.W", "8 filters 3×3"),
        (
            lambda x: CONV(x, 8, (3, 5), stride=2, padding=(1, 2), name="c"),
            "x ⋆ c.W",
            "8 filters 3×5, stride 2, padding 1×2",
        ),
        (
            lambda x: CONV(x, 1, 2, padding=((0, 1), (0, 1)), dilation=2, name="c"),
            "x ⋆ c.W",
            "1 filter 2×2, padding 0 and 1 × 0 and 1, dilation 2",
        ),
        (lambda x: CONV(x, 8, 3, groups=2, name="c"), "x ⋆ c.W", "8 filters 3×3, 2 groups"),
        (lambda x: CONV(x, 4, 3, groups=4, name="c"), "x ⋆ c.W", "4 filters 3×3, 4 groups"),
        (
            lambda x: gc.nn.locally_connected2d(x, 2, 3, name="c"),
            "x ⋆ c.W",
            "2 filters 3×3 for each position",
        ),
        (
            lambda x: gc.nn.conv1d(x, 6, 3, padding=1, name="c"),
            "x ⋆ c.W",
            "6 filters of 3, padding 1",
        ),
        (
            lambda x: gc.nn.conv_transpose2d(x, 8, 4, stride=2, padding=1, name="c"),
            "x ⋆ᵀ c.W",
            "8 filters 4×4, stride 2, padding 1",
        ),
        (lambda x: POOL(x, 3, stride=2, padding=1), "maxpool(x)", "3×3, stride 2, padding 1"),
        (lambda x: gc.nn.avg_pool2d(x, 2), "meanpool(x)", "2×2, stride 2"),
        (
            lambda x: gc.nn.avg_pool2d(x, 3, padding=1, count_include_pad=False),
            "meanpool(x)",
            "3×3, stride 3, padding 1",
        ),
    ],
)
def test_a_convolution_or_a_pooling_is_one_box(layer: Layer, formula: str, detail: str) -> None:
    graph = gc.graph({"y": layer(gc.input("x", IMAGE)).named("y")})
    found = told(graph)
    assert next(iter(found.values())) == (formula, detail)
    assert len(found) == (2 if "c.b" in graph.params else 1)
    gc.draw.computation_graph(graph).svg()


def test_a_convolution_is_joined_with_its_image_and_its_filters() -> None:
    graph = gc.graph({"y": CONV(gc.input("x", IMAGE), 8, 3, padding=1, name="c")})
    assert edges(gc.draw.computation_graph(graph)) == {
        ("n_x", "n_v5"),
        ("n_c_2e_W", "n_v5"),
        ("n_v5", "n_y"),
        ("n_c_2e_b", "n_y"),
    }


def test_its_steps_are_drawn_where_nothing_shares_a_box() -> None:
    graph = gc.graph({"y": CONV(gc.input("x", IMAGE), 8, 3, padding=1, name="c")})
    drawn = gc.draw.computation_graph(graph, collapse=False)
    assert {"pad(", "windows("} == {w for w in ("pad(", "windows(") if w in drawn.source}


def test_steps_with_a_name_of_their_own_have_a_box() -> None:
    x, W = gc.input("x", IMAGE), gc.param("W", (5, 4, 3, 3))
    spec = "ncxyij,ocij->noxy"
    plain = gc.graph({"y": gc.einsum(spec, gc.windows(x, (3, 3)), W)})
    assert told(plain) == {"y": ("x ⋆ W", "5 filters 3×3")}
    named = gc.graph({"y": gc.einsum(spec, gc.windows(x, (3, 3)).named("seen"), W)})
    assert list(told(named)) == ["seen", "y"]


def test_a_frame_of_other_numbers_is_a_step_of_its_own() -> None:
    x, W = gc.input("x", IMAGE), gc.param("W", (5, 4, 3, 3))
    edged = gc.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=2.0)
    graph = gc.graph({"y": gc.einsum("ncxyij,ocij->noxy", gc.windows(edged, (3, 3)), W)})
    assert [detail for _, detail in told(graph).values()] == ["", "5 filters 3×3"]


def test_adjoints_go_back_through_a_convolution_and_a_pooling() -> None:
    h = gc.relu(CONV(gc.input("x", IMAGE), 8, 3, padding=1, name="a")).named("h")
    p = POOL(h, 2).named("p")
    q = gc.nn.avg_pool2d(p, 2).named("q")
    z = CONV(q, 5, 2, name="b", use_bias=False).named("z")
    graph = gc.graph({"loss": (z**2).sum()}, name="convolutional")
    picture = gc.draw.backprop(graph, at=graph.init(0) | {"x": [[[[1.0] * 8] * 8] * 4]})
    lines = dict(
        part.removeprefix("d/d").split(" = ", 1)
        for part in picture.description.partition("Backward: ")[2].split(". ")
    )
    assert lines["b.W"] == "q ⋆ z̄"
    assert lines["q"] == "z̄ ⋆ᵀ b.W"
    assert lines["p"] == "q̄ / 4 at each place"
    assert lines["h"] == "p̄ at the maxima"
    assert lines["a.W"].startswith("x ⋆ ")
    picture.svg()
