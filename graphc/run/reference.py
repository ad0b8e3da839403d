"""Evaluate a graph node by node with each op's plain NumPy meaning: slow, short, obviously right.

This is the judge of every test: emitted code, rewritten graphs and gradients must agree with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir.body import Body
from graphc.ir.dims import dim_text, symbols_of
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.types import TensorType, TupleType
from graphc.ir.walk import topological
from graphc.run.arguments import (
    Argument,
    Arrays,
    as_generator,
    bind,
    bind_dims,
    given_as_options,
)
from graphc.run.claims import check_claims, known_size
from graphc.run.finite import check_node
from graphc.run.indices import out_of_range

_COMPLEX = (np.dtype(np.complex64), np.dtype(np.complex128))

__all__ = ["apply", "bind", "evaluate", "interpret"]


@takes_graph()
def interpret(
    graph: Graph,
    state: Mapping[str, Any] | None = None,
    /,
    *,
    rng: np.random.Generator | None = None,
    check_finite: bool = False,
    **inputs: Any,
) -> dict[str, np.ndarray]:
    """Compute the outputs of a graph, and write its updates into `state`.

    The call is that of the compiled function: parameters in `state`, inputs by name, `rng` where
    the graph draws random numbers. The outputs are fresh arrays that nothing else refers to.

    Raises: GraphError for arguments that do not fit; with `check_finite=True` also where the
    first NaN or infinity appears.
    """
    check_finite = given_as_options(graph, inputs, rng, check_finite)
    env, sizes = bind(graph, state, inputs)
    values = evaluate(
        graph.roots(),
        env,
        sizes=sizes,
        rng=rng,
        check_finite=check_finite,
        labels=graph.labels if check_finite else None,
    )
    outputs = {name: np.array(values[node]) for name, node in graph.outputs.items()}
    # Every new value is complete before the first parameter changes.
    updates = {name: np.array(values[node]) for name, node in graph.updates.items()}
    for name, value in updates.items():
        env[graph.params[name]][...] = value
    return outputs


def evaluate(
    nodes: Iterable[Node],
    env: Mapping[Node, np.ndarray],
    *,
    sizes: Mapping[str, int] | None = None,
    rng: np.random.Generator | None = None,
    check_finite: bool = False,
    labels: Mapping[Node, str] | None = None,
) -> Arrays:
    """Return the value of `nodes` and of every node they need, given those in `env`.

    `env` may hold inner nodes too; what lies below them is then not evaluated. `sizes` are the
    named dims, read from the leaves in `env` when they are not given.
    """
    if sizes is None:
        sizes = bind_dims([Argument(_name(n), n, a) for n, a in env.items() if n.op.is_leaf])
    order = _needed(list(nodes), env)
    values: Arrays = dict(env)
    if check_finite:
        for node in env:
            check_node(node, values, labels or {})
    with np.errstate(all="ignore"):
        draw(order, values, sizes, rng)
        _compute(order, values, sizes, (labels or {}) if check_finite else None)
    return values


def _compute(
    order: Sequence[Node],
    values: Arrays,
    sizes: Mapping[str, int],
    checked: Mapping[Node, str] | None,
) -> None:
    """Add the values of nodes, operands first.

    Where `checked` gives the labels of nodes, raise where the first NaN or infinity appears.
    """
    for node in order:
        if node in values:
            continue
        operands = [values[i] for i in node.inputs]
        values[node] = apply(node, operands, sizes)
        if checked is not None:
            if isinstance(node.type, TupleType):
                _check_steps(node, operands, sizes)
            check_node(node, values, checked)


def _check_steps(node: Node, operands: Sequence[np.ndarray], sizes: Mapping[str, int]) -> None:
    """Run a loop again and raise where the first NaN or infinity appears in one of its steps."""
    body: Body = node.attrs["body"]
    length = concrete(node.attrs["length"], sizes, node)
    steps = iter(range(length)[::-1] if node.attrs["reverse"] else range(length))

    def step(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        number = next(steps)
        values: Arrays = dict(zip(body.inputs, map(np.asarray, arrays), strict=True))
        try:
            _compute(_needed(list(body.results), values), values, sizes, body.graph.labels)
        except GraphError as error:
            loop = f"the loop {body.name!r}" if body.name.isidentifier() else "a loop"
            what = f"{error.what}, in step {number} of {loop}"
            raise GraphError(what, where=error.where, got=error.got) from None
        return [values[result] for result in body.results]

    attrs = {**node.attrs, "body": step, "length": length}
    node.op.reference(operands, attrs, concrete_type(node.type, sizes, node))


def apply(node: Node, arrays: Sequence[np.ndarray], sizes: Mapping[str, int]) -> np.ndarray:
    """Return one node's value from its operands' values."""
    result = concrete_type(node.type, sizes, node)
    attrs: Mapping[str, Any] = node.attrs
    if attrs:
        attrs = {name: concrete(value, sizes, node) for name, value in attrs.items()}
    if any(_is_complex(array) for array in arrays):
        result, attrs = _complex(result, attrs)  # the complex step: the same meaning, off the axis
    try:
        value = node.op.reference(arrays, attrs, result)
    except IndexError:
        error = out_of_range(node, arrays, lambda dim: concrete(dim, sizes, node))
        if error is None:
            raise
        raise error from None
    if isinstance(result, TupleType):
        return value
    value = np.asarray(value)
    if value.shape != result.shape or value.dtype != result.dtype:
        check_claims([node], sizes)
        raise GraphError(
            f"the reference of {node.op.name} breaks its own type rule",
            got=f"{value.dtype.name}{list(value.shape)}",
            expected=f"{result.dtype.name}{list(result.shape)} for {node!r}",
        )
    return value


def draw(
    order: Sequence[Node],
    values: Arrays,
    sizes: Mapping[str, int],
    rng: np.random.Generator | None,
) -> None:
    """Add the numbers of all random nodes to `values`, in the order in which they were written."""
    random = [node for node in order if node.op.is_random and node not in values]
    if random:
        rng = as_generator(rng, random[0].op.name)
    for node in sorted(random, key=lambda node: int(node.attrs["draw"])):
        attrs = {name: concrete(value, sizes, node) for name, value in node.attrs.items()}
        sample = node.op.sample(rng, attrs, concrete_type(node.type, sizes, node))  # type: ignore[attr-defined]  # what is_random promises
        values[node] = np.asarray(sample)


def concrete_type(type_: TensorType, sizes: Mapping[str, int], node: Node) -> TensorType:
    """Return the type with every dim a number."""
    if isinstance(type_, TupleType):
        return TupleType(tuple([concrete_type(item, sizes, node) for item in type_.items]))
    if all(type(dim) is int for dim in type_.shape):
        return type_
    shape = concrete(type_.shape, sizes, node)
    for dim, size in zip(type_.shape, shape, strict=True):
        if type(size) is int and size < 0:
            check_claims([node], sizes)
        if type(size) is not int:
            raise node.provenance.error(
                f"{dim_text(dim)} is no whole number, so it is no size",
                got=", ".join(f"{name} = {sizes[name]}" for name in symbols_of([dim])),
            )
    return type_.with_shape(shape)


def _run_body(
    body: Body, sizes: Mapping[str, int], arrays: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Return the results of one step of a loop."""
    env = {leaf: np.asarray(array) for leaf, array in zip(body.inputs, arrays, strict=True)}
    values = evaluate(body.results, env, sizes=sizes)
    return [values[result] for result in body.results]


