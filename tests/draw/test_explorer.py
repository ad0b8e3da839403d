"""The explorer's page: what it says is what the compiler did, and every id leads both ways."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explored import (
    EXAMPLES,
    Data,
    chain,
    code,
    data_of,
    deep,
    example,
    lenet,
    lstm,
    page_text,
    paths_up,
    present,
)

import graphc as gc
from graphc.draw.explorer.measures import point_of
from graphc.draw.explorer.page import COLORS, GROUNDS, INKS
from graphc.draw.typography import text_width
from graphc.explore import stages

MODELS: dict[str, tuple[Callable[[], gc.Graph], str | None, dict[str, Any]]] = {
    "ln_product_sine": (lambda: example("ln_product_sine"), "y", {"x1": 2.0, "x2": 5.0}),
    "cos_sin": (lambda: example("cos_sin"), "J", {}),
    "digits_mlp": (lambda: example("digits_mlp"), "loss", {}),
    "binary_network": (lambda: example("binary_network"), "J", {}),
    "forward only": (lambda: example("logistic_regression"), None, {}),
    "lenet": (lenet, "loss", {}),
    "lstm": (lstm, "loss", {}),
    "collapsed": (lambda: deep(40), "loss", {}),
    "chain": (lambda: chain(120), "y", {}),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return the page of a model; each is made once."""
    made: dict[str, str] = {}

    def page(name: str) -> str:
        if name not in made:
            build, of, at = MODELS[name]
            made[name] = page_text(tmp_path_factory.mktemp("explorer"), build(), of, **at)
        return made[name]

    return page


@pytest.fixture(params=MODELS)
def text(request: pytest.FixtureRequest, pages: Callable[[str], str]) -> str:
    return pages(request.param)


@pytest.fixture
def data(text: str) -> Data:
    return data_of(text)


# -- one file -------------------------------------------------------------------------------------


def test_page_loads_nothing(text: str) -> None:
    assert "default-src 'none'" in text
    assert not re.search(
        r"<(link|img|iframe|object|embed)\b|\bsrc=|\bhref=|@import|url\((?!#)", text
    )
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("name", ["digits_mlp", "lenet", "lstm"])
def test_page_stays_small(name: str, pages: Callable[[str], str]) -> None:
    assert len(pages(name).encode()) < 2_000_000


PROBE = """
import sys, graphc as gc
for name, of in (("digits_mlp", "loss"), ("ln_product_sine", "y")):
    gc.explore(gc.load(f"examples/{name}.graph"), sys.argv[1], of)
    print(open(sys.argv[1], encoding="utf-8").read())
"""


def test_bytes_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROBE, str(tmp_path / f"{seed}.html")],
            capture_output=True,
            check=True,
            cwd=EXAMPLES.parent,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
        ).stdout
        for seed in ("0", "1", "4242")
    ]
    assert len(runs[0]) > 100_000
    assert runs[0] == runs[1] == runs[2]


# -- every id resolves both ways ------------------------------------------------------------------


def test_every_node_has_a_line_and_every_assignment_a_node(data: Data) -> None:
    for stage in range(len(data["stages"])):
        here, lines = present(data, stage), code(data, stage)
        in_lines = {key for _, ids in lines for key in ids}
        assert in_lines == set(here), data["stages"][stage]["name"]
        for line, ids in lines:
            if re.match(r"\s*[\w.\[\], :]+ [-+*/]?= ", line) and "if " not in line:
                assert ids, line


def test_every_node_stands_in_a_picture(data: Data) -> None:
    for stage in range(len(data["stages"])):
        here = present(data, stage)
        for key, facts in here.items():
            box = facts.get("host", key)
            assert "host" not in here[box], "a host has a box of its own"
            ways = list(paths_up(data, box))
            assert ways[-1][0] == ""
            for picture, item in ways:
                assert item in data["pictures"][picture]["items"]


