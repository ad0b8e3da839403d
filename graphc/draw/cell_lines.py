"""Along which lines do the old states and the slices of a cell run below its gates, and how far?"""

from __future__ import annotations

from graphc.draw.cell_layout import BUS, FIRST, Layout
from graphc.draw.cell_parts import Cell, Part
from graphc.ir.node import Node

#: The height from one line to the next below it.
_BETWEEN = 26.0


class SourceLines:
    """The height of the line of each leaf that runs below the gates.

    Where every gate reads the same leaves they are `joint`: they share one line, as if joined to
    one vector.
    """

    def __init__(self, cell: Cell, layout: Layout) -> None:
        self.cell, self.layout = cell, layout
        gates = [part for part in cell.parts.values() if part.kind != "pointwise"]
        read = [
            [s for s in gate.reads if s not in cell.parts and self._runs_below(s)] for gate in gates
        ]
        sets = {tuple(sorted(map(cell.name, leaves))) for leaves in read if leaves}
        leaves = [leaf for leaf in (*cell.carries, *cell.slices) if self._runs_below(leaf)]
        alone = [
            leaf
            for part in cell.parts.values()
            for leaf in (part.reads if part.kind == "pointwise" else part.peeks)
            if leaf is not layout.main
        ]
        self.joint = len(sets) <= 1 and not set(alone) & set(leaves)
        between = 0.0 if self.joint else _BETWEEN
        self.heights = {leaf: BUS - between * i for i, leaf in enumerate(leaves)}

    def __contains__(self, leaf: Node) -> bool:
        return leaf in self.heights

    def __getitem__(self, leaf: Node) -> float:
        return self.heights[leaf]

    def _runs_below(self, leaf: Node) -> bool:
        """Say whether a leaf is multiplied by a matrix, or read by anything but the top line."""
        parts = self.cell.parts.values()
        through_matrix = any(leaf in p.sources for p in parts if p.kind != "pointwise")
        if leaf is self.layout.main:
            return through_matrix
        return through_matrix or any(leaf in p.reads for p in parts)

    @property
    def low(self) -> float:
        """Below this height there is no line."""
        return min(self.heights.values(), default=BUS) - 20

    def last_reader(self, leaf: Node) -> float:
        """Return how far to the right a line runs."""
        at, found = self.layout.at, []
        for node, part in self.cell.parts.items():
            if part.kind != "pointwise" and leaf in part.sources:
                found.append(self.tap(node, leaf))
            elif leaf in part.reads and leaf is not self.layout.main:
                found.append(at[node][0] - 34)
        if self.joint:
            found += [at[node][0] for node, p in self.cell.parts.items() if self._reads_line(p)]
        return max(found, default=FIRST)

    def _reads_line(self, part: Part) -> bool:
        return part.kind != "pointwise" and any(s in self.heights for s in part.sources)

    def tap(self, node: Node, leaf: Node) -> float:
        """Return where a gate's wire leaves a leaf's line."""
        x = self.layout.at[node][0]
        if self.joint:
            return x
        leaves = [s for s in self.heights if s in self.cell.parts[node].sources]
        place = next(i for i, s in enumerate(leaves) if s is leaf)
        return x + 12 * (place - (len(leaves) - 1) / 2)
