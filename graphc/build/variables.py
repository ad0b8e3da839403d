"""What does a user call the nodes that they hold? By the names of their variables."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from graphc.ir.node import Node
from graphc.ir.provenance import watching


def variables_of(frame: FrameType | None) -> dict[Node, str]:
    """Return a caller's names for nodes that nobody named; the first one if there are several."""
    names: dict[Node, str] = {}
    if frame is None:
        return names
    for scope in (frame.f_locals, frame.f_globals):
        for variable, value in list(scope.items()):
            if isinstance(value, Node) and _is_speaking(variable) and not _has_name(value):
                names.setdefault(value, variable)
    return names


def _is_speaking(variable: str) -> bool:
    """Say whether a variable names what it holds: not `_`, and not a debugger's own."""
    return variable.isidentifier() and not variable.startswith("_")


def _has_name(node: Node) -> bool:
    """Say whether a node has a name for good: not that of a layer or of a derivative."""
    provenance = node.provenance
    is_passing = provenance.is_called_after_primal or provenance.is_called_after_layer
    return bool(node.name) and not is_passing


def call_with_variables(
    function: Callable[..., Any], *args: Any, **options: Any
) -> tuple[Any, dict[Node, str]]:
    """Call a function; return its result, and what a user's function called its nodes inside."""
    with watching(sys._getframe()) as watch:
        result = function(*args, **options)
        return result, variables_of(watch.frame)
