"""The functions on columns that emitted modules bring along; they work for any number of axes.

A chunk of columns has about `CHUNK` elements, in float32 a quarter of a MiB, which stays in the
second-level cache beside what it is multiplied by. Measured: products of such chunks take 0.8 of
the time of one product of all columns, which would have to be written and read back from memory.

Adding columns to their windows runs with a small ufunc buffer: with the usual one NumPy copies rows
of less than 4096 elements into it, and back, before it adds them. That took half of the time.

Where windows lie a stride apart, rows are no longer than the samples of a position. Those are
copied as one item: of four samples, in a seventh of the time, of sixteen, in three quarters.
"""

from __future__ import annotations

CHUNK = 65536

_COLUMN_CHUNKS = f'''
def _column_chunks(x, size, stride, dilation, response):
    """Split a convolution into chunks of {CHUNK} elements of columns, or a row of them.

    Yields windows of x [chunks, channels, *places, *positions, samples], the response
    at their positions [chunks, filters, columns], and room for the columns of a chunk,
    which stays in the cache.
    """
    stride, dilation = stride or (1,) * len(size), dilation or (1,) * len(size)
    (channels, *_, samples), (filters, count, *inner, _) = x.shape, response.shape
    if any(n < 1 < k for n, k in zip((count, *inner), size)):
        raise ValueError(f"windows of {{size}} do not fit into {{x.shape}}")
    height, width = channels * int(np.prod(size)), int(np.prod(inner)) * samples
    flat = response.reshape(filters, count * width)
    first, *steps, last = x.strides
    places = [n * d for n, d in zip(steps, dilation)]
    moves = [n * s for n, s in zip(steps, stride)]
    step = max(1, min(count, {CHUNK} // max(1, height * width)))
    room = np.empty((height, step * width), x.dtype)
    rest = count % step
    for start, rows, chunks in (0, step, count // step), (count - rest, rest, 1):
        if rows and chunks:
            shape = chunks, channels, *size, rows, *inner, samples
            strides = rows * moves[0], first, *places, *moves, last
            part = x[:, start * stride[0] :]
            windows = np.lib.stride_tricks.as_strided(part, shape, strides)
            at = slice(start * width, (start + chunks * rows) * width)
            responses = flat[:, at].reshape(filters, chunks, rows * width)
            yield windows, responses.swapaxes(0, 1), room[:, : rows * width]
'''

ITEMS = '''
def _as_items(*arrays):
    """Show the samples of a position as one item, which is copied at once."""
    samples, size = arrays[0].shape[-1], arrays[0].itemsize
    if samples > 1 and all(x.strides[-1] == size for x in arrays):
        return [x.view(f"V{samples * size}") for x in arrays]
    return arrays
'''

_CONVOLVE = f'''{_COLUMN_CHUNKS}
{ITEMS}

def _convolve(x, filters, size, *, stride=None, dilation=None, out):
    """Multiply filters by the columns of x, a chunk at a time."""
    for chunks, products, columns in _column_chunks(x, size, stride, dilation, out):
        chunks, laid_out = _as_items(chunks, columns.reshape(chunks.shape[1:]))
        for windows, product in zip(chunks, products):
            laid_out[...] = windows
            np.matmul(filters, columns, out=product)
    return out
'''

_CONVOLVE_FILTERS = f'''{_COLUMN_CHUNKS}
{ITEMS}

def _convolve_filters(x, d, size, *, stride=None, dilation=None, out):
    """Multiply the columns of x by those of d, a chunk at a time: a sum of products."""
    out.fill(0)
    product = np.empty_like(out)
    for chunks, responses, columns in _column_chunks(x, size, stride, dilation, d):
        chunks, laid_out = _as_items(chunks, columns.reshape(chunks.shape[1:]))
        for windows, response in zip(chunks, responses):
            laid_out[...] = windows
            np.matmul(columns, response.T, out=product)
            np.add(out, product, out=out)
    return out
'''

PLACES = '''
def _places(size, rows, lead=1):
    """Return the parts of a chunk in which no two windows have an element in common.

    The axes of places come after `lead` others.
    """
    every = (slice(None),) * lead
    if rows < size[0]:  # a row of windows, and a place along the other axes
        inner = np.ndindex(*size[1:])
        return [(*every, slice(None), *at, row) for at in inner for row in range(rows)]
    return [(*every, *place) for place in np.ndindex(*size)]
'''

_CONVOLVE_BACK = f'''{_COLUMN_CHUNKS}
{PLACES}

def _convolve_back(d, filters, size, *, stride=None, dilation=None, out):
    """Multiply filters.T by d, a chunk at a time; add each column to its window."""
    out.fill(0)
    with np.errstate():
        np.setbufsize(1024)  # until the end of the block: add long rows where they are
        split = _column_chunks(out, size, stride, dilation, d)
        for chunks, responses, columns in split:
            laid_out = columns.reshape(chunks.shape[1:])
            places = _places(size, laid_out.shape[len(size) + 1])
            parts = [laid_out[place] for place in places]
            for windows, response in zip(chunks, responses):
                np.matmul(filters.T, response, out=columns)
                for place, part in zip(places, parts):
                    there = windows[place]
                    np.add(there, part, out=there)
    return out
'''

#: Function -> its source, and that of the functions which it calls.
SOURCES = {
    "_convolve": _CONVOLVE,
    "_convolve_filters": _CONVOLVE_FILTERS,
    "_convolve_back": _CONVOLVE_BACK,
}
