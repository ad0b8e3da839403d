"""Matrix calculus: shapes of y by x, and the chain rule, in denominator and numerator layout."""

from __future__ import annotations

import numpy as np

import graphc as gc

SHAPES = {"scalar": (), "vector": (3,), "matrix": (2, 3)}


def derivative_shape(of: tuple[int, ...], wrt: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """Return the shape of the Jacobian of an array of one shape by an array of another."""
    x = gc.input("x", wrt, "float64")
    grown = gc.sum(gc.tanh(x)) * gc.ones(of, "float64")
    graph = gc.graph({"y": grown}).jacobian("y", "x", layout=layout)
    return tuple(graph.outputs["d_y_d_x"].shape)


def chain(layout: str) -> dict[str, np.ndarray]:
    """Return the Jacobians of y = tanh(B u), u = A x, and those of its two parts."""
    x, u = gc.input("x", (4,), "float64"), gc.input("u", (3,), "float64")
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(3, 4)), rng.normal(size=(2, 3))
    at = rng.normal(size=4)
    graphs = {
        "dy/dx": (gc.graph({"y": gc.tanh(B @ (A @ x))}), "x", at),
        "du/dx": (gc.graph({"y": A @ x}), "x", at),
        "dy/du": (gc.graph({"y": gc.tanh(B @ u)}), "u", A @ at),
    }
    return {
        name: gc.compile(graph.jacobian("y", wrt, layout=layout))(**{wrt: point})[f"d_y_d_{wrt}"]
        for name, (graph, wrt, point) in graphs.items()
    }


def main() -> dict[str, float]:
    """Print the table of shapes; return by how much the chain rule misses in each layout."""
    missed = {}
    for layout in ("denominator", "numerator"):
        print(f"{layout} layout: shape of dy/dx")
        print(f"{'':12}" + "".join(f"{f'by {name} x':16}" for name in SHAPES))
        for name, of in SHAPES.items():
            cells = [str(list(derivative_shape(of, wrt, layout))) for wrt in SHAPES.values()]
            print(f"{name + ' y':12}" + "".join(f"{cell:16}" for cell in cells))
        found = chain(layout)
        factors = [found["du/dx"], found["dy/du"]]
        first, second = factors if layout == "denominator" else factors[::-1]
        missed[layout] = float(np.abs(first @ second - found["dy/dx"]).max())
        order = "du/dx dy/du" if layout == "denominator" else "dy/du du/dx"
        print(f"dy/dx = {order}, to {missed[layout]:.0e}\n")
    return missed


if __name__ == "__main__":
    main()
