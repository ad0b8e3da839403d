"""Second derivatives against an independent tool, at small models, to the last digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError

Arrays = dict[str, np.ndarray]
RNG = np.random.default_rng(0)


def logistic_regression() -> tuple[gc.Graph, Arrays, Arrays, Callable[..., Any]]:
    graph = gc.parse(
        """
x: input(f64, N, 3)
y: input(f64, N)
w: param(f64, 3)
b: param(f64)
z = x @ w + b
loss = mean(softplus(z) - y*z) + 0.1*sum(w**2)
output(loss, z)
"""
    )
    data = {"x": RNG.normal(size=(6, 3)), "y": RNG.integers(0, 2, 6).astype(float)}
    state = {"w": RNG.normal(size=3), "b": np.array(0.3)}

    def outputs(w: Any, b: Any) -> Any:
        return anp.dot(data["x"], w) + b

    def loss(w: Any, b: Any) -> Any:
        z = outputs(w, b)
        return anp.mean(anp.logaddexp(0, z) - data["y"] * z) + 0.1 * anp.sum(w**2)

    return graph, data, state, (outputs, loss)


def network() -> tuple[gc.Graph, Arrays, Arrays, Callable[..., Any]]:
    """3-4-2: 20 weights, 26 parameters with biases."""
    graph = gc.parse(
        """
x: input(f64, N, 3)
t: input(f64, N, 2)
W1: param(f64, 3, 4)
b1: param(f64, 4)
W2: param(f64, 4, 2)
b2: param(f64, 2)
h = tanh(x @ W1 + b1)
z = h @ W2 + b2
p = exp(z) / sum(exp(z), axis=1, keepdims=True)
loss = -mean(sum(t * log(p), axis=1))
output(loss, z)
"""
    )
    data = {"x": RNG.normal(size=(5, 3)), "t": np.eye(2)[RNG.integers(0, 2, 5)]}
    shapes = {"W1": (3, 4), "b1": (4,), "W2": (4, 2), "b2": (2,)}
    state = {name: RNG.normal(size=shape) for name, shape in shapes.items()}

    def outputs(W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        return anp.dot(anp.tanh(anp.dot(data["x"], W1) + b1), W2) + b2

    def loss(*parameters: Any) -> Any:
        z = outputs(*parameters)
        log_p = z - anp.log(anp.sum(anp.exp(z), axis=1, keepdims=True))
        return -anp.mean(anp.sum(data["t"] * log_p, axis=1))

    return graph, data, state, (outputs, loss)


MODELS = {"logistic regression": logistic_regression(), "3-4-2": network()}


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def flat_hessian(loss: Callable[..., Any], state: Arrays) -> np.ndarray:
    """Return the Hessian by all parameters in one vector, by autograd."""
    shapes = [v.shape for v in state.values()]

    def of_vector(vector: Any) -> Any:
        parts, start = [], 0
        for shape in shapes:
            size = int(np.prod(shape))
            parts.append(anp.reshape(vector[start : start + size], shape))
            start += size
        return loss(*parts)

    return autograd.hessian(of_vector)(np.concatenate([v.ravel() for v in state.values()]))


def assembled(found: Arrays, state: Arrays, prefix: str) -> np.ndarray:
    """Return the blocks of a symmetric matrix, of which each pair is given once, as a whole."""
    names = list(state)
    rows = []
    for i, a in enumerate(names):
        row = []
        for j, b in enumerate(names):
            key = f"{prefix}_d_{a}_d_{b}" if i <= j else f"{prefix}_d_{b}_d_{a}"
            size = (state[a].size, state[b].size)
            row.append(found[key].reshape(size) if i <= j else found[key].reshape(size[::-1]).T)
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows)


@pytest.mark.parametrize("model", MODELS)
def test_jacobians_equal_autograd(model: str) -> None:
    graph, data, state, (outputs, _) = MODELS[model]
    names = list(state)
    found = gc.compile(graph.jacobian("z", names, layout="numerator"))(state, **data)
    for i, name in enumerate(names):
        close(found[f"d_z_d_{name}"], autograd.jacobian(outputs, i)(*state.values()))


@pytest.mark.parametrize("mode", [None, "forward", "reverse"])
@pytest.mark.parametrize("model", MODELS)
def test_hessians_equal_autograd(model: str, mode: str | None) -> None:
    graph, data, state, (_, loss) = MODELS[model]
    derived = graph.hessian("loss", list(state), mode=mode)
    for found in (gc.compile(derived)(state, **data), gc.interpret(derived, state, **data)):
        close(assembled(found, state, "d2_loss"), flat_hessian(loss, state))


@pytest.mark.parametrize("model", MODELS)
def test_hessian_vector_products_equal_autograd(model: str) -> None:
    graph, data, state, (_, loss) = MODELS[model]
    vectors = {name: RNG.normal(size=v.shape) for name, v in state.items()}
    derived = graph.hvp("loss", list(state))
    assert [n for n in derived.inputs if n.endswith("_v")] == [f"{name}_v" for name in state]
    given = {f"{name}_v": v for name, v in vectors.items()}
    found = gc.compile(derived)(state, **data, **given)
    along = np.concatenate([v.ravel() for v in vectors.values()])
    product = np.concatenate([found[f"d2_loss_d_{name}_v"].ravel() for name in state])
    close(product, flat_hessian(loss, state) @ along)


@pytest.mark.parametrize("model", MODELS)
def test_gauss_newton_equals_autograd(model: str) -> None:
    """J from autograd, and the Hessian of the loss by the outputs too."""
    graph, data, state, (outputs, _) = MODELS[model]
    names = list(state)
    z = outputs(*state.values())
    jacobian = np.concatenate(
        [
            autograd.jacobian(outputs, i)(*state.values()).reshape(z.size, -1)
            for i in range(len(names))
        ],
        axis=1,
    )
    if model == "3-4-2":

        def by_outputs(flat: Any) -> Any:
            rows = anp.reshape(flat, z.shape)
            log_p = rows - anp.log(anp.sum(anp.exp(rows), axis=1, keepdims=True))
            return -anp.mean(anp.sum(data["t"] * log_p, axis=1))
    else:

        def by_outputs(flat: Any) -> Any:
            return anp.mean(anp.logaddexp(0, flat) - data["y"] * flat)

    expected = jacobian.T @ autograd.hessian(by_outputs)(z.ravel()) @ jacobian
    dense = gc.compile(graph.gauss_newton("loss", "z", names, form="dense"))(state, **data)
    matrix = assembled(dense, state, "gn_loss")
    close(matrix, expected)
    assert np.linalg.eigvalsh(matrix).min() > -1e-12
    vectors = {f"{name}_v": RNG.normal(size=v.shape) for name, v in state.items()}
    found = gc.compile(graph.gauss_newton("loss", "z", names))(state, **data, **vectors)
    product = np.concatenate([found[f"gn_loss_d_{name}_v"].ravel() for name in names])
    close(product, expected @ np.concatenate([v.ravel() for v in vectors.values()]))


def test_a_separable_sum_has_a_diagonal_hessian_in_one_pass() -> None:
    x = gc.input("x", ("N", 2048), "float64")
    graph = gc.graph({"loss": gc.exp(gc.sin(x)).sum()})
    derived = graph.hessian("loss", "x", form="compact")
    structure = graph.gradient("loss", ["x"]).jacobian_structure("d_loss_d_x", "x")
    assert str(structure) == "diagonal: 1 forward pass"
    at = np.random.default_rng(1).normal(size=(3, 2048))
    found = gc.compile(derived)(x=at)["d2_loss_d_x_d_x"]
    expected = np.exp(np.sin(at)) * (np.cos(at) ** 2 - np.sin(at))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_a_chain_of_neighbours_has_a_tridiagonal_hessian() -> None:
    """Rosenbrock's function: each term joins two neighbours."""
    x = gc.input("x", (50,), "float64")
    terms = 100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2
    graph = gc.graph({"f": terms.sum()})
    structure = graph.gradient("f", ["x"]).jacobian_structure("d_f_d_x", "x")
    assert structure.passes == 3
    at = {"x": np.random.default_rng(2).normal(size=50)}
    compact = gc.interpret(graph.hessian("f", "x", form="compact"), **at)["d2_f_d_x_d_x"]
    full = gc.interpret(graph.hessian("f", "x"), **at)["d2_f_d_x_d_x"]
    np.testing.assert_allclose(structure.dense(compact), full, rtol=1e-12)
    np.testing.assert_allclose(full, full.T, rtol=1e-12)
    assert np.abs(np.triu(full, 2)).max() == 0


