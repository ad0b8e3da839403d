"""Numbers that count something: how many, and at least how many."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphc.ir.provenance import user_error


def whole(name: str, value: Any, least: int, *, of: str = "", fix: str | None = None) -> int:
    """Return what a call counts by as a plain integer; any integer of NumPy's is one, too.

    **Raises.** GraphError where it is none, a truth value, or too small. `of` is who asks.

    >>> whole("layers", 2, 1)
    2
    """
    try:
        is_truth = isinstance(value, (bool, np.bool_))  # an index to Python and to older NumPy
        number = least - 1 if is_truth else operator.index(value)
    except TypeError:
        number = least - 1
    if number >= least:
        return number
    raise user_error(
        f"{name}{of and f' of {of}'} must be a whole number, at least {least}",
        got=f"{name}={value!r}",
        fix=fix,
    )
