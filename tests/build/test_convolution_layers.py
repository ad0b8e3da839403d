"""Convolution and pooling: shapes, meaning, gradients by finite differences, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.dims import dim_text, shape_text

RNG = np.random.default_rng(5)

# -- shapes ---------------------------------------------------------------------------------------


def test_sizes_of_the_lectures() -> None:
    image = gc.input("x", ("N", 3, 32, 32))
    assert shape_text(gc.nn.conv2d(image, 6, 5).shape) == "[N, 6, 28, 28]"
    assert shape_text(gc.nn.conv2d(image, 6, 3, padding=1).shape) == "[N, 6, 32, 32]"
    assert shape_text(gc.nn.conv2d(image, 6, 7, stride=2, padding=2).shape) == "[N, 6, 15, 15]"


def test_the_size_formula_prints_as_the_textbook_states_it() -> None:
    w, p, k, s = map(gc.dim, "wpks")
    x = gc.pad(gc.input("x", (w,)), ((p, p),))
    assert dim_text(gc.windows(x, k, stride=s).shape[0]) == "(-k + 2*p + w)//s + 1"


def test_shapes_stay_symbolic_in_batch_and_image_size() -> None:
    x = gc.input("x", ("N", 3, "H", "W"))
    same = gc.nn.conv2d(x, 8, 5, padding="same")
    assert shape_text(same.shape) == "[N, 8, H, W]"
    assert shape_text(gc.nn.conv2d(x, 8, 4, padding="same").shape) == "[N, 8, H, W]"
    assert shape_text(gc.nn.max_pool2d(same, 2).shape) == "[N, 8, H//2, W//2]"
    assert shape_text(gc.nn.avg_pool2d(x, 3, 2, ceil_mode=True).shape) == "[N, 3, H//2, W//2]"
    larger = gc.nn.conv_transpose2d(x, 4, 3, stride=2, padding=1, output_padding=1)
    assert shape_text(larger.shape) == "[N, 4, 2*H, 2*W]"


def test_one_program_serves_all_sizes() -> None:
    x = gc.input("x", ("N", 2, "H", "W"))
    y = gc.nn.max_pool2d(gc.nn.conv2d(x, 3, 3, stride=2, padding=1, name="c"), 2)
    graph = gc.graph({"loss": gc.sum(gc.sin(y))})
    f = gc.compile(graph, gradient_of="loss", wrt=["x", "c.W", "c.b"])
    state = graph.init(seed=1)
    for shape in ((1, 2, 4, 4), (3, 2, 9, 6), (2, 2, 7, 12), (1, 2, 4, 4)):
        image = RNG.normal(size=shape).astype(np.float32)
        expected = gc.interpret(graph.gradient("loss", ["x", "c.W", "c.b"]), state, x=image)
        got = f(state, x=image)
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-5)


# -- meaning --------------------------------------------------------------------------------------


def value(node: Any, **arrays: np.ndarray) -> np.ndarray:
    return gc.compile(gc.graph({"y": node}))(**arrays)["y"]


def test_a_convolution_is_multiplication_by_a_banded_matrix() -> None:
    """Weight sharing: a filter of three weights stands on each row of the matrix."""
    x, w = RNG.normal(size=7), RNG.normal(size=3)
    band = np.zeros((5, 7))
    for row in range(5):
        band[row, row : row + 3] = w
    sequence = gc.input("x", (1, 7), dtype="float64")
    filters = gc.input("w", (1, 1, 3), dtype="float64")
    y = gc.nn.conv1d(sequence, 1, weight=filters, use_bias=False)
    got = value(y, x=x[None], w=w[None, None])
    np.testing.assert_allclose(got[0], band @ x, rtol=1e-13)


def test_transposed_convolution_is_the_transpose() -> None:
    """⟨conv(x), y⟩ = ⟨x, conv_transpose(y)⟩ for the same filters."""
    words: dict[str, Any] = {
        "stride": 2,
        "padding": 1,
        "dilation": 2,
        "groups": 2,
        "use_bias": False,
    }
    x, W = RNG.normal(size=(2, 4, 9, 8)), RNG.normal(size=(6, 2, 3, 2))
    image, filters = (gc.input(n, a.shape, "float64") for n, a in (("x", x), ("W", W)))
    there = gc.nn.conv2d(image, 6, weight=filters, **words)
    y = RNG.normal(size=there.shape)
    small = gc.input("y", y.shape, "float64")
    back = gc.nn.conv_transpose2d(small, 4, weight=filters, output_padding=(0, 1), **words)
    assert back.shape == x.shape
    left = float((value(there, x=x, W=W) * y).sum())
    right = float((value(back, y=y, W=W) * x).sum())
    assert left == pytest.approx(right, rel=1e-12)


def test_locally_connected_has_filters_of_its_own_at_each_position() -> None:
    x, W = RNG.normal(size=(2, 3, 5, 6)), RNG.normal(size=(2, 3, 4, 3, 2, 2))
    b = RNG.normal(size=(4, 2, 3))
    image, filters, bias = (
        gc.input(n, a.shape, "float64") for n, a in zip("xWb", (x, W, b), strict=True)
    )
    y = gc.nn.locally_connected2d(image, 4, 2, stride=2, weight=filters, bias=bias)
    wanted = np.zeros((2, 4, 2, 3))
    for r in range(2):
        for c in range(3):
            patch = x[:, :, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2]
            wanted[:, :, r, c] = np.einsum("ncij,ocij->no", patch, W[r, c]) + b[:, r, c]
    np.testing.assert_allclose(value(y, x=x, W=W, b=b), wanted, rtol=1e-12)
    shared = np.broadcast_to(W[0, 0], W.shape)
    plain = gc.nn.conv2d(
        image, 4, stride=2, weight=gc.input("F", (4, 3, 2, 2), "float64"), use_bias=False
    )
    alike = value(y, x=x, W=np.ascontiguousarray(shared), b=np.zeros_like(b))
    np.testing.assert_allclose(alike, value(plain, x=x, F=W[0, 0]), rtol=1e-12)


def test_max_pooling_gives_the_gradient_to_the_first_of_equal_elements() -> None:
    x = gc.input("x", (1, 1, 4, 4), dtype="float64")
    for padding, places in (
        (0, [(0, 0), (0, 2), (2, 0), (2, 2)]),
        (1, [(0, 0), (0, 1), (1, 0), (1, 1)]),
    ):
        pooled = gc.nn.max_pool2d(x, 2, padding=padding)
        for style in ("readable", "fast"):
            f = gc.compile(gc.graph({"y": gc.sum(pooled)}), gradient_of="y", wrt=["x"], style=style)
            got = f(x=np.ones((1, 1, 4, 4)))["d_y_d_x"][0, 0]
            assert all(got[place] == 1 for place in places), (padding, style)


def test_windows_and_a_reduction_are_pooling() -> None:
    x = gc.input("x", ("N", 2, 6, 6), dtype="float64")
    shown = gc.windows(x, (2, 2), stride=2)
    data = RNG.normal(size=(3, 2, 6, 6))
    for reduced, layer in (
        (gc.max(shown, axis=(-2, -1)), gc.nn.max_pool2d(x, 2)),
        (gc.mean(shown, axis=(-2, -1)), gc.nn.avg_pool2d(x, 2)),
    ):
        f = gc.compile(gc.graph({"y": reduced}), style="readable")
        assert "sliding_window_view" not in f.source  # the windows are never laid out
        np.testing.assert_allclose(f(x=data)["y"], value(layer, x=data), rtol=1e-13)


def test_layers_use_any_number_of_axes_before_the_channels() -> None:
    W = RNG.normal(size=(4, 3, 2, 2))
    filters = gc.input("W", W.shape, "float64")
    image, film = RNG.normal(size=(3, 5, 5)), RNG.normal(size=(2, 4, 3, 5, 5))
    many = gc.nn.conv2d(
        gc.input("x", ("T", "N", 3, 5, 5), "float64"), 4, weight=filters, use_bias=False
    )
    one = gc.nn.conv2d(gc.input("x", (3, 5, 5), "float64"), 4, weight=filters, use_bias=False)
    got = value(many, x=film, W=W)
    np.testing.assert_allclose(got[1, 2], value(one, x=film[1, 2], W=W), rtol=1e-12)
    assert value(one, x=image, W=W).shape == (4, 4, 4)


# -- gradients ------------------------------------------------------------------------------------

Layer = Callable[[Any], Any]


def gradient_cases() -> list[tuple[str, tuple[int, ...], Layer]]:
    """Return the grid: strides, paddings, dilations, groups, ceil mode; one sample and more."""
    cases: list[tuple[str, tuple[int, ...], Layer]] = []

    def add(name: str, shape: tuple[int, ...], *args: Any, **words: Any) -> None:
        shown = ", ".join([*map(str, args), *(f"{k}={v}" for k, v in words.items())])
        cases.append((f"{name}({shown})", shape, lambda x: getattr(gc.nn, name)(x, *args, **words)))

    for stride in (1, 2):
        for padding in (0, 1, "same") if stride == 1 else (0, (1, 0)):
            for dilation, groups in ((1, 1), (2, 1), (1, 2)):
                words = {
                    "stride": stride,
                    "padding": padding,
                    "dilation": dilation,
                    "groups": groups,
                }
                add("conv2d", (1, 2, 5, 6), 2, (2, 3), **words)
    for stride, more in ((1, 0), (2, 1), (3, 2)):
        for padding, groups in ((0, 1), (1, 2)):
            words = {"stride": stride, "padding": padding, "output_padding": more, "groups": groups}
            add("conv_transpose2d", (2, 2, 2, 3), 2, 3, **words)
    for words in ({}, {"stride": 2, "padding": 1}, {"dilation": 3}, {"groups": 3}):
        add("conv1d", (2, 3, 7), 3, 3, **words)
    add("conv3d", (1, 2, 3, 4, 3), 2, 2, stride=(1, 2, 1), padding=1)
    add("conv_transpose1d", (1, 2, 4), 3, 3, stride=2, dilation=2)
    add("conv_transpose3d", (1, 1, 2, 2, 2), 2, 2, stride=2)
    add("locally_connected1d", (2, 2, 6), 3, 2, stride=2)
    add("locally_connected2d", (2, 2, 4, 4), 2, 3, padding=1, stride=2)
    for kind in ("max_pool2d", "avg_pool2d"):
        for stride in (None, 1, 3):
            for padding, ceil in ((0, False), (1, False), (1, True), (0, True)):
                add(kind, (1, 2, 5, 6), (2, 3), stride, padding, ceil_mode=ceil)
    add("max_pool2d", (1, 1, 6, 6), 2, 1, 0, (2, 3))
    add("avg_pool2d", (1, 1, 5, 5), 3, 2, 1, ceil_mode=True, count_include_pad=False)
    add("max_pool1d", (2, 2, 5), 2)
    add("avg_pool1d", (2, 2, 5), 2)
    add("max_pool3d", (1, 1, 4, 4, 4), 2)
    add("avg_pool3d", (1, 1, 4, 4, 4), 2)
    return cases


@pytest.mark.parametrize(
    ("shape", "layer"), [pytest.param(s, f, id=name) for name, s, f in gradient_cases()]
)
def test_gradients_equal_finite_differences(shape: tuple[int, ...], layer: Layer) -> None:
    """Each layer's gradients, of emitted code at level 2 and of the definition at level 0."""
    rng = np.random.default_rng(3)
    x = gc.input("x", shape, dtype="float64")
    y = layer(x)
    weights = rng.uniform(0.5, 1.5, y.shape)
    graph = gc.graph({"loss": gc.sum(gc.constant(weights, dtype="float64") * gc.sin(y))})
    wrt = ["x", *graph.params]
    state = {k: rng.normal(size=v.shape) for k, v in graph.params.items()}
    data = rng.normal(size=shape)
    at = {"x": data, **state}
    check = gc.check_gradient(graph, of="loss", at=at, wrt=wrt)
    assert check.max_error < 1e-7, str(check)
    call = (state,) if state else ()
    expected = gc.interpret(graph.gradient("loss", wrt), *call, x=data)
    for level, style in ((2, "fast"), (2, "readable"), (0, "readable")):
        got = gc.compile(graph, gradient_of="loss", wrt=wrt, optimize=level, style=style)(
            *call, x=data
        )
        for name, wanted in expected.items():
            np.testing.assert_allclose(got[name], wanted, rtol=1e-10, atol=1e-12, err_msg=name)


