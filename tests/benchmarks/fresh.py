"""How long does naive NumPy take where every large array is fresh memory? In a process of its own.

A C library that keeps freed memory hides what temporaries cost: glibc starts by asking the system
for each array over 128 KiB, page by page, and stops doing so once it has seen such arrays freed.
`python fresh.py WORKLOAD [--cpu]` holds it to the former, as in a young process, and prints how
many times as long as graphc naive NumPy takes, and NumPy by hand. Linux only.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import time
from pathlib import Path

import measure
from measure import Ratio, interleaved, ratios

#: glibc's name for the size from which on each array is asked for, and its first value.
_M_MMAP_THRESHOLD, _FIRST = -3, 128 * 1024
_NAMES = ("graphc", "NumPy by hand", "naive NumPy")


def compared(workload: str) -> dict[str, Ratio]:
    """Return the ratios to graphc in this process, with fresh memory for all large arrays."""
    from peers import CONTESTANTS
    from workloads.all import WORKLOADS

    ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _FIRST)
    work = WORKLOADS[workload]()
    return ratios(interleaved({name: CONTESTANTS[name](work)[0] for name in _NAMES}), "graphc")


def measured(workload: str) -> str:
    """Return how naive NumPy compares with graphc in a fresh process: `2.70 (2.61–2.84)`."""
    words = [workload, "--cpu"] if measure.clock is time.process_time else [workload]
    command = [sys.executable, str(Path(__file__)), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[-1].removeprefix("naive NumPy ") if done.stdout else "–"


def main() -> None:
    if "--cpu" in sys.argv:
        measure.clock = time.process_time
    for name, ratio in compared(sys.argv[1]).items():
        sys.stdout.write(f"{name} {ratio}\n")


if __name__ == "__main__":
    main()
