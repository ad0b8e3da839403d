"""`graphc train`: held-out data, accuracy, patience, checkpoints that are taken up again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphc import cli
from graphc.train import load_checkpoint

SOFTMAX = '''"""Softmax regression."""
x: input(f32, N, 2)
y: input(i64, N)
W: param(f32, 2, 2, init=glorot_uniform())
b: param(f32, 2)

z = x @ W + b
p = exp(z) / sum(exp(z), axis=1, keepdims=True)
loss = -mean(log(take_along_axis(p, y[:, None], axis=1)))
output(loss, p)
'''


@pytest.fixture
def graphc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run `graphc train` in a folder with a model and two clusters; return what it prints."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 40)
    x = rng.normal(size=(80, 2)) * 0.3 + np.where(y[:, None], 1.0, -1.0)
    np.savez(tmp_path / "train.npz", x=x[::2], y=y[::2])
    np.savez(tmp_path / "test.npz", x=x[1::2], y=y[1::2])
    (tmp_path / "m.graph").write_text(SOFTMAX)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        command = ["graphc", "train", "m.graph", "--data", "train.npz", *words]
        monkeypatch.setattr(sys, "argv", command)
        try:
            cli.main()
        except SystemExit as finished:
            if finished.code:
                return f"exit {finished.code}"
        return capsys.readouterr().out

    return run


def test_validation_and_accuracy_are_columns(graphc: Callable[..., str], tmp_path: Path) -> None:
    out = graphc(
        "--validation", "test.npz", "--accuracy", "p=y", "--epochs", "4", "--plot", "a.svg"
    )
    words = out.split("\n")[0].split("  ")
    assert [w.strip() for w in words if w] == [
        *("epoch", "loss", "accuracy", "validation loss", "validation accuracy", "seconds"),
    ]
    assert out.splitlines()[-1].split()[4] == "1"  # every held-out point is decided right
    assert (tmp_path / "a.svg").read_text().count(">accuracy<") == 1


def test_patience_ends_the_training(graphc: Callable[..., str]) -> None:
    out = graphc("--patience", "2", "--epochs", "90", "--optimizer", "sgd(1e-30)")
    assert "stopped: by the stop rule after epoch" in out and len(out.splitlines()) < 90


def test_a_run_is_taken_up_again(graphc: Callable[..., str], tmp_path: Path) -> None:
    same = ("--checkpoint", "run.npz", "--resume", "--optimizer", "adam(0.05)")
    graphc("--epochs", "2", *same)
    resumed = graphc("--epochs", "5", *same, "-o", "resumed.npz")
    graphc("--epochs", "5", "--optimizer", "adam(0.05)", "-o", "whole.npz")
    assert len(resumed.splitlines()) == 6
    one, other = np.load(tmp_path / "resumed.npz"), np.load(tmp_path / "whole.npz")
    for name in other.files:
        np.testing.assert_array_equal(one[name], other[name])
    assert len(load_checkpoint(tmp_path / "run.npz").history) == 5


def test_the_saved_parameters_run(
    graphc: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    graphc("--optimizer", "adam(0.05)", "--epochs", "3", "-o", "trained.npz")
    command = ["graphc", "run", "m.graph", "--at", "@trained.npz", "--at", "@test.npz"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as finished:
        cli.main()
    assert not finished.value.code and capsys.readouterr().out.startswith("loss = ")
    assert np.load(tmp_path / "trained.npz").files == ["W", "b"]


def test_all_examples_at_once(graphc: Callable[..., str], tmp_path: Path) -> None:
    graphc("--batch-size", "0", "--epochs", "3", "--checkpoint", "run.npz")
    assert len(load_checkpoint(tmp_path / "run.npz").history.step_losses) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--resume"], "resume needs a checkpoint"),
        (["--checkpoint", "run.txt"], "expected  a path to .npz"),
        (["--accuracy", "p"], "such as p=y"),
        (["--minimize", "W"], "single number has a gradient\n  where     m.graph:"),
        (["--accuracy", "q=y"], "no output called 'q'"),
        (["--seed", "1", "--resume", "--checkpoint", "old.npz"], "seed=0"),
    ],
)
def test_mistakes_are_one_readable_error(
    graphc: Callable[..., str], tmp_path: Path, words: list[str], message: str
) -> None:
    graphc("--epochs", "1", "--checkpoint", "old.npz")
    before = sorted(path.name for path in tmp_path.iterdir())
    out = graphc(*words)
    assert out.startswith("exit error: ") and message in out and "Traceback" not in out
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_training_starts_where_it_is_told(graphc: Callable[..., str], tmp_path: Path) -> None:
    graphc("--epochs", "3", "-o", "first.npz")
    graphc("--epochs", "0", "-o", "same.npz", "--at", "@first.npz", "--optimizer", "adam(0.1)")
    first, same = np.load(tmp_path / "first.npz"), np.load(tmp_path / "same.npz")
    assert all(np.array_equal(first[name], same[name]) for name in ("W", "b"))
    graphc("--epochs", "0", "-o", "part.npz", "--at", "b=[3, 4]")
    part = np.load(tmp_path / "part.npz")
    assert part["b"].tolist() == [3, 4] and part["b"].dtype == np.float32
    assert not np.array_equal(part["W"], first["W"])
    assert "exit error: parameter 'b' has the wrong shape" in graphc("--at", "b=[1, 2, 3]")
    assert "no parameter has a dim called 'V'" in graphc("--at", "V=3")
