"""The commands about derivatives: every method side by side, dependence, the check of all ops."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from graphc import cli

MODEL = '''"""The lecture's worked example."""
x1: input(f32)
x2: input(f32)
y = log(x1) + x1*x2 - sin(x2)
output(y)
'''


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "m.graph").write_text(MODEL)
    return str(tmp_path / "m.graph")


def run(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setattr(sys, "argv", ["graphc", *words])
    with pytest.raises(SystemExit) as finished:
        cli.main()
    assert finished.value.code == 0
    return capsys.readouterr().out


def test_methods(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(["methods", model, "--at", "x1=2", "--at", "x2=5"], monkeypatch, capsys)
    assert out.startswith("2 derivatives of y in float64")
    assert "dy/dx1" in out and "5.5" in out and "1.71633781454" in out
    assert "reverse mode        1" in out


def test_dependence(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(["dependence", model, "--of", "y", "--wrt", "x1,x2"], monkeypatch, capsys)
    assert "x1   gradient    1 pass      1 pass" in out
    assert "times those of the value" in out


def test_ops_derivatives(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(["ops", "tanh", "--derivatives"], monkeypatch, capsys)
    assert "1 differentiable ops; all are right" in out
