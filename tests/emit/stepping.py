"""Compare compiled steps with the reference over several calls: outputs, state, what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import graphc as gc
from graphc.compile import emit
from graphc.emit import function_name
from graphc.ir.graph import Graph
from graphc.rewrite.lower import lower
from graphc.run.compiled import CompiledFunction

STYLES = ("readable", "fast")
Arrays = Mapping[str, np.ndarray]


def compiled(graph: Graph, style: str) -> CompiledFunction:
    """Return the graph as it stands, emitted and loaded: no pass may hide a mistake."""
    lowered = lower(graph)
    return CompiledFunction(lowered, emit(graph, style=style), function_name(lowered))


def assert_same(got: Mapping[str, Any], expected: Arrays, told: str) -> None:
    assert set(got) == set(expected), told
    for name, value in expected.items():
        array = np.asarray(got[name])
        assert (array.dtype, array.shape) == (value.dtype, value.shape), f"{told}: {name}"
        np.testing.assert_allclose(array, value, rtol=1e-9, atol=1e-9, err_msg=f"{told}: {name}")


def assert_steps_agree(
    graph: Graph,
    state: Arrays,
    calls: Sequence[Arrays],
    function: CompiledFunction | None = None,
    style: str = "fast",
) -> CompiledFunction:
    """Call the compiled graph and `gc.interpret` in turn, and compare all that can be seen."""
    function = function or compiled(graph, style)
    mine = {name: state[name].copy() for name in function.graph.params}
    judge = {name: value.copy() for name, value in state.items()}
    draws = function.draws
    earlier: list[tuple[dict[str, Any], dict[str, np.ndarray]]] = []
    for number, inputs in enumerate(calls):
        told = f"{style}, call {number}\n{function.source}"
        before = {name: value.copy() for name, value in inputs.items()}
        rngs = [np.random.default_rng(number) if draws else None for _ in range(2)]
        with np.errstate(all="ignore"):
            expected = gc.interpret(graph, judge or None, rng=rngs[0], **inputs)
            got = function(mine or None, rng=rngs[1], **inputs)
        assert_same(got, expected, told)
        assert_same(mine, {name: judge[name] for name in mine}, f"state, {told}")
        assert_same(inputs, before, f"inputs, {told}")
        for values, then in earlier:
            assert_same(values, then, f"outputs of an earlier call, {told}")
        _write_into(got, earlier, told)
    return function


def _write_into(
    got: dict[str, Any], earlier: list[tuple[dict[str, Any], dict[str, np.ndarray]]], told: str
) -> None:
    """Spoil one output, as its owner may: no other output, call or state shows it."""
    arrays = [name for name, value in got.items() if np.ndim(value)]
    if arrays:
        rest = {k: np.array(v) for k, v in got.items() if k != arrays[0]}
        got[arrays[0]][...] = 0
        assert_same({k: got[k] for k in rest}, rest, f"outputs share memory, {told}")
    earlier.append((dict(got), {name: np.array(value) for name, value in got.items()}))
