"""Attention: what a mask means, where nothing is read, names, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc

T = gc.dim("T")


def sequences(name: str = "x", features: Any = 8) -> gc.Node:
    return gc.input(name, ("N", T, features))


def test_padding_changes_nothing_and_gets_nothing() -> None:
    x, lengths = sequences(), gc.input("lengths", ("N",), "int64")
    mask = lengths[:, None, None] > gc.arange(T)
    y = gc.nn.multi_head_attention(x, 2, mask=mask)
    g = gc.graph({"loss": gc.sum(y[:, 0] ** 2), "y": y})
    f = gc.compile(g, gradient_of="loss", wrt=["x"])
    data = np.random.default_rng(0).normal(size=(3, 5, 8)).astype(np.float32)
    state = f.init(seed=1)
    counts = np.array([5, 3, 1])
    first = f(state, x=data, lengths=counts)
    data[1, 3:] = 7.0
    second = f(state, x=data, lengths=counts)
    np.testing.assert_array_equal(first["y"][1, :3], second["y"][1, :3])
    assert not np.any(second["d_loss_d_x"][1, 3:]) and np.any(second["d_loss_d_x"][1, :3])


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_a_query_that_reads_nothing_gets_zeros_and_no_nan(style: str) -> None:
    q, k, v = (sequences(name, 4) for name in "qkv")
    mask = gc.input("mask", ("N", T, T), "bool")
    y = gc.nn.attention(q, k, v, mask=mask)
    f = gc.compile(gc.graph({"loss": gc.sum(y**2), "y": y}), gradient_of="loss", style=style)
    rng = np.random.default_rng(0)
    data = {name: rng.normal(size=(2, 3, 4)).astype(np.float32) * 100 for name in "qkv"}
    reads = np.ones((2, 3, 3), bool)
    reads[0, 1] = False
    got = f(**data, mask=reads)
    assert not np.any(got["y"][0, 1]) and np.all(got["y"][0, 0])
    assert all(np.isfinite(value).all() for value in got.values())
    assert not np.any(got["d_loss_d_q"][0, 1])


def test_parameters_are_those_of_four_dense_layers() -> None:
    g = gc.graph({"y": gc.nn.multi_head_attention(sequences(), np.int64(4), name="heads")})
    assert set(g.params) == {
        f"heads.{part}.{kind}" for part in ("query", "key", "value", "out") for kind in "Wb"
    }
    assert {"heads_query", "heads_scores", "heads_weights"} <= set(g.labels.values())
    assert gc.parse(str(g)) == g


def test_in_the_text_form() -> None:
    g = gc.parse(
        "x: input(f32, N, 6, 8)\n"
        "y = multi_head_attention(x, 2, causal=True)\n"
        "output(y, z=attention(x, x, x))"
    )
    assert g.outputs["y"].shape == g.outputs["z"].shape == (gc.dim("N"), 6, 8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gc.nn.multi_head_attention(sequences(), 3), "share the features evenly"),
        (lambda: gc.nn.multi_head_attention(sequences(features="D"), 2), "share the features"),
        (lambda: gc.nn.multi_head_attention(gc.input("x", ("N",)), 1), "share the features"),
        (
            lambda: gc.nn.attention(*[sequences()] * 3, mask=gc.input("m", (T, T))),
            r"a mask is True where[\s\S]*f32\[T, T\][\s\S]*broadcast to \[N, T, T\][\s\S]*> 0",
        ),
        (
            lambda: gc.nn.multi_head_attention(
                sequences(), 2, mask=gc.input("m", ("N", 1, T, T), "bool")
            ),
            r"a mask is True where[\s\S]*broadcast to \[N, T, T\]$",
        ),
        (
            lambda: gc.nn.multi_head_attention(sequences(), 2, context=gc.input("c", ("N",))),
            r"the context is rows of features[\s\S]*f32\[N\]",
        ),
        (lambda: gc.nn.attention(*[gc.input("x", ("N",))] * 3), "do not fit"),
        (
            lambda: gc.nn.attention(sequences(), sequences("k", 6), sequences("v")),
            r"do not fit[\s\S]*f32\[N, T, 8\], f32\[N, T, 6\]",
        ),
    ],
)
def test_what_does_not_fit_is_told(make: Callable[[], object], message: str) -> None:
    with pytest.raises(gc.GraphError, match=message):
        make()
