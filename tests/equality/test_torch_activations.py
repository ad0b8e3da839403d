"""Activations equal PyTorch's, value and derivative, away from kinks and on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch_equality import DTYPES, assert_equal, torch

import graphc as gc

F = torch.nn.functional

#: Ordinary values, and values where a careless formula overflows or cancels.
SMOOTH = np.concatenate([np.random.default_rng(0).normal(size=20) * 3, [1e-6, 20, -20, 90, -90]])

PAIRS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sigmoid": (gc.sigmoid, torch.sigmoid),
    "log_sigmoid": (gc.log_sigmoid, F.logsigmoid),
    "tanh": (gc.tanh, torch.tanh),
    "relu": (gc.relu, torch.relu),
    "leaky_relu": (lambda x: gc.leaky_relu(x, 0.1), lambda x: F.leaky_relu(x, 0.1)),
    "elu": (lambda x: gc.elu(x, 0.7), lambda x: F.elu(x, 0.7)),
    "selu": (gc.selu, F.selu),
    "silu": (gc.silu, F.silu),
    "gelu": (gc.gelu, F.gelu),
    "gelu_tanh": (gc.gelu_tanh, lambda x: F.gelu(x, approximate="tanh")),
    "hardtanh": (gc.hardtanh, F.hardtanh),
    # The gradient of F.hardsigmoid holds 1/6 in float32, even for float64.
    "hard_sigmoid": (gc.hard_sigmoid, lambda x: F.relu6(x + 3) / 6),
    # PyTorch gives x itself above its threshold of 20, which is off by 2e-9.
    "softplus": (gc.softplus, lambda x: F.softplus(x, threshold=50)),
    "clip": (lambda x: gc.clip(x, -0.5, 2.0), lambda x: torch.clamp(x, -0.5, 2.0)),
    "abs": (gc.abs, torch.abs),
    "erf": (gc.erf, torch.erf),
    "sign": (gc.sign, torch.sign),
}
#: Kinks at which the declared derivative is PyTorch's too.
KINKS = {
    "relu": [0.0],
    "hardtanh": [-1.0, 1.0],
    "hard_sigmoid": [-3.0, 3.0],
    "clip": [-0.5, 2.0],
    "abs": [0.0],
    "sign": [0.0],
    "leaky_relu": [0.0],
    "elu": [0.0],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PAIRS)
def test_activation(name: str, dtype: str) -> None:
    ours, theirs = PAIRS[name]
    x = np.concatenate([SMOOTH, KINKS.get(name, [])])
    assert_equal(lambda x: ours(x), lambda x: theirs(x), {"x": x}, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_threshold(dtype: str) -> None:
    x = np.array([-1.0, -1e-30, 0.0, 1e-30, 2.0])

    def theirs(x: Any, value: float) -> Any:
        return torch.heaviside(x.detach(), torch.tensor(value, dtype=x.dtype)) + 0 * x

    for at_zero in (0.0, 0.5, 1.0):
        assert_equal(
            lambda x, v=at_zero: gc.heaviside(x, v),
            lambda x, v=at_zero: theirs(x, v),
            {"x": x},
            dtype=dtype,
        )
