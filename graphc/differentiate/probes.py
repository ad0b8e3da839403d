"""At which points is a formula tried, and what are its values there?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir.types import BOOL, FLOAT64, TensorType
from graphc.ops.pointwise import Pointwise
from graphc.ops.registry import OPS

PROBES = (-1.5, -1.0, 0.0, 0.5, 1.0, 2.0)
#: Further values of the argument, at which a form must keep its digits.
FAR = (-30.0, -1e-30, 1e-30, 30.0)
#: Its square overflows in every dtype.
HUGE = 1e200


def probe_grid(
    op: Pointwise,
    constants: Sequence[tuple[int, float]],
    index: int = 0,
    probes: Sequence[float] = PROBES,
) -> dict[str, np.ndarray]:
    """Return values of the arguments that meet in every combination, kinks and poles included.

    `probes` are the values of argument `index`.
    """
    choices: list[Sequence[float]] = [PROBES] * op.arity
    choices[index] = probes
    for i, value in constants:
        choices[i] = (value,)
    points = np.array(list(itertools.product(*choices)))
    return {name: points[:, i] for i, name in enumerate(op.args)}


class _ArrayAlgebra(dict):  # type: ignore[type-arg]  # a read-only view of the registry
    """Formulas over NumPy arrays: every name is that op's reference."""

    def __missing__(self, name: str) -> Callable[..., Any]:
        op = OPS[name]

        def apply(*operands: Any) -> Any:
            if name == "where":
                return np.where(*operands)
            is_truth = isinstance(op, Pointwise) and op.cuts_to_bool
            result = TensorType(BOOL if is_truth else FLOAT64, ())
            arrays = [np.asarray(x, None if is_truth else float) for x in operands]
            return op.reference(arrays, {}, result)

        return apply


ARRAYS = _ArrayAlgebra()
