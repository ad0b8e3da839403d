"""A table in four formats: text, Markdown, LaTeX and HTML. One printer a format."""

from __future__ import annotations

import html
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from graphc.draw import palette
from graphc.draw.traces.pieces import Phrase, Piece, Written
from graphc.errors import GraphError, did_you_mean

#: The end of a line inside a cell.
LINE = Piece("\n", "", "<br>")


@dataclass(frozen=True)
class Column:
    """A column's head, and whether its cells are words or formulas."""

    head: str
    is_words: bool = False


@dataclass(frozen=True)
class Table:
    """A title, a remark, columns, and rows with one phrase for each column."""

    title: Phrase
    remark: Phrase
    columns: Sequence[Column]
    rows: Sequence[Sequence[Phrase]]

    def without_empty_columns(self) -> Table:
        """Return the table without columns in which every cell is empty."""
        kept = [i for i in range(len(self.columns)) if any(row[i] for row in self.rows)]
        rows = [[row[i] for i in kept] for row in self.rows]
        return Table(self.title, self.remark, [self.columns[i] for i in kept], rows)


class Tabular(ABC):
    """What is shown as a table: `str()` is its text, and a notebook shows it as HTML."""

    @abstractmethod
    def table(self) -> Table:
        """Return the table."""

    def format(self, format: str = "text") -> str:
        """Return the table as "text", "markdown", "latex" or "html".

        **Raises** GraphError for another format.
        """
        if format not in FORMATS:
            raise GraphError(
                "unknown format of a table",
                got=repr(format),
                expected=", ".join(FORMATS),
                fix=did_you_mean(format, FORMATS),
            )
        return FORMATS[format](self.table().without_empty_columns())

    def __str__(self) -> str:
        return self.format("text")

    def __repr__(self) -> str:
        return self.format("text")

    def _repr_html_(self) -> str:
        return self.format("html")

    def _repr_latex_(self) -> str:
        return self.format("latex")


def plain(phrase: Phrase) -> str:
    """Return a phrase as plain text."""
    return "".join(piece.text for piece in phrase)


# -- text --------------------------------------------------------------------------------------


def _text(table: Table) -> str:
    lines = [[plain(cell) for cell in line] for row in table.rows for line in _lines(row)]
    rows = [[column.head for column in table.columns], *lines]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    rule = ["─" * width for width in widths]
    body = [_padded(row, widths) for row in (rows[0], rule, *rows[1:])]
    head = [text for text in (plain(table.title), plain(table.remark)) if text]
    return "\n".join([*head, "", *body])


def _lines(row: Sequence[Phrase]) -> list[list[Phrase]]:
    """Return the lines of a row, whose cells may have different numbers of them."""
    return [list(line) for line in zip_longest(*map(_split, row), fillvalue=())]


def _split(cell: Phrase) -> list[Phrase]:
    """Return the lines of a cell."""
    lines: list[list[Written]] = [[]]
    for piece in cell:
        if piece is LINE:
            lines.append([])
        else:
            lines[-1].append(piece)
    return list(lines)


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
    return "  ".join(cells).rstrip()


def _width(text: str) -> int:
    """Return the number of columns that a terminal gives a text."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


# -- Markdown ----------------------------------------------------------------------------------


def _markdown(table: Table) -> str:
    lines = [f"**{_escaped(plain(table.title))}**", ""]
    if table.remark:
        lines += [_escaped(plain(table.remark)), ""]
    lines.append("| " + " | ".join(column.head for column in table.columns) + " |")
    lines.append("|" + "---|" * len(table.columns))
    for row in table.rows:
        cells = [
            _escaped(plain(cell))
            if column.is_words
            else "<br>".join(_code_span(plain(line)) for line in _split(cell))
            for column, cell in zip(table.columns, row, strict=True)
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Return words for Markdown: its marks, and those of HTML, are written as characters."""
    return re.sub(r"([\\`*_\[\]<>|~#&$])", r"\\\1", text)


def _code_span(text: str) -> str:
    """Return `text` as code; a bar would end the cell, even there."""
    if not text:
        return ""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    shown = text.replace("|", "\\|")
    return f"{fence}{space}{shown}{space}{fence}"


# -- LaTeX -------------------------------------------------------------------------------------


def _latex(table: Table) -> str:
    columns = "l" * len(table.columns)
    heads = " & ".join(rf"\text{{{column.head}}}" for column in table.columns)
    lines = [line for row in table.rows for line in _lines(row)]
    rows = [" & ".join("".join(p.latex for p in cell) for cell in line) for line in lines]
    title = "".join(piece.latex for piece in table.title)
    remark = "".join(piece.latex for piece in table.remark)
    above = rf"{title} \\" + (f"\n{remark} \\\\" if remark else "")
    body = " \\\\[4pt]\n".join(rows)
    return (
        "$$\n\\begin{array}{l}\n"
        f"{above}\n\\begin{{array}}{{{columns}}}\n\\hline\n{heads} \\\\\n\\hline\n"
        f"{body} \\\\\n\\hline\n\\end{{array}}\n\\end{{array}}\n$$"
    )


# -- HTML --------------------------------------------------------------------------------------

#: The class stands twice, and cells have colors of their own: notebooks style all tables.
_STYLE = (
    "<style>"
    ".graphc-table{{border-collapse:collapse;font:15px/1.5 'DejaVu Sans',Verdana,sans-serif;"
    "color:{ink};background:{paper}}}"
    ".graphc-table caption{{text-align:left;padding:6px 12px;color:{ink};background:{paper}}}"
    ".graphc-table caption small{{display:block;color:{muted}}}"
    ".graphc-table.graphc-table :is(th,td){{text-align:left;padding:3px 12px;"
    "white-space:nowrap;vertical-align:top;"
    "border-bottom:1px solid {line};color:{ink};background:{paper}}}"
    ".graphc-table sub,.graphc-table sup{{line-height:0}}"
    ".graphc-table.graphc-table thead th{{color:{muted};font-weight:normal}}"
    "</style>"
)
_LIGHT = {
    "ink": palette.INK,
    "paper": palette.PAPER,
    "muted": palette.MUTED,
    "line": palette.FORWARD_FRAME,
}


def _html(table: Table) -> str:
    light = _STYLE.format(**_LIGHT)
    dark = _STYLE.format(**{role: palette.DARK[color] for role, color in _LIGHT.items()})
    dark = dark.removeprefix("<style>").removesuffix("</style>")
    style = light.replace("</style>", f"@media (prefers-color-scheme:dark){{{dark}}}</style>")
    remark = "".join(piece.html for piece in table.remark)
    caption = "".join(piece.html for piece in table.title)
    caption += f"<small>{remark}</small>" if remark else ""
    heads = "".join(f'<th scope="col">{html.escape(column.head)}</th>' for column in table.columns)
    lines = [style, '<table class="graphc-table">', f"<caption>{caption}</caption>"]
    lines += [f"<thead><tr>{heads}</tr></thead>", "<tbody>"]
    for row in table.rows:
        cells = "".join(f"<td>{''.join(piece.html for piece in cell)}</td>" for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    return "\n".join([*lines, "</tbody>", "</table>"])


FORMATS: dict[str, Callable[[Table], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
    "html": _html,
}
