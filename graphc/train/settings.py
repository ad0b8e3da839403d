"""What a training run is asked to do, checked before it starts: one clear error a mistake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphc.errors import GraphError, did_you_mean
from graphc.ir.graph import Graph, scalar_outputs
from graphc.ir.labels import typed_names
from graphc.run.compiled import CompiledFunction
from graphc.train.callbacks import Callback
from graphc.train.metrics import Metric

_COMPILE = 'step = gc.compile(g, minimize="loss", optimizer=gc.optim.sgd(0.1))'


def check_step(step: Any) -> None:
    """Raise a GraphError unless `step` is a compiled function with updates."""
    if not isinstance(step, CompiledFunction):
        kind = "a graph" if isinstance(step, Graph) else f"a value of type {type(step).__name__}"
        raise GraphError("fit trains a compiled step", got=kind, fix=_COMPILE)
    if not step.graph.updates:
        raise GraphError(f"{step.graph.name} has no updates, so it cannot train", fix=_COMPILE)


def loss_name(graph: Graph, loss: str | None) -> str:
    """Return the output to report: the named one, else `loss`, else the first scalar."""
    scalars = scalar_outputs(graph)
    if loss is None and scalars:
        return "loss" if "loss" in scalars else scalars[0]
    if loss in scalars:
        return str(loss)
    raise GraphError(
        f"{graph.name} has no scalar output {loss!r}" if loss else "the step returns no loss",
        got=typed_names(graph.outputs),
        fix=did_you_mean(loss, scalars) if loss else None,
    )


def checked_metrics(graph: Graph, metrics: Any) -> dict[str, Metric]:
    """Return metrics by name; each is a function, and none is called like an output."""
    chosen: Mapping[str, Metric] = {} if metrics is None else metrics
    if not isinstance(chosen, Mapping) or not all(map(callable, chosen.values())):
        raise GraphError(
            "metrics are functions by name",
            got=repr(metrics),
            expected='{"accuracy": gc.train.accuracy("p", "y")}',
        )
    for name in chosen:
        if name in graph.outputs:
            raise GraphError(
                f"a metric is called {name!r}, like an output of {graph.name}",
                fix="give it another name; scalar outputs are recorded anyway",
            )
    return dict(chosen)


def checked_callbacks(callbacks: Any) -> tuple[Callback, ...]:
    """Return several callbacks; one that is given alone is told to stand in a list."""
    given = tuple(callbacks) if isinstance(callbacks, Iterable) else (None,)
    if not all(map(callable, given)):
        raise GraphError(
            "callbacks are functions of the epoch and the state, in a list", got=repr(callbacks)
        )
    return given


def check_function(name: str, value: Any, example: str) -> None:
    """Raise a GraphError where an optional setting is neither None nor a function."""
    if value is not None and not callable(value):
        raise GraphError(f"{name} is a function", got=repr(value), expected=f"such as {example}")
