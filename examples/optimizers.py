"""Momentum, adaptive rates and decay schedules on one problem: a narrow valley, then a noisy one.

The loss is ½ Σ λᵢθᵢ² with λ = 1, 100: a hundred times as steep across as along. Without noise,
theory says how many steps gradient descent and heavy-ball momentum take at their best rates
(Polyak 1964): (κ − 1)/(κ + 1) a step against (√κ − 1)/(√κ + 1). Adaptive rates scale each weight
by its own gradients; this valley runs along an axis, so to them it is nearly round. With noisy
gradients a constant rate never settles: its loss stays at ½ησ²/(2 − ηλ) for each direction, and
decay lets it sink.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
CURVATURE, START, NOISE = np.array([1.0, 100.0]), [1.0, 1.0], 1.0
ROOT = np.sqrt(CURVATURE)
BEST_RATE = 2 / CURVATURE.sum()
BEST_MOMENTUM = float(((ROOT[1] - ROOT[0]) / ROOT.sum()) ** 2)
OPTIMIZERS = {
    "gradient descent": gc.optim.sgd(BEST_RATE),
    "momentum": gc.optim.sgd(float(4 / ROOT.sum() ** 2), momentum=BEST_MOMENTUM),
    "Nesterov": gc.optim.sgd(0.01, momentum=0.9, nesterov=True),
    "AdaGrad": gc.optim.adagrad(0.5),
    "RMSprop": gc.optim.rmsprop(gc.optim.exponential(0.05, 0.98), alpha=0.9),
    "Adam": gc.optim.adam(0.1),
}
STEPS = 4000
RATES = {
    "constant 0.01": gc.optim.constant(0.01),
    "step": gc.optim.step_decay(0.01, every=1000, factor=0.2),
    "exponential": gc.optim.exponential(0.01, 0.999),
    "cosine": gc.optim.cosine(0.01, STEPS),
}


def valley() -> gc.Graph:
    """Return ½ Σ λθ², and beside it what is minimized: the same with noise in its gradient."""
    noise = gc.input("noise", (2,), "float64")
    theta = gc.param("theta", (2,), "float64", init=START)
    loss = 0.5 * gc.sum(CURVATURE * theta**2)
    return gc.graph({"loss": loss, "noisy": loss + gc.sum(noise * theta)}, name="valley")


def descent(optimizer: gc.optim.Optimizer, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss before each step and the path. **Shapes.** noise: [T, 2] -> [T], [T, 2]"""
    step = gc.compile(valley(), minimize="noisy", optimizer=optimizer)
    state = step.init()
    losses, path = [], []
    for row in noise:
        path.append(state["theta"].copy())
        losses.append(float(step(state, noise=row)["loss"]))
    return np.array(losses), np.array(path)


def main(folder: Path = OUT) -> dict[str, dict[str, float]]:
    """Return the steps to a loss of 1e-6 without noise, and the last losses with it."""
    folder.mkdir(parents=True, exist_ok=True)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
    x, y = np.meshgrid(np.linspace(-1.2, 1.2, 200), np.linspace(-1.2, 1.2, 200))
    height = 0.5 * (CURVATURE[0] * x**2 + CURVATURE[1] * y**2)
    left.contour(x, y, height, levels=[0.01, 0.1, 0.5, 2, 10, 30], colors="0.8")

    steps = {}
    for name, optimizer in OPTIMIZERS.items():
        losses, path = descent(optimizer, np.zeros((STEPS, 2)))
        steps[name] = float(np.flatnonzero(losses > 1e-6)[-1] + 1)
        print(f"{name:16} {steps[name]:5.0f} steps to a loss of 1e-6")
        left.plot(*path[:60].T, marker=".", markersize=3, linewidth=0.8, label=name)
        middle.semilogy(losses[:800], linewidth=1, label=name)
    left.set(title="the first 60 steps", xlabel="θ₁, λ = 1", ylabel="θ₂, λ = 100", ylim=(-1.2, 1.2))
    middle.set(title="without noise", xlabel="step", ylabel="loss", ylim=(1e-12, 100))
    middle.legend(frameon=False)

    noise = NOISE * np.random.default_rng(0).normal(size=(STEPS, 2))
    last = {}
    for name, schedule in RATES.items():
        losses, _ = descent(gc.optim.sgd(schedule), noise)
        last[name] = float(losses[-STEPS // 8 :].mean())
        print(f"rate {name:14} mean loss {last[name]:.5f} over the last {STEPS // 8} noisy steps")
        right.semilogy(np.convolve(losses, np.ones(50) / 50, "valid"), label=name)
    rate = 0.01
    last["theory"] = float(np.sum(0.5 * rate * NOISE**2 / (2 - rate * CURVATURE)))
    print(f"theory for the constant rate: {last['theory']:.5f}")
    right.set(title="with noise, mean of 50 steps", xlabel="step", ylim=(1e-5, 10))
    right.legend(frameon=False)
    figure.savefig(folder / "optimizers.png", dpi=90)
    plt.close(figure)
    return {"steps": steps, "last": last}


if __name__ == "__main__":
    main()
