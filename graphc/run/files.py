"""Write files whole or not at all."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

from graphc.errors import GraphError


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
