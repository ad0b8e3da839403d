"""How many digits do the pointwise ops and their derivatives keep? Measured, and written down.

    python tests/accuracy/audit.py

writes docs/accuracy.md: for every pointwise op, the worst error in ulp of its value and of each
partial derivative, as compiled code computes them, against mpmath. It takes a few minutes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from exact import Number, exact
from mpmath import mp, mpf

import graphc as gc
from graphc.ops import OPS
from graphc.ops.pointwise import Pointwise

#: Where cases meet, functions vanish or saturate; the grid holds their neighbours, not them:
#: what holds at a kink itself is a convention, tested in tests/test_edge_gradients.py.
NEAR = (0.5, 1.0, 2.0, 3.0, 0.6931471805599453, 0.7517915, 1.5707963267948966, 3.141592653589793)
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Row:
    """The worst error of one quantity of one op in one dtype, and where it happens.

    `error` is over results that are normal numbers, `subnormal` over the smaller ones; both in
    units of the last place of the exact result, which below the smallest normal is absolute.
    """

    op: str
    quantity: str
    dtype: str
    error: float
    at: tuple[float, ...]
    subnormal: float
    subnormal_at: tuple[float, ...]

    @property
    def key(self) -> tuple[str, str]:
        return self.op, self.quantity


def audited() -> Iterator[Pointwise]:
    """Yield the ops that compute numbers; what only compares, selects or copies has no digits."""
    copies = ("cast", "where", "positive", "stop_gradient")
    for name, op in OPS.items():
        if isinstance(op, Pointwise) and not op.cuts_to_bool and name not in copies:
            yield op


def grid(dtype: str, size: int) -> np.ndarray:
    """Return tiny, huge, ordinary and near-kink values, about 6*size of them, both signs."""
    info = np.finfo(dtype)
    rng = np.random.default_rng(0)
    decades = np.log10(float(info.max))
    edge = np.log(float(info.max))  # beyond it exp overflows
    with np.errstate(over="ignore"):
        magnitudes = np.concatenate(
            [
                10.0 ** rng.uniform(-decades, decades, size),
                10.0 ** rng.uniform(-3, 1, 2 * size),
                rng.uniform(0, 1.1 * edge, size),
                rng.uniform(0, 8, 2 * size),
                [info.smallest_subnormal, info.tiny, info.max, edge, np.sqrt(info.max)],
            ]
        ).astype(dtype)
        near = np.array(NEAR, dtype)
        around = [near * (1 + s * 10.0**-k) for k in range(1, info.precision + 1) for s in (1, -1)]
        around += [np.nextafter(near, end) for end in np.array([np.inf, 0], dtype)]
    magnitudes = np.concatenate([magnitudes, *np.array(around, dtype)])
    magnitudes = np.unique(magnitudes[np.isfinite(magnitudes) & (magnitudes > 0)])
    return np.concatenate([-magnitudes[::-1], magnitudes])


def points(op: Pointwise, dtype: str, size: int) -> np.ndarray:
    """Return the points of an op: [arity, N]. Several arguments meet in all combinations."""
    if op.arity == 1:
        return grid(dtype, size)[None]
    per_axis = round((6 * size) ** (1.2 / op.arity))
    rng = np.random.default_rng(1)
    axes = [np.sort(rng.choice(grid(dtype, size), per_axis)) for _ in op.args]
    mesh = np.array(list(itertools.product(*axes)), dtype).T
    close = np.nextafter(axes[0], np.array(np.inf, dtype))  # arguments that nearly agree
    return np.concatenate([mesh, np.stack([axes[0], *[close] * (op.arity - 1)])], axis=1)


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
    return {
        "value": result["value"],
        **{f"d/d{name}": result[f"d_total_d_{name}"] for name in op.args},
    }


def audit(op: Pointwise, dtype: str, size: int) -> list[Row]:
    """Return the rows of an op in a dtype."""
    at = points(op, dtype, size)
    results = computed(op, at)
    assert all(array.dtype == dtype for array in results.values()), f"{op.name} leaves {dtype}"
    errors: dict[str, list[tuple[float, bool, tuple[float, ...]]]] = {q: [] for q in results}
    for i, point in enumerate(at.T.tolist()):
        truth = exact(op.formula, op.args, point, derivatives=not op.cuts)
        if truth is None:
            continue
        for (quantity, array), number in zip(results.items(), (truth[0], *truth[1]), strict=True):
            if number is not None:
                errors[quantity].append((*ulps(array[i], number), tuple(point)))
    return [_row(op.name, quantity, dtype, found) for quantity, found in errors.items()]


def _row(
    op: str, quantity: str, dtype: str, errors: Iterable[tuple[float, bool, tuple[float, ...]]]
) -> Row:
    worst: dict[bool, tuple[float, tuple[float, ...]]] = {True: (0.0, ()), False: (0.0, ())}
    for error, is_normal, point in errors:
        if not error <= worst[is_normal][0]:
            worst[is_normal] = error, point
    return Row(op, quantity, dtype, *worst[True], *worst[False])


def ulps(got: np.floating, number: Number) -> tuple[float, bool]:
    """Return the error in units of the last place of the exact number, and whether it is normal.

    Infinity counts as the first power of two that overflows, for both.
    """
    info = np.finfo(got.dtype)
    if np.isnan(got):
        return float("inf"), True
    beyond = mpf(2) ** int(info.maxexp)
    with mp.workdps(50):
        number = max(-beyond, min(beyond, mpf(number)))
        value = beyond * int(np.sign(got)) if np.isinf(got) else mpf(float(got))
        exponent = mp.mag(number) - 1 if number else info.minexp
        is_normal = bool(exponent >= info.minexp)
        last_place = mpf(2) ** int(max(exponent, info.minexp) - info.nmant)
        return float(abs(value - number) / last_place), is_normal
