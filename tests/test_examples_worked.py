"""The worked examples of the lectures: each number that they state, as the program prints it."""

from __future__ import annotations

import math
import re
import sys

import numpy as np
import pytest
from example_figures import stated
from example_scripts import EXAMPLES, load, main_of

import graphc as gc
from graphc import cli

Printed = pytest.CaptureFixture[str]


def command(words: str, monkeypatch: pytest.MonkeyPatch, printed: Printed) -> str:
    """Return what `graphc …` prints; a word that ends in .graph is an example."""
    arguments = [str(EXAMPLES / w) if w.endswith(".graph") else w for w in words.split()]
    monkeypatch.setattr(sys, "argv", ["graphc", *arguments])
    with pytest.raises(SystemExit) as finished:
        cli.main()
    assert finished.value.code == 0
    return printed.readouterr().out


def columns(table: str) -> list[list[str]]:
    """Return the rows of a printed table, cell by cell, v̄ as v."""
    lines = table.replace("\N{COMBINING MACRON}", "").splitlines()  # it takes no column
    rule = next(i for i, line in enumerate(lines) if set(line) == {"─", " "})
    starts = [match.start() for match in re.finditer("─+", lines[rule])]
    ends = [*starts[1:], None]
    return [
        [line[a:b].strip() for a, b in zip(starts, ends, strict=True)] for line in lines[rule + 1 :]
    ]


# -- y = ln(x1) + x1*x2 - sin(x2) --------------------------------------------------------------

LN = "ln_product_sine.graph --at x1=2 --at x2=5"


def test_the_forward_trace_prints_the_lectures_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    rows = columns(command(f"trace {LN}", monkeypatch, capsys))
    assert [row[1:] for row in rows] == [
        ["v0 = x1", "2"],
        ["v1 = x2", "5"],
        ["v2 = ln(v0)", "ln(2) = 0.693"],
        ["v3 = v0·v1", "2*5 = 10"],
        ["v4 = sin(v1)", "sin(5) = −0.959"],
        ["v5 = v2 + v3", "0.693 + 10 = 10.693"],
        ["v6 = v5 − v4", "10.693 − (−0.959) = 11.652"],
    ]


def test_the_tangent_trace_prints_the_lectures_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    rows = columns(command(f"trace {LN} --mode tangent --wrt x1", monkeypatch, capsys))
    last = [row[2].rpartition("= ")[2] for row in rows]
    assert last == ["1", "0", "0.5", "5", "0", "5.5", "5.5"]
    assert rows[3] == ["", "∂v3/∂x1 = ∂v0/∂x1·v1 + v0·∂v1/∂x1", "1*5 + 2*0 = 5", "product"]


def test_the_reverse_trace_prints_the_lectures_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    rows = columns(command(f"trace {LN} --mode reverse --of y", monkeypatch, capsys))
    last = [row[4].rpartition("= ")[2] for row in rows]
    assert last == ["5.5", "1.716", "1", "1", "−1", "1", "1"]
    assert [row[0] for row in rows] == ["7", "6", "5", "4", "3", "2", "1"], "filled from below"


# -- J = cos(sin(x²) + 3x²) --------------------------------------------------------------------


