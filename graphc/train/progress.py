"""A progress bar on stderr, shown only where a person watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Reporter(Protocol):
    """What the training loop tells about its progress."""

    def __call__(self, epoch: int, loss: float) -> None:
        """Report one finished step."""


@contextmanager
def progress_bar(steps: int, epochs: int, done: int, wanted: bool) -> Iterator[Reporter]:
    """Show a bar over all steps while the loop runs, if wanted and stderr is a terminal.

    `done` steps were taken before this run.
    """
    if not wanted or not sys.stderr.isatty():
        yield _silent
        return
    # rich is loaded only where there is a bar to draw.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch {task.fields[epoch]}/" + str(epochs)),
        BarColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=steps, completed=done, epoch=1, loss="")

        def report(epoch: int, loss: float) -> None:
            bar.update(task, advance=1, epoch=epoch, loss=f"loss {loss:.4g}")

        yield report


def _silent(epoch: int, loss: float) -> None:
    return None
