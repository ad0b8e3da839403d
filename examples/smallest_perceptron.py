"""The world's smallest perceptron, y = w x, trained on four points one at a time."""

from __future__ import annotations

from pathlib import Path

import graphc as gc

HERE = Path(__file__).parent
DATA = [(10.0, 10.1), (2.0, 1.9), (3.5, 3.4), (1.0, 1.1)]


def main() -> float:
    """Return the weight after training; the gradient it follows is -(target - y) x."""
    graph = gc.load(HERE / "perceptron.graph")
    print(graph.gradient("loss"))
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.005))
    state = step.init(seed=0)
    for epoch in range(20):
        for x, target in DATA:
            step(state, x=x, target=target)
        if epoch in (0, 1, 2, 19):
            print(f"epoch {epoch + 1:2}: w = {float(state['w']):.4f}")
    return float(state["w"])


if __name__ == "__main__":
    main()
