"""How large is a network? Its neurons, weights and parameters, counted from its file."""

from __future__ import annotations

from pathlib import Path

import graphc as gc

HERE = Path(__file__).parent


def counts(graph: gc.Graph) -> tuple[int, int, int]:
    """Return the numbers of neurons, weights and parameters: matrices hold the weights.

    Every neuron has one bias, so there are as many neurons as elements of the vectors.
    """
    weights = sum(node.size for node in graph.params.values() if node.ndim == 2)
    neurons = sum(node.size for node in graph.params.values() if node.ndim == 1)
    return neurons, weights, neurons + weights


def main() -> dict[str, tuple[int, int, int]]:
    """Print the counts of two networks, parameter by parameter."""
    found = {}
    for name in ("mlp_3_4_2", "digits_mlp"):
        graph = gc.load(HERE / f"{name}.graph")
        found[name] = counts(graph)
        print(f"{name}:")
        for parameter, node in graph.params.items():
            print(f"  {parameter:3} {node.type!s:14} {node.size:5,}")
        print("  {:,} neurons, {:,} weights, {:,} parameters\n".format(*found[name]))
    return found


if __name__ == "__main__":
    main()
