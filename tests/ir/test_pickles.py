"""Graphs and compiled functions travel: pickles, copies, and work in other processes."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.ops.random import Draw

ROOT = Path(__file__).parent.parent.parent
MODELS = sorted((ROOT / "examples").glob("*.graph"))


def network() -> gc.Graph:
    """Return a graph with all that is delicate: a loop, draws, state, a constant, two dims."""
    x, y = gc.input("x", ("T", "N", 3)), gc.input("y", ("N",), dtype="int64")
    _, h, _ = gc.nn.lstm(x, 8, name="lstm")
    h = gc.nn.dropout(gc.nn.batch_norm(h, name="norm"), 0.3) * gc.constant(np.linspace(0, 1, 8))
    z = gc.nn.dense(h.astype("float32"), 5, name="top", init=gc.init.he_normal())
    return gc.graph({"loss": gc.nn.softmax_cross_entropy(z, y).mean(), "z": z}, name="network")


def sequence() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"x": rng.normal(size=(4, 6, 3)), "y": rng.integers(0, 5, 6)}


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_graph_survives_pickling(path: Path) -> None:
    graph = gc.load(path)
    again = pickle.loads(pickle.dumps(graph))
    assert again == graph and str(again) == str(graph) and again is not graph
    assert (again.name, again.doc) == (graph.name, graph.doc)
    assert list(again.labels.values()) == list(graph.labels.values())
    assert [n.provenance for n in again.nodes] == [n.provenance for n in graph.nodes]


def test_every_stage_survives_pickling() -> None:
    graph = network()
    for stage in (graph.gradient("loss"), gc.optimize(graph), graph.for_inference()):
        assert pickle.loads(pickle.dumps(stage)) == stage


def test_draws_that_arrive_are_new_ones_in_their_old_order() -> None:
    x = gc.input("x", (3,))
    first, second = gc.nn.dropout(x, 0.2), gc.nn.dropout(x, 0.4)
    graph = gc.graph({"y": second + first})
    again = pickle.loads(pickle.dumps(graph))

    def draws(g: gc.Graph) -> list[int]:
        return [n.attrs["draw"] for n in g.nodes if isinstance(n.op, Draw)]

    assert not set(draws(again)) & set(draws(graph))
    assert np.argsort(draws(again)).tolist() == np.argsort(draws(graph)).tolist()


def test_a_pickle_holds_for_other_hashes() -> None:
    code = (
        "import pickle, sys; sys.stdout.buffer.write(pickle.dumps(pickle.load(sys.stdin.buffer)))"
    )
    graph = gc.compile(network(), minimize="loss", optimizer="adam(0.01)").graph
    there = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(graph),
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    again = pickle.loads(there.stdout)
    assert again == graph and hash(again) == hash(graph)


def test_a_deep_graph_survives_pickling() -> None:
    y = gc.input("x", (2,))
    for _ in range(20_000):
        y = gc.sin(y)
    graph = gc.graph({"y": y})
    assert pickle.loads(pickle.dumps(graph)) == graph


def test_values_copy_to_themselves() -> None:
    graph = network()
    node = graph.find("z")
    assert copy.copy(node) is node and copy.deepcopy(node) is node
    assert copy.copy(graph) is graph
    held = copy.deepcopy({"graph": graph, "weights": [1]})
    assert held["graph"] is graph


def test_a_node_is_pickled_in_its_graph() -> None:
    with pytest.raises(gc.GraphError, match=r"only in its graph"):
        pickle.dumps(network().find("z"))


@pytest.mark.parametrize("style", ["fast", "readable"])
def test_a_compiled_function_survives_pickling(style: str) -> None:
    step = gc.compile(network(), minimize="loss", optimizer="sgd(0.1)", style=style)
    again = pickle.loads(pickle.dumps(step))
    assert again.source == step.source and repr(again) == repr(step)
    states, results = [], []
    for function in (step, again):
        states.append(function.init(seed=1))
        results.append(function(states[-1], rng=np.random.default_rng(3), **sequence()))
    np.testing.assert_array_equal(results[0]["z"], results[1]["z"])
    for name in states[0]:
        np.testing.assert_array_equal(states[0][name], states[1][name])
    used = pickle.loads(pickle.dumps(again)).for_inference()
    np.testing.assert_array_equal(
        used(states[1], **sequence())["z"], step.for_inference()(states[0], **sequence())["z"]
    )
    assert again.for_inference() is again.for_inference()
    assert copy.deepcopy(step).source == step.source


def loss_of(work: tuple[gc.Graph, int]) -> float:
    graph, seed = work
    function = gc.compile(graph.for_inference())
    return float(function(function.init(seed), **sequence())["loss"])


def test_graphs_are_work_for_other_processes() -> None:
    graph = network()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(loss_of, [(graph, seed) for seed in range(3)])
    assert found == [loss_of((graph, seed)) for seed in range(3)] and len(set(found)) == 3
