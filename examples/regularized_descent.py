"""Descent with a regularizer, as a formula: Δ = -∇l - λ∇Ω with Ω = ‖w‖²/2, then w ← w + αΔ.

The gradients are nodes, so the update is written with them. It is the same step that an optimizer
takes with weight decay, or on the loss with λΩ added.
"""

from __future__ import annotations

import numpy as np

import graphc as gc

ALPHA, LAMBDA = 0.1, 0.5


def model() -> tuple[gc.Node, gc.Node, gc.Node]:
    """Return the loss of linear regression, the regularizer and the weights."""
    x, y = gc.input("x", ("N", 2), "float64"), gc.input("y", ("N",), "float64")
    w = gc.param("w", (2,), "float64", init=gc.init.constant([1.0, -3.0]))
    return gc.mean((x @ w - y) ** 2) / 2, gc.sum(w**2) / 2, w


def as_formula() -> gc.Graph:
    """Return the step as the lecture writes it."""
    loss, omega, w = model()
    (d_loss,), (d_omega,) = gc.grad(loss, [w]), gc.grad(omega, [w])
    delta = (-d_loss - LAMBDA * d_omega).named("delta")
    return gc.graph({"loss": loss}, updates={"w": w + ALPHA * delta}, name="formula")


def main() -> dict[str, np.ndarray]:
    """Return the weights after twenty steps, taken in three ways."""
    loss, omega, _ = model()
    plain = gc.graph({"loss": loss}, name="plain")
    added = gc.graph({"loss": loss + LAMBDA * omega}, name="added")
    steps = {
        "formula": gc.compile(as_formula(), style="readable"),
        "weight decay": gc.compile(
            plain, minimize="loss", optimizer=gc.optim.sgd(ALPHA, weight_decay=LAMBDA)
        ),
        "penalty in the loss": gc.compile(added, minimize="loss", optimizer=gc.optim.sgd(ALPHA)),
    }
    print(as_formula())
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 2))
    y = x @ [2.0, -1.0]
    found = {}
    for name, step in steps.items():
        state = step.init()
        for _ in range(20):
            step(state, x=x, y=y)
        found[name] = state["w"]
        print(f"{name:20} w = {state['w']}")
    return found


if __name__ == "__main__":
    main()
