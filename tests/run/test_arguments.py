"""Calls are bound the same way everywhere: what converts, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from graphc.errors import GraphError
from graphc.ir.dims import as_dim
from graphc.ir.graph import Graph
from graphc.ops import OPS
from graphc.run.arguments import as_array, bind
from graphc.run.reference import interpret

FLOAT32, FLOAT64 = np.dtype("float32"), np.dtype("float64")
INT32, INT64, BOOL = np.dtype("int32"), np.dtype("int64"), np.dtype("bool")


class Sub(np.ndarray):
    """Any subclass of an array: its own operators must not reach emitted code."""


def affine() -> Graph:
    x, y = OPS["input"]("x", ("N", 3)), OPS["input"]("y", ("N",), "int64")
    W = OPS["param"]("W", (3, 2))
    return Graph({"z": OPS["einsum"](x, W, spec="ij,jk->ik"), "y": y}, name="affine")


def call(graph: Graph | None = None, state: object = None, **inputs: object) -> dict:
    graph = graph or affine()
    state = {"W": np.ones((3, 2), "f4")} if state is None else state
    good = {"x": np.ones((4, 3), "f4"), "y": np.zeros(4, "i8")}
    return bind(graph, state, {**good, **inputs})[1]


def message(*args: object, **kwargs: object) -> str:
    with pytest.raises(GraphError) as error:
        call(*args, **kwargs)
    return str(error.value)


def test_sizes_of_named_dims_are_read_from_the_arrays() -> None:
    assert call() == {"N": 4}


def test_empty_batch_is_a_batch() -> None:
    assert call(x=np.ones((0, 3), "f4"), y=np.zeros(0, "i8")) == {"N": 0}


def test_missing_input_is_named_with_its_type() -> None:
    with pytest.raises(GraphError, match="input 'y' is missing") as error:
        bind(affine(), {"W": np.ones((3, 2), "f4")}, {"x": np.ones((4, 3), "f4")})
    assert "y: i64[N]" in str(error.value)


def test_surplus_input_offers_the_nearest_name() -> None:
    text = message(X=np.ones((4, 3)))
    assert "no input called 'X'" in text and "did you mean 'x'?" in text


def test_parameter_among_the_inputs_is_sent_to_the_state() -> None:
    assert "belongs into the state" in message(W=np.ones((3, 2)))


def test_state_is_required_and_checked() -> None:
    with pytest.raises(GraphError, match="needs a state"):
        bind(affine(), None, {"x": np.ones((4, 3)), "y": [0] * 4})
    assert "lacks parameter 'W'" in message(state={"V": np.ones((3, 2), "f4")})
    assert "rename it" in message(state={"w": np.ones((3, 2), "f4")})
    assert "parameter 'W' has the wrong shape" in message(state={"W": np.ones((4, 2), "f4")})


def test_state_may_hold_more_than_the_graph_needs() -> None:
    assert call(state={"W": np.ones((3, 2), "f4"), "W.momentum": np.ones(3)}) == {"N": 4}


def test_state_may_be_given_by_name() -> None:
    state = {"W": np.ones((3, 2), "f4")}
    _, sizes = bind(affine(), None, {"x": np.ones((5, 3)), "y": [0] * 5, "state": state})
    assert sizes == {"N": 5}


def test_graph_without_parameters_takes_no_state() -> None:
    graph = Graph({"y": OPS["exp"](OPS["input"]("x", ()))})
    with pytest.raises(GraphError, match="takes no state"):
        bind(graph, {"x": 1.0}, {})
    assert bind(graph, {}, {"x": 1.0})[1] == {}


def test_dim_bound_twice_says_who_bound_it_first() -> None:
    text = message(y=np.zeros(5, "i8"))
    assert "input 'y'" in text
    assert "axis 0 has size 5, but N = 4 (from input 'x' axis 0)" in text


def test_rank_and_fixed_size_are_checked() -> None:
    assert "it has 1 axis, not 2" in message(x=np.ones(3, "f4"))
    assert "axis 1 has size 4, not 3" in message(x=np.ones((4, 4), "f4"))


def test_expressions_are_checked_after_symbols() -> None:
    n = as_dim("N")
    twice = OPS["input"]("twice", (2 * n + 1,))
    once = OPS["input"]("once", (n,))
    graph = Graph({"a": twice, "b": once})
    assert bind(graph, None, {"twice": np.zeros(7), "once": np.zeros(3)})[1] == {"N": 3}
    with pytest.raises(GraphError, match=r"2\*N \+ 1 = 7 with N = 3 \(from input 'once' axis 0\)"):
        bind(graph, None, {"twice": np.zeros(8), "once": np.zeros(3)})


def test_a_linear_expression_fixes_its_symbol() -> None:
    graph = Graph({"a": OPS["input"]("a", (2 * as_dim("N"),))})
    assert bind(graph, None, {"a": np.zeros(6)})[1] == {"N": 3}
    with pytest.raises(GraphError, match="does not fix N"):
        bind(graph, None, {"a": np.zeros(5)})


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (3, FLOAT32),
        (True, FLOAT64),
        ([1, 2], FLOAT32),
        (np.arange(4, dtype="u1"), FLOAT32),
        (np.array([2**24]), FLOAT32),
        (np.ones(3), FLOAT32),
        (np.ones(3, "f2"), FLOAT64),
        (np.ones(3, ">f8"), FLOAT64),
        (np.ones(3, ">i4"), INT64),
        (np.asfortranarray(np.ones((3, 4))), FLOAT32),
        (np.ones((6, 4))[::2, ::-1], FLOAT64),
        (np.ones((1, 2)).view(Sub), FLOAT64),
        (np.array([5]), INT32),
        ([], INT64),
        ([True, False], BOOL),
    ],
    ids=str,
)
def test_conversion_keeps_values(value: object, dtype: np.dtype) -> None:
    array = as_array(value, dtype, "input 'x'")
    assert type(array) is np.ndarray and array.dtype == dtype and array.dtype.isnative
    np.testing.assert_array_equal(array, np.asarray(value))


def test_a_fitting_array_is_not_copied() -> None:
    array = np.ones((3, 4), "f4")
    assert as_array(array, FLOAT32, "x") is array


class Sparse:
    """What NumPy makes of a matrix of another library: an object."""

    def __repr__(self) -> str:  # as the test's name has it, which every process calls alike
        return "sparse"

    def toarray(self) -> np.ndarray:
        return np.eye(3)


@pytest.mark.parametrize(
    ("value", "dtype", "words"),
    [
        (np.array([2**24 + 1]), FLOAT32, "cannot hold exactly"),
        (np.array([2**53 + 1]), FLOAT64, "cannot hold exactly"),
        (np.array([2**40]), INT32, "cannot hold exactly"),
        (np.array([2**63], "u8"), INT64, "cannot hold exactly"),
        (np.array([1e300]), FLOAT32, "cannot hold exactly"),
        (2.0, INT64, "wrong dtype"),
        (np.array([0.5]), INT64, "round it on purpose"),
        ([0, 1], BOOL, "compare it"),
        ([0.0, 1.0], BOOL, "compare it"),
        ([1j], FLOAT64, "imaginary"),
        ([1, "a"], FLOAT64, "wrong dtype\n  got       text"),
        (None, FLOAT64, "wrong dtype\n  got       objects, such as None"),
        (np.array([0.5, "cat"], object), FLOAT64, "got       objects, such as 'cat'"),
        ([2**70], FLOAT64, "got       numbers as Python objects"),
        (np.ma.masked_greater(np.arange(4.0), 2), FLOAT64, "1 of 4 are masked"),
        ([[1, 2], [3]], FLOAT64, "same length"),
        (np.array(["1.5"]), FLOAT32, "where they are numbers: .astype(np.float32)"),
        (np.array([[1.5, 2]], object), FLOAT32, "where they are numbers: .astype(np.float32)"),
        (np.eye(3), INT64, "become indices by .argmax(axis=-1)"),
        (Sparse(), FLOAT64, "by .toarray()"),
    ],
    ids=str,
)
def test_conversion_refuses_to_guess(value: object, dtype: np.dtype, words: str) -> None:
    with pytest.raises(GraphError, match="input 'x'") as error:
        as_array(value, dtype, "input 'x'")
    assert words in str(error.value)


def test_arrays_of_other_libraries_say_what_they_need() -> None:
    class Tracked:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            raise RuntimeError("Use tensor.detach().numpy() instead.")

    with pytest.raises(GraphError, match="fix       Use tensor"):
        as_array(Tracked(), FLOAT32, "x")


def test_infinities_and_nans_convert() -> None:
    array = as_array(np.array([np.inf, -np.inf, np.nan]), FLOAT32, "x")
    np.testing.assert_array_equal(array, np.array([np.inf, -np.inf, np.nan], "f4"))


def test_a_node_is_not_data() -> None:
    with pytest.raises(GraphError, match="is not an array"):
        as_array(OPS["input"]("h", (3,)), FLOAT32, "input 'x'")


# -- states that updates write ---------------------------------------------------------------


def halving() -> Graph:
    a, b = OPS["param"]("a", (3,)), OPS["param"]("b", (3,))
    half = {"a": OPS["multiply"](a, 0.5), "b": OPS["multiply"](b, 0.5)}
    return Graph({"total": OPS["sum"](OPS["add"](a, b))}, updates=half, name="halving")


def refused(**state: object) -> str:
    with pytest.raises(GraphError) as error:
        bind(halving(), {"a": np.ones(3, "f4"), "b": np.ones(3, "f4"), **state}, {})
    return str(error.value)


def test_updated_parameters_must_be_writable_arrays_of_their_type() -> None:
    read_only = np.ones(3, "f4")
    read_only.flags.writeable = False
    assert "parameter 'b' is updated in place" in refused(b=[1, 1, 1])
    assert "float64" in refused(b=np.ones(3))
    assert "read-only" in refused(b=read_only)


def test_a_state_that_is_read_anew_at_each_access_would_lose_its_updates(tmp_path: Path) -> None:
    weights = {name: np.ones(3, "f4") for name in "ab"}
    np.savez(tmp_path / "state.npz", **weights)
    with np.load(tmp_path / "state.npz") as archive:
        with pytest.raises(GraphError, match="makes a new array") as error:
            bind(halving(), archive, {})
        assert "NpzFile" in str(error.value) and "state = dict(state)" in str(error.value)
        bind(halving(), dict(archive), {})
        reading = Graph({"total": OPS["sum"](OPS["param"]("a", (3,)))}, name="reading")
        bind(reading, archive, {})  # what is only read may come from anywhere
    bind(halving(), MappingProxyType(weights), {})


def test_updates_write_into_what_a_subclass_shows_by_plain_operators() -> None:
    """A matrix multiplies where an array goes element by element."""
    weights = {name: np.ones(3, "f4").view(Sub) for name in "ab"}
    env, _ = bind(halving(), weights, {})
    assert all(type(array) is np.ndarray for array in env.values())
    interpret(halving(), weights)
    assert (weights["a"] == 0.5).all()
    assert "1 of 3 are masked" in refused(b=np.ma.masked_array(np.ones(3, "f4"), [0, 0, 1]))


def test_a_state_without_slots_keeps_its_weights() -> None:
    a = OPS["param"]("a", (3,))
    slot = OPS["param"]("a.velocity", (3,), trainable=False, slot=True)
    graph = Graph({"total": OPS["sum"](OPS["add"](a, slot))}, name="moved")
    with pytest.raises(GraphError, match=r"\{\*\*f.init\(\), \*\*state\}"):
        bind(graph, {"a": np.ones(3, "f4")}, {})


def test_no_other_parameter_is_offered_under_a_missing_name() -> None:
    state = {"b": np.ones(3, "f4")}
    with pytest.raises(GraphError, match="lacks parameter 'a'") as error:
        bind(halving(), state, {})
    assert "rename" not in str(error.value)


def test_updated_parameters_must_not_share_memory() -> None:
    block = np.ones(4, "f4")
    assert "'a' and 'b' share memory" in refused(a=block[:3], b=block[1:])
    whole = np.ones(3, "f4")
    assert "'a' and 'b' share memory" in refused(a=whole, b=whole)


def test_parameters_may_be_parts_of_one_array() -> None:
    block = np.ones(6, "f4")
    bind(halving(), {"a": block[::2], "b": block[1::2]}, {})
    bind(halving(), {"a": block[:3], "b": block[3:]}, {})
