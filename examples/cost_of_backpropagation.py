"""What does a gradient cost? About twice the forward pass, from the cost expressions."""

from __future__ import annotations

from pathlib import Path

import graphc as gc

HERE = Path(__file__).parent


def network(widths: list[int]) -> gc.Graph:
    """Return a network of tanh layers with a squared error."""
    x, target = gc.input("x", ("N", widths[0])), gc.input("target", ("N", widths[-1]))
    h = x
    for i, width in enumerate(widths[1:], 1):
        h = gc.nn.dense(h, width, activation=gc.tanh, name=f"layer{i}")
    name = "-".join(map(str, widths))
    return gc.graph({"loss": gc.mean((h - target) ** 2)}, name=name)


def main() -> dict[str, float]:
    """Print FLOPs of value and gradient, and their ratio for large batches."""
    digits = gc.load(HERE / "digits_mlp.graph")
    cost = gc.optimize(digits.gradient("loss", ["x", *digits.params])).cost()
    print(cost, end="\n\n")

    ratios = {}
    print(f"{'network':31} {'value':12} {'its gradient':14} ratio")
    for graph in (digits, network([256] * 4), network([1024] * 6)):
        wrt = ["x", *graph.params]
        answer = gc.dependence(graph, "loss", wrt)
        together = answer.together
        ratios[graph.name] = together.limit
        print(f"{graph.name:31} {answer.forward!s:12} {together.flops!s:14} {together}")
    print("\nThe product x @ W takes two of its size on the way back: one for x, one for W.")
    return ratios


if __name__ == "__main__":
    main()
