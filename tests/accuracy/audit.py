"""How many digits do the pointwise ops and their derivatives keep? Measured against mpmath.

For every pointwise op, the worst error of its value and of each partial derivative, as compiled
code computes them (level 2, style fast), in units of the last place. `page.py` writes it down.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from exact import Number, exact
from mpmath import mp, mpf

import graphc as gc
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import Pointwise

#: Where cases meet, functions vanish or saturate; the grid holds their neighbours, not them:
#: what holds at a kink itself is a convention, tested in tests/test_edge_gradients.py.
NEAR = (0.5, 1.0, 2.0, 3.0, 0.6931471805599453, 0.7517915, 1.5707963267948966, 3.141592653589793)
DTYPES = ("float32", "float64")
#: The most that an op or its derivative may lose without a reason.
MOST_ULPS = 8.0
SECOND = "d²/dx²"

Point = tuple[float, ...]


@dataclass(frozen=True)
class Finding:
    """The error at one point, in units of the last place of the exact result.

    `conditioned`: the same, divided by 1 + what half an ulp of each argument moves the result.
    `absolute`: the error in ulps of 1, or of the result where it is larger.
    """

    error: float
    is_normal: bool
    absolute: float
    at: Point
    conditioned: float


@dataclass(frozen=True)
class Row:
    """The worst errors of one quantity of one op in one dtype, and where they happen.

    `error` is over results that are normal numbers; `unexplained` over those of them where
    rounding the arguments does not explain it; `subnormal` over results below the smallest normal
    number, whose last place is that of the smallest.
    """

    op: str
    quantity: str
    dtype: str
    error: float
    at: Point
    unexplained: float
    unexplained_at: Point
    subnormal: float
    absolute: float

    @property
    def key(self) -> tuple[str, str]:
        return self.op, self.quantity


# -- where ---------------------------------------------------------------------------------------


def audited() -> Iterator[Pointwise]:
    """Yield the ops that compute numbers; what only compares, selects or copies has no digits."""
    copies = ("cast", "where", "positive", "stop_gradient")
    for name, op in OPS.items():
        if isinstance(op, Pointwise) and not op.cuts_to_bool and name not in copies:
            yield op


def grid(dtype: str, size: int) -> np.ndarray:
    """Return tiny, huge, ordinary and near-kink values of both signs."""
    info = np.finfo(dtype)
    rng = np.random.default_rng(0)
    decades = np.log10(float(info.max))
    edge = np.log(float(info.max))  # beyond it exp overflows
    near = np.array(NEAR)
    offsets = 10.0 ** -np.linspace(1, info.precision, 2 + size // 2)
    magnitudes = np.concatenate(
        [
            10.0 ** rng.uniform(-decades, decades, size),
            10.0 ** rng.uniform(-3, 1, 2 * size),
            rng.uniform(0, 1.1 * edge, size),
            rng.uniform(0, 8, 2 * size),
            np.outer(near, 1 + offsets).ravel(),
            np.outer(near, 1 - offsets).ravel(),
            [info.smallest_subnormal, info.tiny, info.max, edge, np.sqrt(info.max)],
        ]
    )
    magnitudes = magnitudes[magnitudes <= info.max].astype(dtype)
    close = [np.nextafter(near.astype(dtype), end) for end in np.array([0, np.inf], dtype)]
    magnitudes = np.unique(np.concatenate([magnitudes, *close]))
    magnitudes = magnitudes[magnitudes > 0]
    return np.concatenate([-magnitudes[::-1], magnitudes])


def points(op: Pointwise, dtype: str, size: int) -> np.ndarray:
    """Return the points of an op: [arity, N]. Several arguments meet in all combinations."""
    values = grid(dtype, size)
    if op.arity == 1:
        return values[None]
    per_axis = round((8 * size) ** (1.2 / op.arity))
    rng = np.random.default_rng(1)
    axes = [np.sort(rng.choice(values, per_axis, replace=False)) for _ in op.args]
    mesh = np.array(list(itertools.product(*axes)), dtype).T
    nearly = np.nextafter(axes[0], np.array(np.inf, dtype))  # arguments that nearly agree
    mesh = np.concatenate([mesh, np.stack([axes[0], *[nearly] * (op.arity - 1)])], axis=1)
    # Intervals that do not overlap declare an order (low < x < high), which is kept.
    order = np.argsort([low for low, _ in op.domain])
    if all(op.domain[i][1] <= op.domain[j][0] for i, j in itertools.pairwise(order)):
        mesh[order] = np.sort(mesh, axis=0)
    return mesh


# -- how exactly ---------------------------------------------------------------------------------


def computed(op: Pointwise, at: np.ndarray) -> dict[str, np.ndarray]:
    """Return the op's value and partial derivatives as compiled code computes them."""
    inputs = [gc.input(name, (at.shape[1],), at.dtype.name) for name in op.args]
    value = op(*inputs)
    graph = gc.graph({"value": value, "total": gc.sum(value)}, name=op.name)
    feed = dict(zip(op.args, at, strict=True))
    with np.errstate(all="ignore"):
        if op.cuts:
            return {"value": gc.compile(graph)(**feed)["value"]}
        result = gc.compile(graph, gradient_of="total", wrt=op.args)(**feed)
        found = {"value": result["value"]}
        found |= {f"d/d{name}": result[f"d_total_d_{name}"] for name in op.args}
        slopes = gc.graph({"slope": gc.sum(gc.grad(graph.outputs["total"], inputs[0])[0])})
        if op.arity == 1 and slopes.inputs:
            second = gc.compile(slopes, gradient_of="slope", wrt=op.args)(**feed)
            found[SECOND] = second["d_slope_d_x"]
    return found


