"""How is DOT written? Quoting, attributes, and the box with its name outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphc.draw import palette
from graphc.draw.typography import escape, has_bar, italic, overlined, printable, text_width

FONT = "DejaVu Sans"
#: How boxes with labels of their own are drawn, and the edges between them.
PLAIN = {"shape": "plain", "fontname": FONT}
ARROWS = {"color": palette.EDGE, "arrowsize": "0.75", "penwidth": "1.4"}
FORMULA_SIZE = 14
VALUE_SIZE = 11
NAME_HEIGHT = 20
LINE_HEIGHT = 18
BAR_HEIGHT = 4  # of the space above a line in which letters have bars


def quote(text: str) -> str:
    """Return a DOT string; graphviz reads entities in it, so an ampersand is escaped too.

    >>> print(quote('a "b" & c'))
    "a \\"b\\" &amp; c"
    """
    plain = (
        (printable(text) if text else "")
        .replace("\\", "\\\\")
        .replace('"', '\\"')
        .replace("&", "&amp;")
    )
    return f'"{plain}"'


@dataclass(frozen=True)
class Html:
    """An HTML-like label, already escaped."""

    text: str


def attributes(items: Mapping[str, object]) -> str:
    """Return ` [key=value, …]`; None leaves a key out."""
    shown = [
        f"{key}=<{value.text}>" if isinstance(value, Html) else f"{key}={quote(str(value))}"
        for key, value in items.items()
        if value is not None
    ]
    return f" [{', '.join(shown)}]" if shown else ""


def node_line(key: str, items: Mapping[str, object]) -> str:
    return f"  {key}{attributes(items)};"


def edge_line(tail: str, head: str, items: Mapping[str, object]) -> str:
    return f"  {tail} -> {head}{attributes(items)};"


def box_edge(tail: str, head: str, **more: object) -> str:
    """Return an edge from box to box, which leaves out their names and notes."""
    return edge_line(f"{tail}:b", f"{head}:b", {"id": f"e_{tail}_{head}", **more})


def words_line(key: str, x: float, y: float, label: Html, **more: object) -> str:
    """Return words at a fixed place of a picture whose nodes are shapes."""
    items = {"shape": "plain", "style": "", "fixedsize": "false", "pos": fixed(x, y)}
    return node_line(key, items | {"label": label, "id": key, **more})


def fixed(x: float, y: float) -> str:
    """Return the `pos` of what stands at a place."""
    return f"{x:.1f},{y:.1f}!"


def opening(
    name: str,
    graph: Mapping[str, object],
    node: Mapping[str, object] = PLAIN,
    edge: Mapping[str, object] = ARROWS,
    *,
    is_fixed: bool = False,
) -> list[str]:
    """Return the first lines of a picture; where it `is_fixed`, dot is not to lay it out."""
    return [
        f"digraph {quote(name)} {{",
        *["  // every position is fixed; render with  neato -n2"] * is_fixed,
        f"  graph{attributes(graph)};",
        f"  node{attributes(node)};",
        f"  edge{attributes(edge)};",
    ]


def font(text: str, color: str, size: float) -> str:
    return f'<FONT POINT-SIZE="{size:g}" COLOR="{color}">{text}</FONT>'


def caption(parts: Iterable[tuple[str, str]], gap: str = "     ") -> Html:
    """Return the line under a picture, from words and their inks."""
    return Html(gap.join(font(escape(text), ink, 11) for text, ink in parts))


@dataclass(frozen=True)
class Note:
    """A line under a box: its text and its ink."""

    text: str
    color: str


@dataclass(frozen=True)
class BoxLook:
    """What one rectangle shows: name outside, formula lines inside, notes under it."""

    name: str
    formula: Sequence[str]
    details: Sequence[str] = ()  # lines in small letters under the formula
    fill: str = palette.PAPER
    frame: str = palette.INK
    name_color: str = palette.INK
    formula_color: str = palette.INK
    mark: str = ""
    notes: Sequence[Note] = ()
    doubled: bool = False
    min_width: int = 64
    min_height: int = 36

    @property
    def width(self) -> int:
        """The width that the box needs, in points."""
        lines = [text_width(line, FORMULA_SIZE) for line in self.formula]
        lines += [text_width(line, VALUE_SIZE) for line in self.details]
        inside = max(lines, default=0.0) + text_width(self.mark, FORMULA_SIZE) + 16
        notes = [text_width(note.text, VALUE_SIZE) + 4 for note in self.notes]
        name = text_width(self.name, FORMULA_SIZE) + 6
        return max(self.min_width, *(round(w + 0.5) for w in (inside, name, *notes)))

    @property
    def height(self) -> int:
        """The height of the box itself, in points."""
        lines = 18 + LINE_HEIGHT * len(self.formula) + 15 * len(self.details)
        below = [*self.formula, *self.details][1:]
        return max(self.min_height, lines + BAR_HEIGHT * sum(map(has_bar, below)))


def _next_line(text: str, color: str, size: int) -> str:
    """Return one more line; a bar over its letters keeps clear of the line above."""
    room = f"<BR/>{font(' ', color, BAR_HEIGHT)}" if has_bar(text) else ""
    return f"{room}<BR/>{font(overlined(text) or ' ', color, size)}"


def box_label(look: BoxLook, sideways: bool) -> Html:
    """Return the label: name above (or left of) the box, notes below (or right of) it."""
    first, *more = look.formula or [""]
    inside = font(overlined(first) or " ", look.formula_color, FORMULA_SIZE)
    if look.mark:
        inside = font(escape(look.mark) + " ", look.name_color, VALUE_SIZE + 1) + inside
    inside += "".join(_next_line(line, look.formula_color, FORMULA_SIZE) for line in more)
    inside += "".join(_next_line(line, palette.MUTED, VALUE_SIZE) for line in look.details)
    name = font(italic(look.name), look.name_color, FORMULA_SIZE)
    box = (
        f'<TD PORT="b" BORDER="{2 if look.doubled else 1}" COLOR="{look.frame}" '
        f'BGCOLOR="{look.fill}" CELLPADDING="6" WIDTH="{look.width}" HEIGHT="{look.height}">'
        f"{inside}</TD>"
    )
    table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{}</TABLE>'
    if sideways:
        notes = "<BR/>".join(font(escape(n.text), n.color, VALUE_SIZE) for n in look.notes)
        cells = f'<TD CELLPADDING="4">{name}</TD>{box}<TD CELLPADDING="4">{notes or " "}</TD>'
        return Html(table.format(f"<TR>{cells}</TR>"))
    notes = "".join(
        f'<TR><TD HEIGHT="15">{font(escape(n.text) or " ", n.color, VALUE_SIZE)}</TD></TR>'
        for n in look.notes
    )
    rows = f'<TR><TD HEIGHT="{NAME_HEIGHT}">{name}</TD></TR><TR>{box}</TR>{notes}'
    return Html(table.format(rows))
