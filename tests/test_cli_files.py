"""The command line and its files: damaged ones, ones that hold more, ones for a model in use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphc import cli
from graphc.train import load_checkpoint

NOISY = '''"""noisy: a dropout layer, and labels that only the loss needs."""
x: input(f32, N, 2)
y: input(i64, N)
W: param(f32, 2, 2, init=ones())

z = dropout(x, 0.5) @ W
p = softmax(z)
loss = mean(softmax_cross_entropy(z, y))
output(loss, p)
'''


@pytest.fixture
def graphc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run a command in a folder with a model and data; return what it prints, errors too."""
    (tmp_path / "noisy.graph").write_text(NOISY)
    arrays = {"x": np.arange(8.0).reshape(4, 2), "y": np.array([0, 1, 0, 1])}
    np.savez(tmp_path / "data.npz", **arrays)
    np.savez(tmp_path / "more.npz", **arrays, weights=np.ones(4))
    np.save(tmp_path / "x.npy", arrays["x"])
    np.save(tmp_path / "y.npy", arrays["y"])
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["graphc", *words])
        try:
            cli.main()
        except SystemExit as finished:
            if finished.code:
                return str(finished.code)
        captured = capsys.readouterr()
        return captured.err + captured.out

    return run


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_file_is_told_of_as_such(
    graphc: Callable[..., str], tmp_path: Path, save: Callable[..., None]
) -> None:
    save(tmp_path / "whole.npz", x=np.arange(2000.0).reshape(1000, 2), y=np.arange(1000) % 2)
    whole = (tmp_path / "whole.npz").read_bytes()
    middle = len(whole) // 2
    damaged = [whole[:length] for length in range(0, len(whole), len(whole) // 9)]
    damaged.append(whole[:middle] + bytes(40) + whole[middle + 40 :])
    for content in damaged:
        (tmp_path / "damaged.npz").write_bytes(content)
        told = graphc("train", "noisy.graph", "--data", "damaged.npz")
        assert "cannot read" in told and "damaged.npz" in told and "fault of graphc" not in told


def test_an_array_of_objects_is_told_of_by_name(graphc: Callable[..., str], tmp_path: Path) -> None:
    np.savez(tmp_path / "odd.npz", x=np.array([[1, None]], object), y=np.array([0]))
    told = graphc("train", "noisy.graph", "--data", "odd.npz")
    assert "cannot read 'x' in 'odd.npz'" in told and ".astype(np.float32)" in told


def test_a_checkpoint_is_no_file_of_parameters(graphc: Callable[..., str]) -> None:
    train = ("train", "noisy.graph", "--data", "data.npz", "--epochs", "1", "--checkpoint", "c.npz")
    graphc(*train)
    for words in ("run", "train", "trace"):
        told = graphc(words, "noisy.graph", "--at", "@c.npz", *train[2:4] * (words == "train"))
        assert "'c.npz' is the checkpoint of a run" in told and "--resume -o w.npz" in told
    graphc(*train, "--resume", "-o", "w.npz")
    assert "p" in graphc(
        "run", "noisy.graph", "--at", "@w.npz", "--at", "x=@x.npy", "--predict", "p"
    )


def test_a_missing_table_is_missing(graphc: Callable[..., str]) -> None:
    told = graphc("train", "noisy.graph", "--data", "absent.csv")
    assert "cannot read 'absent.csv'" in told and "No such file" in told


def test_a_table_is_an_array(graphc: Callable[..., str], tmp_path: Path) -> None:
    arrays = dict(np.load(tmp_path / "data.npz"))
    for name, titles in (("x.csv", "first,second\n"), ("x.tsv", "\ufeff")):
        separator = "," if name.endswith("csv") else "\t"
        rows = [separator.join(map(str, row)) for row in arrays["x"].tolist()]
        (tmp_path / name).write_text(titles + "\n".join(rows) + "\n\n", encoding="utf-8")
    (tmp_path / "y.csv").write_text("".join(f"{y}\n" for y in arrays["y"]))
    words = ("train", "noisy.graph", "--epochs", "1", "--data", "y=@y.csv", "--data")
    told = graphc(*words, "x=@x.csv").split()[:-1]  # but seconds
    assert told == graphc(*words, "x=x.tsv").split()[:-1]
    assert told == graphc(*words[:-1], "--data", "x=@x.npy").split()[:-1]
    assert "give it one: name=@x.csv" in graphc("train", "noisy.graph", "--data", "x.csv")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no row of numbers"),
        ("a,b\n", "no row of numbers"),
        ("1,2\n3,x\n", "'x' in line 2, column 2"),
        ("a,b\n1,2\n\n3,\n", "'' in line 4, column 2"),
        ("1,2\n3\n", "1 cell in line 2, 2 in those before"),
    ],
)
def test_what_is_no_table_is_said_to_be(
    graphc: Callable[..., str], tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "t.csv").write_text(text)
    found = graphc("run", "noisy.graph", "--predict", "p", "--at", "x=@t.csv")
    assert "cannot read 't.csv'" in found and told in found