def concrete(value: Any, sizes: Mapping[str, int], node: Node) -> Any:
    """Return an attribute with every dim in it a number."""
    if type(value) in (int, float, bool, str) or value is None:
        return value
    if isinstance(value, tuple):
        return tuple([concrete(item, sizes, node) for item in value])
    if isinstance(value, Body):
        return partial(_run_body, value, sizes)
    if isinstance(value, slice):
        parts = (value.start, value.stop, value.step)
        return slice(*[concrete(part, sizes, node) for part in parts])
    if not hasattr(value, "free_symbols"):
        return value
    return known_size(value, sizes, node)


def _is_complex(value: np.ndarray | tuple[np.ndarray, ...]) -> bool:
    """Say whether an operand is complex; of a loop's results, all floats are or none is."""
    if isinstance(value, tuple):
        return any(map(_is_complex, value))
    return getattr(value, "dtype", None) in _COMPLEX


def _complex(result: TensorType, attrs: Mapping[str, Any]) -> tuple[TensorType, Mapping[str, Any]]:
    if result.dtype.kind != "f":
        return result, attrs
    kind = np.result_type(result.dtype, np.complex64)
    changed = {name: kind if value == result.dtype else value for name, value in attrs.items()}
    return TensorType(kind, result.shape), changed


def _needed(roots: list[Node], env: Mapping[Node, np.ndarray]) -> list[Node]:
    """Return the nodes to evaluate, operands first; what lies only below `env` is left out."""
    order = topological(roots)
    wanted = set(roots)
    for node in reversed(order):
        if node in wanted and node not in env:
            wanted.update(node.inputs)
    needed = [node for node in order if node in wanted]
    for node in needed:
        if node.op.is_leaf and node not in env:
            raise GraphError(f"{_name(node)} has no value", expected=str(node.type))
    return needed


def _name(node: Node) -> str:
    return f"{node.op.name} {node.attrs['name']!r}" if node.op.is_leaf else repr(node)
