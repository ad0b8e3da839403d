"""Errors of the text form: file, line, column, the line itself with a caret, and the likely fix."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.errors import GraphError

#: A longer source line is shown as a window around the fault.
_WINDOW = 96


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one source line; lines and columns count from 1."""

    filename: str
    line: int
    column: int
    source_line: str = ""
    width: int = 1

    def __str__(self) -> str:
        return f"{self.filename}:{self.line}:{self.column}"

    def picture(self) -> str:
        """Return the source line and, under it, carets below the stretch.

        >>> print(Place("m.graph", 3, 7, "z = x @ w", width=1).picture())
            z = x @ w
                  ^
        """
        start = min(self.column - 1, len(self.source_line))
        left = 0 if len(self.source_line) <= _WINDOW else max(0, start - _WINDOW // 2)
        shown = self.source_line[left : left + _WINDOW]
        before = "".join("\t" if char == "\t" else " " for char in shown[: start - left])
        carets = "^" * max(1, min(self.width, len(shown) - (start - left)))
        head = "… " if left else ""
        tail = " …" if left + _WINDOW < len(self.source_line) else ""
        return f"    {head}{shown}{tail}\n    {' ' * len(head)}{before}{carets}"


class GraphTextError(GraphError):
    """A mistake in a graph's text, shown at its place.

    >>> place = Place("m.graph", 3, 5, "z = softmx(x)", width=6)
    >>> print(GraphTextError("no function is called 'softmx'", place, fix="write softmax"))
    m.graph:3:5: no function is called 'softmx'
        z = softmx(x)
            ^^^^^^
      fix       write softmax
    """

    def __init__(
        self,
        what: str,
        place: Place,
        *,
        got: object = None,
        expected: object = None,
        fix: str | None = None,
    ) -> None:
        self.place = place
        super().__init__(what, where=str(place), got=got, expected=expected, fix=fix)

    @property
    def filename(self) -> str:
        return self.place.filename

    @property
    def line(self) -> int:
        return self.place.line

    @property
    def column(self) -> int:
        return self.place.column

    def message(self) -> str:
        rows = [("got", self.got), ("expected", self.expected), ("fix", self.fix)]
        lines = [f"{self.place}: {self.what}"]
        if self.place.source_line.strip():
            lines.append(self.place.picture())
        return "\n".join(lines + [f"  {label:<9} {text}" for label, text in rows if text])
