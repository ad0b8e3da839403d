"""The functions on windows that emitted modules bring along: loops over the places in a window.

Each step of such a loop works on all samples, channels and positions at once. A function is
written for one number of axes, as a person would write it for sequences, images or volumes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ir.code import Notation

#: Numbers of which some are to count: a branch an element is slow, and infinity times 0 is NaN.
_BITS = """# Bits as integers, since an infinity times 0 is NaN.
    bits = np.asarray(values, x.dtype).view(f"i{x.itemsize}")"""


def call(verb: str, attrs: Mapping[str, Any], notation: Notation, *operands: str) -> str:
    """Return the call of a helper: `_add_windows_2d(d_x, d_windows, (3, 3), (1, 1))`."""
    words = [*operands, notation.shape(attrs["size"]), notation.shape(attrs["stride"])]
    if any(not isinstance(d, int) or d != 1 for d in attrs["dilation"]):
        words.append(f"dilation={notation.shape(attrs['dilation'])}")
    return f"_{verb}_{len(attrs['size'])}d({', '.join(words)})"


def parts_helper(rank: int) -> str:
    """Return the generator of the places in a window, a loop for each axis."""
    axes = range(1, rank + 1)
    at = list("ijk"[:rank]) if rank <= 3 else [f"i{a}" for a in axes]
    lines = [
        f"def _window_parts_{rank}d(x, size, stride, dilation={_ones(rank)}):",
        '    """Yield each place in a window, and x at that place for all windows at once."""',
        f"    {_names('s', rank)}, {_names('d', rank)} = stride, dilation",
    ]
    lines += [f"    n{a} = x.shape[{a - rank - 1}] - d{a} * (size[{a - 1}] - 1)" for a in axes]
    counts = ", ".join(f"n{a}" for a in axes)
    fits = f"zip(({counts}{',' * (rank == 1)}), size)"
    lines.append(f"    if any(n < 1 < k for n, k in {fits}):")
    lines.append('        raise ValueError(f"windows of {size} do not fit into {x.shape}")')
    for depth, index in enumerate(at):
        lines.append(f"{'    ' * (depth + 1)}for {index} in range(size[{depth}]):")
    cuts = [f"{i} * d{a} : {i} * d{a} + n{a} : s{a}" for a, i in zip(axes, at, strict=True)]
    place = f"({', '.join(at)}{',' if rank == 1 else ''})"
    indent = "    " * (rank + 1)
    line = f"{indent}yield {place}, x[..., {', '.join(cuts)}]"
    if len(line) > 88:
        inner = [f"{indent}    {cut}," for cut in ["...", *cuts]]
        lines += [f"{indent}part = x[", *inner, f"{indent}]"]
        line = f"{indent}yield {place}, part"
    return "\n".join([*lines, line])


def add_windows(rank: int) -> str:
    """Return the function that adds windows where they would be taken from."""
    return f'''{parts_helper(rank)}


def _add_windows_{rank}d(x, windows, size, stride, dilation={_ones(rank)}):
    """Add windows [..., positions, places] to x, each where it would be taken from."""
    for place, part in _window_parts_{rank}d(x, size, stride, dilation):
        part += windows[(..., *place)]
'''


def reduce_windows(rank: int) -> str:
    """Return the function that folds each window by a ufunc."""
    return f'''{parts_helper(rank)}


def _reduce_windows_{rank}d(ufunc, x, size, stride, dilation={_ones(rank)}, out=None):
    """Reduce each window over the last axes of x by a ufunc of two arguments."""
    (_, first), *others = _window_parts_{rank}d(x, size, stride, dilation)
    out = np.empty_like(first) if out is None else out
    if not others:  # windows of one element
        out[...] = first
    total = first
    for _, part in others:
        total = ufunc(total, part, out=out)
    return out
'''


def spread_windows(rank: int, are_apart: bool) -> str:
    """Return the function that gives each value to all elements of its window.

    Windows that have no element in common are filled with it; others add up.
    """
    places = " * ".join(["values.size", *[f"size[{a}]" for a in range(rank)]])
    verb, says, line = "spread", "Write to x what its windows' values add up to", "part += values"
    start = "    x.fill(0)\n"
    if are_apart:
        verb, says, line = "fill", "Fill each window of x with its value", "part[...] = values"
        start = f"    if {places} < x.size:\n"
        start += "        x.fill(0)  # some elements are in no window\n"
    return f'''{parts_helper(rank)}


def _{verb}_windows_{rank}d(x, values, size, stride, dilation={_ones(rank)}):
    """{says}."""
{start}    for _, part in _window_parts_{rank}d(x, size, stride, dilation):
        {line}
    return x
'''


def extreme_in_windows(rank: int, verb: str, ufunc: str, exceeds: str) -> str:
    """Return the function `_argmax_in_windows_2d`, or its like for the smallest element."""
    return f'''{parts_helper(rank)}


def _{verb}_in_windows_{rank}d(x, size, stride, dilation={_ones(rank)}):
    """Return the number of the place in each window where its {verb[3:]}imum stands first."""
    parts = enumerate(_window_parts_{rank}d(x, size, stride, dilation))
    _, (_, first) = next(parts)
    best, index = np.copy(first), np.zeros_like(first, np.int32)
    for number, (_, part) in parts:
        # Numbers grow: the latest place that exceeds all before it has the largest.
        np.maximum(index, np.int32(number) * (part {exceeds} best), out=index)
        np.{ufunc}(best, part, out=best)
    return index
'''


def add_in_windows(rank: int) -> str:
    """Return the function that adds one value for each window, at a place of its own."""
    return f'''{parts_helper(rank)}


def _add_in_windows_{rank}d(x, values, index, size, stride, dilation={_ones(rank)}):
    """Add each value to x at the place number `index` of its window."""
    {_BITS}
    for number, (_, part) in enumerate(_window_parts_{rank}d(x, size, stride, dilation)):
        part += (bits * (index == number)).view(x.dtype)
'''


def at_extreme(rank: int, verb: str) -> str:
    """Return the function that gives one value for each window to where its extreme stands first.

    `verb`: "add" it to what is there, or, where windows do not overlap, "put" it and 0 elsewhere.
    """
    line, start = "part += (bits * first).view(x.dtype)", ""
    if verb == "put":
        places = " * ".join([f"size[{a}]" for a in range(rank)])
        start = f"    if values.size * {places} < x.size:\n"
        start += "        x.fill(0)  # some elements are in no window\n"
        line = "np.multiply(bits, first, out=part.view(bits.dtype))"
    return f'''{parts_helper(rank)}


def _{verb}_at_extreme_{rank}d(x, values, source, extreme, size, stride, dilation={_ones(rank)}):
    """{verb.capitalize()} each value where its window of source has its extreme element first."""
{start}    {_BITS}
    frame = size, stride, dilation
    pairs = zip(_window_parts_{rank}d(x, *frame), _window_parts_{rank}d(source, *frame))
    free = np.ones(extreme.shape, bool)
    for (_, part), (_, there) in pairs:
        first = (there == extreme) & free
        free ^= first
        {line}
    return x
'''


def _names(letter: str, rank: int) -> str:
    names = [f"{letter}{axis}" for axis in range(1, rank + 1)]
    return f"({', '.join(names)}{',' if rank == 1 else ''})"


def _ones(rank: int) -> str:
    return "(1,)" if rank == 1 else f"({', '.join(['1'] * rank)})"
