"""What callers give to a function of graphs: the graph, and names in it or nodes that have them.

A name is what such functions work with, because a rewritten graph has other nodes under the same
names. Who holds the node in a variable may give it as it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from graphc.errors import GraphError, nearest
from graphc.ir.graph import Graph
from graphc.ir.node import Node

P = ParamSpec("P")
R = TypeVar("R")

#: The words that may give several names.
_SEVERAL = ("wrt", "through")


def takes_graph(*words: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for functions whose first argument is a graph.

    `words` are the parameters that name outputs, inputs or parameters of it: nodes that are given
    there become their names.

    Raises: GraphError, from the function, where it gets no graph, or a node that has no name there.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        order = list(inspect.signature(function).parameters)
        places = {order.index(word): word for word in words}
        first, name = order[0], getattr(function, "__name__", "the function")

        @wraps(function)
        def checked(*args: P.args, **options: P.kwargs) -> R:
            if not args and first not in options:
                return function(*args, **options)  # which says that it misses an argument
            graph = args[0] if args else options[first]
            if not isinstance(graph, Graph):
                raise _no_graph(name, graph)
            named = [
                _named(graph, value, places[i]) if i in places else value
                for i, value in enumerate(args)
            ]
            more = {
                word: _named(graph, value, word) if word in words else value
                for word, value in options.items()
            }
            return function(*named, **more)  # type: ignore[arg-type]  # names where nodes stood

        return checked

    return decorate


def _named(graph: Graph, value: Any, word: str) -> Any:
    """Return an argument with a name in the place of each node."""
    if word in _SEVERAL and isinstance(value, (list, tuple)):
        return [one_name(graph, x, word) for x in value]
    return one_name(graph, value, word)


def one_name(graph: Graph, value: Any, word: str) -> Any:
    """Return the name that is given as such, as a node of that name, or as a list of one.

    Raises: GraphError for several, and for a node without a name in the graph.
    """
    if isinstance(value, (list, tuple)):
        if len(value) != 1:
            raise GraphError(f"{word} is one name", got=repr(list(value)))
        value = value[0]
    return name_of(graph, value, word) if isinstance(value, Node) else value


def name_of(graph: Graph, node: Node, word: str) -> str:
    """Return the name under which a graph holds a node; `word` is what it was given as.

    An output that is called as an input is not what the name means where it is derived by.

    Raises: GraphError where the graph has no such node, or none with a name.
    """
    meaning = graph.variable if word == "wrt" else graph.find
    for group in (graph.outputs, graph.inputs, graph.params, _by_label(graph)):
        for name, held in group.items():
            if held is node and meaning(name) is node:
                return name
    known = [*graph.outputs, *graph.inputs, *graph.params]
    wanted = str(node.attrs["name"] if node.op.is_leaf else node.name or "")
    meant = wanted if wanted in known else nearest(wanted, known)
    raise GraphError(
        f"{word} is a node that has no name in graph {graph.name!r}",
        got=repr(node),
        expected=f"a name, such as {', '.join(known[:6])}",
        fix=f"pass the name: {word}={meant or known[0]!r}",
    )


def _by_label(graph: Graph) -> dict[str, Node]:
    taken = {*graph.outputs, *graph.inputs, *graph.params}
    return {label: node for node, label in graph.labels.items() if label not in taken}


def _no_graph(function: str, value: Any) -> GraphError:
    fixes = {
        "str": "gc.load(path), or gc.parse(text)",
        "PosixPath": "gc.load(path)",
        "WindowsPath": "gc.load(path)",
        "Node": 'make it an output of one: gc.graph({"y": y})',
        "dict": "gc.graph(outputs)",
        "CompiledFunction": "it was compiled from a graph: give that, or the function's .graph",
    }
    kind = type(value).__name__
    return GraphError(
        f"{function} takes a graph",
        got=repr(value) if isinstance(value, Node) else f"a value of type {kind}",
        expected="what gc.graph, gc.parse or gc.load returns",
        fix=fixes.get(kind),
    )
