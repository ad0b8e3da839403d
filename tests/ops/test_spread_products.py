"""Contractions whose operands have several axes of their own: stacks of products, no loop."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.ops.contraction.matrix_product import spread_product

SIZES = {"n": 3, "d": 4, "e": 2, "h": 5, "k": 6, "b": 7}
#: Experts' layers, forward and backward; more axes on either side, and in another order.
SPECS = [
    "nd,edh->neh",
    "neh,nd->edh",
    "edh,nd->neh",
    "nd,edh->enh",
    "bnd,edh->bneh",
    "nd,ekdh->nekh",
]


def both(spec: str) -> tuple[gc.Graph, dict[str, np.ndarray]]:
    """Return the contraction of two inputs, and arrays that have a size for each of its axes."""
    terms, _, _ = spec.partition("->")
    rng = np.random.default_rng(0)
    values = {
        name: rng.normal(size=[SIZES[c] for c in term])
        for name, term in zip(("x", "W"), terms.split(","), strict=True)
    }
    x, W = (gc.input(name, value.shape, "float64") for name, value in values.items())
    return gc.graph({"y": gc.einsum(spec, x, W)}), values


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("spec", SPECS)
def test_they_are_products_of_stacks(spec: str, style: str) -> None:
    g, values = both(spec)
    f = gc.compile(g, style=style)
    np.testing.assert_allclose(f(**values)["y"], np.einsum(spec, *values.values()), rtol=1e-12)
    assert "np.einsum" not in f.source
    assert " @ " in f.source or "np.matmul" in f.source


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_a_layer_of_experts_and_its_gradient_call_no_einsum(style: str) -> None:
    x = gc.input("x", ("N", 6))
    W, V = (
        gc.param("W", (3, 6, 5), init=gc.init.normal(0.5)),
        gc.param("V", (3, 5, 4), init=gc.init.normal(0.5)),
    )
    h = gc.tanh(gc.einsum("nd,edh->neh", x, W))
    g = gc.graph({"loss": gc.mean(gc.square(gc.einsum("neh,eho->neo", h, V)))}).astype("float64")
    f = gc.compile(g, gradient_of="loss", style=style)
    state, at = g.init(seed=1), {"x": np.random.default_rng(0).normal(size=(8, 6))}
    assert "np.einsum" not in f.source
    expected = gc.interpret(g.gradient("loss"), state, **at)
    for name, value in f(state, **at).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    ("terms", "out"),
    [
        (("nd", "dhe"), "neh"),  # h does not lie next to d, and e does not end the result
        (("nn", "ndh"), "ndh"),
        (("nde", "edh"), "nh"),  # two axes are summed
        (("nd", "eh"), "nh"),
    ],
)
def test_what_blas_cannot_take_as_it_lies_is_left_to_einsum(
    terms: tuple[str, str], out: str
) -> None:
    assert spread_product(terms, out) is None