def audit(op: Pointwise, dtype: str, size: int) -> list[Row]:
    """Return the rows of an op in a dtype."""
    at = points(op, dtype, size)
    results = computed(op, at)
    assert all(array.dtype == dtype for array in results.values()), f"{op.name} leaves {dtype}"
    found: dict[str, list[Finding]] = {quantity: [] for quantity in results}
    for i, point in enumerate(map(tuple, at.T.tolist())):
        truth = quantities(op, point)
        for which, (quantity, array) in enumerate(results.items()):
            if truth is not None and truth[which] is not None:
                found[quantity].append(finding(op, which, point, array[i], truth[which]))
    return [_row(op.name, quantity, dtype, findings) for quantity, findings in found.items()]


def quantities(op: Pointwise, point: Point) -> list[Number | None] | None:
    """Return the exact value and partials; None outside the domain, and for a partial at a kink."""
    truth = exact(op.formula, op.args, point, derivatives=not op.cuts)
    return truth and [truth[0], *truth[1]]


def finding(op: Pointwise, which: int, point: Point, got: np.floating, truth: Number) -> Finding:
    """Return the error of one result."""
    info = np.finfo(got.dtype)
    with mp.workdps(50):
        beyond = mpf(2) ** int(info.maxexp)  # what infinity counts as
        number = max(-beyond, min(beyond, truth))
        place = last_place(number, info)
        is_normal = bool(abs(number) >= mpf(float(info.tiny)))
        if np.isnan(got):
            return Finding(np.inf, is_normal, np.inf, point, np.inf)
        value = beyond * int(np.sign(got)) if np.isinf(got) else mpf(float(got))
        apart = abs(value - number)
        error = float(apart / place)
        absolute = float(apart / max(place, mpf(float(info.eps))))
    moved = _moved(op, which, point, number, info) if error > MOST_ULPS and is_normal else 0.0
    return Finding(error, is_normal, absolute, point, error / (1 + moved))


def last_place(number: Number, info: np.finfo) -> Number:
    """Return the unit of the last place of the float nearest to a number."""
    exponent = mp.mag(number) - 1 if number else info.minexp
    return mpf(2) ** int(max(exponent, info.minexp) - info.nmant)


def _moved(op: Pointwise, which: int, point: Point, number: Number, info: np.finfo) -> float:
    """Return by how many ulps half an ulp of each argument moves a quantity."""
    total = 0.0
    for i, x in enumerate(point):
        shifts = []
        for sign in (1, -1):
            shifted = [mpf(v) for v in point]
            with mp.workdps(50):
                shifted[i] += sign * last_place(mpf(x), info) / 2
            truth = quantities(op, tuple(shifted))
            if truth is not None and truth[which] is not None:
                shifts.append(float(abs(truth[which] - number) / last_place(number, info)))
        total += max(shifts, default=0.0)
    return total


def _row(op: str, quantity: str, dtype: str, findings: Sequence[Finding]) -> Row:
    normal = [f for f in findings if f.is_normal]
    loose = [f for f in normal if f.conditioned > MOST_ULPS or f.error <= MOST_ULPS]
    nothing = Finding(0.0, True, 0.0, (), 0.0)
    worst = max(normal, key=lambda f: f.error, default=nothing)
    unexplained = max(loose, key=lambda f: f.error, default=nothing)
    return Row(
        op,
        quantity,
        dtype,
        worst.error,
        worst.at,
        unexplained.error,
        unexplained.at,
        max((f.error for f in findings if not f.is_normal), default=0.0),
        max((f.absolute for f in findings), default=0.0),
    )
