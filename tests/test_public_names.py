"""What is public: no stray names, nothing undocumented, and a page that has it all."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest
from test_docs import docs

import graphc as gc

MODULES = {"gc": gc} | {
    f"gc.{name}": value for name in gc.__all__ if inspect.ismodule(value := getattr(gc, name))
}


def test_the_page_of_public_names_is_current() -> None:
    assert docs.API_PAGE.read_text(encoding="utf-8") == docs.api_page(), "run `make docs`"


@pytest.mark.parametrize("name", ["gc", "gc.nn", "gc.optim", "gc.init"])
def test_a_module_shows_its_public_names_alone(name: str) -> None:
    module = MODULES[name]
    public = set(module.__all__)
    assert len(public) == len(module.__all__) and set(dir(module)) - {"__version__"} == public
    assert all(hasattr(module, entry) for entry in public)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_stands_on_the_page_with_what_it_does(name: str) -> None:
    page = docs.API_PAGE.read_text(encoding="utf-8")
    for entry in MODULES[name].__all__:
        if not isinstance(getattr(MODULES[name], entry), ModuleType):
            assert f"`{name}.{entry}`" in page or f"`{name}.{entry}(" in page, entry
    for line in page.splitlines():
        if line.startswith("| `"):
            assert len(line.split("|")[-2].strip()) > 3, line


def test_what_the_package_imports_for_users_is_public() -> None:
    known = {"ARRAY_FUNCTIONS", "Any", "Callable", "TYPE_CHECKING"}
    stray = {
        name
        for name, value in vars(gc).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert stray - set(gc.__all__) == known


@pytest.mark.parametrize(
    "names",
    [
        "gc: relu sigmoid tanh hardtanh softplus softmax sign heaviside checkpoint windows",
        "gc.nn: squared_error mean_squared_error absolute_error zero_one hinge perceptron_loss",
        "gc.nn: logistic_loss binary_cross_entropy softmax_cross_entropy l1 l2 dropout batch_norm",
        "gc.nn: layer_norm local_response_norm embedding rnn lstm gru bidirectional conv1d conv2d",
        "gc.nn: conv_transpose2d locally_connected2d max_pool2d avg_pool2d dense",
        "gc.optim: sgd adagrad rmsprop adam adamw clip_by_norm clip_by_value max_norm step_decay",
        "gc.optim: exponential inverse_time polynomial cosine linear_warmup constant",
        "gc.init: zeros ones constant normal uniform glorot_uniform glorot_normal he_uniform",
        "gc.init: he_normal lecun_normal orthogonal",
        "gc.train: fit random_restarts patience accuracy",
    ],
)
def test_the_methods_of_the_lectures_exist(names: str) -> None:
    module, _, words = names.partition(": ")
    for word in words.split():
        assert word in MODULES[module].__all__