def test_a_linear_loss_has_no_curvature() -> None:
    graph = gc.parse("x: input(f64, 3)\ny = sum(x) + 0*x[0]\noutput(y)")
    found = gc.interpret(graph.hvp("y", "x"), x=np.ones(3), x_v=np.ones(3))
    np.testing.assert_array_equal(found["d2_y_d_x_v"], np.zeros(3))
    hessian = gc.interpret(graph.hessian("y", "x"), x=np.ones(3))
    np.testing.assert_array_equal(hessian["d2_y_d_x_d_x"], np.zeros((3, 3)))


def test_hvp_costs_a_few_gradients_whatever_the_size() -> None:
    graph = MODELS["3-4-2"][0]
    gradient = gc.optimize(graph.gradient("loss")).cost().at(N=64).flops
    product = gc.optimize(graph.hvp("loss", graph.trainable)).cost().at(N=64).flops
    assert gradient < product < 3.5 * gradient


def test_the_derivatives_of_the_stable_form_are_stable() -> None:
    graph, data, state, _ = MODELS["3-4-2"]  # its loss is the textbook form, through p
    stable = gc.optimize(graph)
    far = {name: 1e4 * value for name, value in state.items()}
    vectors = {f"{name}_v": np.ones(value.shape) for name, value in state.items()}
    names = list(state)
    for derived in (stable.hvp("loss", names), stable.gauss_newton("loss", "z", names)):
        found = gc.compile(derived)(far, **data, **vectors)
        assert all(np.isfinite(value).all() for value in found.values())
    found = gc.compile(stable.hessian("loss", names))(state, **data)
    close(assembled(found, state, "d2_loss"), flat_hessian(MODELS["3-4-2"][3][1], state))


def test_mistakes_are_told() -> None:
    graph = MODELS["3-4-2"][0]
    with pytest.raises(GraphError, match="only a single number has a gradient"):
        graph.hessian("z", "W1")
    with pytest.raises(GraphError, match="x does not depend on W1"):
        graph.gauss_newton("loss", "x", "W1")
    with pytest.raises(GraphError, match="unknown form"):
        graph.gauss_newton("loss", "z", "W1", form="compact")
