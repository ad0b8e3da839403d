"""Recurrent layers: a cell, and the loop that runs it over a sequence.

Layouts are PyTorch's: sequences [T, N, features], or [N, T, features] with `batch_first=True`;
gates side by side in its order (LSTM: input, forget, cell, output; GRU: reset, update, new).
Weights act from the right, as those of `dense` do: `W` [features, gates], `U` [hidden, gates],
`b` [gates].
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from graphc.build import creation, indexing, joining, shaping
from graphc.build.graphs import param
from graphc.build.init import glorot_uniform, orthogonal
from graphc.build.layers import Activation, activate
from graphc.build.loops import scan
from graphc.build.naming import layer_name, remember
from graphc.errors import GraphError
from graphc.ir.dims import Dim, dim_text
from graphc.ir.node import Node
from graphc.ir.provenance import scope, user_location
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS

Step = Callable[..., "tuple[Node, ...]"]


def rnn(
    x: Any,
    units: int,
    *,
    name: str | None = None,
    activation: Activation = None,
    initial: Any = None,
    lengths: Any = None,
    layers: int = 1,
    reverse: bool = False,
    batch_first: bool = False,
    pre_activation: bool = False,
    unroll: bool = False,
) -> tuple[Node, Node]:
    """Return the hidden states of all steps and the last one: h = φ(x W + h U + b).

    With `pre_activation`, h = φ(h) U + x W + b: the state is what goes into the activation, and the
    outputs are φ(h). `lengths` [N] says how many steps of each sequence count: behind them the
    state stays and outputs are 0.

    **Shapes.** x: [T, N, in] -> [T, N, units], [N, units]
    **Args.** `activation` is tanh unless given; `initial` the state before the first step, zeros
    unless given; `layers` of them are stacked, each reading the one below; `reverse` runs from the
    last step to the first; `unroll` writes all steps out, for a fixed T.
    **Raises.** GraphError where shapes do not fit.
    **Source.** J. L. Elman, Finding structure in time, 1990.
    """
    function = OPS["tanh"] if activation is None else activation

    def phi(z: Node) -> Node:
        return activate(z, function)

    def cell(owner: str, size: Dim, dtype: Any) -> Step:
        W, U, b = _weights(owner, size, units, 1, dtype)

        def plain(h: Node, x_t: Node) -> tuple[Node, Node]:
            after = phi(x_t @ W + h @ U + b)
            return after, after

        def pre_activated(h: Node, x_t: Node) -> tuple[Node, Node]:
            after = phi(h) @ U + x_t @ W + b
            return after, phi(after)

        return pre_activated if pre_activation else plain

    outputs, (last,) = _layer(
        "rnn", x, units, 1, cell, name, initial, lengths, layers, reverse, batch_first, unroll
    )
    return outputs, last


def lstm(
    x: Any,
    units: int,
    *,
    name: str | None = None,
    initial: Any = None,
    lengths: Any = None,
    layers: int = 1,
    reverse: bool = False,
    batch_first: bool = False,
    peepholes: bool = False,
    coupled: bool = False,
    unroll: bool = False,
) -> tuple[Node, Node, Node]:
    """Return the hidden states of all steps, the last one, and the last cell state.

    i, f, o = σ(x W + h U + b), g = tanh(x W + h U + b), c = f∘c + i∘g, h = o∘tanh(c). With
    `peepholes` the gates also read the cell state before the step through one weight a unit (`p`
    [3, units]: i, f, o; Gers and Schmidhuber let o read the state after it). With `coupled` gates
    the input gate is 1 − f, and `W` has no columns for it: f, g, o.

    **Shapes.** x: [T, N, in] -> [T, N, units], [N, units], [N, units]
    **Args.** `initial` is the pair (h, c); the others as in `rnn`.
    **Raises.** GraphError where shapes do not fit.
    **Source.** Hochreiter and Schmidhuber 1997; Gers and Schmidhuber 2000 (peepholes).
    """
    gates = 3 if coupled else 4

    def cell(owner: str, size: Dim, dtype: Any) -> Step:
        W, U, b = _weights(owner, size, units, gates, dtype)
        p = param(f"{owner}.p", (3, units), dtype) if peepholes else None

        def step(h: Node, c: Node, x_t: Node) -> tuple[Node, Node, Node]:
            z = (x_t @ W + h @ U + b).named("z")
            parts = [z[:, k * units : (k + 1) * units] for k in range(gates)]
            into_input, into_forget, into_cell, into_output = (
                parts if gates == 4 else (None, *parts)
            )
            if p is not None:
                into_forget = into_forget + p[1] * c
            f = OPS["sigmoid"](into_forget).named("f")
            if into_input is None:
                i = (1 - f).named("i")
            else:
                i = OPS["sigmoid"](into_input if p is None else into_input + p[0] * c).named("i")
            g = OPS["tanh"](into_cell).named("g")
            after = f * c + i * g
            o = OPS["sigmoid"](into_output if p is None else into_output + p[2] * c).named("o")
            h = o * OPS["tanh"](after).named("tanh_c")
            return h, after, h

        return step

    outputs, (last, state) = _layer(
        "lstm", x, units, 2, cell, name, initial, lengths, layers, reverse, batch_first, unroll
    )
    return outputs, last, state


def gru(
    x: Any,
    units: int,
    *,
    name: str | None = None,
    initial: Any = None,
    lengths: Any = None,
    layers: int = 1,
    reverse: bool = False,
    batch_first: bool = False,
    form: str = "pytorch",
    unroll: bool = False,
) -> tuple[Node, Node]:
    """Return the hidden states of all steps and the last one.

    r, z = σ(x W + h U + b). Form "pytorch": n = tanh(x W + b + r∘(h U + c)), h = (1 − z)∘n + z∘h,
    the reset gate acting behind the product, with a bias `c` [units] of its own. Form "textbook":
    n = tanh(x W + (r∘h) U + b), h = (1 − z)∘h + z∘n, the reset gate acting before it, and z being
    the share of the new.

    **Shapes.** x: [T, N, in] -> [T, N, units], [N, units]
    **Args.** as in `rnn`.
    **Raises.** GraphError for another form, and where shapes do not fit.
    **Source.** Cho et al. 2014 (textbook); torch.nn.GRU (pytorch).
    """
    if form not in ("pytorch", "textbook"):
        raise GraphError(
            "no such form of a GRU",
            where=user_location(),
            got=repr(form),
            expected="'pytorch' or 'textbook'",
        )

    def cell(owner: str, size: Dim, dtype: Any) -> Step:
        W, U, b = _weights(owner, size, units, 3, dtype)
        both = 2 * units

        def textbook(h: Node, x_t: Node) -> tuple[Node, Node]:
            from_x = x_t @ W + b
            gates = OPS["sigmoid"](from_x[:, :both] + h @ U[:, :both]).named("gates")
            r, z = gates[:, :units].named("r"), gates[:, units:].named("z")
            n = OPS["tanh"](from_x[:, both:] + (r * h) @ U[:, both:]).named("n")
            after = (1 - z) * h + z * n
            return after, after

        if form == "textbook":
            return textbook
        c = param(f"{owner}.c", (units,), dtype)

        def pytorch(h: Node, x_t: Node) -> tuple[Node, Node]:
            from_x, from_h = x_t @ W + b, h @ U
            gates = OPS["sigmoid"](from_x[:, :both] + from_h[:, :both]).named("gates")
            r, z = gates[:, :units].named("r"), gates[:, units:].named("z")
            n = OPS["tanh"](from_x[:, both:] + r * (from_h[:, both:] + c)).named("n")
            after = (1 - z) * n + z * h
            return after, after

        return pytorch

    outputs, (last,) = _layer(
        "gru", x, units, 1, cell, name, initial, lengths, layers, reverse, batch_first, unroll
    )
    return outputs, last


def bidirectional(
    layer: Callable[..., tuple[Node, ...]],
    x: Any,
    units: int,
    *,
    name: str | None = None,
    layers: int = 1,
    **words: Any,
) -> tuple[Node, ...]:
    """Return a recurrent layer run in both directions: outputs and last states side by side.

    `bidirectional(lstm, x, 32)`: the halves are called `{name}.forward` and `{name}.backward`, and
    take the same keyword arguments. Stacked `layers` have a number behind that; each reads both
    directions of the one below, as PyTorch's do.

    **Shapes.** x: [T, N, in] -> [T, N, 2·units], states [N, 2·units]
    """
    node = as_node(x)
    owner = layer_name("bidirectional", name, node)
    firsts = _initial_of_each(words.pop("initial", None), layers)
    outputs, lasts = node, []
    for k, first in enumerate(firsts):
        number = "" if layers == 1 else f".{k}"
        outputs, *last = _both_ways(layer, outputs, units, owner, number, initial=first, **words)
        lasts.append(last)
    return (remember(node, outputs), *map(_stacked, zip(*lasts, strict=True)))


def _both_ways(
    layer: Callable[..., tuple[Node, ...]],
    x: Node,
    units: int,
    owner: str,
    number: str,
    **words: Any,
) -> list[Node]:
    forth = layer(x, units, name=f"{owner}.forward{number}", **words)
    back = layer(x, units, name=f"{owner}.backward{number}", reverse=True, **words)
    return [joining.concat([a, b], axis=-1) for a, b in zip(forth, back, strict=True)]


def _initial_of_each(initial: Any, layers: int) -> list[Any]:
    """Return the first states of each of stacked layers, which lie along the first axis."""
    if initial is None or layers == 1:
        return [initial] * layers
    given = initial if isinstance(initial, (tuple, list)) else (initial,)
    nodes = [as_node(value) for value in given]
    for node in nodes:
        if node.ndim != 3 or node.shape[0] != layers:
            raise GraphError(
                "stacked layers take their initial states along a first axis",
                where=user_location(),
                got=str(node.type),
                expected=f"[{layers}, N, units]",
            )
    return [tuple([node[k] for node in nodes]) for k in range(layers)]


# -- what the layers have in common ----------------------------------------------------------------


def _weights(owner: str, size: Dim, units: int, gates: int, dtype: Any) -> tuple[Node, Node, Node]:
    """Return W, U and b of a cell with some gates side by side."""
    width = gates * units
    return (
        param(f"{owner}.W", (size, width), dtype, init=glorot_uniform()),
        param(f"{owner}.U", (units, width), dtype, init=orthogonal()),
        param(f"{owner}.b", (width,), dtype),
    )


def _layer(
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
    final = [_stacked([last[i] for last in lasts]) for i in range(states)]
    return remember(node, outputs), final


def _checked_input(kind: str, x: Any) -> Node:
    node = as_node(x)
    if node.ndim != 3 or node.dtype.kind != "f":
        raise GraphError(
            f"{kind} reads sequences of feature vectors",
            where=user_location(),
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
            raise GraphError(
                f"the initial state of this {kind} has another type",
                where=user_location(),
                got=str(node.type),
                expected=str(x.type.with_shape(wanted)),
            )
    if len(nodes) != states:
        raise GraphError(
            f"{kind} has {states} state{'s' * (states > 1)}",
            where=user_location(),
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
        raise GraphError(
            "the lengths of sequences are whole numbers, one for each",
            where=user_location(),
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


def _stacked(values: Sequence[Node]) -> Node:
    return values[0] if len(values) == 1 else joining.stack(list(values), axis=0)


__all__ = ["bidirectional", "gru", "lstm", "rnn"]
