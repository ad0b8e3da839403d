"""Traces of any graph: the compiler's derivatives, escaped names, linear time."""

from __future__ import annotations

import re
import time
from xml.etree import ElementTree

import numpy as np
import pytest

import graphc as gc
from graphc.ir.op import Case, Op
from graphc.ops import OPS

FORMATS = ("text", "markdown", "latex", "html")
CASES = [
    pytest.param(op, case, id=f"{op.name}-{i}")
    for op in OPS.values()
    for i, case in enumerate(op.cases)
    if op.family != "leaf" and i < 4
]


def digits() -> tuple[gc.Graph, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    graph = gc.parse(
        """
x: input(f64, N, 6)
y: input(i64, N)
W1: param(f64, 6, 4, init=he_normal())
b1: param(f64, 4)
W2: param(f64, 4, 3, init=glorot_uniform())
h = relu(x @ W1 + b1)
z = h @ W2
p = exp(z) / sum(exp(z), axis=1, keepdims=True)
loss = -mean(log(take_along_axis(p, y[:, None], axis=1)))
output(loss, p)
"""
    )
    return graph, {"x": rng.normal(size=(5, 6)), "y": np.array([0, 1, 2, 1, 0])}


def adjoint_name(graph: gc.Graph, leaf: str) -> str:
    return f"v̄{list({**graph.inputs, **graph.params}).index(leaf)}"


@pytest.mark.parametrize(("op", "case"), CASES)
def test_every_op_is_traced(op: Op, case: Case) -> None:
    rng = np.random.default_rng(1)
    leaves = [gc.input(f"x{i}", arg.shape, arg.dtype) for i, arg in enumerate(case.args)]
    node = op(*leaves, **case.kwargs)
    is_float = node.dtype.kind == "f"
    graph = gc.graph({"y": OPS["sum"](node * 1.5) if is_float else node})
    drawn = {f"x{i}": arg.draw(rng) for i, arg in enumerate(case.args)}
    at = {name: drawn[name] for name in graph.inputs}
    forward = gc.trace(graph, at)
    assert len(forward) >= len(at) + 1
    traces = [forward]
    floats = [name for name, leaf in graph.inputs.items() if leaf.dtype.kind == "f"]
    if is_float and floats:
        rng_of_graph = np.random.default_rng(0)
        gradient = gc.interpret(graph.gradient("y", floats), None, rng=rng_of_graph, **at)
        a, b = (gc.trace(graph, at, "reverse", version=v) for v in "AB")
        tangent = gc.trace(graph, at, "tangent", wrt=floats[0])
        traces += [a, b, tangent]
        for name in floats:
            expected = gradient[f"d_y_d_{name}"]
            for trace in (a, b):
                value = trace.values.get(adjoint_name(graph, name), 0 * expected)
                np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-9)
        if np.isfinite(forward.rows[-1].value).all():
            total = gradient[f"d_y_d_{floats[0]}"].sum()
            np.testing.assert_allclose(tangent.rows[-1].value, total, rtol=1e-6, atol=1e-9)
    for trace in traces:
        for format in FORMATS:
            assert trace.format(format)
        check_latex(trace.format("latex"))


def test_adjoints_of_a_classifier_equal_the_compiled_gradient() -> None:
    graph, at = digits()
    state = graph.init(seed=0)
    gradient = gc.compile(graph, gradient_of="loss")(state, **at)
    for version in "AB":
        values = gc.trace(graph, at, "reverse", version=version).values
        for name in graph.params:
            expected = gradient[f"d_loss_d_{name}"]
            np.testing.assert_allclose(values[adjoint_name(graph, name)], expected, atol=1e-12)


def test_arrays_show_shapes_and_norms() -> None:
    graph, at = digits()
    text = str(gc.trace(graph, at))
    assert "[5, 6] · [6, 4] → [5, 4], norm " in text
    assert "(N = 5, initial parameters)" in text
    row = next(row for row in gc.trace(graph, at).rows if row.name == "h")
    norm = float(np.linalg.norm(row.value))
    assert f"[5, 4], norm {norm:.3f}" in text
    reverse = str(gc.trace(graph, at, "reverse"))
    assert re.search(r"W1 +v̄2 = .* v0ᵀ · v̄\d+ .* → \[6, 4\], norm ", reverse)


def test_a_tangent_by_an_array_goes_along_all_its_elements() -> None:
    graph, at = digits()
    trace = gc.trace(graph, at, "tangent", wrt="W1")
    gradient = gc.compile(graph, gradient_of="loss")(graph.init(seed=0), **at)["d_loss_d_W1"]
    assert float(trace.rows[-1].value) == pytest.approx(float(gradient.sum()), abs=1e-12)
    assert "every element of W1" in str(trace)


def test_a_value_used_twice_by_one_consumer_is_one_term_of_the_chain() -> None:
    x = gc.input("x", (), "float64")
    row = gc.trace(gc.graph({"y": x * x}), {"x": 3}, "reverse").rows[0]
    assert row.symbolic == "v̄1·∂v1/∂v0"
    assert row.substituted == "1*3 + 1*3"
    assert row.number == 6


def test_a_zero_cotangent_stays_zero_where_the_partial_is_infinite() -> None:
    x = gc.input("x", (), "float64")
    graph = gc.graph({"y": gc.where(x > 0, gc.sqrt(x), 0.0 * x)})
    for version in "AB":
        assert gc.trace(graph, {"x": 0.0}, "reverse", version=version).values["v̄0"] == 0


