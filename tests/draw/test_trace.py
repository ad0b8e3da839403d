"""The traces of y = ln(x1) + x1*x2 - sin(x2) at (2, 5): every number, in every format."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest

import graphc as gc
from graphc.draw.graphs.variables import variable_names
from graphc.draw.traces.pieces import decimal_text

LN_PRODUCT_SINE = """
x1: input(f64)
x2: input(f64)
y = log(x1) + x1*x2 - sin(x2)
output(y)
"""
AT = {"x1": 2, "x2": 5}
FORMATS = {"text": "txt", "markdown": "md", "latex": "tex", "html": "html"}

#: What the lecture states, from v0 to v6.
STATED = {
    "forward": ["2", "5", "0.693", "10", "−0.959", "10.693", "11.652"],
    "tangent": ["1", "0", "0.5", "5", "0", "5.5", "5.5"],
    "reverse": ["5.5", "1.716", "1", "1", "−1", "1", "1"],
}
ASKED: dict[str, dict[str, Any]] = {
    "forward": {},
    "tangent": {"wrt": "x1"},
    "reverse": {"of": "y"},
}


@pytest.fixture(scope="module")
def graph() -> gc.Graph:
    return gc.parse(LN_PRODUCT_SINE)


@pytest.mark.parametrize("mode", STATED)
def test_rows_hold_the_numbers_of_the_lecture(graph: gc.Graph, mode: str) -> None:
    rows = gc.trace(graph, AT, mode, **ASKED[mode]).rows
    assert [decimal_text(row.value) for row in rows] == STATED[mode]


def test_forward_rows(graph: gc.Graph) -> None:
    rows = gc.trace(graph, AT).rows
    assert [f"{row.variable} = {row.symbolic}" for row in rows] == [
        "v0 = x1",
        "v1 = x2",
        "v2 = ln(v0)",
        "v3 = v0·v1",
        "v4 = sin(v1)",
        "v5 = v2 + v3",
        "v6 = v5 − v4",
    ]
    assert [row.substituted for row in rows] == [
        "2",
        "5",
        "ln(2)",
        "2*5",
        "sin(5)",
        "0.693 + 10",
        "10.693 − (−0.959)",
    ]
    assert [row.name for row in rows][-1] == "y"


def test_tangent_rows_name_their_rules(graph: gc.Graph) -> None:
    rows = gc.trace(graph, AT, "tangent", wrt="x1").rows
    assert (rows[3].variable, rows[3].symbolic) == ("∂v3/∂x1", "∂v0/∂x1·v1 + v0·∂v1/∂x1")
    assert rows[3].substituted == "1*5 + 2*0"
    rules = [row.rule for row in rows]
    assert rules == ["seed", "seed", "chain", "product", "chain", "sum", "sum"]


def test_reverse_rows_stand_from_the_inputs_up_and_are_filled_from_the_output(
    graph: gc.Graph,
) -> None:
    rows = gc.trace(graph, AT, "reverse").rows
    assert [row.variable for row in rows] == [f"v̄{i}" for i in range(7)]
    assert [row.step for row in rows] == [7, 6, 5, 4, 3, 2, 1]
    assert rows[1].symbolic == "v̄3·∂v3/∂v1 + v̄4·∂v4/∂v1"
    assert rows[1].local is not None
    assert rows[1].local.text == "v̄3·v0 + v̄4·cos(v1)"
    assert rows[1].substituted == "1*2 + (−1)*cos(5)"


def test_version_b_increments(graph: gc.Graph) -> None:
    trace = gc.trace(graph, AT, "reverse", version="B")
    done = [f"{row.variable} {row.sign} {row.symbolic}" for row in trace.rows[::-1]]
    assert done[0] == "v̄6 = ∂y/∂y"
    assert done[1:3] == ["v̄4 += v̄6·∂v6/∂v4", "v̄5 += v̄6·∂v6/∂v5"]
    v0 = [(row.substituted, decimal_text(row.value)) for row in trace.rows if row.variable == "v̄0"]
    assert v0 == [("5 + 1*(1/2)", "5.5"), ("0 + 1*5", "5")]
    summed = gc.trace(graph, AT, "reverse").values
    assert {name: round(value, 12) for name, value in trace.values.items()} == {
        name: round(value, 12) for name, value in summed.items()
    }


# -- formats -----------------------------------------------------------------------------------


def cells_of(format: str, written: str) -> list[list[str]]:
    """Return the cells of each row, read back from one format."""
    if format == "text":
        lines = written.split("\n")
        start = next(i for i, line in enumerate(lines) if line.startswith("─"))
        return [re.split(r" {2,}", line.strip()) for line in lines[start + 1 :]]
    if format == "markdown":
        lines = [line for line in written.split("\n") if line.startswith("| ")][1:]
        return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    if format == "latex":
        body = written.split("\\hline")[2]
        return [[c.strip() for c in line.split("&")] for line in body.strip().split("\\\\")[:-1]]
    rows = re.findall(r"<tr>(<td>.*?)</tr>", written)
    plain = [re.findall(r"<td>(.*?)</td>", row) for row in rows]
    return [[html.unescape(re.sub(r"<[^>]+>", "", c)) for c in cells] for cells in plain]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("mode", STATED)
def test_every_format_holds_every_number(graph: gc.Graph, mode: str, format: str) -> None:
    written = gc.trace(graph, AT, mode, **ASKED[mode]).format(format)
    for cells, stated in zip(cells_of(format, written), STATED[mode], strict=True):
        number = stated.replace("−", "-") if format == "latex" else stated
        results = [cell.rpartition("= ")[2].removeprefix("[4pt]").strip() for cell in cells]
        assert number in results, cells


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("mode", [*STATED, "increments"])
def test_golden(
    graph: gc.Graph, mode: str, format: str, golden: Callable[[str, str], None]
) -> None:
    asked = ASKED["reverse"] | {"version": "B"} if mode == "increments" else ASKED[mode]
    trace = gc.trace(graph, AT, "reverse" if mode == "increments" else mode, **asked)
    golden(f"trace_{mode}.{FORMATS[format]}", trace.format(format) + "\n")


def test_notebooks_get_html_and_latex(graph: gc.Graph) -> None:
    trace = gc.trace(graph, AT)
    assert trace._repr_html_() == trace.format("html")
    assert trace._repr_latex_() == trace.format("latex")
    assert trace._repr_latex_().startswith("$$")
    assert str(trace) == trace.format("text")


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (3.0, "3"),
        (0.1 + 0.2, "0.3"),
        (2 / 3, "0.667"),
        (0.99999, "1.000"),
        (-12.3456, "−12.346"),
        (0.0012345, "0.00123"),
        (4.2e-9, "4.2e−9"),
        (123456789.0, "1.23e8"),
        (float("inf"), "∞"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_have_three_decimals_unless_they_are_exact(number: float, shown: str) -> None:
    assert decimal_text(number) == shown


OWN_NUMBERS = """
v1: input(f64)
v2: input(f64)
v4 = log(v1) + v1 * v2
y = v4 * sin(v2)
output(y)
"""


def test_numbers_stand_behind_another_letter_where_names_of_the_user_are_numbered() -> None:
    """A textbook calls its variables v1, v2, …; another numbering by the same letter misleads."""
    graph = gc.parse(OWN_NUMBERS)
    at = {"v1": 2, "v2": 5}
    rows = gc.trace(graph, at).rows
    assert f"{rows[3].variable} = {rows[3].symbolic}" == "u3 = u0·u1"
    reverse = gc.trace(graph, at, "reverse")
    bar = "u\N{COMBINING MACRON}"
    assert f"{bar} = ∂y/∂u, {bar}6 = 1" in str(reverse)
    assert r"\bar{u}_{5}" in reverse.format("latex")
    assert [row.variable for row in gc.trace(graph, at, "tangent", wrt="v1").rows][3] == "∂u3/∂v1"
    names = variable_names(graph)
    named = {row.variable for row in rows if row.label is None}
    assert named == {name for name in names.values() if name.startswith("u")} != set()
