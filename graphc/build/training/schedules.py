"""Learning rates over time: expressions of the number of steps taken so far.

In the equations t counts finished steps: 0 in the first one.
"""

from __future__ import annotations

import math
import sys
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from graphc.build.graphs import param
from graphc.build.settings import NotNegative, Positive, Settings, call_text, is_number
from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ops.registry import OPS

__all__ = [
    "SCHEDULES",
    "Schedule",
    "adjustable",
    "as_schedule",
    "constant",
    "cosine",
    "exponential",
    "inverse_time",
    "linear_warmup",
    "polynomial",
    "step_decay",
]


@dataclass(frozen=True, repr=False)
class Schedule(metaclass=Settings):
    """A learning rate that changes from step to step; its `repr` is its text form."""

    name: ClassVar[str]

    @abstractmethod
    def at(self, t: Node) -> Node:
        """Return the rate after `t` finished steps. **Shapes.** t: [] float -> []"""

    def __repr__(self) -> str:
        return call_text(self)


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """rate, at every step."""

    name = "constant"
    rate: Positive

    def at(self, t: Node) -> Node:
        return OPS["full"]((), self.rate, t.dtype)


@dataclass(frozen=True, repr=False)
class StepDecay(Schedule):
    """rate * factor**floor(t/every)"""

    name = "step_decay"
    rate: Positive
    every: Positive
    factor: Positive = 0.1

    def at(self, t: Node) -> Node:
        drops = OPS["floor"](OPS["divide"](t, self.every))
        return OPS["multiply"](OPS["power"](float(self.factor), drops), self.rate)


@dataclass(frozen=True, repr=False)
class Exponential(Schedule):
    """rate * decay**t"""

    name = "exponential"
    rate: Positive
    decay: Positive

    def at(self, t: Node) -> Node:
        return OPS["multiply"](OPS["power"](float(self.decay), t), self.rate)


@dataclass(frozen=True, repr=False)
class Cosine(Schedule):
    """final + (rate - final) * (1 + cos(pi * min(t, steps)/steps))/2

    **Source.** Loshchilov & Hutter 2016, arXiv:1608.03983, equation 5, without restarts.
    """

    name = "cosine"
    rate: Positive
    steps: Positive
    final: NotNegative = 0.0

    def at(self, t: Node) -> Node:
        angle = OPS["multiply"](OPS["minimum"](t, float(self.steps)), math.pi / self.steps)
        wave = OPS["multiply"](OPS["add"](OPS["cos"](angle), 1.0), (self.rate - self.final) / 2)
        return OPS["add"](wave, float(self.final)) if self.final else wave


@dataclass(frozen=True, repr=False)
class InverseTime(Schedule):
    """rate / (1 + decay * t), whose steps add up without bound while their squares do not.

    **Source.** Robbins & Monro 1951, doi:10.1214/aoms/1177729586.
    """

    name = "inverse_time"
    rate: Positive
    decay: Positive

    def at(self, t: Node) -> Node:
        return OPS["divide"](self.rate, OPS["add"](OPS["multiply"](t, float(self.decay)), 1.0))


@dataclass(frozen=True, repr=False)
class Polynomial(Schedule):
    """rate * (1 - min(t, steps)/steps)**power: a straight line down to 0 for power 1."""

    name = "polynomial"
    rate: Positive
    steps: Positive
    power: Positive = 1.0

    def at(self, t: Node) -> Node:
        share = OPS["divide"](OPS["minimum"](t, float(self.steps)), float(self.steps))
        left = OPS["subtract"](1.0, share)
        left = left if self.power == 1 else OPS["power"](left, float(self.power))
        return OPS["multiply"](left, self.rate)


@dataclass(frozen=True, repr=False)
class LinearWarmup(Schedule):
    """min(1, (t + 1)/steps) times the rate, or times another schedule."""

    name = "linear_warmup"
    rate: float | Schedule
    steps: Positive

    def __post_init__(self) -> None:
        as_schedule(self.rate)

    def at(self, t: Node) -> Node:
        share = OPS["minimum"](OPS["divide"](OPS["add"](t, 1.0), self.steps), 1.0)
        return OPS["multiply"](share, as_schedule(self.rate).at(t))


@dataclass(frozen=True, repr=False)
class Adjustable(Schedule):
    """A rate that stands in the state under its name, where it may be changed between steps."""

    name = "adjustable"
    rate: Positive
    key: str = "learning_rate"

    def at(self, t: Node) -> Node:
        return param(self.key, (), t.dtype, init=self.rate, slot=True)


adjustable = Adjustable
constant, step_decay, exponential, cosine = Constant, StepDecay, Exponential, Cosine
inverse_time, polynomial, linear_warmup = InverseTime, Polynomial, LinearWarmup

#: Text-form name -> schedule.
SCHEDULES = {
    cls.name: cls
    for cls in (
        *(Constant, StepDecay, Exponential, InverseTime, Polynomial, Cosine, LinearWarmup),
        Adjustable,
    )
}


_OF_STEPS = "adjustable(0.1) is a number of the state; derive gc.optim.Schedule for any other rate"


def as_schedule(rate: float | Schedule) -> Schedule:
    """Return a schedule; a number is a constant one.

    **Raises.** GraphError for a rate that is not a positive number.
    """
    if isinstance(rate, Schedule):
        return rate
    if not (is_number(rate) and 0 < rate <= sys.float_info.max):
        raise GraphError(
            "the learning rate must be a positive number, or a schedule",
            got=repr(rate),
            fix=None if is_number(rate) else _OF_STEPS,
        )
    return Constant(rate)
