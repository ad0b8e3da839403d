"""A graph from a plain NumPy function: called on input nodes, it builds nodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.build.graphs import input, named_outputs
from graphc.build.variables import call_with_variables
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ops.leaf import as_node


def from_function(function: Callable[..., Any], *, name: str | None = None, **inputs: Any) -> Graph:
    """Call a plain NumPy function on input nodes and return the graph that it built.

    Each keyword names an input and gives its shape, or (shape, dtype):
    `from_function(f, x=("N", 3), y=(("N",), "int64"))`. The function returns a node, several, or
    a mapping from name to node.

    **Raises.** GraphError where the function needs numbers, has other arguments, or returns
    something else.
    """
    _expect_arguments(function, inputs)
    nodes = {key: _input_of(key, value) for key, value in inputs.items()}
    by_place = isinstance(function, np.ufunc)  # such as np.tanh, whose arguments have no names
    variables: Mapping[Node, str] = {}
    if by_place:
        results = function(*nodes.values())
    else:
        results, variables = call_with_variables(function, **nodes)
    if isinstance(results, Mapping):
        named = {key: _result(value, function) for key, value in results.items()}
    else:
        several = results if isinstance(results, (list, tuple)) else [results]
        named = named_outputs([_result(value, function) for value in several], variables)
    own_name = getattr(function, "__name__", "graph")
    label = name or (own_name if own_name.isidentifier() else "graph")
    doc = "" if by_place else (getattr(function, "__doc__", None) or "").strip()
    return Graph(named, name=label, doc=doc, inputs=nodes.values(), names=variables)


def _expect_arguments(function: Callable[..., Any], inputs: Mapping[str, Any]) -> None:
    """Raise unless what is to be called is a function, and takes inputs of these names."""
    if not callable(function):
        raise user_error(
            "from_function takes a function", got=f"{function!r} of type {type(function).__name__}"
        )
    if isinstance(function, np.ufunc):
        return  # its arguments have no names
    signature = inspect.signature(function)
    try:
        signature.bind(**inputs)
    except TypeError as problem:
        shapes = ", ".join(f'{name}=("N", 3)' for name in signature.parameters)
        raise user_error(
            "each argument of the function needs a shape",
            got=f"{', '.join(inputs) or 'no inputs'}: {problem}",
            fix=f"gc.from_function({getattr(function, '__name__', 'f')}, {shapes})",
        ) from None


def _input_of(name: str, spec: Any) -> Node:
    if isinstance(spec, Node):
        return spec
    is_pair = isinstance(spec, tuple) and len(spec) == 2 and isinstance(spec[0], (tuple, list))
    shape, dtype = spec if is_pair else (spec, "float32")
    return input(name, shape, dtype)


def _result(value: Any, function: Callable[..., Any]) -> Node:
    if isinstance(value, (Node, bool, int, float, np.ndarray, np.generic)):
        return as_node(value)
    raise GraphError(
        f"{getattr(function, '__name__', 'the function')} returned something that is not a node",
        got=f"{value!r} of type {type(value).__name__}",
        expected="a node, several nodes, or a mapping from name to node",
    )
