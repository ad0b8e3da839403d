"""How much memory does a contestant take at most? Measured in a process of its own.

`python memory.py WORKLOAD CONTESTANT` prints the bytes by which resident memory grows at most
during a few calls, over what data, parameters and loaded libraries hold already. Linux only.
"""

from __future__ import annotations

import ctypes
import gc as garbage
import subprocess
import sys
from pathlib import Path

import numpy as np
from peers import CONTESTANTS, compiled_of
from workload import Workload

HERE = Path(__file__).parent
#: Calls that are made while memory is watched.
CALLS = 3


def resident(field: str) -> int:
    """Return a field of /proc/self/status in bytes: VmRSS now, VmHWM at most."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


def growth(workload: str, contestant: str) -> int:
    """Return the largest growth of resident memory, in this process."""
    from workloads.all import WORKLOADS

    work = WORKLOADS[workload]()
    if work.small is not None:  # loads the libraries' code, starts their threads
        run, _ = CONTESTANTS[contestant](work.small())
        run()
    large = np.ones((512, 512), np.float32)
    large @ large
    run, _ = CONTESTANTS[contestant](work)
    garbage.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    for _ in range(CALLS):
        run()
    return resident("VmHWM") - before


def predicted(work: Workload) -> int:
    """Return the bytes that the cost sheet says graphc takes over data and parameters."""
    compiled = compiled_of(work)
    arrays = {**work.data, **work.params}
    sizes = {
        str(dim): size
        for name, node in compiled.graph.inputs.items()
        for dim, size in zip(node.shape, arrays[name].shape, strict=True)
        if not isinstance(dim, int)
    }
    cost = compiled.graph.cost()
    given = {name: size for name, size in sizes.items() if name in cost.dims}
    return int(cost.at(**given).memory_bytes) - sum(a.nbytes for a in arrays.values())


def measured(workload: str, contestant: str) -> int | None:
    """Return the growth in a fresh process, or None where it cannot be measured."""
    command = [sys.executable, str(HERE / "memory.py"), workload, contestant]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(done.stdout.split()[-1]) if done.returncode == 0 else None


if __name__ == "__main__":
    sys.stdout.write(f"{growth(*sys.argv[1:3])}\n")
