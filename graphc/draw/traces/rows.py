"""One row of a trace: a variable's value or derivative, its formula, the numbers put in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphc.draw.traces.pieces import Phrase, Piece, Written, leads_to, relation, result
from graphc.draw.traces.table import plain
from graphc.ir.node import Node


@dataclass(frozen=True, eq=False)
class Row:
    """A row: `left sign formula`, its local derivatives, the numbers put in, and the value."""

    left: Piece
    #: "=", or "+=" for an increment.
    sign: str
    formula: Written
    #: In reverse mode the formula with the local derivatives written out.
    local: Written | None
    #: The formula over numbers; None where there is nothing to compute.
    numbers: Written | None
    value: np.ndarray
    rule: str = ""
    #: The user's name of the variable, if it has one.
    label: Piece | None = None
    #: When the row is filled, where that is not from the first row to the last.
    step: int | None = None
    #: The variable's node, and the consumer that an increment comes from.
    node: Node | None = None
    consumer: Node | None = None

    @property
    def variable(self) -> str:
        """What the row is about: `v3`, `∂v3/∂x1`, `v̄3`."""
        return self.left.text

    @property
    def name(self) -> str:
        return self.label.text if self.label is not None else ""

    @property
    def symbolic(self) -> str:
        """The formula over variables: `v0·v1`."""
        return self.formula.text

    @property
    def substituted(self) -> str:
        """The formula over numbers, `2*5`; the value itself where there is nothing to compute."""
        return self.numbers.text if self.numbers is not None else plain(result(self.value))

    @property
    def number(self) -> float:
        """The value of a variable that is a single number."""
        return float(self.value)

    def equation(self) -> Phrase:
        return [self.left, relation(self.sign), self.formula]

    def arithmetic(self) -> Phrase:
        """Return `2*5 = 10`, `σ([0, −1]) = [0.5, 0.269]`, or `[5, 64] · [64, 1] → [5, 1], norm 2`.

        An arrow leads from shapes to a shape.
        """
        shown = result(self.value)
        if self.numbers is None:
            return shown
        return [self.numbers, relation(leads_to(self.value)), *shown]
