"""What people type from habit, of Python and of other tools, is refused with what to write here."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphc as gc

HEAD = "x: input(f32, N, 4)\ny: input(f32, N)\nm: input(bool, N)\n"


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        ("z = x^2", "^ works on truth values", "a power is x**2"),
        ("z = y & m", "& works on truth values", "compare first: (x > 0) & (y > 0)"),
        ("z = m | 3", "| works on truth values", "compare first: (x > 0) | (y > 0)"),
        ("z = ~x", "~ works on truth values", "compare first: ~(x > 0)"),
        ("z = relu + x", "not something a graph can compute with", "call it: relu(x)"),
        ("z = softmax_cross_entropy(x, y)", "class indices are integers", "target as int64"),
        ("for i in range(3):", "`for` is no part of the text form", "scan(cell, init=h0, xs=x)"),
        (
            "lambda: param(f32)",
            "'lambda' is a word of Python's",
            'lambda_: input(f32, name="lambda")',
        ),
        ("lambda = 0.1", "'lambda' is a word of Python's", "call it lambda_"),
        ("class: input(f32, N)", "'class' is a word of Python's", "call it class_"),
        (
            "z = 0.1 * lambda * x",
            "cannot read this",
            "'lambda' is a word of Python's: call it lambda_",
        ),
        ("z = x if class else y", "cannot read this", "call it class_"),
        ("z = x − 1", "invalid character", "type - for −"),
        ("z = x × y", "invalid character", "type * for ×"),
        ("z = x²", "invalid character", "type **2 for ²"),
        ("with scope(“a”):", "invalid character", 'type " for “'),
        ("z = x\u2009* 2", "invalid non-printable character", "type a space"),
        ("z = x @ W", "no value is called 'W'", "W: param(f32, …)"),
        ("v: input(f32, (N, 3))", "not a dim", "one by one: N, 3"),
        ('z = absolute_error(y, y, reduction="sum")', "has no argument", "mean(…) or sum(…)"),
        ("if N > 2:", "`if` is no part of the text form", "where(condition, a, b)"),
    ],
)
def test_habits_are_told_what_to_write(line: str, what: str, fix: str) -> None:
    with pytest.raises(gc.GraphError) as caught:
        gc.parse(f"{HEAD}{line}\noutput(z)\n", "m.graph")
    message = str(caught.value)
    assert message.startswith("m.graph:4:") and what in message.splitlines()[0]
    assert fix in message.partition("  fix ")[2]


def test_operators_of_truth_values_stay() -> None:
    graph = gc.parse(f"{HEAD}z = (y > 0) & ~m | m ^ True\noutput(z, x)\n")
    assert gc.parse(str(graph)) == graph
    assert str(graph.find("z").type) == "bool[N]"


@pytest.mark.parametrize(
    "line",
    [
        "z = x * (False * N)",
        "z = node(softmax, x)",
        "z = node(softmax, x, axis=0)",
        "z = node(var, x, axis=(0,), keepdims=True)",
        "z = node(slice, y, bounds=((0, 2, 1), (0, 4, 1)))",
    ],
)
def test_attributes_and_numbers_of_another_kind_are_refused_at_their_place(line: str) -> None:
    with pytest.raises(gc.GraphError, match=r"^m\.graph:4:"):
        gc.parse(f"{HEAD}{line}\noutput(z)\n", "m.graph")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "cp1252"])
def test_a_text_in_another_encoding_is_told_which_one_is_read(
    tmp_path: Path, encoding: str
) -> None:
    text = '"""m: Modèle."""\nx: input(f32, N)\noutput(x)\n'
    (tmp_path / "m.graph").write_bytes(text.encode(encoding))
    with pytest.raises(gc.GraphError, match=r"not text in UTF-8[\s\S]*in line 1[\s\S]*as UTF-8"):
        gc.load(tmp_path / "m.graph")
    for known in ("utf-8", "utf-8-sig"):
        for newline in ("\n", "\r\n", "\r"):
            (tmp_path / "m.graph").write_bytes(text.replace("\n", newline).encode(known))
            assert gc.load(tmp_path / "m.graph").doc == "Modèle."


def test_advice_on_the_whole_graph_stands_in_the_error_of_its_text() -> None:
    text = 'x: input(f32, N, 3)\na = dense(x, 3, name="fc")\nb = dense(a, 2, name="fc")\noutput(b)'
    with pytest.raises(gc.GraphError, match=r"two parameters are called 'fc\.W'") as error:
        gc.parse(text)
    assert error.value.fix == "give one of them another name"
    with pytest.raises(gc.GraphError, match=r"m\.graph:4:\d+: .* literal\n"):  # no second line
        gc.parse(f'{HEAD}z = dense(x, 3, name="a', "m.graph")


def test_a_file_that_is_nothing_like_it_is_not_what_was_meant(tmp_path: Path) -> None:
    (tmp_path / "wine.graph").write_text("x: input(f32)\noutput(x)")
    with pytest.raises(gc.GraphError, match="cannot read the graph file") as error:
        gc.load(tmp_path / "model.graph")
    assert error.value.fix is None
    with pytest.raises(gc.GraphError, match=r"did you mean .*wine\.graph"):
        gc.load(tmp_path / "wines.graph")
