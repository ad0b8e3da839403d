"""Convolution, transposed convolution and pooling equal PyTorch's: values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch_equality import DTYPES, STYLES, as_dtype, assert_close, torch

import graphc as gc

functional = torch.nn.functional

CONVOLUTIONS: list[tuple[int, tuple[int, ...], int, dict[str, Any]]] = [
    (1, (2, 3, 9), 4, {"kernel_size": 3}),
    (1, (2, 4, 11), 6, {"kernel_size": 4, "stride": 3, "padding": 2, "groups": 2}),
    (1, (1, 1, 5), 1, {"kernel_size": 5}),
    (1, (2, 3, 10), 2, {"kernel_size": 3, "dilation": 4, "padding": "same"}),
    (2, (2, 3, 8, 7), 4, {"kernel_size": 3}),
    (2, (3, 2, 8, 9), 4, {"kernel_size": (2, 3), "stride": 2}),
    (2, (2, 4, 8, 8), 8, {"kernel_size": 3, "padding": 1, "groups": 4}),
    (
        2,
        (1, 3, 9, 9),
        6,
        {"kernel_size": 3, "stride": (2, 1), "padding": (0, 2), "dilation": (1, 3)},
    ),
    (2, (2, 4, 6, 6), 4, {"kernel_size": 3, "groups": 4, "padding": "same"}),
    (2, (2, 3, 7, 7), 5, {"kernel_size": 4, "padding": "same"}),
    (2, (2, 6, 5, 5), 9, {"kernel_size": 1, "groups": 3}),
    (2, (2, 3, 5, 5), 4, {"kernel_size": 1, "stride": 3}),
    (2, (2, 3, 4, 4), 4, {"kernel_size": 4, "padding": "valid"}),
    (3, (2, 2, 5, 6, 5), 4, {"kernel_size": (2, 3, 3), "stride": (1, 2, 1), "padding": 1}),
    (3, (1, 4, 4, 5, 4), 4, {"kernel_size": 2, "groups": 2, "dilation": (1, 2, 3)}),
]
TRANSPOSED: list[tuple[int, tuple[int, ...], int, dict[str, Any]]] = [
    (1, (2, 3, 6), 4, {"kernel_size": 3, "stride": 2}),
    (
        1,
        (2, 4, 6),
        6,
        {"kernel_size": 5, "stride": 3, "padding": 2, "output_padding": 1, "groups": 2},
    ),
    (2, (2, 3, 5, 4), 4, {"kernel_size": 3}),
    (2, (2, 3, 5, 4), 4, {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}),
    (2, (1, 4, 3, 3), 4, {"kernel_size": (2, 3), "stride": (3, 2), "groups": 4}),
    (2, (2, 2, 4, 4), 3, {"kernel_size": 3, "stride": 2, "padding": 2, "dilation": 2}),
    (2, (2, 2, 4, 4), 3, {"kernel_size": 1, "stride": 2, "dilation": 3, "output_padding": 2}),
    (3, (1, 2, 3, 3, 2), 2, {"kernel_size": 2, "stride": 2, "padding": (0, 1, 0)}),
]
POOLS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("max_pool1d", (2, 3, 9), {"kernel_size": 3}),
    ("max_pool1d", (2, 3, 10), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("max_pool2d", (2, 3, 8, 8), {"kernel_size": 2}),
    ("max_pool2d", (2, 3, 7, 9), {"kernel_size": 3, "stride": 2}),
    ("max_pool2d", (2, 3, 7, 9), {"kernel_size": (2, 3), "stride": (1, 2), "padding": (1, 0)}),
    ("max_pool2d", (1, 2, 8, 8), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("max_pool2d", (1, 2, 9, 9), {"kernel_size": 2, "stride": 3, "ceil_mode": True}),
    ("max_pool2d", (1, 2, 9, 10), {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True}),
    ("max_pool2d", (2, 2, 9, 9), {"kernel_size": 3, "stride": 1, "dilation": (2, 3)}),
    ("max_pool3d", (1, 2, 4, 5, 6), {"kernel_size": 2, "stride": (1, 2, 2)}),
    ("avg_pool1d", (2, 3, 9), {"kernel_size": 2}),
    ("avg_pool2d", (2, 3, 8, 8), {"kernel_size": 2}),
    ("avg_pool2d", (2, 3, 7, 9), {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 0)}),
    ("avg_pool2d", (2, 3, 7, 9), {"kernel_size": 3, "padding": 1, "count_include_pad": False}),
    ("avg_pool2d", (1, 2, 8, 8), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    (
        "avg_pool2d",
        (1, 2, 9, 8),
        {
            "kernel_size": 3,
            "stride": 2,
            "padding": 1,
            "ceil_mode": True,
            "count_include_pad": False,
        },
    ),
    ("avg_pool2d", (1, 2, 9, 10), {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True}),
    ("avg_pool3d", (1, 2, 4, 5, 6), {"kernel_size": 2, "stride": (1, 2, 2), "padding": 1}),
]


def named(shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return the shape with named dims, all but the channels'."""
    return ("N", shape[1], *"DHW"[-(len(shape) - 2) :])


