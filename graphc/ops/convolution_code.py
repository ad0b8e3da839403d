"""The functions on columns that emitted modules bring along; they work for any number of axes.

A chunk of columns has about `CHUNK` elements, in float32 a quarter of a MiB, which stays in the
second-level cache beside what it is multiplied by. Measured: products of such chunks take 0.8 of
the time of one product of all columns, which would have to be written and read back from memory.
"""

from __future__ import annotations

CHUNK = 65536

_CHUNKS = f'''
def _chunks(rows, size, dtype):
    """Yield slices of rows, and room for them: {CHUNK} elements at a time stay in the cache."""
    step = max(1, {CHUNK} // max(1, size))
    buffer = np.empty(min(step, rows) * size, dtype)
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        yield slice(start, stop), buffer[: (stop - start) * size]
'''

_WINDOWS = '''
def _windows(x, size, stride, dilation):
    """Show windows of x [channels, ..., samples]: first all places, then all positions."""
    inner = tuple(range(1, x.ndim - 1))
    stride, dilation = stride or (1,) * len(size), dilation or (1,) * len(size)
    span = [d * (k - 1) + 1 for k, d in zip(size, dilation)]
    steps = tuple([slice(None, None, s) for s in (1, *stride, 1, *dilation)])
    windows = sliding_window_view(x, span, axis=inner, writeable=True)[steps]
    return np.moveaxis(windows, tuple(range(x.ndim, windows.ndim)), inner)
'''

_COLUMN_CHUNKS = f'''{_CHUNKS}

{_WINDOWS}

def _column_chunks(x, size, stride, dilation):
    """Yield the columns of x a chunk at a time, and which columns they are."""
    windows = _windows(x, size, stride, dilation)
    whole = (slice(None),) * len(size)
    height = int(np.prod(windows.shape[: len(size) + 1]))
    count, *inner = windows.shape[len(size) + 1 :]
    width = int(np.prod(inner))
    for rows, columns in _chunks(count, height * width, x.dtype):
        part = windows[(..., rows, *whole)]
        columns.reshape(part.shape)[...] = part
        yield columns.reshape(height, -1), slice(rows.start * width, rows.stop * width)
'''

_CONVOLVE = f'''{_COLUMN_CHUNKS}

def _convolve(x, filters, size, *, stride=None, dilation=None, out):
    """Multiply filters by the columns of x, a chunk at a time."""
    product = out.reshape(len(filters), -1)
    for columns, at in _column_chunks(x, size, stride, dilation):
        np.matmul(filters, columns, out=product[:, at])
    return out
'''

_CONVOLVE_FILTERS = f'''{_COLUMN_CHUNKS}

def _convolve_filters(x, d, size, *, stride=None, dilation=None, out):
    """Multiply the columns of x by those of d, a chunk at a time: a sum of products."""
    flat = d.reshape(len(d), -1)
    out.fill(0)
    for columns, at in _column_chunks(x, size, stride, dilation):
        out += columns @ flat[:, at].T
    return out
'''

_CONVOLVE_BACK = f'''{_CHUNKS}

{_WINDOWS}

def _convolve_back(d, filters, size, *, stride=None, dilation=None, out):
    """Multiply filters.T by d, a chunk at a time, and add each column to its window of out."""
    flat, every = d.reshape(len(d), -1), slice(None)
    whole = (every,) * len(size)
    places, inner_places = list(np.ndindex(*size)), list(np.ndindex(*size[1:]))
    (count, *inner), (_, height) = d.shape[1:], filters.shape
    width = int(np.prod(inner))
    windows = _windows(out, size, stride, dilation)
    out.fill(0)
    for rows, columns in _chunks(count, height * width, d.dtype):
        at = slice(rows.start * width, rows.stop * width)
        np.matmul(filters.T, flat[:, at], out=columns.reshape(height, -1))
        part = windows[(..., rows, *whole)]
        columns = columns.reshape(part.shape)
        # Neither the windows at one place overlap, nor the places of one row of windows.
        if rows.stop - rows.start < size[0]:
            row = range(rows.stop - rows.start)
            steps = [(every, every, *place, r) for r in row for place in inner_places]
        else:
            steps = [(every, *place) for place in places]
        for step in steps:
            part[step] += columns[step]
    return out
'''

#: Function -> its source, and that of the functions which it calls.
SOURCES = {
    "_convolve": _CONVOLVE,
    "_convolve_filters": _CONVOLVE_FILTERS,
    "_convolve_back": _CONVOLVE_BACK,
}
