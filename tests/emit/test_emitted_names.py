"""Names and notes tell the truth: a buffer is called after what it holds, a note says what."""

from __future__ import annotations

import re

import numpy as np
import pytest

import graphc as gc

nn = gc.nn


def classifier(activation: str = "relu") -> gc.Graph:
    x, y = gc.input("x", ("N", 8)), gc.input("y", ("N",), dtype="int64")
    W, b = gc.param("W", (8, 6), init=gc.init.glorot_uniform()), gc.param("b", (6,))
    V = gc.param("V", (6, 3), init=gc.init.glorot_uniform())
    z = getattr(gc, activation)(x @ W + b) @ V
    return gc.graph({"loss": gc.mean(nn.softmax_cross_entropy(z.named("z"), y))}, name="model")


def normalized() -> gc.Graph:
    x, y = gc.input("x", ("N", 3, 8, 8)), gc.input("y", ("N",), dtype="int64")
    h = nn.batch_norm(nn.conv2d(x, 4, 3, padding=1, name="conv"), name="bn")
    z = nn.dense(gc.relu(h).mean(axis=(2, 3)), 3, name="out")
    return gc.graph({"loss": gc.mean(nn.softmax_cross_entropy(z, y))}, name="model")


def step(graph: gc.Graph, style: str) -> str:
    return gc.compile(graph, minimize="loss", optimizer="sgd(0.1)", style=style).source


def block(source: str, heading: str) -> list[str]:
    """Return the lines under a heading, up to the next one."""
    return source.partition(f"    # {heading}\n")[2].partition("\n\n")[0].splitlines()


@pytest.mark.parametrize("graph", [classifier(), classifier("tanh"), normalized()])
def test_no_buffer_is_a_gradient_before_the_backward_block(graph: gc.Graph) -> None:
    lines = block(step(graph, "fast"), "forward")
    assert len(lines) > 5
    assert not [line for line in lines if re.search(r"\bd_|\bchange_of_", line)]


def test_a_gradient_has_its_name_from_where_it_begins() -> None:
    lines = block(step(classifier(), "fast"), "backward")
    first = next(i for i, line in enumerate(lines) if "d_z" in line)
    assert re.match(r"    d_z = np\.\w+\(z_exp, .*out=z_exp\)", lines[first])
    assert not any("z_exp" in line for line in lines[first + 1 :])


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_a_rectified_value_is_called_relu(style: str) -> None:
    source = step(classifier(), style)
    assert "x_relu" in source and "_maximum" not in source
    x = gc.input("x", ("N",))
    unnamed = [gc.maximum(x, 0.5)]
    graph = gc.graph({"loss": gc.sum(gc.sin(unnamed[0]) * gc.cos(unnamed[0]))}, name="model")
    assert "x_maximum" in gc.emit(graph, style=style)


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_notes_of_gradients_name_what_their_variables_are_named_after(style: str) -> None:
    source = step(normalized(), style)
    noted = re.findall(r"^ +# \[.*?\]  d\S*loss\)?/d(\S+)\n +(.*)$", source, re.M)
    noted += [
        (b, a) for a, b in re.findall(r"^ +(\w.*)  # \[.*\]  d\S*loss\)?/d(\S+)$", source, re.M)
    ]
    assert len(noted) >= 5
    for target, line in noted:
        assert re.search(rf"\b(d|change_of)_{target.replace('.', '_')}\b", line), line


def test_a_formula_stands_beside_what_it_is_and_not_beside_steps_towards_it() -> None:
    text = "b: input(f64, N)\ns = softplus(b)\ny = sigmoid(b)\nloss = sum(s * y)\noutput(loss)"
    for style in ("readable", "fast"):
        source = gc.compile(gc.parse(text), gradient_of="loss", wrt=["b"], style=style).source
        for formula in ("softplus(b)", "σ(b)"):
            assert sum(line.endswith(f"]  {formula}") for line in source.splitlines()) <= 1


def test_tangents_are_not_called_after_ops() -> None:
    graph = classifier("tanh").tangent(["W"])
    assert "tangent of" not in gc.emit(graph)


