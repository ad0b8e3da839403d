"""Write results into files, whole or not at all, or print them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphc.commands.text_tables import is_table, write_table
from graphc.errors import GraphError
from graphc.run.files import write_arrays, write_whole


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays by name into an `.npz` file."""
    check_writable(path, "npz")
    write_arrays(path, arrays)


def save_outputs(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write outputs by name into an `.npz` file, or a single one as a table."""
    check_writable(path, "npz", "csv", "tsv")
    (write_table if is_table(path) else write_arrays)(path, arrays)


def put_text(text: str, output: Path | None) -> None:
    """Print a text, or write it into a file; `-` prints it, as everywhere."""
    if output is None or str(output) == "-":
        print(text.rstrip("\n"))
    else:
        write_whole(output, text if text.endswith("\n") else text + "\n")


def check_writable(path: Path, *kinds: str) -> None:
    """Raise a GraphError before any work is done: no such folder, or a suffix none of `kinds`."""
    if path.suffix.removeprefix(".").lower() not in kinds:
        raise GraphError(
            f"cannot write {str(path)!r}", expected=" or ".join(f".{kind}" for kind in kinds)
        )
    if not path.parent.is_dir():
        raise GraphError(f"cannot write {str(path)!r}", got=f"no folder {str(path.parent)!r}")
