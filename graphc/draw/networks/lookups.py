"""Where the first units of a network are rows of a table: an index picks one, as in embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.draw import palette
from graphc.draw.dot_source import Html, edge_line, fixed, font, node_line, words_line
from graphc.draw.networks.parts import Network, source_of
from graphc.draw.networks.unit_edges import Picture
from graphc.draw.networks.units import RADIUS
from graphc.draw.silent import is_silent
from graphc.draw.typography import escape, italic, name_text, text_width
from graphc.ir.dims import Dim, dim_text, same
from graphc.ir.node import Node
from graphc.ops import OPS

_CELL, _ROWS, _COLUMNS = 14.0, 6, 5
_MARKED = 2  # which row is drawn as the one that is picked
_GAP = 96.0  # from a table to the units that it fills
_ROOM = _CELL * _ROWS + 46.0


@dataclass(frozen=True)
class Lookup:
    """Units of a layer, from one on, that are a row of a table, or the mean of several."""

    layer: int
    first: Dim
    size: Dim
    table: Node
    index: Node
    joint: str = ""  # mean or sum of several rows

    @property
    def index_name(self) -> str:
        """The name of the input that the index is, or is computed from."""
        node = self.index
        while node.inputs:
            node = node.inputs[0]
        return name_text(str(node.attrs.get("name", "index")))

    @property
    def grid(self) -> tuple[int, int]:
        """How many rows and columns are drawn."""
        rows, columns = self.table.shape
        return _fewer(rows, _ROWS), _fewer(columns, _COLUMNS)

    @property
    def picked(self) -> tuple[int, ...]:
        """Which rows are drawn as those that are looked up."""
        rows = self.grid[0]
        some = (_MARKED, _MARKED + 2) if self.joint else (_MARKED,)
        return tuple(dict.fromkeys(min(r, rows - 1) for r in some))

    @property
    def role(self) -> str:
        """What the units are, for the caption of their column."""
        return f"{self.joint} of rows" if self.joint else "row of a table"

    @property
    def told(self) -> str:
        """What is looked up, in words."""
        rows = f"the {self.joint} of the rows" if self.joint else "the row"
        return f"{rows} {self.index_name} of {_table_name(self.table)}"


def _fewer(size: Dim, most: int) -> int:
    return min(size, most) if isinstance(size, int) else most


def find_lookups(found: Network) -> list[Lookup]:
    """Return the tables whose rows are units of a network's first layers."""
    return [
        lookup
        for i, layer in enumerate(found.layers)
        if layer.role == "input" and not layer.is_fed
        for lookup in _of(i, layer.node, 0, "")
    ]


def _of(layer: int, node: Node, first: Dim, joint: str) -> list[Lookup]:
    """Return the lookups that a node's last axis is made of."""
    while not _is_lookup(node):
        units = node.shape[-1] if node.ndim else 1
        if node.op is OPS["concat"] and node.attrs["axis"] == node.ndim - 1:
            found = []
            for part in node.inputs:
                found += _of(layer, part, first, joint)
                first = first + part.shape[-1]
            return found
        is_joint = node.op in (OPS["mean"], OPS["sum"])
        if not (is_joint or is_silent(node) or node.op in (OPS["reshape"], OPS["slice"])):
            return []
        joint = joint or (node.op.name if is_joint else "")
        node = node.inputs[0]
        if not node.ndim or not same(node.shape[-1], units):
            return []
    return [
        Lookup(layer, first, node.shape[-1], source_of(node.inputs[0])[0], node.inputs[1], joint)
    ]


def _is_lookup(node: Node) -> bool:
    is_row = node.op is OPS["gather"] and node.attrs["axis"] == 0 and len(node.inputs) == 2
    if not is_row or node.inputs[0].ndim != 2 or node.inputs[1].dtype.kind != "i":
        return False
    return source_of(node.inputs[0])[0].op is OPS["param"]


# -- the drawing -------------------------------------------------------------------------------


def lookup_lines(lookups: Sequence[Lookup], picture: Picture) -> list[str]:
    """Return the tables left of the units that they fill, one row of each picked by its index."""
    lines: list[str] = []
    above = float("inf")
    for number, lookup in enumerate(lookups):
        units = [u for u in picture.units if u.layer == lookup.layer and _holds(lookup, u.row)]
        if not units:
            continue
        y = min(sum(u.y for u in units) / len(units), above - _ROOM)
        above = y
        right = units[0].x - RADIUS - _GAP
        lines += _table(f"t{number}", lookup, right, y)
        tail = f"t{number}_{lookup.picked[0]}_{lookup.grid[1] - 1}"
        for unit in units:
            key = f"l{number}_{unit.key}"
            items = {"id": key, "class": "lookup", "style": "dotted", "edgetooltip": lookup.told}
            lines.append(edge_line(tail, unit.key, items))
    return lines


def _holds(lookup: Lookup, row: Dim) -> bool:
    """Say whether a unit of the layer is one of the table's columns."""
    if not all(isinstance(n, int) for n in (row, lookup.first, lookup.size)):
        return True
    return bool(lookup.first <= row < lookup.first + lookup.size)


def _table(key: str, lookup: Lookup, right: float, y: float) -> list[str]:
    """Return cells around the marked row at a height, the table's name and size, the index."""
    lines = []
    shown, across = lookup.grid
    left, first = right - across * _CELL, lookup.picked[0]
    for r in range(shown):
        for c in range(across):
            is_picked = r in lookup.picked
            items = {
                "pos": fixed(left + (c + 0.5) * _CELL, y + (first - r) * _CELL),
                "shape": "box",
                "width": f"{_CELL / 72:.4f}",
                "height": f"{_CELL / 72:.4f}",
                "label": "",
                "penwidth": "1.8" if is_picked else "0.8",
                "fillcolor": palette.INPUT_FILL if is_picked else palette.PAPER,
                "id": f"{key}_{r}_{c}",
                "class": "picked" if is_picked else "table",
                "tooltip": lookup.told if is_picked else _table_name(lookup.table),
            }
            lines.append(node_line(f"{key}_{r}_{c}", items))
    rows, columns = (dim_text(d) for d in lookup.table.shape)
    name = f"{italic(_table_name(lookup.table))}  {escape(f'{rows}×{columns}')}"
    below = y - (shown - first - 0.5) * _CELL - 12
    middle = (left + right) / 2
    label = Html(font(name, palette.INK, 12))
    lines.append(words_line(f"{key}_name", middle, below, label, tooltip=" "))
    index = f"{lookup.index_name} →"
    half = text_width(index, 13) / 2
    label = Html(font(italic(index), palette.INK, 13))
    lines.append(words_line(f"{key}_index", left - half - 8, y, label, tooltip=" "))
    return lines


def _table_name(table: Node) -> str:
    return name_text(str(table.attrs["name"]))
