"""The Forward | Backward table: the lecture's rows, and formulas whose values are the gradient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from module_sums import check_sums
from test_trace_of_networks import check_latex

import graphc as gc

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
GRAPHS = {"binary_network": "J", "cos_sin": "J", "four_layer_scalar": "y", "ln_product_sine": "y"}
GRAPHS |= dict.fromkeys(("digits_mlp", "logistic_regression", "xor_hidden", "perceptron"), "loss")


def load(name: str) -> gc.Graph:
    return gc.load(EXAMPLES / f"{name}.graph").astype("float64")


def test_the_binary_network_as_the_lecture_states_it() -> None:
    table = gc.forward_backward_table(load("binary_network"), of="J")
    assert [(row.module, row.forward, row.backward) for row in table.rows] == [
        (
            "Loss",
            "J = y*·ln(y) + (1 − y*)·ln(1 − y)",
            ("dJ/dy += y*/y − (1 − y*)/(1 − y)",),
        ),
        ("Sigmoid", "y = σ(b)", ("dJ/db += dJ/dy·y·(1 − y)",)),
        ("Linear", "b = Σⱼ βⱼ·zⱼ", ("dJ/dβⱼ += dJ/db·zⱼ", "dJ/dzⱼ += dJ/db·βⱼ")),
        ("Sigmoid", "zⱼ = σ(aⱼ)", ("dJ/daⱼ += dJ/dzⱼ·zⱼ·(1 − zⱼ)",)),
        (
            "Linear",
            "aⱼ = Σᵢ αⱼᵢ·xᵢ",
            ("dJ/dαⱼᵢ += dJ/daⱼ·xᵢ", "dJ/dxᵢ += Σⱼ dJ/daⱼ·αⱼᵢ"),
        ),
    ]


def test_the_sigmoid_in_exponentials() -> None:
    table = gc.forward_backward_table(load("binary_network"), through_output=False)
    assert table.rows[1].forward == "y = 1/(1 + exp(−b))"
    assert table.rows[1].backward == ("dJ/db += dJ/dy·(exp(−b)/(1 + exp(−b))²)",)
    assert table.rows[4].backward[1] == "dJ/dxᵢ += Σⱼ dJ/daⱼ·αⱼᵢ"


def test_a_value_used_twice_gets_two_increments() -> None:
    table = gc.forward_backward_table(load("cos_sin"))
    lines = [line for row in table.rows for line in row.backward]
    assert [line for line in lines if line.startswith("dJ/dt ")] == [
        "dJ/dt += 3·dJ/du₂",
        "dJ/dt += dJ/du₁·cos(t)",
    ]


@pytest.mark.parametrize("format", ["text", "markdown", "latex", "html"])
def test_golden(format: str, golden: Callable[[str, str], None]) -> None:
    ending = {"text": "txt", "markdown": "md", "latex": "tex", "html": "html"}[format]
    table = gc.forward_backward_table(load("binary_network"))
    golden(f"forward_backward.{ending}", table.format(format) + "\n")


def test_modules_without_names_are_found() -> None:
    x, t = gc.input("x", ("N", 3)), gc.input("t", ("N",))
    h = gc.nn.dense(x, 4, activation="tanh", name="hidden")
    p = gc.nn.dense(h, 1, activation="sigmoid", name="top")[:, 0]
    graph = gc.graph({"loss": gc.mean((p - t) ** 2)})
    names = [row.module for row in gc.forward_backward_table(graph).rows]
    assert names[-4:] == ["Sigmoid", "Linear", "Tanh", "Linear"]
    assert names[0] == "Loss"


def test_a_formula_that_amounts_to_one_op_is_called_by_it() -> None:
    rows = gc.forward_backward_table(load("digits_mlp")).rows
    assert [row.module for row in rows] == ["Loss", "Softmax", "Linear", "Relu", "Linear"]
    assert rows[1].forward == "p = exp(z₂)/sum(exp(z₂), axis 1)"


def test_numbered_arrays_carry_their_number_above_the_indices() -> None:
    rows = gc.forward_backward_table(load("xor_hidden")).rows
    assert "dloss/dW⁽¹⁾ᵢⱼ += Σₙ dloss/dv⁽⁸⁾ₙⱼ·xₙᵢ" in rows[-1].backward


@pytest.mark.parametrize("expanded", [False, True], ids=["through output", "written out"])
@pytest.mark.parametrize("name", GRAPHS)
def test_the_lines_add_up_to_the_gradient(name: str, expanded: bool) -> None:
    check_sums(load(name), GRAPHS[name], expanded)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_notation_is_sound(name: str) -> None:
    graph = load(name)
    for notation in ("index", "matrix"):
        table = gc.forward_backward_table(graph, GRAPHS[name], notation=notation)
        check_latex(table.format("latex"))
        assert table._repr_html_().count("<tr>") == len(table.rows) + 1
        assert len({row.forward for row in table.rows}) == len(table.rows)


def test_axes_that_share_a_letter_fall_back_to_arrays() -> None:
    h, w = gc.input("h", (4,), "float64"), gc.param("W", (4, 4), "float64")
    graph = gc.graph({"loss": gc.sum((h + w @ h) ** 2)})
    text = str(gc.forward_backward_table(graph))
    assert "W · h" in text and "ᵢᵢ" not in text


def test_mistakes_are_explained() -> None:
    graph = load("binary_network")
    with pytest.raises(gc.GraphError, match="'index' or 'matrix'"):
        gc.forward_backward_table(graph, notation="tensor")
    with pytest.raises(gc.GraphError, match="starts at a single number"):
        gc.forward_backward_table(graph, of="z")
    x = gc.input("x")
    with pytest.raises(gc.GraphError, match="no module computes 'same'"):
        gc.forward_backward_table(gc.graph({"same": x}))
    with pytest.raises(gc.GraphError, match="no module computes 'x'"):
        gc.draw.unit_chain(gc.graph({"y": gc.exp(x)}), of="x")


def test_what_a_mean_divides_by_stands_in_parentheses() -> None:
    x, t = gc.input("x", ("N", "T", 3)), gc.input("t", ("N", "T", 2))
    y = gc.nn.dense(x, 2, name="d").named("y")
    table = gc.draw.forward_backward_table(gc.graph({"loss": ((y - t) ** 2).mean()}), "loss")
    assert table.rows[0].forward == "loss = (1/(2N·T))·Σₙᵢₖ (yₙᵢₖ − tₙᵢₖ)²"
    assert table.rows[0].backward == ("dloss/dyₙᵢₖ += (2/(2N·T))·(yₙᵢₖ − tₙᵢₖ)",)
    latex = table.format("latex")
    assert r"\frac{1}{2 N T} \sum_{nik}" in latex and r"\frac{2}{2 N T}" in latex


#: How b is made of w and z -> what it sends to both; z is a quotient, a product or a negative.
SENT = {
    "w*z": ("dJ/dw += dJ/db·z", "dJ/dz += dJ/db·w"),
    "w*w*z": ("dJ/dw += dJ/db·z·w + dJ/db·z·w", "dJ/dz += dJ/db·w·w"),
    "z*z*w": ("dJ/dw += dJ/db·z·z", "dJ/dz += dJ/db·w·z + dJ/db·w·z"),
    "3*(w*z)": ("dJ/dw += 3·dJ/db·z", "dJ/dz += 3·dJ/db·w"),
}


@pytest.mark.parametrize("sent", SENT)
@pytest.mark.parametrize("inner", ["1/q", "-q", "2*q", "q/3", "-2/q", "1/(1 + exp(-q))"])
def test_a_module_does_not_look_into_the_variables_that_it_reads(inner: str, sent: str) -> None:
    text = f"q: input(f64)\nw: param(f64)\nz = {inner}\nb = {sent}\nJ = sin(b)\noutput(J)"
    table = gc.forward_backward_table(gc.parse(text))
    assert table.rows[1].backward == SENT[sent]


def test_a_square_written_as_a_product_sends_twice() -> None:
    table = gc.forward_backward_table(gc.parse("b: input(f64)\nJ = b*b\noutput(J)"))
    assert table.rows[0].backward == ("dJ/db += b + b",)
    table = gc.forward_backward_table(gc.parse("b: input(f64)\nJ = b*b + b\noutput(J)"))
    assert table.rows[0].backward == ("dJ/db += b + b + 1",)


def test_a_third_is_no_decimal_number() -> None:
    text = "q: input(f64)\nz = q/3\nJ = sin(z)\noutput(J)"
    assert gc.forward_backward_table(gc.parse(text)).rows[1].backward == ("dJ/dq += dJ/dz/3",)
    text = "q: input(f64)\nz = q/2\nJ = sin(z)\noutput(J)"
    assert gc.forward_backward_table(gc.parse(text)).rows[1].backward == ("dJ/dq += 0.5·dJ/dz",)


def test_rows_of_an_embedding_are_incremented_where_they_were_read() -> None:
    word, E = gc.input("word", ("N",), "int64"), gc.param("E", (9, 4))
    rows = E[word].named("rows")
    table = str(gc.forward_backward_table(gc.graph({"J": (rows**2).sum()})))
    assert "dJ/dE[word] += dJ/drows" in table
    assert "0[word]" not in table


SOFTMAX = """
z: input(f64, N, 3)
y: input({label})
{forward}
J = {loss}
output(J)
"""


@pytest.mark.parametrize(
    ("label", "forward", "loss", "backward"),
    [
        (
            "f64, N, 3",
            "p = softmax(z)",
            "-mean(sum(y*log(p), axis=1))",
            ["dJ/dp += −(1/N)·y/p", "dJ/dz += (dJ/dp − sum(dJ/dp ⊙ p, axis 1)) ⊙ p"],
        ),
        (
            "i64, N",
            "p = softmax(z)",
            "-mean(log(take_along_axis(p, y[:, None], axis=1)))",
            ["dJ/dp[y] += −(1/N)/p[y]", "dJ/dz += (dJ/dp − sum(dJ/dp ⊙ p, axis 1)) ⊙ p"],
        ),
        (
            "i64, N",
            "",
            "mean(softmax_cross_entropy(z, y))",
            ["dJ/dz += (softmax(z, axis=1) − onehot(y))/N"],
        ),
        (
            "f64, N, 3",
            "",
            "mean(softmax_cross_entropy(z, y))",
            ["dJ/dz += sum((1/N)·y, axis 1) ⊙ softmax(z, axis=1) − (1/N)·y"],
        ),
    ],
)
def test_a_softmax_and_its_loss_read_as_in_a_textbook(
    label: str, forward: str, loss: str, backward: list[str]
) -> None:
    graph = gc.parse(SOFTMAX.format(label=label, forward=forward, loss=loss))
    table = gc.forward_backward_table(graph, notation="matrix")
    lines = [line for row in table.rows for line in row.backward]
    assert [line for line in lines if not line.startswith("dJ/dy")] == backward


def test_the_loss_of_logits_is_one_row_with_the_derivative_of_a_textbook() -> None:
    x, t = gc.input("x", ("B", 3), "float64"), gc.input("t", ("B",), "float64")
    s = (x @ gc.param("w", (3,), "float64")).named("s")
    loss = gc.nn.binary_cross_entropy(s, t, from_logits=True).mean()
    table = gc.forward_backward_table(gc.graph({"J": loss}), "J")
    assert [row.module for row in table.rows] == ["Loss", "Linear"]
    assert table.rows[0].backward == ("dloss/dsᵢ += (σ(sᵢ) − tᵢ)/B",)


def test_what_adds_in_places_is_no_statement_inside_a_formula() -> None:
    z, y = gc.input("z", ("T", "B", 3), "float64"), gc.input("y", ("T", "B"), "int64")
    loss = gc.nn.softmax_cross_entropy(z * 1.5, y).mean()
    table = gc.forward_backward_table(gc.graph({"J": loss}), "J")
    for format in ("text", "latex", "html"):
        inside = table.format(format).replace("dz += ", "").replace(r"dz} \mathrel{+}= ", "")
        assert "[y] +=" not in inside and "onehot" in inside


def lines_of(outputs: dict[str, gc.Node], **words: str) -> dict[str, tuple[str, ...]]:
    """Return the backward lines of a table by the formulas beside them."""
    rows = gc.forward_backward_table(gc.graph(outputs), **words).rows
    return {row.forward: row.backward for row in rows}


def test_a_frozen_parameter_gets_no_line() -> None:
    x, t = gc.input("x", (3,)), gc.input("t", (2,))
    W = gc.param("W", (3, 4), trainable=False)
    y = (gc.tanh(x @ W).named("h") @ gc.param("V", (4, 2))).named("y")
    table = str(gc.forward_backward_table(gc.graph({"J": gc.sum((y - t) ** 2) / 2})))
    assert "dJ/dV" in table and "dJ/dx" in table
    assert "dJ/dW" not in table
    assert "dJ/dW" not in gc.draw.unit_chain(gc.graph({"J": gc.sum((y - t) ** 2)})).source


def test_a_factor_of_one_is_not_written() -> None:
    x, t, w = gc.input("x", ("N",)), gc.input("t", ("N",)), gc.param("w")
    y = (w * x).named("y")
    error = (gc.sum((y - t) ** 2) / 2).named("E")
    lines = lines_of({"J": error + (w**2).named("R")}, notation="matrix")
    assert lines["E = sum((y − t)²)/2"] == ("dJ/dy += dJ/dE·(y − t)",)  # and none for the label


SKIP_GRAM = """
center: input(i64, N)
context: input(i64, N)
negative: input(i64, N, 5)
U: param(f32, 20, 4)
V: param(f32, 20, 4)
v = V[center]
near = sum(U[context] * v, axis=1)
J = -mean(log(sigmoid({score})) + sum(log(sigmoid(-einsum("nd,nkd->nk", v, U[negative]))), axis=1))
output(J)
"""


@pytest.mark.parametrize("score", ["near", "sum(U[context] * v, axis=1)"])
def test_skip_gram_is_a_sigmoid_of_inner_products(score: str) -> None:
    graph = gc.parse(SKIP_GRAM.format(score=score))
    rows = gc.forward_backward_table(graph).rows
    assert [row.module for row in rows].count("Sigmoid") == 1
    assert max(len(line) for row in rows for line in row.backward) < 60


def test_the_fraction_of_a_softmax_that_has_no_name_is_derived_in_one_piece() -> None:
    x, U = gc.input("x", ("N", 4)), gc.param("U", (9, 4))
    s = (x @ U.T).named("s")
    p = gc.exp(s[:, 0]) / gc.sum(gc.exp(s), axis=1)
    lines = lines_of({"J": -gc.mean(gc.log(p))}, notation="matrix")
    assert any("softmax(s, axis=1)" in line for found in lines.values() for line in found)
    assert lines["s = x · Uᵀ"] == ("dJ/dU += dJ/dsᵀ · x", "dJ/dx += dJ/ds · U")


def test_a_logistic_loss_is_about_its_score() -> None:
    x, w, t = gc.input("x", (3,)), gc.param("w", (3,)), gc.input("t")
    lines = lines_of({"J": -gc.log(gc.sigmoid(t * gc.sum(w * x)))})
    assert list(lines) == ["J = −ln(v₆)", "v₆ = σ(t·v₄)", "v₄ = Σᵢ wᵢ·xᵢ"]
    assert lines["v₆ = σ(t·v₄)"][0] == "dJ/dv₄ += dJ/dv₆·v₆·(1 − v₆)·t"


@pytest.mark.parametrize(
    ("loss", "line"),
    [
        (gc.nn.hinge, "dJ/dv⁽³⁾ₙ += −dJ/dv⁽⁶⁾ₙ·(v⁽⁶⁾ₙ > 0)·tₙ"),
        (gc.nn.perceptron_loss, "dJ/dv⁽³⁾ₙ += −(1/N)·(relu(−tₙ·v⁽³⁾ₙ) > 0)·tₙ"),
        (gc.nn.squared_error, "dJ/dv⁽³⁾ₙ += (1/N)·(v⁽³⁾ₙ − tₙ)"),
    ],
)
def test_a_loss_is_about_its_score_whatever_shifts_and_scales_it(
    loss: Callable[[gc.Node, gc.Node], gc.Node], line: str
) -> None:
    x, t = gc.input("x", ("N", 3)), gc.input("t", ("N",))
    J = gc.mean(loss(x @ gc.param("w", (3,)), t))
    rows = gc.forward_backward_table(gc.graph({"J": J})).rows
    assert rows[0].module == "Loss"
    assert (rows[-1].module, rows[-1].forward) == ("Linear", "v⁽³⁾ₙ = Σᵢ xₙᵢ·wᵢ")
    assert line in [each for row in rows for each in row.backward]
    assert not any("/dt" in each for row in rows for each in row.backward)


def test_a_loop_is_called_by_its_layer() -> None:
    hidden, _ = gc.nn.rnn(gc.input("x", ("T", "N", 3)), 4, name="encoder")
    rows = gc.forward_backward_table(gc.graph({"J": gc.sum(hidden**2)})).rows
    assert [row.module for row in rows] == ["Loss", "Encoder"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_roots_are_no_decimal_numbers(dtype: str) -> None:
    x = gc.input("x", (2,), dtype)
    table = gc.forward_backward_table(gc.graph({"J": gc.gelu(x).sum()}))
    assert "erf(√2·xᵢ/2)" in " ".join(table.rows[-1].backward)
    assert r"2\sqrt{\pi}" in table.format("latex") and "1.414" not in str(table)
    plain = gc.forward_backward_table(gc.graph({"J": (1.41 * x).sum()}))
    assert "1.41·x" in str(plain)
