"""parse(graph_text(g)) == g for every op, for gradients, and for random graphs of every oddity."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graphc.build.namespace import FUNCTIONS
from graphc.errors import GraphWarning
from graphc.ir.dim_symbols import dim_symbol
from graphc.ir.dims import floor_divide
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.op import Case
from graphc.ir.provenance import phase, scope
from graphc.ir.text.parser import parse
from graphc.ir.text.printer import graph_text
from graphc.ir.verify import verify
from graphc.ops import OPS

N, T = dim_symbol("N"), dim_symbol("T")


def round_trip(graph: Graph) -> str:
    """Return the graph's text, having checked that it is read back as the same graph."""
    text = graph_text(graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GraphWarning)  # an unused input is part of the graph
        again = parse(text, FUNCTIONS)
    assert again == graph, text
    assert graph_text(again) == text
    assert again.name == graph.name and again.doc == graph.doc
    return text


# -- every op ------------------------------------------------------------------------------------


CASES = [(name, case) for name, op in OPS.items() for case in op.cases]


@pytest.mark.parametrize("float_type", ["float32", "float64"])
@pytest.mark.parametrize(("name", "case"), CASES)
def test_every_case_of_every_op(name: str, case: Case, float_type: str) -> None:
    inputs = [
        OPS["input"](f"x{i}", arg.shape, float_type if arg.dtype == "float64" else arg.dtype)
        for i, arg in enumerate(case.args)
    ]
    node = OPS[name](*inputs, **case.kwargs)
    text = round_trip(Graph({"y": node}))
    assert "node(" not in text, "a builder's own node needs no spelling out"


@pytest.mark.parametrize(("name", "case"), CASES)
def test_every_op_amid_other_nodes(name: str, case: Case) -> None:
    """Operands are constants, unnamed nodes and shared nodes instead of inputs."""
    inputs = []
    for i, arg in enumerate(case.args):
        x = OPS["input"](f"x{i}", arg.shape, arg.dtype)
        inputs += [
            OPS["positive"](x) if arg.dtype == "float64" else OPS["broadcast_to"](x, x.shape)
        ]
    node = OPS[name](*inputs, **case.kwargs)
    twice = OPS["where"](OPS["equal"](node, node), node, node)
    round_trip(Graph({"y": twice, "z": inputs[0] if inputs else twice}))


# -- what builders never make, but passes do -----------------------------------------------------

X = OPS["input"]("x", (3, 4))
ODD_NODES: dict[str, Callable[[], Node]] = {
    "cast to its own dtype": lambda: OPS["cast"].make([X], dtype=X.dtype),
    "reshape to its own shape": lambda: OPS["reshape"].make([X], shape=X.shape),
    "transpose of nothing": lambda: OPS["transpose"].make([X], axes=(0, 1)),
    "whole slice": lambda: OPS["slice"].make([X], bounds=((0, 3, 1), (0, 4, 1))),
    "concat of one": lambda: OPS["concat"].make([X], axis=0),
    "pad by nothing": lambda: OPS["pad"].make([X], widths=((0, 0), (0, 0)), value=0.0),
    "pad with minus zero": lambda: OPS["pad"].make([X], widths=((1, 0), (0, 0)), value=-0.0),
    "broadcast of a constant": lambda: OPS["broadcast_to"].make(
        [OPS["full"]((4,), 2.0, "float32")], shape=(3, 4)
    ),
    "sum of two constants": lambda: OPS["add"](OPS["full"]((3,), 1.0), OPS["full"]((3,), 2.0)),
    "broadcast of a broadcast": lambda: OPS["add"](
        X, OPS["broadcast_to"](OPS["broadcast_to"](OPS["sum"](X), (4,)), (3, 4))
    ),
    "sum over no axis": lambda: OPS["sum"].make([X], axis=(), keepdims=False),
    "ddof as a float": lambda: OPS["var"](X, ddof=0.0),
    "empty constant": lambda: OPS["constant"](np.zeros((0, 3), np.float32)),
    "constant with nan": lambda: OPS["constant"](np.array([np.nan, np.inf, -np.inf, -0.0])),
    "where of three constants": lambda: OPS["where"](
        OPS["full"]((2,), True),
        OPS["full"]((2,), 1.5, "float32"),
        OPS["full"]((2,), 0.0, "float32"),
    ),
}


