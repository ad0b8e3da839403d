"""Embeddings: rows are looked up, and a training step touches no other row of the table."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.build.optim import OPTIMIZERS

VOCABULARY, SIZE = 7, 3
OPTIMIZER_TEXTS = [
    "sgd(0.5)",
    "sgd(0.5, momentum=0.9)",
    "sgd(0.5, momentum=0.9, nesterov=True)",
    "sgd(0.5, weight_decay=0.1)",
    "adagrad(0.3)",
    "adagrad(0.3, weight_decay=0.1)",
    "rmsprop(0.1)",
    "rmsprop(0.1, momentum=0.5, centered=True)",
    "adam(0.1)",
    "adam(cosine(0.1, 10), weight_decay=0.1)",
    "adamw(0.1)",
    'groups(sgd(0.5), {"words": adam(0.1)})',
    'groups(adam(0.1), {"words": sgd(0.5)})',
    # The limits are below the gradients of the model, which are small.
    "clip_by_norm(sgd(1e5), 1e-7)",
    "clip_by_norm(adam(0.1), 1e-7)",
    "clip_by_value(sgd(1e5, momentum=0.9), 1e-7)",
    "clip_by_value(clip_by_norm(sgd(1e5), 1e-7), 1e-7)",
    'groups(sgd(0.5), {"w*": adagrad(0.3)})',
]
#: Batches with repeated, negative (-1 is 6) and absent words.
BATCHES = [
    ([1, 4, 1, -1], [[2, 3], [6, 2], [2, 2], [0, -1]]),
    ([5, 5, 5, 5], [[1, 1], [1, 2], [-7, 0], [3, 3]]),
    ([4, 2, 6, -1], [[4, 2], [0, 0], [-2, 5], [1, 1]]),
]


def model(sparse: bool, dtype: str = "float64") -> gc.Graph:
    """Return a model that reads one table twice and another one once."""
    n = gc.dim("N")
    center = gc.input("center", (n,), dtype="int64")
    pair = gc.input("pair", (n, 2), dtype="int64")
    words = gc.param("words", (VOCABULARY, SIZE), init=gc.init.normal(), sparse=sparse)
    v = gc.nn.embedding(center, VOCABULARY, SIZE, weight=words)
    u = gc.nn.embedding(pair, VOCABULARY, SIZE, weight=words)
    w = gc.nn.embedding(pair, VOCABULARY, SIZE, name="other", sparse=sparse)
    b = gc.param("b", (SIZE,), init=gc.init.ones())
    loss = gc.mean(gc.tanh(gc.einsum("nkd,nd->nk", u * w, v * b)) ** 2)
    return gc.graph({"loss": loss}, name="pairs").astype(dtype)


def arrays(batch: tuple[list[int], list[list[int]]]) -> dict[str, np.ndarray]:
    return {"center": np.array(batch[0]), "pair": np.array(batch[1])}


def trained(graph: gc.Graph, optimizer: str, level: int = 2, style: str = "fast") -> Any:
    step = gc.compile(graph, minimize="loss", optimizer=optimizer, optimize=level, style=style)
    state = step.init(seed=1)
    losses = [step(state, **arrays(batch))["loss"] for batch in BATCHES]
    return state, losses


@pytest.mark.parametrize("optimizer", OPTIMIZER_TEXTS)
def test_a_lazy_step_is_the_dense_step_of_the_rows_that_are_read(optimizer: str) -> None:
    """Row by row against the dense step: a row and its slots move when read, and only then."""
    lazy = gc.compile(model(True), minimize="loss", optimizer=optimizer, style="readable")
    dense = gc.compile(model(False), minimize="loss", optimizer=optimizer, optimize=0)
    state = lazy.init(seed=1)
    for batch in BATCHES:
        expected = {name: array.copy() for name, array in state.items()}
        before = {name: array.copy() for name, array in state.items()}
        dense(expected, **arrays(batch))
        lazy(state, **arrays(batch))
        read = np.unique(np.array(batch[1]) % VOCABULARY)
        both = np.union1d(read, np.array(batch[0]) % VOCABULARY)
        for name, array in state.items():
            if name == "b" or name.startswith("b.") or name.endswith(".step"):
                np.testing.assert_allclose(array, expected[name], rtol=1e-12, err_msg=name)
                continue
            touched = np.isin(np.arange(VOCABULARY), read if name.startswith("other") else both)
            if optimizer == "sgd(0.5)":
                touched[:] = True  # a gradient of 0 moves nothing anyway
            np.testing.assert_allclose(
                array[touched], expected[name][touched], rtol=1e-12, err_msg=name
            )
            np.testing.assert_array_equal(array[~touched], before[name][~touched], err_msg=name)


@pytest.mark.parametrize("optimizer", OPTIMIZER_TEXTS)
@pytest.mark.parametrize("sparse", [True, False])
def test_every_level_and_style_is_the_reference(optimizer: str, sparse: bool) -> None:
    graph = model(sparse)
    plain = gc.compile(graph, minimize="loss", optimizer=optimizer, optimize=0)
    expected = plain.init(seed=1)
    losses = [gc.interpret(plain.graph, expected, **arrays(batch))["loss"] for batch in BATCHES]
    for level in (0, 1, 2, 3):
        for style in ("readable", "fast"):
            state, got = trained(graph, optimizer, level, style)
            np.testing.assert_allclose(got, losses, rtol=1e-11)
            for name, array in state.items():
                np.testing.assert_allclose(array, expected[name], rtol=1e-10, atol=1e-13)


def test_the_list_of_optimizers_is_whole() -> None:
    named = {text.partition("(")[0] for text in OPTIMIZER_TEXTS}
    assert named | {"max_norm"} >= set(OPTIMIZERS) - NOT_ELEMENTWISE


#: Optimizers that look at whole parameters, and say so when they are given a sparse one.
NOT_ELEMENTWISE = {"max_norm"}


@pytest.mark.parametrize("optimizer", ["max_norm(sgd(0.1), 1.0)", "max_norm(adam(0.1), 1.0)"])
def test_what_needs_whole_parameters_refuses_sparse_ones(optimizer: str) -> None:
    with pytest.raises(gc.GraphError, match=r"needs whole parameters, but 'words' is sparse"):
        gc.compile(model(True), minimize="loss", optimizer=optimizer)


@pytest.mark.parametrize("sparse", [True, False])
def test_an_empty_batch_changes_nothing(sparse: bool) -> None:
    ids = gc.input("ids", ("N",), dtype="int64")
    table = gc.nn.embedding(ids, 5, 2, name="table", sparse=sparse)
    graph = gc.graph({"loss": gc.sum(table * table)}, name="empty")
    for style in ("readable", "fast"):
        step = gc.compile(graph, minimize="loss", optimizer="adam(0.1)", style=style)
        state = step.init(seed=0)
        before = state["table.W"].copy()
        assert step(state, ids=np.zeros(0, np.int64))["loss"] == 0
        np.testing.assert_array_equal(state["table.W"], before)


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize(
    ("optimizer", "sparse"), [("sgd(0.1)", False), ("adam(0.1)", True), ("adagrad(0.1)", True)]
)
def test_a_step_never_allocates_an_array_of_the_tables_size(
    optimizer: str, sparse: bool, style: str
) -> None:
    """A table of 100,000 x 100 float32 takes 40 MB; the step of a small batch stays below 5."""
    ids = gc.input("ids", ("N",), dtype="int64")
    rows = gc.nn.embedding(ids, 100_000, 100, name="table", sparse=sparse)
    graph = gc.graph({"loss": gc.mean(rows * rows)}, name="large")
    step = gc.compile(graph, minimize="loss", optimizer=optimizer, style=style)
    state = step.init(seed=0)
    batch = np.random.default_rng(0).integers(0, 100_000, 256)
    tracemalloc.start()
    try:
        step(state, ids=batch)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5e6


def test_the_dense_gradient_is_there_for_whoever_asks() -> None:
    graph = model(True)
    step = gc.compile(graph, minimize="loss", optimizer="sgd(0.5)", style="readable")
    derivative = gc.compile(graph, gradient_of="loss")
    state = step.init(seed=1)
    wanted = derivative(state, **arrays(BATCHES[0]))
    for style in ("readable", "fast"):
        step = gc.compile(graph, minimize="loss", optimizer="sgd(0.5)", style=style)
        state, gradients = step.init(seed=1), {}
        step.function(state, *arrays(BATCHES[0]).values(), gradients=gradients)
        assert gradients.keys() == {"words", "other.W", "b"}
        for name, gradient in gradients.items():
            np.testing.assert_allclose(gradient, wanted[f"d_loss_d_{name}"], rtol=1e-12)


def test_a_gradient_comes_as_rows_and_values_on_request() -> None:
    graph = model(False)
    given = arrays(BATCHES[0])
    state = graph.init(seed=1)
    sparse = gc.compile(graph.gradient("loss", sparse=True))(state, **given)
    dense = gc.compile(graph.gradient("loss"))(state, **given)
    assert sparse.keys() ^ dense.keys() == {f"d_loss_d_{name}" for name in ("words", "other.W")} | {
        f"d_loss_d_{n}.{part}" for n in ("words", "other.W") for part in ("rows", "values")
    }
    for name, count in (("words", 12), ("other.W", 8)):
        rows = sparse[f"d_loss_d_{name}.rows"]
        assert rows.shape == (count,)
        total = np.zeros((VOCABULARY, SIZE))
        np.add.at(total, rows, sparse[f"d_loss_d_{name}.values"])
        np.testing.assert_allclose(total, dense[f"d_loss_d_{name}"], rtol=1e-12)


@pytest.mark.parametrize("seed", [-5.0, 0.0, 2.0])
def test_a_sparse_parameter_keeps_its_mark_in_text(seed: float) -> None:
    graph = gc.graph({"y": gc.sum(gc.param("W", (4, 2), init=seed, sparse=True))}, name="marked")
    again = gc.parse(str(graph))
    assert again == graph
    assert again.params["W"].attrs["sparse"]


def test_positions_of_padding_give_zeros_and_change_nothing() -> None:
    ids = gc.input("ids", ("N",), dtype="int64")
    rows = gc.nn.embedding(ids, 5, 2, name="table", padding_idx=-5)
    graph = gc.graph({"loss": gc.sum(gc.exp(rows)), "rows": rows}, name="padded")
    step = gc.compile(graph, minimize="loss", optimizer="sgd(0.1)")
    state = step.init(seed=0)
    before = state["table.W"].copy()
    got = step(state, ids=np.array([0, 3, 0]))["rows"]
    np.testing.assert_array_equal(got, [[0, 0], before[3], [0, 0]])
    np.testing.assert_array_equal(state["table.W"][[0, 1, 2, 4]], before[[0, 1, 2, 4]])
    assert (state["table.W"][3] != before[3]).all()


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize(("ids", "got"), [([1, 5, 2], r"5 at \[1\]"), ([0, 1, -6], r"-6 at \[2\]")])
def test_an_index_out_of_range_names_argument_index_and_size(
    style: str, ids: list[int], got: str
) -> None:
    node = gc.input("ids", ("N",), dtype="int64")
    graph = gc.graph({"loss": gc.sum(gc.nn.embedding(node, 5, 2, name="table"))}, name="lookup")
    message = rf"(?s)input 'ids' holds an index out of range.*{got}.*0 to 4, .* of table\.W"
    step = gc.compile(graph, minimize="loss", optimizer="sgd(0.1)", style=style)
    state = step.init(seed=0)
    before = state["table.W"].copy()
    with pytest.raises(gc.GraphError, match=message):
        step(state, ids=np.array(ids))
    np.testing.assert_array_equal(state["table.W"], before)
    with pytest.raises(gc.GraphError, match=message):
        gc.interpret(graph, state, ids=np.array(ids))


def test_an_index_that_is_computed_is_named_by_its_formula() -> None:
    ids = gc.input("ids", ("N",), dtype="int64")
    graph = gc.graph({"y": gc.nn.embedding(ids + 1, 5, 2, name="table")}, name="shifted")
    f = gc.compile(graph)
    with pytest.raises(gc.GraphError, match=r"(?s)ids \+ 1 holds an index out of range.*5"):
        f(f.init(), ids=np.array([4]))


def test_what_does_not_fit_an_embedding() -> None:
    ids = gc.input("ids", ("N",), dtype="int64")
    with pytest.raises(gc.GraphError, match="given weight is not a sparse parameter"):
        gc.nn.embedding(ids, 5, 2, weight=gc.param("W", (5, 2)), sparse=True)
    with pytest.raises(gc.GraphError, match="padding_idx lies outside the table"):
        gc.nn.embedding(ids, 5, 2, padding_idx=5)
    with pytest.raises(gc.GraphError, match="must hold integers"):
        gc.nn.embedding(gc.input("x", ("N",)), 5, 2)


def test_a_sparse_parameter_that_is_used_whole_is_an_error() -> None:
    ids = gc.input("ids", ("N",), dtype="int64")
    table = gc.param("W", (5, 2), sparse=True)
    rows = gc.nn.embedding(ids, 5, 2, weight=table)
    graph = gc.graph({"loss": gc.sum(rows * rows) + gc.nn.l2(table)}, name="decayed")
    with pytest.raises(gc.GraphError, match="gradient of the sparse parameter 'W' is not made of"):
        gc.compile(graph, minimize="loss", optimizer="adam(0.1)")
    # Plain sgd needs no rows: it subtracts whatever the gradient is.
    gc.compile(graph, minimize="loss", optimizer="sgd(0.1)")


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_padding_is_found_from_the_end_too(style: str) -> None:
    ids = gc.input("ids", ("N",), dtype="int64")
    rows = gc.nn.embedding(ids, 4, 2, name="e", padding_idx=3, init=1.0)
    step = gc.compile(
        gc.graph({"loss": gc.sum(rows), "rows": rows}),
        minimize="loss",
        optimizer=gc.optim.sgd(1.0),
        style=style,
    )
    state = step.init()
    found = step(state, ids=[-1, 3, 0, -4])["rows"]
    np.testing.assert_array_equal(found[:, 0], [0, 0, 1, 1])
    np.testing.assert_array_equal(state["e.W"][:, 0], [-1, 1, 1, 1])
