"""Backpropagation by hand: the three traces of one function, and the modules of a small network."""

from __future__ import annotations

from pathlib import Path

import graphc as gc

HERE = Path(__file__).parent


def main() -> dict[str, float]:
    """Print the traces of y = ln(x1) + x1*x2 - sin(x2) and two networks; return its adjoints."""
    graph = gc.load(HERE / "ln_product_sine.graph")
    at = {"x1": 2, "x2": 5}
    print(gc.trace(graph, at), end="\n\n")
    print(gc.trace(graph, at, mode="tangent", wrt="x1"), end="\n\n")
    adjoints = gc.trace(graph, at, mode="reverse", of="y")
    print(adjoints, end="\n\n")
    print(gc.trace(graph, at, mode="reverse", of="y", version="B"), end="\n\n")

    # One chain of layers: the factors on the way back are shared by all parameters before them.
    print(gc.trace(gc.load(HERE / "four_layer_scalar.graph"), {"x": 2}, mode="reverse"), end="\n\n")

    network = gc.load(HERE / "binary_network.graph")
    print(gc.forward_backward_table(network, of="J", through_output=False), end="\n\n")
    print(gc.forward_backward_table(network, of="J"))
    return {name: float(value) for name, value in adjoints.values.items()}


if __name__ == "__main__":
    main()
