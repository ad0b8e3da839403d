"""The network diagram: circles are units, edges carry weights; no bias, no loss."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import numpy as np
import pytest
from drawn_graphs import boxes, center, digits, edges, rectangle, texts, two_layers

import graphc as gc
from graphc.draw import Drawing, palette
from graphc.draw.networks.dense_layers import find_network
from graphc.draw.networks.parts import Network


def units(picture: Drawing) -> list[str]:
    return [key for key in boxes(picture) if re.fullmatch(r"u\d+_\d+", key)]


def sizes(network: Network) -> list[tuple[str, object, str]]:
    return [(layer.role, layer.size, layer.activation) for layer in network.layers]


def test_the_3_4_2_network_of_the_lecture(golden: Callable[[str, str], None]) -> None:
    picture = gc.draw.network(two_layers())
    golden("mlp_3_4_2.dot", picture.source)
    assert len(units(picture)) == 9
    assert len(edges(picture)) == 3 * 4 + 4 * 2
    shown = texts(picture)
    labels = {f"α{a}{b}" for a, b in itertools.product("₁₂₃₄", "₁₂₃")}
    labels |= {f"β{a}{b}" for a, b in itertools.product("₁₂", "₁₂₃₄")}
    assert labels <= set(shown)
    assert not any(text.startswith(("a0", "b0", "a⁰", "b⁰", "a₀", "b₀")) for text in shown)
    assert {"input", "hidden · sigmoid", "output · softmax"} <= set(shown)


def test_layers_stand_in_columns_from_left_to_right() -> None:
    found = boxes(gc.draw.network(two_layers()))
    columns = [{center(found[k])[0] for k in found if k.startswith(f"u{i}_")} for i in range(3)]
    assert all(len(column) == 1 for column in columns)
    places = [column.pop() for column in columns]
    assert places == sorted(places)


SHAPES = [(1, 1, 1), (2, 3, 1), (3, 4, 2), (5, 5, 3), (2, 8, 2), (6, 2, 6)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bias", [None, "badge", "node"])
@pytest.mark.parametrize("numbers", [False, True])
def test_label_boxes_never_overlap(
    shape: tuple[int, int, int], bias: str | None, numbers: bool
) -> None:
    graph = two_layers(*shape)
    rng = np.random.default_rng(0)
    state = {n: rng.normal(size=[int(d) for d in p.shape]) for n, p in graph.params.items()}
    picture = gc.draw.network(graph, state=state if numbers else None, bias=bias)
    found = boxes(picture)
    labels = {k: rectangle(o) for k, o in found.items() if k.startswith(("lw_", "badge"))}
    circles = {k: rectangle(o) for k, o in found.items() if re.match(r"u\d|bias", k)}
    inputs, hidden, outputs = shape
    count = inputs * hidden + hidden * outputs
    count += 0 if bias is None else hidden + outputs
    assert len(labels) == count
    for (a, first), (b, second) in itertools.combinations({**labels, **circles}.items(), 2):
        if a in circles and b in circles:
            continue
        apart = (
            first[2] <= second[0]
            or second[2] <= first[0]
            or first[3] <= second[1]
            or second[3] <= first[1]
        )
        assert apart, f"{a} and {b} overlap"


def test_wide_layers_show_the_first_the_last_and_true_indices() -> None:
    picture = gc.draw.network(two_layers(784, 128, 10))
    shown = texts(picture)
    assert len(units(picture)) == 12
    assert shown.count("⋮") == 3
    assert {"₇₈₄", "₁₂₈", "₁₀"} <= set(shown)
    assert {"784", "128", "10"} <= set(shown)
    matrices = [text.strip() for text in shown if "×" in text]
    assert matrices == ["128×784", "10×128"]
    assert "780 more units" in picture.source and "124 more units" in picture.source
    assert not any(key.startswith("lw_") for key in boxes(picture))


def test_labels_can_be_turned_off_and_forced() -> None:
    off = gc.draw.network(two_layers(), weight_labels=False)
    assert not any(key.startswith("lw_") for key in boxes(off))
    assert {"α", "β"} <= set(texts(off))
    wide = gc.draw.network(two_layers(20, 3, 2), weight_labels=True)
    assert "α₁‚₂₀" in texts(wide)


def test_numbered_names_raise_the_layer_and_lower_the_unit() -> None:
    shown = texts(gc.draw.network(digits()))
    assert "h¹" in shown and "₁₂₈" in shown


# -- values --------------------------------------------------------------------------------------


def test_signs_with_numbers_and_without_are_told_in_words() -> None:
    graph = two_layers()
    state = {name: np.full(leaf.shape, -0.5) for name, leaf in graph.params.items()}
    words = "dashed: negative;  width: size, up to 0.5"
    plain = [text.replace("\xa0", " ") for text in texts(gc.draw.network(graph, state=state))]
    bare = gc.draw.network(graph, state=state, weight_labels=False)
    assert words in plain
    assert words in [text.replace("\xa0", " ") for text in texts(bare)]


def test_weights_show_sign_by_color_and_dash_and_size_by_width() -> None:
    graph = two_layers(2, 1, 1)
    state = {"α": [[1.0, -2.0]], "β": [[0.5]], "a0": [0.0], "b0": [0.0]}
    source = gc.draw.network(graph, state=state).source
    found = re.findall(
        r'edgetooltip="(\S+) = (\S+)", color="(\S+)", style="(\w+)", penwidth="(\S+)"', source
    )
    assert found == [
        ("α₁₁", "+1", palette.VALUE, "solid", "2.30"),
        ("α₁₂", "−2", palette.ADJOINT, "dashed", "4.00"),
        ("β₁₁", "+0.5", palette.VALUE, "solid", "1.45"),
    ]
    assert {"+1.00", "−2.00", "+0.50"} <= set(texts(gc.draw.network(graph, state=state)))


def test_a_weight_stands_on_the_edge_that_it_multiplies() -> None:
    x = gc.input("x", ("N", 2))
    W = gc.param("W", (2, 3))
    rows_first = gc.graph({"y": x @ W})
    W2 = gc.param("W", (3, 2))
    turned = gc.graph({"y": x @ W2.T})
    values = np.arange(6.0).reshape(2, 3)
    for graph, state, name in (
        (rows_first, {"W": values}, "W₂₃"),
        (turned, {"W": values.T}, "W₃₂"),
    ):
        source = gc.draw.network(graph, state=state).source
        assert f'u0_1 -> u1_2 [id="w_0_2_1", edgetooltip="{name} = +5"' in source


def test_a_state_that_lacks_a_weight_says_which() -> None:
    with pytest.raises(gc.GraphError, match="β"):
        gc.draw.network(two_layers(), state={"α": np.zeros((4, 3))})


def test_biases_on_request() -> None:
    badges = texts(gc.draw.network(two_layers(), bias="badge"))
    assert "+a⁰₁" in badges
    nodes = gc.draw.network(two_layers(), bias="node")
    assert len([key for key in boxes(nodes) if key.startswith("bias")]) == 2
    assert len(edges(nodes)) == 20 + 4 + 2
    zero = {"α": np.ones((4, 3)), "β": np.ones((2, 4)), "b0": np.zeros(2)}
    state = zero | {"a0": np.array([0.25, -0.5, 3.0, 0.0])}
    numbers = re.findall(
        r"badge_\w+ .*?>([+−][\d.]+)<",
        gc.draw.network(two_layers(), state=state, bias="badge").source,
    )
    assert numbers == ["+0.25", "−0.50", "+3.00", "+0.00", "+0.00", "+0.00"]
    with pytest.raises(gc.GraphError, match="badge or node"):
        gc.draw.network(two_layers(), bias="no")


# -- the pattern -----------------------------------------------------------------------------------


def raw(x: gc.Node) -> gc.Node:
    W, b = gc.param("W", (3, 5)), gc.param("b", (5,))
    V = gc.param("V", (5, 2))
    z = x @ W + b
    h = gc.where(z > 0, z, 0 * z)
    e = gc.exp(h @ V)
    return e / e.sum(axis=1, keepdims=True)


def built(x: gc.Node) -> gc.Node:
    h = gc.nn.dense(x, 5, activation="relu")
    return gc.softmax(gc.nn.dense(h, 2, use_bias=False))


@pytest.mark.parametrize("model", [raw, built])
def test_layers_and_raw_operations_give_the_same_network(
    model: Callable[[gc.Node], gc.Node],
) -> None:
    graph = gc.graph({"p": model(gc.input("x", ("N", 3)))})
    assert sizes(find_network(graph)) == [
        ("input", 3, ""),
        ("hidden", 5, "ReLU"),
        ("output", 2, "softmax"),
    ]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("1/(1 + exp(-z))", "sigmoid"),
        ("maximum(z, 0)", "ReLU"),
        ("log(1 + exp(z))", "softplus"),
        ("(exp(z) - exp(-z))/(exp(z) + exp(-z))", "tanh"),
        ("z", ""),
        ("z*3 + sin(z)**3", "f"),
        (
            "exp(z - max(z, axis=1, keepdims=True))/sum(exp(z - max(z, axis=1, keepdims=True)), "
            "axis=1, keepdims=True)",
            "softmax",
        ),
    ],
)
def test_activations_are_recognized_by_value(written: str, name: str) -> None:
    graph = gc.parse(
        "x: input(f64, N, 3)\nW: param(f64, 3, 4)\nV: param(f64, 4, 2)\n"
        f"z = x @ W\nh = {written}\ny = h @ V\noutput(y)"
    )
    assert sizes(find_network(graph))[1] == ("hidden", 4, name)


def test_the_loss_is_not_part_of_the_network() -> None:
    graph = digits()
    assert [layer.node for layer in find_network(graph).layers][-1] is graph.find("p")
    assert "loss" not in gc.draw.network(graph).source
    x, y = gc.input("x", ("N", 3)), gc.input("y", ("N",), "int64")
    z = gc.nn.dense(x, 4)
    graph = gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean()})
    assert sizes(find_network(graph)) == [("input", 3, ""), ("output", 4, "")]


def test_an_unnamed_output_is_taken_where_it_becomes_a_probability() -> None:
    graph = gc.parse(
        "x: input(f64, N, 3)\nt: input(f64, N)\nw: param(f64, 3)\n"
        "loss = -mean(t*log(sigmoid(x @ w)) + (1 - t)*log(1 - sigmoid(x @ w)))\noutput(loss)"
    )
    assert ("output", 1, "sigmoid") in sizes(find_network(graph))


def test_scalars_make_units_too() -> None:
    graph = gc.parse(
        "x1: input(f64)\nx2: input(f64)\nw1: param(f64)\nw2: param(f64)\nb: param(f64)\n"
        "v: param(f64)\nh = tanh(w1*x1 + w2*x2 + b)\ny = v*h\noutput(y)"
    )
    picture = gc.draw.network(graph)
    assert edges(picture) == {("u0_0", "u2_0"), ("u1_0", "u2_0"), ("u2_0", "u3_0")}
    assert {"w₁", "w₂", "v"} <= set(texts(picture))


def test_skip_connections_are_found_and_go_through_gaps() -> None:
    x = gc.input("x", ("N", 3))
    h = gc.nn.dense(x, 4, activation="relu", name="h")
    U, V = gc.param("U", (4, 2)), gc.param("V", (3, 2))
    graph = gc.graph({"y": gc.sigmoid(h @ U + x @ V)})
    assert [(link.tail, link.head) for link in find_network(graph).links] == [
        (0, 1),
        (1, 2),
        (0, 2),
    ]
    picture = gc.draw.network(graph)
    placed = re.findall(r'u1_\d \[pos="([-\d.]+),([-\d.]+)!"', picture.source)
    hidden = [(float(x), float(y)) for x, y in placed]
    skips = re.findall(r'u0_\d -> u2_\d \[[^\n]*pos="e,\S+ ([^"]+)"', picture.source)
    assert len(hidden) == 4 and len(skips) == 6
    for points in skips:
        passed = [tuple(map(float, p.split(","))) for p in points.split()]
        at = next(p for p in passed if p[0] == hidden[0][0])
        assert min(abs(at[1] - y) for _, y in hidden) > 22


def test_residual_connections_hand_units_on() -> None:
    x = gc.input("x", ("N", 3))
    h = x + gc.nn.dense(x, 3, activation="tanh", name="h")
    graph = gc.graph({"y": gc.nn.dense(h, 1, name="y")})
    network = find_network(graph)
    assert [link.weight is None for link in network.links] == [False, True, False]
    assert network.layers[1].activation == "tanh + skip"
    assert "dotted: handed on unchanged" in texts(gc.draw.network(graph))


def test_concatenated_inputs_keep_their_rows_of_the_weights() -> None:
    x, u = gc.input("x", ("N", 2)), gc.input("u", ("N", 1))
    W = gc.param("W", (3, 1))
    graph = gc.graph({"y": gc.concatenate([x, u], axis=1) @ W})
    state = {"W": [[1.0], [2.0], [3.0]]}
    source = gc.draw.network(graph, state=state).source
    assert re.findall(r'edgetooltip="(W\S+) = \+(\d)"', source) == [
        ("W₁₁", "1"),
        ("W₂₁", "2"),
        ("W₃₁", "3"),
    ]


def test_a_graph_without_layers_says_so() -> None:
    graph = gc.parse("x: input(f64)\ny = sin(x)\noutput(y)")
    with pytest.raises(gc.GraphError, match="no dense layer"):
        gc.draw.network(graph)


def test_a_thousand_layers_are_cut_in_the_middle() -> None:
    h = gc.input("x", ("N", 4))
    for i in range(1000):
        h = gc.nn.dense(h, 4, activation="relu", name=f"layer{i}")
    picture = gc.draw.network(gc.graph({"y": h}))
    assert "990 more columns" in texts(picture)
    assert len(units(picture)) == 4 * 11


def test_long_and_odd_names_fit_their_circles() -> None:
    x = gc.input('a very <long> & "odd" name', ("N", 12))
    h = gc.nn.dense(x, 3, activation="tanh", name="representation")
    gc.draw.network(gc.graph({"prediction": h})).svg()  # dot warns where a label does not fit
