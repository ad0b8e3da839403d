"""The world's second smallest perceptron, y = w1 x1 + w2 x2: one gradient for each weight."""

from __future__ import annotations

from pathlib import Path

import graphc as gc

HERE = Path(__file__).parent
#: Points (x1, x2) and targets near 2 x1 - x2, as they were measured.
DATA = [((1.0, 0.0), 2.1), ((0.0, 1.0), -0.9), ((2.0, 1.0), 2.9), ((1.0, 2.0), 0.1)]


def main() -> tuple[float, float]:
    """Return the weights after training; their gradients are -(target - y) x1 and … x2."""
    graph = gc.load(HERE / "second_smallest_perceptron.graph")
    print(gc.forward_backward_table(graph), end="\n\n")

    at = {"w1": 1.0, "w2": 1.0, "x1": 2.0, "x2": 1.0, "target": 2.9}
    found = gc.interpret(graph.gradient("loss"), {k: at[k] for k in ("w1", "w2")}, **_inputs(at))
    error = at["target"] - float(found["y"])
    for i in (1, 2):
        gradient = float(found[f"d_loss_d_w{i}"])
        print(f"dloss/dw{i} = {gradient:.2f} = -({error:.2f}) * {at[f'x{i}']:g}")

    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1))
    state = step.init()
    for epoch in range(1, 61):
        for (x1, x2), target in DATA:
            step(state, x1=x1, x2=x2, target=target)
        if epoch in (1, 2, 5, 60):
            print(f"epoch {epoch:2}: w1 = {state['w1']:.3f}, w2 = {state['w2']:.3f}")
    return float(state["w1"]), float(state["w2"])


def _inputs(at: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in at.items() if not name.startswith("w")}


if __name__ == "__main__":
    main()
