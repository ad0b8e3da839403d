"""The losses: their values and slopes at a few margins, what minimizes them, and far-out scores.

A margin is t·s, the score times the label ±1: positive where the decision is right. The mean
minimizes the squared error and the median the absolute error. Cross-entropies typed from
probabilities, as in the book, are compiled to what they are from logits, also at scores of ±1000.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
MARGIN_LOSSES = {
    "squared error": gc.nn.squared_error,
    "zero-one": gc.nn.zero_one,
    "hinge": gc.nn.hinge,
    "perceptron": gc.nn.perceptron_loss,
    "logistic": gc.nn.logistic_loss,
}
MARGINS = np.array([-2.0, -0.5, 0.5, 2.0])
OUTLIER = np.array([0.0, 1.0, 2.0, 3.0, 100.0])


def at_margins(name: str, margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a loss and its slope for label +1. **Shapes.** [M] -> [M], [M]"""
    s = gc.input("s", ("M",), "float64")
    loss = MARGIN_LOSSES[name](s, gc.ones_like(s))
    graph = gc.graph({"loss": loss, "slope": gc.grad(loss.sum(), [s])[0]})
    found = gc.compile(graph)(s=margins)
    return found["loss"], found["slope"]


def best_constant(loss: str) -> float:
    """Return the number c that minimizes the mean loss of c against data with an outlier."""
    t, c = gc.input("t", ("N",), "float64"), gc.param("c", (), "float64")
    prediction = gc.broadcast_to(c, t.shape)
    mean = getattr(gc.nn, loss)(prediction, t).mean()
    decay = gc.optim.step_decay(1.0, every=300, factor=0.5)  # the absolute error has no flat bottom
    step = gc.compile(gc.graph({"loss": mean}), minimize="loss", optimizer=gc.optim.sgd(decay))
    state = step.init()
    gc.train.fit(step, state, {"t": OUTLIER}, epochs=6000, batch_size=None)
    return float(state["c"])


def cross_entropies(scores: np.ndarray) -> dict[str, np.ndarray]:
    """Return -ln σ(z) four ways, for the right class at score z. **Shapes.** [N] -> [N]"""
    z = gc.input("z", ("N",), "float64")
    p = 1 / (1 + gc.exp(-z))
    both = gc.stack([gc.zeros_like(z), z], axis=1)
    q = gc.exp(both) / gc.exp(both).sum(axis=1, keepdims=True)
    one, first = gc.ones_like(z), gc.cast(gc.ones_like(z), "int64")
    graph = gc.graph(
        {
            "binary, probabilities": gc.nn.binary_cross_entropy(p, one),
            "binary, logits": gc.nn.binary_cross_entropy(z, one, from_logits=True),
            "classes, probabilities": gc.nn.softmax_cross_entropy(q, first, from_logits=False),
            "classes, logits": gc.nn.softmax_cross_entropy(both, first),
        }
    )
    return gc.compile(graph)(z=scores)


def main(folder: Path = OUT) -> dict[str, dict]:
    """Return the table of losses, the minimizers, and the cross-entropies."""
    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    grid, table = np.linspace(-2.5, 2.5, 501), {}
    print(f"{'':14} losses at margins {MARGINS.tolist()}, slopes")
    for name in MARGIN_LOSSES:
        table[name] = at_margins(name, MARGINS)
        losses, slopes = (" ".join(f"{v + 0.0:6.3f}" for v in row) for row in table[name])
        print(f"{name:14} {losses}   {slopes}")
        axes.plot(grid, at_margins(name, grid)[0], label=name)
    axes.set(xlabel="margin t·s", ylabel="loss", ylim=(-0.1, 4))
    axes.legend(frameon=False)
    figure.savefig(folder / "losses.png", dpi=90)
    plt.close(figure)

    best = {name: best_constant(name) for name in ("mean_squared_error", "absolute_error")}
    print(f"data {OUTLIER.tolist()}: mean {OUTLIER.mean()}, median {np.median(OUTLIER)}")
    for name, constant in best.items():
        print(f"  {name} is least at {constant:.3f}")

    scores = np.array([-1000.0, -1.0, 0.0, 1.0, 1000.0])
    entropies = cross_entropies(scores)
    print(f"cross-entropy at scores {scores.tolist()}")
    for name, values in entropies.items():
        print(f"  {name:22} {' '.join(f'{v + 0.0:.6g}' for v in values)}")
    return {"margins": table, "best": best, "entropies": entropies}


if __name__ == "__main__":
    main()
