"""What happened during training: one record an epoch, as a table, a file or a plot."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from graphc.build.arrays.whole_numbers import whole
from graphc.errors import GraphError, did_you_mean
from graphc.run.figures import save_figure
from graphc.run.files import write_whole
from graphc.train.plot import history_figure

#: A longer run is shown without its middle, by so many epochs at each end.
_MOST_SHOWN, _ENDS = 60, 10


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

    @property
    def columns(self) -> list[str]:
        """The names of all numbers that were recorded, in order of first appearance."""
        names = [name for epoch in self.epochs for name in epoch.columns()]
        return list(dict.fromkeys(names)) or ["loss"]

    def column(self, name: str) -> list[float]:
        """Return one number of each epoch: `loss`, `accuracy`, `validation loss`, …

        Raises: GraphError where an epoch has no such number.
        """
        rows = [epoch.columns() for epoch in self.epochs]
        if any(name not in row for row in rows):
            held_out = name.startswith("validation ") and not any(e.validation for e in self.epochs)
            hint = did_you_mean(name, self.columns)
            raise GraphError(
                f"the history has no column {name!r}",
                expected=", ".join(self.columns),
                fix="give fit validation data" if held_out else hint,
            )
        return [row[name] for row in rows]

    def __len__(self) -> int:
        return len(self.epochs)

    def _cells(self) -> list[list[str]]:
        """Return the table as text: titles, then one row an epoch; long runs lack their middle."""
        names = self.columns
        rows = [["epoch", *names, "seconds"]]
        if len(self.epochs) <= _MOST_SHOWN:
            return rows + [_row(epoch, names) for epoch in self.epochs]
        rows += [_row(epoch, names) for epoch in self.epochs[:_ENDS]]
        rows.append(["⋮"] * len(rows[0]))
        return rows + [_row(epoch, names) for epoch in self.epochs[-_ENDS:]]

    def __str__(self) -> str:
        rows = self._cells()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.rjust, row, widths)) for row in rows]
        return "\n".join(lines + ([f"stopped: {self.stopped}"] if self.stopped else []))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *rows = self._cells()
        lines = ["<table>", _html_row("th", head), *[_html_row("td", row) for row in rows]]
        remark = [f"<p>stopped: {escape(self.stopped)}</p>"] if self.stopped else []
        return "\n".join([*lines, "</table>", *remark])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table as a CSV file.

        Raises: GraphError for a path with another ending, and where it cannot be written.
        """
        if Path(path).suffix.lower() not in (".csv", ""):
            columns = "{name: history.column(name) for name in history.columns}"
            raise GraphError(
                f"cannot write a history as {os.fspath(path)!r}",
                expected=".csv",
                fix=f"for another format, these are its numbers: {columns}",
            )
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *self.columns])
        for epoch in self.epochs:
            found = epoch.columns()
            numbers = [repr(found[name]) if name in found else "" for name in self.columns]
            writer.writerow([epoch.number, *numbers])
        write_whole(path, text.getvalue())

    def plot(self, path: str | os.PathLike[str], *names: str) -> None:
        """Write a picture of the loss, or of the named numbers, over the epochs.

        Each name (`loss`, `accuracy`, …) is one panel with its curves of training and validation,
        as far as both were recorded. The suffix chooses svg, png or pdf.

        Raises: GraphError for an unknown name, and where matplotlib is not installed.
        """
        panels = {name: self._curves(name) for name in names or ("loss",)}
        save_figure(path, lambda: history_figure(panels))

    def _curves(self, name: str) -> dict[str, list[tuple[int, float]]]:
        columns = {"training": name, "validation": f"validation {name}"}
        found = {
            label: [(e.number, e.columns()[c]) for e in self.epochs if c in e.columns()]
            for label, c in columns.items()
            if c in self.columns
        }
        if not found:
            self.column(name)
        return found


def _row(epoch: Epoch, names: Sequence[str]) -> list[str]:
    found = epoch.columns()
    numbers = [f"{found[name]:.6g}" if name in found else "" for name in names]
    return [str(epoch.number), *numbers, f"{epoch.seconds:.2f}"]


def _html_row(kind: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in cells) + "</tr>"


def patience(
    epochs: int, monitor: str = "loss", *, least: float = 0.0, higher_is_better: bool = False
) -> Callable[[History], bool]:
    """Return a `stop` rule: no improvement of a column for this many epochs.

    monitor           a column of the history, such as "validation loss"
    least             a smaller change than this is no improvement
    higher_is_better  for an accuracy, say
    """
    epochs = whole("epochs", epochs, 1, of="patience")
    sign = -1.0 if higher_is_better else 1.0

    def stop(history: History) -> bool:
        best, since = math.inf, 0
        for value in history.column(monitor):
            if sign * value < best - least:
                best, since = sign * value, 0
            else:
                since += 1
        return since >= epochs

    return stop
