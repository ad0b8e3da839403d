"""The plain layers, and what all layers share: parameters of a shape, activations by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.build.arrays.contractions import matmul
from graphc.build.arrays.operands import as_float
from graphc.build.arrays.pointwise import POINTWISE
from graphc.build.graphs import param
from graphc.build.initializers import GlorotUniform
from graphc.build.layers.naming import layer_name, remember, scope_named
from graphc.errors import did_you_mean
from graphc.ir.dims import Shape, dim_text
from graphc.ir.node import Node
from graphc.ir.provenance import scope, user_error
from graphc.ir.types import FLOAT32
from graphc.ops.dropout import checked_rate, dropped
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS

__all__ = [
    "Activation",
    "activate",
    "bias_of",
    "dense",
    "dropout",
    "expect_shape",
    "floating",
    "parameter_of",
    "weight_of",
]

Activation = Callable[[Node], Node] | str | None


def dense(
    x: Any,
    size: int,
    *,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    use_bias: bool = True,
    init: Any = None,
) -> Node:
    """Return activation(x @ W + b), a fully connected layer.

    Creates `{name}.W` [in, size] (Glorot-uniform unless `init` is given) and `{name}.b` [size]
    (zeros), or uses the nodes given as `weight` and `bias`.

    **Shapes.** x: [..., in] -> [..., size]
    **Raises.** GraphError where x has no axis, or its only one has no known size, and where a
    given weight or bias does not fit.
    """
    node = floating(as_node(x))
    if not node.ndim:
        raise user_error("dense needs a last axis", got=str(node.type))
    label = layer_name("dense", name, node)
    with scope(label):
        z = affine(label, node, size, weight, bias, use_bias, init)
        return remember(node, activate(z, activation), label)


def affine(
    label: str,
    node: Node,
    size: int,
    weight: Node | None = None,
    bias: Node | None = None,
    use_bias: bool = True,
    init: Any = None,
) -> Node:
    """Return x @ W + b, with the parameters of the layer of this name."""
    if weight is None:
        _expect_rows(label, node)
    z = matmul(node, weight_of(label, weight, (node.shape[-1], size), node.dtype, init))
    if use_bias or bias is not None:
        z = OPS["add"](z, bias_of(label, bias, (size,), node.dtype))
    return z


def _expect_rows(label: str, node: Node) -> None:
    """Raise for the numbers of a batch, whose axis would be taken for that of the features."""
    if node.ndim == 1 and type(node.shape[0]) is not int:
        size = dim_text(node.shape[0])
        raise user_error(
            f"{label}: are these {size} samples or {size} features?",
            got=str(node.type),
            expected="[..., in]",
            fix=f"x[:, None] for {size} samples of one feature, x[None] for one sample",
        )


def weight_of(label: str, given: Node | None, shape: Shape, dtype: np.dtype, init: Any) -> Node:
    """Return the weight that is given, or a new one, Glorot-uniform unless `init` says how."""
    rule = GlorotUniform() if init is None else init
    return parameter_of(f"{label}.W", f"{label}: weight", given, shape, dtype, rule)


def bias_of(label: str, given: Node | None, shape: Shape, dtype: np.dtype) -> Node:
    """Return the bias that is given, or a new one of zeros."""
    return parameter_of(f"{label}.b", f"{label}: bias", given, shape, dtype)


def parameter_of(
    name: str, what: str, given: Node | None, shape: Shape, dtype: np.dtype, init: Any = None
) -> Node:
    """Return the node that is given, called `what` where it does not fit, or a new parameter."""
    if given is None:
        return param(name, shape, dtype, init=init)
    expect_shape(what, given, shape)
    return given


def expect_shape(what: str, node: Any, shape: tuple[Any, ...]) -> None:
    """Raise unless a given parameter is a node of the shape that its layer needs."""
    if not isinstance(node, Node):
        word = what.rpartition(" ")[2]
        raise user_error(
            f"{what} is no node",
            got=repr(node),
            expected="a parameter or an input, made before",
            fix=f"use_{word}=False leaves it away" if node is False and word == "bias" else None,
        )
    wanted = node.type.with_shape(shape)
    if node.type != wanted:
        raise user_error(f"{what} has the wrong shape", got=str(node.type), expected=str(wanted))


def activate(z: Node, activation: Activation) -> Node:
    """Return activation(z); a name stands for the function of that name.

    None and "linear" leave z as it is.
    """
    if activation is None or activation == "linear":
        return z
    if not isinstance(activation, str):
        if not callable(activation):
            raise user_error(
                "an activation is a function, or the name of one",
                got=repr(activation),
                fix="pass gc.relu, for example",
            )
        return activation(z)
    if activation not in POINTWISE:
        raise user_error(
            f"no activation is called {activation!r}",
            fix=did_you_mean(activation, POINTWISE) or "pass a function, such as gc.relu",
        )
    return POINTWISE[activation](z)


def dropout(x: Any, rate: float = 0.5, *, name: str | None = None) -> Node:
    """Drop a share `rate` of the elements and scale the others by 1/(1 - rate).

    This is how the graph trains; `g.for_inference()` drops nothing. The mask comes from the `rng`
    of the call.

    **Shapes.** x: any shape -> the same shape.
    **Raises.** GraphError where rate is not in [0, 1).
    **Source.** Srivastava et al. 2014, JMLR 15:1929.
    """
    node = floating(as_node(x))
    with scope_named(name):
        return dropped(node, rate) if checked_rate(rate) else node


def floating(node: Node) -> Node:
    """Return what a layer reads as floats: weights are float32, so whole numbers become that."""
    return as_float(node, FLOAT32)
