"""A convolution's derivative by its image, where filters are few: a convolution by turned filters.

What a response passes back to an element comes from all windows that hold it. Those stand around
it: a window of the response, once that is padded, and the filters half a turn round. Of that, only
what is read is computed: the edges that padding gave the image are mostly cut off.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.dims import Dim, divide_exactly, product, typical_size
from graphc.ir.node import Node
from graphc.ops.registry import OPS
from graphc.ops.windows.columns import is_of_elements
from graphc.ops.windows.sliding import span
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding

#: Columns of a response have as many rows as filters have places, columns that are added as many
#: as channels have, and an element takes five times as long to add as to copy. Measured: at equally
#: many both take the same time, as more positions are multiplied; at half as many filters, half.
#: Small groups are all copying and adding: a depthwise layer takes two thirds to a quarter.
_CHANNELS_A_FILTER = 2
#: With fewer positions than this for each filter of a group, turning the filters takes too long.
_POSITIONS_A_FILTER = 4
#: The positions that are computed may be that many times as many as those of the response.
_MOST_PADDING = 1.5


def _by_turned_filters(node: Node, facts: Facts) -> Node | None:
    """convolve_back(d, W) → convolve_windows(pad(d), W half a turn round).

    **Shapes.** d: [o, h, w, n], W: [o, c*i*j] -> [c, h + i - 1, w + j - 1, n]
    """
    return _convolved(node) if _is_faster(node, node.shape) else None


def _what_is_read(node: Node, facts: Facts) -> Node | None:
    """convolve_windows(pad(x, 2), W)[:, 1:-1] → convolve_windows(pad(x, 1), W)."""
    whole = node.inputs[0]
    if facts.is_shared(whole):
        return None
    if whole.op is OPS["convolve_back"]:
        whole = _convolved(whole) if _is_faster(whole, node.shape) else whole
    if whole.op is not OPS["convolve_windows"] or any(step != 1 for step in whole.attrs["stride"]):
        return None
    padded, filters = whole.inputs
    if padded.op is not OPS["pad"]:
        return None
    first, *bounds, last = node.attrs["bounds"]
    around = list(padded.attrs["widths"])
    for axis, (start, stop, step) in enumerate(bounds, 1):
        cut = start, whole.shape[axis] - stop
        if step != 1 or any(not isinstance(n, int) for n in (*cut, *around[axis])):
            return None
        around[axis] = around[axis][0] - cut[0], around[axis][1] - cut[1]
    if tuple(around) == padded.attrs["widths"] or min(min(pair) for pair in around) < 0:
        return None
    image = OPS["pad"](padded.inputs[0], around, padded.attrs["value"])
    part = OPS["convolve_windows"].make([image, filters], **whole.attrs)
    every = [slice(None)] * len(bounds)
    return OPS["slice"](part, [slice(*first), *every, slice(*last)])


def _convolved(node: Node) -> Node:
    """Return a derivative by the image as a convolution of the padded response."""
    d, filters = node.inputs
    groups = node.attrs["groups"]
    frame = {key: node.attrs[key] for key in ("size", "stride", "dilation")}
    edges = [span(k, s) - 1 for k, s in zip(frame["size"], frame["dilation"], strict=True)]
    padded = OPS["pad"](d, [(0, 0), *[(edge, edge) for edge in edges], (0, 0)])
    split = [_each(axis, groups) for axis in (filters.shape[0], node.shape[0])]
    lead = (*split, *frame["size"]) if groups == 1 else (groups, *split, *frame["size"])
    cube = OPS["reshape"](filters, lead)
    at = cube.ndim - len(edges)
    half_turn = [slice(None, None, -1)] * len(edges)
    turned = OPS["slice"](cube, [*[slice(None)] * at, *half_turn])
    axes = (*range(at - 2), at - 1, at - 2, *range(at, cube.ndim))
    shape = node.shape[0], product((split[0], *frame["size"]))
    matrix = OPS["pack"].make([turned], axes=axes, shape=shape)
    return OPS["convolve_windows"].make([padded, matrix], groups=groups, **frame)


def _each(count: Dim, groups: int) -> Dim:
    each = divide_exactly(count, groups)
    assert each is not None
    return each


def _is_faster(node: Node, read: Sequence[Dim]) -> bool:
    """Say whether turned filters make what is read of a derivative in less time."""
    d, groups = node.inputs[0], node.attrs["groups"]
    numbers = (d.shape[0], node.shape[0], *node.attrs["size"], *node.attrs["dilation"])
    if any(not isinstance(n, int) for n in numbers) or is_of_elements(node.attrs):
        return False
    if any(step != 1 for step in node.attrs["stride"]):
        return False
    filters, channels = (typical_size([n]) for n in numbers[:2])
    positions = typical_size(d.shape[1:])
    return (
        channels >= filters * (_CHANNELS_A_FILTER if groups == 1 else 1)
        and typical_size(read[1:]) <= _MOST_PADDING * positions
        and positions * groups >= _POSITIONS_A_FILTER * filters
    )


TURNED_FILTERS = (
    rounding(
        "turned_filters",
        "convolve_back(d, W)",
        "convolve_windows(pad(d), W half a turn round)",
        "columns of a few filters are copied, rather than those of many channels added",
        apply=_by_turned_filters,
        roots=("convolve_back",),
        example="d: input(f64, 2, 7, 8, 3)\nW: input(f64, 2, 24)\n"
        "y = convolve_back(d, W, shape=(8, 10), size=(2, 3))",
    ),
    rounding(
        "convolve_what_is_read",
        "convolve_windows(pad(x, 2), W)[:, 1:-1]",
        "convolve_windows(pad(x, 1), W)",
        "what is cut off needs no columns",
        apply=_what_is_read,
        roots=("slice",),
        operands=("convolve_windows", "convolve_back"),
        example="d: input(f64, 1, 7, 8, 3)\nW: input(f64, 1, 36)\n"
        "y = convolve_back(d, W, shape=(9, 10), size=(3, 3))[:, 1:8, 1:9]",
    ),
)
