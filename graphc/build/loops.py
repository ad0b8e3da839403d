"""Loops: `scan` runs a function's graph once for each step along a first axis."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphc.build.arrays.indexing import getitem
from graphc.build.variables import call_with_variables
from graphc.errors import GraphError, counted
from graphc.ir.body import Body
from graphc.ir.dims import Dim, as_dim, dim_text, same
from graphc.ir.naming import free_name
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import current_provenance, user_error, user_location
from graphc.ir.types import FLOAT32, TensorType
from graphc.ir.walk import new_nodes, topological
from graphc.ops.leaf import as_node
from graphc.ops.loop import items
from graphc.ops.loop import scan as scan_op
from graphc.ops.registry import OPS

#: A body with more parameters is not written out for an example.
_MOST_SHOWN = 8


def scan(
    body: Callable[..., Any],
    init: Any = None,
    xs: Any = None,
    *,
    constants: Any = None,
    length: Any = None,
    reverse: bool = False,
    unroll: bool = False,
) -> tuple[Node, ...]:
    """Run `body` once for each step along the first axis of `xs`; return last carries and stacks.

    `body(*carries, *slices)` returns the next carries, then whatever the step emits; it may use any
    node of its surroundings. `init` holds the carries' first values, `xs` the sequences, each one
    node or a tuple. What is emitted is stacked along a new first axis.

    `h_T, hs = scan(cell, init=h0, xs=x)` where `cell(h, x_t)` returns `h_next, h_next`.

    **Shapes.** init: [...]; xs: [T, ...] -> carries: [...], stacks: [T, ...]
    **Args.** `constants` are further arguments of the body, the same at each step. `length` is the
    number of steps where there are no `xs`; `reverse` goes from the last slice to the first, slices
    and stacks keeping their places; `unroll` writes every step out, for a length that is a number.
    **Raises.** GraphError where lengths differ, a carry changes its shape or dtype, or the body
    draws random numbers.
    """
    sequences = [as_node(x) for x in _several(xs)]
    carries = [_carry(value, sequences) for value in _several(init)]
    given = [as_node(value) for value in _several(constants)]
    steps = _length(sequences, length)
    if unroll:
        return _unrolled(body, carries, sequences, given, steps, reverse)
    built = _Built(body, carries, sequences, given)
    node = scan_op(
        *carries,
        *sequences,
        *built.constants,
        body=built.body,
        carries=len(carries),
        sequences=len(sequences),
        length=steps,
        reverse=bool(reverse),
    )
    return tuple(items(node))


def _several(values: Any) -> list[Any]:
    if values is None:
        return []
    return list(values) if isinstance(values, (tuple, list)) else [values]


def _carry(value: Any, sequences: Sequence[Node]) -> Node:
    """Return the first value of a carry; a Python float takes the dtype of the sequences."""
    if isinstance(value, float):
        floats = [x.dtype for x in sequences if x.dtype.kind == "f"]
        return as_node(value, floats[0] if floats else FLOAT32)
    return as_node(value)


def _length(sequences: Sequence[Node], length: Any) -> Dim:
    """Return the number of steps, on which all sequences must agree."""
    for x in sequences:
        if not x.shape:
            raise user_error(
                "a sequence of a scan needs an axis to run along", got=repr(x), expected="[T, ...]"
            )
    lengths = [x.shape[0] for x in sequences]
    if length is not None:
        lengths.append(as_dim(length))
    if not lengths:
        raise user_error(
            "the number of steps of this scan is unknown",
            fix="give it sequences: xs=x, or length=10",
        )
    for other in lengths[1:]:
        if not same(lengths[0], other):
            raise user_error(
                "the sequences of this scan have different lengths",
                got=", ".join(map(dim_text, lengths)),
                fix="give all sequences the same first axis",
            )
    return lengths[0]


class _Built:
    """A function's graph: its body over placeholders, and the outer nodes that it uses."""

    def __init__(
        self,
        function: Callable[..., Any],
        carries: Sequence[Node],
        sequences: Sequence[Node],
        given: Sequence[Node],
    ) -> None:
        self.name = getattr(function, "__name__", "body")
        names = _argument_names(function, len(carries), len(sequences), len(given))
        self.start = current_provenance().order
        types = [x.type for x in carries]
        types += [x.type.with_shape(x.shape[1:]) for x in sequences]
        types += [x.type for x in given]
        self.leaves = _placeholders(names, types)
        returned, self.variables = _called(function, self.leaves, len(carries))
        results = _results(returned, self.leaves[: len(carries)], self.name)
        self.constants: list[Node] = list(given)
        self.found: list[Node] = []
        self.body = self._closed(results, names, len(carries))

    def _closed(self, results: Sequence[Node], names: Sequence[str], carries: int) -> Body:
        """Return the body with a placeholder for each node of its surroundings."""
        taken = set(names)
        carried = {*results[:carries]}  # which is named after the carry
        called = {
            x: name
            for x, name in self.variables.items()
            if x not in carried and name not in taken and (x.inputs or self._is_outer(x))
        }
        new: dict[Node, Node] = {leaf: leaf for leaf in self.leaves}
        for node in topological(results, self._is_outer):
            if node in new:
                continue
            if self._is_outer(node):
                name = free_name(called.get(node) or node.name or node.op.name, taken)
                taken.add(name)
                new[node] = OPS["input"](name, node.shape, node.dtype)
                self.constants.append(node)
                self.found.append(new[node])
            else:
                self._refuse_effects(node)
                again = rebuilt(node, tuple([new[x] for x in node.inputs]))
                new[node] = again.named(called[node]) if node in called else again
        outputs: dict[str, Node] = {}
        for i, result in enumerate(results):
            name = f"{names[i]}_next" if i < carries else new[result].name or "emitted"
            outputs[free_name(name, outputs)] = new[result]
        return Body.of(outputs, [*self.leaves, *self.found], self.name)

    def _is_outer(self, node: Node) -> bool:
        """Say whether a node belongs to the surroundings; plain constants belong to the body."""
        if node.op.is_leaf:
            return all(node is not leaf for leaf in self.leaves)
        is_made = bool(node.inputs) or node.op.is_random
        return is_made and node.provenance.order < self.start

    def _refuse_effects(self, node: Node) -> None:
        if node.op.is_random:
            raise node.provenance.error(
                "a loop body cannot draw random numbers",
                got=node.op.name,
                fix="draw the numbers of all steps before the scan and hand them over in xs",
            )
        if node.op.moves_state and node.op.state_updates(node, lambda state: state):
            raise node.provenance.error(
                "a loop body cannot keep running averages",
                got=node.op.name,
                fix="normalize the sequence before the scan, or use layer_norm in the body",
            )


