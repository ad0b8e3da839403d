"""Write files whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
import threading
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import GraphError

#: What NumPy and its archives raise for a file of arrays that is cut off, changed or none.
DAMAGED = (ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file beside its place, then move it there, so that nobody sees half of it.

    A link stays a link, to what is written, and a file keeps its permissions. What is no file, such
    as `/dev/stdout`, cannot be replaced, so it is written into.

    Raises: GraphError where the folder is missing or may not be written.
    """
    target = Path(path)
    data = content.encode() if isinstance(content, str) else content
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
        else:
            _replace(Path(os.path.realpath(target)), data)
    except OSError as error:
        raise GraphError(f"cannot write {str(target)!r}", got=error.strerror) from error


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Write arrays by name into an `.npz` file, whole or not at all.

    Raises: GraphError where the folder is missing or may not be written.
    """
    content = io.BytesIO()
    # Not np.savez: it reserves the name "file" and stamps the time into its bytes.
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            # ZIP64, because a plain member may not be larger than 2 GiB.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    write_whole(path, content.getvalue())


def _replace(target: Path, data: bytes) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with beside.open("xb") as file:
            file.write(data)
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
