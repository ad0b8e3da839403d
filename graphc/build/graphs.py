"""Leaves and graphs: from nodes to a graph, and from a graph to its variants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.build.init import as_initializer
from graphc.build.variables import variables_of
from graphc.errors import GraphError, counted, did_you_mean
from graphc.ir.attributes import ArrayLiteral, Attributes
from graphc.ir.body import Body, bodies
from graphc.ir.dims import as_dim
from graphc.ir.graph import Graph
from graphc.ir.naming import free_name
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import inherit, user_error, user_frame
from graphc.ir.types import as_dtype, is_float
from graphc.ir.walk import topological
from graphc.ops.dropout import in_inference, in_training, undropped
from graphc.ops.leaf import as_node
from graphc.ops.reduction.normalization import (
    FROZEN,
    INFERENCE,
    TRAINING,
    in_mode,
    state_of,
)
from graphc.ops.registry import OPS

if TYPE_CHECKING:
    import sympy


# -- leaves --------------------------------------------------------------------------------------


def dim(name: str) -> sympy.Symbol:
    """Return the named dimension: a positive integer that each call fixes.

    **Raises.** GraphError where the name is not an identifier.
    """
    if not isinstance(name, str):
        raise GraphError("a dimension's name is a string", got=repr(name), fix='gc.dim("N")')
    return as_dim(name)


def input(name: str, shape: Any = (), dtype: Any = "float32") -> Node:
    """Return a value that each call provides.

    **Shapes.** `shape` holds integers, names and expressions of dims: `("N", 784)`.
    **Raises.** GraphError for an empty name, a bad dim, an unknown dtype.
    """
    return OPS["input"](name, shape, dtype)


def param(
    name: str,
    shape: Any = (),
    dtype: Any = "float32",
    init: Any = None,
    trainable: bool = True,
    slot: bool = False,
    sparse: bool = False,
) -> Node:
    """Return a value that the state keeps from call to call: a weight, or an optimizer's slot.

    `init` is an initializer (zeros unless given), a number, or an array of this shape. Of a
    `sparse` parameter, a table, optimizers change only the rows that a batch reads (see
    `nn.embedding`).
    **Raises.** GraphError for an empty name, a bad dim or dtype, values of another shape, or values
    that the dtype does not hold.
    """
    rule = as_initializer(init)
    node = OPS["param"](
        name, shape, dtype, init=rule, trainable=trainable, slot=slot, sparse=sparse
    )
    if rule is not None:
        rule.check(node.dtype)
    values = getattr(rule, "value", None)
    if isinstance(values, ArrayLiteral) and values.array.shape != node.shape:
        raise user_error(
            f"the initial values of {name!r} have another shape",
            got=str(list(values.array.shape)),
            expected=str(node.type),
        )
    return node


# -- graphs --------------------------------------------------------------------------------------


def graph(
    outputs: Any,
    *more: Node,
    name: str | None = None,
    updates: Mapping[str, Node] | None = None,
    doc: str = "",
) -> Graph:
    """Return the graph that computes the outputs; inputs and parameters are found by walking.

    `outputs` is a mapping from name to node, or one or several nodes. Nodes that nobody
    named take the name of the caller's local variable that holds them, the first one if several do.
    `updates` maps a parameter's name to the node of its next value; it reads what the parameters
    are before an optimizer's step.

    **Raises.** GraphError for no output, one without a name, some by name and others not, two
    leaves of one name, an update of no parameter.
    """
    for what, text in (("name", name), ("doc", doc)):
        if not isinstance(text, str | None):
            raise user_error(f"a graph's {what} is a text", got=f"{what}={text!r}")
    variables = variables_of(user_frame())
    if isinstance(outputs, Mapping):
        if more:
            raise _named_and_more(outputs, more, variables)
        named = {_output_name(key): as_node(value) for key, value in outputs.items()}
    else:
        several = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        named = named_outputs([as_node(node) for node in [*several, *more]], variables)
    alive = topological([*named.values(), *(updates or {}).values()])
    names = {node: variables[node] for node in alive if node in variables}
    return Graph(named, updates=updates, name=name or "graph", doc=doc or "", names=names)


def _output_name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise user_error("an output needs a name", got=repr(name))
    return name


def _named_and_more(
    named: Mapping[Any, Any], more: Sequence[Any], variables: Mapping[Node, str]
) -> GraphError:
    """Return the error that some outputs have names in a mapping, and others stand beside it."""
    called = named_outputs([as_node(node) for node in more], variables)
    items = ", ".join(f'"{name}": {name}' for name in called)
    return user_error(
        "outputs stand in a mapping from name to node, or one after the other, but not both",
        got=f"a mapping of {counted(len(named), 'output')}, and {', '.join(called)}",
        fix=f"put all of them into the mapping: gc.graph({{..., {items}}})",
    )


def named_outputs(nodes: Sequence[Node], variables: Mapping[Node, str]) -> dict[str, Node]:
    """Return outputs under their own names, or out, out_2, … where they have none."""
    named: dict[str, Node] = {}
    for node in nodes:
        named[free_name(variables.get(node) or node.name or "out", named)] = node
    return named


# -- variants ------------------------------------------------------------------------------------


def astype(graph: Graph, dtype: Any) -> Graph:
    """Return the same graph in another float type: inputs, parameters, constants and casts.

    **Raises.** GraphError for a dtype that is not a float.
    """
    kind = as_dtype(dtype)
    if not is_float(kind):
        raise GraphError("a graph computes in floats", got=kind.name, expected="float32 or float64")
    return _mapped(graph, lambda node, inputs: _retyped(node, inputs, kind))


def _retyped(node: Node, inputs: tuple[Node, ...], kind: np.dtype) -> Node:
    attrs = Attributes({key: _retyped_value(value, kind) for key, value in node.attrs.items()})
    if attrs == node.attrs and all(a is b for a, b in zip(inputs, node.inputs, strict=True)):
        return node
    if node.op is OPS["cast"] and attrs["dtype"] == inputs[0].dtype:
        return inputs[0]
    type_ = node.op.infer(tuple([i.type for i in inputs]), attrs)
    return Node(node.op, inputs, attrs, type_, node.provenance)


def _retyped_value(value: Any, kind: np.dtype) -> Any:
    if isinstance(value, np.dtype) and is_float(value):
        return kind
    if isinstance(value, ArrayLiteral) and is_float(value.array.dtype):
        return ArrayLiteral(value.array.astype(kind))
    return value


def for_inference(graph: Graph, *outputs: str) -> Graph:
    """Return the graph as it is used: nothing is dropped, running averages stand and are read.

    Of `outputs`, or inner nodes that have these names, it takes only what they need: a prediction
    needs no labels. Without names, outputs and inputs stay.

    **Raises.** GraphError for a name that no node has.
    """

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        with inherit(node.provenance):
            idle = undropped(node)
            if idle is not None:
                return rebuilt(idle, inputs[:1])
            return in_mode(in_inference(rebuilt(node, inputs)), TRAINING, INFERENCE)

    used = _mapped(graph, change, still=_running_averages(graph))
    if not outputs:
        return used
    needed = {name: used.find(name) for name in outputs}
    return used.mapped({}, outputs=needed, updates={}, inputs=(), params=())


def for_training(graph: Graph) -> Graph:
    """Return the graph as it is trained: `for_inference` undone."""

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        with inherit(node.provenance):
            return in_mode(in_training(rebuilt(node, inputs)), INFERENCE, TRAINING)

    return _mapped(graph, change)


def frozen(graph: Graph, *patterns: str | Iterable[str]) -> Graph:
    """Return the graph with some parameters fixed: no gradient, no update, no code for either.

    A pattern is a parameter's name, or stands for several: `"conv1.*"`, `"*.W"`. A running average
    among them is read as it stands, in training too.

    **Raises.** GraphError for a pattern that no parameter matches.
    """
    names = _matching(graph, patterns)

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        if node.op is OPS["param"] and node.attrs["name"] in names:
            return _with_trainable(node, False)
        with inherit(node.provenance):
            again = rebuilt(node, inputs)
            return in_mode(again, TRAINING, FROZEN) if state_of(again) & names else again

    fixed = [state for node in graph.nodes if (state := state_of(node)) & names]
    return _mapped(graph, change, still=names.union(*fixed))


def unfrozen(graph: Graph, *patterns: str | Iterable[str]) -> Graph:
    """Return the graph with some parameters trained: `frozen` undone, for the same patterns.

    Parameters that a layer never trains, its running averages, are only measured again.

    **Raises.** GraphError for a pattern that no parameter matches.
    """
    names = _matching(graph, patterns)
    measured = _running_averages(graph)

    def change(node: Node, inputs: tuple[Node, ...]) -> Node:
        if node.op is OPS["param"] and node.attrs["name"] in names - measured:
            return _with_trainable(node, is_float(node.dtype) and not node.attrs["slot"])
        with inherit(node.provenance):
            again = rebuilt(node, inputs)
            return in_mode(again, FROZEN, TRAINING) if state_of(again) & names else again

    return _mapped(graph, change)


def _running_averages(graph: Graph) -> frozenset[str]:
    """Return the names of the parameters that layers measure instead of training them."""
    return frozenset().union(*[state_of(node) for node in graph.nodes if node.op.moves_state])


def _matching(graph: Graph, patterns: Sequence[str | Iterable[str]]) -> frozenset[str]:
    """Return the names of the parameters that one of the patterns matches."""
    words: list[str] = []
    for pattern in patterns:
        words += [pattern] if isinstance(pattern, str) else pattern
    names: set[str] = set()
    for word in words:
        found = [name for name in graph.params if name == word or fnmatchcase(name, word)]
        if not found:
            raise GraphError(
                f"no parameter of {graph.name} matches {word!r}",
                expected=", ".join(graph.params) or "a graph with parameters",
                fix=did_you_mean(word, graph.params),
            )
        names.update(found)
    return frozenset(names)


def _with_trainable(node: Node, trainable: bool) -> Node:
    attrs = Attributes({**node.attrs, "trainable": trainable})
    return Node(node.op, node.inputs, attrs, node.type, node.provenance)


def _with_mapped_body(node: Node, change: Callable[[Node, tuple[Node, ...]], Node]) -> Node:
    """Return a loop with each node of its body replaced; any other node as it is."""
    if not bodies(node.attrs):
        return node
    mapped = {
        key: Body(_mapped(value.graph, change)) if isinstance(value, Body) else value
        for key, value in node.attrs.items()
    }
    return Node(node.op, node.inputs, Attributes(mapped), node.type, node.provenance)


def _mapped(
    graph: Graph,
    change: Callable[[Node, tuple[Node, ...]], Node],
    still: frozenset[str] = frozenset(),
) -> Graph:
    """Return the graph with each node replaced by `change(node, its new inputs)`.

    The parameters named in `still` lose their updates.
    """
    updates = {key: node for key, node in graph.updates.items() if key not in still}
    new: dict[Node, Node] = {}
    for node in [*graph.inputs.values(), *graph.params.values(), *graph.nodes]:
        if node in new:
            continue
        inputs = tuple([new[operand] for operand in node.inputs])
        replacement = change(_with_mapped_body(node, change), inputs)
        if node.name and not replacement.name and not any(replacement is i for i in inputs):
            replacement = replacement.named(node.name)
        new[node] = replacement
    return graph.mapped(new, updates={key: new[node] for key, node in updates.items()})
