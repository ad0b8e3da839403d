"""Which arrays of a call share memory? An in-place update must not be seen through another name."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

import numpy as np

#: The owner of memory that NumPy does not own: a mapped file, a buffer. Two arrays on it may or
#: may not overlap.
FOREIGN = 0


def owner(array: np.ndarray) -> int:
    """Return a number that is equal for two arrays which view the same array's memory.

    NumPy keeps the owner, not the chain of views, in `base`.
    """
    base = array.base
    if base is None:
        return id(array)
    return id(base) if isinstance(base, np.ndarray) and base.base is None else FOREIGN


def find_overlap(
    arrays: Mapping[str, np.ndarray], written: Container[str]
) -> tuple[str, str] | None:
    """Return the names of two arrays that share memory, of which one at least is written; or None.

    Where all lie apart, a look at their owners tells.
    """
    owners = {owner(array) for array in arrays.values()}
    if FOREIGN not in owners and len(owners) == len(arrays):
        return None
    spans = sorted(
        (*np.lib.array_utils.byte_bounds(array), name)
        for name, array in arrays.items()
        if array.size
    )
    reached: list[tuple[int, str]] = []  # columns of one matrix reach over one another
    for start, stop, name in spans:
        reached = [(end, other) for end, other in reached if end > start]
        for _, other in reached:
            is_changed = name in written or other in written
            if is_changed and np.shares_memory(arrays[other], arrays[name]):
                return other, name
        reached.append((stop, name))
    return None


def separated(array: np.ndarray, written: Iterable[np.ndarray]) -> np.ndarray:
    """Return the array, or a copy of it where it may share memory with a written one."""
    if any(np.may_share_memory(array, other) for other in written):
        return array.copy()
    return array