def test_every_item_of_a_picture_is_a_node_or_a_group(data: Data) -> None:
    for name, picture in data["pictures"].items():
        for item in picture["items"]:
            key = item.removeprefix("r")
            assert key in data["nodes"] or key in data["groups"]
            if item == key:
                assert data["parent"].get(item, "") == name
    for group, facts in data["groups"].items():
        assert group in data["pictures"]
        for member in facts["members"]:
            assert group in [above for above, _ in paths_up(data, member)]


def test_every_edge_of_every_stage_is_drawn(data: Data) -> None:
    for stage in range(len(data["stages"])):
        for key, facts in present(data, stage).items():
            for read in facts.get("reads", ()):
                heads, tails = dict(paths_up(data, key)), dict(paths_up(data, read))
                shared = next(picture for picture in heads if picture in tails)
                assert f"{tails[shared]}>{heads[shared]}" in data["pictures"][shared]["paths"]


def test_every_node_of_the_model_leads_to_the_users_line(pages: Callable[[str], str]) -> None:
    data = data_of(pages("digits_mlp"))
    lines = {(file, number): text for file, number, text in data["userLines"]}
    model = (EXAMPLES / "digits_mlp.graph").read_text(encoding="utf-8").splitlines()
    for key in present(data, 0):
        file, number = data["nodes"][key]["origin"]
        assert file == "digits_mlp.graph"
        assert lines[file, number] == model[number - 1]


# -- what it says is what happened ----------------------------------------------------------------


def test_node_counts_and_firings_are_those_of_the_passes(pages: Callable[[str], str]) -> None:
    data = data_of(pages("digits_mlp"))
    told = stages(example("digits_mlp"), "loss")
    assert [s["name"] for s in data["stages"]] == [stage.name for stage in told]
    assert [s["nodes"] for s in data["stages"]] == [len(stage.graph.nodes) for stage in told]
    names = [[f["rule"] for f in s["firings"]] for s in data["stages"]]
    assert names == [[f.rule.name for f in stage.firings] for stage in told]
    assert [len(present(data, i)) for i in range(len(told))] == [s["nodes"] for s in data["stages"]]
    compiled = gc.compile(example("digits_mlp"), gradient_of="loss", style="readable")
    assert [r.name for r in compiled.history] == [
        s["name"] for s in data["stages"] if s["name"] not in ("as written", "differentiate")
    ]


def test_last_code_is_the_emitted_code(pages: Callable[[str], str]) -> None:
    data = data_of(pages("digits_mlp"))
    shown = "\n".join(line for line, _ in code(data, len(data["stages"]) - 1))
    source = gc.compile(example("digits_mlp"), gradient_of="loss", style="readable").source
    assert shown in source


def test_marks_tell_what_changed(data: Data) -> None:
    for stage in range(1, len(data["stages"])):
        before, after = present(data, stage - 1), present(data, stage)
        marks = {}
        for key, node in data["nodes"].items():
            for place, mark, _, into in node["events"]:
                if place == stage:
                    marks[key] = mark
                    assert not into or into in after
        assert {k for k, mark in marks.items() if mark == "+"} == after.keys() - before.keys()
        assert {k for k, mark in marks.items() if mark == "-"} == before.keys() - after.keys()
        for key in before.keys() & after.keys():
            if key not in marks and "host" not in after[key]:
                assert before[key] == after[key]
        if data["stages"][stage]["idle"]:
            assert not marks and before == after


def test_every_firing_is_told_with_its_nodes(data: Data) -> None:
    for stage, facts in enumerate(data["stages"]):
        for firing in facts["firings"]:
            assert firing["before"] and firing["after"] and firing["why"]
            assert set(firing["matched"]) <= present(data, stage - 1).keys()
            assert not firing["made"] or firing["made"] in present(data, stage)


def test_formulas_of_a_firing_are_over_the_nodes_at_hand(pages: Callable[[str], str]) -> None:
    data = data_of(pages("digits_mlp"))
    told = {f["rule"]: f for s in data["stages"] for f in s["firings"]}
    softmax = told["softmax_textbook"]
    assert softmax["before"] == "exp(z₂) / sum(exp(z₂), axis 1)"
    assert softmax["after"] == "softmax(z₂, axis=1)"
    assert data["nodes"][softmax["matched"][0]]["name"] == "p"
    assert data["nodes"][softmax["made"]]["name"] == "p"


