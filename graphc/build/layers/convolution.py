"""Convolution layers: windows that slide over the last axes, contracted with filters.

Layouts are PyTorch's. One contraction says it all: `einsum("ncxyij,ocij->noxy", windows(x), W)`.
The optimizer makes it one matrix product (see `graphc.rewrite.contract.convolution`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphc.build.initializers import Uniform
from graphc.build.layers.naming import layer_name, remember
from graphc.build.layers.plain import Activation, activate, floating, weight_of
from graphc.build.layers.window_layers import (
    BATCH,
    channels_of,
    expect_fit,
    expect_known,
    frame_of,
    in_groups,
    kernel_of,
    out_of_groups,
    padded,
    with_bias,
)
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.provenance import scope
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS

__all__ = ["conv1d", "conv2d", "conv3d", "locally_connected1d", "locally_connected2d"]


def conv1d(
    x: Any,
    size: int,
    kernel_size: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    use_bias: bool = True,
    init: Any = None,
) -> Node:
    """Return activation(x ⋆ W + b) for sequences; the arguments are those of `conv2d`.

    Creates `{name}.W` [size, in/groups, k] and `{name}.b` [size].

    **Shapes.** x: [..., in, L] -> [..., size, (L + 2*padding - k)//stride + 1]
    **Raises.** GraphError as `conv2d`.
    """
    given = (kernel_size, stride, padding, dilation, groups)
    return _convolution(1, x, size, given, name, activation, weight, bias, use_bias, init)


def conv2d(
    x: Any,
    size: int,
    kernel_size: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    use_bias: bool = True,
    init: Any = None,
) -> Node:
    """Return activation(x ⋆ W + b): `size` filters slide over images, each gives one channel.

    Creates `{name}.W` [size, in/groups, kh, kw] (Glorot-uniform unless `init` is given) and
    `{name}.b` [size] (zeros), or uses the nodes given as `weight` and `bias`.

    Args:
        kernel_size: a number, or (kh, kw); may be left out where `weight` is given.
        stride: how far a filter moves in one step; a number, or one for each axis.
        padding: zeros around the image: a number, one for each axis, a pair (before, after) for
            each axis, "valid" (none), or "same" (the result is as large as x; stride 1 only).
        dilation: the distance of the elements that a filter reads.
        groups: channels are split into so many groups, each with filters of its own.

    **Shapes.** x: [..., in, H, W] -> [..., size, (H + 2*padding - kh)//stride + 1, …]
    **Raises.** GraphError where the kernel is larger than the padded image, the channels cannot be
    split into the groups, or a given weight or bias does not fit.
    """
    given = (kernel_size, stride, padding, dilation, groups)
    return _convolution(2, x, size, given, name, activation, weight, bias, use_bias, init)


def conv3d(
    x: Any,
    size: int,
    kernel_size: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    use_bias: bool = True,
    init: Any = None,
) -> Node:
    """Return activation(x ⋆ W + b) for volumes; the arguments are those of `conv2d`.

    Creates `{name}.W` [size, in/groups, kd, kh, kw] and `{name}.b` [size].

    **Shapes.** x: [..., in, D, H, W] -> [..., size, (D + 2*padding - kd)//stride + 1, …]
    **Raises.** GraphError as `conv2d`.
    """
    given = (kernel_size, stride, padding, dilation, groups)
    return _convolution(3, x, size, given, name, activation, weight, bias, use_bias, init)


def locally_connected1d(
    x: Any,
    size: int,
    kernel_size: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    use_bias: bool = True,
    init: Any = None,
) -> Node:
    """Return `conv1d` with filters of their own at each position; see `locally_connected2d`.

    Creates `{name}.W` [positions, size, in, k] and `{name}.b` [size, positions].

    **Shapes.** x: [..., in, L] -> [..., size, (L + 2*padding - k)//stride + 1]
    **Raises.** GraphError as `locally_connected2d`.
    """
    given = (kernel_size, stride, padding, dilation, 1)
    return _convolution(
        1, x, size, given, name, activation, weight, bias, use_bias, init, is_local=True
    )


def locally_connected2d(
    x: Any,
    size: int,
    kernel_size: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    use_bias: bool = True,
    init: Any = None,
) -> Node:
    """Return `conv2d` with filters and biases of their own at each position: weights not shared.

    Creates `{name}.W` [rows, columns, size, in, kh, kw], where rows and columns count positions,
    and `{name}.b` [size, rows, columns]. The arguments are those of `conv2d`, without groups. An
    `init` that goes by the fans would count the positions: give a spread, as `normal(0.1)`.

    **Shapes.** x: [..., in, H, W] -> [..., size, (H + 2*padding - kh)//stride + 1, …]
    **Raises.** GraphError as `conv2d`, and where the number of positions is not known.
    """
    given = (kernel_size, stride, padding, dilation, 1)
    return _convolution(
        2, x, size, given, name, activation, weight, bias, use_bias, init, is_local=True
    )


def _convolution(
    rank: int,
    x: Any,
    size: int,
    given: tuple[Any, Any, Any, Any, int],
    name: str | None,
    activation: Activation,
    weight: Node | None,
    bias: Node | None,
    use_bias: bool,
    init: Any,
    is_local: bool = False,
) -> Node:
    kernel_size, stride, padding, dilation, groups = given
    node = floating(as_node(x))
    label = layer_name(f"locally_connected{rank}d" if is_local else f"conv{rank}d", name, node)
    with scope(label):
        share = channels_of(label, node, rank, size, groups) // groups
        kernel = kernel_of(label, kernel_size, weight, rank)
        frame = frame_of(label, kernel, stride, padding, dilation)
        expect_fit(label, node, frame, frame.widths)
        split = in_groups(padded(node, frame.widths), -rank - 1, groups)
        shown = OPS["windows"](split, kernel, frame.stride, frame.dilation)
        positions = shown.shape[-2 * rank : -rank] if is_local else ()
        if is_local:
            expect_known(label, share, positions)
        if is_local and init is None:
            init = _glorot_at_each_position(size, share, kernel)
        W = weight_of(label, weight, (*positions, size, share, *kernel), node.dtype, init)
        W = in_groups(W, -rank - 2, groups)
        z = out_of_groups(_contracted(shown, W, rank, groups, is_local), -rank - 1, groups)
        z = with_bias(label, z, bias, use_bias, (size, *positions), rank)
        return remember(node, activate(z, activation), label)


def _glorot_at_each_position(size: int, share: int, kernel: Sequence[Dim]) -> Uniform:
    """Return Glorot's uniform numbers for one filter bank: positions are no fans."""
    field = math.prod(int(k) for k in kernel)
    limit = (6 / ((size + share) * field)) ** 0.5
    return Uniform(-limit, limit)


def _contracted(shown: Node, W: Node, rank: int, groups: int, is_local: bool) -> Node:
    """Return the sum over channels and places of windows times filters.

    **Shapes.** shown: [..., (groups,) in, positions, places], W: [(groups,) out, in, places] or
    [positions, out, in, places] -> [..., (groups,) out, positions]
    """
    places, positions = "ijk"[:rank], "xyz"[:rank]
    group = "g" if groups > 1 else ""
    batch = BATCH[: shown.ndim - 2 * rank - 1 - len(group)]
    filters = f"{positions if is_local else group}oc{places}"
    return OPS["einsum"](
        f"{batch}{group}c{positions}{places},{filters}->{batch}{group}o{positions}", shown, W
    )
