"""What stands in a cell's boxes and in its words, and how wide is each box?"""

from __future__ import annotations

from graphc.draw.cell_parts import Cell, Part
from graphc.draw.typography import fitted, text_width
from graphc.errors import GraphError, nearest
from graphc.ir.node import Node

#: Half the size of a round part without a word, and half the least width of a box.
RADIUS, LEAST_HALF = 14.0, 23.0


def marked_part(found: Cell, name: str | None) -> Node | None:
    """Return the part of a name. **Raises** GraphError where the cell has none."""
    if name is None:
        return None
    names = {part.name: node for node, part in found.parts.items() if part.name}
    if name not in names:
        hint = nearest(name, list(names))
        raise GraphError(
            f"the cell has no part called {name!r}",
            expected=", ".join(names) or "a part that was .named(…)",
            fix=f"did you mean {hint!r}?" if hint else None,
        )
    return names[name]


def shown_label(part: Part) -> str:
    return fitted(part.label, 14, 44)


def half_width(part: Part) -> float:
    """Return half the width that a part's label needs."""
    needed = 7 + text_width(shown_label(part), 14) / 2
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
