"""Names of other libraries: what is not there says what stands for it here."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

import numpy as np
import pytest

import graphc as gc
from graphc.ir.foreign_names import INSTEAD

X = gc.input("x", ("N", 4))


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("detach", "gc.stop_gradient(x)"),
        ("unsqueeze", "gc.expand_dims"),
        ("backward", "gc.grad(loss, [W])"),
        ("item", "no numbers yet"),
        ("reshpe", "did you mean 'reshape'?"),
        ("exp", "gc.exp(x)"),
        ("softmax", "gc.softmax(x)"),
        ("copy", "a node never changes"),
    ],
)
def test_a_node_says_what_stands_for_a_name_that_it_lacks(name: str, fix: str) -> None:
    assert not hasattr(X, name)
    with pytest.raises(AttributeError) as told:
        getattr(X, name)
    assert f"a node has no {name!r}" in str(told.value) and fix in str(told.value)


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("cat", "gc.concat"),
        ("topk", "gc.sort(x, descending=True)"),
        ("swish", "gc.silu(x)"),
        ("vdot", "gc.sum(a * b)"),
        ("select", "gc.where(first, a, gc.where(second, b, default))"),
        ("atleast_2d", "x[None] for a row"),
        ("flatten", "gc.reshape(x, -1)"),
        ("mod", "gc.remainder(a, b)"),
        ("ln", "gc.log(x)"),
        ("gammaln", "gc.lgamma(x)"),
        ("betaln", "gc.lgamma(a) + gc.lgamma(b) - gc.lgamma(a + b)"),
        ("psi", "gc.digamma(x)"),
        ("trigamma", "gc.polygamma(1, x)"),
        ("ndtr", "gc.log_ndtr(x)"),
        ("σ", "gc.sigmoid(x)"),
        ("sofmax", "did you mean 'softmax'?"),
    ],
)
def test_the_package_says_it_too(name: str, fix: str) -> None:
    with pytest.raises(AttributeError, match=f"graphc has no {name!r}") as told:
        getattr(gc, name)
    assert fix in str(told.value)


@pytest.mark.parametrize(
    ("module", "name", "fix"),
    [
        ("nn", "Linear", "gc.nn.dense(x, size)"),
        ("nn", "cross_entropy", "gc.nn.softmax_cross_entropy"),
        ("nn", "relu", "gc.relu(x)"),
        ("nn", "Conv2d", "did you mean 'conv2d'?"),
        ("optim", "nadam", "did you mean 'adam'?"),
        ("init", "xavier_uniform_", "gc.init.glorot_uniform()"),
    ],
)
def test_so_do_its_modules(module: str, name: str, fix: str) -> None:
    with pytest.raises(AttributeError, match=f"graphc.{module} has no {name!r}") as told:
        getattr(getattr(gc, module), name)
    assert fix in str(told.value)


@pytest.mark.parametrize(
    ("call", "fix"),
    [
        ("swish(x)", "silu(x)"),
        ("Linear(x, 3)", "dense(x, size)"),
        ("cross_entropy(x, x)", "softmax_cross_entropy(logits, target)"),
        ("grad(x, [x])", "a file states what is computed: graphc show --gradient loss derives it"),
        ("permute(x, (1, 0))", "permute_dims(x, axes)"),
        ("softmx(x)", "did you mean 'softmax'?"),
    ],
)
def test_so_does_the_text_form_in_its_own_words(call: str, fix: str) -> None:
    with pytest.raises(gc.GraphError, match="no function is called") as told:
        gc.parse(f"x: input(f32, N, 4)\ny = {call}\noutput(y)")
    assert told.value.fix == fix


@pytest.mark.parametrize(
    ("function", "fix"),
    [
        (np.median, "gc.sort(x)"),
        (np.copy, "a node never changes"),
        (np.linalg.trace, "np.trace"),
        (np.linalg.eigh, "compute it with NumPy"),
    ],
)
def test_so_do_functions_of_numpy(function: Callable[[gc.Node], object], fix: str) -> None:
    with pytest.raises(gc.GraphError, match="is not available for nodes") as told:
        function(X)
    assert fix in str(told.value.fix)


def test_no_name_of_graphc_is_called_foreign_and_each_answer_names_what_is_there() -> None:
    for name, instead in INSTEAD.items():
        assert not (name in gc.__all__ and hasattr(X, name))
        for word in instead.replace("(", " ").replace(",", " ").split():
            if word.startswith("gc."):
                assert attrgetter(word.removeprefix("gc."))(gc) is not None
            if word.startswith("x."):
                assert hasattr(X, word.removeprefix("x."))


def test_a_private_name_gets_no_advice_and_numpy_still_asks_in_vain() -> None:
    with pytest.raises(AttributeError) as told:
        _ = X._reshape
    assert str(told.value) == "a node has no '_reshape'"
    assert isinstance(np.tanh(X), gc.Node)


def test_swapped_operands_of_a_product_are_told() -> None:
    with pytest.raises(gc.GraphError, match="inner dims differ") as told:
        gc.param("W", (4, 3)) @ X
    assert told.value.fix == "they look swapped: b @ a"
