"""What convolution and pooling layers share: kernel sizes, padding, channels, biases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphc.build.layers.plain import bias_of
from graphc.ir.attributes import plain
from graphc.ir.dims import Dim, Shape, as_dim, dim_text, divide_exactly, shape_text
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ops.registry import OPS
from graphc.ops.windows.sliding import is_below, is_count, per_axis, span

#: (before, after) for each axis that windows slide over.
Widths: TypeAlias = "tuple[tuple[Dim, Dim], ...]"

#: The labels of axes before the channels in a contraction: samples, and whatever else there is.
BATCH = "nmabdefhlpqrstuvw"


@dataclass(frozen=True)
class Frame:
    """How windows lie over the last axes: a number for each of these, and the padding around."""

    kernel: tuple[Dim, ...]
    stride: tuple[Dim, ...]
    dilation: tuple[Dim, ...]
    widths: Widths


def frame_of(
    label: str, kernel: tuple[Dim, ...], stride: Any, padding: Any, dilation: Any
) -> Frame:
    """Return the frame that a layer's arguments ask for.

    **Raises.** GraphError where one of them is no number, or not one for each axis.
    """
    steps = per_axis(label, "stride", stride, len(kernel))
    gaps = per_axis(label, "dilation", dilation, len(kernel))
    return Frame(kernel, steps, gaps, padding_widths(label, padding, kernel, steps, gaps))


_LAYOUTS = {1: "[..., channels, L]", 2: "[..., channels, H, W]", 3: "[..., channels, D, H, W]"}


def expect_axes(label: str, x: Node, rank: int) -> None:
    """Raise where an input has too few axes for a layer over `rank` of them."""
    if x.ndim < rank + 1:
        raise user_error(
            f"{label} slides over the last axes of an array of channels",
            got=str(x.type),
            expected=_LAYOUTS[rank],
        )


def expect_fit(label: str, x: Node, frame: Frame, widths: Widths) -> None:
    """Raise where a window does not fit between the ends of the padded input."""
    rank = len(frame.kernel)
    axes = zip(x.shape[-rank:], widths, frame.kernel, frame.dilation, strict=True)
    rooms = [(n + before + after, span(k, d)) for n, (before, after), k, d in axes]
    if not any(isinstance(n - k, int) and n < k and k != 1 for n, k in rooms):
        return
    spans = _numbers([k for _, k in rooms])
    is_dilated = any(d != 1 for d in frame.dilation)
    is_padded = any(w != 0 for pair in widths for w in pair)
    raise user_error(
        f"{label}: the window is larger than the array",
        got=f"{x.type}, kernel_size {_numbers(frame.kernel)}"
        + (f", which spans {spans} elements" if is_dilated else ""),
        expected=f"at most {_numbers([n for n, _ in rooms])}"
        + (", the padding counted" if is_padded else ""),
        fix=_channels_forward(x, rank) or "pad the input, or make kernel_size or dilation smaller",
    )


def _channels_forward(x: Node, rank: int) -> str | None:
    """Return how channels come forward, where the last axis is as short as channels are."""
    last = x.shape[-1]
    if x.ndim != rank + 2 or not isinstance(last, int) or last not in (1, 3):
        return None
    axes = ", ".join(map(str, [0, rank + 1, *range(1, rank + 1)]))
    return f"channels stand before the positions, {_LAYOUTS[rank]}: x.transpose({axes})"


def expect_known(label: str, channels: Dim, positions: Shape) -> None:
    """Raise where the filters of a layer that has some at each position cannot be counted."""
    if not all(isinstance(dim, int) for dim in (channels, *positions)):
        raise user_error(
            f"{label}: the size of the weight depends on a named dim",
            got=f"{dim_text(channels)} channels, positions {shape_text(positions)}",
            expected="an image of known size, which has filters at each position",
        )


def channels_of(label: str, x: Node, rank: int, size: Any, groups: Any) -> Dim:
    """Return how many channels an input has; input and output must split into the groups."""
    expect_axes(label, x, rank)
    if not is_count(size) or is_below(size, 1):
        raise user_error(
            f"{label}: the size is how many channels it makes, a positive integer", got=repr(size)
        )
    channels = x.shape[-rank - 1]
    if x.ndim == rank + 1 and not isinstance(channels, int):
        raise user_error(
            f"{label}: the axis of the channels has a named dim, as that of the samples has",
            got=str(x.type),
            expected=_LAYOUTS[rank],
            fix="give each example an axis of channels: x[:, None]",
        )
    if not _is_split(groups, channels, size):
        raise user_error(
            f"{label}: the channels cannot be split into {groups} equal groups",
            got=f"{dim_text(channels)} channels in, {dim_text(size)} out",
            expected="numbers of channels that `groups` divides",
        )
    return channels


def _is_split(groups: Any, *channels: Dim) -> bool:
    """Say whether all these numbers of channels split into so many equal groups."""
    if not isinstance(plain(groups), int) or is_below(groups, 1):
        return False
    return all(divide_exactly(n, groups) is not None for n in channels)


def kernel_of(label: str, kernel_size: Any, weight: Node | None, rank: int) -> tuple[Dim, ...]:
    """Return the size of the windows, given or read from the filters."""
    if kernel_size is not None:
        return per_axis(label, "kernel_size", kernel_size, rank)
    if weight is None:
        raise user_error(f"{label} needs a kernel_size", fix="kernel_size=3")
    return weight.shape[-rank:]


def with_bias(
    label: str, z: Node, bias: Node | None, use_bias: bool, shape: Shape, rank: int
) -> Node:
    """Return z [..., channels, positions] plus a bias, of [channels] or for each position.

    A bias that is given is used in any case; none is made where `use_bias` is false.
    """
    if bias is None and not use_bias:
        return z
    b = bias_of(label, bias, shape, z.dtype)
    spread = OPS["reshape"](b, (*shape, *(1 for _ in range(rank)))) if len(shape) == 1 else b
    return OPS["add"](z, spread)


def in_groups(x: Node, axis: int, groups: int) -> Node:
    """Return x with an axis (counted from the end) split in two: [groups, share]."""
    if groups == 1:
        return x
    at = x.ndim + axis
    share = x.shape[at] // groups
    return OPS["reshape"](x, (*x.shape[:at], groups, share, *x.shape[at + 1 :]))


def out_of_groups(x: Node, axis: int, groups: int) -> Node:
    """Return x with the axes [groups, share] made one again; `axis` counts from the end."""
    if groups == 1:
        return x
    at = x.ndim + axis
    return OPS["reshape"](x, (*x.shape[: at - 1], groups * x.shape[at], *x.shape[at + 1 :]))


def padding_widths(
    label: str,
    padding: Any,
    kernel: Sequence[Dim],
    stride: Sequence[Dim],
    dilation: Sequence[Dim],
) -> Widths:
    """Return (before, after) for each axis, of a number, one or a pair for each axis, or a word.

    "valid" is no padding; "same" keeps the size of the axes, with the odd element behind.
    """
    rank = len(kernel)
    if isinstance(padding, str):
        return _widths_of_word(label, padding, kernel, stride, dilation)
    given = list(padding) if isinstance(padding, (list, tuple)) else [padding] * rank
    pairs = [tuple(w) if isinstance(w, (list, tuple)) else (w, w) for w in given]
    fits = [len(p) == 2 and all(is_count(w) and not is_below(w, 0) for w in p) for p in pairs]
    if len(pairs) != rank or not all(fits):
        raise user_error(
            f"{label}: not a padding",
            got=repr(padding),
            expected=f"a non-negative number, {rank} of them or {rank} pairs, 'same' or 'valid'",
        )
    return tuple([(as_dim(a), as_dim(b)) for a, b in pairs])


def _widths_of_word(
    label: str,
    word: str,
    kernel: Sequence[Dim],
    stride: Sequence[Dim],
    dilation: Sequence[Dim],
) -> Widths:
    if word == "valid":
        return tuple([(0, 0) for _ in kernel])
    spans = [span(k, d) for k, d in zip(kernel, dilation, strict=True)]
    known = [n for n in spans if isinstance(n, int)]
    if word != "same" or any(s != 1 for s in stride) or len(known) < len(spans):
        raise user_error(
            f"{label}: not a padding",
            got=f"{word!r} with kernel {_numbers(kernel)} and stride {_numbers(stride)}",
            expected="'valid', or 'same' with a known kernel and stride 1",
            fix="give the numbers: padding=1 keeps the size under kernel 3, and halves it with "
            "stride 2",
        )
    return tuple([((n - 1) // 2, n // 2) for n in known])


def _numbers(dims: Sequence[Dim]) -> str:
    return " × ".join(map(dim_text, dims))


def padded(x: Node, widths: Widths, value: float = 0.0) -> Node:
    """Return x with a constant around its last axes."""
    lead = [(0, 0)] * (x.ndim - len(widths))
    return OPS["pad"](x, [*lead, *widths], value)
