"""Golden texts: how graphs of each kind are written."""

from __future__ import annotations

import pytest

from graphc.build.namespace import FUNCTIONS
from graphc.ir.dim_symbols import dim_symbol
from graphc.ir.dims import dim_text, evaluate, floor_divide, normal
from graphc.ir.graph import Graph
from graphc.ir.provenance import phase, scope
from graphc.ir.text.parser import parse
from graphc.ir.text.printer import graph_text
from graphc.ir.text.words import as_identifier, assign_identifiers, is_plain, quoted
from graphc.ops import OPS

x = OPS["input"]("x", ("N", 4))
b = OPS["param"]("b", (4,))
half = OPS["multiply"](x, 0.5)


def body(**outputs: object) -> str:
    """Return the lines between the declarations and the outputs."""
    text = graph_text(Graph(outputs))  # the tests give nodes
    return text.split("\n\n", 1)[1].rsplit("output(", 1)[0]


@pytest.mark.parametrize(
    ("node", "line"),
    [
        (OPS["add"](x, b), "y: f32[N, 4] = x + b"),
        (OPS["add"](2.0, x), "y: f32[N, 4] = 2 + x"),
        (OPS["multiply"](x, 0.1), "y: f32[N, 4] = x * 0.1"),
        (OPS["divide"](x, dim_symbol("N")), "y: f32[N, 4] = x / N"),
        (OPS["divide"](x, 2 * dim_symbol("N")), "y: f32[N, 4] = x / (2*N)"),
        (OPS["power"](OPS["negative"](x), 2.0), "y: f32[N, 4] = (-x)**2"),
        (OPS["negative"](OPS["power"](x, -2.0)), "y: f32[N, 4] = -x**-2"),
        (OPS["subtract"](x, OPS["subtract"](x, -1.0)), "y: f32[N, 4] = x - (x - -1)"),
        (OPS["maximum"](x, -float("inf")), "y: f32[N, 4] = maximum(x, -inf)"),
        (OPS["where"](OPS["less"](x, b), x, 0.0), "y: f32[N, 4] = where(x < b, x, 0)"),
        (OPS["equal"](OPS["less"](x, b), True), "y: bool[N, 4] = (x < b) == True"),
        (OPS["sum"](x, axis=(0,)), "y: f32[4] = sum(x, axis=0)"),
        (OPS["softmax"](x), "y: f32[N, 4] = softmax(x, axis=1)"),
        (OPS["slice"](x, [slice(None), slice(2, 0, -1)]), "y: f32[N, 2] = x[:, 2:0:-1]"),
        (OPS["transpose"](x), "y: f32[4, N] = x.T"),
        (OPS["exp"](OPS["full"]((2,), 1.0, "f32")), "y: f32[2] = exp(full((2,), 1.0, dtype=f32))"),
        (
            OPS["where"](OPS["less"](x, b), 1.5, OPS["full"]((), 2.5, "f32")),
            "y: f32[N, 4] = where(x < b, 1.5, full((N, 4), 2.5, dtype=f32))",
        ),
        (
            OPS["broadcast_to"].make([OPS["full"]((4,), 1.0, "f32")], shape=(3, 4)),
            "y: f32[3, 4] = node(broadcast_to, full((4,), 1.0, dtype=f32), shape=(3, 4))",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_line(node: object, line: str) -> None:
    text = graph_text(Graph({"y": node}))
    assert text.splitlines()[-2] == line


def test_shared_and_named_nodes_have_lines_and_others_do_not() -> None:
    shared = OPS["tanh"](half)
    named = OPS["exp"](shared).named("e")
    assert body(y=OPS["add"](named, OPS["sin"](shared))) == (
        "v1: f32[N, 4] = tanh(x * 0.5)\ne: f32[N, 4] = exp(v1)\ny: f32[N, 4] = e + sin(v1)\n"
    )


def test_long_expressions_are_broken_where_they_are_longest() -> None:
    terms = [OPS["sin"](OPS["multiply"](x, float(i))) for i in range(2, 10)]
    total = terms[0]
    for term in terms[1:]:
        total = OPS["add"](total, term)
    assert body(y=OPS["exp"](total)) == (
        "v1: f32[N, 4] = sin(x * 2) + sin(x * 3) + sin(x * 4) + sin(x * 5) + sin(x * 6)\n"
        "y: f32[N, 4] = exp(v1 + sin(x * 7) + sin(x * 8) + sin(x * 9))\n"
    )


def test_blocks_hold_neighbours_of_one_scope_and_phase() -> None:
    with scope("a"):
        h = OPS["tanh"](x)
        k = OPS["exp"](OPS["sin"](h))
        with scope("b"):
            m = OPS["sin"](k)
    with phase("backward"), scope("a"):
        d = OPS["cos"](m)
    assert body(y=OPS["add"](d, 1.0)) == (
        'with scope("a"):\n    v1: f32[N, 4] = exp(sin(tanh(x)))\n'
        'with scope("a/b"):\n    v2: f32[N, 4] = sin(v1)\n'
        'with phase("backward"), scope("a"):\n    v3: f32[N, 4] = cos(v2)\n'
        "y: f32[N, 4] = v3 + 1\n"
    )


def test_updates_and_many_outputs() -> None:
    with phase("update"):
        new = OPS["subtract"](b, OPS["multiply"](b, 0.1))
    outputs = {f"output number {i}": OPS["multiply"](x, float(i)) for i in range(3)}
    text = graph_text(Graph(outputs, updates={"b": new}, name="step", doc="One step."))
    assert text == (
        '"""step: One step."""\nx: input(f32, N, 4)\nb: param(f32, 4)\n\n'
        'output_number_0: f32[N, 4] = named(x * 0, "output number 0")\n'
        'output_number_1: f32[N, 4] = named(x * 1, "output number 1")\n'
        'output_number_2: f32[N, 4] = named(x * 2, "output number 2")\n'
        'with phase("update"):\n    update(b, b - b * 0.1)\n'
        "output(\n"
        '    **{"output number 0": output_number_0},\n'
        '    **{"output number 1": output_number_1},\n'
        '    **{"output number 2": output_number_2},\n'
        ")\n"
    )


def test_reading_keeps_scopes_phases_and_names() -> None:
    text = (
        "x: input(f32, N)\n\n"
        'with scope("enc/cell"):\n    h: f32[N] = tanh(x)\n'
        'with phase("backward"), scope("enc"):\n    d_h: f32[N] = 1 - h * h\noutput(d_h)\n'
    )
    assert graph_text(parse(text, FUNCTIONS)) == text


# -- dims ------------------------------------------------------------------------------------------

N, H, s = dim_symbol("N"), dim_symbol("H"), dim_symbol("s")


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        (3 * floor_divide(N, 2) + 1, "3*(N//2) + 1"),
        (floor_divide(N, 2) ** 2, "(N//2)**2"),
        (floor_divide(N, 2 * s), "N//(2*s)"),
        (floor_divide(floor_divide(N, 2) + 1, 3), "(N//2 + 1)//3"),
        (floor_divide(H - 3, 2) + 1, "(H - 3)//2 + 1"),
        (-floor_divide(N, 2), "-(N//2)"),
        (N - floor_divide(N + 1, 2), "N - (N + 1)//2"),
        (floor_divide(N, 2) * floor_divide(H, 3) + N, "N + (H//3)*(N//2)"),
    ],
)
def test_a_dim_means_what_python_reads(dim: object, text: str) -> None:
    assert dim_text(dim) == text
    graph = parse(f"x: input(f32, N, H, s, {text} + 999)\noutput(x)", FUNCTIONS)
    assert graph.inputs["x"].shape[-1] == normal(dim + 999)
    for sizes in ({"N": 7, "H": 5, "s": 2}, {"N": 8, "H": 4, "s": 3}):
        assert evaluate(dim, sizes) == eval(text, {}, sizes)


# -- words -----------------------------------------------------------------------------------------


def test_identifiers() -> None:
    names = ["a b", "a_b", "a-b", "a_b_", "lambda", "", "ﬁ", "2x", "é"]
    found = assign_identifiers(names, ["_"])
    assert len(set(found)) == len(names)
    assert all(map(is_plain, found))
    assert found[1] == "a_b" and found[3] == "a_b_" and found[8] == "é"
    assert as_identifier("hidden1.W") == "hidden1_W"


@pytest.mark.parametrize("text", ["x", 'a"b', "a'b", "a\\b\n", "\0", "é\u2028", ""])
def test_string_literals(text: str) -> None:
    assert eval(quoted(text)) == text


def test_two_signs_stand_apart() -> None:
    graph = parse("x: input(f32)\ny = --x\nz = exp(-(-x))\noutput(y, z)", FUNCTIONS)
    text = graph_text(graph)
    assert "y: f32 = -(-x)" in text and "exp(-(-x))" in text
    assert parse(text, FUNCTIONS) == graph
