"""Regularizers on 100 labelled digits: L2, L1, max-norm and dropout, each doing what it is for.

The empirical risk gets a penalty over all weight matrices at once, so SGD follows
Δ = −∇l − λ∇Ω, which is checked. L2 makes weights small, L1 makes most of them vanish, max-norm
bounds the weights that enter each unit, and dropout drops units while training and none in use.
What they win in accuracy here is within the spread between seeds; what they do to the weights is
not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
L2, L1, MAX_NORM, DROPOUT = 0.005, 0.002, 0.8, 0.25
WEIGHTS = ("hidden1.W", "hidden2.W", "out.W")
LABELS, EPOCHS, SEEDS = 100, 100, range(5)


def network(regularizer: str = "none") -> gc.Graph:
    """Return a classifier 64-64-64-10 with its penalty over all three matrices, or dropout."""
    x, y = gc.input("x", ("N", 64)), gc.input("y", ("N",), dtype="int64")
    h = x
    for name in ("hidden1", "hidden2"):
        h = gc.nn.dense(h, 64, activation=gc.relu, init=gc.init.he_normal(), name=name)
        h = gc.nn.dropout(h, DROPOUT) if regularizer == "dropout" else h
    z = gc.nn.dense(h, 10, name="out")
    risk = gc.nn.softmax_cross_entropy(z, y).mean()
    params = gc.graph({"risk": risk}).params
    matrices = [params[name] for name in WEIGHTS]
    penalty = {"L2": gc.nn.l2(matrices, L2), "L1": gc.nn.l1(matrices, L1)}.get(regularizer, 0.0)
    return gc.graph({"loss": risk + penalty, "risk": risk, "p": gc.softmax(z)}, name="digits")


def optimizer(regularizer: str) -> gc.optim.Optimizer:
    sgd = gc.optim.sgd(gc.optim.cosine(0.05, EPOCHS * 4), momentum=0.9)
    return gc.optim.max_norm(sgd, MAX_NORM) if regularizer == "max-norm" else sgd


def error_of_the_step() -> float:
    """Return how far one SGD step of risk + λ/2 Σ‖W‖² is from θ − α(∇l + λ∇Ω)."""
    x, y = load_digits(return_X_y=True)
    batch = {"x": x[:20] / 16, "y": y[:20]}
    step = gc.compile(network("L2").astype("float64"), minimize="loss", optimizer=gc.optim.sgd(0.1))
    state = step.init(seed=0)
    before = {name: array.copy() for name, array in state.items()}
    plain = gc.compile(network().astype("float64"), gradient_of="risk")(before, **batch)
    step(state, **batch)
    errors = [
        np.abs(state[name] - (w - 0.1 * (plain[f"d_risk_d_{name}"] + L2 * w))).max()
        for name, w in before.items()
        if name in WEIGHTS
    ]
    return float(max(errors))


def main(folder: Path = OUT) -> dict[str, dict[str, float]]:
    """Return, for each regularizer, means over seeds of what it did to weights and accuracy."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y = load_digits(return_X_y=True)
    x, held_out = (x / 16).astype(np.float32), np.arange(len(y)) % 3 == 1
    unseen = {"x": x[held_out], "y": y[held_out]}
    result = {"step": {"error": error_of_the_step()}}
    print(f"one step of risk + penalty against −∇l − λ∇Ω: error {result['step']['error']:.0e}")

    figure, axes = plt.subplots(1, 5, sharey=True, figsize=(12, 3), layout="constrained")
    for place, name in zip(axes, ("none", "L2", "L1", "max-norm", "dropout"), strict=True):
        step = gc.compile(network(name), minimize="loss", optimizer=optimizer(name))
        rows = []
        for seed in SEEDS:
            few = np.random.default_rng(seed).permutation(np.flatnonzero(~held_out))[:LABELS]
            state = step.init(seed=seed)
            gc.train.fit(step, state, {"x": x[few], "y": y[few]}, EPOCHS, seed=seed)
            outputs = step.for_inference()(state, **unseen)
            again = step.for_inference()(state, **unseen)
            matrices = [state[w] for w in WEIGHTS]
            weights = np.concatenate([w.ravel() for w in matrices])
            rows.append(
                {
                    "accuracy": float(np.mean(outputs["p"].argmax(axis=1) == unseen["y"])),
                    "squared norm": float(np.sum(weights**2)),
                    "near zero": float(np.mean(np.abs(weights) < 1e-2)),
                    "largest unit": float(max(np.linalg.norm(w, axis=0).max() for w in matrices)),
                    "repeats": float(np.array_equal(outputs["p"], again["p"])),
                }
            )
        result[name] = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        found = result[name]
        print(
            f"{name:9} {found['accuracy']:.1%} of held-out digits, "
            f"Σ‖W‖² {found['squared norm']:6.1f}, largest unit {found['largest unit']:.2f}, "
            f"{found['near zero']:.0%} of weights below 0.01"
        )
        place.hist(weights, bins=np.linspace(-0.4, 0.4, 81), color="#0072B2")
        place.set(title=name, xlabel="weight", yscale="log")
    figure.savefig(folder / "regularizers.png", dpi=90)
    plt.close(figure)
    return result


if __name__ == "__main__":
    main()
