"""How do warnings and errors appear on the terminal? As a line or a few on stderr, no traceback."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graphc.commands.advice import for_command_line
from graphc.errors import GraphError


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
    return (
        f"{type(error).__name__}: {error}\n"
        "  this is a fault of graphc; --debug shows where it happened"
    )