def _argument_names(
    function: Callable[..., Any], carries: int, sequences: int, constants: int
) -> list[str]:
    """Return names for the body's inputs: those of the function's parameters, if they are told."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in plain][: carries + sequences + constants]
    defaults = [f"carry_{i}" for i in range(carries)] + [f"x_{i}" for i in range(sequences)]
    defaults += [f"constant_{i}" for i in range(constants)]
    return [*names, *defaults[len(names) :]]


def _placeholders(names: Sequence[str], types: Sequence[TensorType]) -> list[Node]:
    return [OPS["input"](n, kind.shape, kind.dtype) for n, kind in zip(names, types, strict=True)]


def _called(
    function: Callable[..., Any], leaves: Sequence[Node], carries: int
) -> tuple[Any, dict[Node, str]]:
    """Return what the body returns, and what it calls the nodes that it holds then."""
    try:
        inspect.signature(function).bind(*leaves)
    except TypeError as problem:
        raise user_error(
            f"the loop body {getattr(function, '__name__', 'body')!r} takes other arguments: "
            f"{problem}",
            got=f"{counted(carries, 'carry', 'carries')} and "
            f"{counted(len(leaves) - carries, 'slice or constant', 'slices and constants')}",
            expected="body(*carries, *slices)",
            fix=_called_flat(carries, len(leaves) - carries),
        ) from None
    except ValueError:
        pass  # a builtin without a signature
    return call_with_variables(function, *leaves)


def _called_flat(carries: int, others: int) -> str | None:
    """Return a body with each carry and each slice in a parameter of its own."""
    if carries + others > _MOST_SHOWN:
        return None
    states, slices = (
        [f"{word}{i}" if count > 1 else word for i in range(1, count + 1)]
        for word, count in (("state", carries), ("x_t", others))
    )
    returned = ", ".join([*states, "emitted"])
    return f"def body({', '.join([*states, *slices])}): ... return {returned}"


def _results(returned: Any, carries: Sequence[Node], name: str) -> list[Node]:
    """Return what a body returned as a flat list of nodes, carries in the types they came in."""
    flat = list(_flat(returned))
    if len(flat) < len(carries):
        raise user_error(
            f"the loop body {name!r} returns too little",
            got=counted(len(flat), "value"),
            expected=f"the next {'value' if len(carries) == 1 else 'values'} of its "
            f"{counted(len(carries), 'carry', 'carries')}, then what it emits",
        )
    if not flat:
        raise user_error(f"the loop body {name!r} returns nothing")
    results = [
        as_node(value, carries[i].dtype if i < len(carries) else FLOAT32)
        if isinstance(value, float)
        else as_node(value)
        for i, value in enumerate(flat)
    ]
    for leaf, result in zip(carries, results, strict=False):
        if result.type != leaf.type:
            raise GraphError(
                f"the loop body {name!r} returns the carry {leaf.attrs['name']!r} as another type",
                where=str(result.provenance.origin) or user_location(),
                got=str(result.type),
                expected=f"{leaf.type}, as its initial value",
                fix=_fix(leaf, result),
            )
    return results


def _fix(leaf: Node, result: Node) -> str:
    if result.dtype != leaf.dtype:
        start, end = (f"gc.cast({x}, {n.dtype.name!r})" for x, n in (("init", result), ("x", leaf)))
        return f"cast the initial value, {start}, or what the body returns, {end}"
    return "give the initial value the shape that the body returns"


def _flat(returned: Any) -> Iterator[Any]:
    if isinstance(returned, (tuple, list)):
        for value in returned:
            yield from _flat(value)
    elif returned is not None:
        yield returned


def _unrolled(
    body: Callable[..., Any],
    carries: Sequence[Node],
    sequences: Sequence[Node],
    given: Sequence[Node],
    length: Dim,
    reverse: bool,
) -> tuple[Node, ...]:
    """Return the results of a loop with every step written out."""
    if not isinstance(length, int):
        raise user_error(
            "only a loop of a fixed length can be unrolled",
            got=dim_text(length),
            fix="give the sequence's axis a number, or leave unroll=False",
        )
    if length == 0:
        return scan(
            body,
            tuple(carries),
            tuple(sequences),
            constants=tuple(given),
            length=0,
            reverse=reverse,
        )
    name = getattr(body, "__name__", "body")
    names = _argument_names(body, len(carries), len(sequences), len(given))
    carried = list(carries)
    emitted: list[list[Node]] = []
    steps = range(length)
    new: dict[Node, Node] = {}
    for t in reversed(steps) if reverse else steps:
        values = [*carried, *[getitem(x, t) for x in sequences], *given]
        # To a step, what it is given is given: a gradient in it goes no further back.
        leaves = _placeholders(names, [x.type for x in values])
        returned, _ = _called(body, leaves, len(carries))
        results = _results(returned, leaves[: len(carries)], name)
        new.update(zip(leaves, values, strict=True))
        for result in results:
            for node in new_nodes(result, new):
                new[node] = rebuilt(node, tuple([new[x] for x in node.inputs]))
        results = [new[node] for node in results]
        carried = results[: len(carries)]
        emitted.append(results[len(carries) :])
    if reverse:
        emitted.reverse()
    stacks = [_stacked([step[i] for step in emitted]) for i in range(len(emitted[0]))]
    return (*carried, *stacks)


def _stacked(values: Sequence[Node]) -> Node:
    rows = [OPS["reshape"](x, (1, *x.shape)) for x in values]
    return OPS["concat"](*rows, axis=0)
