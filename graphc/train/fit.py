"""The training loop: shuffled batches, one compiled step after another, a record of each epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from graphc.errors import GraphError, nearest
from graphc.ir.graph import Graph
from graphc.run.arguments import check_state_names
from graphc.run.compiled import CompiledFunction
from graphc.train.batches import Data, as_data
from graphc.train.diagnose import State, copied, is_finite, raise_for_step, run_step
from graphc.train.history import Epoch, History
from graphc.train.interrupt import Interrupt, deferred_interrupt
from graphc.train.progress import Reporter, progress_bar

Validation = (
    Mapping[str, Any]
    | tuple[Callable[..., Mapping[str, Any]], Mapping[str, Any]]
    | Callable[[State], Mapping[str, float]]
)


def fit(
    step: CompiledFunction,
    state: State,
    data: Mapping[str, Any],
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
    validation: Validation | None = None,
    callbacks: Iterable[Callable[[Epoch, State], object]] = (),
    progress: bool = True,
    stop: Callable[[History], bool] | None = None,
    *,
    loss: str | None = None,
    batch_dim: str | None = None,
    shuffle: bool = True,
) -> History:
    """Train: run `step` over `data` for some epochs, changing `state` in place.

    step        compiled with `minimize=…`; its updates are the training
    data        arrays by input name, all with the same number of examples
    seed        decides the order of the examples and all random draws
    validation  held-out data by input name; or (compiled function, data); or a function of the
                state that returns numbers. It never changes the state.
    callbacks   called after every epoch as callback(epoch, state)
    stop        called after every epoch with the history; true ends the training
    loss        the output to report; by default `loss`, or the first scalar output
    batch_dim   the named dim that runs over the examples; by default N

    Ctrl-C lets the running step finish and returns the history so far.

    Raises: GraphError for data that do not fit, and where the loss or a parameter stops being
    finite; the message names the node that did it, and `state` is as it was before that step.
    """
    loss = _loss_name(step.graph, loss)
    _check_numbers(step, epochs, batch_size)
    check_state_names(step.graph, state)
    loop = _Loop(step, state, as_data(step.graph, data, batch_dim), loss, batch_size, seed, shuffle)
    validate = _validator(step, validation, batch_size, batch_dim, seed)
    history = History()
    with (
        deferred_interrupt() as interrupt,
        progress_bar(epochs, loop.steps, progress) as report,
    ):
        try:
            for number in range(1, epochs + 1):
                epoch = loop.run_epoch(number, history, interrupt, report)
                if epoch is None:
                    break
                epoch = _validated(epoch, validate, state)
                history.epochs.append(epoch)
                for callback in callbacks:
                    callback(epoch, state)
                if stop is not None and stop(history):
                    history.stopped = f"by the stop rule after epoch {number}"
                    break
        except KeyboardInterrupt:
            history.stopped = "interrupted"
    return history


class _Loop:
    """What stays the same from epoch to epoch."""

    def __init__(
        self,
        step: CompiledFunction,
        state: State,
        data: Data,
        loss: str,
        batch_size: int,
        seed: int,
        shuffle: bool,
    ) -> None:
        self.step, self.state, self.data, self.loss = step, state, data, loss
        self.batch_size = 1 if data.one_by_one else batch_size
        self.steps = -(-data.count // self.batch_size)
        # Two independent streams: the order of the examples must not depend on dropout.
        self.order_rng = np.random.default_rng([seed, 0])
        self.draw_rng = np.random.default_rng([seed, 1])
        self.shuffle = shuffle
        self.scalars = [n for n, node in step.graph.outputs.items() if node.shape == ()]

    def run_epoch(
        self, number: int, history: History, interrupt: Interrupt, report: Reporter
    ) -> Epoch | None:
        """Run all steps of one epoch; None where the user interrupted it."""
        started = time.perf_counter()
        start, generator = copied(self._trained()), self.draw_rng.bit_generator.state
        order = self.order_rng.permutation(self.data.count) if self.shuffle else None
        totals = dict.fromkeys(self.scalars, 0.0)
        done = 0
        for batch in self.data.batches(self.batch_size, order):
            if interrupt.requested:
                history.stopped = f"interrupted in epoch {number}"
                return None
            outputs = run_step(self.step, self.state, batch, self.draw_rng)
            value = float(outputs[self.loss])
            if not np.isfinite(value):
                self._diagnose(number, start, generator, order)
            count = min(self.batch_size, self.data.count - done)
            for name in self.scalars:
                totals[name] += count * float(outputs[name])
            done += count
            history.step_losses.append(value)
            report(number, value)
        if not is_finite(self._trained()):
            self._diagnose(number, start, generator, order)
        means = {name: total / done for name, total in totals.items()}
        loss = means.pop(self.loss)
        return Epoch(number, loss, means, seconds=time.perf_counter() - started)

    def _trained(self) -> State:
        return {name: self.state[name] for name in self.step.graph.updates}

    def _diagnose(
        self, number: int, start: State, generator: Any, order: np.ndarray | None
    ) -> None:
        self.draw_rng.bit_generator.state = generator
        batches = self.data.batches(self.batch_size, order)
        raise_for_step(self.step, self.state, start, batches, self.loss, self.draw_rng, number)


def _check_numbers(step: CompiledFunction, epochs: int, batch_size: int) -> None:
    if not step.graph.updates:
        raise GraphError(
            f"{step.graph.name} has no updates, so it cannot train",
            fix='compile it as a step: gc.compile(g, minimize="loss", optimizer=gc.optim.sgd(0.1))',
        )
    if batch_size < 1:
        raise GraphError("a batch needs at least one example", got=f"batch_size={batch_size}")
    if epochs < 0:
        raise GraphError("the number of epochs cannot be negative", got=f"epochs={epochs}")


def _loss_name(graph: Graph, loss: str | None) -> str:
    scalars = [
        n for n, node in graph.outputs.items() if node.shape == () and node.dtype.kind == "f"
    ]
    if loss is None and scalars:
        return "loss" if "loss" in scalars else scalars[0]
    if loss in scalars:
        return str(loss)
    hint = nearest(loss, scalars) if loss else None
    raise GraphError(
        f"{graph.name} has no scalar output {loss!r}" if loss else "the step returns no loss",
        got=", ".join(f"{name}: {node.type}" for name, node in graph.outputs.items()),
        fix=f"did you mean {hint!r}?" if hint else None,
    )


# -- validation ------------------------------------------------------------------------------


def _validated(
    epoch: Epoch, validate: Callable[[State], Mapping[str, float]] | None, state: State
) -> Epoch:
    if validate is None:
        return epoch
    return Epoch(epoch.number, epoch.loss, epoch.metrics, validate(state), epoch.seconds)


def _validator(
    step: CompiledFunction,
    validation: Validation | None,
    batch_size: int,
    batch_dim: str | None,
    seed: int,
) -> Callable[[State], Mapping[str, float]] | None:
    """Return a function from the state to validation numbers."""
    if validation is None or callable(validation):
        return validation
    function: Any = step
    given: Any = validation
    if isinstance(validation, tuple):
        function, given = validation
    if not isinstance(function, CompiledFunction):
        return lambda state: _numbers(function(state, **given))
    data = as_data(function.graph, given, batch_dim)

    def validate(state: State) -> dict[str, float]:
        # Validation on the step itself runs on a copy: its updates are thrown away.
        private = copied(state) if function.graph.updates else state
        rng = np.random.default_rng([seed, 2])
        totals: dict[str, float] = {}
        done = 0
        for batch in data.batches(batch_size):
            count = 1 if data.one_by_one else min(batch_size, data.count - done)
            outputs = run_step(function, private, batch, rng)
            for name, value in _numbers(outputs).items():
                totals[name] = totals.get(name, 0.0) + count * value
            done += count
            for name in function.graph.updates:
                private[name][...] = state[name]
        return {name: total / done for name, total in totals.items()}

    return validate


def _numbers(outputs: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in outputs.items() if np.ndim(value) == 0}
