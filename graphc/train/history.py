"""What happened during training: one record an epoch, as a table, a file or a plot."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from graphc.run.files import write_whole
from graphc.train.plot import loss_figure


@dataclass(frozen=True)
class Epoch:
    """One pass over the data: means over its examples. Units: seconds in s."""

    number: int
    loss: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    validation: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def columns(self) -> dict[str, float]:
        """Return the numbers by column: the loss, other outputs, then validation's."""
        shown = {"loss": self.loss, **self.metrics}
        return shown | {f"validation {name}": value for name, value in self.validation.items()}


@dataclass
class History:
    """The epochs so far. `stopped` says why training ended before its last epoch, if it did."""

    epochs: list[Epoch] = field(default_factory=list)
    step_losses: list[float] = field(default_factory=list)
    stopped: str = ""

    @property
    def losses(self) -> list[float]:
        """The mean loss of each epoch."""
        return [epoch.loss for epoch in self.epochs]

    def column(self, name: str) -> list[float]:
        """Return one number of each epoch: `loss`, `accuracy`, `validation loss`, …"""
        return [epoch.columns()[name] for epoch in self.epochs]

    def __len__(self) -> int:
        return len(self.epochs)

    def __str__(self) -> str:
        names = list(self.epochs[0].columns()) if self.epochs else ["loss"]
        rows = [["epoch", *names, "seconds"]]
        for epoch in self.epochs:
            numbers = [f"{value:.6g}" for value in epoch.columns().values()]
            rows.append([str(epoch.number), *numbers, f"{epoch.seconds:.2f}"])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.rjust, row, widths)) for row in rows]
        return "\n".join(lines + ([f"stopped: {self.stopped}"] if self.stopped else []))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table as a CSV file."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *(self.epochs[0].columns() if self.epochs else ["loss"])])
        for epoch in self.epochs:
            writer.writerow([epoch.number, *map(repr, epoch.columns().values())])
        write_whole(path, text.getvalue())

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Write a picture of the loss over the epochs; the suffix chooses svg, png or pdf.

        Raises: GraphError where matplotlib is not installed.
        """
        curves = {"training": self.losses}
        if self.epochs and "loss" in self.epochs[0].validation:
            curves["validation"] = self.column("validation loss")
        write_whole(path, loss_figure(curves, os.fspath(path)))


def patience(epochs: int, monitor: str = "loss") -> Callable[[History], bool]:
    """Return a `stop` rule: no improvement of a column for this many epochs.

    `monitor` names a column of the history, such as "validation loss".
    """

    def stop(history: History) -> bool:
        values = history.column(monitor)
        return len(values) - 1 - values.index(min(values)) >= epochs

    return stop
