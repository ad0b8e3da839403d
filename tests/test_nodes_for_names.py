"""Whoever holds a node may give it where a name is expected; what cannot be meant is told once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import graphc as gc

X = np.arange(6, dtype=np.float32).reshape(2, 3)
AT = {"x": X, "w": np.ones(3)}


class Model:
    """A graph with the nodes that its user still holds."""

    def __init__(self) -> None:
        self.x, self.w = gc.input("x", ("N", 3)), gc.param("w", (3,), init=0.5)
        self.z = (self.x @ self.w).named("z")
        self.loss = gc.sum(self.z**2)
        self.graph = gc.graph({"loss": self.loss})


@pytest.fixture
def model() -> Model:
    return Model()


GRAPHS = [
    pytest.param(lambda g, of, wrt: g.gradient(of, wrt), id="gradient"),
    pytest.param(lambda g, of, wrt: g.gradient(of=of, wrt=[wrt]), id="gradient by word"),
    pytest.param(lambda g, of, wrt: g.jacobian(of, wrt), id="jacobian"),
    pytest.param(lambda g, of, wrt: g.hessian(of, wrt=wrt), id="hessian"),
    pytest.param(lambda g, of, wrt: g.hvp(of, [wrt]), id="hvp"),
    pytest.param(lambda g, of, wrt: g.tangent(wrt), id="tangent"),
]
TEXTS = [
    pytest.param(lambda g, of, wrt: gc.compile(g, gradient_of=of, wrt=wrt).source, id="compile"),
    pytest.param(lambda g, of, wrt: gc.compile(g, of, [wrt]).source, id="compile in order"),
    pytest.param(
        lambda g, of, wrt: gc.compile(g, minimize=of, optimizer="sgd(0.1)").source, id="step"
    ),
    pytest.param(lambda g, of, wrt: str(gc.check_gradient(g, of=of, wrt=wrt)), id="check"),
    pytest.param(lambda g, of, wrt: str(gc.compare_methods(g, of, wrt=[wrt])), id="methods"),
    pytest.param(lambda g, of, wrt: str(gc.dependence(g, of, wrt)), id="dependence"),
    pytest.param(lambda g, of, wrt: str(gc.trace(g, AT, "reverse", of=of)), id="reverse trace"),
    pytest.param(lambda g, of, wrt: str(gc.trace(g, AT, "tangent", wrt=wrt)), id="tangent trace"),
    pytest.param(lambda g, of, wrt: str(gc.draw.backprop(g, of=of, wrt=[wrt])), id="backprop"),
]


@pytest.mark.parametrize("derive", GRAPHS)
def test_a_derivative_takes_nodes_as_it_takes_names(
    model: Model, derive: Callable[..., gc.Graph]
) -> None:
    assert derive(model.graph, model.loss, model.w) == derive(model.graph, "loss", "w")


@pytest.mark.parametrize("show", TEXTS)
def test_what_is_shown_of_nodes_is_that_of_their_names(
    model: Model, show: Callable[..., str]
) -> None:
    assert show(model.graph, model.loss, model.w) == show(model.graph, "loss", "w")


def test_inputs_and_inner_nodes_may_be_given_too(model: Model) -> None:
    for node, name in ((model.x, "x"), (model.z, "z")):
        found = gc.compile(model.graph, gradient_of=model.loss, wrt=[node, model.w])
        assert list(found(found.init(), x=X)) == ["loss", f"d_loss_d_{name}", "d_loss_d_w"]


@pytest.mark.parametrize(
    "show",
    [
        lambda g, of, wrt: str(gc.trace(g, AT, "reverse", of=of)),
        lambda g, of, wrt: str(gc.trace(g, AT, "tangent", wrt=wrt)),
        lambda g, of, wrt: str(gc.check_gradient(g, of)),
        lambda g, of, wrt: gc.compile(g, gradient_of=of).source,
    ],
)
def test_a_list_of_one_name_is_the_name_and_of_two_is_a_mistake(
    model: Model, show: Callable[..., str]
) -> None:
    assert show(model.graph, ["loss"], ["w"]) == show(model.graph, "loss", "w")
    with pytest.raises(gc.GraphError, match="is one name"):
        show(model.graph, ["loss", "z"], ["w", "x"])


def test_an_explorer_takes_a_node(model: Model, tmp_path: Path) -> None:
    for name, of in (("by_node", model.loss), ("by_name", "loss")):
        gc.explore(model.graph, tmp_path / f"{name}.html", gradient_of=of)
    by_node, by_name = (tmp_path / f"by_{w}.html" for w in ("node", "name"))
    assert by_node.read_text() == by_name.read_text()


def test_a_node_of_another_graph_is_told_with_the_name_to_pass(model: Model) -> None:
    other = Model()
    with pytest.raises(gc.GraphError, match="minimize is a node that has no name") as error:
        gc.compile(model.graph, minimize=gc.sum(other.z), optimizer="sgd(0.1)")
    assert "minimize='loss'" in str(error.value)
    with pytest.raises(gc.GraphError, match="pass the name: wrt='w'"):
        model.graph.gradient("loss", wrt=[other.w])


NO_GRAPHS = [
    pytest.param(gc.compile, id="compile"),
    pytest.param(gc.emit, id="emit"),
    pytest.param(gc.optimize, id="optimize"),
    pytest.param(lambda value: gc.interpret(value, x=X), id="interpret"),
    pytest.param(gc.check_gradient, id="check_gradient"),
    pytest.param(gc.compare_methods, id="compare_methods"),
    pytest.param(gc.draw.computation_graph, id="computation_graph"),
    pytest.param(gc.draw.network, id="network"),
    pytest.param(gc.draw.memory, id="memory"),
    pytest.param(lambda value: gc.explore(value, "page.html"), id="explore"),
]


@pytest.mark.parametrize("use", NO_GRAPHS)
def test_what_is_no_graph_is_one_clear_error(model: Model, use: Callable[..., object]) -> None:
    for value, fix in (
        (model.loss, "gc.graph({"),
        ("m.graph", "gc.load"),
        ({"loss": model.loss}, "gc.graph(outputs)"),
        (gc.compile(model.graph), "the function's .graph"),
        (3, "what gc.graph"),
    ):
        with pytest.raises(gc.GraphError, match="takes a graph") as error:
            use(value)
        assert fix in str(error.value)


def test_a_missing_graph_is_what_python_says_of_it() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'graph'"):
        gc.compile()


def test_a_number_is_no_optimizer(model: Model) -> None:
    with pytest.raises(gc.GraphError, match="this is no optimizer") as error:
        gc.compile(model.graph, minimize="loss", optimizer=0.1)
    assert "gc.optim.sgd(0.1)" in str(error.value)


def test_python_cannot_run_along_a_named_axis(model: Model) -> None:
    for loop in (len, list, gc.concat, gc.stack):
        with pytest.raises(gc.GraphError, match=r"only a call knows|known only at a call"):
            loop(model.x)
    with pytest.raises(TypeError, match="has no length"):
        len(model.loss)
