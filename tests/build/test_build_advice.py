"""Mistakes in building: whom the error names, what it shows, and what it advises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import graphc as gc

X = gc.input("x", ("N", 3))
IMAGE = gc.input("image", ("N", 3, 8, 8))
H, XS = gc.input("h", (3,)), gc.input("xs", ("T", 3))


@pytest.mark.parametrize(
    ("build", "what", "said"),
    [
        (
            lambda: gc.param("W", (3, 4), init="glorot_uniform"),
            "not an initializer",
            "fix       call it, without quotes: gc.init.glorot_uniform()",
        ),
        (
            lambda: gc.param("W", (3, 4), init="normal(0.1)"),
            "not an initializer",
            "fix       call it, without quotes: gc.init.normal(0.1)",
        ),
        (
            lambda: gc.param("W", (3, 4), init="he_norml"),
            "not an initializer",
            "fix       call it, without quotes: gc.init.he_normal()",
        ),
        (
            lambda: gc.nn.dense(X, "3"),  # type: ignore[arg-type]
            "a dimension is a whole number or a name",
            "fix       write 3, without quotes",
        ),
        (
            lambda: gc.input("y", ("N M",)),
            "a dimension is a whole number or a name",
            'fix       write gc.dim("N")',
        ),
        (
            lambda: gc.input("y", "N, 3"),
            "a dimension is a whole number or a name",
            'fix       a shape is a tuple: ("N", 3)',
        ),
        (
            lambda: gc.nn.conv2d(gc.input("y", ("N", 28, 28, 1)), 8, 3),
            "conv2d: the window is larger than the array",
            "fix       channels stand before the positions, [..., channels, H, W]: "
            "x.transpose(0, 3, 1, 2)",
        ),
        (
            lambda: gc.nn.conv2d(gc.input("y", ("N", 28, 28)), 8, 3),
            "conv2d: the axis of the channels has a named dim",
            "fix       give each example an axis of channels: x[:, None]",
        ),
        (
            lambda: gc.nn.conv2d(IMAGE, 4, 9, padding=(0, 1), name="stem"),
            "stem: the window is larger than the array",
            "got       f32[N, 3, 8, 8], kernel_size 9 × 9\n"
            "  expected  at most 8 × 10, the padding counted",
        ),
        (
            lambda: gc.nn.conv2d(IMAGE, 4, 5, dilation=2),
            "conv2d: the window is larger than the array",
            "got       f32[N, 3, 8, 8], kernel_size 5 × 5, which spans 9 × 9 elements\n"
            "  expected  at most 8 × 8\n",
        ),
        (
            lambda: gc.nn.max_pool2d(IMAGE, 9),
            "max_pool2d: the window is larger than the array",
            "got       f32[N, 3, 8, 8], kernel_size 9 × 9\n  expected  at most 8 × 8\n",
        ),
        (
            lambda: gc.nn.avg_pool2d(IMAGE, 9),
            "avg_pool2d: the window is larger than the array",
            "expected  at most 8 × 8\n",
        ),
        (
            lambda: gc.nn.squared_error(gc.input("t", ("N",), "int64"), X),
            "squared_error: prediction and target do not fit",
            "got       i64[N] and f32[N, 3]\n  expected  equal shapes\n"
            "  fix       they look swapped, as the prediction comes first",
        ),
        (
            lambda: gc.scan(lambda h: (h, h), init=(H, H), xs=XS),
            "the loop body '<lambda>' takes other arguments",
            "got       2 carries and 1 slice or constant\n",
        ),
        (
            lambda: gc.scan(lambda h, x: (), init=H, xs=(XS, XS)),
            "the loop body '<lambda>' takes other arguments",
            "got       1 carry and 2 slices and constants\n",
        ),
        (
            lambda: gc.scan(lambda h, x: (), init=H, xs=XS),
            "the loop body '<lambda>' returns too little",
            "got       0 values\n  expected  the next value of its 1 carry, then what it emits",
        ),
        (
            lambda: gc.scan(lambda h, k, x: h, init=(H, H), xs=XS),
            "the loop body '<lambda>' returns too little",
            "got       1 value\n  expected  the next values of its 2 carries, then what it emits",
        ),
    ],
)  # fmt: skip
def test_the_error_of_a_mistake(build: Callable[[], Any], what: str, said: str) -> None:
    with pytest.raises(gc.GraphError) as error:
        build()
    message = str(error.value)
    assert message.splitlines()[0].startswith(what)
    assert said in message


def test_ceil_mode_pools_what_fills_no_window() -> None:
    """The last elements get a window of their own, so one may be larger than the image."""
    pooled = gc.nn.max_pool2d(gc.input("small", (1, 1, 3, 3)), 2, stride=3, ceil_mode=True)
    assert pooled.shape == (1, 1, 1, 1)
    assert gc.nn.max_pool1d(gc.input("two", (1, 1, 2)), 3, ceil_mode=True).shape == (1, 1, 1)


def test_nothing_is_written_into_a_node() -> None:
    x = gc.input("x", (3,))

    def put() -> None:
        x[0] = 1.0  # type: ignore[index]

    def add() -> None:
        x[0] += 1.0  # type: ignore[index]

    def remove() -> None:
        del x[0]  # type: ignore[attr-defined]

    for change in (put, add, remove):
        with pytest.raises(TypeError, match="nothing is written into it") as error:
            change()
        assert isinstance(error.value, gc.GraphError)
        assert "gc.where(condition, value, x)" in str(error.value)
        assert "gc.scatter_add(x, values, index)" in str(error.value)
        assert "test_build_advice.py" in str(error.value)


def test_a_name_in_another_case_is_meant() -> None:
    W = gc.param("W", (3,))
    graph = gc.graph({"loss": gc.sum(X @ W)})
    for ask in (
        lambda: gc.compile(graph, gradient_of="loss", wrt=["w"]),
        lambda: graph.gradient("loss", wrt=["w"]),
        lambda: graph.find("w"),
    ):
        with pytest.raises(gc.GraphError, match=r"did you mean 'W'\?"):
            ask()
