"""Backpropagation through 200 steps: a plain RNN's gradient vanishes or explodes, an LSTM's lasts.

The gradient of the last state with respect to the state k steps before it is a product of k factors
W.T and tanh'. Its norm goes like the k-th power of W's spectral radius: after 200 steps of 0.5
nothing is left, with 1.5 it explodes as long as the units are not saturated. What an LSTM adds to
its cell is multiplied by the forget gate alone, here about 0.99. Clipping brings the norm of a
gradient that has exploded back to a limit, and keeps its direction.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import graphc as gc
from graphc.ir.node import Node

OUT = Path(__file__).parent.parent / "build" / "examples"
STEPS, UNITS = 200, 32


def gradient_norms(kind: str) -> gc.Graph:
    """Return the graph of d sum(r h_T)/d h_t for all t: a `push` on each state is its gradient.

    Shapes: x [T, N, units] drives the network, push [T, N, units] is zero; r [N, units].
    """
    x = gc.input("x", ("T", "N", UNITS), dtype="float64")
    push = gc.input("push", ("T", "N", UNITS), dtype="float64")
    r = gc.input("r", ("N", UNITS), dtype="float64")
    zeros = gc.zeros((x.shape[1], UNITS), dtype="float64")
    if kind == "rnn":
        W = gc.param("W", (UNITS, UNITS), dtype="float64")

        def cell(h: Node, x_t: Node, push_t: Node) -> Node:
            return gc.tanh((h + push_t) @ W + x_t)

        (last,) = gc.scan(cell, init=zeros, xs=(x, push))
    else:
        U = gc.param("U", (UNITS, 4 * UNITS), dtype="float64")
        b = gc.param("b", (4 * UNITS,), dtype="float64")

        def gated(h: Node, c: Node, x_t: Node, push_t: Node) -> tuple[Node, Node]:
            z = h @ U + b
            i, f, o = (gc.sigmoid(z[:, k * UNITS : (k + 1) * UNITS]) for k in range(3))
            c = f * (c + push_t) + i * gc.tanh(x_t + z[:, 3 * UNITS :])
            return o * gc.tanh(c), c

        _, last = gc.scan(gated, init=(zeros, zeros), xs=(x, push))
    return gc.graph({"loss": gc.sum(r * last)}, name=f"{kind}_gradient")


def with_radius(radius: float, rng: np.random.Generator) -> np.ndarray:
    """Return a random matrix of a spectral radius: its largest eigenvalue in absolute value."""
    W = rng.normal(size=(UNITS, UNITS))
    return W * (radius / np.abs(np.linalg.eigvals(W)).max())


def measure(kind: str, state: dict[str, np.ndarray], drive: float) -> np.ndarray:
    """Return the norms of the gradients by the state t steps before the end, t = 1..T."""
    rng = np.random.default_rng(1)
    f = gc.compile(gradient_norms(kind), gradient_of="loss", wrt=["push"])
    r = rng.normal(size=(1, UNITS))
    at = {
        "x": drive * rng.normal(size=(STEPS, 1, UNITS)),
        "push": np.zeros((STEPS, 1, UNITS)),
        "r": r / np.linalg.norm(r),
    }
    slope = f(state, **at)["d_loss_d_push"][:, 0]
    return np.linalg.norm(slope, axis=1)[::-1]


def main(folder: Path = OUT) -> dict[str, float]:
    """Measure, plot, and return the norm of the gradient 200 steps before the end."""
    rng = np.random.default_rng(0)
    curves = {}
    for radius in (0.5, 1.0, 1.5):
        # Hardly driven, so that tanh' stays near 1 and the matrix alone decides.
        curves[f"RNN, radius {radius}"] = measure("rnn", {"W": with_radius(radius, rng)}, 1e-30)
    bias = np.concatenate([np.zeros(UNITS), np.full(UNITS, 5.0), np.zeros(2 * UNITS)])
    weights = 0.02 * rng.normal(size=(UNITS, 4 * UNITS))
    curves["LSTM, forget bias 5"] = measure("lstm", {"U": weights, "b": bias}, 1.0)
    for name, norms in curves.items():
        print(f"{name:22s} |d/dh| after 1, 50, 200 steps: ", end="")
        print(", ".join(f"{norms[k - 1]:.3g}" for k in (1, 50, 200)))
    exploded = curves["RNN, radius 1.5"]
    clipped = np.minimum(exploded, 1.0)
    print(f"clipped to norm 1: {clipped[-1]:.3g} instead of {exploded[-1]:.3g}")
    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    styles = ("-", "--", "-.", ":")
    for (name, norms), style in zip(curves.items(), styles, strict=True):
        axes.semilogy(range(1, STEPS + 1), norms, style, label=name)
    axes.semilogy(
        range(1, STEPS + 1), clipped, color="gray", lw=0.8, label="radius 1.5, clipped to 1"
    )
    axes.set(xlabel="steps before the end", ylabel="norm of the gradient", ylim=(1e-40, 1e40))
    axes.legend()
    figure.savefig(folder / "vanishing_gradients.png", dpi=120)
    plt.close(figure)
    return {name: float(norms[-1]) for name, norms in curves.items()}


if __name__ == "__main__":
    main()
