"""Derivatives of the stable form, which users take of graphs and of nodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from graphc.differentiate.gradient import derived_by
from graphc.differentiate.gradient import grad as grad_as_written
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.rewrite.before_derivative import stable_form, stable_node
from graphc.rewrite.engine.numbering import ValueNumbers
from graphc.rewrite.loops.merge_loops import merge_loops


def grad(node: Node, wrt: Node | Sequence[Node], *, stabilize: bool = True) -> list[Node]:
    """Return the derivatives of a scalar node, each with the shape of its node of `wrt`.

    What is derived is the stable form, as by `gc.compile`: softplus(x) for log(1 + exp(x)). With
    `stabilize=False` it is the node as it is written. A node of `wrt` that the scalar does not
    depend on gets zeros, if it depends on another one.

    Raises:
        GraphError: where `node` is not a float scalar, where one of `wrt` is not a float, or where
            the scalar depends on none of them.
    """
    targets = derived_by(node, wrt)
    stable = stable_node(node, targets) if stabilize else node
    depends = stable is not node and not {*targets}.isdisjoint(topological([stable]))
    return grad_as_written(stable if depends else node, targets)


_STABLE_FORM = """What is derived is the stable form, as by `gc.compile`: softplus(x) for
log(1 + exp(x)). With `stabilize=False` it is the graph as it is written."""


def of_stable_form(derivative: Callable[..., Any]) -> Callable[..., Any]:
    """Return a derivative of graphs that takes that of the stable form, as `compile` does.

    With `stabilize=False` it is that of the graph as it is written. Signature and docstring are
    the derivative's own, and tell of `stabilize`, too.
    """
    signature = inspect.signature(derivative)
    words = [word for word in ("of", "wrt", "through") if word in signature.parameters]

    @takes_graph(*words)
    @wraps(derivative)
    def method(graph: Graph, *args: Any, stabilize: bool = True, **options: Any) -> Any:
        if stabilize:
            given = signature.bind(graph, *args, **options).arguments
            by = [given.get(word) or () for word in ("wrt", "through")]
            names = [n for group in by for n in ([group] if isinstance(group, str) else group)]
            if "of" in given and given["of"] not in graph.outputs:
                names.append(given["of"])
            graph = stable_form(graph, names)
        found = derivative(graph, *args, **options)
        # A derivative of a loop comes with a copy of it, which emits what the derivative reads.
        return merge_loops(found, {}, ValueNumbers())[0] if isinstance(found, Graph) else found

    switch = inspect.Parameter(
        "stabilize", inspect.Parameter.KEYWORD_ONLY, default=True, annotation="bool"
    )
    shown = signature.replace(parameters=[*signature.parameters.values(), switch])
    method.__signature__ = shown  # type: ignore[attr-defined]  # read by inspect
    first, _, rest = (inspect.getdoc(derivative) or "").partition("\n\n")
    method.__doc__ = "\n\n".join(part for part in (first, _STABLE_FORM, rest) if part)
    return method
