"""Contractions of any spec: diagonals, labels that one operand has alone, results in any order."""

from __future__ import annotations

import random

import numpy as np
import pytest

import graphc as gc

SIZES = {"i": 2, "j": 3, "k": 4, "l": 2}


def random_spec(rng: random.Random) -> str:
    terms = [
        "".join(rng.choices("ijkl", k=rng.randint(0, 3)))
        for _ in range(rng.choice([1, 2, 2, 2, 3]))
    ]
    labels = sorted({*"".join(terms)})
    return f"{','.join(terms)}->{''.join(rng.sample(labels, rng.randint(0, len(labels))))}"


#: What random ones find seldom: labels twice where a product by axes would do, and alone.
SPECS = ["ij,ijj->", "iij,ij->", "ij,iji->j", "ij,jkl->ik", "nd,edh->nh", "ijk,jk->", "i,j->ji"]


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("seed", range(6))
def test_any_spec_has_its_value_and_gradients(seed: int, level: int, style: str) -> None:
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    specs = SPECS if seed == 0 else [random_spec(rng) for _ in range(12)]
    sizes = {**SIZES, "n": 3, "d": 2, "e": 2, "h": 4}
    arrays: dict[str, list[np.ndarray]] = {}
    outputs = {}
    for at, spec in enumerate(specs):
        terms = spec.split("->")[0].split(",")
        arrays[spec] = [numbers.normal(size=[sizes[label] for label in term]) for term in terms]
        inputs = [gc.input(f"x{at}_{i}", x.shape, "float64") for i, x in enumerate(arrays[spec])]
        outputs[f"y{at}"] = gc.einsum(spec, *inputs)
    loss = sum((gc.sum(gc.square(y)) for y in outputs.values()), gc.constant(0.0))
    graph = gc.graph({**outputs, "loss": loss})
    given = {f"x{at}_{i}": x for at, s in enumerate(specs) for i, x in enumerate(arrays[s])}
    f = gc.compile(graph, gradient_of="loss", wrt=[*given], optimize=level, style=style)
    got = f(**given)
    for at, spec in enumerate(specs):
        value = np.einsum(spec, *arrays[spec])
        np.testing.assert_allclose(got[f"y{at}"], value, rtol=1e-12, atol=1e-12, err_msg=spec)
        for i, x in enumerate(arrays[spec]):
            way = numbers.normal(size=x.shape)
            moved = np.einsum(spec, *[way if j == i else a for j, a in enumerate(arrays[spec])])
            slope = np.sum(got[f"d_loss_d_x{at}_{i}"] * way)
            np.testing.assert_allclose(slope, 2 * np.sum(value * moved), rtol=1e-9, err_msg=spec)
