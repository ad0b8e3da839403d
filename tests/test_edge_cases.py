"""End to end, through the public names: odd names, aliased memory, big graphs, big numbers."""

from __future__ import annotations

import ast
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.ir.graph import Graph
from graphc.ir.node import Node

STYLES = ["readable", "fast"]


# -- names are data ------------------------------------------------------------------------------

NAMES = [
    "lambda",
    "None",
    "np",
    "state",
    "rng",
    "check_finite",
    "workspace",
    "step",
    "init",
    "out",
    "len",
    "x y",
    "",
    "α",
    "ﬁ",  # a ligature that Python reads as `fi`
    "loss\n",
    "a'b\"c\\",
    '"""',
    "__import__('os').system('false')",
    "x\n    raise SystemExit",
    "#",
    "{x}",
    "%s",
    "1st",
    "encoder/W",
    "hidden1.W",
    "t1",
    "_1",
]


def odd_graph(name: str) -> Graph:
    x = gc.input(name, (3,), dtype="float64")
    w = gc.param(f"w {name}", (3,), dtype="float64", init=gc.init.ones())
    return gc.graph({f"loss {name}": gc.sum(gc.tanh(x * w).named(f"h {name}"))}, name="odd")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_names_never_become_code(name: str, style: str) -> None:
    graph = odd_graph(name)
    assert gc.parse(str(graph)) == graph
    f = gc.compile(graph, gradient_of=f"loss {name}", style=style)
    called = {
        node.func.id
        for node in ast.walk(ast.parse(f.source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert "__import__" not in called
    x = np.array([0.5, -1.0, 2.0])
    result = f(f.init(seed=0), **{name: x})
    assert float(result[f"loss {name}"]) == pytest.approx(np.tanh(x).sum(), rel=1e-14)
    gradient = result[f"d_loss {name}_d_w {name}"]
    np.testing.assert_allclose(gradient, x * (1 - np.tanh(x) ** 2), rtol=1e-13)


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_name_is_some_text(name: Any) -> None:
    with pytest.raises(gc.GraphError, match="name"):
        gc.input(name, (3,))


@pytest.mark.parametrize("style", STYLES)
def test_names_that_differ_only_in_what_python_cannot_write(style: str) -> None:
    a, b, c = (gc.input(name, dtype="float64") for name in ("a b", "a_b", "a-b"))
    graph = gc.graph({"y": a - 2 * b + 4 * c, "y_": a * b * c}, name="near")
    f = gc.compile(graph, style=style)
    result = f(**{"a b": 1.0, "a_b": 10.0, "a-b": 100.0})
    assert (float(result["y"]), float(result["y_"])) == (381.0, 1000.0)


@pytest.mark.parametrize("style", STYLES)
def test_two_nodes_of_one_name_stay_two_nodes(style: str) -> None:
    x = gc.input("x", (2,), dtype="float64")
    first = gc.tanh(x).named("h")
    second = gc.exp(first).named("h")
    graph = gc.graph({"y": gc.sum(second) + gc.sum(first)}, name="twins")
    assert gc.parse(str(graph)) == graph
    at = np.array([0.5, -0.5])
    expected = np.exp(np.tanh(at)).sum() + np.tanh(at).sum()
    assert float(gc.compile(graph, style=style)(x=at)["y"]) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["def", "odd name", "1", "α", "step\n", "np"])
def test_any_graph_name_gives_a_function(name: str) -> None:
    x = gc.input("x", (2,), dtype="float64")
    graph = gc.graph({"y": x + 1}, name=name)
    assert gc.parse(str(graph)).outputs.keys() == {"y"}
    np.testing.assert_array_equal(gc.compile(graph)(x=np.zeros(2))["y"], [1.0, 1.0])


# -- memory --------------------------------------------------------------------------------------


def step_of(style: str) -> gc.CompiledFunction:
    x = gc.input("x", ("N", 3), dtype="float64")
    y = gc.input("y", ("N", 3), dtype="float64")
    W = gc.param("W", (3, 3), dtype="float64", init=gc.init.glorot_uniform())
    h = gc.tanh(x @ W)
    loss = gc.mean((h - y) ** 2)
    graph = gc.graph({"loss": loss, "h": h, "x2": x + 0, "back": x[:], "t": x.T}, name="memory")
    return gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1), style=style)


