"""Random restarts: train from several initializations and keep the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphc.errors import GraphError
from graphc.run.compiled import CompiledFunction
from graphc.train.batches import sizes_of_state
from graphc.train.diagnose import State
from graphc.train.fit import fit
from graphc.train.history import History


@dataclass(frozen=True)
class Restart:
    """One run from its own initialization, and the number that it reached."""

    seed: int
    value: float
    state: State = field(repr=False)
    history: History = field(repr=False)


def random_restarts(
    step: CompiledFunction,
    data: Mapping[str, Any],
    seeds: Iterable[int] = range(10),
    monitor: str = "loss",
    accept: Callable[[float], bool] | None = None,
    sizes: Mapping[str, int] | None = None,
    **settings: Any,
) -> list[Restart]:
    """Train once from each seed's initialization; return the runs, the best first.

    monitor   the column of the history whose last value is to be low
    accept    ends the search at the first run whose number it accepts
    sizes     of parameters' named dims, where no input has them
    settings  go to `fit`

    Raises: GraphError where there is no seed, a size is missing, or `fit` raises one.
    """
    if not isinstance(seeds, Iterable):
        raise GraphError("seeds are several numbers", got=repr(seeds), fix=f"range({seeds!r})")
    runs = []
    sizes = sizes_of_state(step.graph, data, sizes or {}, settings.get("batch_dim"))
    for seed in seeds:
        state = step.init(seed=seed, **sizes)
        history = fit(step, state, data, seed=seed, **settings)
        runs.append(Restart(seed, history.column(monitor)[-1], state, history))
        if accept is not None and accept(runs[-1].value):
            break
    if not runs:
        raise GraphError("random restarts need at least one seed", got="no seeds")
    return sorted(runs, key=lambda run: (math.isnan(run.value), run.value))
