"""Compiled functions: fast and careful calls, aliasing, threads, tracebacks."""

from __future__ import annotations

import threading
import time
import traceback
from pathlib import Path

import numpy as np
import pytest

from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ops import OPS
from graphc.run.compiled import CompiledFunction
from graphc.run.reference import interpret


class Sub(np.ndarray):
    """Any subclass of an array: its own operators must not reach emitted code."""


STEP = '''
import numpy as np


def init(seed=0):
    """Return freshly initialized parameters."""
    return {"W": np.random.default_rng(seed).normal(size=(3, 2)).astype(np.float32)}


def step(state, x, y, workspace=None):
    """Take one step."""
    W = state["W"]
    calls = workspace.setdefault("calls", [])
    calls.append((x, y))
    z = workspace.get(x.shape)
    if z is None:
        z = workspace[x.shape] = np.empty((len(x), 2), np.float32)
    np.matmul(x, W, out=z)
    loss = (z * y).sum()
    W -= np.float32(0.5) * (x.T @ y)
    return {"loss": loss, "z": z.copy()}
'''


def step_graph() -> Graph:
    x, y = OPS["input"]("x", ("N", 3)), OPS["input"]("y", ("N", 2))
    W = OPS["param"]("W", (3, 2))
    z = OPS["einsum"](x, W, spec="ij,jk->ik")
    gradient = OPS["einsum"](x, y, spec="ij,ik->jk")
    updates = {"W": OPS["subtract"](W, OPS["multiply"](gradient, 0.5))}
    outputs = {"loss": OPS["sum"](OPS["multiply"](z, y)), "z": z}
    return Graph(outputs, updates=updates, name="step")


def step_function() -> CompiledFunction:
    return CompiledFunction(step_graph(), STEP, "step", history=("pass",))


def batch(rows: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        "x": rng.normal(size=(rows, 3)).astype("f4"),
        "y": rng.normal(size=(rows, 2)).astype("f4"),
    }


def scalar_function(source: str, **inputs: str) -> CompiledFunction:
    leaves = [OPS["input"](name, (), dtype) for name, dtype in inputs.items()]
    total = leaves[0]
    for leaf in leaves[1:]:
        total = OPS["add"](total, leaf)
    return CompiledFunction(Graph({"y": total}), source, "f")


def test_it_agrees_with_the_reference_and_updates_in_place() -> None:
    step = step_function()
    state, other = step.init(seed=1), step.init(seed=1)
    W = state["W"]
    for rows in (4, 7, 4):
        got = step(state, **batch(rows))
        expected = interpret(step.graph, other, **batch(rows))
        np.testing.assert_allclose(got["loss"], expected["loss"], rtol=1e-5)
        np.testing.assert_allclose(state["W"], other["W"], rtol=1e-5)
    assert state["W"] is W


def test_facts_of_a_compiled_function(tmp_path: Path) -> None:
    step = step_function()
    assert step.source == STEP and step.history == ("pass",) and step.__name__ == "step"
    assert repr(step) == "<compiled step(state, x, y) -> loss, z>"
    step.save(tmp_path / "m.py")
    assert (tmp_path / "m.py").read_text() == STEP
    assert [p.name for p in tmp_path.iterdir()] == ["m.py"]
    with pytest.raises(GraphError, match="cannot write"):
        step.save(tmp_path / "nowhere" / "m.py")


def test_fitting_arrays_are_passed_on_as_they_are() -> None:
    step, data = step_function(), batch()
    state = step.init()
    for _ in range(3):
        step(state, **data)
    calls = step._workspaces.buffers["calls"]
    assert all(x is data["x"] and y is data["y"] for x, y in calls)


@pytest.mark.parametrize(
    "form",
    [
        lambda a: a.astype("f8"),
        lambda a: a.astype(">f4"),
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 2, axis=0)[::2],
        lambda a: a.view(Sub),
        lambda a: a.tolist(),
    ],
    ids=["float64", "swapped", "fortran", "strided", "subclass", "list"],
)
def test_other_forms_of_the_same_numbers_give_the_same_result(form: object) -> None:
    step = step_function()
    plain = step(step.init(), **batch())
    for _ in range(2):  # the second call takes the path of known shapes
        got = step(step.init(), **{name: form(array) for name, array in batch().items()})
        np.testing.assert_array_equal(got["z"], plain["z"])
        assert got["z"].dtype == np.float32


def test_read_only_inputs_are_fine_and_inputs_are_never_written() -> None:
    step, data = step_function(), batch()
    before = {name: array.copy() for name, array in data.items()}
    for array in data.values():
        array.flags.writeable = False
    step(step.init(), **data)
    for name in data:
        np.testing.assert_array_equal(data[name], before[name])


def test_the_same_array_may_be_passed_twice() -> None:
    f = scalar_function("def f(a, b):\n    return {'y': a + b}\n", a="float32", b="float32")
    twice = np.array(1.5, "f4")
    assert f(a=twice, b=twice)["y"] == 3


def test_an_input_that_views_a_parameter_keeps_its_old_value() -> None:
    step = step_function()
    block = np.arange(12, dtype="f4").reshape(4, 3)
    state = {"W": block[:3, :2]}
    other = {"W": block[:3, :2].copy()}
    y = np.ones((4, 2), "f4")
    step(other, x=block.copy(), y=y)  # makes the shapes known
    expected = interpret(step.graph, {"W": block[:3, :2].copy()}, x=block, y=y)
    for _ in range(2):
        block[...] = np.arange(12).reshape(4, 3)
        got = step(state, x=block, y=y)
        np.testing.assert_array_equal(got["loss"], expected["loss"])
        x_given = step._workspaces.buffers["calls"][-1][0]
        assert not np.shares_memory(x_given, block)


