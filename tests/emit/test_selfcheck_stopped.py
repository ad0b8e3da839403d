"""A module's own check asserts nothing of what the loss reads under `stop_gradient`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.differentiate.held_back import held_back
from graphc.ir.node import Node

STYLES = pytest.mark.parametrize("style", ["readable", "fast"])
HIDDEN = "not checked, a difference sees what stop_gradient hides"


def normalized(name: str) -> Node:
    """A weight of norm 1, whose norm counts as a constant."""
    W = gc.param(name, (4, 5), init=gc.init.glorot_normal())
    return W / gc.stop_gradient(gc.norm(W))


def output_of(path: Path) -> str:
    words = [sys.executable, "-I", "-W", "error", str(path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@STYLES
def test_nothing_is_checked_where_nothing_can_be(style: str, tmp_path: Path) -> None:
    x = gc.input("x", ("N", 4))
    graph = gc.graph({"loss": gc.mean((x @ normalized("W")) ** 2)}, name="ws")
    step = gc.compile(graph, minimize="loss", optimizer="sgd(0.1)", style=style)
    step.save(tmp_path / "module.py")
    assert output_of(tmp_path / "module.py") == ""
    assert "def check" not in step.source
    assert step.source.endswith("hides from the gradient of\n# W.\n")


@STYLES
def test_what_is_not_hidden_is_checked(style: str, tmp_path: Path) -> None:
    x, b = gc.input("x", ("N", 4)), gc.param("b", (5,), init=0.5)
    graph = gc.graph({"loss": gc.mean((x @ normalized("W") + b) ** 2)}, name="ws")
    gc.compile(graph, gradient_of="loss", style=style).save(tmp_path / "module.py")
    first, second = output_of(tmp_path / "module.py").splitlines()
    assert first.startswith("b: gradient ")
    assert second == f"W: {HIDDEN}"


def test_steps_of_a_loop_hide_what_they_read() -> None:
    x, h0 = gc.input("x", ("T", 3)), gc.param("h0", (3,))
    a, b = gc.param("a", (3,), init=0.5), gc.param("b", (3,), init=0.5)

    def step(h: Node, x_t: Node) -> Node:
        return h * b + gc.stop_gradient(x_t * a)

    (last,) = gc.scan(step, h0, x)
    graph = gc.graph({"loss": gc.mean(last * b)}, name="loop")
    assert held_back(graph, "loss", ["a", "b", "h0", "x"]) == ["a", "x"]


def test_an_inner_value_that_is_minimized_is_not_there_to_be_checked() -> None:
    x, W = gc.input("x", ("N", 4)), gc.param("W", (4, 5), init=1.0)
    inner = gc.mean((x @ W) ** 2).named("inner")
    graph = gc.graph({"twice": inner * 2}, name="model")
    step = gc.compile(graph, minimize="inner", optimizer="sgd(0.1)")
    assert "def check" not in step.source


def test_a_large_loss_hides_no_wrong_gradient_in_float64() -> None:
    """Its rounding is allowed for, and no more than that."""
    x = gc.input("x", ("N", 4), "float64")
    W = gc.param("W", (4, 3), "float64", init=gc.init.normal(0.5))
    graph = gc.graph({"loss": gc.mean(gc.tanh(x @ W)) + 1e4}, name="offset")
    function = gc.compile(graph, gradient_of="loss")
    function.module.check()
    wrong = function.source.replace('"d_loss_d_W": d_W', '"d_loss_d_W": 1.1 * d_W')
    assert wrong != function.source
    module: dict[str, Any] = {"__name__": "wrong"}
    exec(wrong, module)
    with pytest.raises(AssertionError, match="gradient of W"):
        module["check"]()


def test_a_random_point_without_a_loss_accuses_no_gradient(
    capsys: pytest.CaptureFixture[str],
) -> None:
    x, W = gc.input("x", (3,)), gc.param("W", (3,), init=1.0)
    graph = gc.graph({"loss": gc.sum(W * gc.sqrt(x - 9))})
    module: dict[str, Any] = {"__name__": "m"}
    exec(gc.compile(graph, gradient_of="loss", style="readable").source, module)
    with np.errstate(invalid="ignore"):
        module["check"]()
    assert "not checked" in capsys.readouterr().out


@STYLES
def test_a_parameter_that_the_loss_does_not_see_is_not_checked(style: str, tmp_path: Path) -> None:
    x, b, w = gc.input("x", ("T", 3)), gc.param("b", (3,)), gc.param("w", (3,), init=0.5)
    last, _ = gc.scan(lambda h, x_t: (h * x_t * w, x_t * b), init=gc.ones((3,)), xs=x)
    graph = gc.graph({"loss": gc.sum(last)}, name="model")
    gc.compile(graph, gradient_of="loss", style=style).save(tmp_path / "module.py")
    assert output_of(tmp_path / "module.py").count(": gradient ") == 1
