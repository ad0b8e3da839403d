"""What does a user call the nodes that they hold? By the names of their variables."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from graphc.ir.node import Node
from graphc.ir.provenance import is_users


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
    """Say whether a node has a name for good: not one that differentiation came up with."""
    return bool(node.name) and not node.provenance.is_called_after_primal


class _Watch:
    """A hook of the interpreter's that looks at what a function holds as it returns."""

    def __init__(self, caller: FrameType) -> None:
        self.caller = caller
        self.variables: dict[Node, str] = {}

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_back is self.caller and is_users(frame):
            self.variables = variables_of(frame)


def call_with_variables(
    function: Callable[..., Any], *args: Any, **options: Any
) -> tuple[Any, dict[Node, str]]:
    """Call a function; return its result, and what a user's function called its nodes inside.

    A function's variables are gone after the call, so a hook reads them as it returns. Where a
    profiler has that hook, nothing is read: names are all that would come of it.
    """
    before = sys.getprofile()
    if before is not None and not isinstance(before, _Watch):
        return function(*args, **options), {}
    watch = _Watch(sys._getframe())
    sys.setprofile(watch)
    try:
        result = function(*args, **options)
    finally:
        sys.setprofile(before)
    return result, watch.variables