def test_second_derivative_of_a_convolution() -> None:
    x = gc.input("x", (1, 1, 4, 4), dtype="float64")
    y = gc.nn.max_pool2d(gc.nn.conv2d(x, 2, 2, name="c", activation=gc.tanh), 2)
    graph = gc.graph({"loss": gc.sum(y * y)})
    state = {"c.W": RNG.normal(size=(2, 1, 2, 2)), "c.b": RNG.normal(size=2)}
    data, step = RNG.normal(size=(1, 1, 4, 4)), 1e-6
    hessian = gc.compile(graph.hessian("loss", wrt="c.b"))(state, x=data)
    found = hessian["d2_loss_d_c.b_d_c.b"]
    slope = gc.compile(graph, gradient_of="loss", wrt=["c.b"])
    for k in range(2):
        ends = []
        for sign in (1, -1):
            moved = {**state, "c.b": state["c.b"] + sign * step * np.eye(2)[k]}
            ends.append(slope(moved, x=data)["d_loss_d_c.b"])
        np.testing.assert_allclose(found[k], (ends[0] - ends[1]) / (2 * step), rtol=1e-6, atol=1e-8)


# -- parameters and text --------------------------------------------------------------------------


def test_layers_create_their_parameters_in_pytorchs_layout() -> None:
    x = gc.input("x", ("N", 4, 8, 8))
    made = gc.graph(
        {
            "a": gc.nn.conv2d(x, 6, (3, 2), groups=2, name="a"),
            "b": gc.nn.conv_transpose2d(x, 6, 3, groups=2, name="b"),
            "c": gc.nn.locally_connected2d(x, 3, 4, stride=4, name="c", use_bias=False),
        }
    )
    shapes = {name: node.shape for name, node in made.params.items()}
    assert shapes == {
        "a.W": (6, 2, 3, 2),
        "a.b": (6,),
        "b.W": (4, 3, 3, 3),
        "b.b": (6,),
        "c.W": (2, 2, 3, 4, 4, 4),
    }
    scopes = {node.provenance.scope for node in made.nodes if node is not x}
    assert scopes == {"a", "b", "c"}


