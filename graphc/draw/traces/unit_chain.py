"""The chain of units: values run along the top (⇒), local derivatives lead back below (⇐).

Each unit is one module of the Forward | Backward table, with three parts: what it computes, its
local derivatives, and the gradient of its parameters. Between units stand the variables, with the
derivative that has arrived at each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from graphc.draw import palette
from graphc.draw.dim_formula import shape_formula
from graphc.draw.dot_source import (
    FONT,
    FORMULA_SIZE,
    LINE_HEIGHT,
    NAME_HEIGHT,
    VALUE_SIZE,
    Html,
    Note,
    caption,
    edge_line,
    font,
    node_line,
    opening,
)
from graphc.draw.drawing import Drawing
from graphc.draw.traces.forward_backward import ModuleWriter, module_writer
from graphc.draw.traces.modules import Module
from graphc.draw.traces.table import plain
from graphc.draw.typography import escape, italic, name_text, wrapped
from graphc.draw.values import Values, evaluated_adjoints, value_rows
from graphc.errors import GraphError
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops import OPS

_LINE = 40
_PADDING = 18
_FORWARD, _BACKWARD, _GRADIENT = "⇒", "⇐", "∇"


@takes_graph("of")
def unit_chain(
    graph: Graph,
    of: str | None = None,
    at: Mapping[str, Any] | None = None,
    *,
    notation: str = "index",
    max_units: int = 40,
) -> Drawing:
    """Draw the units that compute `of`, by default the first float scalar, as a chain.

    Each unit shows its formula (⇒), its local derivatives (⇐) and the gradient of its parameters
    (∇). Each variable shows its value (▸) and the derivative of `of` by it (◂), as numbers where
    `at` maps inputs and parameters to them. `notation` is that of `gc.forward_backward_table`; in
    "matrix" notation, where a local derivative has too many axes to be written, a unit shows what
    it sends back instead.

    **Raises** GraphError where `of` is no single float, or takes more than `max_units` units.
    """
    writer = module_writer(graph, of, notation)
    if len(writer.found) > max_units:
        raise GraphError(
            "too many units for one picture",
            got=f"{len(writer.found)}",
            expected=f"at most {max_units}",
            fix="name what belongs together, or raise max_units",
        )
    picture = _Picture(writer, at)
    lines = [*picture.head(), *picture.boxes(), *picture.edges(), "}"]
    title = f"Unit chain of {name_text(writer.names[writer.target])} in {graph.name}"
    return Drawing("\n".join(lines) + "\n", "dot", title, picture.description())


@dataclass(frozen=True)
class _Unit:
    """The lines of one unit: its formula, its local derivatives, its parameters' gradients."""

    module: Module
    forward: Sequence[str]
    backward: Sequence[str]
    gradient: Sequence[str]


