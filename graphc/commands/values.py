"""Read values from the command line and files, and print them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphc.commands.text_tables import is_table, read_table
from graphc.errors import GraphError, nearest
from graphc.run.files import DAMAGED
from graphc.train.checkpoint import is_checkpoint

#: Arrays with more elements are printed in part.
_SHOWN = 1000
#: A file of arrays, which no number and no list looks like.
_FILE = re.compile(r".+(\.npy|\.npz|\.csv|\.tsv|\.npz:[^\[\](),]+)")


def parse_values(items: Iterable[str]) -> dict[str, Any]:
    """Return values by name from words like `x=2`, `x=[1, 2]`, `x=@x.npy`, `x=@d.npz`, `@d.npz`.

    What is a file, or ends as a file of arrays does, may come without the `@`.

    Raises: GraphError for a word that is none of these, a file that cannot be read, or a name
    that is given twice.
    """
    values: dict[str, Any] = {}
    for item in items:
        name, equals, text = item.partition("=")
        name = name.strip()
        if item.startswith("@") or (not equals and (_FILE.fullmatch(item) or Path(item).is_file())):
            found = load_arrays(item.removeprefix("@"))
        elif equals and name:
            found = {name: _value(name, text.strip())}
        else:
            raise GraphError(
                f"cannot read {item!r}", expected="name=number, name=[list], name=@file or @file"
            )
        for key, value in found.items():
            if key in values:
                raise GraphError(f"{key!r} is given twice", got=item)
            values[key] = value
    return values


def _value(name: str, text: str) -> Any:
    if text.startswith("@") or _FILE.fullmatch(text):
        return _array_from(name, text.removeprefix("@"))
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, (bool, int, float, list, tuple)):
        raise GraphError(
            f"cannot read the value of {name!r}",
            got=text,
            expected="a number, a list of numbers, True, False, @file.npy or @table.csv",
            fix="one --at for each value" if "=" in text else None,
        )
    return value


def _array_from(name: str, path: str) -> np.ndarray:
    """Return the array in `file.npy`, `file.npz` (under the same name) or `file.npz:key`."""
    key = name
    if not Path(path).exists() and ".npz:" in path:
        path, key = path.rsplit(":", 1)
    if not path.endswith(".npz"):
        loaded = _read(path)
        return loaded
    arrays = load_arrays(path)
    if key in arrays:
        return arrays[key]
    hint = nearest(key, list(arrays))
    raise GraphError(
        f"{path!r} holds no array called {key!r}",
        got=", ".join(arrays) or "no arrays",
        fix=f"{name}=@{path}:{hint or 'key'}",
    )


def load_arrays(path: str) -> dict[str, np.ndarray]:
    """Return all arrays of an `.npz` file by name."""
    loaded = _read(path)
    if isinstance(loaded, np.ndarray):
        raise GraphError(
            f"{path!r} holds one array without a name", fix=f"give it one: name=@{path}"
        )
    if is_checkpoint(loaded.files):
        raise GraphError(
            f"{path!r} is the checkpoint of a run of training, not its parameters",
            expected="an .npz file that holds arrays by name",
            fix=f"the same graphc train with --checkpoint {path} --resume -o w.npz writes those",
        )
    return {name: _member(path, loaded, name) for name in loaded.files}


def _member(path: str, archive: Any, name: str) -> np.ndarray:
    """Return one array of an archive, which is read only now."""
    try:
        array: np.ndarray = archive[name]
        return array
    except (OSError, *DAMAGED) as error:
        objects = "Object arrays" in str(error)
        raise GraphError(
            f"cannot read {name!r} in {path!r}",
            got="Python objects, which are never run" if objects else "the file is damaged",
            expected="an array of numbers",
            fix="save it as numbers: .astype(np.float32)" if objects else None,
        ) from None


def _read(path: str) -> Any:
    if is_table(path):
        return read_table(path)
    try:
        return np.load(path, allow_pickle=False)
    except OSError as error:
        reason = error.strerror or "it is not a NumPy file"
    except DAMAGED:
        reason = "it is not a NumPy file of numbers, or it is truncated"
    raise GraphError(
        f"cannot read {path!r}", got=reason, expected="an .npy, .npz, .csv or .tsv file"
    )


def split_state(
    values: Mapping[str, Any], params: Iterable[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values of parameters, and all others."""
    names = set(params)
    state = {name: value for name, value in values.items() if name in names}
    return state, {name: value for name, value in values.items() if name not in names}


def printed(name: str, value: Any) -> str:
    """Return `y = 11.652072`, or an array under its name and type; digits as many as it has."""
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{name} = {array[()]!s}"
    text = np.array2string(array, separator=", ", max_line_width=100, threshold=_SHOWN)
    shape = ", ".join(map(str, array.shape))
    return f"{name} [{shape}] {array.dtype.name} =\n{text}"
