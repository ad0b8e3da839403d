"""`graphc trace`: the three modes and four formats from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from graphc import cli

MODEL = Path(__file__).parent.parent.parent / "examples" / "ln_product_sine.graph"
GOLDEN = Path(__file__).parent / "golden"


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str]:
    at = ["--at", "x1=2", "--at", "x2=5"]
    monkeypatch.setattr(sys, "argv", ["graphc", "trace", str(MODEL), *at, *words])
    with pytest.raises(SystemExit) as finished:
        cli.main()
        sys.exit(0)
    status = finished.value.code
    return (1, str(status)) if isinstance(status, str) else (status or 0, capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "golden"),
    [
        ([], "trace_forward.txt"),
        (["--mode", "tangent", "--wrt", "x1", "--format", "markdown"], "trace_tangent.md"),
        (["--mode", "reverse", "--of", "y", "--format", "latex"], "trace_reverse.tex"),
        (["--mode", "reverse", "--version", "B", "--format", "html"], "trace_increments.html"),
    ],
)
def test_prints_what_python_gives(
    words: list[str],
    golden: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, printed = run(monkeypatch, capsys, *words)
    assert status == 0
    assert printed == (GOLDEN / golden).read_text(encoding="utf-8")


def test_writes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "trace.md"
    status, printed = run(monkeypatch, capsys, "--format", "markdown", "-o", str(target))
    assert (status, printed) == (0, "")
    assert target.read_text(encoding="utf-8") == (GOLDEN / "trace_forward.md").read_text("utf-8")


def test_an_unknown_mode_is_one_readable_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, message = run(monkeypatch, capsys, "--mode", "backward")
    assert status == 1
    assert "forward" in message and "Traceback" not in message
