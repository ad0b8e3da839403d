"""Plots of training; the one door to matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphc.errors import GraphError

_FORMATS = ("svg", "png", "pdf")


def matplotlib_module() -> Any:
    """Return matplotlib, or raise a GraphError that says how to install it."""
    try:
        import matplotlib.figure
        import matplotlib.ticker
    except ImportError:
        raise GraphError(
            "plots need matplotlib, which is not installed", fix="pip install 'graphc[plot]'"
        ) from None
    return matplotlib


def loss_figure(curves: Mapping[str, Sequence[float]], path: str) -> bytes:
    """Return a picture of losses over epochs in the format that the path's suffix names.

    Equal histories give equal bytes: no time stamp, no random ids.
    """
    kind = Path(path).suffix.removeprefix(".").lower()
    if kind not in _FORMATS:
        raise GraphError(
            f"cannot write a plot as {path!r}", expected=" or ".join(f".{f}" for f in _FORMATS)
        )
    matplotlib = matplotlib_module()
    with matplotlib.rc_context({"svg.hashsalt": "graphc", "svg.fonttype": "none"}):
        figure = matplotlib.figure.Figure(figsize=(6, 4), layout="constrained")
        axes = figure.add_subplot()
        for name, values in curves.items():
            axes.plot(range(1, len(values) + 1), values, label=name, marker=".", linewidth=1.5)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", linewidth=0.5, alpha=0.4)
        if len(curves) > 1:
            axes.legend(frameon=False)
        picture = io.BytesIO()
        stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
        figure.savefig(picture, format=kind, metadata=stamp, dpi=150)
    return picture.getvalue()
