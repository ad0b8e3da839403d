"""Backpropagation: adjoints mirrored under their variables, with the derivative graph's edges."""

from __future__ import annotations

import re

import numpy as np
import pytest
from drawn_graphs import boxes, center, cos_sin, digits, edges, laid_out, texts

import graphc as gc
from graphc.differentiate.sweeps.reverse import cotangents
from graphc.draw.graphs.adjoints import adjoint_seeds, adjoints
from graphc.draw.graphs.variables import variables
from graphc.ir.node import Node
from graphc.ir.op import Case, Op
from graphc.ops import OPS
from graphc.run.reference import evaluate


def formulas(graph: gc.Graph, of: str) -> dict[str, str]:
    """Return the adjoint of each variable by the variable's name."""
    found = variables(graph)
    sent = adjoints(graph, found, graph.find(of), adjoint_seeds(graph, None))
    return {found[node].name: adjoint.formula for node, adjoint in sent.items()}


def test_the_lecture_graph_is_derived_as_in_the_lecture() -> None:
    assert formulas(cos_sin(), "J") == {
        "x": "t̄ · 2x",
        "t": "ū₁ cos t + ū₂ · 3",
        "u1": "ū · 1",
        "u2": "ū · 1",
        "u": "J̄ · (−sin u)",
        "J": "1",
    }


def test_a_network_is_derived_as_books_write_it() -> None:
    found = formulas(digits(), "loss")
    assert found["W2"] == "h₁ᵀ · v̄₉"
    assert found["h1"] == "v̄₉ · W₂ᵀ"
    assert found["z1"] == "h̄₁ · (h₁ > 0)"
    assert found["b1"] == "sum(z̄₁, axis 0)"
    assert found["z2"] == "v̄₁₁ · v₁₁ + v̄₁₂ · v₁₂"
    assert "x" not in found and "y" not in found


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("y = sigmoid(x)", "ȳ · y · (1 − y)"),
        ("y = tanh(x)", "ȳ · (1 − y²)"),
        ("y = log(x)", "ȳ / x"),
        ("y = x * x", "ȳ · x + ȳ · x"),
        ("y = x - 2*x", "v̄₁ · 2 + ȳ · 1"),
        ("y = 1 - x", "ȳ · (−1)"),
        ("y = exp(x)", "ȳ · y"),
        ("y = -0.5 * x", "ȳ · (−0.5)"),
        ("y = x**3", "ȳ · 3x²"),
        ("y = hardtanh(x)", "ȳ · ((y < 1) ∧ (y > −1))"),
    ],
)
def test_local_derivatives(written: str, shown: str) -> None:
    assert formulas(gc.parse(f"x: input(f64)\n{written}\noutput(y)"), "y")["x"] == shown


def test_a_derivative_too_long_for_a_box_is_one_product() -> None:
    graph = gc.parse("K: input(f64, 3, 3)\nL = cholesky(K)\ny = sum(L)\noutput(y)")
    assert formulas(graph, "y")["K"] == "L̄ · ∂L/∂K"


def test_denominators_are_written_as_the_rest_of_a_formula_is() -> None:
    x, y = gc.input("x", ("N", "T", 2)), gc.input("y", ("N", "T", 2))
    error = (x @ gc.param("W", (2, 2)) - y).named("error")
    graph = gc.graph({"loss": gc.mean(error**2)})
    assert "l̅o̅s̅s̅ / (2N · T)" in formulas(graph, "loss").values()
    picture = gc.draw.backprop(graph, of="loss")
    assert "<O>loss</O> / (2N · T)" in picture.source
    assert {"loss", "error"} <= set(re.findall(r'"overline"[^>]*>([^<]*)<', picture.svg()))


def test_the_adjoint_of_an_output_with_two_names_has_one() -> None:
    value = (gc.param("w") ** 2).named("v")
    picture = gc.draw.backprop(gc.graph({"loss": value}), of="loss")
    shown = texts(picture)
    assert "v = loss" in shown and shown.count("v\u0304") == 1
    assert "Backward: d/dv = 1. d/dw" in picture.description


def test_a_variable_of_many_uses_shows_the_first_and_the_last() -> None:
    x = gc.input("x")
    total = gc.exp(x)
    for _ in range(9):
        total = total + gc.exp(x)
    shown = formulas(gc.graph({"y": total}), "y")["x"]
    assert "… 6 more …" in shown and shown.count("+") == 4


# -- edges ---------------------------------------------------------------------------------------


def dependencies(graph: gc.Graph, of: str) -> set[tuple[str, str]]:
    """Return which adjoint the derivative graph computes directly from which other."""
    nodes = {v.name: node for node, v in variables(graph).items() if v.name}
    target = graph.find(of)
    # An input as the seed: a constant 1 would be multiplied away.
    found = cotangents([target], [gc.input("seed", (), target.dtype)], list(nodes.values()))
    adjoint = {name: c for name, c in zip(nodes, found, strict=True) if c is not None}
    owner = {node: name for name, node in adjoint.items()}
    assert len(owner) == len(adjoint), "each adjoint is a node of its own in this graph"
    pairs = set()
    for name, node in adjoint.items():
        pending, seen = list(node.inputs), set()
        while pending:
            current = pending.pop()
            if current in owner:
                pairs.add((owner[current], name))
            elif current not in seen:
                seen.add(current)
                pending += current.inputs
    return pairs


