"""The sizes of named dims that a first state needs: are all given, and are they sizes?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.build.init import checked_size
from graphc.errors import GraphError, did_you_mean
from graphc.ir.dims import dim_text, evaluate, shape_text, symbols_of
from graphc.ir.graph import Graph

#: A size for advice, where nobody knows the right one.
_SUCH_AS = 10


def dims_of_state(graph: Graph) -> list[str]:
    """Return the named dims of the parameters' shapes, in order of first appearance."""
    return symbols_of(dim for leaf in graph.params.values() for dim in leaf.shape)


def init_call(graph: Graph, seed: int = 0, known: Mapping[str, int] | None = None) -> str:
    """Return the call that makes a first state: `f.init(seed=0, N=10)`."""
    known = known or {}
    sizes = [f"{name}={known.get(name, _SUCH_AS)}" for name in dims_of_state(graph)]
    return f"f.init({', '.join([f'seed={seed}', *sizes])})"


def checked_sizes(graph: Graph, sizes: Mapping[str, Any], seed: int) -> dict[str, int]:
    """Return the sizes of the dims that parameters have, as whole numbers.

    Sizes of dims that only inputs have may be given, too; a first state does not depend on them.

    Raises: GraphError where one is missing, misspelt or no size.
    """
    wanted = dims_of_state(graph)
    known = {name: sizes[name] for name in wanted if name in sizes}
    for name in sizes:
        if name not in graph.dims:
            raise GraphError(
                f"no parameter has a dim called {name!r}",
                expected=", ".join(wanted) or "fixed sizes alone",
                fix=did_you_mean(name, wanted),
            )
    for name, leaf in graph.params.items():
        for dim in symbols_of(leaf.shape):
            if dim not in known:
                raise GraphError(
                    f"the size of parameter {name!r} depends on {dim}",
                    got=str(leaf.type),
                    fix=f"give it: {init_call(graph, seed, known)}",
                )
    whole = {name: checked_size(name, size) for name, size in known.items()}
    _check_shapes(graph, whole)
    return whole


def _check_shapes(graph: Graph, sizes: Mapping[str, int]) -> None:
    """Raise where an expression of dims, such as N - 4, is no size of a parameter."""
    for name, leaf in graph.params.items():
        for dim in leaf.shape:
            size = evaluate(dim, sizes)
            if type(size) is not int or size < 0:
                raise GraphError(
                    f"{dim_text(dim)} is no size of parameter {name!r}",
                    got=", ".join(f"{n} = {sizes[n]}" for n in symbols_of([dim])),
                    expected=shape_text(leaf.shape),
                )
