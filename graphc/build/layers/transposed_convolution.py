"""Transposed convolution: each input element times a filter, added up as overlapping windows.

It is the transpose of a convolution in its input, and so the map that takes the gradient of one
back; as a layer it makes images larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.build.layers.naming import layer_name, remember
from graphc.build.layers.plain import Activation, activate, floating, weight_of
from graphc.build.layers.window_layers import (
    BATCH,
    Frame,
    Widths,
    channels_of,
    frame_of,
    in_groups,
    kernel_of,
    out_of_groups,
    padded,
    with_bias,
)
from graphc.ir.dims import Dim, as_dim
from graphc.ir.node import Node
from graphc.ir.provenance import scope, user_error
from graphc.ops.leaf import as_node, fill
from graphc.ops.registry import OPS
from graphc.ops.windows.sliding import per_axis, span

__all__ = ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


def conv_transpose1d(
    x: Any,
    size: int,
    kernel_size: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    use_bias: bool = True,
    init: Any = None,
) -> Node:
    """Return the transposed convolution of sequences; see `conv_transpose2d`.

    Creates `{name}.W` [in, size/groups, k] and `{name}.b` [size].

    **Shapes.** x: [..., in, L] -> [..., size, (L - 1)*stride - 2*padding + k + output_padding]
    **Raises.** GraphError as `conv_transpose2d`.
    """
    given = (kernel_size, stride, padding, output_padding, dilation, groups)
    return _transposed(1, x, size, given, name, activation, weight, bias, use_bias, init)


def conv_transpose2d(
    x: Any,
    size: int,
    kernel_size: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    use_bias: bool = True,
    init: Any = None,
) -> Node:
    """Return the transposed convolution of images, `stride` times as large.

    Creates `{name}.W` [in, size/groups, kh, kw] (Glorot-uniform unless `init` is given) and
    `{name}.b` [size] (zeros), or uses the nodes given as `weight` and `bias`. The arguments are
    those of the convolution whose transpose it is; in addition:

    Args:
        padding: how much is cut off around the result.
        output_padding: how many rows and columns of it are kept, or added, behind; less than the
            stride or the dilation. It tells apart the sizes that a convolution maps to one.

    **Shapes.** x: [..., in, H, W] ->
    [..., size, (H - 1)*stride - 2*padding + kh + output_padding, …]
    **Raises.** GraphError where nothing would be left, the channels cannot be split into the
    groups, or a given weight or bias does not fit.
    """
    given = (kernel_size, stride, padding, output_padding, dilation, groups)
    return _transposed(2, x, size, given, name, activation, weight, bias, use_bias, init)


def conv_transpose3d(
    x: Any,
    size: int,
    kernel_size: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    name: str | None = None,
    activation: Activation = None,
    weight: Node | None = None,
    bias: Node | None = None,
    use_bias: bool = True,
    init: Any = None,
) -> Node:
    """Return the transposed convolution of volumes; see `conv_transpose2d`.

    Creates `{name}.W` [in, size/groups, kd, kh, kw] and `{name}.b` [size].

    **Shapes.** x: [..., in, D, H, W] ->
    [..., size, (D - 1)*stride - 2*padding + kd + output_padding, …]
    **Raises.** GraphError as `conv_transpose2d`.
    """
    given = (kernel_size, stride, padding, output_padding, dilation, groups)
    return _transposed(3, x, size, given, name, activation, weight, bias, use_bias, init)


def _transposed(
    rank: int,
    x: Any,
    size: int,
    given: tuple[Any, Any, Any, Any, Any, int],
    name: str | None,
    activation: Activation,
    weight: Node | None,
    bias: Node | None,
    use_bias: bool,
    init: Any,
) -> Node:
    kernel_size, stride, padding, output_padding, dilation, groups = given
    node = floating(as_node(x))
    label = layer_name(f"conv_transpose{rank}d", name, node)
    with scope(label):
        channels = channels_of(label, node, rank, size, groups)
        kernel = kernel_of(label, kernel_size, weight, rank)
        frame = frame_of(label, kernel, stride, padding, dilation)
        more = _output_padding(label, output_padding, frame)
        W = weight_of(label, weight, (channels, size // groups, *kernel), node.dtype, init)
        W = in_groups(W, -rank - 2, groups)
        values = _products(in_groups(node, -rank - 1, groups), W, rank, groups)
        spans = map(span, kernel, frame.dilation)
        whole = [
            as_dim((n - 1) * step + covered)
            for n, step, covered in zip(node.shape[-rank:], frame.stride, spans, strict=True)
        ]
        base = fill(0.0, (*values.shape[: -2 * rank], *whole), node.dtype)
        z = OPS["windows_add"](base, values, kernel, frame.stride, frame.dilation)
        z = _cut(label, out_of_groups(z, -rank - 1, groups), frame.widths, more)
        z = with_bias(label, z, bias, use_bias, (size,), rank)
        return remember(node, activate(z, activation), label)


def _products(x: Node, W: Node, rank: int, groups: int) -> Node:
    """Return each element of x times a filter, as windows.

    **Shapes.** x: [..., (groups,) in, positions], W: [(groups,) in, out, places]
    -> [..., (groups,) out, positions, places]
    """
    places, positions = "ijk"[:rank], "xyz"[:rank]
    group = "g" if groups > 1 else ""
    batch = BATCH[: x.ndim - rank - 1 - len(group)]
    return OPS["einsum"](
        f"{batch}{group}c{positions},{group}co{places}->{batch}{group}o{positions}{places}", x, W
    )


def _output_padding(label: str, value: Any, frame: Frame) -> tuple[int, ...]:
    more = per_axis(label, "output_padding", value, len(frame.kernel), least=0)
    for n, s, d in zip(more, frame.stride, frame.dilation, strict=True):
        known = [limit for limit in (s, d) if isinstance(limit, int)]
        if not isinstance(n, int) or (len(known) == 2 and n >= max(known)):
            raise user_error(
                f"{label}: output_padding must be less than the stride or the dilation",
                got=f"output_padding {value!r} with stride {frame.stride} "
                f"and dilation {frame.dilation}",
            )
    return tuple([n for n in more if isinstance(n, int)])


def _cut(label: str, z: Node, widths: Widths, more: Sequence[int]) -> Node:
    """Return z without `widths` around it, but with `more` elements behind."""
    lead = z.ndim - len(widths)
    grown: list[tuple[Dim, Dim]] = []
    slices = [slice(None)] * lead
    for n, (before, after), extra in zip(z.shape[lead:], widths, more, strict=True):
        size = as_size(label, n - before - after + extra)
        grown.append((0, max(0, extra - after) if isinstance(after, int) else 0))
        slices.append(slice(before, before + size))
    return OPS["slice"](padded(z, tuple(grown)), slices)


def as_size(label: str, n: Any) -> Dim:
    """Return the size of what is kept, or raise where nothing is."""
    if isinstance(n, int) and n < 1:
        raise user_error(
            f"{label}: the padding cuts everything off",
            got=f"{n} elements along an axis",
            fix="less padding, or a larger kernel or stride",
        )
    return as_dim(n)
