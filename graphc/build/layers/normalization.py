"""Normalization: layers that take away the mean and divide by the spread, of one group or another.

| layer | a group whose mean and variance are one number each |
|---|---|
| `batch_norm` | one channel, over all samples and places |
| `layer_norm` | one sample's features |
| `group_norm` | some of a sample's channels, over all places |
| `instance_norm` | one channel of one sample, over all places |

Then each channel (for `layer_norm` each feature) is scaled by `{name}.W` and shifted by `{name}.b`,
ones and zeros at first. Variances divide by the number of elements and are taken in two passes, so
a large mean costs no digits; `eps` is added to them, so a group of equal elements gives 0. Defaults
and layouts are PyTorch's: images [N, C, H, W].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.build.graphs import param
from graphc.build.layers.naming import layer_name, remember, scope_named
from graphc.build.layers.plain import Activation, activate, expect_shape, floating
from graphc.ir.attributes import plain
from graphc.ir.dims import Shape, dim_text, divide_exactly
from graphc.ir.node import Node
from graphc.ir.provenance import scope, user_error
from graphc.ops.axes import many_axes, one_axis
from graphc.ops.leaf import as_node
from graphc.ops.reduction.normalization import checked_eps
from graphc.ops.registry import OPS

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "rms_norm",
]


def batch_norm(
    x: Any,
    *,
    axis: int = 1,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    running_mean: Node | None = None,
    running_var: Node | None = None,
    affine: bool = True,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
) -> Node:
    """Normalize each channel over the batch; scale and shift it.

    While the graph trains, each channel's mean and variance are the batch's, and every call moves
    the state `{name}.running_mean`, `{name}.running_var` towards them:
    r ← (1 - momentum) r + momentum s, with s the unbiased variance, N/(N - 1) times the one used
    (for N = 1 that one itself). With `momentum=None` all batches count alike: `{name}.batches`
    counts them, and the momentum is 1 over their number. `g.for_inference()` normalizes by those
    averages instead, and changes nothing; freezing them (`g.frozen("bn.*")`) does so in training
    too.

    **Shapes.** x: [N, C] or [N, C, ...], with the channels on `axis` -> the same shape;
    parameters: [C]
    **Raises.** GraphError where x has fewer axes, or a given node does not fit.
    **Source.** Ioffe & Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2; torch.nn.BatchNorm2d.
    """
    node = _with_axes(x, 2, "batch_norm")
    channel = one_axis(axis, node.ndim, "batch_norm")
    label = layer_name("batch_norm", name, node)
    size = (node.shape[channel],)
    with scope(label):
        mean = _state(label, "running_mean", running_mean, node, size, None)
        variance = _state(label, "running_var", running_var, node, size, 1.0)
        batches = None
        if momentum is None:
            batches = param(f"{label}.batches", (), "int64", trainable=False)
        normal = OPS["batch_normalize"](node, mean, variance, batches, channel, momentum, eps)
        y = _affine(label, normal, (channel,), weight, bias, affine)
        return remember(node, activate(y, activation), label)


def layer_norm(
    x: Any,
    axis: int | Sequence[int] = -1,
    *,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    affine: bool = True,
    eps: float = 1e-5,
) -> Node:
    """Normalize each sample over its features, the axes of `axis`; scale and shift each feature.

    **Shapes.** x: [..., F] -> the same shape; parameters: the sizes of those axes
    **Raises.** GraphError where x has no such axis, or a given node does not fit.
    **Source.** Ba et al. 2016, arXiv:1607.06450, equation 3; torch.nn.LayerNorm, whose
    `normalized_shape` is the shape of the last axes.
    """
    node = _with_axes(x, 1, "layer_norm")
    axes = many_axes(axis, node.ndim, "layer_norm")
    label = layer_name("layer_norm", name, node)
    with scope(label):
        normal = OPS["standardize"](node, axes, eps)
        y = _affine(label, normal, axes, weight, bias, affine)
        return remember(node, activate(y, activation), label)


def group_norm(
    x: Any,
    groups: int,
    *,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    affine: bool = True,
    eps: float = 1e-5,
) -> Node:
    """Normalize each sample's channels in `groups` groups; scale and shift each channel.

    **Shapes.** x: [N, C] or [N, C, ...] -> the same shape; parameters: [C]
    **Raises.** GraphError where the channels cannot be split so, or a given node does not fit.
    **Source.** Wu & He 2018, arXiv:1803.08494; torch.nn.GroupNorm.
    """
    node = _with_axes(x, 2, "group_norm")
    label = layer_name("group_norm", name, node)
    channels, groups = node.shape[1], plain(groups)
    if type(groups) is not int or groups < 1 or divide_exactly(channels, groups) is None:
        raise user_error(
            f"{label}: the channels cannot be split into {groups} equal groups",
            got=f"{dim_text(channels)} channels",
            expected=f"a divisor of {dim_text(channels)}",
        )
    with scope(label):
        shape = (node.shape[0], groups, channels // groups, *node.shape[2:])
        apart = OPS["reshape"](node, shape)
        normal = OPS["standardize"](apart, tuple(range(2, len(shape))), eps)
        y = _affine(label, OPS["reshape"](normal, node.shape), (1,), weight, bias, affine)
        return remember(node, activate(y, activation), label)


def instance_norm(
    x: Any,
    *,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    affine: bool = False,
    eps: float = 1e-5,
) -> Node:
    """Normalize each channel of each sample over its places.

    It has no parameters unless `affine` is true, or `weight` or `bias` is given.

    **Shapes.** x: [N, C, ...] -> the same shape; parameters: [C]
    **Raises.** GraphError where there are no places, or a given node does not fit.
    **Source.** Ulyanov et al. 2016, arXiv:1607.08022, equation 4; torch.nn.InstanceNorm2d.
    """
    node = _with_axes(x, 3, "instance_norm")
    label = layer_name("instance_norm", name, node)
    with scope(label):
        normal = OPS["standardize"](node, tuple(range(2, node.ndim)), eps)
        y = _affine(label, normal, (1,), weight, bias, affine)
        return remember(node, activate(y, activation), label)


def rms_norm(
    x: Any,
    axis: int | Sequence[int] = -1,
    *,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    affine: bool = True,
    eps: float | None = None,
) -> Node:
    """Divide each sample by the root mean square of its features; scale each feature.

    The mean stays. `eps` is added to the mean square; unless given, it is the distance from 1 to
    the next number of x's dtype, 1.2e-7 in float32.

    **Shapes.** x: [..., F] -> the same shape; `{name}.W`: the sizes of the axes of `axis`
    **Raises.** GraphError where x has no such axis, or a given weight does not fit.
    **Source.** Zhang & Sennrich 2019, arXiv:1910.07467, equation 4; torch.nn.RMSNorm.
    """
    node = _with_axes(x, 1, "rms_norm")
    axes = many_axes(axis, node.ndim, "rms_norm")
    label = layer_name("rms_norm", name, node)
    small = float(np.finfo(node.dtype).eps) if eps is None else checked_eps(eps)
    with scope(label):
        y = OPS["rms_normalize"](node, axes, small).named(f"{label}_normal")
        if affine or weight is not None:
            y = OPS["multiply"](y, _parameter(label, "W", weight, node, axes))
        return remember(node, activate(y, activation), label)


def local_response_norm(
    x: Any,
    size: int = 5,
    *,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    name: str | None = None,
) -> Node:
    """Divide each place by the energy of the channels around it.

    y_c = x_c / (k + alpha/size * Σ x_d²)^beta, d over the `size` channels from c - size//2; there
    are zeros beyond the ends. PyTorch's convention: AlexNet's paper (size 5, k = 2) writes alpha
    for what is alpha/size here.

    **Shapes.** x: [N, C] or [N, C, ...] -> the same shape
    **Raises.** GraphError for a size below 1.
    **Source.** Krizhevsky et al. 2012, section 3.3; torch.nn.LocalResponseNorm.
    """
    node = _with_axes(x, 2, "local_response_norm")
    with scope_named(name):
        return remember(node, OPS["response_normalize"](node, size, alpha, beta, k), name or "")


# -- pieces --------------------------------------------------------------------------------------


def _affine(
    label: str,
    normal: Node,
    axes: tuple[int, ...],
    weight: Node | None,
    bias: Node | None,
    affine: bool,
) -> Node:
    """Return normal * W + b, with one weight and bias for each place of `axes`.

    Those that are given are used in any case; missing ones are made where `affine` is true.
    """
    y = normal.named(f"{label}_normal")
    if affine or weight is not None:
        y = OPS["multiply"](y, _parameter(label, "W", weight, y, axes))
    if affine or bias is not None:
        y = OPS["add"](y, _parameter(label, "b", bias, y, axes))
    return y


def _parameter(
    label: str, kind: str, given: Node | None, node: Node, axes: tuple[int, ...]
) -> Node:
    """Return the parameter `label.kind` in a shape that broadcasts along `axes` of the node."""
    if given is None:
        shape = tuple([node.shape[axis] for axis in axes])
        init = 1.0 if kind == "W" else None
        given = param(f"{label}.{kind}", shape, node.dtype, init=init)
    else:
        expect_shape(
            f"{label}: {'weight' if kind == 'W' else 'bias'}",
            given,
            tuple([node.shape[axis] for axis in axes]),
        )
    return _along(given, node.ndim, axes)


def _along(value: Node, ndim: int, axes: tuple[int, ...]) -> Node:
    """Return a value of the given axes with size 1 on all other axes behind its first one."""
    shape: Shape = tuple(
        [value.shape[axes.index(a)] if a in axes else 1 for a in range(axes[0], ndim)]
    )
    return value if len(shape) == value.ndim else OPS["reshape"](value, shape)


def _state(
    label: str, kind: str, given: Node | None, node: Node, shape: Shape, init: float | None
) -> Node:
    if given is None:
        return param(f"{label}.{kind}", shape, node.dtype, init=init, trainable=False)
    expect_shape(f"{label}: {kind}", given, shape)
    return given


def _with_axes(x: Any, least: int, layer: str) -> Node:
    """Return the layer's input as a node of floats, or raise where it has too few axes."""
    node = floating(as_node(x))
    if node.ndim < least:
        raise user_error(
            f"{layer} needs {least} axes or more",
            got=str(node.type),
            expected=("[..., F]", "[N, C, ...]", "[N, C, L, ...]")[least - 1],
        )
    return node
