"""When a loss is no longer finite: go back to the step that broke it and name the node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np

from graphc.errors import GraphError
from graphc.run.compiled import CompiledFunction
from graphc.run.reference import bind, evaluate
from graphc.train.batches import Batch

State = dict[str, np.ndarray]


def is_finite(state: Mapping[str, np.ndarray]) -> bool:
    """Say whether no parameter holds a NaN or an infinity."""
    return all(bool(np.isfinite(array).all()) for array in state.values())


def copied(state: Mapping[str, np.ndarray]) -> State:
    return {name: np.array(array) for name, array in state.items()}


def restore(state: State, saved: Mapping[str, np.ndarray]) -> None:
    """Write saved values back into the arrays of a state."""
    for name, array in saved.items():
        state[name][...] = array


def during(words: str, error: GraphError) -> GraphError:
    """Return the same error, told with what went on when it was found."""
    return GraphError(
        f"{words}: {error.what}",
        where=error.where,
        got=error.got,
        expected=error.expected,
        fix=error.fix,
    )


def raise_for_step(
    step: CompiledFunction,
    state: State,
    start: State,
    batches: Iterable[tuple[int, Batch]],
    loss: str,
    rng: np.random.Generator,
    epoch: int,
) -> NoReturn:
    """Replay numbered batches from the state at `start`; raise a GraphError about the step that
    broke the run.

    Replaying costs nothing while training goes well; only one copy of the state each epoch. The
    state is left as it was before that step: whole and finite.
    """
    restore(state, start)
    for number, batch in batches:
        before, generator = copied(state), rng.bit_generator.state
        outputs = run_step(step, state, batch, rng)
        if np.isfinite(outputs[loss]) and is_finite(state):
            continue
        restore(state, before)
        rng.bit_generator.state = generator
        where = f"epoch {epoch}, step {number}"
        _raise_for_node(step, state, batch, rng, where)
        raise GraphError(
            f"the {loss} is {float(outputs[loss])!r}, or an update is not finite",
            where=where,
            fix="the reference stays finite: lower the learning rate, or compute in float64",
        )
    raise GraphError(f"the {loss} is not finite", where=f"epoch {epoch}")


def run_step(
    step: CompiledFunction, state: State, batch: Batch, rng: np.random.Generator
) -> dict[str, Any]:
    """Call a step on a batch, with the generator where it draws random numbers."""
    return step(state, rng=rng, **batch) if step.draws else step(state, **batch)


def _raise_for_node(
    step: CompiledFunction,
    state: State,
    batch: Batch,
    rng: np.random.Generator,
    where: str,
) -> None:
    """Evaluate the step by the reference, which raises at the first node that is not finite."""
    env, sizes = bind(step.graph, state, batch)
    try:
        evaluate(
            step.graph.roots(),
            env,
            sizes=sizes,
            rng=rng,
            check_finite=True,
            labels=step.graph.labels,
        )
    except GraphError as error:
        raise GraphError(
            f"training stopped at {where}: {error.what}",
            where=error.where,
            got=error.got,
            fix=error.fix or _advice(batch),
        ) from None


def _advice(batch: Batch) -> str:
    """Return the likely fix: of the data where they are to blame, of the step otherwise."""
    for name, value in batch.items():
        array = np.asarray(value)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return f"look at the data: np.argwhere(~np.isfinite({name}))"
    return "lower the learning rate, or scale the inputs"
