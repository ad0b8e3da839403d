"""The threads of emitted modules: blocks of work wait in a queue that threads of the module serve.

A queue of the standard library wakes a thread in a third of the time of an executor and its
futures: in 30 microseconds where that took 90, on two cores.
"""

#: What a module with runs imports.
IMPORTS = (
    "import os",
    "import sys",
    "from contextlib import suppress",
    "from contextvars import copy_context",
    "from functools import cache",
    "from queue import SimpleQueue",
    "from threading import Thread",
)
#: The number of threads: of cores, unless the user wants fewer for BLAS.
CORES = 'CORES = int(os.getenv("OMP_NUM_THREADS", "").split(",")[0] or 0) or os.cpu_count() or 1'
#: The module-level functions that call a block's function.
IN_BLOCKS = '''
def serve(queue):
    """Run what is put into a queue; what that raises, whoever waits for it raises."""
    while True:
        context, work, worker, done = queue.get()
        with suppress(BaseException):
            try:
                context.run(work, worker)
            finally:
                done.put(sys.exception())
        del context, work, done  # while it waits, it keeps no arrays


@cache
def queue_of(process):
    """Return a queue that threads serve; to start one takes as long as a block."""
    queue = SimpleQueue()
    for _ in range(CORES):
        Thread(target=serve, args=(queue,), daemon=True).start()
    return queue


def in_blocks(work, extent, step):
    """Call work(rows, worker) for each block on all cores; return results in order."""
    if extent <= step:
        return [work(slice(0, extent), 0)]
    count = 2 * -(-extent // (2 * step))  # for any cores, so that sums are the same
    edges = [extent * i // count for i in range(count + 1)]
    blocks = list(map(slice, edges, edges[1:]))
    results = [None] * count
    waiting = iter(enumerate(blocks))

    def share(worker):
        for i, rows in waiting:
            results[i] = work(rows, worker)

    queue, done = queue_of(os.getpid()), SimpleQueue()  # a forked process has its own
    workers = range(1, min(CORES, count))
    for worker in workers:
        queue.put((copy_context(), share, worker, done))
    try:
        share(0)
    finally:
        errors = [done.get() for _ in workers]
    for error in filter(None, errors):
        raise error
    return results
'''
