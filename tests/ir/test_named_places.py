"""Errors and warnings about names say where both stand, and what to write instead."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import graphc as gc

HERE = Path(__file__).name
BODY = "x: input(f32, T, 3)\ndef f(c, v):\n    return c + v\n"


def line_of(text: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return 1 + next(i for i, line in enumerate(lines) if text in line)


def message(text: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gc.GraphWarning)
        with pytest.raises(gc.GraphError) as error:
            gc.parse(text, "m.graph")
    return str(error.value)


# -- two of one name -------------------------------------------------------------------------------


def test_two_layers_of_one_name_are_told_with_both_places_and_names_that_differ() -> None:
    x = gc.input("x", ("N", 8))
    with gc.scope("b1"):
        first = gc.nn.dense(x, 4, name="f")  # the first
    with gc.scope("b2"):
        second = gc.nn.dense(first, 4, name="f")  # the second
    with pytest.raises(gc.GraphError, match=r"two parameters are called 'f\.W'") as error:
        gc.graph({"y": second})
    text = str(error.value)
    places = [line_of(f"# the {which}") for which in ("first", "second")]
    assert f"f32[8, 4] of {HERE}:{places[0]} and f32[4, 4] of {HERE}:{places[1]}" in text
    assert "write 'b1.f' and 'b2.f'" in text


def test_the_names_that_it_says_to_write_do() -> None:
    x = gc.input("x", ("N", 8))
    for block in ("b1", "b2"):
        x = gc.nn.dense(x, 4, name=f"{block}.f")
    assert [name for name in gc.graph({"y": x}).params if name.endswith("W")] == [
        "b1.f.W",
        "b2.f.W",
    ]


def test_parameters_of_one_name_in_two_scopes() -> None:
    with gc.scope("left"):
        a = gc.param("w", (2,))
    b = gc.param("w", (3,))
    with pytest.raises(gc.GraphError, match=r"write 'left\.w' and 'w'"):
        gc.graph({"y": gc.sum(a) + gc.sum(b)})


def test_two_inputs_of_one_name_in_one_scope() -> None:
    with pytest.raises(gc.GraphError, match="give one of them another name"):
        gc.graph({"y": gc.input("x", (2,)) + gc.input("x", (2,))})


def test_a_layer_that_is_called_twice_is_told_how_weights_are_shared() -> None:
    a, b = gc.input("a", ("N", 3)), gc.input("b", ("N", 3))
    with pytest.raises(gc.GraphError, match=r"make it once(.|\n)*weight=W"):
        gc.graph({"y": gc.nn.dense(a, 4, name="d") + gc.nn.dense(b, 4, name="d")})


# -- what is not used ------------------------------------------------------------------------------


def test_a_warning_points_to_the_line_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "m.graph"
    file.write_text("x: input(f32, 3)\nq: input(f32, 3)\noutput(x)\n", encoding="utf-8")
    with pytest.warns(gc.GraphWarning, match="input 'q' is not used") as told:
        gc.load(file)
    assert [(w.filename, w.lineno) for w in told] == [(str(file), 2)]  # once, at the declaration


def test_a_warning_points_to_the_line_of_python() -> None:
    x = gc.input("x", (3,))
    q = gc.input("q", (3,))  # the idle one
    with pytest.warns(gc.GraphWarning, match="input 'q' is not used") as told:
        gc.Graph({"y": x * 2}, inputs=[x, q])
    assert [(w.filename, w.lineno) for w in told] == [(__file__, line_of("# the idle one"))]


# -- functions of a text ---------------------------------------------------------------------------


def test_one_name_for_the_only_carry_is_told_of_the_comma() -> None:
    head = f"{BODY}alpha = scan(f, init=zeros((3,)), xs=x)\noutput(alpha)"
    assert "write alpha, = scan(…)" in message(head)
    mended = head.replace("alpha =", "alpha, =")
    assert list(gc.parse(mended).outputs) == ["alpha"]


def test_one_name_for_several_parts_is_told_of_all() -> None:
    text = message("x: input(f32, 6)\na = split(x, 3)\noutput(a)")
    assert "write a, a_2, a_3 = split(…)" in text


def test_calling_a_def_is_told_of_scan() -> None:
    text = message("x: input(f32, T, 3)\ndef f(v):\n    return v*2\ny = f(x)\noutput(y)")
    assert "m.graph:4:5" in text and "only a scan runs it" in text
    assert "y, = scan(f, xs=x)" in text


def test_a_def_that_no_scan_runs_is_refused() -> None:
    text = message(f"{BODY}y = x * 2\noutput(y)")
    assert text.startswith("m.graph:2:1: no scan runs 'f'")


def test_a_def_in_a_body_that_no_scan_runs_is_refused_too() -> None:
    text = message(
        "x: input(f32, T, 3)\n"
        "def f(c, v):\n"
        "    def idle(a):\n"
        "        return a\n"
        "    return c + v\n"
        "y, = scan(f, init=zeros((3,)), xs=x)\n"
        "output(y)\n"
    )
    assert text.startswith("m.graph:3:5: no scan runs 'idle'")
