"""Let BLAS choose its kernels by the processor, or hold it to others: before NumPy loads it.

`OPENBLAS_CORETYPE` in the environment holds OpenBLAS to kernels for the processor that it names,
whatever the machine has. Machines that must compute alike are set up so; all NumPy then has
narrower vectors than the frameworks beside it, whose libraries do not read that name.
"""

from __future__ import annotations

import os
import sys

from threadpoolctl import threadpool_info

OPTION = "--kernels"
_NAME, _ALL = "OPENBLAS_CORETYPE", ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def choose(arguments: list[str]) -> None:
    """Start this program again if its environment holds BLAS to kernels other than those asked for.

    `--kernels Haswell` asks for Haswell's, and is removed from `arguments`; without it BLAS
    chooses.
    """
    wanted = None
    if OPTION in arguments:
        at = arguments.index(OPTION)
        _, wanted = arguments[at : at + 2]
        del arguments[at : at + 2]
    held = {name: os.environ[name] for name in _ALL if name in os.environ}
    if held == ({_NAME: wanted} if wanted else {}):
        return
    for name, value in held.items():
        sys.stdout.write(f"Without {name}={value}, which the environment has.\n")
        del os.environ[name]
    if wanted:
        os.environ[_NAME] = wanted
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.argv])


def chosen() -> str:
    """Return the processor whose kernels NumPy's BLAS has taken, as it calls it: `SkylakeX`."""
    found = {pool["architecture"] for pool in threadpool_info() if "numpy" in pool["filepath"]}
    return ", ".join(sorted(found)) or "unknown"
