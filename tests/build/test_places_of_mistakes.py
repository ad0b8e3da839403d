"""Errors of sizes, dtypes and names say in which of the user's lines they were made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import graphc as gc

X = gc.input("x", ("N", 4))


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (lambda: gc.nn.dense(X, -3), "a dimension cannot be negative"),
        (lambda: gc.nn.dense(X, 2.5), "not a dimension"),
        (lambda: gc.input("a", "N,3"), "a dimension is a whole number or a name"),
        (lambda: gc.input("a", (3,), dtype="float16"), "unknown dtype"),
        (lambda: gc.input("", (3,)), "a name must be a non-empty string"),
        (lambda: gc.nn.dropout(X, 1.5), "the rate is the share of elements"),
        (lambda: gc.nn.dense(X, 3, name=3), "a scope's name is a text"),
    ],
)
def test_the_line_is_told(made: Callable[[], Any], what: str) -> None:
    with pytest.raises(gc.GraphError, match=what) as error:
        made()
    assert "test_places_of_mistakes.py:" in str(error.value.where)
    assert str(error.value).count("test_places_of_mistakes.py:") == 1


def test_a_text_has_one_place_for_each_mistake() -> None:
    with pytest.raises(gc.GraphError, match=r"^m\.graph:1:18: a dimension") as error:
        gc.parse("x: input(f32, N, -3)\noutput(x)", "m.graph")
    assert "where" not in str(error.value)


@pytest.mark.parametrize("name", ["m.npz", "m.pt", "m.graph"])
def test_a_module_is_not_written_as_what_it_is_not(name: str, tmp_path: Path) -> None:
    function = gc.compile(gc.graph({"y": X * 2}))
    with pytest.raises(gc.GraphError, match=rf"a module as .*{name}'\n  expected  \.py"):
        function.save(tmp_path / name)
    assert not list(tmp_path.iterdir())
