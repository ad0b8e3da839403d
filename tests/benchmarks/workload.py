"""What a workload is: one piece of training work, written once for each contestant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import graphc as gc

Arrays = dict[str, np.ndarray]
#: A loss in the words that NumPy, JAX, autograd and PyTensor share: `loss(np, params, data)`.
Loss = Callable[[Any, Mapping[str, Any], Mapping[str, Any]], Any]
#: Makes a function of no arguments that does the work once and returns the results by name.
ByHand = Callable[[Arrays, Arrays], Callable[[], Mapping[str, Any]]]


@dataclass(frozen=True)
class Workload:
    """The loss and its gradient with respect to `params`; with `rate`, one step of plain descent.

    `by_hand` returns what it computed under the parameters' names (the gradients, or the new
    values) and under "loss". `losses` holds a contestant's own way of writing the loss, where the
    shared one would be unfair to it or does not run there. `left_out` says why a contestant does
    not take part. `naive` makes what a student writes straight from the formulas. `small` is the
    same program with every size 2: what it takes is the cost of the calls alone.
    """

    name: str
    graph: gc.Graph
    params: Arrays
    data: Arrays
    by_hand: ByHand
    loss: Loss | None = None
    losses: Mapping[str, Loss] = field(default_factory=dict)
    naive: ByHand | None = None
    rate: float | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    small: Callable[[], Workload] | None = None
    tolerance: float = 2e-4

    def loss_of(self, contestant: str) -> Loss | None:
        return self.losses.get(contestant, self.loss)


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Return float32 normal numbers."""
    return (scale * rng.standard_normal(shape)).astype(np.float32)