def test_predictions_are_written_as_a_table(graphc: Callable[..., str], tmp_path: Path) -> None:
    run = ("run", "noisy.graph", "--at", "x=@x.npy", "--predict")
    graphc(*run, "p", "-o", "p.csv")
    graphc(*run, "p", "-o", "p.npz")
    table = np.loadtxt(tmp_path / "p.csv", np.float32, delimiter=",")
    np.testing.assert_array_equal(table, np.load(tmp_path / "p.npz")["p"])
    several = graphc(*run, "p,z", "-o", "two.csv")
    assert "a table holds one array" in several and not (tmp_path / "two.csv").exists()


def test_data_may_stand_in_files_of_their_own(graphc: Callable[..., str]) -> None:
    words = ("train", "noisy.graph", "--epochs", "1")
    apart = graphc(*words, "--data", "x=@x.npy", "--data", "y=y.npy")
    assert apart.split()[:-1] == graphc(*words, "--data", "data.npz").split()[:-1]  # but seconds
    assert "give it one: name=@x.npy" in graphc(*words, "--data", "x.npy")


@pytest.mark.filterwarnings("default:noisy has no input")
def test_a_file_may_hold_more_than_the_model_takes(graphc: Callable[..., str]) -> None:
    words = ("train", "noisy.graph", "--epochs", "1", "--validation", "more.npz")
    told = graphc(*words, "--data", "more.npz")
    assert told.startswith("warning: noisy has no input called 'weights': left out\nepoch")
    assert told.count("warning") == 1
    # Where something is missing, the name that is there may be a misspelt one.
    lacking = graphc(*words, "--data", "weights=@x.npy", "--data", "x=@x.npy")
    assert "the data lack 'y'" in lacking and "weights" in lacking


def test_a_model_is_run_in_use(graphc: Callable[..., str]) -> None:
    told = graphc("run", "noisy.graph", "--predict", "p", "--at", "x=@x.npy", "--seed", "3")
    assert "[0.5, 0.5]" in told and "loss" not in told  # W is all ones: both scores are equal
    # Labels may be there, and are not looked at.
    assert told == graphc("run", "noisy.graph", "--predict", "p", "--at", "@data.npz")
    more = graphc("run", "noisy.graph", "--predict", "p", "--at", "@more.npz")
    assert "no input called 'weights'" in more and "--at x=@data.npz takes one array" in more
    assert "parameters are W" in more
    assert "no node is called 'q'" in graphc("run", "noisy.graph", "--predict", "q")


def test_a_module_is_written_for_use(graphc: Callable[..., str]) -> None:
    source = graphc("compile", "noisy.graph", "--predict", "p")
    assert "rng" not in source and "def noisy(state, x):" in source


def test_a_damaged_checkpoint_is_told_of_as_such(
    graphc: Callable[..., str], tmp_path: Path
) -> None:
    words = ("train", "noisy.graph", "--data", "data.npz", "--epochs", "1")
    graphc(*words, "--checkpoint", "run.npz")
    arrays = dict(np.load(tmp_path / "run.npz"))
    np.savez_compressed(tmp_path / "run.npz", **arrays)
    assert load_checkpoint(tmp_path / "run.npz").position.epoch == 2
    whole = (tmp_path / "run.npz").read_bytes()
    for start in range(0, len(whole), len(whole) // 20):
        (tmp_path / "run.npz").write_bytes(whole[:start] + b"\xff" * 9 + whole[start + 9 :])
        told = graphc(*words, "--checkpoint", "run.npz", "--resume")
        assert "cannot read the checkpoint" in told or told.startswith("epoch")
