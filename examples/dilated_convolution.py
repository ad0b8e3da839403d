"""Dilated convolutions see far: four layers of two weights reach 16 steps back, or only 5.

The task is to repeat what was said 15 steps ago. A stack whose dilation doubles in each layer
reaches exactly that far; the same stack without dilation cannot, whatever its weights. How far a
stack sees is read off the gradient of its last output.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import graphc as gc

DELAY = 15


def stack(dilations: Sequence[int], length: int = 64) -> gc.Graph:
    """Return the network over sequences [N, 1, length] with targets alike, and its loss."""
    x = gc.input("x", ("N", 1, length))
    target = gc.input("target", ("N", 1, length))
    h = x
    for layer, dilation in enumerate(dilations, 1):
        before = [(0, 0), (0, 0), (dilation, 0)]  # nothing of the future is seen
        channels = 1 if layer == len(dilations) else 8
        activation = None if channels == 1 else gc.tanh
        h = gc.nn.conv1d(
            gc.pad(h, before),
            channels,
            2,
            dilation=dilation,
            name=f"c{layer}",
            activation=activation,
        )
    seen = gc.arange(length) >= DELAY
    loss = gc.mean(gc.where(seen, gc.square(h - target), 0.0)) * (length / (length - DELAY))
    return gc.graph({"loss": loss, "last": gc.sum(h[:, :, -1])}, name="stack")


def reach(graph: gc.Graph) -> int:
    """Return how many inputs the last output depends on."""
    f = gc.compile(graph, gradient_of="last", wrt=["x"])
    x = np.random.default_rng(1).standard_normal((1, 1, 64)).astype(np.float32)
    return int(np.count_nonzero(f(f.init(seed=1), x=x, target=x)["d_last_d_x"]))


def main(steps: int = 1500) -> dict[str, tuple[int, float]]:
    """Train both stacks; return how far each sees and the error it ends with, by name."""
    results = {}
    for name, dilations in (("dilated", (1, 2, 4, 8)), ("plain", (1, 1, 1, 1))):
        graph = stack(dilations)
        step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.01))
        state = step.init(seed=0)
        rng = np.random.default_rng(0)
        losses = []
        for _ in range(steps):
            x = rng.uniform(-1, 1, (16, 1, 64)).astype(np.float32)
            target = np.roll(x, DELAY, axis=2)
            losses.append(float(step(state, x=x, target=target)["loss"]))
        results[name] = reach(graph), float(np.mean(losses[-50:]))
        print(f"{name:<8} sees {results[name][0]:>2} steps; squared error {results[name][1]:.4f}")
    print(f"squared error of saying 0 throughout: {1 / 3:.4f}")
    return results


if __name__ == "__main__":
    main()
