"""Rows of tables, for style `fast`: read, written and sliced as NumPy does it fastest."""

from __future__ import annotations

import numpy as np

from graphc.ir.node import Node
from graphc.ops.leaf import is_fill
from graphc.ops.movement.indexing import has_distinct_places
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding


def _rows(node: Node, facts: Facts) -> Node | None:
    """scatter_add(table, values, rows) → scatter_rows(table, values, rows)."""
    base, values, *indices = node.inputs
    is_table = base.ndim > 1 and node.dtype.kind == "f" and not node.attrs["axis"]
    if not is_table or len(indices) != 1 or is_fill(values) or has_distinct_places(indices):
        return None
    return OPS["scatter_rows"].make(node.inputs, **node.attrs)


def _columns(node: Node, facts: Facts) -> Node | None:
    """scatter_add(x, values, i, axis=1) → scatter_columns(x, values, i, axis=1)."""
    _, _, *indices = node.inputs
    is_inner = node.attrs["axis"] and node.dtype.kind == "f"
    if not is_inner or len(indices) != 1 or has_distinct_places(indices):
        return None
    return OPS["scatter_columns"].make(node.inputs, **node.attrs)


def _taken_rows(node: Node, facts: Facts) -> Node | None:
    """table[rows] → gather_rows(table, rows)."""
    table, *indices = node.inputs
    is_table = table.ndim > 1 and not node.attrs["axis"] and len(indices) == 1
    if not is_table or not indices[0].ndim or indices[0].op.is_inserted:
        return None
    return OPS["gather_rows"].make(node.inputs, **node.attrs)


def _slice_of_scatter(node: Node, facts: Facts) -> Node | None:
    """scatter_add(0, v, constant)[a:b] → v[the places in v], where each is written once."""
    scatter = node.inputs[0]
    base, values, *indices = scatter.inputs
    axis = scatter.attrs["axis"]
    length = scatter.shape[axis]
    is_known = len(indices) == 1 and indices[0].op.name == "constant" and indices[0].ndim == 1
    if not is_known or not is_fill(base, 0) or not isinstance(length, int):
        return None
    places = indices[0].attrs["value"].array % length
    start, stop, step = node.attrs["bounds"][axis]
    if not all(isinstance(bound, int) for bound in (start, stop, step)):
        return None
    wanted = np.arange(start, stop, step)
    source = np.full(length, -1)
    source[places] = np.arange(len(places))
    if not (np.bincount(places, minlength=length)[wanted] == 1).all():
        return None
    gathered = OPS["gather"].make([values, OPS["constant"](source[wanted])], axis=axis)
    bounds = list(node.attrs["bounds"])
    bounds[axis] = (0, len(wanted), 1)
    return OPS["slice"].make([gathered], bounds=tuple(bounds))


TABLE_ROWS = (
    rounding(
        "rows_into_table",
        "scatter_add(table, values, rows)",
        "scatter_rows(table, values, rows)",
        "`np.add.at` has a fast loop for flat arrays alone",
        apply=_rows,
        roots=("scatter_add",),
        example="t: input(f64, 5, 4)\nv: input(f64, 3, 4)\ni: input(i64, 3)\n"
        "y = scatter_add(t, v, i)",
    ),
    rounding(
        "columns_into_table",
        "scatter_add(x, values, i, axis=1)",
        "scatter_columns(x, values, i, axis=1)",
        "`np.add.at` has a fast loop for flat arrays alone",
        apply=_columns,
        roots=("scatter_add",),
        example="t: input(f64, 5, 4)\nv: input(f64, 5, 3)\ni: input(i64, 3)\n"
        "y = scatter_add(t, v, i, axis=1)",
    ),
    rounding(
        "rows_out_of_table",
        "table[rows]",
        "gather_rows(table, rows)",
        "`np.take` copies twice, unless the range is checked beforehand",
        apply=_taken_rows,
        roots=("gather",),
        example="t: input(f64, 5, 4)\ni: input(i64, 3)\ny = t[i]",
    ),
    rounding(
        "slice_of_scatter",
        "scatter_add(0, v, constant)[a:b]",
        "v[constant]",
        "the places are known, and each is written once: nothing needs adding up",
        apply=_slice_of_scatter,
        roots=("slice",),
        operands=("scatter_add", "scatter_rows", "scatter_columns"),
        example="v: input(f64, 3)\n"
        "w = scatter_add(zeros((5,), dtype=f64), v, constant([4, 0, 2]))\ny = w[2:5:2]",
    ),
)