class _Picture:
    """The DOT of one chain, from the input to what is derived."""

    def __init__(self, writer: ModuleWriter, at: Mapping[str, Any] | None) -> None:
        self.graph, self.writer = writer.graph, writer
        self.values: Values | None = None
        if at is not None:
            nodes = [node for node in writer.names if node in writer.active]
            found = evaluated_adjoints(writer.graph, writer.target, at, nodes)
            self.values, self.adjoints = found
        self.units = [self._unit(module) for module in reversed(writer.found)]
        met = [x for unit in self.units for x in (*unit.module.operands, unit.module.root)]
        self.variables = [x for x in dict.fromkeys(met) if x.op is not OPS["param"]]
        self.key = {node: f"v{i}" for i, node in enumerate(self.variables)}
        self.main = self._main()
        #: How many units read each variable.
        self.users = Counter(x for unit in self.units for x in unit.module.operands)

    def _unit(self, module: Module) -> _Unit:
        writer = self.writer
        sent = writer.lines(module)
        backward: list[str] = []
        gradient: list[str] = []
        for operand in writer.operands(module):
            if operand not in sent:
                continue
            if operand.op is OPS["param"]:
                gradient.append(plain(sent[operand]))
            else:
                backward.append(plain(writer.local(module, operand) or sent[operand]))
        return _Unit(module, [plain(writer.equation(module))], backward, gradient)

    def _main(self) -> set[Node]:
        """Return the variables on the longest way to what is derived: they stand in one line."""
        depth: dict[Node, int] = {}
        before: dict[Node, Node] = {}
        for unit in self.units:
            root, operands = unit.module.root, [x for x in unit.module.operands if x in self.key]
            active = [x for x in operands if x in self.writer.active] or operands
            if active:
                before[root] = max(active, key=lambda x: depth.get(x, 0))
            depth[root] = 1 + max((depth.get(x, 0) for x in active), default=0)
        found, node = set(), self.writer.target
        while node not in found:
            found.add(node)
            node = before.get(node, node)
        return found

    # -- boxes -----------------------------------------------------------------------------------

    @cached_property
    def _heights(self) -> tuple[int, int, int]:
        """Return the height of each part, the same for all boxes, so that arrows run straight."""
        forward, backward, gradient = (
            max((sum(len(wrapped(line, _LINE)) for line in part) for part in parts), default=0)
            for parts in zip(
                *[(u.forward, u.backward, u.gradient) for u in self.units], strict=True
            )
        )
        notes = [self._notes(node) for node in self.variables]
        above = max([forward, *[1 + len(rows[0]) for rows in notes]])
        below = max([backward, *[1 + len(rows[1]) for rows in notes]])
        heights = [_PADDING + LINE_HEIGHT * lines for lines in (above, below, gradient)]
        return heights[0], heights[1], heights[2] if gradient else 0

    def boxes(self) -> list[str]:
        lines = [
            self._line(self.key[node], "variable", self._told(node), node, self._variable(node))
            for node in self.variables
        ]
        for place, unit in enumerate(self.units):
            label = self._box(unit)
            lines.append(self._line(f"u{place}", "unit", unit.module.name, unit.module.root, label))
        return lines

    def _line(self, key: str, kind: str, told: str, node: Node, label: Html) -> str:
        group = "main" if node in self.main else None
        items = {"id": key, "class": kind, "tooltip": told, "group": group, "label": label}
        return node_line(key, items)

    def _box(self, unit: _Unit) -> Html:
        """Return the label of a unit: its name, and its parts from top to bottom."""
        name = font(f"<B>{escape(unit.module.name)}</B>", palette.MUTED, VALUE_SIZE + 1)
        rows = [f'<TR><TD HEIGHT="{NAME_HEIGHT}">{name}</TD></TR>']
        parts = [
            ("f", _FORWARD, unit.forward, palette.INK, palette.PAPER),
            ("b", _BACKWARD, unit.backward, palette.ADJOINT, palette.ADJOINT_FILL),
            ("p", _GRADIENT, unit.gradient, palette.ADJOINT, palette.PARAMETER_FILL),
        ]
        for (port, mark, lines, ink, fill), height in zip(parts, self._heights, strict=True):
            if not height:
                continue
            cell = f'PORT="{port}" HEIGHT="{height}" BGCOLOR="{fill if lines else palette.PAPER}"'
            rows.append(f'<TR><TD {cell} BALIGN="LEFT">{_lines(lines, mark, ink)}</TD></TR>')
        return Html(
            f'<TABLE BORDER="1" COLOR="{palette.INK}" CELLBORDER="0" CELLSPACING="0" '
            f'CELLPADDING="8">{"".join(rows)}</TABLE>'
        )

    def _variable(self, node: Node) -> Html:
        """Return the label of a variable: its value above, what is derived by it below."""
        above, below = self._notes(node)
        name = font(italic(plain([self.writer.variable(node)])), palette.INK, FORMULA_SIZE)
        adjoint = ""
        if node in self.writer.active:
            sign = "Σ " if self.users[node] > 1 else ""
            shown = escape(sign + plain([self.writer.adjoint(node)]))
            adjoint = font(shown, palette.ADJOINT, FORMULA_SIZE)
        table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="5">{}</TABLE>'
        if not adjoint:
            return Html(table.format(f'<TR><TD PORT="f">{_stacked(name, above)}</TD></TR>'))
        cells = ["", _stacked(name, above), _stacked(adjoint, below), ""]
        rows = [
            f'<TR><TD{port} HEIGHT="{height}">{cell or " "}</TD></TR>'
            for cell, port, height in zip(
                cells,
                ("", ' PORT="f"', ' PORT="b"', ""),
                (NAME_HEIGHT, *self._heights),
                strict=True,
            )
            if height
        ]
        return Html(table.format("".join(rows)))

    def _notes(self, node: Node) -> tuple[Sequence[Note], Sequence[Note]]:
        """Return what stands under a variable and under its adjoint."""
        if self.values is None:
            shape = [Note(shape_formula(node.shape), palette.MUTED)] if node.shape else []
            return shape, shape if node in self.writer.active else []
        adjoint = self.adjoints.get(node)
        value = value_rows(self.values.arrays[node], "▸", palette.VALUE)
        return value, [] if adjoint is None else value_rows(adjoint, "◂", palette.ADJOINT)

    # -- edges -----------------------------------------------------------------------------------

    def edges(self) -> list[str]:
        """Return a solid edge for each value, and a dashed one for each derivative against it."""
        lines = []
        for place, unit in enumerate(self.units):
            key, root = f"u{place}", unit.module.root
            for operand in unit.module.operands:
                if operand in self.key:
                    lines += self._pair(self.key[operand], key, operand in self.writer.active)
            lines += self._pair(key, self.key[root], root in self.writer.active)
        return lines

    def _pair(self, tail: str, head: str, is_active: bool) -> list[str]:
        lines = [edge_line(f"{tail}:f:e", f"{head}:f:w", {"id": f"e_{tail}_{head}"})]
        if is_active:
            items = {"id": f"g_{tail}_{head}", "class": "grad", "dir": "back"}
            items |= {"color": palette.ADJOINT, "style": "dashed"}
            lines.append(edge_line(f"{tail}:b:e", f"{head}:b:w", items))
        return lines

    # -- around ----------------------------------------------------------------------------------

    def head(self) -> list[str]:
        graph_attributes = {
            "rankdir": "LR",
            "bgcolor": palette.PAPER,
            "pad": "0.2",
            "nodesep": "0.3",
            "ranksep": "0.35",
            "fontname": FONT,
            "fontsize": "11",
            "labelloc": "b",
            "label": self._caption(),
        }
        return opening(self.graph.name, graph_attributes)

    def _caption(self) -> Html:
        backward = "local derivative: what arrives is multiplied by it"
        if self.writer.indices is None:
            backward = "what a unit sends back"
        parts = [
            (f"{_FORWARD} value", palette.INK),
            (f"{_BACKWARD} {backward}", palette.ADJOINT),
        ]
        if any(self.users[node] > 1 for node in self.variables if node in self.writer.active):
            parts.append(("Σ adds over all uses", palette.ADJOINT))
        if any(unit.gradient for unit in self.units):
            parts.append((f"{_GRADIENT} gradient of the unit's parameters", palette.ADJOINT))
        if self.values is not None and self.values.point:
            parts.append((f"at {self.values.point}", palette.INK))
        return caption(parts)

    def _told(self, node: Node) -> str:
        name = plain([self.writer.variable(node)])
        return f"{name}: {node.type}"

    def description(self) -> str:
        told = []
        for unit in self.units:
            parts = [*unit.forward, *unit.backward, *unit.gradient]
            told.append(f"{unit.module.name}: {'; '.join(parts)}.")
        return " ".join(told)


def _lines(lines: Sequence[str], mark: str, ink: str) -> str:
    """Return lines of a cell, each formula with its mark in front."""
    shown: list[str] = []
    for line in lines:
        first, *rest = wrapped(line, _LINE)
        shown += [f"{mark} {first}", *[f"    {part}" for part in rest]]
    return "<BR/>".join(font(escape(line), ink, FORMULA_SIZE) for line in shown) or " "


def _stacked(name: str, notes: Sequence[Note]) -> str:
    under = [font(escape(note.text), note.color, VALUE_SIZE) for note in notes]
    return "<BR/>".join([name, *under] if name else under)
