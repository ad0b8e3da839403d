"""A run in a file: everything that it takes to go on as if nothing had stopped it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.run.files import DAMAGED, write_arrays
from graphc.train.diagnose import State
from graphc.train.history import Epoch, History
from graphc.train.loop import Loop, Position

#: Members of the archive: one array a parameter, the loss of each step, and one JSON text.
_STATE, _LOSSES, _RECORD = "state/", "step_losses", "run"


@dataclass(frozen=True)
class Checkpoint:
    """A run between two steps.

    `state` holds parameters and optimizer slots; `settings` what must stay the same for the
    numbers to stay the same; `streams` the random generators before the next step.
    """

    state: State = field(repr=False)
    history: History = field(repr=False)
    position: Position
    settings: Mapping[str, Any]
    streams: Mapping[str, Any] = field(repr=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an `.npz` file, whole or not at all."""
        record = {
            "epochs": [asdict(epoch) for epoch in self.history.epochs],
            "position": asdict(self.position),
            "settings": dict(self.settings),
            "streams": dict(self.streams),
        }
        arrays = {_STATE + name: array for name, array in self.state.items()}
        arrays[_LOSSES] = np.array(self.history.step_losses, np.float64)
        arrays[_RECORD] = np.array(json.dumps(record))
        write_arrays(path, arrays)


def is_checkpoint(names: Iterable[str]) -> bool:
    """Say whether the arrays of a file are those of a run, by their names."""
    return _RECORD in names and any(name.startswith(_STATE) for name in names)


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Return the run that `fit(..., checkpoint=path)` wrote; `.state` is the trained state.

    Raises: GraphError for a file that cannot be read or is no checkpoint.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        record = json.loads(str(arrays[_RECORD]))
        epochs = [Epoch(**epoch) for epoch in record["epochs"]]
        losses = arrays[_LOSSES].tolist()
        position = Position(**record["position"])
        settings, streams = record["settings"], record["streams"]
    except OSError as problem:
        raise _unreadable(path, problem.strerror or "it is not a NumPy file") from None
    except (TypeError, AttributeError, *DAMAGED):
        raise _unreadable(path, "it is no checkpoint, or a part of it is missing") from None
    state = {n.removeprefix(_STATE): a for n, a in arrays.items() if n.startswith(_STATE)}
    return Checkpoint(state, History(epochs, losses), position, settings, streams)


def taken(loop: Loop, history: History) -> Checkpoint:
    """Return the run as it stands, to be saved before it goes on."""
    state = {name: np.asarray(loop.state[name]) for name in loop.step.graph.params}
    return Checkpoint(state, history, loop.position, _settings(loop), loop.at_step)


def resume(loop: Loop, path: str | os.PathLike[str]) -> History:
    """Put a run back where a checkpoint left it; return its history.

    Raises: GraphError where the checkpoint belongs to another model, optimizer or settings; then
    nothing is changed.
    """
    found = load_checkpoint(path)
    _check_settings(found.settings, _settings(loop), path)
    _check_arrays(found.state, loop, path)
    for name, array in found.state.items():
        if name in loop.step.graph.updates:
            loop.state[name][...] = array
        else:
            loop.state[name] = array
    loop.position, loop.at_step = found.position, dict(found.streams)
    return found.history


def checked_path(path: str | os.PathLike[str] | None, resumes: bool) -> Path | None:
    """Return the path of a checkpoint, if there is to be one, or raise before any work is done."""
    if path is None:
        if resumes:
            raise GraphError("resume needs a checkpoint to go on from", fix='checkpoint="run.npz"')
        return None
    target = Path(path)
    if target.suffix != ".npz":
        raise GraphError(f"cannot write the checkpoint {str(target)!r}", expected="a path to .npz")
    if not target.parent.is_dir():
        raise GraphError(
            f"cannot write the checkpoint {str(target)!r}", got=f"no folder {str(target.parent)!r}"
        )
    if target.is_dir():
        raise GraphError(f"cannot write the checkpoint {str(target)!r}", got="it is a folder")
    return target


def _settings(loop: Loop) -> dict[str, Any]:
    """Return what decides the numbers of a run beside the state and the data themselves."""
    return {
        "seed": loop.seed,
        "batch_size": loop.batch_size,
        "shuffle": loop.shuffle,
        "examples": loop.data.count,
        "loss": loop.loss,
    }


def _check_settings(
    saved: Mapping[str, Any], now: Mapping[str, Any], path: str | os.PathLike[str]
) -> None:
    changed = [name for name in now if saved.get(name) != now[name]]
    if changed:
        raise GraphError(
            f"the checkpoint {os.fspath(path)!r} was made by another run",
            got=", ".join(f"{name}={now[name]!r}" for name in changed),
            expected=", ".join(f"{name}={saved.get(name)!r}" for name in changed),
            fix="use the same settings; only epochs and the optimizer's numbers may change",
        )


def _check_arrays(saved: State, loop: Loop, path: str | os.PathLike[str]) -> None:
    wanted = {name: np.asarray(loop.state[name]) for name in loop.step.graph.params}
    for name in [*wanted, *saved]:
        has, needs = _kind(saved.get(name)), _kind(wanted.get(name))
        if has != needs:
            raise GraphError(
                f"the checkpoint {os.fspath(path)!r} belongs to another model or optimizer",
                got=f"{name!r}: {has}",
                expected=f"{name!r}: {needs}",
            )


def _kind(array: np.ndarray | None) -> str:
    return "nothing" if array is None else f"{array.dtype.name} {list(array.shape)}"


def _unreadable(path: str | os.PathLike[str], reason: str) -> GraphError:
    return GraphError(f"cannot read the checkpoint {os.fspath(path)!r}", got=reason)
