"""A network that is no chain: a skip connection past a layer, and two branches that interweave.

Any graph without cycles is a network. Here the first branch reads the pixels, the second reads the
pixels and the first, then the first reads the second, and the output reads all of them and the
pixels again. Backpropagation adds up what comes back along every path; nothing has to be said.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import graphc as gc

HERE = Path(__file__).parent
OUT = HERE.parent / "build" / "examples"


def main(folder: Path = OUT) -> tuple[float, float]:
    """Return the accuracy on the held-out third, and the largest error of the gradient."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y = load_digits(return_X_y=True)
    x, held_out = x / 16, np.arange(len(y)) % 3 == 1

    graph = gc.load(HERE / "dag_network.graph")
    at = {"x": x[:3], "y": y[:3]}
    error = gc.check_gradient(graph.astype("float64"), of="loss", at=at).max_error

    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.003))
    state = step.init(seed=0)
    history = gc.train.fit(
        step,
        state,
        {"x": x[~held_out], "y": y[~held_out]},
        epochs=25,
        validation={"x": x[held_out], "y": y[held_out]},
        metrics={"accuracy": gc.train.accuracy("p", "y")},
    )
    accuracy = history.column("validation accuracy")[-1]
    print(f"{sum(node.size for node in graph.params.values()):,} parameters")
    print(f"gradient against finite differences: largest error {error:.1e}")
    print(f"{accuracy:.2%} of {held_out.sum()} held-out digits right")
    history.plot(folder / "dag_network.png", "loss", "accuracy")
    try:
        gc.draw.computation_graph(graph).save(folder / "dag_network.svg")
    except gc.GraphError as problem:  # without graphviz's dot
        print(f"no drawing: {problem}")
    return accuracy, error


if __name__ == "__main__":
    main()
