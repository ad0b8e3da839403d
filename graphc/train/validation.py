"""How good is a state on data that it was not trained on? Always in test mode, never a change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.run.compiled import CompiledFunction
from graphc.train.batches import as_data
from graphc.train.diagnose import State, during, run_step
from graphc.train.metrics import Metric, add, as_number, numbers

Validation = (
    Mapping[str, Any]
    | tuple[Callable[..., Mapping[str, Any]], Mapping[str, Any]]
    | Callable[[State], Mapping[str, float]]
)
Validate = Callable[[State], Mapping[str, float]]

#: Batches of validation only bound the memory; the numbers are means over all examples.
_AT_LEAST = 256


def validator(
    step: CompiledFunction,
    validation: Validation | None,
    metrics: Mapping[str, Metric],
    batch_size: int,
    batch_dim: str | None,
    seed: int,
) -> Validate | None:
    """Return a function from the state to validation numbers."""
    if validation is None or callable(validation):
        return validation
    function: Any = step
    given: Any = validation
    if isinstance(validation, tuple):
        function, given = _pair(validation)
    if not isinstance(function, CompiledFunction):
        return lambda state: numbers(function(state, **given), given, metrics)
    if function.graph.updates:
        function = function.for_inference()
    return _evaluator(function, given, metrics, max(batch_size, _AT_LEAST), batch_dim, seed)


def validated(validate: Validate, state: State) -> dict[str, float]:
    """Return the validation numbers of a state, or raise where a user's function gives none."""
    found: Any = validate(state)
    if not isinstance(found, Mapping):
        raise GraphError("validation returns numbers by name", got=repr(found))
    return {name: as_number(f"the validation {name!r}", value) for name, value in found.items()}


def _pair(validation: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return (function, data), or raise where arrays were given without names."""
    if len(validation) == 2 and callable(validation[0]) and isinstance(validation[1], Mapping):
        return validation
    raise GraphError(
        "validation data are arrays by name",
        got="a tuple of " + ", ".join(type(part).__name__ for part in validation),
        expected='{"x": …, "y": …}, or (compiled function, {"x": …})',
    )


def _evaluator(
    function: CompiledFunction,
    given: Mapping[str, Any],
    metrics: Mapping[str, Metric],
    batch_size: int,
    batch_dim: str | None,
    seed: int,
) -> Validate:
    try:
        data = as_data(function.graph, given, batch_dim)
    except GraphError as error:
        raise during("validation", error) from None
    size = 1 if data.one_by_one else batch_size

    def validate(state: State) -> dict[str, float]:
        rng = np.random.default_rng([seed, 2])
        totals: dict[str, float] = {}
        done = 0
        for batch in data.batches(size):
            count = min(size, data.count - done)
            try:
                outputs = run_step(function, state, batch, rng)
            except GraphError as error:
                raise during("validation", error) from None
            add(totals, numbers(outputs, batch, metrics), count)
            done += count
        return {name: total / done for name, total in totals.items()}

    return validate
