"""Train a model on arrays in files; everything that can be refused is refused before it starts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.commands.files import check_writable, save_arrays
from graphc.commands.values import parse_values, split_state
from graphc.errors import GraphError, GraphWarning
from graphc.run.arguments import as_array
from graphc.run.compiled import CompiledFunction
from graphc.run.figures import FORMATS, matplotlib_module
from graphc.train import History, accuracy, fit, patience
from graphc.train.batches import sizes_of_state
from graphc.train.metrics import Metric


def train(
    step: CompiledFunction,
    data: Sequence[str],
    *,
    loss: str,
    epochs: int,
    batch_size: int,
    seed: int,
    at: Mapping[str, Any],
    validation: Sequence[str] | None = None,
    wait: int | None = None,
    right: str | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    plot: Path | None = None,
    output: Path | None = None,
) -> History:
    """Train on arrays of files, write what was asked for, return the history.

    data        `.npz` files with inputs by name, or words such as `x=@x.npy`
    batch_size  0 takes all examples at once
    at          first values of parameters, and sizes of their named dims that the data do not tell
    wait        epochs without improvement of the loss, validation's if there is any, that end it
    right       `OUTPUT=INPUT`: report how often the output decides for the input's class
    """
    if plot is not None:
        check_writable(plot, *FORMATS)
        matplotlib_module()
    if output is not None:
        check_writable(output, "npz")
    metrics = _metrics(right)
    arrays = _examples(step, data, tell=True)
    first, sizes = split_state(at, step.graph.params)
    state = step.init(seed=seed, **sizes_of_state(step.graph, arrays, sizes))
    for name, value in first.items():
        _put(state[name], value, f"parameter {name!r}")
    history = fit(
        step,
        state,
        arrays,
        epochs,
        batch_size or None,
        seed,
        _examples(step, validation, tell=False) if validation else None,
        stop=_rule(wait, f"validation {loss}" if validation else "loss"),
        metrics=metrics,
        checkpoint=checkpoint,
        resume=resume,
        loss=loss,
    )
    if plot is not None:
        history.plot(plot, "loss", *metrics)
    if output is not None:
        # Without the optimizer's slots: `graphc run --at @state.npz` takes the model's parameters.
        params = step.graph.params
        save_arrays(output, {n: state[n] for n, leaf in params.items() if not leaf.attrs["slot"]})
    return history


def _put(array: np.ndarray, value: Any, label: str) -> None:
    """Write a given value of a parameter over its initial one."""
    given = as_array(value, array.dtype, label)
    if given.shape != array.shape:
        raise GraphError(
            f"{label} has the wrong shape", got=str([*given.shape]), expected=str([*array.shape])
        )
    array[...] = given


def _examples(step: CompiledFunction, items: Sequence[str], *, tell: bool) -> dict[str, Any]:
    """Return the arrays that the step takes; a file may hold more, which `tell` warns of."""
    arrays, inputs = parse_values(items), step.graph.inputs
    spare = ", ".join(repr(name) for name in arrays if name not in inputs)
    if not spare or any(name not in arrays for name in inputs):
        return arrays  # what is missing may be there under another name: `fit` tells of both
    if tell:
        warnings.warn(f"{step.graph.name} has no input called {spare}: left out", GraphWarning, 2)
    return {name: arrays[name] for name in inputs}


def _rule(wait: int | None, monitor: str) -> Callable[[History], bool] | None:
    return None if wait is None else patience(wait, monitor)


def _metrics(right: str | None) -> dict[str, Metric]:
    if right is None:
        return {}
    output, equals, target = (part.strip() for part in right.partition("="))
    if not (output and equals and target):
        raise GraphError("cannot read what to count as right", got=right, expected="such as p=y")
    return {"accuracy": accuracy(output, target)}
