"""Recurrent layers: a cell, and the loop that runs it over a sequence.

Layouts are PyTorch's: sequences [T, N, features], or [N, T, features] with `batch_first=True`;
gates side by side in its order (LSTM: input, forget, cell, output; GRU: reset, update, new).
Weights act from the right, as those of `dense` do: `W` [features, gates], `U` [hidden, gates],
`b` [gates].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from graphc.build.arrays import joining
from graphc.build.arrays.whole_numbers import whole
from graphc.build.graphs import param
from graphc.build.layers.naming import layer_name, remember
from graphc.build.layers.plain import Activation, activate, parameter_of
from graphc.build.layers.recurrent_steps import Given, Step, run_layer, stacked
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS


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
    weight: Node | None = None,
    recurrent_weight: Node | None = None,
    bias: Node | None = None,
) -> tuple[Node, Node]:
    """Return the hidden states of all steps and the last one: h = φ(x W + h U + b).

    With `pre_activation`, h = φ(h) U + x W + b: the state is what goes into the activation, and the
    outputs are φ(h). `lengths` [N] says how many steps of each sequence count: behind them the
    state stays and outputs are 0.

    **Shapes.** x: [T, N, in] -> [T, N, units], [N, units]
    **Args.** `activation` is tanh unless given; `initial` the state before the first step, zeros
    unless given; `layers` of them are stacked, each reading the one below; `reverse` runs from the
    last step to the first; `unroll` writes all steps out, for a fixed T. `weight` [in, units],
    `recurrent_weight` [units, units] and `bias` [units] are nodes to use in the place of new
    parameters, as where one layer reads two sequences.
    **Raises.** GraphError where shapes do not fit.
    **Source.** J. L. Elman, Finding structure in time, 1990.
    """
    given = Given(weight, recurrent_weight, bias)
    given.expect_one_layer("rnn", layers)
    function = OPS["tanh"] if activation is None else activation

    def phi(z: Node) -> Node:
        return activate(z, function)

    def cell(owner: str, size: Dim, dtype: Any) -> Step:
        W, U, b = given.weights(owner, size, units, 1, dtype)

        def plain(h: Node, x_t: Node) -> tuple[Node, Node]:
            after = phi(x_t @ W + h @ U + b)
            return after, after

        def pre_activated(h: Node, x_t: Node) -> tuple[Node, Node]:
            after = phi(h) @ U + x_t @ W + b
            return after, phi(after)

        return pre_activated if pre_activation else plain

    outputs, (last,) = run_layer(
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
    weight: Node | None = None,
    recurrent_weight: Node | None = None,
    bias: Node | None = None,
) -> tuple[Node, Node, Node]:
    """Return the hidden states of all steps, the last one, and the last cell state.

    i, f, o = σ(x W + h U + b), g = tanh(x W + h U + b), c = f∘c + i∘g, h = o∘tanh(c). With
    `peepholes` the gates also read the cell state before the step through one weight a unit (`p`
    [3, units]: i, f, o; Gers and Schmidhuber let o read the state after it). With `coupled` gates
    the input gate is 1 − f, and `W` has no columns for it: f, g, o.

    **Shapes.** x: [T, N, in] -> [T, N, units], [N, units], [N, units]
    **Args.** `initial` is the pair (h, c); the others as in `rnn`, weights with 4·units columns, or
    3·units for `coupled` gates.
    **Raises.** GraphError where shapes do not fit.
    **Source.** Hochreiter and Schmidhuber 1997; Gers and Schmidhuber 2000 (peepholes).
    """
    gates = 3 if coupled else 4
    given = Given(weight, recurrent_weight, bias)
    given.expect_one_layer("lstm", layers)

    def cell(owner: str, size: Dim, dtype: Any) -> Step:
        W, U, b = given.weights(owner, size, units, gates, dtype)
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

    outputs, (last, state) = run_layer(
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
    weight: Node | None = None,
    recurrent_weight: Node | None = None,
    bias: Node | None = None,
    recurrent_bias: Node | None = None,
) -> tuple[Node, Node]:
    """Return the hidden states of all steps and the last one.

    r, z = σ(x W + h U + b). Form "pytorch": n = tanh(x W + b + r∘(h U + c)), h = (1 − z)∘n + z∘h,
    the reset gate acting behind the product, with a bias `c` [units] of its own. Form "textbook":
    n = tanh(x W + (r∘h) U + b), h = (1 − z)∘h + z∘n, the reset gate acting before it, and z being
    the share of the new.

    **Shapes.** x: [T, N, in] -> [T, N, units], [N, units]
    **Args.** as in `rnn`, weights with 3·units columns; `recurrent_bias` stands for `c`.
    **Raises.** GraphError for another form, for a `recurrent_bias` of the textbook form, which has
    none, and where shapes do not fit.
    **Source.** Cho et al. 2014 (textbook); torch.nn.GRU (pytorch).
    """
    if form not in ("pytorch", "textbook"):
        raise user_error(
            "no such form of a GRU", got=repr(form), expected="'pytorch' or 'textbook'"
        )
    if form == "textbook" and recurrent_bias is not None:
        raise user_error(
            "the textbook form of a GRU has no recurrent bias",
            got="recurrent_bias=…",
            fix="leave it away, or take form='pytorch'",
        )
    given = Given(weight, recurrent_weight, bias, recurrent_bias)
    given.expect_one_layer("gru", layers)

    def cell(owner: str, size: Dim, dtype: Any) -> Step:
        W, U, b = given.weights(owner, size, units, 3, dtype)
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
        what = f"{owner}: recurrent_bias"
        c = parameter_of(f"{owner}.c", what, given.recurrent_bias, (units,), dtype)

        def pytorch(h: Node, x_t: Node) -> tuple[Node, Node]:
            from_x, from_h = x_t @ W + b, h @ U
            gates = OPS["sigmoid"](from_x[:, :both] + from_h[:, :both]).named("gates")
            r, z = gates[:, :units].named("r"), gates[:, units:].named("z")
            n = OPS["tanh"](from_x[:, both:] + r * (from_h[:, both:] + c)).named("n")
            after = (1 - z) * n + z * h
            return after, after

        return pytorch

    outputs, (last,) = run_layer(
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
    **Raises.** GraphError where weights are given to several layers, and as the layer does.
    """
    node, layers = as_node(x), whole("layers", layers, 1, of="bidirectional")
    given = Given(*[words.get(entry.name) for entry in fields(Given)])
    given.expect_one_layer("bidirectional", layers)
    owner = layer_name("bidirectional", name, node)
    firsts = _initial_of_each(words.pop("initial", None), layers)
    outputs, lasts = node, []
    for k, first in enumerate(firsts):
        number = "" if layers == 1 else f".{k}"
        outputs, *last = _both_ways(layer, outputs, units, owner, number, initial=first, **words)
        lasts.append(last)
    return (remember(node, outputs), *map(stacked, zip(*lasts, strict=True)))


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
            raise user_error(
                "stacked layers take their initial states along a first axis",
                got=str(node.type),
                expected=f"[{layers}, N, units]",
            )
    return [tuple([node[k] for node in nodes]) for k in range(layers)]


__all__ = ["bidirectional", "gru", "lstm", "rnn"]
