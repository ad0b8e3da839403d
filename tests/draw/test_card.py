"""Derivation cards of nodes: local derivative, chain rule, adjoint node, and what is passed on."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import graphc as gc
from graphc import cli
from graphc.draw.traces import Card
from graphc.ops import OPS

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def card(name: str, node: str, **options: object) -> Card:
    found = gc.derive(gc.load(EXAMPLES / f"{name}.graph"), node, **options)
    assert isinstance(found, Card)
    return found


def test_an_op_is_derived_as_before() -> None:
    assert str(gc.derive("sigmoid")).endswith("= y*(1 - y)")
    assert gc.derive("divide", "b").by == "b"


def test_the_sigmoid_of_a_network_takes_the_nine_lines_in_its_own_names() -> None:
    found = card("binary_network", "y", of="J")
    lines = found.part("local derivative")
    assert len(lines) == 9
    assert lines[0] == "∂y/∂b = ∂/∂b[1/(1 + exp(−b))]"
    assert lines[3] == "= exp(−b)/(1 + exp(−b))²"
    assert lines[8] == "= y·(1 − y)"
    assert found.part("sends") == ("∂J/∂b = ∂J/∂y·∂y/∂b", "= ∂J/∂y·y·(1 − y)")


def test_parts_of_several_users_add_up() -> None:
    found = card("cos_sin", "t", at={"x": 0.7})
    assert found.part("formula") == ("t = x²", "= 0.7² = 0.49")
    assert found.part("local derivative")[-1] == "= 2·x"
    assert found.part("arrives") == (
        "∂J/∂t = ∂J/∂u1·∂u1/∂t + ∂J/∂u2·∂u2/∂t",
        "= ∂J/∂u1·cos(t) + 3·∂J/∂u2",
        "= (−0.932)*cos(0.49) + (−0.932)*3 = −3.620",
    )
    assert found.part("adjoint") == ("d_t: f64 = d_u * 3 + d_u * cos(t)",)


def test_a_layer_is_a_map_and_its_adjoint_the_transposed_one() -> None:
    found = card("digits_mlp", "z1")
    assert found.part("local derivative") == ("dz1 = dx · W1 + x · dW1 + db1",)
    assert found.part("sends") == (
        "∂loss/∂x = ∂loss/∂z1·∂z1/∂x",
        "= ∂loss/∂z1 · W1ᵀ",
        "∂loss/∂W1 = ∂loss/∂z1·∂z1/∂W1",
        "= xᵀ · ∂loss/∂z1",
        "∂loss/∂b1 = ∂loss/∂z1·∂z1/∂b1",
        "= sum(∂loss/∂z1, axis 0)",
    )


def test_a_parameter_has_an_adjoint_and_no_local_derivative() -> None:
    found = card("digits_mlp", "b1")
    assert found.part("local derivative") == found.part("sends") == ()
    assert found.part("adjoint") == ("d_b1: f32[128] = sum(d_z1, axis=0)",)


def test_what_is_used_elsewhere_too_is_added_to() -> None:
    lines = card("cos_sin", "u1").part("sends")
    assert lines[0] == "∂J/∂t += ∂J/∂u1·∂u1/∂t"


def test_the_numbers_are_those_of_the_gradient() -> None:
    graph = gc.load(EXAMPLES / "cos_sin.graph")
    found = gc.interpret(graph.gradient("J", ["t"]), x=0.7)["d_J_d_t"]
    line = card("cos_sin", "t", at={"x": 0.7}).part("arrives")[-1]
    assert float(line.rpartition("= ")[2].replace("−", "-")) == pytest.approx(found, abs=5e-4)


def test_a_node_that_the_output_does_not_need_gets_nothing() -> None:
    graph = gc.parse("x: input(f64)\ny = x**2\nz = exp(x)\noutput(y, z)")
    assert gc.derive(graph, "z", of="y").part("arrives") == ("∂y/∂z = 0",)
    assert gc.derive(graph, "z", of="y").part("adjoint") == ()
    assert gc.derive(graph, "y").part("arrives") == ("∂y/∂y = 1",)


def test_what_is_derived_need_not_be_an_output() -> None:
    graph = gc.load(EXAMPLES / "cos_sin.graph")
    assert gc.derive(graph, "t", of="u", at={"x": 0.7}).part("arrives")[:2] == (
        "∂u/∂t = ∂u/∂u1·∂u1/∂t + ∂u/∂u2·∂u2/∂t",
        "= ∂u/∂u1·cos(t) + 3·∂u/∂u2",
    )


def test_a_node_by_itself() -> None:
    x = gc.input("x", (3,))
    found = gc.derive(gc.tanh(x).named("h"))
    assert found.part("formula") == ("h = tanh(x)",)
    assert found.part("local derivative")[-1] == "= 1 − h²"
    assert found.part("arrives") == ()


def test_many_users_are_cut_short() -> None:
    x = gc.input("x")
    total = gc.exp(x)
    for i in range(9):
        total = total + gc.tanh(x).named(f"h{i}")
    text = gc.derive(gc.graph({"y": total}), "x").part("arrives")[0]
    assert text.endswith(" + …") and text.count("+") == 6


def test_a_long_formula_without_names_is_cut() -> None:
    """A chain rule over one formula of 400 ops would take 400 factors of 400 ops."""
    x = gc.input("x")
    for _ in range(400):
        x = gc.tanh(x)
    graph = gc.graph({"y": gc.sin(x.named("h"))})
    assert len(str(gc.derive(graph, "h"))) < 20_000
    assert max(map(len, str(gc.forward_backward_table(graph)).splitlines())) < 10_000


def test_constants_are_put_in_last() -> None:
    graph = gc.parse("x: input(f64)\ny = 2.0**x / 4\nz = y * 3\noutput(z)")
    lines = gc.derive(graph, "z").part("local derivative")
    assert lines == ("∂z/∂y = ∂/∂y[y·3]", "= 3")


@pytest.mark.parametrize("name", sorted(p.stem for p in EXAMPLES.glob("*.graph")))
def test_every_node_of_every_example_has_a_card(name: str) -> None:
    graph = gc.load(EXAMPLES / f"{name}.graph")
    scalars = [n for n, node in graph.outputs.items() if not node.shape and node.dtype.kind == "f"]
    for node, label in graph.labels.items():
        if node.dtype.kind == "f" and scalars:
            found = gc.derive(graph, label)
            assert found.part("arrives"), label
            for format in ("text", "markdown", "latex", "html"):
                written = found.format(format)
                assert not re.search("[\ue000-\uf8ff\U000f0000-\U000fffff]", written), label


@pytest.mark.parametrize("format", ["text", "markdown", "latex", "html"])
def test_golden(format: str, golden: Callable[[str, str], None]) -> None:
    ending = {"text": "txt", "markdown": "md", "latex": "tex", "html": "html"}[format]
    found = card("binary_network", "y", of="J")
    golden(f"card.{ending}", found.format(format) + "\n")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("sigmoid",), {"of": "loss"}, "an op by itself"),
        ((3,), {}, "nothing to derive"),
        (("cos_sin",), {}, "which node"),
        (("cos_sin", "q"), {}, "no node is called 'q'"),
        (("digits_mlp", "y"), {}, "only a float"),
    ],
)
def test_errors(arguments: tuple[object, ...], options: dict[str, str], message: str) -> None:
    first, *rest = arguments
    path = EXAMPLES / f"{first}.graph"
    what = gc.load(path) if path.exists() else first
    with pytest.raises(gc.GraphError, match=message):
        gc.derive(what, *rest, **options)


def run(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[object, str]:
    monkeypatch.setattr(sys, "argv", ["graphc", *words])
    with pytest.raises(SystemExit) as finished:
        cli.main()
    return finished.value.code, capsys.readouterr().out


def test_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(EXAMPLES / "cos_sin.graph")
    status, out = run(["derive", model, "--node", "t", "--at", "x=0.7"], monkeypatch, capsys)
    assert status == 0 and out == str(card("cos_sin", "t", at={"x": 0.7})) + "\n"
    status, out = run(["derive", "tanh", "--format", "latex"], monkeypatch, capsys)
    assert status == 0 and out.startswith("$$")
    status, _ = run(["derive", "tanh", "--node", "t"], monkeypatch, capsys)
    assert "--node, --of and --at are for a model" in str(status)
    status, _ = run(["derive", model, "--by", "x"], monkeypatch, capsys)
    assert "--by is for an op" in str(status)
    model = str(EXAMPLES / "binary_network.graph")
    status, out = run(["trace", model, "--mode", "modules"], monkeypatch, capsys)
    golden = Path(__file__).parent / "golden" / "forward_backward.txt"
    assert status == 0 and out == golden.read_text(encoding="utf-8")


def test_a_card_does_not_look_into_its_own_variable() -> None:
    graph = gc.parse("q: input(f64)\nz = 1/q**2\nJ = z*z\noutput(J)")
    card = str(gc.derive(graph, "z"))
    assert "∂z/∂q = −(z/q²)·2·q" in card
    assert "arrives           ∂J/∂z = ∂J/∂J·∂J/∂z   one user" in card
    assert "                   = z + z              local derivatives put in" in card


def test_the_differential_of_a_squared_error_is_written_as_a_person_would() -> None:
    p, t = gc.input("p", ("N", 2), "float64"), gc.input("t", ("N", 2), "float64")
    card = gc.derive(gc.graph({"J": ((p - t) ** 2).sum() / 2}), "J")
    assert card.part("local derivative") == ("dJ = sum((dp − dt) ⊙ (p − t))",)


def test_a_textbook_formula_is_derived_in_the_steps_of_the_function_that_it_is() -> None:
    graph = gc.parse("a: input(f64, 3)\nz = 1/(1 + exp(-a))\nJ = sum(z)\noutput(J)")
    card = gc.derive(graph, "z", of="J")
    assert card.part("formula") == ("z = 1/(1 + exp(−a))", "= σ(a)")
    steps = card.part("local derivative")
    assert len(steps) == 9
    assert steps[0] == "∂z/∂a = ∂/∂a[1/(1 + exp(−a))]" and steps[-1] == "= z·(1 − z)"


def test_every_op_is_derived_or_refused_in_words() -> None:
    for name in OPS:
        try:
            assert str(gc.derive(name))
        except gc.GraphError:
            continue  # no derivative flows through it
    assert "dy = pad(dx, ((1, 2), (0, 3)))" in str(gc.derive("pad"))


@pytest.mark.parametrize(
    ("name", "message", "fix"),
    [
        ("matmul", "matmul is no op: it is a function", 'gc.derive("einsum") derives'),
        ("scan", "scan has no derivative by itself", 'gc.derive(graph, "h1") derives'),
    ],
)
def test_what_has_no_derivative_by_itself_is_told_where_it_has_one(
    name: str, message: str, fix: str
) -> None:
    with pytest.raises(gc.GraphError, match=message) as found:
        gc.derive(name)
    assert str(found.value.fix).startswith(fix)


def test_a_transposed_quotient_has_brackets() -> None:
    card = gc.derive("norm")
    assert "∂y/∂x = (x/where(y = 0, ∞, y))ᵀ" in card.part("local derivative")
    assert r"\left(\frac{x}{\begin{cases} \infty & y = 0" in card.format("latex")
