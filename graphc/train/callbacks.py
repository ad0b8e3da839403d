"""What may happen after every epoch: any function of its record and the state; one ready-made."""

from __future__ import annotations

import math
from typing import Protocol

from graphc.errors import GraphError, did_you_mean
from graphc.train.diagnose import State, copied, restore
from graphc.train.history import Epoch


class Callback(Protocol):
    """Called after every epoch with its record and the state, which it may read and keep."""

    def __call__(self, epoch: Epoch, state: State, /) -> object:
        """Do something; what it returns is not read, what it raises ends the training."""


class KeepBest:
    """A callback that remembers the state of the best epoch.

    best = gc.train.KeepBest("validation loss")
    gc.train.fit(step, state, data, validation=held_out, callbacks=[best])
    best.restore(state)
    """

    def __init__(self, monitor: str = "validation loss", *, higher_is_better: bool = False) -> None:
        self.monitor = monitor
        self.sign = -1.0 if higher_is_better else 1.0
        self.value = math.inf * self.sign
        self.epoch = 0
        self.state: State = {}

    def __call__(self, epoch: Epoch, state: State, /) -> None:
        columns = epoch.columns()
        if self.monitor not in columns:
            raise GraphError(
                f"KeepBest: an epoch has no number called {self.monitor!r}",
                expected=", ".join(columns),
                fix=did_you_mean(self.monitor, columns) or "give fit validation data",
            )
        value = columns[self.monitor]
        is_first = not self.state or (math.isnan(self.value) and not math.isnan(value))
        if is_first or self.sign * value < self.sign * self.value:
            self.value, self.epoch, self.state = value, epoch.number, copied(state)

    def restore(self, state: State) -> None:
        """Write the best epoch's values into the arrays of a state.

        Raises: GraphError where no epoch has ended yet.
        """
        if not self.state:
            raise GraphError("KeepBest has seen no epoch, so there is nothing to restore")
        restore(state, self.state)
