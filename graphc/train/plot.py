"""The curves of a training run: one panel for each number, training and validation together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.run.figures import matplotlib_module, new_figure

#: Title of a panel -> label of a curve -> its points, (epoch, value).
Panels = Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]


def history_figure(panels: Panels) -> Any:
    """Return a matplotlib figure with one panel under another, over a common axis of epochs."""
    figure = new_figure((6.0, 1.0 + 3.0 * len(panels)))
    rows = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axes, (title, curves) in zip(rows, panels.items(), strict=True):
        for label, points in curves.items():
            epochs, values = zip(*points, strict=True) if points else ((), ())
            axes.plot(epochs, values, label=label, marker=".", linewidth=1.5)
        axes.set_ylabel(title)
        axes.xaxis.set_major_locator(matplotlib_module().ticker.MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", linewidth=0.5, alpha=0.4)
        if len(curves) > 1:
            axes.legend(frameon=False)
    rows[-1].set_xlabel("epoch")
    return figure
