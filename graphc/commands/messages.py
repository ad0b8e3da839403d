"""How do warnings and errors appear on the terminal? As a line or a few on stderr, no traceback."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graphc.commands.advice import for_command_line
from graphc.errors import GraphError


def take_all_letters() -> None:
    """Let stdout and stderr take what an encoding such as ASCII or Windows' cp1252 lacks: σ, x̄.

    A file or a pipe gets UTF-8, in which modules and `.graph` files are read; a terminal keeps its
    encoding, as does who sets PYTHONIOENCODING, and shows an escape for a letter that it lacks.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a program may have put something else there
            stays = stream.isatty() or "PYTHONIOENCODING" in os.environ
            stream.reconfigure(encoding=None if stays else "utf-8", errors="backslashreplace")


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show a warning as one line, without the place in graphc that raised it."""

    def show(message: Warning | str, *place: Any) -> None:
        print(f"warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show  # type: ignore[assignment]  # it takes the place and drops it
        yield


@contextmanager
def readable_errors(debug: bool) -> Iterator[None]:
    """Exit with 1 and a readable message where there is an error; with `debug`, let it through."""
    try:
        yield
    except SystemExit as finished:
        sys.exit(1 if finished.code else 0)
    except Exception as error:
        if debug:
            raise
        sys.exit(f"error: {_told(error)}")


def _told(error: Exception) -> str:
    if isinstance(error, GraphError):
        return str(for_command_line(error))
    if isinstance(error, IndexError):  # known only when the numbers are: NumPy says which
        return f"an index array points beside what it indexes\n  got       {error}"
    if isinstance(error, MemoryError):
        return f"there is not enough memory\n  got       {error}"
    if isinstance(error, OSError):  # a disk that is full, where nothing else tells of the place
        place = f" {error.filename!r}" if error.filename else ""
        return f"cannot read or write{place}\n  got       {error.strerror or error}"
    return (
        f"{type(error).__name__}: {error}\n"
        "  this is a fault of graphc; --debug shows where it happened"
    )