def test_long_constants_are_rows_of_the_module() -> None:
    rng = np.random.default_rng(0)
    index = rng.integers(0, 50, 300)
    weights = rng.normal(size=(9, 5)).astype(np.float32)
    x = gc.input("x", ("N", 50))
    y = gc.take(x, gc.constant(index), axis=1)[:, :5] @ gc.transpose(gc.constant(weights))
    graph = gc.graph({"y": y, "weights": gc.constant(weights)}, name="model")
    data = rng.normal(size=(4, 50)).astype(np.float32)
    for style in ("readable", "fast"):
        function = gc.compile(graph, style=style)
        assert function.source.count("\n") < 120
        assert "# fmt: off\n" in function.source
        assert max(map(len, function.source.splitlines())) <= 88
        found = function(x=data)
        np.testing.assert_allclose(found["y"], data[:, index][:, :5] @ weights.T, rtol=1e-5)
        np.testing.assert_array_equal(found["weights"], weights)
        found["weights"][...] = 0  # what leaves belongs to the caller
        np.testing.assert_array_equal(function(x=data)["weights"], weights)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(-40, 60),
        np.linspace(-1, 1, 60, dtype=np.float32).reshape(3, 4, 5) ** 9,
        np.array([np.nan, np.inf, -np.inf, 1e-30, 0.1] * 9),
        np.arange(90).reshape(3, 30) % 7 < 3,
    ],
)
def test_long_constants_keep_their_values(array: np.ndarray) -> None:
    graph = gc.graph({"y": gc.constant(array)}, name="model")
    for style in ("readable", "fast"):
        found = gc.compile(graph, style=style)()["y"]
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_identity_matrices_are_written_as_such() -> None:
    x = gc.input("x", (4, 4))
    graph = gc.graph({"y": x - gc.constant(np.eye(4, dtype=np.float32))}, name="model")
    assert "np.eye(4, dtype=np.float32)" in gc.emit(graph)


def test_a_long_model_shows_its_head_and_its_loss() -> None:
    x = h = gc.input("x", ("N", 4))
    for layer in range(30):
        h = gc.tanh(h * 0.5).named(f"h{layer}")
    graph = gc.graph({"loss": gc.sum(h * x)}, name="model")
    doc = gc.emit(graph).split('"""')[1].splitlines()
    model = doc[next(i for i, line in enumerate(doc) if line.startswith("Model")) :]
    assert model[0].endswith("h0 = tanh(x * 0.5)")
    assert [line.strip() for line in model if "more lines" in line] == ["… 15 more lines"]
    assert model[-1].strip() == "loss = sum(h29 * x)"


def test_a_choice_is_made_in_the_memory_of_what_it_keeps() -> None:
    """`where(isnan(q), 0, q)` puts zeros over NaN, whatever the variables are called."""
    x = gc.input("x", ("n",))
    f = gc.compile(gc.graph({"loss": gc.sum(gc.gelu_tanh(x))}), gradient_of="loss", wrt=["x"])
    assert "isnan] = 0" in f.source
    assert "np.where(" not in f.source and "_choose(" not in f.source


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize(
    "name", ["__import__('os')", "a = b", "f(x, y) = [z", "a, b = c, d", "w  # (", 'for "i" in']
)
def test_brackets_and_signs_in_names_are_data(name: str, style: str) -> None:
    x = gc.input(f"{name} input that takes a whole line of the module", ("N", 4))
    h = nn.dense(x, 3, name=f"{name} layer", init=gc.init.glorot_normal(2.5))
    graph = gc.graph({f"{name} loss": gc.mean(h**2)})
    step = gc.compile(graph, minimize=f"{name} loss", optimizer="sgd(0.1)", style=style)
    state, point = step.init(seed=1), np.ones((2, 4), np.float32)
    assert state[f"{name} layer.W"].shape == (4, 3)
    expected = gc.interpret(graph, state, **{x.attrs["name"]: point})
    found = step(state, **{x.attrs["name"]: point})
    np.testing.assert_allclose(found[f"{name} loss"], expected[f"{name} loss"], rtol=1e-5)


def test_a_value_of_the_model_is_not_called_after_a_derivative_that_it_equals() -> None:
    """dy/dw2 of y = w2*tanh(w1*x) is tanh(w1*x), which the model computes."""
    x = gc.input("x", (), dtype="float64")
    w1, w2 = (gc.param(name, (), "float64") for name in ("w1", "w2"))
    graph = gc.graph({"y": w2 * gc.tanh(w1 * x)})
    source = gc.compile(graph, gradient_of="y", style="readable").source
    assert "w1_tanh = np.tanh(w1 * x)" in source
    assert '"d_y_d_w2": w1_tanh' in source