def test_cos_sin_accumulates_as_the_lecture_does(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    rows = columns(command("trace cos_sin.graph --mode modules", monkeypatch, capsys))
    assert [row[1:] for row in rows] == [
        ["J = cos(u)", "dJ/du += −sin(u)"],
        ["u = u₁ + u₂", "dJ/du₁ += dJ/du"],
        ["", "dJ/du₂ += dJ/du"],
        ["u₂ = 3·t", "dJ/dt += 3·dJ/du₂"],
        ["u₁ = sin(t)", "dJ/dt += dJ/du₁·cos(t)"],
        ["t = x²", "dJ/dx += dJ/dt·2·x"],
    ]
    drawing = gc.draw.unit_chain(load("cos_sin")).description
    for local in ("dJ/du = −sin(u)", "du/du₁ = 1", "du₁/dt = cos(t)", "du₂/dt = 3", "dt/dx = 2·x"):
        assert local in drawing


# -- the sigmoid -------------------------------------------------------------------------------


def test_the_sigmoid_is_derived_in_nine_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    lines = command("derive sigmoid", monkeypatch, capsys).splitlines()[1:]
    assert [line[:3] for line in lines] == [f"({i})" for i in range(1, 10)]
    assert [line.rpartition("  = ")[2] for line in lines[3:8]] == [
        "exp(-x)/(1 + exp(-x))**2",
        "(1 + exp(-x) - 1)/(1 + exp(-x))**2",
        "(1 + exp(-x))/(1 + exp(-x))**2 - 1/(1 + exp(-x))**2",
        "1/(1 + exp(-x)) - 1/(1 + exp(-x))**2",
        "1/(1 + exp(-x))*(1 - 1/(1 + exp(-x)))",
    ]
    assert lines[-1].endswith(" = y*(1 - y)")


def test_every_line_of_the_sigmoid_is_confirmed(capsys: Printed) -> None:
    assert main_of("sigmoid_derivative")() == "y*(1 - y)"
    out = capsys.readouterr().out
    assert out.count("confirmed by SymPy") == 9
    assert "= y·(1 − y)" in out and "∂J/∂b = ∂J/∂y·∂y/∂b" in out, "in the network's own names"


# -- neurons and perceptrons -------------------------------------------------------------------


def test_one_neuron(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    out = command("trace one_neuron.graph --at x=[2,3,-1,5]", monkeypatch, capsys)
    last = {row[0]: row[2].rpartition(" ")[2] for row in columns(out) if row[0]}
    assert last["a"] == "3.2"
    assert round(float(last["y"]), 2) == 0.96


def test_the_smallest_perceptron_states_its_gradient(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    rows = columns(command("trace perceptron.graph --mode modules", monkeypatch, capsys))
    assert rows[0][2] == "dloss/dy += −(target − y)"
    assert rows[1][2] == "dloss/dw += dloss/dy·x"
    weight = main_of("smallest_perceptron")()
    data = np.array([(10, 10.1), (2, 1.9), (3.5, 3.4), (1, 1.1)])
    least_squares = data[:, 0] @ data[:, 1] / (data[:, 0] @ data[:, 0])
    assert weight == pytest.approx(least_squares, abs=0.01)
    assert "after (10.0, 10.1): w = 1.0100\n" in capsys.readouterr().out


def test_the_second_smallest_perceptron(capsys: Printed) -> None:
    w1, w2 = main_of("second_smallest_perceptron")()
    out = capsys.readouterr().out
    assert "dloss/dy += −(target − y)" in out
    assert "dloss/dw₁ += dloss/dy·x₁" in out and "dloss/dw₂ += dloss/dy·x₂" in out
    assert "dloss/dw1 = 0.20 = -(-0.10) * 2" in out and "dloss/dw2 = 0.10 = -(-0.10) * 1" in out
    points = np.array([[1, 0], [0, 1], [2, 1], [1, 2]])
    best = np.linalg.lstsq(points, np.array([2.1, -0.9, 2.9, 0.1]), rcond=None)[0]
    assert (w1, w2) == pytest.approx(best, abs=stated("second smallest perceptron")[-1])


# -- networks ----------------------------------------------------------------------------------


def test_counts_of_the_network_3_4_2(capsys: Printed) -> None:
    assert main_of("count_parameters")()["mlp_3_4_2"] == (6, 20, 26)
    assert "6 neurons, 20 weights, 26 parameters" in capsys.readouterr().out


def test_shared_factors_are_computed_once(capsys: Printed) -> None:
    found = main_of("shared_factors")()
    out = capsys.readouterr().out
    one_at_a_time = sum(count for name, count in found.items() if name != "together")
    assert found["together"] <= found["w1"] + 2 < one_at_a_time / 2
    assert found["together"] == len(re.findall(r"np\.square| [-*] ", backward_lines(out)))
    assert "d_w1 = d_b1 * x" in out, "the factor of b1 is a factor of w1"
    assert out.count("np.square(y)") == 1, "the outermost factor stands in one line"


def backward_lines(printed: str) -> str:
    """Return the code that a script prints under its own heading, without comments."""
    lines = [line for line in printed.splitlines() if line.startswith("    ") and " = " in line]
    return "\n".join(line.partition("#")[0] for line in lines)


def test_the_table_of_the_binary_network(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    rows = columns(command("trace binary_network.graph --mode modules", monkeypatch, capsys))
    assert rows == [
        ["Loss", "J = y*·ln(y) + (1 − y*)·ln(1 − y)", "dJ/dy += y*/y − (1 − y*)/(1 − y)"],
        ["Sigmoid", "y = σ(b)", "dJ/db += dJ/dy·y·(1 − y)"],
        ["Linear", "b = Σⱼ βⱼ·zⱼ", "dJ/dβⱼ += dJ/db·zⱼ"],
        ["", "", "dJ/dzⱼ += dJ/db·βⱼ"],
        ["Sigmoid", "zⱼ = σ(aⱼ)", "dJ/daⱼ += dJ/dzⱼ·zⱼ·(1 − zⱼ)"],
        ["Linear", "aⱼ = Σᵢ αⱼᵢ·xᵢ", "dJ/dαⱼᵢ += dJ/daⱼ·xᵢ"],
        ["", "", "dJ/dxᵢ += Σⱼ dJ/daⱼ·αⱼᵢ"],
    ]


def test_the_table_of_the_binary_network_in_exponentials(capsys: Printed) -> None:
    main_of("traces")()
    out = capsys.readouterr().out
    first = out[out.index("Forward | Backward") :]
    rows = columns(first.partition("\n\nForward | Backward")[0])
    assert rows[1] == [
        "Sigmoid", "y = 1/(1 + exp(−b))", "dJ/db += dJ/dy·(exp(−b)/(1 + exp(−b))²)",
    ]  # fmt: skip


def test_flight_delay_prints_both_losses(capsys: Printed) -> None:
    main_of("flight_delay")()
    out = capsys.readouterr().out
    predicted, actual = np.array([0.05, 0.02, 0.96, 0.35]), np.array([1, 0, 1, 1])
    chosen = np.where(actual == 1, predicted, 1 - predicted)
    assert f"binary cross-entropy {-np.log(chosen).mean():.4f}" in out
    assert f"mean squared error   {((predicted - actual) ** 2).mean():.4f}" in out


# -- convolution -------------------------------------------------------------------------------


def test_the_size_of_a_convolution(capsys: Printed) -> None:
    found = main_of("convolution_size")()
    assert found["k x k, stride s, padding p"].endswith(", (-k + 2*p + w)//s + 1]")
    assert found["k = 3, s = 1, p = 1 keeps the size"] == "f32[N, 1, w, w]"
    assert "that is 28x28x6, from 450 weights" in capsys.readouterr().out


def test_shared_weights_are_a_banded_matrix(capsys: Printed) -> None:
    matrix, gradient = main_of("weight_sharing")()
    rows = [np.r_[np.zeros(i), [1, -2, 0.5], np.zeros(5 - i)] for i in range(6)]
    assert np.array_equal(matrix, rows)
    out = capsys.readouterr().out
    assert "dy/dx, banded: 3 forward passes" in out
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=8), rng.normal(size=6)
    error = matrix @ x - target
    assert gradient == pytest.approx([error @ x[k : k + 6] for k in range(3)], rel=1e-12)


# -- costs -------------------------------------------------------------------------------------


def test_an_elementwise_jacobian_is_its_diagonal(capsys: Printed) -> None:
    found = main_of("elementwise_jacobian")()
    assert found["bytes"] == 100 * 2048 * 4
    out = capsys.readouterr().out
    assert "dy/dx is diagonal: 1 forward pass" in out
    assert "204,800 x 204,800" in out and "never built" in out


def test_backpropagation_costs_about_twice_the_forward_pass(capsys: Printed) -> None:
    ratios = main_of("cost_of_backpropagation")()
    assert all(1.9 < ratio < 2.0 for ratio in ratios.values())
    assert re.search(r"digits_mlp +19353\*N +38303\*N +1\.98", capsys.readouterr().out)


# -- formulas as the lectures state them -------------------------------------------------------


def test_the_chain_rule_in_both_layouts(capsys: Printed) -> None:
    missed = main_of("matrix_calculus")()
    assert max(missed.values()) < 1e-14
    out = capsys.readouterr().out
    assert "dy/dx = du/dx dy/du" in out.partition("numerator")[0]
    lines = [line.split("  ") for line in out.splitlines()]
    cells = [[cell for cell in line if cell.strip()] for line in lines]
    assert ["vector y", "[3]", "[3, 3]", "[2, 3, 3]"] in [[c.strip() for c in r] for r in cells]


def test_the_perceptrons_risk_is_a_product_of_powers() -> None:
    graph = load("perceptron_risk")
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(40, 2)), np.array([1.0, -0.5])
    y = rng.integers(0, 2, 40).astype(float)
    found = gc.interpret(graph, {"w": w}, x=x, y=y)
    h = x @ w
    wrong = (h > 0) != (y == 1)
    assert found["perceptron"] == pytest.approx(np.abs(h[wrong]).sum(), rel=1e-12)
    assert found["logistic"] == pytest.approx(np.log1p(np.exp(-np.where(y == 1, h, -h))).sum())
    # Its derivative is the perceptron algorithm: only wrong points count, each by its label.
    gradient = gc.interpret(graph.gradient("perceptron"), {"w": w}, x=x, y=y)["d_perceptron_d_w"]
    assert gradient == pytest.approx(-((2 * y - 1)[wrong] @ x[wrong]), rel=1e-12)
    score, label = gc.input("h", (40,), "float64"), gc.input("t", (40,), "float64")
    known = gc.graph({"risk": gc.sum(gc.nn.perceptron_loss(score, label))})
    assert found["perceptron"] == pytest.approx(
        float(gc.interpret(known, h=h, t=2 * y - 1)["risk"]),
        rel=stated("perceptron loss and logistic loss")[0],
    )


def test_softmax_regression_as_its_formula() -> None:
    graph = load("softmax_regression")
    W, x = np.array([[1, 0, -1], [0.5, 2, 0]], np.float32), np.array([[1, 2], [3, -1]], np.float32)
    p = gc.compile(graph)({"W": W}, x=x, y=np.array([0, 2]))["p"]
    by_hand = np.exp(x @ W) / np.exp(x @ W).sum(axis=1, keepdims=True)
    assert p == pytest.approx(by_hand, rel=stated("softmax regression")[0])
    far = gc.compile(graph, gradient_of="loss")({"W": W}, x=1000 * x, y=np.array([0, 2]))
    assert np.isfinite(far["d_loss_d_W"]).all() and np.isfinite(far["loss"])


def test_descent_with_a_regularizer_is_weight_decay(capsys: Printed) -> None:
    found = main_of("regularized_descent")()
    (digits,) = stated("descent with a regularizer")
    assert digits <= 1e-12
    assert found["weight decay"] == pytest.approx(found["formula"], rel=digits)
    assert found["penalty in the loss"] == pytest.approx(found["formula"], rel=digits)
    assert "update(w, w + 0.1 * delta)" in capsys.readouterr().out


def test_backward_in_two_versions_ends_in_the_same_derivatives(capsys: Printed) -> None:
    main_of("traces")()
    out = capsys.readouterr().out
    assert "v̄0 = v̄2·∂v2/∂v0 + v̄3·∂v3/∂v0" in out, "version A: a sum over consumers"
    assert "v̄0 += v̄2·∂v2/∂v0" in out and "v̄0 += v̄3·∂v3/∂v0" in out, "version B: increments"
    assert "all others start at 0" in out


def test_units_pass_back_what_the_lecture_says() -> None:
    """Each unit: save φ, send Σⱼ ∂φⱼ/∂φ·φ̇ⱼ back, and Σⱼ ∂φⱼ/∂w·φ̇ⱼ to its parameters."""
    graph = load("binary_network")
    state, x = graph.init(seed=1), np.array([0.3, -1.0, 2.0])
    derived = graph.gradient("J", ["x", "a", "z", "alpha", "beta", "b"])
    found = gc.interpret(derived, state, x=x, y_star=1.0)
    d = {name: found[f"d_J_d_{name}"] for name in ("x", "a", "z", "alpha", "beta", "b")}
    z = 1 / (1 + np.exp(-state["alpha"] @ x))
    assert d["z"] == pytest.approx(state["beta"] * d["b"])
    assert d["a"] == pytest.approx(z * (1 - z) * d["z"])
    assert d["x"] == pytest.approx(state["alpha"].T @ d["a"])
    assert d["beta"] == pytest.approx(z * d["b"])
    assert d["alpha"] == pytest.approx(np.outer(d["a"], x))
    assert math.isclose(float(d["b"]), 1 - 1 / (1 + math.exp(-float(state["beta"] @ z))))


# -- pooling -----------------------------------------------------------------------------------


def test_pooling_hands_the_gradient_to_the_index_that_took_the_maximum() -> None:
    found = main_of("pooling")()
    expected = np.zeros((4, 4))
    expected[0, 1], expected[1, 2], expected[2, 0], expected[3, 3] = 1, 2, 3, 4  # 8, 8: the first
    np.testing.assert_array_equal(found["max gradient"], expected)
    shares = np.kron([[0.25, 0.5], [0.75, 1.0]], np.ones((2, 2)))
    np.testing.assert_array_equal(found["average gradient"], shares)
