"""Tangents as a graph: the outputs' motion beside their values, for given motions of inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphc.differentiate.gradient import check_float, default_wrt
from graphc.differentiate.sweeps.forward import moved_by
from graphc.differentiate.sweeps.reverse import placeholder
from graphc.differentiate.sweeps.several import batched
from graphc.ir.dims import Dim, as_dim
from graphc.ir.graph import Graph
from graphc.ir.naming import free_name
from graphc.ir.node import Node
from graphc.ir.provenance import inherit
from graphc.ops.leaf import fill
from graphc.ops.registry import OPS


def tangent(graph: Graph, wrt: str | Iterable[str] | None = None, directions: Any = None) -> Graph:
    """Return the graph with inputs `x_dot` and outputs `loss_dot` added: forward mode.

    Every float output gets its tangent; one that does not move gets zeros. `wrt` None stands for
    the trainable parameters, or for all float inputs where there are none. `directions` (a number
    or a named dim) asks for several tangents at once: partial derivatives are then computed once
    for all. A name that is taken gets a number: the tangent of a tangent takes `x_dot2`.

    **Shapes.** `x_dot`: x.shape; `loss_dot`: loss.shape. Both with `directions` in front.
    **Raises.** GraphError where a name is unknown or stands for no float.
    """
    names = _wanted(graph, wrt)
    targets = [graph.variable(name) for name in names]
    for name, target in zip(names, targets, strict=True):
        check_float(target, name)
    count = None if directions is None else as_dim(directions)
    taken = {*graph.inputs, *graph.params, *graph.outputs}
    seeds = [new_input(f"{n}_dot", t, taken, count) for n, t in zip(names, targets, strict=True)]
    outputs = {name: node for name, node in graph.outputs.items() if node.dtype.kind == "f"}
    moved = _moved(list(outputs.values()), targets, seeds, count)
    found = dict(graph.outputs)
    for name, node in outputs.items():
        still = node not in moved
        free = _taken_name(f"{name}_dot", taken)
        found[free] = _at_rest(node, count) if still else moved[node]
    labels = {moved[n]: f"{label}_dot" for n, label in graph.labels.items() if n in moved}
    known = {*graph.nodes, *seeds}
    return with_inputs(graph, seeds, found, {n: s for n, s in labels.items() if n not in known})


def _wanted(graph: Graph, wrt: str | Iterable[str] | None) -> list[str]:
    if isinstance(wrt, str):
        return [wrt]
    return default_wrt(graph) if wrt is None else list(wrt)


def _moved(
    outputs: Sequence[Node], targets: Sequence[Node], seeds: Sequence[Node], count: Dim | None
) -> dict[Node, Node]:
    if count is None:
        return moved_by(outputs, targets, seeds)
    single = [placeholder(target) for target in targets]
    moved = moved_by(outputs, targets, single)
    many = batched(list(moved.values()), dict(zip(single, seeds, strict=True)), count)
    return dict(zip(moved, many, strict=True))


def _at_rest(node: Node, count: Dim | None) -> Node:
    with inherit(node.provenance):
        return fill(0.0, node.shape if count is None else (count, *node.shape), node.dtype)


def new_input(name: str, like: Node, taken: set[str], count: Dim | None = None) -> Node:
    """Return an input of the type of a node, under a name that is free, which is then taken."""
    shape = like.shape if count is None else (count, *like.shape)
    return OPS["input"](_taken_name(name, taken), shape, like.dtype)


def _taken_name(name: str, taken: set[str]) -> str:
    """Take a name that is free: `x_dot`, or `x_dot2`, the tangent of a tangent."""
    free = free_name(name, taken, before_number="")
    taken.add(free)
    return free


def with_inputs(
    graph: Graph,
    inputs: Sequence[Node],
    outputs: Mapping[str, Node],
    names: Mapping[Node, str] | None = None,
) -> Graph:
    """Return the graph with more inputs, which it may or may not use, and other outputs."""
    return graph.mapped(
        {},
        inputs=[*graph.inputs.values(), *inputs],
        outputs=outputs,
        names={**graph.names, **(names or {})},
    )