def test_first_weights_have_glorots_spread_also_where_each_position_has_its_own() -> None:
    x = gc.input("x", (1, 3, 12, 12))
    shared = gc.graph({"y": gc.nn.conv2d(x, 8, 5, name="c")}).init(seed=0)["c.W"]
    local = gc.graph({"y": gc.nn.locally_connected2d(x, 8, 5, name="c")}).init(seed=0)["c.W"]
    limit = (6 / ((3 + 8) * 25)) ** 0.5
    for weights in (shared, local):
        assert 0.9 * limit < np.abs(weights).max() <= limit


def test_layers_in_the_text_form() -> None:
    graph = gc.parse("""
x: input(f32, N, 1, 8, 8)
h = conv2d(x, 4, 3, padding=1, activation=relu, name="c1")
p = max_pool2d(h, 2)
a = avg_pool2d(conv_transpose2d(p, 2, 2, stride=2), (2, 1), name="pool")
w = windows(a, size=(2, 2), stride=(2, 1))
output(w)
""")
    assert list(graph.params) == ["c1.W", "c1.b", "conv_transpose2d.W", "conv_transpose2d.b"]
    assert gc.parse(str(graph)) == graph
    assert 'with scope("pool"):' in str(graph)


def test_images_of_integers_become_floats() -> None:
    x = gc.input("x", ("N", 1, 4, 4), dtype="int64")
    assert gc.nn.conv2d(x, 2, 3).dtype == np.float32
    assert gc.nn.max_pool2d(x, 2, padding=1).dtype == np.float32