@pytest.mark.parametrize("style", STYLES)
def test_a_call_never_changes_its_inputs(style: str) -> None:
    step = step_of(style)
    state = step.init(seed=0)
    x = np.random.default_rng(0).normal(size=(5, 3))
    kept = x.copy()
    first = step(state, x=x, y=x)
    copies = {name: np.array(value) for name, value in first.items()}
    np.testing.assert_array_equal(x, kept)
    step(state, x=x + 1, y=x)
    for name, value in first.items():
        np.testing.assert_array_equal(value, copies[name], err_msg=f"{name} was overwritten")
    for name in ("x2", "back", "t"):
        if first[name].flags.writeable:
            first[name][...] = -1.0
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("style", STYLES)
def test_outputs_are_not_the_state(style: str) -> None:
    W = gc.param("W", (2,), dtype="float64", init=gc.init.ones())
    graph = gc.graph({"loss": gc.sum(W * W), "W_now": W, "W_row": gc.reshape(W, (1, 2))})
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.25), style=style)
    state = step.init()
    before = step(state)
    np.testing.assert_array_equal(state["W"], [0.5, 0.5])
    np.testing.assert_array_equal(before["W_now"], [1.0, 1.0])
    np.testing.assert_array_equal(before["W_row"], [[1.0, 1.0]])