DISTINCT = """
x: input(f64)
a = sin(x)
b = exp(x)
c = 3*a
d = c*b
y = log(d)
output(y)
"""


def test_edges_are_the_derivative_graphs_edges() -> None:
    graph = gc.parse(DISTINCT)
    drawn = {
        (a.removeprefix("d_n_"), b.removeprefix("d_n_"))
        for a, b in edges(gc.draw.backprop(graph, "y"))
        if a.startswith("d_")
    }
    assert drawn == dependencies(graph, "y")
    assert ("d", "b") in drawn


def test_backward_edges_mirror_forward_edges_that_carry_a_derivative() -> None:
    drawn = edges(gc.draw.backprop(cos_sin(), "J"))
    forward = {(a, b) for a, b in drawn if not a.startswith("d_")}
    backward = {(b.removeprefix("d_"), a.removeprefix("d_")) for a, b in drawn - forward}
    assert forward - backward == {("c_3", "n_u2")}
    assert backward < forward


def test_saved_values_are_dotted_edges_on_request() -> None:
    graph = cos_sin()
    plain = gc.draw.backprop(graph, "J").source
    saved = gc.draw.backprop(graph, "J", saved=True).source
    found = set(re.findall(r"(\w+):s -> (\w+):n \[[^\n]*dotted", saved))
    assert found == {("n_u", "d_n_u"), ("n_t", "d_n_t"), ("n_x", "d_n_x"), ("c_3", "d_n_t")}
    assert "dotted" not in plain
    assert "dotted: a saved value is read" in saved


# -- layout --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("graph", "of"), [(cos_sin(), "J"), (digits(), "loss")])
def test_adjoints_stand_in_the_columns_of_their_variables(graph: gc.Graph, of: str) -> None:
    found = boxes(gc.draw.backprop(graph, of))
    adjoint = {k: item for k, item in found.items() if k.startswith("d_")}
    assert adjoint
    for key, item in adjoint.items():
        x, y = center(item)
        above = center(found[key.removeprefix("d_")])
        assert x == pytest.approx(above[0], abs=1) and y < above[1]
    drops = {round(center(found[k.removeprefix("d_")])[1] - center(adjoint[k])[1]) for k in adjoint}
    assert len(drops) == 1, "the lower half repeats the upper one"
    lowest = min(center(item)[1] for key, item in found.items() if not key.startswith("d_"))
    assert max(center(item)[1] for item in adjoint.values()) < lowest


def test_two_frames_are_drawn_and_backward_edges_are_dashed() -> None:
    picture = gc.draw.backprop(cos_sin(), "J")
    clusters = [o for o in laid_out(picture)["objects"] if o["name"].startswith("cluster")]
    assert [c["name"] for c in clusters] == ["cluster_fwd", "cluster_bwd"]
    assert picture.source.count('style="dashed"') == 6
    assert {"forward", "backward"} <= set(texts(picture))


def test_edges_end_at_their_boxes() -> None:
    drawn = laid_out(gc.draw.backprop(digits(), "loss"))
    names = {o["_gvid"]: o for o in drawn["objects"]}
    for edge in drawn["edges"]:
        tip = next(p for p in edge["pos"].split() if p.startswith("e,"))
        x = float(tip.split(",")[1])
        head = names[edge["head"]]
        left = center(head)[0] - 36 * float(head["width"])
        right = center(head)[0] + 36 * float(head["width"])
        assert min(abs(x - left), abs(x - right)) < 3


# -- values --------------------------------------------------------------------------------------


def test_adjoints_equal_the_gradient_to_four_digits() -> None:
    shown = texts(gc.draw.backprop(cos_sin(), "J", {"x": 0.5}))
    x = 0.5
    u = np.sin(x**2) + 3 * x**2
    du = -np.sin(u)
    dt = du * np.cos(x**2) + du * 3
    expected = [1.0, du, du, du, dt, dt * 2 * x]
    wanted = sorted(f"◂ {value:.4g}".replace("-", "−") for value in expected)
    assert sorted(t for t in shown if re.match(r"◂ −?\d", t)) == wanted
    assert any("v̄ = dJ/dv" in t for t in shown) and "at x = 0.5" in shown


def test_tensor_adjoints_show_the_norm_of_the_gradient() -> None:
    graph = digits()
    rng = np.random.default_rng(1)
    at = {"x": rng.normal(size=(4, 64)).astype("f4"), "y": rng.integers(0, 10, 4)}
    at |= {name: rng.normal(size=[int(d) for d in p.shape]) for name, p in graph.params.items()}
    shown = texts(gc.draw.backprop(graph, "loss", at))
    # A picture shows the graph as it is written.
    (derived,) = gc.grad(graph.find("loss"), [graph.params["W1"]], stabilize=False)
    env: dict[Node, np.ndarray] = {
        node: np.asarray(at[name], node.dtype)
        for name, node in {**graph.inputs, **graph.params}.items()
    }
    gradient = evaluate([derived], env)[derived].astype(float)
    assert f"‖·‖ {np.linalg.norm(gradient):.4g}" in shown


