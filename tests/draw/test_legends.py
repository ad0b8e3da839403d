"""What a picture shows by dash, width or a sign is said under it."""

from __future__ import annotations

import numpy as np
from drawn_graphs import boxes, rectangle, texts, two_layers

import graphc as gc


def test_labelled_weights_say_what_dash_and_width_mean() -> None:
    graph = two_layers()
    state = {name: np.linspace(-2, 1, node.shape[0] * node.shape[-1]).reshape(node.shape)
             for name, node in graph.params.items() if node.ndim == 2}  # fmt: skip
    state |= {name: np.zeros(n.shape) for name, n in graph.params.items() if n.ndim == 1}
    words = "dashed: negative;  width: size, up to 2"
    assert words in texts(gc.draw.network(graph, state=state))
    assert not [text for text in texts(gc.draw.network(graph)) if "width" in text]


def test_names_that_circles_have_no_room_for_are_told() -> None:
    image, scores = gc.input("image", ("N", 4)), gc.param("W", (4, 2))
    picture = gc.draw.network(gc.graph({"scores": image @ scores}))
    assert "i: image;  s: scores" in [t.replace("\xa0", " ") for t in texts(picture)]
    assert not [t for t in texts(gc.draw.network(two_layers())) if ": " in t]


def maps(channels: int) -> gc.Graph:
    x = gc.input("x", ("N", 1, 8, 8))
    return gc.graph({"y": gc.relu(gc.nn.conv2d(x, channels, 3, name="conv"))})


def test_stacks_with_more_maps_than_sheets_say_so() -> None:
    shown = texts(gc.draw.volumes(maps(8)))
    assert "⋰" in shown and "⋰ more maps than sheets" in shown
    assert not [text for text in texts(gc.draw.volumes(maps(6))) if "⋰" in text]


def test_the_sign_of_maps_left_out_covers_no_sheet() -> None:
    found = boxes(gc.draw.volumes(maps(64)))
    left, low, right, high = rectangle(found["more1"])
    for key in ("v1", "v1_1", "v1_5"):
        a, b, c, d = rectangle(found[key])
        assert right <= a + 1 or left >= c or low >= d - 1 or high <= b, key
