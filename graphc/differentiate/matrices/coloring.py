"""How few passes does a sparse Jacobian take? Columns that no row reads together share a pass.

**Source.** Curtis, Powell, Reid 1974, "On the estimation of sparse Jacobian matrices",
doi:10.1093/imamat/13.1.117.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def color_columns(rows: np.ndarray, columns: np.ndarray, count: int) -> np.ndarray:
    """Return a color for each of `count` columns of a sparse matrix, given where it is not zero.

    No two columns of one color have an entry in the same row. Columns are colored greedily in two
    orders, as they stand and fullest first; the one with fewer colors is returned.

    >>> tridiagonal = np.array([(i, j) for i in range(9) for j in range(9) if abs(i - j) < 2])
    >>> color_columns(*tridiagonal.T, 9).tolist()
    [0, 1, 2, 0, 1, 2, 0, 1, 2]
    """
    order = np.argsort(columns, kind="stable")
    lengths = np.bincount(columns, minlength=count)
    ends = np.cumsum(lengths).tolist()
    members = [m.tolist() for m in np.split(rows[order], ends[:-1])] if count else []
    height = int(rows.max()) + 1 if rows.size else 0
    natural = _greedy(members, range(count), height)
    fewest = int(np.bincount(rows).max()) if rows.size else 1
    if natural.max(initial=0) + 1 == fewest:
        return natural  # a row with so many entries needs so many colors
    fullest_first = np.argsort(-lengths, kind="stable").tolist()
    other = _greedy(members, fullest_first, height)
    return other if other.max(initial=0) < natural.max(initial=0) else natural


def _greedy(members: Sequence[list[int]], order: Sequence[int], height: int) -> np.ndarray:
    """Give each column in turn the first color that no row it meets has seen."""
    seen = [0] * height  # a row's colors so far, as bits
    colors = np.zeros(len(members), np.int64)
    for column in order:
        taken = 0
        for row in members[column]:
            taken |= seen[row]
        color = ((taken + 1) & ~taken).bit_length() - 1  # the lowest bit that is not set
        colors[column] = color
        for row in members[column]:
            seen[row] |= 1 << color
    return colors
