"""At which points is a formula tried?"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from graphc.ops.elementwise.pointwise import Pointwise

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