class Tagged(np.ndarray):
    """A subclass whose arithmetic must not leak into compiled code."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        raise AssertionError("the subclass was used in arithmetic")


ODD_ARRAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "reversed": lambda a: a[::-1].copy()[::-1],
    "swapped": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "subclass": lambda a: a.view(Tagged),
    "float32": lambda a: a.astype(np.float32),
    "nested lists": lambda a: a.tolist(),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", ODD_ARRAYS)
def test_any_layout_of_an_input_gives_the_same_values(kind: str, style: str) -> None:
    step = step_of(style)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32).astype(np.float64)
    expected = step(step.init(seed=0), x=x, y=x)
    odd = ODD_ARRAYS[kind](x)
    got = step(step.init(seed=0), x=odd, y=odd)
    for name in ("loss", "h"):
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-13)
        assert type(got[name]) is not Tagged


@pytest.mark.parametrize("style", STYLES)
def test_read_only_inputs(style: str) -> None:
    step = step_of(style)
    x = np.ones((5, 3))
    x.setflags(write=False)
    assert np.isfinite(step(step.init(seed=0), x=x, y=x)["loss"])


@pytest.mark.parametrize("style", STYLES)
def test_batches_of_changing_size(style: str) -> None:
    step = step_of(style)
    fresh = step_of(style)
    state, other = step.init(seed=0), fresh.init(seed=0)
    for size in (5, 2, 7, 0, 5):
        x = np.full((size, 3), 0.5)
        got = step(state, x=x, y=x)["h"]
        np.testing.assert_array_equal(got, fresh(other, x=x, y=x)["h"])
        if not size:  # the mean of no errors is nan, and so is the step
            break


@pytest.mark.parametrize("style", STYLES)
def test_threads_do_not_share_buffers(style: str) -> None:
    x = gc.input("x", ("N", 40), dtype="float64")
    f = gc.compile(gc.graph({"y": gc.sum(gc.tanh(gc.exp(gc.sin(x)) @ x.T), axis=1)}), style=style)
    wrong: list[int] = []

    def work(seed: int) -> None:
        at = np.random.default_rng(seed).normal(size=(30, 40))
        expected = np.tanh(np.exp(np.sin(at)) @ at.T).sum(axis=1)
        for _ in range(60):
            if not np.allclose(f(x=at)["y"], expected, rtol=1e-12):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# -- numbers -------------------------------------------------------------------------------------

FAR = [-1e4, -50.0, -1.0, 0.0, 1.0, 50.0, 1e4]


def softplus(z: float) -> float:
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


#: A loss as the textbook types it, its exact value, and its exact slope in z.
TEXTBOOK: dict[str, tuple[Callable[[Node], Node], Callable[[float], float]]] = {
    "log(1 + exp(z))": (lambda z: gc.log(1 + gc.exp(z)), softplus),
    "-log(sigmoid(z))": (lambda z: -gc.log(gc.sigmoid(z)), lambda z: softplus(-z)),
    "-log(1/(1 + exp(-z)))": (lambda z: -gc.log(1 / (1 + gc.exp(-z))), lambda z: softplus(-z)),
    "-log(1 - sigmoid(z))": (lambda z: -gc.log(1 - gc.sigmoid(z)), softplus),
    "log(1 + exp(-z))": (lambda z: gc.log(1 + gc.exp(-z)), lambda z: softplus(-z)),
}


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("form", TEXTBOOK)
def test_textbook_losses_are_exact_far_out(form: str, style: str) -> None:
    typed, exact = TEXTBOOK[form]
    z = gc.input("z", (len(FAR),), dtype="float64")
    losses = typed(z).named("losses")
    graph = gc.graph({"total": gc.sum(losses), "losses": losses})
    result = gc.compile(graph, gradient_of="total", wrt=["z"], style=style)(z=np.array(FAR))
    np.testing.assert_allclose(result["losses"], [exact(v) for v in FAR], rtol=1e-14, atol=1e-300)
    sign = 1 if exact(1e4) > 1 else -1
    slopes = [sign * sigmoid(sign * v) for v in FAR]
    np.testing.assert_allclose(result["d_total_d_z"], slopes, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("style", STYLES)
def test_textbook_softmax_cross_entropy_is_exact_far_out(style: str) -> None:
    z = gc.input("z", ("N", 3), dtype="float64")
    y = gc.input("y", ("N",), dtype="int64")
    p = gc.exp(z) / gc.sum(gc.exp(z), axis=1, keepdims=True)
    loss = -gc.mean(gc.log(gc.take_along_axis(p, y[:, None], axis=1)))
    f = gc.compile(gc.graph({"loss": loss, "p": p}), gradient_of="loss", wrt=["z"], style=style)
    at = np.array([[1e4, 0.0, -1e4], [-1e4, 1e4, 0.0]])
    result = f(z=at, y=np.array([1, 1]))
    assert float(result["loss"]) == 5e3
    np.testing.assert_array_equal(result["p"], [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(result["d_loss_d_z"], [[0.5, -0.5, 0], [0, 0, 0]])


# -- size ----------------------------------------------------------------------------------------


def chain(length: int) -> Graph:
    x = gc.input("x", (4,), dtype="float64")
    y = x
    for number in range(length):
        y = gc.sin(y) if number % 2 else y + 0.5
    return gc.graph({"y": y}, name="chain")


@pytest.mark.parametrize(("style", "length"), [("readable", 20_000), ("fast", 100_000)])
def test_a_long_chain_of_nodes_compiles(style: str, length: int) -> None:
    at = expected = np.linspace(-1, 1, 4)
    for number in range(length):
        expected = np.sin(expected) if number % 2 else expected + 0.5
    f = gc.compile(chain(length), style=style)
    np.testing.assert_allclose(f(x=at)["y"], expected, rtol=1e-12)


def test_compile_time_grows_linearly() -> None:
    def seconds(length: int) -> float:
        graph = gc.graph({"y": gc.sum(chain(length).outputs["y"])})
        start = time.process_time()
        gc.compile(graph, gradient_of="y", wrt=["x"])
        return time.process_time() - start

    seconds(100)
    assert seconds(8_000) < 8 * min(seconds(2_000) for _ in range(2))


def test_a_sum_of_ten_thousand_terms_and_its_fan_out() -> None:
    x = gc.input("x", (3,), dtype="float64")
    total = gc.sum(x)
    for number in range(10_000):
        total = total + gc.sum(x) * (number % 7)
    f = gc.compile(gc.graph({"y": total}), gradient_of="y", wrt=["x"])
    weight = 1 + sum(number % 7 for number in range(10_000))
    result = f(x=np.array([1.0, 2.0, 3.0]))
    assert float(result["y"]) == pytest.approx(6.0 * weight, rel=1e-12)
    np.testing.assert_allclose(result["d_y_d_x"], [weight] * 3, rtol=1e-12)


def test_a_recurrent_net_unrolled_for_a_thousand_steps() -> None:
    x = gc.input("x", (1000, 3), dtype="float64")
    U = gc.param("U", (4, 4), dtype="float64", init=gc.init.orthogonal())
    W = gc.param("W", (3, 4), dtype="float64", init=gc.init.glorot_uniform())
    h = gc.zeros((4,), dtype="float64")
    for t in range(1000):
        h = gc.tanh(x[t] @ W + h @ U)
    f = gc.compile(gc.graph({"loss": gc.sum(h)}), gradient_of="loss")
    state = f.init(seed=1)
    at = np.random.default_rng(0).normal(size=(1000, 3))
    result = f(state, x=at)

    hs = [np.zeros(4)]
    for row in at:
        hs.append(np.tanh(row @ state["W"] + hs[-1] @ state["U"]))
    d_h, d_U = np.ones(4), np.zeros((4, 4))
    for before, after in zip(hs[-2::-1], hs[:0:-1], strict=True):
        d_a = d_h * (1 - after**2)
        d_U += np.outer(before, d_a)
        d_h = d_a @ state["U"].T
    assert float(result["loss"]) == pytest.approx(hs[-1].sum(), rel=1e-10)
    np.testing.assert_allclose(result["d_loss_d_U"], d_U, rtol=1e-8, atol=1e-12)


def test_a_thousand_layers() -> None:
    h = gc.input("x", ("N", 4), dtype="float64")
    for number in range(1000):
        W = gc.param(f"W{number}", (4, 4), dtype="float64", init=gc.init.orthogonal())
        h = gc.tanh(h @ W)
    graph = gc.graph({"loss": gc.mean(h**2)})
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1))
    state = step.init(seed=0)
    assert len(state) == 1000
    losses = [float(step(state, x=np.ones((2, 4)))["loss"]) for _ in range(3)]
    assert losses[0] > losses[1] > losses[2] > 0


# -- errors --------------------------------------------------------------------------------------


def message(action: Callable[[], Any]) -> str:
    with pytest.raises(gc.GraphError) as caught:
        action()
    return str(caught.value)


def test_a_wrong_shape_names_op_shapes_line_and_fix() -> None:
    x, W = gc.input("x", ("N", 4)), gc.param("W", (3, 2))
    told = message(lambda: x @ W)
    assert "matmul" in told or "@" in told
    assert "[N, 4]" in told and "[3, 2]" in told
    assert "test_edge_cases.py" in told and "x @ W" in told


def test_the_gradient_of_a_matrix_is_refused() -> None:
    x = gc.input("x", (2, 2))
    told = message(lambda: gc.compile(gc.graph({"y": x * 2}), gradient_of="y", wrt=["x"]))
    assert "single number" in told and "f32[2, 2]" in told


def test_the_gradient_with_respect_to_an_integer_is_refused() -> None:
    n = gc.input("n", (), dtype="int64")
    told = message(lambda: gc.compile(gc.graph({"y": n * 2.0}), gradient_of="y", wrt=["n"]))
    assert "n: i64[]" in told


def test_the_nearest_name_is_offered() -> None:
    graph = gc.graph({"loss": gc.sum(gc.input("x", (2,)) ** 2)})
    assert "'loss'" in message(lambda: gc.compile(graph, gradient_of="los", wrt=["x"]))
    assert "'x'" in message(lambda: gc.compile(graph)(X=np.ones(2, np.float32)))


def test_an_unused_parameter_warns() -> None:
    x, w = gc.input("x", (2,)), gc.param("w", (2,))
    with pytest.warns(gc.GraphWarning, match="'w' is not used"):
        gc.parse("x: input(f32)\nw: param(f32)\ny = x + 1\noutput(y)")
    assert gc.graph({"y": x * w}).params.keys() == {"w"}


def test_two_inputs_of_one_name_are_refused() -> None:
    a, b = gc.input("x", (2,)), gc.input("x", (2,))
    assert "'x'" in message(lambda: gc.graph({"y": a + b}))


@pytest.mark.parametrize(
    "text",
    [
        "import os\noutput(1)",
        "x: input(f32)\ny = __import__('os').getcwd()\noutput(y)",
        "x: input(f32)\ny = (lambda: x)()\noutput(y)",
        "x: input(f32)\ny = x.__class__\noutput(y)",
        "x: input(f32)\ny = [x for _ in range(3)]\noutput(y)",
        "x: input(f32)\nexec('1')\noutput(x)",
        "while True:\n    pass",
        "x: input(f32)\ny = x +",
        "\0",
        "",
    ],
)
def test_code_in_a_graph_file_is_refused_and_never_run(text: str) -> None:
    told = message(lambda: gc.parse(text, "model.graph"))
    assert "model.graph" in told


def test_a_missing_and_a_binary_file(tmp_path: Any) -> None:
    assert "nothing.graph" in message(lambda: gc.load(tmp_path / "nothing.graph"))
    path = tmp_path / "picture.graph"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    assert "picture.graph" in message(lambda: gc.load(path))
    (tmp_path / "folder.graph").mkdir()
    assert "did you mean" not in message(lambda: gc.load(tmp_path / "folder.graph"))


@pytest.mark.parametrize("length", [20, 40, 80, 120])
@pytest.mark.parametrize("style", ["readable", "fast"])
def test_names_longer_than_a_line(length: int, style: str) -> None:
    name = "encoder." + "w" * length
    x = gc.input("x", ("rows_" + "n" * length, 3))
    y = gc.sum(gc.square(x @ gc.param(name, (3, 2), init=gc.init.ones())))
    f = gc.compile(gc.graph({"y": y}), gradient_of="y", style=style)
    got = f(f.init(), x=np.ones((4, 3), np.float32))
    assert float(got["y"]) == 72
    np.testing.assert_array_equal(got[f"d_y_d_{name}"], np.full((3, 2), 24))
