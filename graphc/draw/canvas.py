"""A picture with fixed positions: shapes, words and wires, written as DOT for `neato -n2`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from graphc.draw import palette
from graphc.draw.dot_source import FONT, Html, edge_line, font, node_line, opening
from graphc.draw.drawing import Drawing
from graphc.draw.layout import Point, arrow_pos, thirds
from graphc.draw.typography import escape, italic


@dataclass
class Canvas:
    """A picture while it is being composed; `y` grows upwards, lengths are points.

    Shapes are painted in the order in which they are added, wires first or last by `wires_first`.
    """

    name: str
    wires_first: bool = True
    lines: list[str] = field(default_factory=list)
    _points: int = 0

    def shape(
        self,
        key: str,
        at: Point,
        size: Point,
        label: str | Html = "",
        *,
        kind: str = "box",
        fill: str | None = palette.PAPER,
        frame: str = palette.INK,
        style: str = "",
        tooltip: str = "",
        more: str = "",
        width: float = 1.4,
    ) -> None:
        """Add a box, circle or ellipse around a point; `more` is its class in the SVG."""
        styles = [s for s in (style, "filled" if fill else "") if s]
        self.lines.append(
            node_line(
                key,
                {
                    "pos": _pos(at),
                    "shape": kind,
                    "width": f"{size[0] / 72:.4f}",
                    "height": f"{size[1] / 72:.4f}",
                    "style": ",".join(styles) or None,
                    "fillcolor": fill,
                    "color": frame,
                    "penwidth": f"{width:g}",
                    "label": label,
                    "id": key,
                    "class": more or None,
                    "tooltip": tooltip or key,
                },
            )
        )

    def words(
        self,
        key: str,
        at: Point,
        text: str | Html,
        *,
        color: str = palette.INK,
        size: float = 12,
        slanted: bool = False,
        over: bool = False,
        tooltip: str = "",
    ) -> None:
        """Add words centred at a point; `\\n` breaks lines. What they stand `over` is hidden."""
        lines = [] if isinstance(text, Html) else text.split("\n")
        inside = "<BR/>".join(italic(line) if slanted else escape(line) or " " for line in lines)
        self.lines.append(
            node_line(
                key,
                {
                    "pos": _pos(at),
                    "shape": "plain",
                    "style": "filled" if over else "",
                    "fillcolor": palette.PAPER if over else None,
                    "fixedsize": "false",
                    "label": Html(
                        font(text.text if isinstance(text, Html) else inside, color, size)
                    ),
                    "id": key,
                    "tooltip": tooltip or (" " if isinstance(text, Html) else text),
                },
            )
        )

    def dot(self, at: Point, color: str = palette.EDGE) -> None:
        """Add the mark of a junction, where one wire feeds several."""
        self._point(at, "0.07", color)

    def wire(
        self,
        points: Sequence[Point],
        *,
        key: str,
        tail: str | None = None,
        head: str | None = None,
        arrow: bool = True,
        color: str = palette.EDGE,
        style: str = "solid",
        width: float = 1.4,
        curved: bool = False,
        more: str = "",
        tooltip: str = "",
    ) -> None:
        """Add a wire through points; `tail` and `head` name the shapes that it joins."""
        a = tail or self._point(points[0])
        b = head or self._point(points[-1])
        curve = tuple(points) if curved else _polyline(points)
        plain = " ".join(f"{x:.2f},{y:.2f}" for x, y in curve)
        self.lines.append(
            edge_line(
                a,
                b,
                {
                    "id": key,
                    "pos": arrow_pos(curve) if arrow else plain,
                    "arrowhead": None if arrow else "none",
                    "color": color,
                    "style": style,
                    "penwidth": f"{width:g}",
                    "class": more or None,
                    "edgetooltip": tooltip or None,
                },
            )
        )

    def drawing(self, title: str, description: str) -> Drawing:
        """Return the finished picture."""
        order = "edgesfirst" if self.wires_first else "nodesfirst"
        graph = {
            "layout": "neato",
            "bgcolor": palette.PAPER,
            "pad": "0.2",
            "outputorder": order,
            "fontname": FONT,
            "tooltip": title,
        }
        node = {"fixedsize": "true", "fontname": FONT, "fontcolor": palette.INK}
        head = opening(self.name, graph, node, {"arrowsize": "0.7"}, is_fixed=True)
        return Drawing("\n".join([*head, *self.lines, "}"]) + "\n", "neato", title, description)

    def _point(self, at: Point, width: str = "0.001", color: str | None = None) -> str:
        key = f"p{self._points}"
        self._points += 1
        items = {"pos": _pos(at), "shape": "point", "width": width, "label": "", "tooltip": " "}
        if color is None:
            items["style"] = "invis"
        else:
            items |= {"color": color, "fillcolor": color, "style": "filled", "class": "junction"}
        self.lines.append(node_line(key, items))
        return key


def _pos(at: Point) -> str:
    return f"{at[0]:.2f},{at[1]:.2f}!"


def _polyline(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the Bézier curve that goes straight from point to point."""
    curve = [points[0]]
    for a, b in pairwise(points):
        curve += [*thirds(a, b), b]
    return tuple(curve)
