"""What does graphviz's SVG lack? A title, a description, dark colours, and portable subscripts."""

from __future__ import annotations

import zlib
from xml.etree import ElementTree

from graphc.draw import palette
from graphc.draw.typography import printable

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_FONTS = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
#: How far below the line a subscript's baseline stands, and its size, as parts of the font size.
_DROP, _SHRINK = 0.18, 0.72


def finished_svg(raw: str, title: str, description: str) -> str:
    """Return graphviz's SVG with words for those who cannot see it and colours for dark pages."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(raw)
    for element in root.iter():
        _lower_subscript(element)
        _keep_outer_spaces(element)
        if "font-family" in element.attrib:
            element.set("font-family", _FONTS)
        if element.get("stroke") == "transparent":
            element.set("stroke", "none")  # SVG 1.1 knows no transparent
        for paint in ("fill", "stroke"):
            value = element.get(paint, "")
            if value.startswith("#"):
                element.set(paint, value.upper())
            elif value in _NAMED:
                element.set(paint, _NAMED[value])
    _use_tooltips_as_titles(root)
    # Several drawings may share one page, so ids and style rules carry the drawing's own mark.
    _describe(root, f"graphc-{zlib.crc32(raw.encode()):08x}", title, description)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


_NAMED = {"white": palette.PAPER, "black": palette.INK}


def _lower_subscript(element: ElementTree.Element) -> None:
    """Replace baseline-shift, which Firefox ignores, by a smaller font set lower."""
    shift = element.attrib.pop("baseline-shift", None)
    if shift is None:
        return
    size = float(element.get("font-size", "14"))
    down = _DROP if shift == "sub" else -2 * _DROP
    element.set("y", f"{float(element.get('y', '0')) + down * size:.2f}")
    element.set("font-size", f"{_SHRINK * size:.2f}")


def _keep_outer_spaces(element: ElementTree.Element) -> None:
    """Make spaces at the ends of a piece of a line hard: SVG leaves out soft ones."""
    text = element.text or ""
    if element.tag == f"{{{_SVG}}}text" and text != text.strip(" "):
        inner = text.strip(" ")
        before, _, after = text.partition(inner) if inner else (text, "", "")
        element.text = "\u00a0" * len(before) + inner + "\u00a0" * len(after)


def _use_tooltips_as_titles(root: ElementTree.Element) -> None:
    """Unwrap graphviz's links around tooltips; the tooltip becomes the group's title."""
    for group in list(root.iter(f"{{{_SVG}}}g")):
        title = group.find(f"{{{_SVG}}}title")
        link = group.find(f"{{{_SVG}}}g/{{{_SVG}}}a")
        if title is None or link is None:
            continue
        title.text = link.get(f"{{{_XLINK}}}title") or title.text
        wrapper = group.find(f"{{{_SVG}}}g")
        assert wrapper is not None
        at = list(group).index(wrapper)
        group.remove(wrapper)
        for offset, child in enumerate(list(link)):
            group.insert(at + offset, child)


def _describe(root: ElementTree.Element, mark: str, title: str, description: str) -> None:
    """Put role, title, description and style first, as screen readers expect them."""
    root.set("id", mark)
    root.set("role", "img")
    root.set("aria-labelledby", f"{mark}-title {mark}-desc")
    parts: tuple[tuple[str, dict[str, str], str], ...] = (
        ("title", {"id": f"{mark}-title"}, printable(title)),
        ("desc", {"id": f"{mark}-desc"}, printable(description or title)),
        ("style", {}, _dark_style(mark)),
    )
    for place, (tag, attributes, text) in enumerate(parts):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}", attributes)
        element.text = text
        element.tail = "\n"
        root.insert(place, element)
    # The canvas title would otherwise pop up as a second tooltip everywhere.
    canvas = root.find(f"{{{_SVG}}}g")
    inner = canvas.find(f"{{{_SVG}}}title") if canvas is not None else None
    if canvas is not None and inner is not None:
        canvas.remove(inner)


def _dark_style(mark: str) -> str:
    rules = []
    for light, dark in palette.DARK.items():
        rules.append(f'#{mark} [fill="{light}"] {{ fill: {dark}; }}')
        rules.append(f'#{mark} [stroke="{light}"] {{ stroke: {dark}; }}')
    rules.append(f"#{mark} text:not([fill]) {{ fill: {palette.DARK[palette.INK]}; }}")
    inner = "\n    ".join(rules)
    return f"\n  @media (prefers-color-scheme: dark) {{\n    {inner}\n  }}\n"