# -- bad input ------------------------------------------------------------------------------------

IMAGE = gc.input("x", ("N", 4, 5, 5))
BAD = [
    (lambda: gc.nn.conv2d(IMAGE, 3, 6), "window is larger than the array"),
    (lambda: gc.nn.conv2d(IMAGE, 3, 3, dilation=3), "window is larger than the array"),
    (lambda: gc.nn.max_pool2d(IMAGE, 7, padding=0), "window is larger than the array"),
    (lambda: gc.windows(IMAGE, (3, 9)), "window is larger than the array"),
    (lambda: gc.nn.conv2d(IMAGE, 3, 3, groups=3), "cannot be split into 3 equal groups"),
    (lambda: gc.nn.conv2d(IMAGE, 3, 3, groups=2), "cannot be split into 2 equal groups"),
    (lambda: gc.nn.conv_transpose2d(IMAGE, 3, 3, groups=2), "cannot be split into 2 equal groups"),
    (lambda: gc.nn.conv2d(IMAGE, 4, 3, groups=0), "cannot be split into 0 equal groups"),
    (lambda: gc.nn.conv2d(IMAGE, 0, 3), "the size is how many channels it makes"),
    (lambda: gc.nn.conv2d(IMAGE, 2.5, 3), "the size is how many channels it makes"),
    (lambda: gc.nn.conv2d(IMAGE, 3, 3, stride=0), "stride must be a positive integer"),
    (lambda: gc.nn.max_pool2d(IMAGE, gc.dim("k"), ceil_mode=True), "ceil_mode needs a kernel"),
    (lambda: gc.nn.conv2d(IMAGE, 3, 2.5), "kernel_size must be a positive integer"),
    (lambda: gc.nn.conv2d(IMAGE, 3, (3, 3, 3)), "kernel_size must be a positive integer, or 2"),
    (lambda: gc.nn.conv2d(IMAGE, 3, 3, padding=-1), "not a padding"),
    (lambda: gc.nn.conv2d(IMAGE, 3, 3, padding="full"), "not a padding"),
    (lambda: gc.nn.conv2d(IMAGE, 3, 3, padding="same", stride=2), "not a padding"),
    (lambda: gc.nn.conv2d(IMAGE, 3), "needs a kernel_size"),
    (lambda: gc.nn.conv2d(gc.input("x", (5, 5)), 3, 3), "last axes of an array of channels"),
    (lambda: gc.nn.conv2d(gc.input("x", ("C", 5, 5)), 3, 3), "channels has a named dim"),
    (
        lambda: gc.nn.conv2d(IMAGE, 3, 3, weight=gc.param("W", (3, 4, 3, 2))),
        "weight has the wrong shape",
    ),
    (lambda: gc.nn.conv2d(IMAGE, 3, 3, bias=gc.param("b", (4,))), "bias has the wrong shape"),
    (
        lambda: gc.nn.locally_connected2d(gc.input("x", (1, 2, "H", 5)), 3, 3),
        "depends on a named dim",
    ),
    (
        lambda: gc.nn.conv_transpose2d(IMAGE, 3, 3, stride=2, output_padding=2),
        "output_padding must",
    ),
    (
        lambda: gc.nn.conv_transpose2d(gc.input("x", (1, 2, 1, 1)), 3, 2, padding=1),
        "cuts everything off",
    ),
    (lambda: gc.nn.max_pool2d(IMAGE, 2, padding=2), "wider than half the window"),
    (lambda: gc.nn.avg_pool2d(IMAGE, 0), "kernel_size must be a positive integer"),
]


@pytest.mark.parametrize(("build", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_is_one_clear_error(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(gc.GraphError, match=message) as caught:
        build()
    assert Path(__file__).name in str(caught.value)  # it names the user's line


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("kind", ["conv2d", "max_pool2d", "avg_pool2d"])
def test_an_image_too_small_for_the_window_is_an_error_of_the_call(kind: str, style: str) -> None:
    x = gc.input("x", ("N", 1, "H", "W"))
    y = gc.nn.conv2d(x, 2, 5, name="c") if kind == "conv2d" else getattr(gc.nn, kind)(x, 5)
    f = gc.compile(gc.graph({"y": y}), style=style)
    call = (f.init(0),) if kind == "conv2d" else ()
    for shape in ((1, 1, 4, 9), (1, 1, 9, 2)):
        with pytest.raises(gc.GraphError, match="window is larger than the array"):
            f(*call, x=np.ones(shape, np.float32))
