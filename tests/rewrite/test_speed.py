"""What style `fast` chooses: each rule fires there, keeps values, and stays out of `readable`."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.ir.dims import evaluate_shape
from graphc.ir.graph import Graph
from graphc.rewrite.engine.examples import example_text
from graphc.rewrite.engine.rule import PassRecord, Rule
from graphc.rewrite.pipeline import FAST, optimize
from graphc.run.reference import interpret

#: Rules that are whole passes -> a graph in which each fires.
LOOP = """
def cell(h, x_t):
    h = tanh(h @ U.T + x_t)
    return h, h
x: input(f64, 6, 3, 4)
U: input(f64, 4, 4)
h, hs = scan(cell, init=zeros((3, 4), dtype=f64), xs=x)
output(h, hs)
"""
GATES = """
def cell(h, x_t):
    z = x_t + h @ U
    a = sigmoid(z[:, :2])
    b = sigmoid(z[:, 2:])
    h = a*b
    return h, (a, b)
x: input(f64, 6, 3, 4)
U: input(f64, 2, 4)
h, a, b = scan(cell, init=zeros((3, 2), dtype=f64), xs=x)
output(h, a, b)
"""
PASSES = {
    "share_exponentials": "x: input(f64, 5)\ny = exp(x)\nz = exp(-x)\noutput(y, z)",
    "join_slices": "x: input(f64, 3, 4)\ny = tanh(x[:, :2])\nz = tanh(x[:, 2:])\noutput(y, z)",
    "emit_whole": GATES,
    "lay_apart": GATES,
    "short_rows": "x: input(f64, N, 6)\nz = x[:, 1:]\ny = z*sin(z) + cos(z)\noutput(y)",
    "turn_weights": LOOP,
    "scale_smaller": "a: input(f64, 3)\nb: input(f64, 4)\n"
    "y = einsum('i,j->ij', a, b)*0.5\noutput(y)",
}
RULES = FAST
TEXTS = {rule.name: example_text(rule) for rule in RULES} | PASSES


def graph_of(name: str) -> Graph:
    """Return a graph that a rule or pass is about."""
    if name == "scale_within_guard":  # what the derivative of gelu looks like
        x = gc.input("x", (3,), dtype="float64")
        return gc.graph({"y": gc.sum(gc.gelu_tanh(x))}).gradient("y", wrt=["x"])
    return gc.parse(TEXTS[name])


def fired(graph: Graph) -> set[str]:
    records: list[PassRecord] = [r for r in graph.history if isinstance(r, PassRecord)]
    return {firing.rule.name for record in records for firing in record.firings}


def arguments(graph: Graph, low: float, high: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    found = {}
    for name, node in graph.inputs.items():
        shape = evaluate_shape(node.shape, dict.fromkeys(graph.dims, 5))
        is_index = node.dtype.kind == "i"
        values = rng.integers(0, 3, shape) if is_index else rng.uniform(low, high, shape)
        found[name] = np.asarray(values, node.dtype)
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_fires_for_style_fast_alone(name: str) -> None:
    graph = graph_of(name)
    assert name in fired(optimize(graph, 2, "fast"))
    assert name not in fired(optimize(graph, 2, "readable"))
    assert name not in fired(optimize(graph, 1, "fast"))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("low, high", [(-2.0, 2.0), (0.05, 3.0), (-1e-4, 1e-4), (-80.0, 80.0)])
def test_keeps_the_value(name: str, low: float, high: float) -> None:
    graph = graph_of(name)
    given = arguments(graph, low, high)
    expected = interpret(graph, **given)
    better = optimize(graph, 2, "fast")
    for got in (interpret(better, **given), gc.compile(graph, style="fast")(**given)):
        for output, value in expected.items():
            assert got[output].dtype == value.dtype
            np.testing.assert_allclose(got[output], value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rule", [r for r in RULES if r.apply is None], ids=lambda r: r.name)
def test_keeps_infinities_and_nan(rule: Rule) -> None:
    graph = graph_of(rule.name)
    special = np.array([np.inf, -np.inf, np.nan])
    for shift in range(3):
        given = {name: np.roll(special, shift * i) for i, name in enumerate(graph.inputs)}
        with np.errstate(all="ignore"):
            before = interpret(graph, **given)
            after = interpret(optimize(graph, 2, "fast"), **given)
        for output, value in before.items():
            # What was a number or an infinity stays one; NaN may only come from NaN.
            kept = ~np.isnan(value)
            np.testing.assert_array_equal(after[output][kept], value[kept])


def test_columns_that_are_not_side_by_side_stay_slices() -> None:
    text = GATES.replace("z[:, :2]", "z[:, :3:2]").replace("z[:, 2:]", "z[:, 3::2]")
    text = text.replace("3, 4)", "3, 6)").replace("2, 4)", "2, 6)")
    stays(gc.parse(text.replace("x_t + h @ U", "tanh(x_t + h @ U)")), "lay_apart")


def test_the_first_call_of_a_chain_reads_its_operand_turned() -> None:
    """What lies side by side is read row by row: dear in a division, cheap in a minus.

    What has a name keeps its shape, and so does what something else reads on the way.
    """
    chain = GATES.replace("sigmoid(z[:, :2])", "tanh(sin(z[:, :2]))")
    chain = chain.replace("sigmoid(z[:, 2:])", "tanh(sin(z[:, 2:]))")
    named = GATES.replace("    a =", "    s = sin(z)\n    a =").replace("sigmoid(z", "tanh(s")
    read = chain.replace("h = a*b", "h = a*b + max(sin(z), axis=1, keepdims=True)")
    assert "tanh(sin(transpose(reshape(z, " in str(optimize(gc.parse(chain), 2, "fast"))
    for text in (named, read):
        found = str(optimize(gc.parse(text), 2, "fast"))
        assert found.count("sin(") == 1 and "tanh(transpose(reshape(" in found


@pytest.mark.parametrize("there, instead", [("1 + exp", "2*x*x + exp"), ("exp(", "sinh(")])
def test_a_zero_that_meets_no_opposite_sigmoid_is_guarded(there: str, instead: str) -> None:
    text = TEXTS["opposite_sigmoids"].replace(there, instead)
    stays(gc.parse(text), "opposite_sigmoids")


def stays(graph: Graph, rule: str) -> None:
    """Check that a rule does not fire, and that values are kept."""
    fast = optimize(graph, 2, "fast")
    assert all(rule not in record.counts() for record in fast.history)
    rng = np.random.default_rng(0)
    given = {name: rng.standard_normal(x.shape) for name, x in graph.inputs.items()}
    for name, value in interpret(graph, **given).items():
        np.testing.assert_allclose(interpret(fast, **given)[name], value, rtol=1e-12)


def test_small_softplus_keeps_its_digits() -> None:
    graph = gc.parse("z: input(f32, 3)\ny: input(f32, 3)\nloss = softplus(z) - y*z\noutput(loss)")
    z = np.array([20.0, 30.0, -25.0], np.float32)
    got = gc.compile(graph, style="fast")(z=z, y=np.array([1, 1, 0], np.float32))["loss"]
    np.testing.assert_allclose(got, np.log1p(np.exp(-np.abs(z.astype(float)))), rtol=1e-6)


def test_rows_are_added_up_where_they_lie_scattered() -> None:
    """`add_rows` takes every layout, and places out of range are refused."""
    text = "t: input(f32, 5, {0})\nv: input(f32, 4, {0})\ni: input(i64, 4)\n"
    for width in (1, 2, 3, 6):
        f = gc.compile(gc.parse((text + "y = scatter_add(t, v, i)\noutput(y)").format(width)))
        assert "add_rows(" in f.source
        t, v = np.ones((5, width), np.float32), np.arange(4.0 * width, dtype=np.float32)
        v = v.reshape(width, 4).T
        i = np.array([1, 4, 1, -1])
        expected = t.copy()
        np.add.at(expected, i, v)
        np.testing.assert_array_equal(f(t=t, v=v, i=i)["y"], expected)
        with pytest.raises(Exception, match=r"out of (range|bounds)"):
            f(t=t, v=v, i=np.array([1, 5, 1, 0]))


def test_rows_that_repeat_are_added_up_at_speed_too() -> None:
    """The gradient of a mean over words is one row for all words of a sample."""
    words, table = gc.input("words", ("N", 5), "int64"), gc.param("table", (9, 4))
    mean = gc.mean(gc.take(table, words, axis=0), axis=1)
    graph = gc.graph({"loss": gc.sum(gc.square(mean))}).astype("float64")
    f = gc.compile(graph, gradient_of="loss")
    assert "add_rows(" in f.source
    assert "np.add.at(d_table" not in f.source
    assert f.graph.cost().at(N=6)
    rng = np.random.default_rng(0)
    state, data = {"table": rng.standard_normal((9, 4))}, {"words": rng.integers(-9, 9, (6, 5))}
    wanted = gc.interpret(graph.gradient("loss"), state, **data)
    for name, value in f(state, **data).items():
        np.testing.assert_allclose(value, wanted[name], rtol=1e-12)


def skip_gram_step() -> gc.Graph:
    """Return a model that scores pairs of rows of two tables."""
    rows, others = (gc.input(n, shape, "int64") for n, shape in (("i", ("N",)), ("j", ("N", 3))))
    V, U = (gc.param(name, (900, 4), init=gc.init.normal()) for name in "VU")
    score = gc.einsum("nd,nkd->nk", gc.take(V, rows, axis=0), gc.take(U, others, axis=0))
    return gc.graph({"loss": gc.mean(gc.square(score))}, name="pairs")


def test_the_rate_multiplies_the_small_factor_of_a_row_update() -> None:
    step = gc.compile(skip_gram_step(), minimize="loss", optimizer="sgd(0.5)")
    always = step.source.partition("# update")[2].partition("return")[0]
    assert always.count("number_minus_0_5") == 1
    scaled = next(line for line in always.splitlines() if "number_minus_0_5" in line)
    assert "# [N, 3]" in scaled
    # The derivatives that nobody asks for are not computed.
    assert step.source.count("dloss/dU") == 1


def test_a_product_that_is_needed_itself_is_scaled_afterwards() -> None:
    a, b = gc.input("a", (3,)), gc.input("b", (4,))
    whole = gc.einsum("i,j->ij", a, b)
    graph = gc.graph({"whole": whole, "half": 0.5 * whole})
    assert "scale_smaller" not in fired(optimize(graph, 2, "fast"))


@pytest.mark.parametrize("spec", ["ab,ac->abc", "a,b->ab", "b,a->ab", "ab,cb->acb", "a,ba->ba"])
def test_large_outer_products(spec: str) -> None:
    sizes = {"a": 40, "b": 30, "c": 20}
    (first, second), rng = spec.partition("->")[0].split(","), np.random.default_rng(0)
    x, y = (gc.input(n, [sizes[c] for c in t]) for n, t in (("x", first), ("y", second)))
    graph = gc.graph({"z": gc.sum(gc.sin(gc.einsum(spec, x, y)))})
    given = {n: rng.normal(size=node.shape).astype("float32") for n, node in graph.inputs.items()}
    got = gc.compile(graph)(**given)["z"]
    np.testing.assert_allclose(got, gc.interpret(graph, **given)["z"], rtol=1e-5)


def test_rows_of_several_axes_are_one_dot_product() -> None:
    """The variance of a channel, say; but an operand that lies otherwise is not copied for it."""
    x, w = gc.input("x", (3, 4, "N", 5)), gc.input("w", (3, 4, "N", 5))
    total = gc.sum(x * w, axis=(1, 2, 3)) + gc.max(gc.sum(gc.square(x), axis=(2, 3)), axis=1)
    turned = gc.sum(gc.transpose(x, (3, 0, 1, 2)) * gc.input("v", (5, 3, 4, "N")), axis=(2, 3))
    graph = gc.graph({"y": total, "z": turned}).astype("float64")
    f = gc.compile(graph)
    assert f.source.count("np.vecdot(") == 2
    assert "np.square(" not in f.source
    given = arguments(graph, -2.0, 2.0)
    for name, value in interpret(graph, **given).items():
        np.testing.assert_allclose(f(**given)[name], value, rtol=1e-12)
