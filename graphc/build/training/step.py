"""One step of an optimizer under construction: its slots, its counter, what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from graphc.build.graphs import param
from graphc.build.settings import Settings, call_text
from graphc.build.training.schedules import Constant, Schedule, as_schedule
from graphc.build.training.sparse import Rows, rows_by_parameter, squared_norm
from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE, phase
from graphc.ir.types import FLOAT64
from graphc.ops.registry import OPS

Nodes = Mapping[str, Node]


class Step:
    """One step under construction: the slots it reads and their next values."""

    def __init__(self, first: str, rows: Mapping[str, Rows] | None = None) -> None:
        #: Which parameter the steps are counted for: two optimizers may have one state.
        self.first = first
        self.next: dict[str, Node] = {}
        #: Of the sparse parameters, what the batch read: their slots are seen through it.
        self.rows = dict(rows or {})
        self._whole: dict[Node, tuple[Rows, Node]] = {}
        self._finished: Node | None = None
        self._rates: list[tuple[Schedule, Node]] = []

    def slot(self, owner: str, kind: str, like: Node, start: float = 0.0) -> Node:
        """Return the slot `owner.kind`, of a parameter's type."""
        init = start if start else None
        rows = self.rows.get(owner)
        shape = like.shape if rows is None else rows.table.shape
        slot = param(f"{owner}.{kind}", shape, like.dtype, init=init, slot=True)
        if rows is None:
            return slot
        part = rows.of(slot)
        self._whole[part] = rows, slot
        return part

    def keep(self, slot: Node, value: Node) -> Node:
        """Store a slot's next value and return it."""
        if slot in self._whole:
            rows, whole = self._whole[slot]
            value = value.named(f"{whole.attrs['name']}.rows")
            self.next[whole.attrs["name"]] = rows.put(whole, value)
        else:
            self.next[slot.attrs["name"]] = value
        return value

    def squared_norm(self, key: str, gradient: Node) -> Node:
        """Return the sum of the squared elements of a parameter's gradient."""
        return squared_norm(gradient, self.rows.get(key))

    @property
    def finished(self) -> Node:
        """The number of finished steps, an int64 slot that grows by one, for all parameters."""
        if self._finished is None:
            self._finished = param(f"{self.first}.step", (), "int64", slot=True)
            self.keep(self._finished, self._finished + 1)
        return self._finished

    def rate(self, rate: float | Schedule, dtype: Any) -> Any:
        """Return the learning rate: a number, or the schedule's node in a parameter's dtype."""
        schedule = as_schedule(rate)
        if isinstance(schedule, Constant):
            return float(schedule.rate)
        value = next((node for known, node in self._rates if known == schedule), None)
        if value is None:
            # In float64, as Python would compute it; only the result is rounded to the dtype.
            value = schedule.at(OPS["cast"](self.finished, FLOAT64))
            self._rates.append((schedule, value))
        value = OPS["cast"](value, dtype)
        return value if value.op.is_leaf else value.named("learning_rate")

    def bias_correction(self, beta: float, dtype: Any) -> Node:
        """Return 1 - beta**(t + 1), in float64 before it is rounded to the dtype."""
        count = OPS["cast"](self.finished + 1, FLOAT64).named("steps")
        return OPS["cast"](1.0 - OPS["power"](float(beta), count), dtype)


@dataclass(frozen=True, repr=False)
class Optimizer(metaclass=Settings):
    """A rule for the next values of parameters; its `repr` is its text form."""

    name: ClassVar[str]

    @property
    def only_subtracts(self) -> bool:
        """Whether the next value is θ - η g: what has no gradient is left alone anyway."""
        return False

    @property
    def factor(self) -> float | None:
        """The number c where the next value is θ + c g and nothing else; None where it is not."""
        return None

    @property
    def is_elementwise(self) -> bool:
        """Whether each element changes by itself, so that some rows may be left alone."""
        return True

    def updates(self, params: Nodes, gradients: Nodes) -> dict[str, Node]:
        """Return the next value of each parameter that has a gradient, and of each slot.

        **Shapes.** each gradient has its parameter's shape.
        **Raises.** GraphError for a gradient without its parameter, or of another type.
        """
        for key, gradient in gradients.items():
            if key not in params or gradient.type != params[key].type:
                raise GraphError(
                    f"the gradient of {key!r} does not belong to its parameter",
                    got=str(gradient.type),
                    expected=str(params[key].type) if key in params else ", ".join(params),
                )
        with phase(UPDATE):
            rows = {} if self.only_subtracts else rows_by_parameter(params, gradients)
            if rows and not self.is_elementwise:
                raise GraphError(
                    f"{self!r} needs whole parameters, but {next(iter(rows))!r} is sparse",
                    fix="leave sparse=True away",
                )
            step = Step(next(iter(gradients), ""), rows)
            values = self.next_values(
                step,
                {key: rows[key].of(x) if key in rows else x for key, x in params.items()},
                {key: rows[key].gradient if key in rows else g for key, g in gradients.items()},
            )
            values |= {key: rows[key].put(rows[key].table, values[key]) for key in rows}
            return {**values, **step.next}

    def next_values(self, step: Step, params: Nodes, gradients: Nodes) -> dict[str, Node]:
        """Return the parameters' next values, and store the slots' in `step`.

        An optimizer that sees each parameter alone states `one` instead.
        """
        return {key: self.one(step, key, params[key], g) for key, g in gradients.items()}

    def one(self, step: Step, key: str, value: Node, gradient: Node) -> Node:
        """Return the next value of one parameter."""
        raise GraphError(
            f"{self!r} does not say what becomes of a parameter",
            fix="def one(self, step, key, value, gradient): return value - 0.1 * gradient",
        )

    def __repr__(self) -> str:
        return call_text(self)
