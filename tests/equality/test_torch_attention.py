"""Attention equals PyTorch's: with masks, with the past alone, over several heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch_equality import DTYPES, assert_equal, torch

import graphc as gc

F = torch.nn.functional
RNG = np.random.default_rng(17)

QUERY = RNG.normal(size=(3, 4, 5, 8))
KEY, VALUE = RNG.normal(size=(3, 4, 6, 8)), RNG.normal(size=(3, 4, 6, 7))
X, CONTEXT = RNG.normal(size=(3, 5, 8)), RNG.normal(size=(3, 6, 8))
READS = RNG.random((3, 1, 5, 6)) < 0.5
READS[:, :, :, 0] = True
READS[1, 0, 2] = False  # one that reads nothing

ROWS: list[tuple[str, Callable[..., Any], Callable[..., Any], dict[str, np.ndarray]]] = [
    (
        "all",
        lambda q, k, v: gc.nn.attention(q, k, v),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
        {},
    ),
    (
        "past",
        lambda q, k, v: gc.nn.attention(q, k, v, causal=True),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        {},
    ),
    (
        "mask",
        lambda q, k, v, m: gc.nn.attention(q, k, v, mask=m),
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m),
        {"m": READS},
    ),
    (
        "mask and past",
        lambda q, k, v, m: gc.nn.attention(q, k, v, mask=m, causal=True),
        lambda q, k, v, m: F.scaled_dot_product_attention(
            q, k, v, attn_mask=m & torch.ones(5, 6, dtype=torch.bool).tril()
        ),
        {"m": READS},
    ),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_attention(row: tuple[str, Any, Any, dict[str, np.ndarray]], dtype: str) -> None:
    _, ours, theirs, further = row
    assert_equal(ours, theirs, {"q": QUERY, "k": KEY, "v": VALUE, **further}, dtype=dtype)


PARTS = ("query", "key", "value", "out")
WEIGHTS = {f"attention.{part}.W": 0.4 * RNG.normal(size=(8, 8)) for part in PARTS}
BIASES = {f"attention.{part}.b": RNG.normal(size=8) for part in PARTS}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["self", "past", "context", "no bias"])
def test_several_heads(kind: str, dtype: str) -> None:
    def ours(x: gc.Node, context: gc.Node | None = None) -> gc.Node:
        return gc.nn.multi_head_attention(
            x, 2, context=context, causal=kind == "past", use_bias=kind != "no bias"
        )

    def theirs(x: Any, context: Any = None, **params: Any) -> Any:
        given = (x if context is None else context).transpose(0, 1)
        weights = [params[f"{part}_W"].T for part in PARTS]
        biases = [params[f"{part}_b"] for part in PARTS] if kind != "no bias" else None
        result, _ = F.multi_head_attention_forward(
            x.transpose(0, 1),
            given,
            given,
            embed_dim_to_check=8,
            num_heads=2,
            in_proj_weight=torch.cat(weights[:3]),
            in_proj_bias=torch.cat(biases[:3]) if biases else None,
            bias_k=None,
            bias_v=None,
            add_zero_attn=False,
            dropout_p=0.0,
            out_proj_weight=weights[3],
            out_proj_bias=biases[3] if biases else None,
            attn_mask=torch.ones(5, 5, dtype=torch.bool).triu(1) if kind == "past" else None,
        )
        return result.transpose(0, 1)

    inputs = {"x": X, **({"context": CONTEXT} if kind == "context" else {})}
    params = {**WEIGHTS, **({} if kind == "no bias" else BIASES)}
    short = {name: name.removeprefix("attention.").replace(".", "_") for name in params}
    assert_equal(ours, theirs, inputs, params, dtype, rename=short)
