"""Which inputs, or which parameters, does a graph have, and which of them does nothing read?"""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable, Mapping
from typing import Any

from graphc.errors import GraphError, GraphWarning
from graphc.ir.node import Node

#: Where a warning was given already, as Python keeps it for each module that warns.
_warned: dict[Any, Any] = {}


def leaves_of(op_name: str, nodes: Iterable[Node], declared: Iterable[Node]) -> dict[str, Node]:
    """Return the leaves of one kind by name: declared ones first, then as they were made.

    **Raises.** GraphError where two of them have one name.
    """
    found: dict[str, Node] = {}
    met = [node for node in nodes if node.op.name == op_name]
    met.sort(key=lambda node: node.provenance.order)
    for node in [*(n for n in declared if n.op.name == op_name), *met]:
        name = node.attrs["name"]
        if found.setdefault(name, node) is not node:
            raise _of_one_name(op_name, found[name], node)
    return found


def _of_one_name(op_name: str, first: Node, second: Node) -> GraphError:
    """Return the error that two leaves of one graph have one name."""
    pair = (first, second)
    name, kind = first.attrs["name"], {"param": "parameters"}.get(op_name, "inputs")
    places = [str(leaf.provenance.origin) for leaf in pair]
    types = [f"{x.type} of {at}" if at else str(x.type) for x, at in zip(pair, places, strict=True)]
    wanted = [_scoped_name(leaf) for leaf in pair]
    fix = "give one of them another name"
    if op_name == "param" and first.type == second.type:
        fix += ", or make it once, W = gc.param(...), and hand it to both layers: weight=W"
    if wanted[0] != wanted[1]:
        fix = f"a scope is no part of a name: write {wanted[0]!r} and {wanted[1]!r}"
    return GraphError(
        f"two {kind} are called {name!r}",
        where=places[1] or None,
        got=" and ".join(types),
        fix=fix,
    )


def _scoped_name(leaf: Node) -> str:
    """Return the name of a leaf, or of the layer that made it, with its scopes in front."""
    name, path = str(leaf.attrs["name"]), leaf.provenance.scope.split("/")
    layer = name.rpartition(".")[0] or name
    outer = path[:-1] if path[-1] == layer else path
    return ".".join([*filter(None, outer), layer])


def warn_of_unread(kind: str, leaves: Mapping[str, Node], read: Container[Node]) -> None:
    """Warn of each leaf that is not read, at the line that made it, of Python or of a text."""
    for name, leaf in leaves.items():
        if leaf in read:
            continue
        origin = leaf.provenance.origin
        warnings.warn_explicit(
            f"{kind} {name!r} is not used",
            GraphWarning,
            origin.file or "<graph>",
            origin.line,
            registry=_warned,
        )
