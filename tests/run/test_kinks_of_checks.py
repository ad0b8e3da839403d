"""Checks at points without a difference: on kinks, at ends, and where matrices have no answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.run.gradcheck import _excuse

ZEROS = np.zeros(3)


def of_w(function: Callable[[gc.Node], gc.Node]) -> gc.Graph:
    return gc.graph({"loss": gc.sum(function(gc.param("w", (3,))))})


@pytest.mark.parametrize(
    ("function", "at", "note"),
    [
        (gc.relu, ZEROS, "w[0] is on a kink, slopes 0 below and 1 above"),
        (gc.max, ZEROS + 1, "w[0] is on a kink, slopes 0 below and 1 above"),
        (lambda w: w + gc.floor(w), ZEROS, "w[0] is on a kink"),
        (gc.sqrt, ZEROS, "w[0] has no value on both sides"),
    ],
)
def test_a_check_on_a_kink_says_so(
    function: Callable[[gc.Node], gc.Node], at: np.ndarray, note: str
) -> None:
    with np.errstate(all="ignore"):
        found = gc.check_gradient(of_w(function), at={"w": at})
    assert not found and found.verdict == "cannot be checked here"
    assert note in str(found) and "check elsewhere" in str(found)


@pytest.mark.parametrize(("analytic", "is_excused"), [(0.0, True), (0.5, True), (1.5, False)])
def test_a_kink_excuses_what_lies_between_its_slopes(analytic: float, is_excused: bool) -> None:
    def relu(w: np.ndarray) -> float:
        return float(np.maximum(w, 0).sum())

    assert bool(_excuse("w", ZEROS, (0,), analytic, relu)) is is_excused
    assert not _excuse("w", ZEROS + 1, (0,), analytic, relu)  # it is smooth there


@pytest.mark.parametrize("function", [gc.cholesky, gc.inv])
def test_a_matrix_without_an_answer_is_told_of(
    function: Callable[[gc.Node], gc.Node], tmp_path: Path
) -> None:
    graph = gc.graph({"loss": gc.sum(function(gc.param("A", (3, 3))))})
    with pytest.raises(gc.GraphError, match="loss has no value at this point") as told:
        gc.check_gradient(graph, at={"A": np.diag([1.0, 0.0, -1.0])})
    assert "M @ M.T" in (told.value.fix or "")
    gc.compile(graph, gradient_of="loss").save(tmp_path / "m.py")
    words = [sys.executable, str(tmp_path / "m.py")]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("not checked: a random point has no value:")