def test_a_replaced_node_keeps_its_name_and_place(pages: Callable[[str], str]) -> None:
    data = data_of(pages("digits_mlp"))
    (p,) = [key for key, node in data["nodes"].items() if node["name"] == "p"]
    formulas = [facts["formula"] for _, _, facts in data["nodes"][p]["spans"]]
    assert len(set(formulas)) > 2
    assert p in data["pictures"][""]["items"]


@pytest.mark.parametrize("name", ["digits_mlp", "ln_product_sine", "lstm"])
def test_differences_are_those_of_the_reference(name: str, pages: Callable[[str], str]) -> None:
    build, of, at = MODELS[name]
    data, told = data_of(pages(name)), stages(build(), of)
    point = point_of(told, at)
    outputs = []
    for stage in told:
        state = {n: point.values[n] for n in stage.graph.params}
        inputs = {n: point.values[n] for n in stage.graph.inputs}
        outputs.append(gc.interpret(stage.graph, state or None, **inputs))
    for stage in range(1, len(told)):
        gaps = [
            float(np.abs(outputs[stage][n].astype(float) - value).max())
            for n, value in outputs[stage - 1].items()
        ]
        assert data["stages"][stage]["gap"][0] == max(gaps)


def test_costs_are_those_of_the_graphs(pages: Callable[[str], str]) -> None:
    data = data_of(pages("digits_mlp"))
    for facts, stage in zip(data["stages"], stages(example("digits_mlp"), "loss"), strict=True):
        total = stage.graph.cost()
        fixed = total.at(N=3)
        assert [number for _, number in facts["cost"]] == [
            fixed.flops,
            fixed.bytes,
            fixed.peak_bytes,
        ]
        assert facts["cost"][0][0] == str(total.flops)


# -- the evaluation -------------------------------------------------------------------------------


def test_steps_fill_the_trace_of_the_lecture(pages: Callable[[str], str]) -> None:
    data = data_of(pages("ln_product_sine"))
    rows = data["steps"]["rows"]
    forward = [row["value"] for row in rows if row["phase"] == "forward"]
    assert forward == ["2", "5", "0.693", "10", "−0.959", "10.693", "11.652"]
    adjoints: dict[str, str] = {}
    for row in rows:
        if row["phase"] == "backward":
            adjoints[data["nodes"][row["node"]]["name"]] = row["value"]
    assert adjoints["x₁"] == "5.5" and adjoints["x₂"] == "1.716"
    assert adjoints["v5"] == "1" and adjoints["v4"] == "−1"


def test_fan_out_is_added_up_step_by_step(pages: Callable[[str], str]) -> None:
    data = data_of(pages("ln_product_sine"))
    rows = [row for row in data["steps"]["rows"] if row["phase"] == "backward"]
    of_x1 = [row for row in rows if data["nodes"][row["node"]]["name"] == "x₁"]
    assert [(row["sign"], row["value"]) for row in of_x1] == [("+=", "5"), ("+=", "5.5")]
    assert [row["numbers"] for row in of_x1] == ["0 + 1*5", "5 + 1*(1/2)"]


@pytest.mark.parametrize("name", ["digits_mlp", "cos_sin", "binary_network", "lenet", "lstm"])
def test_steps_are_the_rows_of_the_traces(name: str, pages: Callable[[str], str]) -> None:
    build, of, at = MODELS[name]
    data, told = data_of(pages(name)), stages(build(), of)
    derived = next(i for i, stage in enumerate(told) if stage.differentiates)
    graph = told[derived - 1].graph
    values = point_of(told, at).values
    rows = data["steps"]["rows"]
    forward = gc.trace(graph, values)
    backward = gc.trace(graph, values, "reverse", of=of, version="B")
    answers = [row["answer"] for row in rows]
    expected = [row.value for row in (*forward.rows, *backward.rows[::-1])]
    assert len(answers) == len(expected)
    for answer, value in zip(answers, expected, strict=True):
        if answer is not None:
            assert answer == pytest.approx(float(np.linalg.norm(value)) if value.ndim else value)
    before, after = present(data, derived - 1), present(data, derived)
    sources = {k for k, facts in before.items() if facts.get("kind") == "parameter"} or {
        k for k, facts in before.items() if facts.get("kind") == "input"
    }
    moving = set(sources)
    for key in sorted(before, key=lambda key: int(key[1:])):
        if moving & set(before[key].get("reads", ())):
            moving.add(key)
    for row in rows:
        if row["sign"] == "+=" and row["node"] in moving:
            assert row["adjoint"] in after, "the line that computes the adjoint can be lit"


