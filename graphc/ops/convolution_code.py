"""The functions on columns that emitted modules bring along, for one number of axes each.

A chunk of columns has about `CHUNK` elements: in float32 a quarter of a MiB, which stays in the
second-level cache beside what it is multiplied by. Measured: products of such chunks take 0.8 of the
time of one product of all columns, and those never have to be read back from memory.
"""

from __future__ import annotations

from collections.abc import Sequence

CHUNK = 65536

_CHUNKS = f'''
def _chunks(rows, size):
    """Yield slices of rows of a size; a chunk of {CHUNK} elements stays in the cache."""
    step = max(1, {CHUNK} // max(1, size))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
'''


def convolution_helper(verb: str, rank: int) -> str:
    """Return the functions for windows over `rank` axes: `_convolve_2d`, or one of its relatives."""
    return "\n\n".join(_FUNCTIONS[verb](rank))


def _convolve(rank: int) -> Sequence[str]:
    return (
        _windows(rank),
        _CHUNKS,
        f'''
def _convolve_{rank}d(x, filters, size, stride={_ones(rank)}, dilation={_ones(rank)}, out=None):
    """Return filters @ columns of x [channels, ..., samples], a chunk of columns at a time."""
    windows = _windows_{rank}d(x, size, stride, dilation)
    count, *inner = windows.shape[{rank + 1}:]
    if out is None:
        out = np.empty((len(filters), count, *inner), x.dtype)
    flat, width = out.reshape(len(filters), -1), math.prod(inner)
    for rows in _chunks(count, filters.shape[1] * width):
        columns = windows[{_rows(rank)}].reshape(filters.shape[1], -1)
        part = flat[:, rows.start * width : rows.stop * width]
        np.matmul(filters, columns, out=part)
    return out
''',
    )


def _convolve_filters(rank: int) -> Sequence[str]:
    return (
        _windows(rank),
        _CHUNKS,
        f'''
def _convolve_filters_{rank}d(x, d, size, stride={_ones(rank)}, dilation={_ones(rank)}, out=None):
    """Return columns of x [channels, ..., samples] @ d.T, a chunk of columns at a time."""
    windows = _windows_{rank}d(x, size, stride, dilation)
    height, (count, *inner) = math.prod(windows.shape[:{rank + 1}]), d.shape[1:]
    if out is None:
        out = np.empty((height, len(d)), x.dtype)
    out.fill(0)
    flat, width = d.reshape(len(d), -1), math.prod(inner)
    for rows in _chunks(count, height * width):
        columns = windows[{_rows(rank)}].reshape(height, -1)
        out += columns @ flat[:, rows.start * width : rows.stop * width].T
    return out
''',
    )


def _convolve_back(rank: int) -> Sequence[str]:
    at = _names("", rank) if rank > 3 else list("ijk"[:rank])
    sizes, steps, gaps = (_names(letter, rank) for letter in "ksd")
    counts = _names("n", rank)[1:]
    cuts = [f"{at[0]} * d1 + first : {at[0]} * d1 + last : s1"]
    for a, i in zip(range(2, rank + 1), at[1:], strict=True):
        cuts.append(f"{i} * d{a} : {i} * d{a} + n{a} * s{a} : s{a}")
    lines = [
        "",
        f"def _convolve_back_{rank}d(",
        f"    d, filters, shape, size, stride={_ones(rank)}, dilation={_ones(rank)}, out=None",
        "):",
        '    """Add filters.T @ d, a chunk of columns at a time, where the windows lie."""',
    ]
    tail = "," if rank == 1 else ""
    lines += [
        f"    {', '.join(steps)}{tail} = stride",
        f"    {', '.join(gaps)}{tail} = dilation",
        f"    count, *inner = d.shape[1:]",
        f"    channels = filters.shape[1] // math.prod(size)",
        "    if out is None:",
        "        out = np.empty((channels, *shape, d.shape[-1]), d.dtype)",
        "    out.fill(0)",
        "    flat, width = d.reshape(len(d), -1), math.prod(inner)",
        "    for rows in _chunks(count, filters.shape[1] * width):",
        "        columns = filters.T @ flat[:, rows.start * width : rows.stop * width]",
        "        windows = columns.reshape(channels, *size, -1, *inner)",
        "        first, last = rows.start * s1, rows.stop * s1",
        f"        for {', '.join(at)}{tail} in np.ndindex(*size):",
    ]
    return (_CHUNKS, "\n".join(lines) + "\n")
