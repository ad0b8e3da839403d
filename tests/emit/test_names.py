"""Names in emitted code: safe, unique, the user's where possible."""

from __future__ import annotations

import ast

import pytest

from graphc.emit.lines.names import Namer, identifier, string_literal

HOSTILE = [
    "lambda",
    "np",
    "x y",
    "__import__('os')",
    "α",
    "loss\n",
    "",
    "1st",
    "None",
    "ﬁ",
    "a-b",
    "🙂",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_text_becomes_an_identifier(name: str) -> None:
    made = Namer().fresh(name)
    assert made.isidentifier()
    ast.parse(f"{made} = 1")
    assert made not in ("np", "lambda", "None", "state")


def test_two_values_never_share_a_name() -> None:
    namer = Namer()
    names = [namer.fresh(name) for name in ["h", "h", "h_2", "h", "x y", "x_y", "np", "np"]]
    assert names == ["h", "h_2", "h_2_2", "h_3", "x_y", "x_y_2", "np_", "np_2"]


def test_spellings_that_python_makes_equal_stay_apart() -> None:
    namer = Namer()
    assert namer.fresh("fi") != namer.fresh("ﬁ")  # one ligature character, NFKC-equal to "fi"


@pytest.mark.parametrize("name", [*HOSTILE, 'say "hi"', "back\\slash", "it's"])
def test_string_literals_give_the_text_back(name: str) -> None:
    assert ast.literal_eval(string_literal(name)) == name
    assert string_literal(name).startswith('"')


def test_ordinary_names_are_kept() -> None:
    assert identifier("W1") == "W1"
    assert identifier("hidden1.W") == "hidden1_W"
