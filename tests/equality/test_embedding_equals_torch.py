"""Embedding equals PyTorch's: rows, the gradient of repeated rows, and a step of training."""

from __future__ import annotations

import numpy as np
import pytest
from torch_equality import DTYPES, assert_close, assert_equal, torch

import graphc as gc

RNG = np.random.default_rng(2)
TABLE = RNG.normal(size=(7, 4))
INDICES = {
    "vector": np.array([0, 3, 3, 6, 3]),
    "table": np.array([[1, 1], [5, 0], [2, 1]]),
    "one": np.array([4]),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["int64", "int32"])
@pytest.mark.parametrize("shape", INDICES)
def test_embedding(shape: str, kind: str, dtype: str) -> None:
    weight = gc.param("words.W", (7, 4), dtype)
    assert_equal(
        lambda i: gc.nn.embedding(i, 7, 4, weight=weight),
        lambda i, weight: torch.nn.functional.embedding(i, weight),
        {"i": INDICES[shape].astype(kind)},
        {"words.W": TABLE},
        dtype,
        {"words.W": "weight"},
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("text", ["sgd(0.5)", "adam(0.1)"])
def test_training_of_an_embedding(text: str, dtype: str) -> None:
    i = gc.input("i", ("N",), "int64")
    weight = gc.param("words.W", (7, 4), dtype)
    h = gc.nn.embedding(i, 7, 4, weight=weight)
    loss = gc.square(gc.tanh(h)).sum(axis=1).mean()
    step = gc.compile(gc.graph({"loss": loss}), minimize="loss", optimizer=text)
    state = step.init()
    state["words.W"][...] = TABLE

    leaf = torch.tensor(TABLE.astype(dtype), requires_grad=True)
    make = {"sgd(0.5)": torch.optim.SGD, "adam(0.1)": torch.optim.Adam}[text]
    optimizer = make([leaf], 0.5 if text == "sgd(0.5)" else 0.1)
    for number in range(5):
        indices = np.roll(INDICES["vector"], number) % (3 + number)
        step(state, i=indices)
        optimizer.zero_grad()
        rows = torch.nn.functional.embedding(torch.tensor(indices), leaf)
        torch.tanh(rows).square().sum(dim=1).mean().backward()
        optimizer.step()
        assert_close(state["words.W"], leaf.detach().numpy(), dtype, f"step {number}")
