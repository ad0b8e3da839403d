"""Tables of numbers as text: `.csv` and `.tsv` files, read as arrays and written of them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import GraphError, counted
from graphc.run.files import write_whole

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


def is_table(path: str | Path) -> bool:
    """Say whether a path is that of a table, by its ending."""
    return Path(path).suffix.lower() in _SEPARATORS


def read_table(path: str) -> np.ndarray:
    """Return the numbers of a table, of which the first line may be titles.

    Whole numbers become integers where all of them are; a single column has one axis.

    Raises: GraphError where a cell is no number, or rows differ in their number of cells.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable(path, "it is not text in UTF-8") from None
    except OSError as error:
        raise _unreadable(path, error.strerror) from None
    separator = _SEPARATORS[Path(path).suffix.lower()]
    numbered = enumerate(text.splitlines(), 1)
    lines = {number: line for number, line in numbered if line.strip()}
    if lines and not all(map(_is_number, lines[min(lines)].split(separator))):
        del lines[min(lines)]
    if not lines:
        raise _unreadable(path, "no row of numbers")
    table = _numbers(lines.values(), np.int64, separator)
    if table is None:
        table = _numbers(lines.values(), np.float64, separator)
    if table is None:
        raise _unreadable(path, _fault(lines, separator))
    return table[:, 0] if table.shape[1] == 1 else table


def write_table(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write one array of at most two axes as a table without titles, whole or not at all."""
    flat = {name: np.asarray(value) for name, value in arrays.items()}
    shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in flat.items())
    if len(flat) != 1 or any(array.ndim > 2 for array in flat.values()):
        raise GraphError(
            f"cannot write {str(path)!r}: a table holds one array of rows",
            got=shapes,
            fix="write an .npz file, or choose one output: --predict p",
        )
    (array,) = flat.values()
    numbers = array.astype(np.int64) if array.dtype.kind == "b" else array
    text = io.StringIO()
    cells = np.atleast_1d(numbers).astype(str)  # as many digits as tell a number from the next
    np.savetxt(text, cells, fmt="%s", delimiter=_SEPARATORS[path.suffix.lower()])
    write_whole(path, text.getvalue())


def _numbers(lines: Iterable[str], dtype: type, separator: str) -> np.ndarray | None:
    """Return the table of a dtype, or None where a cell is no such number."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy deprecates 1.5 as an integer, yet takes it
            options: dict[str, Any] = {"comments": None, "quotechar": '"', "ndmin": 2}
            return np.loadtxt(list(lines), dtype, delimiter=separator, **options)
    except (ValueError, OverflowError, Warning):
        return None


def _fault(lines: Mapping[int, str], separator: str) -> str:
    """Return what is wrong with the first row that is none of numbers, or of another length."""
    wanted = lines[min(lines)].count(separator)
    for number, line in lines.items():
        cells = line.split(separator)
        odd = next((cell for cell in cells if not _is_number(cell)), None)
        if odd is not None:
            return f"{odd.strip()!r} in line {number}, column {cells.index(odd) + 1}"
        if len(cells) - 1 != wanted:
            return f"{counted(len(cells), 'cell')} in line {number}, {wanted + 1} in those before"
    return "no table"


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip().strip('"'))
    except ValueError:
        return False
    return True


def _unreadable(path: str, why: str | None) -> GraphError:
    return GraphError(
        f"cannot read {path!r}",
        got=why,
        expected="rows of numbers, with or without a line of titles",
    )