@pytest.mark.parametrize("make", ODD_NODES.values(), ids=list(ODD_NODES))
def test_nodes_that_no_builder_makes(make: Callable[[], Node]) -> None:
    round_trip(Graph({"y": make()}))


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 1.0, 1e-30, 0.1, 1e300, np.inf, -np.inf, np.nan, 3, N]
)
def test_constants_keep_every_bit(value: object) -> None:
    x = OPS["input"]("x", ("N",), "float64")
    one = OPS["multiply"](x, value)
    round_trip(Graph({"y": OPS["maximum"](one, value), "c": OPS["full"]((2,), value, "float64")}))


def test_shared_constants_and_broadcasts_are_left_out_as_well() -> None:
    two = OPS["full"]((3, 4), 2.0, "float32")
    row = OPS["broadcast_to"](OPS["exp"](OPS["sum"](X, axis=0)), (3, 4))
    shared = Graph({"y": OPS["multiply"](OPS["add"](OPS["multiply"](X, two), row), row), "z": two})
    text = round_trip(shared)
    assert "y: f32[3, 4] = (x * z + v1) * v1" in text
    unshared = Graph({"y": OPS["add"](OPS["multiply"](X, 2.0), 2.0)})
    assert "y: f32[3, 4] = x * 2 + 2" in round_trip(unshared)
    assert Graph({"y": OPS["add"](OPS["multiply"](X, two), two)}) == unshared


def test_dims_in_every_position() -> None:
    half = floor_divide(N, 2)
    x = OPS["input"]("x", (2 * N + 1, 3 * half + 1, floor_divide(T - 3, 2) + 1))
    y = OPS["slice"](x, [slice(1, N), slice(None), slice(None, None, -1)])
    z = OPS["pad"](y, ((N, 0), (0, half), (1, 1)))
    r = OPS["random_normal"]((N * T - half, half * half))
    graph = Graph({"z": OPS["divide"](z, half), "r": r, "i": OPS["arange"](1, N)})
    round_trip(graph)


@pytest.mark.parametrize("name", ["lambda", "f32", "nan", "ﬁ", "input", "x", "α"])
def test_a_dim_may_be_called_anything(name: str) -> None:
    dim = dim_symbol(name)
    x = OPS["input"]("x", (dim, floor_divide(dim, 2)))
    graph = Graph({"y": OPS["divide"](x, dim), "i": OPS["arange"](0, dim)})
    assert graph.dims == (name,)
    round_trip(graph)


def test_a_dim_that_no_leaf_has_is_declared() -> None:
    graph = Graph({"noise": OPS["random_normal"](("N", 2))})
    assert round_trip(graph).startswith("N: dim\n")


def test_draws_keep_their_order() -> None:
    first, second = OPS["random_normal"]((2,)), OPS["random_normal"]((2,))
    with scope("noise"):
        third = OPS["random_uniform"]((2,))
    graph = Graph({"y": OPS["subtract"](OPS["exp"](second), first), "z": OPS["exp"](third)})
    round_trip(graph)
    swapped = Graph({"y": OPS["subtract"](OPS["exp"](first), second), "z": OPS["exp"](third)})
    assert swapped != graph


def test_updates_and_unused_inputs() -> None:
    w, slot = OPS["param"]("w", (4,)), OPS["param"]("layer.m", (4,), slot=True)
    unused = OPS["input"]("lambda", ("N", 2), "int64")
    with phase("update"):
        step = OPS["multiply"](slot, 0.9)
        new = OPS["subtract"](w, step)
    with pytest.warns(GraphWarning):
        graph = Graph({"w": w}, updates={"layer.m": step, "w": new}, inputs=[unused])
    assert "update(layer_m, v1)" in round_trip(graph)
    only = Graph({}, updates={"w": new, "layer.m": new})
    round_trip(only)
    with pytest.warns(GraphWarning):
        reset = Graph({}, updates={"w": OPS["full"]((4,), 0.0, "float32")}, params=[w])
    assert "update(w, full((4,), 0.0, dtype=f32))" in round_trip(reset)