def test_too_many_variables_have_no_steps_and_the_page_says_so(
    tmp_path: Path,
) -> None:
    steps = data_of(page_text(tmp_path, chain(260), "y"))["steps"]
    assert steps["rows"] == [] and "261 variables" in steps["leftOut"]


# -- pictures -------------------------------------------------------------------------------------


def test_boxes_do_not_overlap(data: Data) -> None:
    pictures = [*data["pictures"].values(), *filter(None, [data["stepsPicture"]])]
    for picture in pictures:
        places = sorted(picture["items"].values())
        for i, (left, top, width, height) in enumerate(places):
            for other_left, other_top, _, other_height in places[i + 1 :]:
                if other_left >= left + width:
                    break
                assert other_top >= top + height - 3 or other_top + other_height <= top + 3


@pytest.mark.parametrize("name", ["ln_product_sine", "cos_sin", "digits_mlp"])
def test_variables_and_their_adjoints_stand_at_one_height(
    name: str, pages: Callable[[str], str]
) -> None:
    data = data_of(pages(name))
    by_name = {node["name"]: key for key, node in data["nodes"].items()}
    items = data["pictures"][""]["items"]
    pairs = [(k, by_name[f"d_{n}"]) for n, k in by_name.items() if f"d_{n}" in by_name]
    assert pairs
    for variable, adjoint in pairs:
        assert abs(items[variable][1] - items[adjoint][1]) <= 1
        assert items[variable][0] < items[adjoint][0], "the backward pass stands on the right"


@pytest.mark.parametrize("name", ["ln_product_sine", "cos_sin", "digits_mlp", "lenet"])
def test_no_edge_runs_through_a_foreign_box(name: str, pages: Callable[[str], str]) -> None:
    data = data_of(pages(name))
    for picture in data["pictures"].values():
        for key, path in picture["paths"].items():
            foreign = {k: v for k, v in picture["items"].items() if k not in key.split(">")}
            for x, y in curve(path):
                for item, (left, top, width, height) in foreign.items():
                    head = 0 if item.startswith("r") else data["head"]
                    inside = (
                        left + 4 < x < left + width - 4 and top + head + 4 < y < top + height - 4
                    )
                    assert not inside, f"{key} runs through {item}"


@pytest.mark.parametrize("name", ["digits_mlp", "lenet", "collapsed"])
def test_no_arrow_ends_behind_the_name_of_its_box(name: str, pages: Callable[[str], str]) -> None:
    data = data_of(pages(name))
    named = {k: n["name"] for k, n in data["nodes"].items()}
    named |= {k: g["title"] for k, g in data["groups"].items()}
    for picture in data["pictures"].values():
        for key, path in picture["paths"].items():
            head = key.split(">")[1]
            if head.startswith("r"):
                continue
            left, top, _, _ = picture["items"][head]
            x, y = curve(path)[-1]
            is_behind = left < x < left + text_width(named[head], 13)
            is_behind &= top + 1 < y <= top + data["head"]
            assert not is_behind, f"{key} ends behind {named[head]}"


def curve(path: str) -> list[tuple[float, float]]:
    """Return points along a path of cubic Béziers."""
    numbers = [int(word) for word in re.findall(r"-?\d+", path)]
    points = np.array(numbers, float).reshape(-1, 2)
    found = []
    for start in range(0, len(points) - 3, 3):
        a, b, c, d = points[start : start + 4]
        for t in np.linspace(0, 1, 24):
            s = 1 - t
            found.append(tuple(s**3 * a + 3 * s * s * t * b + 3 * s * t * t * c + t**3 * d))
    return found


