"""Archives of arrays: one writer, whose bytes depend on the arrays alone."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from graphc.commands.files import save_arrays
from graphc.run.files import write_arrays
from graphc.train.checkpoint import Checkpoint
from graphc.train.history import History
from graphc.train.loop import Position

ARRAYS = {"file": np.arange(3.0), "layer/W": np.ones((300, 2), np.float32), "n": np.array(7)}


def test_arrays_come_back_under_their_names(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", ARRAYS)
    with np.load(tmp_path / "a.npz") as archive:
        assert archive.files == [*ARRAYS]
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(archive[name], array)
            assert archive[name].dtype == array.dtype


def test_the_bytes_do_not_depend_on_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_arrays(tmp_path / "a.npz", ARRAYS)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_arrays(tmp_path / "b.npz", ARRAYS)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_arrays_may_be_larger_than_a_plain_archive_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)  # 2 GiB, were it not for the test's sake
    save_arrays(tmp_path / "a.npz", ARRAYS)
    Checkpoint(ARRAYS, History(), Position(1), {}, {}).save(tmp_path / "b.npz")
    for path, name in ((tmp_path / "a.npz", "layer/W"), (tmp_path / "b.npz", "state/layer/W")):
        with np.load(path) as archive:
            np.testing.assert_array_equal(archive[name], ARRAYS["layer/W"])
