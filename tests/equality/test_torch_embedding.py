"""Embeddings equal PyTorch's: values, gradients, and training steps with sparse gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch_equality import DTYPES, STYLES, TOLERANCE, assert_close, assert_equal, torch

import graphc as gc

pytestmark = pytest.mark.filterwarnings("ignore:Sparse invariant checks")

VOCABULARY, SIZE = 9, 4
F = torch.nn.functional

#: Our optimizer -> PyTorch's. Adam adds eps before it corrects the mean square, SparseAdam after:
#: with an eps that is nothing beside the gradients they are one formula.
OPTIMIZERS = {
    "sgd(0.3)": lambda p: torch.optim.SGD(p, lr=0.3),
    "adagrad(0.2)": lambda p: torch.optim.Adagrad(p, lr=0.2),
    "adagrad(0.2, initial_accumulator=0.1)": lambda p: torch.optim.Adagrad(
        p, lr=0.2, initial_accumulator_value=0.1
    ),
    "adam(0.05, eps=1e-30)": lambda p: torch.optim.SparseAdam(p, lr=0.05, eps=1e-30),
    "adam(0.05, beta1=0.5, beta2=0.9, eps=1e-30)": lambda p: torch.optim.SparseAdam(
        p, lr=0.05, betas=(0.5, 0.9), eps=1e-30
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 2), (0,)])
def test_value_and_gradient(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(VOCABULARY, SIZE))
    assert_equal(
        lambda ids: gc.nn.embedding(
            ids, VOCABULARY, SIZE, weight=gc.param("W", (VOCABULARY, SIZE), dtype)
        ),
        lambda ids, W: F.embedding(ids, W),
        {"ids": rng.integers(0, VOCABULARY, shape)},
        {"W": table},
        dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("padding", [0, 3, -1])
def test_padding(padding: int, dtype: str) -> None:
    """PyTorch's layer starts with zeros in that row, and never changes them."""
    rng = np.random.default_rng(1)
    table = rng.normal(size=(VOCABULARY, SIZE))
    table[padding] = 0
    assert_equal(
        lambda ids: gc.nn.embedding(
            ids,
            VOCABULARY,
            SIZE,
            weight=gc.param("W", (VOCABULARY, SIZE), dtype),
            padding_idx=padding,
        ),
        lambda ids, W: F.embedding(ids, W, padding_idx=padding),
        {"ids": rng.integers(0, VOCABULARY, (6, 5))},
        {"W": table},
        dtype,
    )


def targets_and_batches(dtype: str) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(2)
    batches = [rng.integers(0, VOCABULARY - 1, (4, 3)) for _ in range(6)]  # with repetitions
    return rng.normal(size=(4, 3, SIZE)).astype(dtype), batches


def trained_here(
    optimizer: str, table: np.ndarray, dtype: str, style: str
) -> tuple[dict[str, np.ndarray], list[float]]:
    ids = gc.input("ids", (4, 3), dtype="int64")
    y = gc.input("y", (4, 3, SIZE), dtype)
    weight = gc.param("W", (VOCABULARY, SIZE), dtype, init=table, sparse=True)
    rows = gc.nn.embedding(ids, VOCABULARY, SIZE, weight=weight)
    graph = gc.graph({"loss": gc.mean((gc.tanh(rows) - y) ** 2)}, name="rows")
    step = gc.compile(graph, minimize="loss", optimizer=optimizer, style=style)
    state = step.init()
    targets, batches = targets_and_batches(dtype)
    return state, [float(step(state, ids=batch, y=targets)["loss"]) for batch in batches]


def trained_there(
    optimizer: str, table: np.ndarray, dtype: str
) -> tuple[np.ndarray, list[float], Any]:
    layer = torch.nn.Embedding(VOCABULARY, SIZE, sparse=True, _weight=torch.tensor(table))
    made = OPTIMIZERS[optimizer](list(layer.parameters()))
    targets, batches = targets_and_batches(dtype)
    losses = []
    for batch in batches:
        made.zero_grad()
        loss = ((torch.tanh(layer(torch.tensor(batch))) - torch.tensor(targets)) ** 2).mean()
        loss.backward()
        assert layer.weight.grad.is_sparse
        made.step()
        losses.append(loss.item())
    return layer.weight.detach().numpy(), losses, made.state[layer.weight]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("style", STYLES)
def test_training_with_sparse_gradients(optimizer: str, dtype: str, style: str) -> None:
    table = np.random.default_rng(3).normal(size=(VOCABULARY, SIZE)).astype(dtype)
    wanted, losses, _ = trained_there(optimizer, table, dtype)
    state, got = trained_here(optimizer, table, dtype, style)
    assert_close(state["W"], wanted, dtype, optimizer)
    np.testing.assert_allclose(got, losses, rtol=0, atol=TOLERANCE[dtype])
    np.testing.assert_array_equal(state["W"][-1], table[-1])  # the word that never occurs


@pytest.mark.parametrize("style", STYLES)
def test_slots_are_pytorchs(style: str) -> None:
    table = np.random.default_rng(4).normal(size=(VOCABULARY, SIZE))
    names = {
        "adagrad(0.2)": {"square_sum": "sum"},
        "adam(0.05, eps=1e-30)": {"mean": "exp_avg", "mean_square": "exp_avg_sq"},
    }
    for optimizer, pairs in names.items():
        _, _, slots = trained_there(optimizer, table, "float64")
        state, _ = trained_here(optimizer, table, "float64", style)
        for ours, theirs in pairs.items():
            assert_close(state[f"W.{ours}"], slots[theirs].numpy(), "float64", ours)
