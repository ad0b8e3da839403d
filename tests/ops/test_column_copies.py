"""Columns are copied a position at a time: the samples there are one item, where they lie so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ops.registry import OPS
from graphc.ops.windows.convolution_code import SOURCES
from graphc.ops.windows.grouped_convolution_code import SOURCES as GROUPED


def brought_along(name: str) -> Callable[..., Any]:
    """Return a function that emitted modules bring along."""
    module: dict[str, Any] = {"np": np}
    exec({**SOURCES, **GROUPED}[name], module)
    function: Callable[..., Any] = module[name]
    return function


def lying_so(x: np.ndarray, how: str) -> np.ndarray:
    """Return the same elements in an array that lies otherwise in memory."""
    if how == "in one piece":
        return x
    room = np.zeros((*x.shape[:-1], 2 * x.shape[-1]) if how == "every other" else x.shape[::-1])
    view = room[..., ::2] if how == "every other" else room.transpose()
    view[...] = x
    return view


@pytest.mark.parametrize("how", ["in one piece", "every other", "turned"])
@pytest.mark.parametrize("samples", [0, 1, 2, 5])
@pytest.mark.parametrize("groups", [1, 2])
def test_columns_of_samples_that_lie_anyhow(how: str, samples: int, groups: int) -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((4, 9, 8, samples))
    frame: dict[str, Any] = {"size": (3, 2), "stride": (2, 2)}
    named = {"groups": groups} if groups > 1 else {}
    suffix = "_groups" if groups > 1 else ""
    weights, d = rng.standard_normal((6, 24 // groups)), rng.standard_normal((6, 4, 4, samples))
    wanted = OPS["convolve_windows"].make(
        [gc.input("x", x.shape, "float64"), gc.input("w", weights.shape, "float64")],
        **frame,
        dilation=(1, 1),
        groups=groups,
    )
    got = brought_along(f"_convolve{suffix}")(
        lying_so(x, how), weights, **frame, **named, out=np.empty((6, 4, 4, samples))
    )
    graph = gc.graph({"y": wanted})
    np.testing.assert_allclose(got, gc.interpret(graph, x=x, w=weights)["y"], rtol=1e-12)
    name = "_convolve_filters_of_groups" if groups > 1 else "_convolve_filters"
    filters = [
        brought_along(name)(y, d, **frame, **named, out=np.empty((24, 6 // groups)))
        for y in (lying_so(x, how), x)
    ]
    np.testing.assert_allclose(*filters, rtol=1e-12)


def test_the_samples_of_a_position_are_one_item() -> None:
    as_items: Callable[..., Any] = brought_along("_convolve").__globals__["_as_items"]
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    (items,) = as_items(x[:, ::2])
    assert items.shape == (2, 2, 1)
    assert items.dtype.itemsize == 16
    (alone,) = as_items(x[..., :1])
    assert alone.dtype == np.float32