def test_what_no_derivative_reaches_has_a_row_of_zero() -> None:
    x = gc.input("x", (), "float64")
    graph = gc.graph({"y": gc.floor(x) * 2.0 + x})
    rows = {row.variable: row for row in gc.trace(graph, {"x": 1.5}, "reverse").rows}
    assert rows["v̄0"].number == 1
    trace = gc.trace(graph, {"x": 1.5}, "tangent")
    assert [(row.rule, row.number) for row in trace.rows[:2]] == [("seed", 1.0), ("constant", 0.0)]


def test_variables_keep_their_numbers_in_all_modes() -> None:
    graph, at = digits()
    names = {row.variable: row.name for row in gc.trace(graph, at).rows}
    for row in gc.trace(graph, at, "reverse").rows:
        number = row.variable.removeprefix("v̄")
        if int(number) > 4:  # leaves state their name in the formula
            assert names[f"v{number}"] == row.name


def test_many_consumers_are_shortened() -> None:
    x = gc.input("x", (), "float64")
    total = x
    for i in range(2, 60):
        total = total + gc.sin(x * float(i))
    row = gc.trace(gc.graph({"y": total}), {"x": 0.5}, "reverse").rows[0]
    assert "… 53 more …" in row.symbolic and len(row.symbolic) < 200
    expected = 1 + sum(i * np.cos(i * 0.5) for i in range(2, 60))
    assert row.number == pytest.approx(expected)


def test_deep_graphs_take_linear_time() -> None:
    seconds = []
    for depth in (400, 1600):
        h = x = gc.input("x", (), "float64")
        for _ in range(depth):
            h = gc.sin(h) + x
        graph = gc.graph({"y": h})
        start = time.process_time()
        assert len(str(gc.trace(graph, {"x": 0.1}, "reverse")).splitlines()) > depth
        seconds.append(time.process_time() - start)
    assert seconds[1] < 12 * seconds[0], seconds


# -- names that mean something to a notation -----------------------------------------------------

WILD = "a_b & 50% $#{}~^\\ <i>|`*é"


def wild() -> tuple[gc.Graph, dict[str, float]]:
    x = gc.input(WILD, (), "float64")
    graph = gc.graph({"</td>": gc.maximum(x, 1.0) ** 2.5 * gc.sigmoid(x) % 3.0})
    return graph, {WILD: 2.0}


@pytest.mark.parametrize("mode", ["forward", "tangent", "reverse"])
def test_names_are_escaped(mode: str) -> None:
    graph, at = wild()
    trace = gc.trace(graph, at, mode)
    check_latex(trace.format("latex"))
    root = ElementTree.fromstring(f"<div>{trace.format('html')}</div>")
    assert not list(root.iter("td/i/td"))
    assert any(WILD in "".join(cell.itertext()) for cell in root.iter("td"))
    columns = {len(row.findall("td")) for row in root.iter("tr") if row.find("td") is not None}
    assert len(columns) == 1
    lines = [line for line in trace.format("markdown").split("\n") if line.startswith("|")]
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert len(bars) == 1, "a bar in a name ended a cell"


def check_latex(written: str) -> None:
    """Fail where LaTeX would: braces, delimiters, environments, columns, bare specials."""
    assert written.isprintable() or "\n" in written
    bare = re.sub(r"\\[{}%&$#_]", "", written)
    assert bare.count("{") == bare.count("}")
    depth = 0
    for char in bare:
        depth += {"{": 1, "}": -1}.get(char, 0)
        assert depth >= 0
    assert written.count(r"\left") - written.count(r"\leftarrow") == written.count(r"\right")
    assert written.count(r"\begin{array}") == written.count(r"\end{array}") == 2
    inside = re.sub(r"\\text\{(?:[^{}]|\{\})*\}", "", bare)
    assert "%" not in inside and "#" not in inside
    columns = len(re.findall(r"\{(l+)\}", written)[1])
    written = re.sub(r"\\begin\{cases\}((?!\\begin).)*?\\end\{cases\}", "", written)
    written = re.sub(r"\\begin\{cases\}((?!\\begin).)*?\\end\{cases\}", "", written)
    table = re.sub(r"\\&", "", written.split("\\hline", 1)[1].rsplit("\\hline", 1)[0])
    for line in table.replace("\\hline", "").strip().split("\\\\")[:-1]:
        assert line.count("&") == columns - 1, line


# -- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"mode": "revers"}, "did you mean 'reverse'"),
        ({"mode": "reverse", "version": "C"}, "'A', 'B'"),
        ({"mode": "reverse", "of": "p"}, "starts at a single number"),
        ({"mode": "tangent"}, "x, W1, b1, W2"),
        ({"mode": "tangent", "wrt": "y"}, "no derivative by 'y'"),
        ({"mode": "tangent", "wrt": "W"}, "did you mean 'W"),
    ],
)
def test_mistakes_are_explained(asked: dict[str, str], message: str) -> None:
    graph, at = digits()
    with pytest.raises(gc.GraphError, match=re.escape(message)):
        gc.trace(graph, at, **asked)


def test_a_missing_value_and_an_unknown_format_are_named() -> None:
    graph, at = digits()
    with pytest.raises(gc.GraphError, match="no value for y"):
        gc.trace(graph, {"x": at["x"]})
    with pytest.raises(gc.GraphError, match="did you mean 'markdown'"):
        gc.trace(graph, at).format("markdwn")


def test_a_node_is_no_graph() -> None:
    with pytest.raises(gc.GraphError, match=r"x\.trace\(\)"):
        gc.trace(gc.input("x", (3, 3)))
