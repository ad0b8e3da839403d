"""Which colours does the explorer use? Each role once, for light and for dark pages.

`tests/draw/test_explorer.py` computes the contrast of every ink on every ground: at least 4.5:1.
"""

from __future__ import annotations

from graphc.draw import palette

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
