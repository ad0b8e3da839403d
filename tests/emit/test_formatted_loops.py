"""Emitted loops are written as formatters write them, at both usual widths."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import graphc as gc


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of training steps of recurrent layers, in both styles."""
    folder = tmp_path_factory.mktemp("recurrent")
    x = gc.input("x", ("T", "N", 3))
    lengths = gc.input("lengths", ("N",), dtype="int64")
    layers = {
        "rnn": gc.nn.rnn(x, 4, name="r", pre_activation=True),
        "lstm": gc.nn.lstm(x, 4, name="r", layers=2),
        "peephole": gc.nn.lstm(x, 4, name="r", peepholes=True, coupled=True),
        "gru": gc.nn.gru(x, 4, name="r", lengths=lengths),
        "textbook": gc.nn.gru(x, 4, name="r", form="textbook", reverse=True),
    }
    for name, (outputs, *last) in layers.items():
        loss = gc.mean(gc.square(outputs)) + gc.mean(last[0])
        graph = gc.graph({"loss": loss}, name=name)
        for style in ("readable", "fast"):
            for level in (0, 2):
                step = gc.compile(
                    graph,
                    minimize="loss",
                    optimizer="adam(0.01)",
                    style=style,
                    optimize=level,
                )
                step.save(str(folder / f"{name}_{style}_{level}.py"))
    return folder


@pytest.mark.parametrize("width", ["88", "100"])
def test_modules_with_loops_are_formatted(modules: Path, width: str) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check"], ["format", "--diff"]):
        words = [*ruff, *command, "--isolated", "--line-length", width, str(modules)]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
