"""The threads of emitted modules, and the function that has blocks of work done by all of them.

They end with the module that they belong to, as threads of an executor do. What they tell the
caller goes through a queue: that takes half the time of futures, which wake it with more ado.
"""

#: What a module with runs imports.
IMPORTS = (
    "import os",
    "import sys",
    "from concurrent.futures import ThreadPoolExecutor",
    "from contextvars import copy_context",
    "from functools import cache",
    "from queue import SimpleQueue",
)
#: The number of threads: of cores, unless the user wants fewer for BLAS.
CORES = 'CORES = int(os.getenv("OMP_NUM_THREADS", "").split(",")[0] or 0) or os.cpu_count() or 1'
#: The module-level functions that call a block's function.
IN_BLOCKS = '''
@cache
def threads_of(process):
    """Return threads to keep: one takes as long to start as a block to compute."""
    return ThreadPoolExecutor(CORES)


def in_blocks(work, extent, step):
    """Call work(rows, worker) for each block on all cores; return results in order."""
    if extent <= step:
        return [work(slice(0, extent), 0)]
    count = 2 * -(-extent // (2 * step))  # for any cores, so that sums are the same
    edges = [extent * i // count for i in range(count + 1)]
    blocks = list(map(slice, edges, edges[1:]))
    results = [None] * count
    waiting, done = iter(enumerate(blocks)), SimpleQueue()

    def share(worker):
        try:
            for i, rows in waiting:
                results[i] = work(rows, worker)
        finally:
            done.put(sys.exception())

    threads = threads_of(os.getpid())  # a forked process has none of its parent's
    workers = range(1, min(CORES, count))
    for worker in workers:
        threads.submit(copy_context().run, share, worker)
    try:
        share(0)
    finally:
        errors = [done.get() for _ in range(1 + len(workers))]
    for error in filter(None, errors):
        raise error
    return results
'''
#: The module-level function that makes the pieces of large arrays.
IN_PIECES = '''
def in_pieces(arrays, size):
    """Return the arrays of each line in pieces: rows of about so many elements."""
    pieces = []
    for line in arrays:
        rows = max(1, size // line[0][:1].size)
        starts = range(0, len(line[0]), rows)
        pieces += [[array[i : i + rows] for array in line] for i in starts]
    return pieces
'''
