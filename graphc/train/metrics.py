"""Numbers that tell how well a batch went, beside the graph's own scalar outputs."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.errors import GraphError, did_you_mean
from graphc.train.batches import Batch

#: metric(outputs, batch) -> the mean over the batch's examples.
Metric = Callable[[Mapping[str, Any], Batch], float]


def accuracy(prediction: str = "p", target: str = "y") -> Metric:
    """Return a metric: the share of right decisions.

    `prediction` names an output: scores or probabilities of classes [N, K], where the largest
    decides, or the probability of class 1, [N] or [N, 1], where ½ decides. `target` names an
    input: class indices [N] or [N, 1], or one-hot rows [N, K].

    Raises (when called): GraphError where the output or the input is missing, or their shapes
    do not fit.
    """

    def share_right(outputs: Mapping[str, Any], batch: Batch) -> float:
        p = np.asarray(_named(outputs, prediction, "output"))
        y = np.asarray(_named(batch, target, "input"))
        shapes = f"{prediction} {list(p.shape)}, {target} {list(y.shape)}"
        if p.ndim > 1 and p.shape[-1] == 1:  # one unit: the probability of class 1
            p = p[..., 0]
            y = y[..., 0] if y.ndim > p.ndim and y.shape[-1] == 1 else y
        elif y.ndim > 1 and y.shape[-1] == 1 and y.ndim >= p.ndim:  # a column of classes
            y = y[..., 0]
        classes = y.argmax(axis=-1) if y.ndim == p.ndim and p.ndim > 1 else y
        decided = p.argmax(axis=-1) if p.ndim > classes.ndim else p > 0.5
        is_other_rows = y.ndim == p.ndim > 1 and y.shape != p.shape
        if is_other_rows or decided.shape != classes.shape:
            raise GraphError(
                "accuracy: predictions and classes do not fit",
                got=shapes,
                expected="[N, K] or [N], and one class for each of N, or one-hot rows [N, K]",
            )
        return float(np.mean(decided == classes))

    return share_right


def _named(values: Mapping[str, Any], name: str, kind: str) -> Any:
    if name in values:
        return values[name]
    raise GraphError(
        f"accuracy: the graph has no {kind} called {name!r}",
        expected=", ".join(values),
        fix=did_you_mean(name, values),
    )


def numbers(
    outputs: Mapping[str, Any], batch: Batch, metrics: Mapping[str, Metric]
) -> dict[str, float]:
    """Return all scalar outputs, and the metrics of a batch, by name."""
    found = {name: float(value) for name, value in outputs.items() if np.ndim(value) == 0}
    measured = {name: metric(outputs, batch) for name, metric in metrics.items()}
    return found | {name: as_number(f"the metric {name!r}", x) for name, x in measured.items()}


def as_number(what: str, value: Any) -> float:
    """Return a number to record, or raise where a user's function returned none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        shape = np.shape(value) if isinstance(value, np.ndarray) else ()
        got = f"an array of shape {[*shape]}" if shape else reprlib.repr(value)
        raise GraphError(f"{what} is no number", got=got) from None


def add(totals: dict[str, float], found: Mapping[str, float], count: int) -> None:
    """Add the numbers of a batch of `count` examples to running totals."""
    for name, value in found.items():
        totals[name] = totals.get(name, 0.0) + count * value
