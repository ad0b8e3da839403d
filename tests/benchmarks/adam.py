"""How fast is a step of Adam? `python tests/benchmarks/adam.py` prints the table.

Training steps of perceptrons, from small to large, against the best NumPy by hand that goes from
one whole array to the next, and against PyTorch with its usual and its fused optimizer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import kernels
import numpy as np
from measure import interleaved, ratios
from workload import Arrays, Workload
from workloads import mlp

import graphc as gc

RATE = 0.001
#: The sizes of the layers, and of a batch.
NETWORKS = (
    ((16, 16, 16, 4), 16),
    ((64, 128, 64, 10), 32),
    ((784, 512, 256, 10), 128),
    ((1024, 1024, 1024, 10), 64),
    ((2048, 2048, 2048, 10), 32),
)
Run = Callable[[], Mapping[str, Any]]


def compiled(work: Workload) -> Run:
    step = gc.compile(work.graph, minimize="loss", optimizer=gc.optim.adam(RATE))
    state = step.init(seed=0)
    for name, array in work.params.items():
        state[name][...] = array

    def run() -> Mapping[str, Any]:
        return {**step(state, **work.data), **{name: state[name] for name in work.params}}

    return run


def by_hand(work: Workload) -> Run:
    """Adam in kept arrays, as few calls as there can be, all of them in place."""
    params = {name: array.copy() for name, array in work.params.items()}
    means, squares, spare = (
        {name: np.zeros_like(array) for name, array in params.items()} for _ in range(3)
    )
    steps = 0

    def update(params: Arrays, gradients: Arrays) -> None:
        nonlocal steps
        steps += 1
        correction = np.sqrt(1 - 0.999**steps)
        size, eps = np.float32(RATE * correction / (1 - 0.9**steps)), np.float32(1e-8 * correction)
        for name, gradient in gradients.items():
            mean, square, change = means[name], squares[name], spare[name]
            mean *= 0.9
            np.multiply(gradient, 0.1, out=change)
            mean += change
            square *= 0.999
            np.multiply(gradient, gradient, out=change)
            change *= 0.001
            square += change
            np.sqrt(square, out=change)
            change += eps
            np.divide(mean, change, out=change)
            change *= size
            params[name] -= change

    return mlp.by_hand(params, work.data, update)


def torch_eager(work: Workload, fused: bool = False) -> Run:
    import torch

    data = {name: torch.from_numpy(array) for name, array in work.data.items()}
    params = {
        name: torch.from_numpy(array.copy()).requires_grad_() for name, array in work.params.items()
    }
    optimizer = torch.optim.Adam(params.values(), lr=RATE, fused=fused)

    def run() -> Mapping[str, Any]:
        optimizer.zero_grad()
        loss = mlp.torch_loss(torch, params, data)
        loss.backward()
        optimizer.step()
        return {name: p.detach().numpy() for name, p in params.items()} | {"loss": loss.item()}

    return run


def row(sizes: Sequence[int], batch: int) -> str:
    """Compare the contestants' first step, then time them; return a line of the table."""
    work = mlp.workload(sizes, batch)
    runs = {
        "graphc": compiled(work),
        "by hand": by_hand(work),
        "PyTorch": torch_eager(work),
        "PyTorch, fused": torch_eager(work, fused=True),
    }
    first = {name: {k: np.array(v) for k, v in run().items()} for name, run in runs.items()}
    for name, outcome in first.items():
        # The first step of Adam is as long for gradients that are almost 0, whatever their sign.
        for where, expected in first["by hand"].items():
            apart = np.max(np.abs(outcome[where] - expected))
            assert apart < 2.01 * RATE, f"{name} differs in {where} by {apart:.0e}"
    times = interleaved(runs)
    found = ratios(times, "graphc")
    count = sum(array.size for array in work.params.values())
    cells = [f"{np.median(times['graphc']) * 1e6:,.0f}"]
    cells += [str(found[name]) for name in runs if name != "graphc"]
    title = f"MLP {'-'.join(map(str, sizes))}, batch {batch}: {count:,} parameters"
    return f"| {title} | {' | '.join(cells)} |"


def main() -> None:
    kernels.choose(sys.argv[1:])
    print = sys.stdout.write
    print("| step of Adam | graphc, µs | NumPy by hand | PyTorch | PyTorch, fused |\n")
    print("|---|---:|---:|---:|---:|\n")
    for sizes, batch in NETWORKS:
        print(f"{row(sizes, batch)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