def test_large_graphs_collapse_into_pictures_of_moderate_size(pages: Callable[[str], str]) -> None:
    for name in ("collapsed", "chain"):
        data = data_of(pages(name))
        assert data["groups"]
        for key, picture in data["pictures"].items():
            inside = [item for item in picture["items"] if not item.startswith("r")]
            assert len(inside) <= 90, key
    titles = [group["title"] for group in data_of(pages("collapsed"))["groups"].values()]
    assert any("layer" in title for title in titles)
    assert any(title.endswith("· backward") for title in titles)


# -- names as data, errors, colours ---------------------------------------------------------------

HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "&lt;b&gt; &amp;",
    "tab\tand\nline",
    "\u2028\u2029",
    "名前 ∂ˣ",
    "'`${1}`",
    "<!--",
    "class",
]


def test_hostile_names_stay_data(tmp_path: Path) -> None:
    leaves = [gc.input(name, dtype="float64") for name in HOSTILE]
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total * leaf + gc.sin(leaf)
    graph = gc.graph({HOSTILE[0] + "!": total}, name=HOSTILE[1])
    text = page_text(tmp_path, graph, HOSTILE[0] + "!")
    assert text.count("<script") == 2 and text.count("</script") == 2
    assert "<img" not in text and "<!--" not in text and "\u2028" not in text
    names = {node["name"] for node in data_of(text)["nodes"].values()}
    assert "</script><script>alert(1)</script>" in names


def test_an_unnamed_or_tiny_graph_has_a_page(tmp_path: Path) -> None:
    x = gc.input("x")
    data = data_of(page_text(tmp_path, gc.graph({"y": x})))
    assert [node["name"] for node in data["nodes"].values()] == ["x"]


def test_without_dot_one_clear_error_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(gc.GraphError, match="the program dot was not found") as raised:
        gc.explore(example("cos_sin"), tmp_path / "page.html", "J")
    assert "graphviz.org" in str(raised.value) and "digraph" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gradient_of": "Q"}, "no output is called 'Q'"),
        ({"at": {"q": 1.0}}, "no input, parameter or dim called 'q'"),
        ({"at": {"x": [1.0, 2.0]}}, "x"),
        ({"path": "page.txt"}, "the explorer is a page"),
        ({"path": "missing/page.html"}, "cannot write"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    arguments: dict[str, Any] = {"path": "page.html", "gradient_of": "J", **change}
    arguments["path"] = tmp_path / arguments["path"]
    with pytest.raises(gc.GraphError, match=message):
        gc.explore(example("cos_sin"), **arguments)
    assert list(tmp_path.iterdir()) == []


def test_command_line_writes_the_page(tmp_path: Path) -> None:
    model, page = EXAMPLES / "ln_product_sine.graph", tmp_path / "m.html"
    command = [sys.executable, "-m", "graphc", "explore", str(model), "-o", str(page)]
    words = ["--gradient", "y", "--at", "x1=2", "--at", "x2=5"]
    done = subprocess.run([*command, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    data = data_of(page.read_text(encoding="utf-8"))
    assert data["point"] == "x₁ = 2, x₂ = 5"
    assert data["steps"]["rows"][-1]["value"] == "5.5"


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_ink_is_legible_on_every_ground(scheme: int) -> None:
    boxes = ("paper", "lit", "input", "parameter", "constant", "output", "group")
    pairs = [(ink, ground) for ink in INKS for ground in GROUNDS]
    pairs += [(ink, ground) for ink in ("ink", "muted") for ground in boxes]
    pairs += [("paper", "accent")]  # a button that is pressed
    for ink, ground in pairs:
        a, b = sorted(luminance(COLORS[role][scheme]) for role in (ink, ground))
        assert (b + 0.05) / (a + 0.05) >= 4.5, f"{ink} on {ground}"