# -- names ---------------------------------------------------------------------------------------

NAMES = [
    "lambda",
    "np",
    "x y",
    "__import__('os')",
    "α",
    "loss\n",
    "ﬁ",
    "é",
    "f32",
    "output",
    "tanh",
    "v1",
    "N",
    "None",
    "1",
    "a\\'\"b",
    '"""',
    "\ud800",
    "\0",
    "_",
    "naïve🙂",
    "\u2028",
]


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names(name: str) -> None:
    x, w = OPS["input"](name, ("N",)), OPS["param"]("w" + name, ("N",))
    with scope(name):
        h = OPS["tanh"](OPS["multiply"](x, w)).named(name)
        k = OPS["sum"](OPS["exp"](h)).named("h")
    graph = Graph({name: k, "k" + name: h}, updates={"w" + name: h}, doc=name + "!")
    round_trip(graph)


def test_two_nodes_of_one_name_and_names_that_meet() -> None:
    x = OPS["input"]("a b")
    y = OPS["exp"](x).named("a_b")
    z = OPS["exp"](y).named("a_b")
    u = OPS["exp"](z).named("a.b")
    text = round_trip(Graph({"a-b": u, "a_b_2": OPS["exp"](u)}))
    assert 'a_b_: input(f32, name="a b")' in text


@pytest.mark.parametrize(
    ("name", "doc"),
    [
        ("graph", ""),
        ("graph", "Two words."),
        ("graph", "Note: a colon."),
        ("mlp", ""),
        ("mlp", "Two\nlines."),
        ("mlp", 'It says "no"'),
        ("mlp", '"""\\'),
        ("mlp", 'ends with """'),
        ("mlp", '""""'),
        ("mlp", " \n\taround\n "),
        ("graph", "\t"),
        ("mlp", "\x00\x1b\r\u2028é🙂"),
    ],
)
def test_titles(name: str, doc: str) -> None:
    round_trip(Graph({"x": OPS["input"]("x")}, name=name, doc=doc))


# -- random graphs -------------------------------------------------------------------------------


