"""Arguments of a wrong kind: one message of graphc, in place of an error from its insides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import cli

X = gc.input("x", ("N", 3))
W = gc.param("W", (3, 2), init=gc.init.normal())
G = gc.graph({"loss": gc.mean((X @ W) ** 2)})
SIZED = gc.graph({"y": gc.param("w", ("D",)) * 1.0})
I = gc.input("i", (3,), "int64")  # noqa: E741

MISTAKES: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: gc.graph({"a": X}, name=3), "a graph's name is a text", ""),  # type: ignore[arg-type]
    (lambda: gc.graph({"a": X}, doc=3), "a graph's doc is a text", ""),  # type: ignore[arg-type]
    (lambda: gc.emit(G, function=3), "a function's name is a text", ""),  # type: ignore[arg-type]
    (lambda: gc.parse(3), "parse takes a text", "gc.load(path)"),  # type: ignore[arg-type]
    (lambda: G.gradient(3), "a node is found by its name", ""),  # type: ignore[arg-type]
    (lambda: G.find(None), "a node is found by its name", ""),  # type: ignore[arg-type]
    (lambda: G.init(seed=-1), "a seed is a whole number, at least 0", ""),
    (lambda: G.init(seed="a"), "a seed is a whole number, at least 0", ""),  # type: ignore[arg-type]
    (lambda: gc.compile(G).init(seed=-1), "a seed is a whole number, at least 0", ""),
    (lambda: gc.check_gradient(G, seed=-1), "a seed is a whole number, at least 0", ""),
    (lambda: SIZED.init(D=2.5), "D is no size", ""),  # type: ignore[arg-type]
    (lambda: SIZED.init(D=-2), "D is no size", ""),
    (lambda: gc.one_hot(I, -1), "a dimension cannot be negative", ""),
    (lambda: gc.linspace(0, 1, gc.dim("N")), "how many to return", "gc.arange(N)"),
    (lambda: gc.linspace(0, 1, -1), "how many to return", ""),
    (lambda: gc.from_function(3, x=(3,)), "takes a function", ""),  # type: ignore[arg-type]
    (lambda: gc.from_function(lambda x: x), "needs a shape", '<lambda>, x=("N", 3))'),
    (lambda: gc.from_function(lambda x, y: x, x=(3,)), "needs a shape", 'y=("N", 3))'),
    (
        lambda: gc.nn.softmax_cross_entropy(X, gc.input("y", ("N", 1), "int64")),
        "do not fit",
        "y[:, 0]",
    ),
    (lambda: gc.nn.softmax_cross_entropy(X, I), "do not fit", "compare the model's output"),
    (lambda: gc.nn.mean_squared_error(X, gc.input("y", ("N",))), "do not fit", "compare the"),
    (lambda: gc.nn.mean_squared_error(X[:, :1], X[:, 0]), "do not fit", "z[:, 0]"),
]


@pytest.mark.parametrize(("call", "what", "fix"), MISTAKES)
def test_a_wrong_argument_is_told_in_words_of_graphc(
    call: Callable[[], Any], what: str, fix: str
) -> None:
    with pytest.raises(gc.GraphError) as told:
        call()
    assert what in told.value.what
    assert fix in (told.value.fix or "")


def test_a_scope_has_a_text_for_its_name() -> None:
    with pytest.raises(gc.GraphError, match="scope's name"), gc.scope(3):  # type: ignore[arg-type]
        pass


def test_a_negative_seed_of_the_command_line_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    (tmp_path / "m.graph").write_text(str(G))
    words = ["graphc", "run", str(tmp_path / "m.graph"), "--at", "x=[[1,2,3]]", "--seed", "-1"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "--seed" in capsys.readouterr().err


def test_ufuncs_and_defaults_need_no_shapes() -> None:
    assert gc.from_function(np.tanh, x=(3,)).name == "tanh"
    assert list(gc.from_function(lambda x, k=2.0: x * k, x=(3,)).inputs) == ["x"]


def test_an_error_repeats_no_endless_line(tmp_path: Any) -> None:
    path = tmp_path / "long.py"
    path.write_text("def build(gc, x):\n    return [" + "gc.exp(x), " * 500 + "gc.exp('a')]\n")
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    with pytest.raises(gc.GraphError) as told:
        names["build"](gc, X)
    where = told.value.where or ""
    assert where.startswith("long.py:2  return [gc.exp(x)") and where.endswith("…")
    assert len(where) < 150
