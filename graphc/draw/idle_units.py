"""What takes no part in a network? Units that dropout left out, and their edges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from graphc.draw.network_parts import Network
from graphc.draw.typography import listed
from graphc.draw.unit_edges import Picture
from graphc.draw.unit_names import Names
from graphc.errors import GraphError, did_you_mean


def dropped_units(
    picture: Picture, found: Network, names: Names, dropped: Mapping[str, Iterable[int]]
) -> set[str]:
    """Return the keys of dropped units; those that a wide layer does not show are left out.

    **Raises** GraphError for a layer that is not there, and a unit that the layer does not have.
    """
    keys: set[str] = set()
    places = {name: i for i, name in enumerate(names.own) if name}
    places |= {name: i for i, name in enumerate(names.layers)}
    known = list(dict.fromkeys(names.layers))
    for name, rows in dropped.items():
        if name not in places:
            raise GraphError(
                f"no layer is called {name!r}",
                expected=listed(known),
                fix=did_you_mean(name, known),
            )
        layer = places[name]
        size = found.layers[layer].size
        wanted = set(rows)
        outside = sorted(r for r in wanted if r < 0 or (isinstance(size, int) and r >= size))
        if outside:
            raise GraphError(
                f"layer {name!r} has no unit {outside[0]}", expected=f"units 0 to {size - 1}"
            )
        units = picture.arrangement.units[layer]
        keys |= {u.key for u in units if isinstance(u.row, int) and u.row in wanted}
    return keys


def without_edges(picture: Picture, keys: Set[str]) -> Picture:
    """Return the picture without the edges of some units, and without those edges' labels."""
    kept = [e for e in picture.edges if e.tail.key not in keys and e.head.key not in keys]
    gone = {f"l{e.key}" for e in picture.edges} - {f"l{e.key}" for e in kept}
    labels = [label for label in picture.labels if label.key not in gone]
    return replace(picture, edges=kept, labels=labels)
