"""The functions on columns of channels in groups, each of which has filters of its own.

A chunk has some rows of positions of as many groups as fit into the cache, so that few calls serve
many small groups (a depthwise convolution has one for each channel), and the products of a chunk
are a stack.
"""

from __future__ import annotations

from graphc.ops.windows.convolution_code import ITEMS, PLACES

CHUNK = 131072

_GROUP_CHUNKS = f'''
def _windows_in_groups(x, size, stride, dilation, groups, response):
    """Show x as [groups, channels, *places, *positions, samples].

    Also return the response at the positions as [groups, filters, columns].
    """
    stride, dilation = stride or (1,) * len(size), dilation or (1,) * len(size)
    (filters, *positions, samples), channels = response.shape, len(x) // groups
    if any(n < 1 < k for n, k in zip(positions, size)):
        raise ValueError(f"windows of {{size}} do not fit into {{x.shape}}")
    first, *steps, last = x.strides
    places = [n * d for n, d in zip(steps, dilation)]
    moves = [n * s for n, s in zip(steps, stride)]
    shape = groups, channels, *size, *positions, samples
    strides = first * channels, first, *places, *moves, last
    windows = np.lib.stride_tricks.as_strided(x, shape, strides)
    columns = samples * int(np.prod(positions))
    return windows, response.reshape(groups, filters // groups, columns)


def _group_chunks(x, size, stride, dilation, groups, response):
    """Split a convolution into chunks of {CHUNK} elements of columns, or a row of them.

    Yields windows of x [chunks, groups, channels, *places, rows, ...], the responses
    at their positions [chunks, groups, filters, columns], room for the columns of a
    chunk, and which groups these are.
    """
    windows, response = _windows_in_groups(x, size, stride, dilation, groups, response)
    if windows.size == 0:
        return
    at = len(size) + 2  # the first axis of positions
    count = windows.shape[at]
    row, width = windows[0].size // count, response.shape[2] // count
    most = min(groups, max(1, {CHUNK} // row))
    step = max(1, min(count, {CHUNK} // (most * row)))
    room, rest = np.empty(most * step * row, x.dtype), count - count % step
    order = at, *range(at), *range(at + 1, windows.ndim + 1)
    for group in range(0, groups, most):
        some = slice(group, group + most)
        for start, stop, rows in (0, rest, step), (rest, count, count % step):
            if start == stop:
                continue
            part = windows[(some, *[slice(None)] * (at - 1), slice(start, stop))]
            chunks = (stop - start) // rows
            shape = *part.shape[:at], chunks, rows, *part.shape[at + 1 :]
            flat = response[some, :, start * width : stop * width]
            flat = flat.reshape(*flat.shape[:2], chunks, rows * width)
            columns = room[: len(part) * rows * row]
            columns = columns.reshape(len(part), -1, rows * width)
            shown = part.reshape(shape).transpose(order)
            yield shown, flat.transpose(2, 0, 1, 3), columns, some
'''

_CONVOLVE = f'''{_GROUP_CHUNKS}
{ITEMS}

def _convolve_groups(x, filters, size, *, stride=None, dilation=None, groups, out):
    """Multiply each group's filters by the columns of its channels, chunk by chunk."""
    matrices = filters.reshape(groups, len(filters) // groups, filters.shape[1])
    split = _group_chunks(x, size, stride, dilation, groups, out)
    for chunks, products, columns, some in split:
        chunks, laid_out = _as_items(chunks, columns.reshape(chunks.shape[1:]))
        for windows, product in zip(chunks, products):
            laid_out[...] = windows
            np.matmul(matrices[some], columns, out=product)
    return out
'''

_CONVOLVE_FILTERS = f'''{_GROUP_CHUNKS}
{ITEMS}

def _convolve_filters_of_groups(x, d, size, *, stride=None, dilation=None, groups, out):
    """Multiply each group's columns by those of d, chunk by chunk: sums of products."""
    out.fill(0)
    totals = out.reshape(groups, len(out) // groups, out.shape[1])
    split = _group_chunks(x, size, stride, dilation, groups, d)
    for chunks, responses, columns, some in split:
        chunks, laid_out = _as_items(chunks, columns.reshape(chunks.shape[1:]))
        total = totals[some]
        for windows, response in zip(chunks, responses):
            laid_out[...] = windows
            total += columns @ response.swapaxes(-1, -2)
    return out
'''

_CONVOLVE_BACK = f'''{_GROUP_CHUNKS}
{PLACES}

def _convolve_back_groups(d, filters, size, *, stride=None, dilation=None, groups, out):
    """Multiply each group's filters.T by d; add each column to its window of out."""
    out.fill(0)
    matrices = filters.reshape(groups, len(filters) // groups, filters.shape[1])
    matrices = matrices.swapaxes(1, 2)
    multiply = np.multiply if len(filters) == groups else np.matmul  # sums of one term
    with np.errstate():
        np.setbufsize(1024)  # until the end of the block: add long rows where they are
        split = _group_chunks(out, size, stride, dilation, groups, d)
        for chunks, responses, columns, some in split:
            laid_out = columns.reshape(chunks.shape[1:])
            places = _places(size, laid_out.shape[len(size) + 2], lead=2)
            parts = [laid_out[place] for place in places]
            for windows, response in zip(chunks, responses):
                multiply(matrices[some], response, out=columns)
                for place, part in zip(places, parts):
                    there = windows[place]
                    np.add(there, part, out=there)
    return out
'''

#: Function -> its source, and that of the functions which it calls.
SOURCES = {
    "_convolve_groups": _CONVOLVE,
    "_convolve_filters_of_groups": _CONVOLVE_FILTERS,
    "_convolve_back_groups": _CONVOLVE_BACK,
}
