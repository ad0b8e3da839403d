"""The text form of every stage: gradients of every op, training steps, each optimization level."""

from __future__ import annotations

import warnings

import pytest

from graphc.build.namespace import FUNCTIONS
from graphc.differentiate.gradient import gradient
from graphc.errors import GraphWarning
from graphc.ir.graph import Graph
from graphc.ir.op import Case
from graphc.ir.text.parser import parse
from graphc.ir.text.printer import graph_text
from graphc.ir.verify import verify
from graphc.ops import OPS
from graphc.rewrite.lower import lower
from graphc.rewrite.pipeline import optimize

CASES = [(name, case) for name, op in OPS.items() for case in op.cases if case.differentiable]
DIFFERENTIABLE = [
    (name, case) for name, case in CASES if any(a.dtype == "float64" for a in case.args)
]

MODELS = {
    "classifier": """
x: input(f32, N, 64)
y: input(i64, N)
h = dense(x, 16, activation=relu, name="hidden1")
z = dense(dropout(h, 0.5), 10, name="top")
p = exp(z) / sum(exp(z), axis=1, keepdims=True)
loss = -mean(log(take_along_axis(p, y[:, None], axis=1)))
output(loss, p)
""",
    "regression": """
x: input(f64, N, 3)
y: input(f64, N)
w: param(f64, 3, init=normal(0.1))
b: param(f64)
error = x @ w + b - y
loss = sum(error**2) / (2 * N) + 0.01 * sum(w * w) / N
output(loss)
""",
    "normalized": """
x: input(f32, N, 8)
W: param(f32, 8, 8, init=glorot_uniform())
u = x @ W
z = (u - mean(u, axis=1, keepdims=True)) / std(u, axis=1, keepdims=True)
s = sigmoid(z)
loss = mean(var(s, axis=1) + std(z, axis=1) + logsumexp(z, axis=1))
output(loss, s)
""",
    "products": """
x: input(f32, N, T, 4)
A: param(f32, 4, 4)
q = einsum("nti,ij,nsj->nts", x, A, x) / T
a = softmax(where(q < 0, -inf, q))
loss = sum(a @ x)
output(loss, a)
""",
}


def check(graph: Graph) -> str:
    """Return the text of a graph that is sound and read back as itself."""
    verify(graph)
    text = graph_text(graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GraphWarning)
        again = parse(text, FUNCTIONS)
    assert again == graph, text
    assert graph_text(again) == text
    return text


@pytest.mark.parametrize(("name", "case"), DIFFERENTIABLE)
def test_gradients_of_every_op(name: str, case: Case) -> None:
    inputs = [OPS["input"](f"x{i}", a.shape, a.dtype) for i, a in enumerate(case.args)]
    wrt = [x.attrs["name"] for x in inputs if x.dtype.kind == "f"]
    loss = OPS["sum"](OPS["sin"](OPS[name](*inputs, **case.kwargs)))
    first = gradient(Graph({"loss": loss}), "loss", wrt)
    check(first)
    again = OPS["sum"](OPS["sin"](first.outputs[f"d_loss_d_{wrt[0]}"]))
    second = Graph({**first.outputs, "again": again})
    if any(first.inputs[wrt[0]] is node for node in Graph({"again": again}).nodes):
        check(gradient(second, "again", wrt[:1]))


@pytest.mark.parametrize("model", MODELS)
def test_every_stage_of_a_model(model: str) -> None:
    graph = parse(MODELS[model], FUNCTIONS)
    check(graph)
    derived = gradient(graph, "loss")
    assert 'with phase("backward")' in check(derived)
    for level in (1, 2, 3):
        better = optimize(derived, level)
        check(better)
        check(lower(better))
    check(lower(derived))


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_lines_break_by_what_they_say_at_last(depth: int) -> None:
    """Names such as v12 come when all is written; no line may depend on what stood for them."""
    call = FUNCTIONS
    z = call["matmul"](OPS["input"]("x", ("N", 3)), OPS["param"]("w", (3, 3)))
    for _ in range(depth):
        z = call["logsumexp"](z, axis=1, keepdims=True) * z
    for length in range(24, 38):
        named = call["stop_gradient"](z).named("z" * length)
        _, products = call["scan"](
            lambda c, t: (c + t, c * t), init=OPS["full"]((3,), 0.0), xs=named
        )
        check(gradient(Graph({"o": products, "loss": call["mean"](z)}), "loss"))


def test_a_loop_in_a_loop_keeps_the_names_of_its_results() -> None:
    text = """x: input(f32, 3, 2)

def outer(c, row):
    def inner(c, t):
        c_next: f32 = c + t
        product: f32 = t * c
        return c_next, product
    last, products = scan(inner, init=c, xs=row)
    return last, products
c, stack = scan(outer, init=full((), 0.0, dtype=f32), xs=x)
y: f32 = c + sum(stack)
output(y)
"""
    graph = parse(text, FUNCTIONS)
    assert "last, products = scan(" in graph_text(graph)
    derived = gradient(graph, "y")
    for stage in (graph, derived, optimize(derived, 2)):
        assert graph_text(parse(graph_text(stage), FUNCTIONS)) == graph_text(stage)
