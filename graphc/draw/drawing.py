"""A drawing: DOT source, and how it becomes a file, through the program `dot`."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from graphc.draw.svg import finished_svg
from graphc.errors import GraphError, nearest
from graphc.run.files import write_whole

FORMATS = ("svg", "png", "pdf", "dot", "html")

#: How much DOT a message shows; the error's `source` holds all of it.
_SHOWN_SOURCE = 4000

#: What dot says of a picture that is larger than a bitmap can be.
_TOO_LARGE = re.compile(r"too large for \S+ bitmaps. Scaling by ([\d.]+) to fit")

_INSTALL = (
    "install Graphviz: apt install graphviz, brew install graphviz, "
    "conda install -c conda-forge graphviz, winget install graphviz, or "
    "https://graphviz.org/download; a .dot file is written without it"
)


class DrawingError(GraphError):
    """A drawing that `dot` could not make; `source` holds the DOT text that it was given."""

    def __init__(self, what: str, *, source: str, got: str, fix: str | None = None) -> None:
        self.source = source
        super().__init__(what, got=got, fix=fix)

    def message(self) -> str:
        shown = self.source[:_SHOWN_SOURCE]
        rest = len(self.source) - len(shown)
        more = f"\n… {rest:,} more characters in this error's `source`" if rest else ""
        return f"{super().message()}\n  DOT source:\n{shown}{more}"


@dataclass(frozen=True)
class Drawing:
    """A picture as DOT text; `title` and `description` say in words what it shows.

    `engine` is graphviz's layout program: `dot` computes positions, `neato` takes those that the
    source states (`pos`).
    """

    source: str
    engine: str = "dot"
    title: str = "drawing"
    description: str = ""

    def save(self, path: str | os.PathLike[str], *, dpi: int = 144) -> Path:
        """Write the drawing, whole or not at all; the ending decides the format.

        A PNG has `dpi` dots per inch, or as many as the largest picture has that one can hold.

        **Raises** GraphError for an unknown ending, and with the DOT source attached where `dot`
        is absent, fails, or has anything to say.
        """
        target = Path(path)
        ending = target.suffix.removeprefix(".").lower()
        if ending not in FORMATS:
            hint = nearest(ending, list(FORMATS))
            raise GraphError(
                "unknown format of a drawing",
                got=target.name,
                expected=", ".join(f".{known}" for known in FORMATS),
                fix=f"did you mean .{hint}?" if hint else None,
            )
        writers: dict[str, Callable[[], bytes]] = {
            "dot": lambda: self.source.encode(),
            "svg": lambda: self.svg().encode(),
            "html": lambda: self.html().encode(),
            "png": lambda: self.png(dpi),
            "pdf": lambda: render(self.source, self.engine, "pdf"),
        }
        write_whole(target, writers[ending]())
        return target

    def svg(self) -> str:
        """Return an SVG with title, description and colours for light and dark pages."""
        raw = render(self.source, self.engine, "svg").decode()
        return finished_svg(raw, self.title, self.description)

    def png(self, dpi: int = 144) -> bytes:
        """Return a PNG; only here is `dpi` stated, because in the source it would scale SVG too."""
        head, brace, body = self.source.partition("{")
        while True:
            try:
                return render(f"{head}{brace}\n  graph [dpi={dpi}];{body}", self.engine, "png")
            except DrawingError as error:
                scale = _TOO_LARGE.search(str(error.got))
                smaller = int(dpi * float(scale[1])) if scale else dpi
                if not 1 <= smaller < dpi:
                    raise
                dpi = smaller

    def html(self) -> str:
        """Return a page that holds nothing but the drawing."""
        svg = self.svg()
        title = svg.partition("<title")[2].partition(">")[2].partition("</title>")[0]
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f"<title>{title}</title>\n</head>\n<body>\n{svg[svg.index('<svg') :]}"
            "</body>\n</html>\n"
        )

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"<drawing {self.title!r}; {len(self.source)} characters of DOT>"

    def __str__(self) -> str:
        return self.source


def can_render() -> bool:
    """Say whether the program dot is there; without it a picture is only written down."""
    return shutil.which("dot") is not None


def render(source: str, engine: str, format: str) -> bytes:
    """Return what `dot` makes of the source, or raise where it is absent, fails or complains."""
    import graphviz  # the one door to graphviz

    command = graphviz.backend.dot_command.command(
        engine, format, neato_no_op=2 if engine == "neato" else None
    )
    try:
        done = graphviz.backend.execute.run_check(
            command, input=source.encode(), capture_output=True, quiet=True
        )
    except graphviz.ExecutableNotFound:
        raise DrawingError(
            "the program dot was not found", source=source, got="no dot on PATH", fix=_INSTALL
        ) from None
    except graphviz.CalledProcessError as error:
        said = _said(error.stderr)
        raise DrawingError(
            "dot failed", source=source, got=said or f"exit status {error.returncode}"
        ) from None
    said = _said(done.stderr)
    if said:
        raise DrawingError("dot complained", source=source, got=said)
    return bytes(done.stdout)


def _said(stderr: bytes) -> str:
    """Return what dot said, each line once."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    return "\n            ".join(dict.fromkeys(lines))