def check(
    layer: Callable[..., Any], peer: Callable[..., Any], arrays: dict[str, np.ndarray], dtype: str
) -> None:
    """Compare a layer's value, and the gradient of a weighted sum of it, with its peer's.

    Once with named dims in style `fast`, and once with numbers in style `readable`.
    """
    arrays = as_dtype(arrays, dtype)
    tensors = {name: torch.tensor(a, requires_grad=True) for name, a in arrays.items()}
    expected = peer(**tensors)
    weights = np.random.default_rng(1).normal(size=expected.shape).astype(dtype)
    (expected * torch.tensor(weights)).sum().backward()
    wanted = {"y": expected.detach().numpy()}
    wanted |= {f"d_loss_d_{name}": t.grad.numpy() for name, t in tensors.items()}
    for style in STYLES:
        nodes = {}
        for name, array in arrays.items():
            shape = named(array.shape) if style == "fast" and name == "x" else array.shape
            nodes[name] = gc.input(name, shape, dtype=dtype)
        y = layer(**nodes)
        w = gc.input("w", y.shape, dtype=dtype)
        graph = gc.graph({"loss": gc.sum(y * w), "y": y}, name="layer")
        f = gc.compile(graph, gradient_of="loss", wrt=list(arrays), style=style)
        for _ in range(2):  # the second call meets the buffers of the first
            got = f(**arrays, w=weights)
            for name, value in wanted.items():
                assert_close(got[name], value, dtype, f"{style}: {name}")


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rank", "shape", "size", "words"), CONVOLUTIONS)
def test_convolution(
    rank: int, shape: tuple[int, ...], size: int, words: dict[str, Any], dtype: str
) -> None:
    rng = np.random.default_rng(0)
    kernel = np.broadcast_to(words["kernel_size"], rank)
    share = shape[1] // words.get("groups", 1)
    arrays = {
        "x": rng.normal(size=shape),
        "weight": rng.normal(size=(size, share, *kernel)),
        "bias": rng.normal(size=size),
    }
    rest = {key: value for key, value in words.items() if key != "kernel_size"}
    layer, peer = getattr(gc.nn, f"conv{rank}d"), getattr(functional, f"conv{rank}d")
    check(
        lambda x, weight, bias: layer(x, size, weight=weight, bias=bias, **words),
        lambda x, weight, bias: peer(x, weight, bias, **rest),
        arrays,
        dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rank", "shape", "size", "words"), TRANSPOSED)
def test_transposed_convolution(
    rank: int, shape: tuple[int, ...], size: int, words: dict[str, Any], dtype: str
) -> None:
    rng = np.random.default_rng(0)
    kernel = np.broadcast_to(words["kernel_size"], rank)
    arrays = {
        "x": rng.normal(size=shape),
        "weight": rng.normal(size=(shape[1], size // words.get("groups", 1), *kernel)),
        "bias": rng.normal(size=size),
    }
    rest = {key: value for key, value in words.items() if key != "kernel_size"}
    name = f"conv_transpose{rank}d"
    layer, peer = getattr(gc.nn, name), getattr(functional, name)
    check(
        lambda x, weight, bias: layer(x, size, weight=weight, bias=bias, **words),
        lambda x, weight, bias: peer(x, weight, bias, **rest),
        arrays,
        dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("name", "shape", "words"), POOLS)
def test_pooling(
    name: str, shape: tuple[int, ...], words: dict[str, Any], ties: bool, dtype: str
) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, shape).astype(float) if ties else rng.normal(size=shape)
    layer, peer = getattr(gc.nn, name), getattr(functional, name)
    check(lambda x: layer(x, **words), lambda x: peer(x, **words), {"x": x}, dtype)
