"""How does the explorer become one file? Data, styles and script in a page that needs no other."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphc.draw import palette
from graphc.draw.typography import printable

_HERE = Path(__file__).parent
_SCRIPTS = ("model.js", "picture.js", "code.js", "passes.js", "steps.js", "main.js")

#: What would end a script, or what JavaScript takes for the end of a line.
_UNSAFE = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


def page(title: str, data: Mapping[str, Any]) -> str:
    """Return the whole page: nothing in it is loaded from anywhere else."""
    template = (_HERE / "page.html").read_text(encoding="utf-8")
    styles = style_variables() + (_HERE / "explorer.css").read_text(encoding="utf-8")
    script = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    head, rest = template.split("{{title}}")
    before, rest = rest.split("{{styles}}")
    middle, rest = rest.split("{{data}}")
    after, end = rest.split("{{script}}")
    parts = (head, html.escape(printable(title)), before, styles, middle, _json(data))
    return "".join((*parts, after, script, end))


def _json(data: Mapping[str, Any]) -> str:
    """Return the data as JSON that can stand inside a script element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_UNSAFE)


# -- colours -------------------------------------------------------------------------------------

_SHARED = {
    "ink": palette.INK,
    "muted": palette.MUTED,
    "edge": palette.EDGE,
    "value": palette.VALUE,
    "adjoint": palette.ADJOINT,
    "paper": palette.PAPER,
    "input": palette.INPUT_FILL,
    "parameter": palette.PARAMETER_FILL,
    "constant": palette.CONSTANT_FILL,
    "output": palette.OUTPUT_FILL,
    "group": palette.GROUP_FILL,
}

#: Role -> its colour on a light page and on a dark one.
COLORS = {role: (light, palette.DARK[light]) for role, light in _SHARED.items()} | {
    "ground": ("#F6F7F9", "#0E1216"),
    "lit": ("#FFF3C4", "#3A3212"),
    "line": ("#D5DAE0", "#3C4651"),
    "accent": ("#005A9C", "#8CC8FF"),
    "added": ("#14683A", "#86DBA6"),
    "removed": ("#A8201A", "#FFB0A8"),
    "changed": ("#7A4F00", "#F0C35A"),
    "ring": ("#6B2FA8", "#D0B0FA"),
    "keyword": ("#6B2FA8", "#D0B0FA"),
    "string": ("#14683A", "#86DBA6"),
    "number": ("#005A9C", "#8CC8FF"),
    "defined": ("#A63D00", "#FFA971"),
}

#: What text is written in, and what it is written on.
INKS = (
    "ink",
    "muted",
    "value",
    "adjoint",
    "accent",
    "added",
    "removed",
    "changed",
    "ring",
    "keyword",
    "string",
    "number",
    "defined",
)
GROUNDS = ("paper", "ground", "lit")


def style_variables() -> str:
    """Return the colours as CSS custom properties."""

    def block(place: int) -> str:
        return "\n".join(f"  --{role}: {pair[place]};" for role, pair in COLORS.items())

    return (
        f":root {{\n  color-scheme: light dark;\n{block(0)}\n}}\n"
        f"@media screen and (prefers-color-scheme: dark) {{\n:root {{\n{block(1)}\n}}\n}}\n"
    )
