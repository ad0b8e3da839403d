"""Random training steps: any graph with updates gives the reference's outputs and state.

Parameters are read and overwritten in arbitrary patterns: swaps, chains, an update that is an
output, a view, a leaf or another parameter's update; outputs that are views of anything; sums
collected on shared bases. Compiled without passes, so that nothing is simplified away first.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from stepping import STYLES, Arrays, assert_steps_agree, compiled

import graphc as gc
from graphc.compile import emit
from graphc.ir.dims import same_shape
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, FORWARD, UPDATE, phase
from graphc.ops import OPS
from graphc.ops.leaf import constant, fill, input_, param

Draw = Callable[[st.SearchStrategy[Any]], Any]
Pool = list[Node]

SHAPES: tuple[tuple[int, ...], ...] = ((3, 3), (3, 3), (3,), (), (0, 3))
DTYPES = ("float64", "float64", "float64", "int64", "int32", "bool")


def of(draw: Draw, pool: Pool, suits: Callable[[Node], bool] = lambda _: True) -> Node:
    """Return a node of the pool that suits; recent ones are as likely as all others together."""
    found = [node for node in pool if suits(node)]
    return draw(st.sampled_from([*found[-3:], *found]))


def is_float(node: Node) -> bool:
    return node.dtype.kind == "f"


def square(node: Node) -> bool:
    return is_float(node) and node.shape == (3, 3)


def places(draw: Draw, pool: Pool, shape: tuple[int, ...]) -> Node:
    """Return indices from 0 to 2, constant or computed from an integer of the pool."""
    found = [n for n in pool if n.dtype.kind == "i" and n.shape == shape]
    if found and draw(st.booleans()):
        return OPS["remainder"](draw(st.sampled_from(found)), 3)
    values = draw(st.lists(st.integers(0, 2), min_size=3, max_size=3))
    return constant(np.array(values)) if shape else fill(values[0], (), np.dtype(np.int64))


# -- steps: each returns a new node whose values stay moderate -------------------------------------


def pointwise(draw: Draw, pool: Pool) -> Node:
    x = of(draw, pool, is_float)
    return OPS[draw(st.sampled_from(["tanh", "sin", "negative", "abs", "square"]))](OPS["sin"](x))


def binary(draw: Draw, pool: Pool) -> Node:
    a = of(draw, pool)
    b = of(draw, pool, lambda n: same_shape(n.shape, a.shape) or not n.shape)
    if draw(st.booleans()):
        b = draw(st.sampled_from([fill(2, (), a.dtype), fill(0.5, (), np.dtype(np.float64))]))
    if draw(st.booleans()):
        a, b = b, a
    if a.dtype.kind == b.dtype.kind == "b":
        return OPS[draw(st.sampled_from(["logical_xor", "logical_and", "add"]))](a, b)
    name = draw(st.sampled_from(["add", "subtract", "multiply", "maximum", "less"]))
    if "b" in (a.dtype.kind, b.dtype.kind) and name == "subtract":
        name = "add"
    result = OPS[name](a, b)
    if name == "multiply":
        return OPS["sin"](result) if is_float(result) else OPS["remainder"](result, 7)
    return result


def view(draw: Draw, pool: Pool) -> Node:
    x = of(draw, pool, lambda n: n.ndim > 0)
    kind = draw(st.sampled_from(["transpose", "flip", "tail", "reshape", "column"]))
    if kind == "transpose":
        return OPS["transpose"](x)
    if kind == "flip":
        return OPS["slice"](x, [slice(None, None, -1)])
    if kind == "tail":
        return OPS["slice"](x, [slice(1, None)])
    return OPS["reshape"](x, -1 if kind == "reshape" else (*x.shape, 1))


def spread(draw: Draw, pool: Pool) -> Node:
    return OPS["broadcast_to"](of(draw, pool, lambda n: n.shape in ((3,), ())), (3, 3))


def matrix(draw: Draw, pool: Pool) -> Node:
    a, b = of(draw, pool, square), of(draw, pool, square)
    kind = draw(
        st.sampled_from(["matmul", "turned", "roll", "einsum", "diagonal", "cumsum", "gather"])
    )
    if kind == "matmul":
        return OPS["tanh"](gc.matmul(a, b))
    if kind == "turned":
        return OPS["tanh"](gc.matmul(OPS["transpose"](a), b))
    if kind == "roll":
        parts = [OPS["slice"](a, [slice(1, None)]), OPS["slice"](a, [slice(0, 1)])]
        return OPS["concat"](*parts, axis=0)
    if kind == "einsum":
        return OPS["einsum"]("ij->ji", a)
    if kind == "diagonal":
        return OPS["einsum"]("ii->i", a)
    if kind == "cumsum":
        return OPS["sin"](OPS["cumsum"](a, axis=draw(st.sampled_from([0, 1]))))
    return OPS["gather"](a, places(draw, pool, draw(st.sampled_from([(), (3,)]))))


def collected(draw: Draw, pool: Pool) -> Node:
    """Return a sum collected on a base that others may read too."""
    base = of(draw, pool, square)
    if draw(st.booleans()):
        base = fill(draw(st.sampled_from([0.0, 1.5])), (3, 3), np.dtype(np.float64))
    values = of(draw, pool, square)
    kind = draw(st.sampled_from(["scatter", "columns", "along", "slice"]))
    if kind == "slice":
        part = OPS["slice"](values, [slice(0, 2)])
        return OPS["slice_add"](base, part, [(1, 3, 1), (0, 3, 1)])
    if kind == "along":
        index = OPS["reshape"](places(draw, pool, (3,)), (3, 1))
        return OPS["add_along_axis"](base, OPS["slice"](values, [slice(None), slice(0, 1)]), index)
    axis = 0 if kind == "scatter" else 1
    return OPS["scatter_add"](base, values, places(draw, pool, (3,)), axis=axis)


def folded(draw: Draw, pool: Pool) -> Node:
    x = of(draw, pool, is_float)
    kind = draw(st.sampled_from(["sum", "last", "argmax", "cast"]))
    if kind == "last" and x.ndim:
        return OPS["sum"](x, axis=-1)
    if kind == "argmax" and x.shape and 0 not in x.shape:
        return OPS["argmax"](x)
    if kind == "cast":
        return OPS["cast"](of(draw, pool, lambda n: n.dtype.kind in "bi"), "float64")
    return OPS["sin"](OPS["sum"](x))


def chosen(draw: Draw, pool: Pool) -> Node:
    x = of(draw, pool, is_float)
    y = of(draw, pool, lambda n: is_float(n) and same_shape(n.shape, x.shape))
    return OPS["where"](OPS["greater"](x, 0.25), y, draw(st.sampled_from([x, 0.0])))


def random(draw: Draw, pool: Pool) -> Node:
    kind = draw(st.sampled_from(["random_normal", "random_uniform"]))
    return OPS[kind]((3, 3), dtype="float64")


STEPS = [pointwise, binary, binary, view, view, spread, matrix, matrix, collected, collected]
STEPS += [folded, chosen, random]


@st.composite
def steps(draw: Draw) -> Graph:
    """Return a graph with parameters, random updates and random outputs."""
    params = []
    for i in range(draw(st.integers(1, 5))):
        shape, dtype = draw(st.sampled_from(SHAPES)), draw(st.sampled_from(DTYPES))
        params.append(param(f"p{i}", shape, dtype))
    params += [param("A", (3, 3), "float64"), param("B", (3, 3), "float64")]
    rows = gc.dim("N")
    batch = input_("x", (rows, 3), "float64")
    inputs = [batch, input_("k", (3,), "int64"), input_("s", (), "float64")]
    inputs.append(input_("M", (3, 3), "float64"))
    pool: Pool = [*params, *inputs[1:], OPS["sum"](batch, axis=0)]
    pool += [gc.matmul(OPS["transpose"](batch), batch), constant(np.eye(3) * 0.5)]
    for block in draw(st.sampled_from([(FORWARD, BACKWARD, UPDATE), (FORWARD,), (UPDATE,)])):
        with phase(block):
            for _ in range(draw(st.integers(1, 7))):
                node = draw(st.sampled_from(STEPS))(draw, pool)
                is_named = not node.op.is_leaf and draw(st.booleans())
                pool.append(node.named(f"v{len(pool)}") if is_named else node)
    updates = {}
    for leaf in params:
        fitting = [n for n in pool if n.type == leaf.type]
        if draw(st.integers(0, 3)):
            updates[leaf.attrs["name"]] = draw(st.sampled_from([*fitting[-3:], *fitting]))
    outputs = {f"o{i}": of(draw, pool) for i in range(draw(st.integers(1, 4)))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters that nothing reads
        return Graph(outputs, updates=updates, inputs=inputs, params=params)


def start(graph: Graph) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    drawn = {name: rng.uniform(0, 4, leaf.shape) for name, leaf in graph.params.items()}
    return {
        name: np.asarray(value / 4 if leaf.dtype.kind == "f" else np.floor(value)).astype(
            leaf.dtype
        )
        for (name, leaf), value in zip(graph.params.items(), drawn.values(), strict=True)
    }


def batches() -> list[Arrays]:
    rng = np.random.default_rng(4)
    return [
        {
            "x": rng.uniform(-1, 1, (rows, 3)),
            "k": rng.integers(0, 3, 3),
            "s": rng.uniform(-1, 1, ()),
            "M": rng.uniform(-1, 1, (3, 3)),
        }
        for rows in (2, 0, 3, 2)
    ]


SETTINGS = settings(max_examples=150, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("style", STYLES)
@SETTINGS
@given(graph=steps())
def test_a_step_gives_the_outputs_and_state_of_the_reference(style: str, graph: Graph) -> None:
    assert_steps_agree(graph, start(graph), batches(), style=style)


@settings(SETTINGS, max_examples=25)
@given(graph=steps())
def test_two_threads_do_not_meet(graph: Graph) -> None:
    function = compiled(graph, "fast")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(3):
                assert_steps_agree(graph, start(graph), batches(), function)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def test_emitted_modules_are_formatted_and_clean(tmp_path: Path) -> None:
    sources: list[str] = []

    @settings(SETTINGS, max_examples=50, phases=[Phase.generate])
    @given(graph=steps())
    def write(graph: Graph) -> None:
        sources.extend(emit(graph, style=style) for style in STYLES)

    write()
    for number, source in enumerate(sources):
        ast.parse(source)
        (tmp_path / f"module_{number}.py").write_text(source, encoding="utf-8")
    # A random graph may compare a value with itself, and so does its code.
    for words in (["format", "--check", "--diff"], ["check", "--ignore=PLR0124"]):
        command = [sys.executable, "-m", "ruff", *words, "--isolated", "--no-cache", str(tmp_path)]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout[:4000] + found.stderr
