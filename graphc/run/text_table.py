"""Rows of words as lines with aligned columns."""

from __future__ import annotations

from collections.abc import Sequence


def table_text(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a line for each row; each column is as wide as its longest word.

    >>> table_text([("name", "size"), ("W", "3")])
    ['name  size', 'W     3']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
