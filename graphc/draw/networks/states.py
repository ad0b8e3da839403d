"""What does a user give to a network? Numbers of its weights, and units that were dropped out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.draw.networks.parts import Network
from graphc.draw.networks.unit_edges import Picture
from graphc.draw.networks.unit_names import Names
from graphc.draw.typography import listed
from graphc.errors import GraphError, did_you_mean
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.run.arguments import as_array
from graphc.run.reference import evaluate


def weight_arrays(
    network: Network, state: Mapping[str, Any] | None
) -> Mapping[Node, np.ndarray] | None:
    """Return the value of every weight and bias of a network; None without a state.

    **Raises** GraphError where the state lacks a parameter that the network needs, or its shape
    differs.
    """
    if state is None:
        return None
    links = [link.weight for link in network.links if link.weight is not None]
    roots = [*links, *[bias for layer in network.layers for bias in layer.biases]]
    params = [node for node in topological(roots) if node.op.is_leaf]
    names = [node.attrs["name"] for node in params]
    missing = [name for name in names if name not in state]
    if missing:
        raise GraphError(
            f"the state has no value for {listed(missing)}",
            got=listed(list(map(str, state))) or "an empty state",
            fix=did_you_mean(missing[0], state) or "state = graph.init(seed=0)",
        )
    env = {
        node: as_array(state[name], node.dtype, f"parameter {name!r}")
        for node, name in zip(params, names, strict=True)
    }
    values = evaluate(roots, env)
    return {root: values[root] for root in roots}


# -- units that dropout left out -----------------------------------------------------------------


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
