"""Weight sharing: a 1-D convolution is multiplication by a banded matrix, w1 w2 w3 on each row."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import graphc as gc

HERE = Path(__file__).parent


def main() -> tuple[np.ndarray, np.ndarray]:
    """Return the banded matrix, and the gradient of the shared weights."""
    graph = gc.load(HERE / "weight_sharing.graph")
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=8), rng.normal(size=6)
    state = graph.init()

    # The matrix of a linear map is its Jacobian: here with the axes of y first.
    jacobian = gc.compile(graph.jacobian("y", "x", layout="numerator"))
    found = jacobian(state, x=x, target=target)
    matrix = found["d_y_d_x"]
    print(f"dy/dx, {graph.jacobian_structure('y', 'x')}:")
    print(matrix)
    print(f"max |matrix @ x - y| = {np.abs(matrix @ x - found['y']).max():.1e}")

    # Each weight stands on every row, so its gradient is a sum over rows.
    gradient = gc.compile(graph, gradient_of="loss")(state, x=x, target=target)["d_loss_d_w"]
    error = found["y"] - target
    by_rows = np.array([error @ x[k : k + 6] for k in range(3)])
    print(f"dloss/dw = {gradient.round(4)}, row by row {by_rows.round(4)}")
    return matrix, gradient


if __name__ == "__main__":
    main()
