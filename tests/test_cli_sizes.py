"""Named dims of parameters on the command line: told by data, or given by --at H=4."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from graphc import cli

HIDDEN = """
x: input(f32, N, D)
y: input(f32, N)
V: param(f32, D, H, init=normal(0.1))
w: param(f32, H, init=normal(0.1))
loss = mean((tanh(x @ V) @ w - y)**2)
output(loss)
"""
POINT = ("--at", "x=[[1,2]]", "--at", "y=[1]")


@pytest.fixture
def hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "hidden.graph").write_text(HIDDEN)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5)).astype("float32")
    np.savez(tmp_path / "d.npz", x=x, y=x[:, 0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_training_takes_sizes_from_data_and_from_at(hidden: Path) -> None:
    words = ["train", "hidden.graph", "--data", "d.npz", "--epochs", "2", "-o", "s.npz"]
    found = CliRunner().invoke(cli.app, [*words, "--at", "H=4"])
    assert found.exit_code == 0, found.exception
    trained = np.load(hidden / "s.npz")
    assert trained["V"].shape == (5, 4) and trained["w"].shape == (4,)


@pytest.mark.parametrize("more", [["H=4"], ["w=[1,2,3]"], ["H=3", "w=[1,2,3]", "D=2"]])
def test_a_run_takes_sizes_from_values_and_from_at(hidden: Path, more: list[str]) -> None:
    at = [word for item in more for word in ("--at", item)]
    for words in (["-o", "o.npz", "--gradient", "loss"], ["-o", "o.npz", "--reference"]):
        found = CliRunner().invoke(cli.app, ["run", "hidden.graph", *POINT, *at, *words])
        assert found.exit_code == 0, found.exception
        assert np.isfinite(np.load(hidden / "o.npz")["loss"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", *POINT), "give it: --at H=10"),
        (("run", *POINT, "--at", "H=4", "--at", "D=3"), "D = 3 contradicts an array"),
        (("run", *POINT, "--at", "H=1.5"), "H is no size"),
        (("trace", "--at", "H=1.5"), "H is no size"),
        (("train", "--data", "d.npz"), "--at H=10"),
        (("train", "--data", "d.npz", "--at", "Q=4", "--at", "H=4"), "called 'Q'"),
        (("train", "--data", "d.npz", "--at", "H=0.5"), "H is no size"),
    ],
)
def test_a_size_that_is_missing_or_wrong_is_told_as_it_is_typed(
    words: tuple[str, ...], message: str, hidden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["graphc", words[0], "hidden.graph", *words[1:]])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert message in str(ended.value) and "init(" not in str(ended.value)