def test_fan_out_is_marked_with_a_sum() -> None:
    shown = texts(gc.draw.backprop(cos_sin(), "J"))
    assert shown.count("Σ ") + shown.count("Σ") == 1
    assert "Σ adds over all uses" in shown
    graph = gc.parse("x: input(f64)\ny = exp(x)\noutput(y)")
    assert not any("Σ" in text for text in texts(gc.draw.backprop(graph, "y")))


# -- errors and sizes ----------------------------------------------------------------------------


def test_errors() -> None:
    with pytest.raises(gc.GraphError, match="single number"):
        gc.draw.backprop(digits(), "p")
    with pytest.raises(gc.GraphError, match="did you mean 'loss'"):
        gc.draw.backprop(digits(), "los")
    text = "x: input(i64)\nw: input({})\ny = cast(x, 'float64')\noutput(y, w)"
    with pytest.raises(gc.GraphError, match="nothing to derive by"):
        gc.draw.backprop(gc.parse(text.format("i64")), "y")
    with pytest.raises(gc.GraphError, match="does not depend"):
        gc.draw.backprop(gc.parse(text.format("f64")), "y")


def test_wrt_chooses_what_is_derived() -> None:
    picture = gc.draw.backprop(digits(), "loss", wrt=["x"])
    assert "d_n_x" in boxes(picture) and "d_n_W1" not in boxes(picture)


def test_a_huge_graph_is_collapsed() -> None:
    h = gc.input("x")
    for _ in range(3000):
        h = gc.sin(h)
    picture = gc.draw.backprop(gc.graph({"y": h}), "y", {"x": 0.5})
    assert len(boxes(picture)) < 80
    assert any("left out" in text for text in texts(picture))


def _differentiable(op: Op) -> list[Case]:
    """Return the cases of an op through which a derivative flows."""
    floats = [c for c in op.cases if any(arg.dtype.startswith("float") for arg in c.args)]
    return [case for case in floats if case.differentiable][:1]


CASES = [(op, case) for op in OPS.values() for case in _differentiable(op)]


@pytest.mark.parametrize(("op", "case"), CASES, ids=[op.name for op, _ in CASES])
def test_every_differentiable_op_has_an_adjoint_in_words(op: Op, case: Case) -> None:
    leaves = [gc.input(f"q{i}", a.shape, a.dtype) for i, a in enumerate(case.args)]
    graph = gc.graph({"y": gc.sum(op(*leaves, **case.kwargs))})
    sent = adjoints(graph, variables(graph), graph.find("y"), adjoint_seeds(graph, None))
    written = [sent[leaf].formula for leaf in leaves if leaf in sent]
    assert written
    for text in written:
        assert text and not any(0xE000 <= ord(char) < 0xF000 for char in text)
        assert "ȳ" in text or "v̄" in text, "an adjoint is made of adjoints"


def test_without_a_name_the_first_single_float_is_derived() -> None:
    x = gc.input("x", (2,))
    g = gc.graph({"y": gc.sin(x), "loss": gc.sum(gc.sin(x))})
    assert gc.draw.backprop(g).source == gc.draw.backprop(g, "loss").source
    with pytest.raises(gc.GraphError, match="no output is a single float"):
        gc.draw.backprop(gc.graph({"y": gc.sin(x)}))


def test_what_a_collapsed_layer_sends_back_is_one_product() -> None:
    h = gc.input("x", ("N", 4))
    for k in range(5):
        h = (h + gc.nn.dense(gc.nn.layer_norm(h, name=f"norm{k}"), 4, name=f"d{k}")).named(f"h{k}")
    graph = gc.graph({"loss": (h**2).sum()}, name="residual")
    picture = gc.draw.backprop(graph)
    found = picture.description.partition("Backward: ")[2]
    assert re.search(r"d/dh₁ = n̅o̅r̅m̅₂ · ∂norm₂/∂h₁ \+ h̄₂\.", found), found
    assert "√" not in found and "and W̄, b̄" in texts(picture)


def test_a_bar_over_letters_keeps_clear_of_the_line_above() -> None:
    x = gc.input("x", ("N", 3))
    with gc.scope("tower"):
        h = gc.nn.dense(x, 4, name="first", activation=gc.tanh)
    both = gc.concat([h, h], axis=1).named("both")
    picture = gc.draw.backprop(gc.graph({"J": gc.sum(both)}), collapse=True)
    lines = re.findall(r'<text[^>]* y="([^"]+)"[^>]*>([^<]*)</text>', picture.svg())
    at = {words.replace("\u00a0", " ").strip(): float(y) for y, words in lines}
    barred, small = at["+"] - at["h\u0304 ="], at["and"] - at["+"]
    plain = at["first.W [3, 4]"] - at["h = tanh(x · first.W + first.b)"]
    assert min(barred, small) >= plain + 4
