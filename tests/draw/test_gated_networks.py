"""Layers that other layers' units make one by one: gates, maxout, slices; and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from drawn_graphs import edges, laid_out, texts

import graphc as gc
from graphc.draw.networks.dense_layers import find_network
from graphc.draw.networks.parts import Network


def dense(x: gc.Node, size: int, name: str) -> gc.Node:
    return gc.nn.dense(x, size, name=name)


def found(output: gc.Node) -> Network:
    return find_network(gc.graph({"out": output}))


def layers(network: Network) -> list[tuple[str, object, str]]:
    return [(layer.role, layer.size, layer.activation) for layer in network.layers]


def links(network: Network) -> list[tuple[int, int, bool]]:
    return [(link.tail, link.head, link.weight is not None) for link in network.links]


@pytest.fixture
def x() -> gc.Node:
    return gc.input("x", ("N", 4))


# -- gates -----------------------------------------------------------------------------------------

GATES: dict[str, Callable[[gc.Node, gc.Node], gc.Node]] = {
    "product": lambda a, b: a * gc.sigmoid(b),
    "maximum": gc.maximum,
    "difference, abs": lambda a, b: gc.abs(a - b),
    "quotient": lambda a, b: a / gc.exp(b),
}


@pytest.mark.parametrize("word", GATES)
def test_a_gate_is_a_layer_between_its_operands_and_its_reader(x: gc.Node, word: str) -> None:
    network = found(dense(GATES[word](dense(x, 3, "a"), dense(x, 3, "g")), 2, "b").named("out"))
    assert [layer[:2] for layer in layers(network)] == [
        ("input", 4),
        ("hidden", 3),
        ("hidden", 3),
        ("hidden", 3),
        ("output", 2),
    ]
    assert network.layers[3].activation == word
    assert links(network) == [
        (0, 1, True),
        (0, 2, True),
        (1, 3, False),
        (2, 3, False),
        (3, 4, True),
    ]
    assert [layer.level for layer in network.layers] == [0, 1, 1, 2, 3]


def test_a_gate_joins_unit_to_unit(x: gc.Node) -> None:
    gated = dense(x, 2, "a") * gc.sigmoid(dense(x, 2, "g"))
    picture = gc.draw.network(gc.graph({"out": dense(gated, 1, "b")}))
    assert {pair for pair in edges(picture) if pair[1].startswith("u3")} == {
        ("u1_0", "u3_0"),
        ("u1_1", "u3_1"),
        ("u2_0", "u3_0"),
        ("u2_1", "u3_1"),
    }
    assert "dotted: unit by unit, without weights" in texts(picture)


def test_one_gating_unit_reaches_every_unit(x: gc.Node) -> None:
    gated = dense(x, 3, "a") * gc.sigmoid(dense(x, 1, "g"))
    picture = gc.draw.network(gc.graph({"out": dense(gated, 1, "b")}))
    assert {head for tail, head in edges(picture) if tail == "u2_0"} == {"u3_0", "u3_1", "u3_2"}


def test_one_unit_of_several_gates_every_unit(x: gc.Node) -> None:
    """A mixture of experts: each share of the gate multiplies a whole expert."""
    gate, experts = gc.softmax(dense(x, 2, "g")), [dense(x, 3, f"e{i}") for i in range(2)]
    mixed = sum(gate[:, i : i + 1] * expert for i, expert in enumerate(experts))
    picture = gc.draw.network(gc.graph({"out": mixed}))
    for unit in range(2):
        assert {head for tail, head in edges(picture) if tail == f"u1_{unit}"} == {
            "u4_0",
            "u4_1",
            "u4_2",
        }


def test_one_unit_that_is_joined_with_others_reaches_only_its_place(x: gc.Node) -> None:
    both = gc.concat([dense(x, 1, "a"), dense(x, 3, "b")], axis=1)
    picture = gc.draw.network(gc.graph({"out": gc.relu(both)}))
    assert {head for tail, head in edges(picture) if tail == "u1_0"} == {"u3_0"}


def test_a_highway_layer_mixes_three_layers(x: gc.Node) -> None:
    t = gc.sigmoid(dense(x, 4, "t"))
    mixed = t * gc.tanh(dense(x, 4, "h")) + (1 - t) * x
    network = found(dense(mixed, 2, "b").named("out"))
    assert {link.tail for link in network.links if link.head == 3} == {0, 1, 2}
    assert layers(network)[3:] == [("hidden", 4, "f"), ("output", 2, "")]


@pytest.mark.parametrize("loss", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_a_gate_may_be_the_output(x: gc.Node, loss: bool, named: bool) -> None:
    y = gc.relu(dense(x, 3, "a") * gc.sigmoid(dense(x, 3, "g")))
    if named:
        y = y.named("prediction")
    t = gc.input("t", ("N", 3))
    graph = gc.graph({"loss": gc.mean((y - t) ** 2)} if loss else {"y": y})
    assert layers(find_network(graph)) == [
        ("input", 4, ""),
        ("hidden", 3, ""),
        ("hidden", 3, "sigmoid"),
        ("output", 3, "product, ReLU"),
    ]


def test_scalar_units_are_gated_too() -> None:
    graph = gc.parse(
        "x: input(f64)\na: param(f64)\ng: param(f64)\nv: param(f64)\nt: input(f64)\n"
        "h = tanh(a*x)*sigmoid(g*x)\ny = v*h\nloss = (y - t)**2\noutput(loss)"
    )
    assert links(find_network(graph))[2:] == [(1, 3, False), (2, 3, False), (3, 4, True)]


def test_a_label_and_a_penalty_are_no_layers(x: gc.Node) -> None:
    """A variational autoencoder: what the loss adds up stands beside the network."""
    mean, log_variance = dense(x, 2, "mean"), dense(x, 2, "log_variance")
    code = (mean + gc.exp(log_variance / 2) * gc.input("noise", ("N", 2))).named("code")
    error = gc.sum((dense(code, 4, "decoder") - x) ** 2)
    penalty = gc.sum(mean**2 + gc.exp(log_variance) - log_variance - 1)
    network = find_network(gc.graph({"loss": error + penalty}))
    assert layers(network) == [
        ("input", 4, ""),
        ("hidden", 2, ""),
        ("hidden", 2, "scale, exp"),
        ("input", 2, ""),
        ("hidden", 2, "f"),
        ("output", 4, ""),
    ]


def test_derivatives_are_no_layers(x: gc.Node) -> None:
    W, V = gc.param("W", (4, 3)), gc.param("V", (3, 3))
    loss = gc.mean((gc.tanh(x @ W) @ V) ** 2)
    dW, dV = gc.grad(loss, [W, V])
    network = find_network(gc.graph({"loss": loss, "dW": dW, "dV": dV}))
    assert layers(network) == [("input", 4, ""), ("hidden", 3, "tanh"), ("output", 3, "")]


# -- slices and concatenations ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "units"),
    [
        (slice(None, 3), [0, 1, 2]),
        (slice(4, None), [4, 5]),
        (slice(None, None, 2), [0, 2, 4]),
        (slice(None, None, -1), [5, 4, 3, 2, 1, 0]),
    ],
)
def test_a_product_reads_some_units_of_a_layer(x: gc.Node, index: slice, units: list[int]) -> None:
    h = gc.tanh(dense(x, 6, "h"))
    W = gc.param("W", (len(units), 1))
    graph = gc.graph({"out": (h[:, index] @ W).named("out")})
    assert layers(find_network(graph))[1:] == [("hidden", 6, "tanh"), ("output", 1, "")]
    state = graph.init(seed=0) | {"W": [[10.0 + i] for i in range(len(units))]}
    source = gc.draw.network(graph, state=state).source
    for row, unit in enumerate(units):
        assert f'u1_{unit} -> u2_0 [id="w_1_0_{unit}", edgetooltip="' in source
        assert f"{'₁₂₃₄₅₆'[row]}₁ = +{10 + row}" in source
    assert source.count("-> u2_0") == len(units)


def test_a_function_of_some_units_is_a_layer(x: gc.Node) -> None:
    z = dense(x, 6, "z")
    network = found(dense(gc.softmax(z[:, :3], axis=1), 2, "b").named("out"))
    assert layers(network)[1:] == [("hidden", 6, ""), ("hidden", 3, "softmax"), ("output", 2, "")]


def test_the_halves_of_a_layer_gate_each_other(x: gc.Node) -> None:
    z = dense(x, 6, "z")
    graph = gc.graph({"out": dense(z[:, :3] * gc.sigmoid(z[:, 3:]), 2, "b")})
    inner = {pair for pair in edges(gc.draw.network(graph)) if pair[1].startswith("u2")}
    assert inner == {(f"u1_{i}", f"u2_{i % 3}") for i in range(6)}


def test_a_function_of_a_concatenation_is_a_layer(x: gc.Node) -> None:
    both = gc.relu(gc.concatenate([dense(x, 2, "a"), dense(x, 3, "c")], axis=1))
    graph = gc.graph({"out": dense(both, 1, "b")})
    assert layers(find_network(graph))[3:] == [("hidden", 5, "ReLU"), ("output", 1, "")]
    inner = {pair for pair in edges(gc.draw.network(graph)) if pair[1].startswith("u3")}
    assert inner == {
        ("u1_0", "u3_0"),
        ("u1_1", "u3_1"),
        ("u2_0", "u3_2"),
        ("u2_1", "u3_3"),
        ("u2_2", "u3_4"),
    }


def test_what_no_link_tells_stands_in_a_column_of_its_own(x: gc.Node) -> None:
    h = gc.tanh(dense(x, 6, "h"))
    picture = gc.draw.network(gc.graph({"out": dense(h[:, [0, 2, 0]], 1, "b")}))
    assert "from other layers" in texts(picture) and "hidden · tanh" in texts(picture)
    assert "Hidden h1: 6 units" in picture.description
    assert "From other layers h2: 3 units." in picture.description


@pytest.mark.parametrize("size", [3, 4])
def test_the_states_of_a_loop_are_a_column_behind_what_it_reads(size: int) -> None:
    words = dense(gc.input("x", ("N", "T", 4)), 4, "embedding")
    states, _ = gc.nn.rnn(words, size, name="r")
    network = found(dense(states, 2, "b").named("out"))
    assert layers(network) == [
        ("input", 4, ""),
        ("hidden", 4, ""),
        ("input", size, ""),
        ("output", 2, ""),
    ]
    assert [layer.level for layer in network.layers] == [0, 1, 2, 3]


@pytest.mark.parametrize("batch", [(), ("N",)])
def test_a_graph_convolution_sums_over_neighbours_unit_by_unit(batch: tuple[str, ...]) -> None:
    near, x = gc.input("A", (*batch, "V", "V")), gc.input("x", (*batch, "V", 5))
    h = gc.relu(near @ dense(x, 4, "a")).named("h")
    network = find_network(gc.graph({"y": gc.softmax(near @ dense(h, 3, "b")).named("y")}))
    assert layers(network) == [
        ("input", 5, ""),
        ("hidden", 4, "sum over rows, ReLU"),
        ("output", 3, "sum over rows, softmax"),
    ]
    assert [layer.node.name for layer in network.layers] == ["x", "h", "y"]


# -- what is refused -------------------------------------------------------------------------------


def attention(x: gc.Node) -> gc.Node:
    q, k, v = (dense(x, 3, name) for name in "qkv")
    scores = gc.softmax(gc.einsum(q, k, spec="nic,njc->nij"))
    return dense(gc.einsum(scores, v, spec="nij,njc->nic"), 2, "b")


def bilinear(x: gc.Node) -> gc.Node:
    B = gc.param("B", (3, 3))
    return gc.einsum(dense(x, 3, "a"), B, dense(x, 3, "c"), spec="nti,ij,ntj->nt")


def distance(x: gc.Node) -> gc.Node:
    return gc.sum((dense(x, 3, "a") - dense(x, 3, "c")) ** 2, axis=-1)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (attention, "for what b.W multiplies: layers meet in einsum, not unit by unit"),
        (bilinear, "einsum: it multiplies several layers with weights at once"),
        (distance, "for output 'out': layers meet in sum, not unit by unit"),
    ],
)
def test_what_is_no_layer_of_units_is_refused(
    model: Callable[[gc.Node], gc.Node], message: str
) -> None:
    graph = gc.graph({"out": model(gc.input("x", ("N", "T", 4))).named("out")})
    with pytest.raises(gc.GraphError, match=message) as error:
        gc.draw.network(graph)
    assert "gc.draw.computation_graph(g)" in str(error.value)
    assert "test_gated_networks.py" in str(error.value)  # where the user wrote it


def test_a_refused_output_is_named_beside_the_node_where_layers_meet() -> None:
    x, t = gc.input("x", (6, 4)), gc.input("t", (6, 4))
    q, k, v = (dense(x, 4, name) for name in "qkv")
    out = gc.softmax(q @ k.T) @ v
    graph = gc.graph({"o": out, "loss": ((out - t) ** 2).mean()})
    with pytest.raises(gc.GraphError, match="for output 'o': layers meet in einsum, not") as error:
        gc.draw.network(graph)
    assert "einsum of f32[6, 4] and f32[4, 6]" in str(error.value)  # q and k turned


def test_halves_that_are_joined_again_are_the_output(x: gc.Node) -> None:
    """The coupling layer of a normalizing flow: one half is handed on, it steers the other."""
    kept, moved = x[:, :2].named("kept"), x[:, 2:].named("moved")
    scale, shift = gc.tanh(dense(kept, 2, "s")), dense(kept, 2, "t").named("shift")
    network = found(gc.concatenate([kept, moved * gc.exp(scale) + shift], axis=1))
    assert layers(network) == [
        ("input", 4, ""),
        ("hidden", 2, "tanh, exp"),
        ("hidden", 2, ""),
        ("output", 4, "f"),
    ]
    handed = [(k.tail, k.rows, k.first_row) for k in network.links if k.weight is None]
    assert handed == [(0, range(2), 0), (0, range(2, 4), 2), (1, None, 2), (2, None, 2)]


def test_a_difference_of_mean_losses_is_no_layer(x: gc.Node) -> None:
    """Two nets that play against each other: the loss has no label, and is no unit either."""
    real, fake = (gc.sigmoid(dense(x, 1, name)).named(name) for name in ("real", "fake"))
    loss = -gc.mean(gc.log(real)) - gc.mean(gc.log(1 - fake))
    network = find_network(gc.graph({"p": real, "q": fake, "loss": loss}))
    assert [layer.role for layer in network.layers] == ["input", "output", "output"]


def test_a_remark_stands_below_the_longest_caption(x: gc.Node) -> None:
    gates = [f(dense(x, 2, f"a{i}"), dense(x, 2, f"b{i}")) for i, f in enumerate(GATES.values())]
    picture = gc.draw.network(gc.graph({f"y{i}": gate for i, gate in enumerate(gates)}))
    places = {
        item["name"]: float(item["pos"].split(",")[1])
        for item in laid_out(picture)["objects"]
        if item["name"].startswith(("caption", "remark"))
    }
    rows = 5  # one for each kind of gate, and their sizes
    lowest = min(place for name, place in places.items() if name != "remark")
    assert places["remark"] < lowest - 8 * rows
