"""Cut data into batches: which axis of which array runs over the examples?"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import GraphError, nearest
from graphc.ir.dims import symbols_of
from graphc.ir.graph import Graph
from graphc.ir.labels import typed_names
from graphc.ir.node import Node
from graphc.run.arguments import as_array
from graphc.run.sizes import dims_of_state

Batch = dict[str, Any]


@dataclass(frozen=True)
class Data:
    """Arrays by input name, and the axis of each that runs over the examples.

    `axes` holds only the arrays that are cut; the others go whole into every batch. With
    `one_by_one` the graph describes a single example, so batches lose the axis.
    """

    arrays: Mapping[str, np.ndarray]
    axes: Mapping[str, int]
    count: int
    one_by_one: bool = False

    def batches(
        self, size: int, order: np.ndarray | None = None, start: int = 0
    ) -> Iterator[Batch]:
        """Return the batches in order, the last one smaller where `size` does not divide.

        The first `start` examples are left out.
        """
        order = np.arange(self.count) if order is None else order
        if self.one_by_one:
            for index in order[start:]:
                yield self._cut(int(index))
            return
        for first in range(start, self.count, size):
            yield self._cut(order[first : first + size])

    def _cut(self, rows: int | np.ndarray) -> Batch:
        return {
            name: np.asarray(array.take(rows, self.axes[name])) if name in self.axes else array
            for name, array in self.arrays.items()
        }


def as_data(graph: Graph, data: Mapping[str, Any], batch_dim: str | None = None) -> Data:
    """Return checked data for a graph.

    The examples run along the dim `batch_dim`: given, or `N`, or the first named dim of the first
    input. A dim that a parameter has is none of them: a batch has its size as the state does. A
    graph without other named dims whose inputs all have one axis less than the data is stepped
    one example at a time.

    Raises: GraphError for a missing or surplus array, a dtype that does not convert, and arrays
    with different numbers of examples.
    """
    _check_names(graph, data)
    arrays = {
        name: as_array(data[name], leaf.dtype, f"data {name!r}")
        for name, leaf in graph.inputs.items()
    }
    axes = _axes(graph, batch_dim)
    one_by_one = not axes and bool(arrays)
    if one_by_one:
        extra = [arrays[name].ndim - leaf.ndim for name, leaf in graph.inputs.items()]
        if set(extra) == {0}:
            return Data(arrays, {}, 1)  # the graph takes the whole data at once
        axes = {name: 0 for name, more in zip(arrays, extra, strict=True) if more == 1}
    _check_ranks(graph, arrays, axes, one_by_one)
    counts = {name: arrays[name].shape[axis] for name, axis in axes.items()}
    if len(set(counts.values())) > 1:
        raise GraphError(
            "the data arrays differ in their number of examples",
            got=", ".join(f"{name}: {count}" for name, count in counts.items()),
            expected="one number for all",
        )
    count = next(iter(counts.values()), 1)
    if count == 0:
        raise GraphError("there are no examples", got="arrays of length 0")
    return Data(arrays, axes, count, one_by_one)


def sizes_of_state(
    graph: Graph, data: Mapping[str, Any], given: Mapping[str, int], batch_dim: str | None = None
) -> dict[str, int]:
    """Return the sizes that a first state needs: the given ones, and those that the data tell.

    Raises: GraphError where neither tells a size, and for data that `as_data` refuses.
    """
    wanted = dims_of_state(graph)
    sizes = _told_sizes(graph, data, wanted, batch_dim) | {**given} if wanted else {**given}
    missing = [name for name in wanted if name not in sizes]
    if missing:
        raise GraphError(
            f"the size of {missing[0]} is unknown: parameters have it, but no input does",
            expected=", ".join(wanted),
            fix=f"sizes={{{missing[0]!r}: 10}}",
        )
    return sizes


def _told_sizes(
    graph: Graph, data: Mapping[str, Any], wanted: Container[str], batch_dim: str | None
) -> dict[str, int]:
    """Return the sizes of parameters' dims that data tell: those of axes that are not cut."""
    arrays = as_data(graph, data, batch_dim).arrays
    sizes: dict[str, int] = {}
    for name, leaf in graph.inputs.items():
        # From behind: data of single examples have an axis more, in front.
        for axis, dim in enumerate(reversed(_symbols(leaf)), 1):
            if dim in wanted:
                sizes.setdefault(dim, arrays[name].shape[-axis])
    return sizes


