"""One epoch after another: batches in a seeded order, and where a run stands between two steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.run.compiled import CompiledFunction
from graphc.train.batches import Batch, Data
from graphc.train.diagnose import (
    State,
    copied,
    during,
    is_finite,
    raise_for_step,
    run_step,
)
from graphc.train.history import Epoch, History
from graphc.train.interrupt import Interrupt
from graphc.train.metrics import Metric, add, numbers
from graphc.train.progress import Reporter

#: augment(batch, rng) -> the batch that the step sees.
Augment = Callable[[Batch, np.random.Generator], Mapping[str, Any]]


@dataclass
class Position:
    """Where a run stands: the epoch under way, and what its finished steps have summed up."""

    epoch: int = 1
    done: int = 0  # examples of this epoch that were trained on
    totals: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


class Streams:
    """The random streams of a run, independent of each other.

    The order of the examples must not depend on how much dropout or augmentation draw.
    """

    def __init__(self, seed: int) -> None:
        self.order = np.random.default_rng([seed, 0])
        self.draws = np.random.default_rng([seed, 1])
        self.augment = np.random.default_rng([seed, 3])  # 2 is validation's

    def state(self) -> dict[str, Any]:
        """Return all states as plain numbers and text."""
        return {name: rng.bit_generator.state for name, rng in vars(self).items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state()` returned."""
        for name, rng in vars(self).items():
            rng.bit_generator.state = state[name]


class Loop:
    """What stays the same from epoch to epoch, and the position of the run."""

    def __init__(
        self,
        step: CompiledFunction,
        state: State,
        data: Data,
        loss: str,
        batch_size: int,
        seed: int,
        shuffle: bool,
        metrics: Mapping[str, Metric],
        augment: Augment | None,
    ) -> None:
        self.step, self.state, self.data, self.loss = step, state, data, loss
        self.batch_size = 1 if data.one_by_one else batch_size
        self.seed, self.shuffle, self.metrics, self.augment = seed, shuffle, metrics, augment
        self.steps = -(-data.count // self.batch_size)
        self.streams = Streams(seed)
        self.position = Position()
        #: The streams as they stand before the next step; `order` as before this epoch's shuffle.
        self.at_step = self.streams.state()

    def run_epoch(self, history: History, interrupt: Interrupt, report: Reporter) -> Epoch | None:
        """Run the rest of the epoch under way; None where the user interrupted it."""
        position, started = self.position, time.perf_counter()
        self.streams.restore(self.at_step)
        start, streams, done = copied(self.trained()), self.at_step, position.done
        for batch in self._batches():
            outputs = self._stepped(batch)
            value = float(outputs[self.loss])
            if not np.isfinite(value):
                self._diagnose(start, streams, done)
            count = min(self.batch_size, self.data.count - position.done)
            add(position.totals, numbers(outputs, batch, self.metrics), count)
            position.done += count
            history.step_losses.append(value)
            report(position.epoch, value)
            if interrupt.requested and position.done < self.data.count:
                position.seconds += time.perf_counter() - started
                self.at_step = {**self.streams.state(), "order": streams["order"]}
                return None
        if not is_finite(self.trained()):
            self._diagnose(start, streams, done)
        means = {name: total / position.done for name, total in position.totals.items()}
        loss, seconds = means.pop(self.loss), position.seconds + time.perf_counter() - started
        self.position = Position(position.epoch + 1)
        self.at_step = self.streams.state()
        return Epoch(position.epoch, loss, means, seconds=seconds)

    def _stepped(self, batch: Batch) -> dict[str, Any]:
        """Take one step; a batch that does not fit is told with its place in the run."""
        try:
            return run_step(self.step, self.state, batch, self.streams.draws)
        except GraphError as error:
            step = self.position.done // self.batch_size + 1
            place = f"training stopped at epoch {self.position.epoch}, step {step}"
            raise during(place, error) from None

    def trained(self) -> State:
        """Return the arrays that a step changes."""
        return {name: self.state[name] for name in self.step.graph.updates}

    def _batches(self) -> Iterator[Batch]:
        """Return this epoch's batches from the position on, as the step sees them."""
        count = self.data.count
        order = self.streams.order.permutation(count) if self.shuffle else None
        for batch in self.data.batches(self.batch_size, order, self.position.done):
            if self.augment is None:
                yield batch
            else:
                yield {**batch, **self._augmented(batch)}

    def _augmented(self, batch: Batch) -> Mapping[str, Any]:
        """Return the arrays that the user's function changes."""
        assert self.augment is not None
        changed: Any = self.augment(batch, self.streams.augment)
        if not isinstance(changed, Mapping):
            raise GraphError(
                "augment returns the arrays that it changes, by name",
                got=f"a value of type {type(changed).__name__}",
                expected='such as {"x": …}',
            )
        return changed

    def _diagnose(self, start: State, streams: Mapping[str, Any], done: int) -> None:
        """Go back to where `run_epoch` began, and raise for the step that broke the run."""
        self.streams.restore(streams)
        epoch, self.position.done = self.position.epoch, done
        first = done // self.batch_size + 1
        raise_for_step(
            self.step,
            self.state,
            start,
            enumerate(self._batches(), first),
            self.loss,
            self.streams.draws,
            epoch,
        )
