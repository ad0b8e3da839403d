"""A plot: how to draw a figure, and how it becomes a file or a picture in a notebook."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphc.run.figures import figure_bytes, new_figure, save_figure


@dataclass(frozen=True)
class Plot:
    """A picture of numbers; `draw(axes)` draws it into matplotlib axes, also into one's own."""

    draw: Callable[[Any], None]
    title: str = "plot"
    size: tuple[float, float] = (5.0, 4.2)

    def figure(self) -> Any:
        """Return a matplotlib figure that holds the plot alone."""
        figure = new_figure(self.size)
        self.draw(figure.add_subplot())
        return figure

    def save(self, path: str | os.PathLike[str], *, dpi: int = 144) -> Path:
        """Write the plot, whole or not at all; the suffix decides: svg, png or pdf.

        **Raises** GraphError for another suffix, and where matplotlib is not installed.
        """
        save_figure(path, self.figure, dpi)
        return Path(path)

    def svg(self) -> str:
        """Return the plot as an SVG; equal plots give equal text."""
        return figure_bytes(self.figure, "svg").decode()

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"<plot {self.title!r}>"
