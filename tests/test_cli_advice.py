"""The command line's advice: options that can be typed there, and no Python."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from graphc import cli
from graphc.commands.advice import for_command_line
from graphc.errors import GraphError

MODEL = """
a: input(f32, N, 3)
b: input(f32, 3)
W: param(f32, 3)
loss = mean((a @ W) * sum(b))
output(loss)
"""
SINE = """
a: input(f32, N, 3)
loss = mean(sin(a))
output(loss)
"""
MAPS = """
x: input(f32, N, 1, 8, 8)
y = conv2d(x, 4, 3)
output(y)
"""
A, B = ("--at", "a=[[1,2,3]]"), ("--at", "b=[1,2,3]")


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (("run", "m.graph"), "pass it: --at a=…"),
        (("run", "m.graph", "--reference", *A), "pass it: --at b=…"),
        (("draw", "m.graph", "-o", "m.svg", *A), "--at b=…"),
        (("trace", "m.graph", "--mode", "tangent", *A, *B), "--wrt a"),
        (("compile", "m.graph", "--minimize", "loss"), '--minimize loss --optimizer "sgd(0.1)"'),
        (("compile", "n.graph", "--minimize", "error"), '--minimize error --optimizer "sgd(0.1)"'),
        (("check", "n.graph"), "reduce one first: sum(…) or mean(…)"),
        (("draw", "n.graph", "-o", "m.svg", "--kind", "backprop"), "reduce one first: sum(…) or m"),
        (("compile", "m.graph", "--wrt", "a"), "--gradient loss --wrt NAMES; to train some"),
        (("draw", "s.graph", "-o", "m.svg", "--kind", "network"), "--kind computation draws any"),
        (("draw", "c.graph", "-o", "m.svg", "--kind", "network"), "--kind volumes draws feature"),
        (("draw", "m.graph", "-o", "m.svg", "--kind", "cell"), "--kind computation draws any"),
        (("draw", "m.graph", "-o", "m.svg", "--kind", "volumes"), "--kind network draws dense"),
        (("show", "m.graph", "--wrt", "W"), "--gradient OUTPUT --wrt W"),
        (("show", "m"), "did you mean 'm.graph'?"),
        (("show", "s.graph", "--gradient", "a"), "reduce it first: mean(…) or sum(…);"),
        (
            ("compile", "m.graph", "--minimize", "loss", "--optimizer", "adma"),
            "did you mean 'adam'",
        ),
        (("train", "m.graph", "--data", "d.npz", "--resume"), "--checkpoint run.npz"),
        (("derive", "m.graph"), "graphc derive MODEL.graph --node loss"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_fix_can_be_typed(
    words: tuple[str, ...],
    fix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "m.graph").write_text(MODEL)
    (tmp_path / "s.graph").write_text(SINE)
    (tmp_path / "c.graph").write_text(MAPS)
    (tmp_path / "n.graph").write_text(MODEL.replace("mean(", "(").replace("loss", "error"))
    np.savez(tmp_path / "d.npz", a=np.ones((2, 3), np.float32), b=np.ones(2, np.float32))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["graphc", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    message = str(ended.value)
    assert f"  fix       {fix}" in message
    assert "gc." not in message


def test_what_names_no_python_stays() -> None:
    error = GraphError("m: no such input", where="m", got="q", expected="a, b", fix="--at a=1")
    assert str(for_command_line(error)) == str(error)
