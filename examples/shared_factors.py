"""The chain rule of four layers: factors that several parameters share are computed once."""

from __future__ import annotations

from pathlib import Path

import graphc as gc

HERE = Path(__file__).parent


def operations(graph: gc.Graph, wrt: list[str]) -> int:
    """Return how many operations of the derivatives are left after all passes, the value aside."""
    return int(gc.optimize(graph.gradient("y", wrt)).cost().by_phase["backward"].flops)


def main() -> dict[str, int]:
    """Print the chain of factors, and what they cost one parameter at a time and together."""
    graph = gc.load(HERE / "four_layer_scalar.graph")
    print(gc.forward_backward_table(graph), end="\n\n")
    f = gc.compile(graph, gradient_of="y", style="readable")
    backward = f.source.partition("    # backward\n")[2].partition("    return")[0]
    print("the derivative as it is compiled; each line is used by the lines below it:")
    print(backward)
    found = {name: operations(graph, [name]) for name in graph.params}
    found["together"] = operations(graph, list(graph.params))
    for name, count in found.items():
        print(f"{name:9} {count:3} operations")
    print(f"one at a time: {sum(found.values()) - found['together']} operations")
    return found


if __name__ == "__main__":
    main()
