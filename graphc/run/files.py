"""Write files whole or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from graphc.errors import GraphError


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file beside its place, then move it there, so that nobody sees half of it.

    Raises: GraphError where the folder is missing or may not be written.
    """
    target = Path(path)
    data = content.encode() if isinstance(content, str) else content
    beside = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        try:
            with beside.open("xb") as file:
                file.write(data)
            beside.replace(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise GraphError(f"cannot write {str(target)!r}", got=error.strerror) from error
