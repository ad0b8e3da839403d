"""A module's own check draws inputs from where the model is defined, and passes there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import graphc as gc
from graphc.emit.check.domains import INTERVALS, intervals

LOSSES = {
    "cross_entropy": ("p y", "-mean(y * log(p) + (1 - y) * log(1 - p))"),
    "divergence": ("p q", "sum(p * log(p / q) + (1 - p) * log((1 - p) / (1 - q)))"),
    "circle": ("x", "mean(sqrt(1 - x**2))"),
    "angle": ("x", "mean(acos(x))"),
    "odds": ("p", "mean(atanh(p))"),
    "negative": ("x", "mean(log(-x))"),
    "difference": ("x y", "sum(1 / (x - y))"),
    "each_its_own": ("x p", "mean(acosh(x) + log(1 - p))"),
}


def graph_of(name: str) -> gc.Graph:
    inputs, loss = LOSSES[name]
    lines = [f"{x}: input(f64, 4)" for x in inputs.split()]
    return gc.parse("\n".join([*lines, f"loss = {loss}", "output(loss)"]))


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_check_passes_without_a_warning(name: str, style: str, tmp_path: Path) -> None:
    graph = graph_of(name)
    path = tmp_path / "module.py"
    gc.compile(graph, gradient_of="loss", wrt=list(graph.inputs), style=style).save(path)
    words = [sys.executable, "-I", "-W", "error", str(path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("gradient") == len(graph.inputs)


def test_each_input_has_the_first_interval_that_leaves_no_domain() -> None:
    usual = INTERVALS[0]
    graph = graph_of("each_its_own")
    chosen = intervals(graph, graph.outputs["loss"])
    assert chosen["x"][0] > 1 and chosen["p"][1] < 1
    anything = gc.parse("x: input(f64, 3)\nk: input(i64, 3)\nloss = sum(x * k)\noutput(loss)")
    assert intervals(anything, anything.outputs["loss"]) == {"x": usual}


def test_the_usual_interval_stays_where_parameters_decide() -> None:
    """Whether a score is positive follows from the weights, whatever the inputs are."""
    text = "x: input(f32, N, 3)\nw: param(f32, 3)\nloss = mean(log(x @ w))\noutput(loss)"
    source = gc.compile(gc.parse(text), gradient_of="loss").source
    assert re.findall(r"rng\.uniform\(.*\)", source) == [
        "rng.uniform(0.5, 1.5, (6, 3)).astype(np.float32)"
    ]
