"""The command line among other programs: encodings, pipes, devices, disks that are full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import graphc as gc
from graphc.run.files import write_whole

ROOT = Path(__file__).parent.parent
SINE = str(ROOT / "examples" / "cos_sin.graph")
TRACE = (
    *("trace", str(ROOT / "examples" / "ln_product_sine.graph"), "--mode", "reverse"),
    *("--of", "y", "--at", "x1=2", "--at", "x2=5"),
)
POSIX = pytest.mark.skipif(os.name != "posix", reason="devices and links are POSIX's")


def graphc(*words: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}  # type: ignore[dict-item]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([sys.executable, "-m", "graphc", *words], env=environment, **settings)  # type: ignore[call-overload, no-any-return]


def test_a_pipe_gets_utf8_in_any_locale() -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for words in (TRACE, ("derive", "sigmoid"), ("show", SINE)):
        done = graphc(*words, env=plain)
        assert done.returncode == 0, done.stderr
        assert done.stdout == graphc(*words).stdout and not done.stdout.isascii()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_letter_that_an_encoding_lacks_is_an_escape(encoding: str) -> None:
    done = graphc(*TRACE, env={"PYTHONIOENCODING": encoding})
    assert done.returncode == 0 and b"\\u0304" in done.stdout


@POSIX
def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        done = graphc("show", SINE, stdout=full)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[0] == "error: cannot read or write"
    assert b"fault of graphc" not in done.stderr


@POSIX
def test_a_reader_that_leaves_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = graphc("show", SINE, stdout=writing)
    os.close(writing)
    assert done.stderr == b""


@POSIX
def test_a_device_is_written_into_and_not_replaced() -> None:
    assert graphc("show", SINE, "-o", "/dev/stdout").stdout == graphc("show", SINE).stdout


@POSIX
def test_a_pipe_takes_a_file_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, "through")
    assert os.read(end, 100) == b"through" and pipe.is_fifo()
    os.close(end)


@POSIX
def test_links_and_permissions_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_text("old")
    real.chmod(0o754)
    link.symlink_to("real.py")
    write_whole(link, "new")
    assert link.is_symlink() and real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o754
    assert {path.name for path in tmp_path.iterdir()} == {"real.py", "link.py"}


@pytest.mark.parametrize("name", [".", "missing/m.graph"])
def test_what_is_no_place_for_a_file_is_one_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(gc.GraphError, match="cannot write"):
        gc.load(SINE).save(tmp_path / name)


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "m.graph"
    target.write_text("old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(target, "new")
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("option", ["-o", "--plot"])
def test_training_finds_a_missing_folder_before_it_starts(tmp_path: Path, option: str) -> None:
    target = tmp_path / "missing" / ("p.svg" if option == "--plot" else "p.npz")
    model = str(ROOT / "examples" / "logistic_regression.graph")
    data = str(tmp_path / "no data.npz")
    done = graphc("train", model, "--data", data, option, str(target))
    assert done.returncode == 1 and b"no folder" in done.stderr


def test_training_without_matplotlib_says_so_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    model = str(ROOT / "examples" / "logistic_regression.graph")
    words = ("train", model, "--data", str(tmp_path / "d.npz"), "--plot", str(tmp_path / "l.png"))
    done = graphc(*words, env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})
    assert done.returncode == 1 and b"plots need matplotlib" in done.stderr


@POSIX
def test_a_dash_is_standard_input_and_output(tmp_path: Path) -> None:
    piped = graphc("compile", "-", "-o", "-", input=Path(SINE).read_bytes(), cwd=tmp_path)
    printed = graphc("compile", SINE, cwd=tmp_path)
    assert piped.returncode == 0, piped.stderr
    assert piped.stdout == printed.stdout.replace(b"cos_sin", b"stdin")
    assert not any(tmp_path.iterdir())
