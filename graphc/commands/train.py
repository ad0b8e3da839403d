"""Train a model on arrays in files; everything that can be refused is refused before it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from graphc.commands.files import check_writable, save_arrays
from graphc.commands.values import load_arrays
from graphc.errors import GraphError
from graphc.run.compiled import CompiledFunction
from graphc.run.figures import FORMATS, matplotlib_module
from graphc.train import History, accuracy, fit, patience
from graphc.train.batches import sizes_of_state
from graphc.train.metrics import Metric


def train(
    step: CompiledFunction,
    data: str,
    *,
    loss: str,
    epochs: int,
    batch_size: int,
    seed: int,
    sizes: Mapping[str, int],
    validation: str | None = None,
    wait: int | None = None,
    right: str | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    plot: Path | None = None,
    output: Path | None = None,
) -> History:
    """Train on the arrays of an `.npz` file, write what was asked for, return the history.

    batch_size  0 takes all examples at once
    sizes       of the parameters' named dims that the data do not tell
    wait        epochs without improvement of the loss, validation's if there is any, that end it
    right       `OUTPUT=INPUT`: report how often the output decides for the input's class
    """
    if plot is not None:
        check_writable(plot, *FORMATS)
        matplotlib_module()
    if output is not None:
        check_writable(output, "npz")
    metrics = _metrics(right)
    arrays = load_arrays(data)
    state = step.init(seed=seed, **sizes_of_state(step.graph, arrays, sizes))
    history = fit(
        step,
        state,
        arrays,
        epochs,
        batch_size or None,
        seed,
        load_arrays(validation) if validation else None,
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


def _rule(wait: int | None, monitor: str) -> Callable[[History], bool] | None:
    return None if wait is None else patience(wait, monitor)


def _metrics(right: str | None) -> dict[str, Metric]:
    if right is None:
        return {}
    output, equals, target = (part.strip() for part in right.partition("="))
    if not (output and equals and target):
        raise GraphError("cannot read what to count as right", got=right, expected="such as p=y")
    return {"accuracy": accuracy(output, target)}
