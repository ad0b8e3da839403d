"""The perceptron algorithm, w ← w + y x where the decision is wrong, one example at a time.

The update is written into the graph as it stands in the book, with sign(0) = +1; no derivative is
taken. On data that a line separates the algorithm stops making mistakes (Novikoff 1962): here the
petals of one species of iris against the other two.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"


def perceptron() -> gc.Graph:
    """Return the graph of one example: its decision, and the update of w and b."""
    x, y = gc.input("x", (2,), "float64"), gc.input("y", (), "float64")
    w, b = gc.param("w", (2,), "float64"), gc.param("b", (), "float64")
    score = x @ w + b
    decision = gc.where(score >= 0, 1.0, -1.0)
    wrong = gc.where(decision == y, 0.0, 1.0)
    updates = {"w": w + wrong * y * x, "b": b + wrong * y}
    return gc.graph({"mistakes": wrong, "score": score}, updates=updates, name="perceptron")


def makes_no_mistake(history: gc.train.History) -> bool:
    """Say whether the last pass over the data changed nothing."""
    return history.losses[-1] == 0


def main(folder: Path = OUT) -> list[float]:
    """Return the share of mistakes in each epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    step = gc.compile(perceptron(), style="readable")

    state = step.init()
    print("x          y   decision       w             b")
    for x, y in [((1, -1), -1), ((-1, 1), 1), ((1, 1), 1), ((-1, -1), -1)]:
        score = step(state, x=x, y=y)["score"]
        print(f"{x!s:9} {y:+d}   {1 if score >= 0 else -1:+d}       {state['w']}    {state['b']:+}")

    petals, species = load_iris(return_X_y=True)
    petals, y = petals[:, 2:], np.where(species == 0, 1.0, -1.0)
    state = step.init()
    data = {"x": petals, "y": y}
    history = gc.train.fit(step, state, data, 100, loss="mistakes", stop=makes_no_mistake)
    for epoch in history.epochs:
        print(f"epoch {epoch.number}: {len(y) * epoch.loss:.0f} mistakes in {len(y)} examples")

    x = gc.input("x", ("N", 2), "float64")
    w, b = gc.param("w", (2,), "float64"), gc.param("b", (), "float64")
    scores = gc.compile(gc.graph({"score": x @ w + b}))
    gc.draw.decision_boundary(
        scores,
        state,
        petals,
        y,
        threshold=0,
        title="The perceptron separates one species",
        labels=("petal length in cm", "petal width in cm"),
    ).save(folder / "perceptron_algorithm.png")
    return history.losses


if __name__ == "__main__":
    main()
