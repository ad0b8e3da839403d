"""How does the explorer become one file? Data, styles and script in a page that needs no other."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphc.draw.explorer.colors import style_variables
from graphc.draw.typography import printable

_HERE = Path(__file__).parent
_SCRIPTS = ("model.js", "picture.js", "code.js", "passes.js", "steps.js", "main.js")

#: What would end a script, or what JavaScript takes for the end of a line.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


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
    return "".join(_UNSAFE.get(char, char) for char in text) if _is_unsafe(text) else text


def _is_unsafe(text: str) -> bool:
    return any(char in text for char in _UNSAFE)
