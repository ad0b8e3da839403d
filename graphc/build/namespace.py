"""The functions that may be called in the text form: exactly these, and every op by its name."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, MutableMapping
from inspect import unwrap
from typing import Any, cast

from graphc.build import init, nn
from graphc.build.functions import PLAIN_FUNCTIONS
from graphc.build.graphs import input, param
from graphc.build.layers import losses
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.ops.registry import OPS, get_op

#: Layers and losses, as the text form and the top level call them.
LAYERS: dict[str, Callable[..., Any]] = {
    name: unwrap(getattr(module, name)) for module in (losses, nn) for name in module.__all__
}

#: What may stand after `init=`; where an array function has the same name, this one is meant.
INITIALIZERS: dict[str, Callable[..., Any]] = dict(init.INITIALIZERS)


def node(op: str, *inputs: Node, **attributes: Any) -> Node:
    """Return one node of an op, exactly as written: nothing is broadcast, cast or simplified.

    **Raises.** GraphError for an unknown op, and for inputs that do not fit it.
    """
    made = get_op(op).make(inputs, **attributes)
    made.op.text(made, [Code("x")] * len(inputs))  # fails where attributes are missing, or wrong
    return made


#: Name -> function. Ops that are defined later, by the user, are found as well.
FUNCTIONS: MutableMapping[str, Callable[..., Any]] = ChainMap(
    {
        **INITIALIZERS,
        **PLAIN_FUNCTIONS,
        **LAYERS,
        "input": input,
        "param": param,
        "node": node,
    },
    cast("dict[str, Callable[..., Any]]", OPS),
)