def test_states_may_change_between_calls() -> None:
    step, data = step_function(), batch()
    first, second = step.init(1), step.init(2)
    for _ in range(3):
        for state in (first, second):
            expected = data["x"] @ state["W"]
            np.testing.assert_allclose(step(state, **data)["z"], expected, rtol=1e-5)
    first["W"] = np.zeros((3, 2), "f4")
    assert step(first, **data)["loss"] == 0
    assert first["W"].any()


def test_a_known_state_is_checked_again_when_its_arrays_are_replaced() -> None:
    step, data = step_function(), batch()
    state = step.init()
    step(state, **data)
    state["W"] = state["W"].astype("f8")
    with pytest.raises(GraphError, match="parameter 'W' is updated in place"):
        step(state, **data)
    del state["W"]
    with pytest.raises(GraphError, match="lacks parameter 'W'"):
        step(state, **data)


def test_wrong_calls_say_what_is_wrong_also_after_good_calls() -> None:
    step, data = step_function(), batch()
    state = step.init()
    step(state, **data)
    bad: list[tuple[str, dict]] = [
        ("no input called 'z'", {**data, "z": 1}),
        ("input 'y' is missing", {"x": data["x"]}),
        ("but N = 4", {**data, "y": data["y"][:3]}),
        ("input 'x' has the wrong dtype", {**data, "x": data["x"] * 1j}),
    ]
    for words, inputs in bad:
        with pytest.raises(GraphError, match=words):
            step(state, **inputs)
    with pytest.raises(GraphError, match="needs a state"):
        step(**data)
    with pytest.raises(GraphError, match="needs a state"):
        step(data["x"], **data)


def test_scalars_are_weak_and_lists_are_arrays() -> None:
    f = scalar_function("def f(a, b):\n    return {'y': a + b}\n", a="float32", b="float32")
    for a, b in [(2.0, 5.0), (2, 5), (np.float64(2), True + 4), ([], None)]:
        if b is None:
            with pytest.raises(GraphError, match="input 'a' has the wrong shape"):
                f(a=a, b=5.0)
            continue
        y = f(a=a, b=b)["y"]
        assert y == 7 and y.dtype == np.float32
    with pytest.raises(GraphError, match="cannot hold exactly"):
        f(a=1e300, b=0.0)
    with pytest.raises(GraphError, match="takes no state"):
        f({"a": 1.0}, a=1.0, b=2.0)
    assert np.isnan(f(a=float("nan"), b=0.0)["y"])


@pytest.mark.parametrize("name", ["lambda", "np", "self", "x y", "state", "α", "graph"])
def test_names_of_inputs_are_free(name: str) -> None:
    f = scalar_function("def f(a):\n    return {'y': a}\n", **{name: "float32"})
    assert f(**{name: 2.0})["y"] == 2


def test_a_graph_that_draws_takes_rng() -> None:
    graph = Graph({"y": OPS["random_normal"]((3,))})
    source = (
        "import numpy as np\ndef f(rng):\n    return {'y': rng.standard_normal(3, np.float32)}\n"
    )
    f = CompiledFunction(graph, source, "f")
    got = f(rng=np.random.default_rng(5))["y"]
    np.testing.assert_array_equal(got, interpret(graph, rng=np.random.default_rng(5))["y"])
    with pytest.raises(GraphError, match="needs a generator"):
        f()


def test_check_finite_names_the_node() -> None:
    x = OPS["input"]("x", (2,))
    graph = Graph({"y": OPS["log"](x)})
    f = CompiledFunction(graph, "import numpy as np\ndef f(x):\n    return {'y': np.log(x)}\n", "f")
    f(x=np.ones(2, "f4"), check_finite=True)
    with pytest.raises(GraphError, match="the first infinity appears in y = ln x"):
        f(x=np.zeros(2, "f4"), check_finite=True)


def test_tracebacks_show_emitted_lines() -> None:
    source = "def f(a):\n    table = [1, 2]\n    return {'y': table[int(a)]}  # look up\n"
    f = scalar_function(source, a="float32")
    with pytest.raises(IndexError) as error:
        f(a=7.0)
    text = "".join(traceback.format_exception(error.value))
    assert "return {'y': table[int(a)]}" in text and "line 3" in text


def test_two_threads_do_not_share_a_workspace() -> None:
    step = step_function()
    failures: list[str] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        state = step.init(seed)
        W = state["W"].copy()
        for _ in range(1000):
            x = rng.normal(size=(5, 3)).astype("f4")
            y = rng.normal(size=(5, 2)).astype("f4")
            z = step(state, x=x, y=y)["z"]
            if not np.allclose(z, x @ W, rtol=1e-4, atol=1e-4):
                failures.append(f"thread {seed}")
                return
            W -= np.float32(0.5) * (x.T @ y)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_call_costs_a_few_microseconds() -> None:
    graph = step_graph()
    source = "def step(state, x, y, workspace=None):\n    return {}\n"
    step = CompiledFunction(graph, source, "step")
    state, data = {"W": np.ones((3, 2), "f4")}, batch()
    step(state, **data)
    best = min(_seconds(step, state, data) for _ in range(20))
    assert best / 200 < 20e-6  # about 2 µs on an idle machine


def _seconds(step: CompiledFunction, state: dict, data: dict) -> float:
    started = time.process_time()
    for _ in range(200):
        step(state, **data)
    return time.process_time() - started
