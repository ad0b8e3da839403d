"""What are the names that a model calls and that are no ops? Functions made of ops: which ones?"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from graphc.build.namespace import FUNCTIONS, INITIALIZERS
from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.ops import OPS
from graphc.ops.leaf import input_, is_fill

#: Sizes of axes in the call that is tried: those of a batch, of channels, of pictures.
_SHAPES = {1: (4,), 2: (2, 4), 3: (2, 4, 8), 4: (2, 4, 8, 8)}


@dataclass(frozen=True)
class Made:
    """What a function becomes in one call that it accepts: the call, and the ops in order."""

    name: str
    doc: str
    call: str
    ops: tuple[str, ...]


def made_of(name: str) -> Made | None:
    """Return what a function of the text form is made of; None for ops and unknown names."""
    function = FUNCTIONS.get(name)
    if name in OPS or function is None or name in (*INITIALIZERS, "input", "param", "node"):
        return None
    doc = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")
    for arguments in _calls(name, function):
        try:
            found = function(*arguments)
        except (GraphError, TypeError, ValueError, IndexError, AttributeError, KeyError):
            continue  # not what this function takes
        roots = [x for x in (found if isinstance(found, tuple) else (found,)) if type(x) is Node]
        used = [x for x in topological(roots) if not x.op.is_leaf and not is_fill(x)]
        if used:
            call = f"{name}({', '.join(map(_argument, arguments))})"
            return Made(name, doc, call, tuple(dict.fromkeys(x.op.name for x in used)))
    return Made(name, doc, "", ())


def _calls(name: str, function: Callable[..., Any]) -> Iterator[Sequence[Any]]:
    """Return arguments that the function may take: an array, then numbers or other arrays."""
    required = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    ranks = [r for r in (3, 4) if f"{r - 2}d" in name] or [2, 3, 1, 4]
    for rank in ranks:
        x = input_("x", _SHAPES[rank], "float64")
        labels = input_("y", _SHAPES[rank][:-1], "int64")
        others = (labels, 2, input_("y", _SHAPES[rank], "float64"))
        # One more than it requires: a size may have a default that is refused.
        for count in (len(required) - 1, len(required)):
            for rest in product(others, repeat=max(0, count)):
                yield (x, *rest)


def _argument(argument: object) -> str:
    return f"{argument.name}: {argument.type}" if isinstance(argument, Node) else repr(argument)
