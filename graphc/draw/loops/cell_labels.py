"""What stands in a cell's boxes and in its words, and how wide is each box?"""

from __future__ import annotations

from graphc.draw import palette
from graphc.draw.dot_source import Html, font
from graphc.draw.loops.cell_parts import Cell, Part
from graphc.draw.typography import escape, fitted, name_text, text_width
from graphc.errors import GraphError, did_you_mean
from graphc.ir.node import Node

#: Half the size of a round part without a word, and half the least width of a box.
RADIUS, LEAST_HALF = 14.0, 23.0
#: How wide a label may be, and the sizes of letters that are tried.
_WIDEST, _SIZES = 48.0, (14.0, 12.0, 10.0)


def marked_part(found: Cell, name: str | None) -> Node | None:
    """Return the part of a name. **Raises** GraphError where the cell has none."""
    if name is None:
        return None
    names = {part.name: node for node, part in found.parts.items() if part.name}
    if name not in names:
        raise GraphError(
            f"the cell has no part called {name!r}",
            expected=", ".join(names) or "a part that was .named(…)",
            fix=did_you_mean(name, names),
        )
    return names[name]


def shown_label(part: Part) -> tuple[str, float]:
    """Return a part's label and the size of its letters, which are smaller in long words."""
    size = next((s for s in _SIZES if text_width(part.label, s) <= _WIDEST), _SIZES[-1])
    return fitted(part.label, size, _WIDEST), size


def boxed_label(part: Part) -> str | Html:
    text, size = shown_label(part)
    return text if size == _SIZES[0] else Html(font(escape(text), palette.INK, size))


def emitted_labels(found: Cell) -> list[tuple[str, float]]:
    """Return what is written over each emitted value, and how far it stands from the first one."""
    labels: list[tuple[str, float]] = []
    for node in found.results[len(found.carries) :]:
        carried = zip(found.carries, found.results, strict=False)
        state = next((carry for carry, result in carried if result is node), None)
        text = name_text(node.name) if node.name else "output"
        if state is not None:
            text = f"{name_text(found.name(state))}ₜ"
        place = 0.0
        if labels:
            before, place = labels[-1]
            place += max(36.0, 12 + (text_width(before, 16) + text_width(text, 16)) / 2)
        labels.append((text, place))
    return labels


def kinds_in_words(found: Cell) -> list[str]:
    """Say what the shapes of parts stand for, as far as the cell has them."""
    parts = found.parts.values()
    families = [part.node.op.family for part in parts if part.kind == "pointwise"]
    words = ["yellow: with weights"] if len(families) < len(parts) else []
    by_unit = (
        "unit by unit" if all(family == "pointwise" for family in families) else "without weights"
    )
    return [*words, f"round: {by_unit}"] if families else words


def in_words(found: Cell, part: Part) -> str:
    """Return what a part computes, in words: `f = σ of weights times x_t, h`."""
    sources = ", ".join(_name(found, s) for s in part.sources)
    peeks = ", ".join(_name(found, s) for s in part.peeks)
    weights = "" if part.kind == "pointwise" else "weights times "
    text = f"{part.name or 'part'} = {part.label} of {weights}{sources}"
    return f"{text}, and unit by unit {peeks}" if peeks else text


def _name(found: Cell, node: Node) -> str:
    if node in found.parts:
        return found.parts[node].name or f"a {found.parts[node].kind} part"
    return found.name(node)


def half_width(part: Part) -> float:
    """Return half the width that a part's label needs."""
    needed = 7 + text_width(*shown_label(part)) / 2
    if part.kind == "pointwise":
        return RADIUS if len(part.label) < 2 else max(needed, RADIUS)
    return max(needed, LEAST_HALF)


def told(found: Cell) -> str:
    """Return the cell in words, part by part."""
    scene = [f"Reads {', '.join(map(found.name, (*found.carries, *found.slices)))}."]
    for part in found.parts.values():
        names = [
            found.parts[s].name or "an unnamed part" if s in found.parts else found.name(s)
            for s in part.reads
        ]
        scene.append(f"{part.name or 'A part'}: {part.label}, {part.kind}, of {', '.join(names)}.")
    return " ".join(scene)