def _check_names(graph: Graph, data: Mapping[str, Any]) -> None:
    if not isinstance(data, Mapping):
        raise GraphError(
            "data must name its arrays",
            got=f"a value of type {type(data).__name__}",
            expected="{" + ", ".join(f"{name!r}: …" for name in graph.inputs) + "}",
        )
    for name in graph.inputs:
        if name not in data:
            hint = nearest(name, [str(key) for key in data])
            raise GraphError(
                f"the data lack {name!r}",
                got=", ".join(map(str, data)) or "no arrays",
                expected=typed_names(graph.inputs),
                fix=f"rename {hint!r}" if hint else None,
            )
    for name in data:
        if name not in graph.inputs:
            raise GraphError(
                f"{graph.name} has no input called {name!r}", expected=", ".join(graph.inputs)
            )


def _axes(graph: Graph, batch_dim: str | None) -> dict[str, int]:
    """Return the axis of each input that runs over the examples."""
    named = {name: _symbols(leaf) for name, leaf in graph.inputs.items()}
    fixed = dims_of_state(graph)
    if batch_dim is not None and batch_dim in fixed:
        raise GraphError(
            f"no batches can be cut along {batch_dim!r}: a parameter has that dim, too",
            got=", ".join(f"{name}: {leaf.type}" for name, leaf in _having(graph, batch_dim)),
            fix="leave out batch_dim: every step then takes these data whole",
        )
    known = [dim for dims in named.values() for dim in dims if dim and dim not in fixed]
    if batch_dim is not None and batch_dim not in known:
        raise GraphError(
            f"no input has a dim called {batch_dim!r}", expected=", ".join(dict.fromkeys(known))
        )
    if not known:
        return {}
    chosen = batch_dim or ("N" if "N" in known else known[0])
    return {name: dims.index(chosen) for name, dims in named.items() if chosen in dims}


def _having(graph: Graph, dim: str) -> list[tuple[str, Node]]:
    """Return the user's parameters that have a dim."""
    params = [(name, leaf) for name, leaf in graph.params.items() if not leaf.attrs["slot"]]
    return [(name, leaf) for name, leaf in params if dim in symbols_of(leaf.shape)]


def _symbols(leaf: Node) -> list[str]:
    return ["" if isinstance(d, int) or not d.is_Symbol else d.name for d in leaf.shape]


def _check_ranks(
    graph: Graph, arrays: Mapping[str, np.ndarray], axes: Mapping[str, int], one_by_one: bool
) -> None:
    for name, array in arrays.items():
        wanted = graph.inputs[name].ndim + (one_by_one and name in axes)
        if array.ndim != wanted:
            raise GraphError(
                f"data {name!r} has the wrong number of axes",
                got=str(list(array.shape)),
                expected=f"{graph.inputs[name].type}" + (", once for each example" * one_by_one),
                fix=_reshaped(name, array, graph.inputs[name]) if axes.get(name) == 0 else None,
            )


def _reshaped(name: str, array: np.ndarray, leaf: Node) -> str | None:
    """Return how flat examples get the shape of their input, or pictures without channels one."""
    sizes = [size for size in leaf.shape[1:] if isinstance(size, int)]
    if leaf.ndim != len(sizes) + 1 or not array.ndim or not array.size:
        return None
    each = array.size // array.shape[0]
    shape = ", ".join(map(str, [-1, *sizes]))
    return f"{name}.reshape({shape})" if each == math.prod(sizes) else None
