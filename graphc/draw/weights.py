"""What are the weights' numbers? Each link's array from a state, inputs first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.draw.network_parts import Network
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
