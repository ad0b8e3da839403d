"""The training loop: shuffled batches, one compiled step after another, a record of each epoch."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphc.build.arrays.whole_numbers import whole
from graphc.errors import GraphWarning
from graphc.run.arguments import check_state_names
from graphc.run.compiled import CompiledFunction
from graphc.run.indices import counted_from_the_end
from graphc.train import checkpoint as files
from graphc.train.batches import as_data
from graphc.train.callbacks import Callback
from graphc.train.diagnose import State
from graphc.train.history import History
from graphc.train.interrupt import Interrupt, deferred_interrupt
from graphc.train.loop import Augment, Loop
from graphc.train.metrics import Metric
from graphc.train.progress import Reporter, progress_bar
from graphc.train.settings import (
    check_function,
    check_step,
    checked_callbacks,
    checked_metrics,
    loss_name,
)
from graphc.train.validation import Validate, Validation, validated, validator


def fit(
    step: CompiledFunction,
    state: State,
    data: Mapping[str, Any],
    epochs: int = 10,
    batch_size: int | None = 32,
    seed: int = 0,
    validation: Validation | None = None,
    callbacks: Iterable[Callback] = (),
    progress: bool = True,
    stop: Callable[[History], bool] | None = None,
    *,
    metrics: Mapping[str, Metric] | None = None,
    augment: Augment | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    loss: str | None = None,
    batch_dim: str | None = None,
    shuffle: bool = True,
) -> History:
    """Train: run `step` over `data` for some epochs, changing `state` in place.

    step        compiled with `minimize=…`; its updates are the training
    data        arrays by input name, all with the same number of examples
    batch_size  examples a step; 1 for one at a time, None for all at once. The last batch of an
                epoch is smaller where it does not divide.
    seed        decides the order of the examples and all random draws
    validation  held-out data by input name, evaluated in test mode after every epoch; or
                (compiled function, data); or a function of the state that returns numbers
    callbacks   called after every epoch as callback(epoch, state)
    stop        called after every epoch with the history; true ends the training: `patience`
    metrics     numbers to record beside the graph's scalar outputs, by name: `accuracy()`, or any
                function metric(outputs, batch)
    augment     called for every training batch as augment(batch, rng); returns the arrays that it
                changes: random crops, flips, noise
    checkpoint  an .npz file, written after every epoch and where Ctrl-C stops the run
    resume      go on from the checkpoint, if it is there: to the same numbers, bit by bit, as a
                run that was never stopped. `epochs` counts those before, too.
    loss        the output to report; by default `loss`, or the first scalar output
    batch_dim   the named dim that runs over the examples; by default N

    Examples may have weights: give the graph an input of weights [N] and a loss that uses it.
    Ctrl-C lets the running step finish and returns the history so far.

    Raises: GraphError for data that do not fit, and where the loss or a parameter stops being
    finite; the message names the node that did it, and `state` is as it was before that step.
    """
    check_step(step)
    loss = loss_name(step.graph, loss)
    check_state_names(step.graph, state)
    epochs, seed = whole("epochs", epochs, 0), whole("seed", seed, 0)
    examples = as_data(step.graph, data, batch_dim)
    for name in sorted(counted_from_the_end(step.graph.nodes, examples.arrays)):
        warnings.warn(
            f"data {name!r} hold indices below 0, which count from the end: -1 is the last; "
            "for labels that mean nothing there is ignore_index=-1",
            GraphWarning,
            stacklevel=2,
        )
    size = examples.count
    if batch_size is not None:
        size = whole("batch_size", batch_size, 1, fix="None takes all examples at once")
    chosen, called = checked_metrics(step.graph, metrics), checked_callbacks(callbacks)
    check_function("stop", stop, "gc.train.patience(5)")
    check_function("augment", augment, "lambda batch, rng: {...}")
    loop = Loop(step, state, examples, loss, size, seed, shuffle, chosen, augment)
    path = files.checked_path(checkpoint, resume)
    validate = validator(step, validation, chosen, size, batch_dim, seed)
    history = files.resume(loop, path) if path and resume and path.exists() else History()
    steps_before = len(history.step_losses)
    with (
        deferred_interrupt() as interrupt,
        progress_bar(epochs * loop.steps, epochs, steps_before, progress) as report,
    ):
        try:
            _run(loop, history, epochs, interrupt, report, validate, called, stop, path)
        except KeyboardInterrupt:
            history.stopped = "interrupted"
    return history


def _run(
    loop: Loop,
    history: History,
    epochs: int,
    interrupt: Interrupt,
    report: Reporter,
    validate: Validate | None,
    callbacks: Sequence[Callback],
    stop: Callable[[History], bool] | None,
    path: Path | None,
) -> None:
    """Run the epochs that are left, and add their records to the history."""
    while loop.position.epoch <= epochs:
        if stop is not None and history.epochs and stop(history):
            history.stopped = f"by the stop rule after epoch {len(history)}"
            return
        epoch = None if interrupt.requested else loop.run_epoch(history, interrupt, report)
        if epoch is None:
            history.stopped = f"interrupted in epoch {loop.position.epoch}"
        else:
            if validate is not None:
                epoch = replace(epoch, validation=validated(validate, loop.state))
            history.epochs.append(epoch)
            for callback in callbacks:
                callback(epoch, loop.state)
        if path is not None:
            files.taken(loop, history).save(path)
        if epoch is None:
            return
