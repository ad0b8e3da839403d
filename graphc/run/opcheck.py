"""Are an op's derivatives right? Every law that they must obey, checked on the op's own cases.

- Reverse mode is forward mode transposed: ⟨w, J t⟩ = ⟨Jᵀw, t⟩ for any t and w.
- Both are what central differences approach.
- At second order, forward over reverse, reverse over reverse, reverse over forward and forward
  over forward agree with one another and with central differences of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphc.differentiate.sweeps.forward import tangents
from graphc.differentiate.sweeps.reverse import cotangents
from graphc.ir.node import Node
from graphc.ir.op import Case, Op
from graphc.ops.leaf import fill, input_, zeros_like
from graphc.ops.registry import OPS
from graphc.run.reference import evaluate
from graphc.run.text_table import table_text

STEP = 1e-5


@dataclass(frozen=True)
class DerivativeCheck:
    """The largest errors of one op, over its cases, relative to max(1, |expected|)."""

    op: str
    cases: int
    #: ⟨w, J t⟩ against ⟨Jᵀw, t⟩.
    transposed: float
    #: J t, and Jᵀw, against central differences.
    forward: float
    reverse: float
    #: tᵀH t against central differences of the gradient.
    second: float
    #: The four ways to tᵀH t among one another.
    orders: float

    @property
    def is_right(self) -> bool:
        exact = max(self.transposed, self.orders)
        return exact < 1e-9 and max(self.forward, self.reverse) < 1e-7 and self.second < 1e-6


def check_derivatives(op: Op) -> DerivativeCheck | None:
    """Return how well an op's derivatives obey the laws; None where it has none."""
    errors = [check_case(op, case) for case in op.cases if case.differentiable]
    found = [e for e in errors if e is not None]
    if not found:
        return None
    worst = [max(column) for column in zip(*found, strict=True)]
    return DerivativeCheck(op.name, len(found), *worst)


def check_case(op: Op, case: Case, seed: int = 0) -> tuple[float, ...] | None:
    """Return the errors of one case, in the order of `DerivativeCheck`.

    None where there is no derivative to check: no float operand, or no value at all.
    """
    rng = np.random.default_rng(seed)
    leaves = [input_(f"x{i}", arg.shape, arg.dtype) for i, arg in enumerate(case.args)]
    point = {leaf: arg.draw(rng) for leaf, arg in zip(leaves, case.args, strict=True)}
    motion = {x: rng.normal(size=point[x].shape) for x in leaves if x.dtype.kind == "f"}
    node = op(*leaves, **case.kwargs)
    if not motion or node.dtype.kind != "f":
        return None
    along = Direction(list(motion), [OPS["constant"](v) for v in motion.values()])
    weight = OPS["constant"](rng.uniform(0.5, 1.5, [int(d) for d in node.shape]))
    value = inner(weight, node)
    forward = inner(weight, along.tangent(node))
    reverse = along.by_reverse(node, weight)
    second = [derive(slope) for slope in (reverse, forward) for derive in along.both]
    roots = [value, forward, reverse, *second]
    below, here, above = (
        [float(v) for v in _values(roots, {**point, **_moved(point, motion, step)})]
        for step in (-STEP, 0.0, STEP)
    )
    if not np.isfinite(here[0]):
        return None  # such as the mean of no elements
    slope = (above[0] - below[0]) / (2 * STEP)
    curvature = (above[2] - below[2]) / (2 * STEP)
    return (
        _error(here[1], here[2]),
        _error(here[1], slope),
        _error(here[2], slope),
        _error(here[3], curvature),
        max(_error(other, here[3]) for other in here[3:]),
    )


@dataclass(frozen=True)
class Direction:
    """A motion of some leaves, along which derivatives are taken by either mode."""

    wrt: list[Node]
    seeds: list[Node]

    @property
    def both(self) -> tuple[Callable[[Node], Node], Callable[[Node], Node]]:
        return self.tangent, self.by_reverse

    def tangent(self, node: Node) -> Node:
        """Return J t by forward mode."""
        (found,) = tangents([node], self.wrt, self.seeds)
        return zeros_like(node) if found is None else found

    def by_reverse(self, node: Node, weight: Node | None = None) -> Node:
        """Return ⟨Jᵀw, t⟩ by reverse mode."""
        start = fill(1.0, node.shape, node.dtype) if weight is None else weight
        found = cotangents([node], [start], self.wrt)
        total = fill(0.0, (), node.dtype)
        for cotangent, seed in zip(found, self.seeds, strict=True):
            if cotangent is not None:
                total = OPS["add"](total, inner(cotangent, seed))
        return total


def inner(a: Node, b: Node) -> Node:
    """Return the sum of the products of all elements."""
    return OPS["sum"](OPS["multiply"](a, b))


def _moved(
    point: Mapping[Node, np.ndarray], motion: Mapping[Node, np.ndarray], step: float
) -> dict[Node, np.ndarray]:
    return {leaf: np.asarray(point[leaf] + step * v) for leaf, v in motion.items()}


def _values(roots: Sequence[Node], point: Mapping[Node, np.ndarray]) -> list[np.ndarray]:
    known = evaluate(roots, point, sizes={})
    return [known[root] for root in roots]


def _error(found: float, expected: float) -> float:
    error = abs(found - expected) / max(1.0, abs(expected))
    return error if np.isfinite(error) else float("inf")


def derivatives_table(ops: Iterable[Op]) -> str:
    """Return the errors of all differentiable ops among these as one table."""
    rows: list[tuple[str, ...]] = [
        ("op", "cases", "transposed", "forward", "reverse", "second order", "orders agree")
    ]
    checks = [check_derivatives(op) for op in ops]
    for c in checks:
        if c is not None:
            errors = (c.transposed, c.forward, c.reverse, c.second, c.orders)
            rows.append((c.op, str(c.cases), *[f"{e:.0e}" if e else "0" for e in errors]))
    wrong = [c.op for c in checks if c is not None and not c.is_right]
    verdict = f"WRONG: {', '.join(wrong)}" if wrong else "all are right"
    return "\n".join([*table_text(rows), "", f"{len(rows) - 1} differentiable ops; {verdict}"])