class Builder:
    """Builds a random graph over all that the text form can say."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.nodes: list[Node] = []

    def graph(self) -> Graph:
        shapes = [(N, 4), (4,), (), (1, 4), (3, N, 4)]
        leaves = [OPS["input"](self.name(i), shape) for i, shape in enumerate(shapes)]
        leaves += [OPS["param"](f"w.{i}", shape) for i, shape in enumerate(shapes[1:3])]
        self.nodes += leaves
        for i in range(self.random.randint(1, 30)):
            with (
                scope(self.random.choice("ab")),
                phase(self.random.choice(["forward", "backward"])),
            ):
                node = self.node()
            is_new = all(node is not other for other in self.nodes)
            named = self.random.random() < 0.15 and is_new
            self.nodes.append(node.named(self.name(i)) if named else node)
        roots = self.random.sample(self.nodes, min(3, len(self.nodes)))
        outputs = {self.name(i): node for i, node in enumerate(roots)}
        updates = {
            leaf.attrs["name"]: node
            for leaf in leaves
            for node in self.nodes[-4:]
            if leaf.op.name == "param" and node.type == leaf.type
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GraphWarning)
            params = {name: leaf for leaf in leaves if (name := leaf.attrs["name"]) in updates}
            return Graph(outputs, updates=updates, inputs=leaves, params=params.values())

    def name(self, number: int) -> str:
        return self.random.choice(["h", "a b", "lambda", "tanh", "v2", "x"]) + str(number)

    def node(self) -> Node:
        pick = self.random.choice
        x = pick(self.nodes[-6:] if self.random.random() < 0.7 else self.nodes)
        other = pick([y for y in self.nodes if y.type == x.type])
        row = pick([y for y in self.nodes if y.shape in (x.shape[-1:], ())])
        steps: list[Callable[[], Node]] = [
            lambda: OPS[pick(["tanh", "negative", "exp", "square"])](x),
            lambda: OPS[pick(["add", "subtract", "multiply", "power", "maximum"])](x, other),
            lambda: OPS[pick(["add", "subtract", "divide"])](x, row),
            lambda: OPS[pick(["add", "subtract", "divide"])](row, x),
            lambda: OPS[pick(["add", "multiply", "power"])](pick([2.0, -1.5, 0.1, N]), x),
            lambda: OPS["sum"](x, axis=self.random.choice([None, *range(x.ndim)])),
            lambda: OPS["where"](OPS["less"](x, other), x, pick([0.0, 1.5])),
            lambda: OPS["full"](x.shape, pick([1.0, 2.5]), "float32"),
            lambda: OPS["broadcast_to"](row, x.shape),
            lambda: OPS["broadcast_to"].make([row], shape=x.shape),
            lambda: OPS["reshape"].make([x], shape=x.shape),
            lambda: OPS["transpose"](x),
            lambda: OPS["slice"](x, [slice(None, None, -1)] * x.ndim),
            lambda: OPS["random_normal"](x.shape),
            lambda: OPS["softmax"](x) if x.ndim else x,
            lambda: OPS["cast"](OPS["cast"](x, "float64"), "float32"),
        ]
        return pick(steps)()


@settings(max_examples=300)
@given(st.integers(0, 2**32))
@example(0)
def test_random_graphs(seed: int) -> None:
    graph = Builder(seed).graph()
    verify(graph)
    round_trip(graph)


# -- size and determinism ------------------------------------------------------------------------


def chain(length: int) -> Graph:
    h = OPS["input"]("x", ("N", 4))
    for i in range(length):
        h = OPS["add"](h, 1.0) if i % 3 else OPS["tanh"](h)
    return Graph({"y": h})


def test_a_chain_of_20000_nodes_in_linear_time() -> None:
    seconds = {}
    for length in (2_000, 20_000):
        graph = chain(length)
        start = time.process_time()
        text = graph_text(graph)
        middle = time.process_time()
        again = parse(text, FUNCTIONS)
        seconds[length] = (middle - start, time.process_time() - middle)
        assert max(map(len, text.splitlines())) < 100
        assert again == graph
    ratios = [long / short for short, long in zip(seconds[2_000], seconds[20_000], strict=True)]
    print(f"\n20k/2k nodes: printing {ratios[0]:.1f}x, parsing {ratios[1]:.1f}x")
    assert max(ratios) < 40  # a quadratic pass would take 100 times as long


def test_a_sum_of_10000_terms_and_fan_out_of_10000() -> None:
    x = OPS["input"]("x", (3,))
    total = OPS["exp"](x)
    for _ in range(10_000):
        total = OPS["add"](total, x)
    round_trip(Graph({"y": total}))
    terms = [OPS["multiply"](x, float(i)) for i in range(2_000)]
    while len(terms) > 1:
        terms = [OPS["add"](a, b) for a, b in zip(terms[::2], terms[1::2], strict=False)]
    round_trip(Graph({"y": terms[0]}))
    parts = [OPS["exp"](OPS["multiply"](x, float(i))) for i in range(3_000)]
    round_trip(Graph({"y": OPS["concat"](*parts)}))


PROBE = """
import random, hashlib
from test_text_round_trip import Builder, graph_text
text = "".join(graph_text(Builder(seed).graph()) for seed in range(30))
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_the_text_does_not_depend_on_the_hash_seed() -> None:
    here = Path(__file__).parent
    root = here.parent.parent
    digests = set()
    for seed in ("0", "1"):
        env = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join(map(str, (root, here))),
        }
        done = subprocess.run(
            [sys.executable, "-c", PROBE], env=env, capture_output=True, text=True, check=True
        )
        digests.add(done.stdout)
    assert len(digests) == 1
