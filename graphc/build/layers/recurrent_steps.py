"""What recurrent layers have in common: their weights, and the loop that runs their cells."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from graphc.build.arrays import creation, indexing, joining, shaping
from graphc.build.arrays.whole_numbers import whole
from graphc.build.init import orthogonal
from graphc.build.layers.naming import layer_name, remember
from graphc.build.layers.plain import bias_of, parameter_of, weight_of
from graphc.build.loops import scan
from graphc.ir.dims import Dim, dim_text
from graphc.ir.node import Node
from graphc.ir.provenance import scope, user_error
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS

Step = Callable[..., "tuple[Node, ...]"]


@dataclass(frozen=True, eq=False)
class Given:
    """Weights that somebody gives a layer: of the input, of the state, and the biases of both."""

    weight: Node | None = None
    recurrent_weight: Node | None = None
    bias: Node | None = None
    recurrent_bias: Node | None = None

    def weights(
        self, owner: str, size: Dim, units: int, gates: int, dtype: Any
    ) -> tuple[Node, Node, Node]:
        """Return W, U and b of a cell with some gates side by side, new unless they are given."""
        width = gates * units
        what = f"{owner}: recurrent_weight"
        given, shape = self.recurrent_weight, (units, width)
        return (
            weight_of(owner, self.weight, (size, width), dtype, None),
            parameter_of(f"{owner}.U", what, given, shape, dtype, orthogonal()),
            bias_of(owner, self.bias, (width,), dtype),
        )

    def expect_one_layer(self, kind: str, layers: int) -> None:
        """Raise where weights are given to several layers, whose shapes differ."""
        given = [entry.name for entry in fields(self) if getattr(self, entry.name) is not None]
        if layers != 1 and given:
            raise user_error(
                f"weights are given to one {kind} layer, not to stacked ones",
                got=f"layers={layers}, {', '.join([f'{name}=…' for name in given])}",
                fix="call the layer once for each, with the weights of each",
            )


def run_layer(
    kind: str,
    x: Any,
    units: int,
    states: int,
    cell: Callable[[str, Dim, Any], Step],
    name: str | None,
    initial: Any,
    lengths: Any,
    layers: int,
    reverse: bool,
    batch_first: bool,
    unroll: bool,
) -> tuple[Node, list[Node]]:
    """Return the outputs of the last of stacked layers, and the last states of each kind."""
    layers = whole("layers", layers, 1, of=kind)
    node = _checked_input(kind, x)
    owner = layer_name(kind, name, node)
    sequence = shaping.transpose(node, (1, 0, 2)) if batch_first else node
    with scope(owner):
        mask = None if lengths is None else _mask(as_node(lengths), sequence)
        given = _initial(kind, initial, states, layers, sequence, units)
        lasts: list[list[Node]] = []
        for k in range(layers):
            part = owner if layers == 1 else f"{owner}.{k}"
            step = _masked(cell(part, sequence.shape[2], sequence.dtype), states, mask is not None)
            xs = (sequence,) if mask is None else (sequence, mask)
            step.__name__ = f"{kind}_step"
            *last, sequence = scan(step, given[k], xs, reverse=reverse, unroll=unroll)
            lasts.append(last)
        outputs = shaping.transpose(sequence, (1, 0, 2)) if batch_first else sequence
    final = [stacked([last[i] for last in lasts]) for i in range(states)]
    return remember(node, outputs, owner), final


def _checked_input(kind: str, x: Any) -> Node:
    node = as_node(x)
    if node.ndim != 3 or node.dtype.kind != "f":
        raise user_error(
            f"{kind} reads sequences of feature vectors",
            got=str(node.type),
            expected="floats [T, N, features], or [N, T, features] with batch_first=True",
        )
    return node


def _initial(
    kind: str, initial: Any, states: int, layers: int, x: Node, units: int
) -> list[tuple[Node, ...]]:
    """Return the first states of each layer; stacked layers take them along a first axis."""
    shape = (x.shape[1], units)
    if initial is None:
        zeros = creation.zeros(shape, dtype=x.dtype)
        return [(zeros,) * states] * layers
    given = initial if isinstance(initial, (tuple, list)) else (initial,)
    nodes = [as_node(value) for value in given]
    wanted = shape if layers == 1 else (layers, *shape)
    for node in nodes:
        if node.type != x.type.with_shape(wanted):
            raise user_error(
                f"the initial state of this {kind} has another type",
                got=str(node.type),
                expected=str(x.type.with_shape(wanted)),
            )
    if len(nodes) != states:
        raise user_error(
            f"{kind} has {states} state{'s' * (states > 1)}",
            got=f"{len(nodes)} initial values",
            expected="initial=(h, c)" if states == 2 else "initial=h",
        )
    if layers == 1:
        return [tuple(nodes)]
    return [tuple([node[k] for node in nodes]) for k in range(layers)]


def _mask(lengths: Node, x: Node) -> Node:
    """Return which steps of which sequence count, [T, N].

    A length beyond T is out of range, as is one below 0, which would count from the end.
    """
    if lengths.ndim != 1 or lengths.dtype.kind != "i":
        raise user_error(
            "the lengths of sequences are whole numbers, one for each",
            got=str(lengths.type),
            expected=f"i64[{dim_text(x.shape[1])}]",
        )
    steps = x.shape[0]
    counted = creation.arange(steps + 1)[:, None] > creation.arange(steps)[None, :]
    rows = OPS["where"](OPS["less"](lengths, 0), steps + 1, lengths)
    return shaping.transpose(indexing.take(counted, rows, axis=0))


def _masked(step: Step, states: int, has_mask: bool) -> Step:
    """Return the step that keeps the states of sequences that have ended, and emits 0 for them."""
    if not has_mask:
        return step

    def masked(*arguments: Node) -> tuple[Node, ...]:
        *before, mask = arguments
        counts = mask[:, None]
        *after, emitted = step(*before)
        kept = [
            OPS["where"](counts, new, old) for new, old in zip(after, before[:states], strict=True)
        ]
        return (*kept, OPS["where"](counts, emitted, 0.0))

    masked.__signature__ = _signature(step)  # type: ignore[attr-defined]  # read by inspect
    return masked


def _signature(step: Step) -> Any:
    names = [*inspect.signature(step).parameters, "mask_t"]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind) for name in names])


def stacked(values: Sequence[Node]) -> Node:
    """Return the values of several layers along a new first axis; that of one as it is."""
    return values[0] if len(values) == 1 else joining.stack(list(values), axis=0)
