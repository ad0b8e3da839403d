"""The world's smallest perceptron, y = w x, trained on four points one at a time.

From w = 0 the first example moves it by 0.01·(10.1 − 0)·10 to 1.01; the others move it a little.
"""

from __future__ import annotations

from pathlib import Path

import graphc as gc

HERE = Path(__file__).parent
DATA = [(10.0, 10.1), (2.0, 1.9), (3.5, 3.4), (1.0, 1.1)]


def main() -> float:
    """Return the weight after training; the gradient it follows is -(target - y) x."""
    graph = gc.load(HERE / "perceptron.graph")
    print(graph.gradient("loss"))
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.01))
    state = step.init(seed=0)
    for epoch in range(20):
        for x, target in DATA:
            step(state, x=x, target=target)
            if epoch in (0, 19):
                w = float(state["w"])
                print(f"epoch {epoch + 1:2}, after ({x:4}, {target:4}): w = {w:.4f}")
    return w


if __name__ == "__main__":
    main()
