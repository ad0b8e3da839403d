"""Plots as files; the one door to matplotlib."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphc.errors import GraphError
from graphc.run.files import write_whole

FORMATS = ("svg", "png", "pdf")

#: Equal plots give equal bytes: no random ids, and text stays text.
_SETTINGS = {"svg.hashsalt": "graphc", "svg.fonttype": "none"}
_NO_STAMP: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def matplotlib_module() -> Any:
    """Return matplotlib, or raise a GraphError that says how to install it."""
    try:
        import matplotlib.colors
        import matplotlib.figure
        import matplotlib.ticker
    except ImportError:
        raise GraphError(
            "plots need matplotlib, which is not installed", fix="pip install 'graphc[plot]'"
        ) from None
    return matplotlib


def plot_format(path: str | os.PathLike[str]) -> str:
    """Return the format that a path's suffix names.

    Raises: GraphError for a suffix that is none of svg, png and pdf.
    """
    kind = Path(path).suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise GraphError(
            f"cannot write a plot as {os.fspath(path)!r}",
            expected=" or ".join(f".{known}" for known in FORMATS),
        )
    return kind


def new_figure(size: tuple[float, float]) -> Any:
    """Return an empty matplotlib figure that lays itself out. Units: size in inches.

    It belongs to no window and to no global state of pyplot.
    """
    return matplotlib_module().figure.Figure(figsize=size, layout="constrained")


def figure_bytes(draw: Callable[[], Any], kind: str, dpi: int = 150) -> bytes:
    """Return the figure that `draw` makes, in one of `FORMATS`; equal figures give equal bytes."""
    with matplotlib_module().rc_context(_SETTINGS):
        picture = io.BytesIO()
        draw().savefig(picture, format=kind, metadata=_NO_STAMP.get(kind), dpi=dpi)
    return picture.getvalue()


def save_figure(path: str | os.PathLike[str], draw: Callable[[], Any], dpi: int = 150) -> None:
    """Write the figure that `draw` makes, whole or not at all; the suffix chooses the format."""
    write_whole(path, figure_bytes(draw, plot_format(path), dpi))
