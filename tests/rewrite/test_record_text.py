"""What do printed records and firings say? Rule, formula, reason, before and after."""

from __future__ import annotations

import graphc as gc
from graphc.rewrite.engine.rule import History


def test_a_firing_prints_its_formula_its_reason_and_what_it_did() -> None:
    x = gc.input("x", (3,), "float64")
    better = gc.optimize(gc.graph({"y": gc.exp(x) * 1 + x}))
    (firing,) = next(record for record in better.history if record.firings).firings
    assert str(firing).splitlines() == [
        "multiply_one: x*1 → x",
        f"  why   {firing.why}",
        "  here  exp(x) * 1.0 → exp(x)",
    ]


def test_a_record_prints_its_firings_by_rule() -> None:
    x = gc.input("x", (3,), "float64")
    y = gc.exp(x) * 1 + gc.sin(x) * 1
    record = next(r for r in gc.optimize(gc.graph({"y": y})).history if r.firings)
    lines = str(record).splitlines()
    nodes = f"{record.nodes_before} → {record.nodes_after} nodes"
    assert lines[0] == f"{record.name}: {record.title}; {nodes}, 2 firings"
    assert lines.count("  multiply_one: x*1 → x") == 1
    assert "    here  exp(x) * 1.0 → exp(x)" in lines
    assert "    here  sin(x) * 1.0 → sin(x)" in lines


def test_broadcasts_are_left_out_unless_they_are_what_changed() -> None:
    x, b = gc.input("x", (2, 3), "float64"), gc.input("b", (3,), "float64")
    y = gc.exp(x + b) / gc.sum(gc.exp(x + b), axis=1, keepdims=True)
    text = "\n".join(str(r) for r in gc.optimize(gc.graph({"y": y})).history if r.firings)
    assert "broadcast" not in text.split("merge common")[0]
    assert "softmax(x + b" in text


def test_a_history_prints_every_pass_and_stays_a_tuple() -> None:
    x = gc.input("x", (3,), "float64")
    history = gc.optimize(gc.graph({"y": gc.exp(x) * 1})).history
    assert isinstance(history, tuple) and isinstance(history, History)
    text = str(history)
    assert "multiply_one: x*1 → x" in text and "<" not in text
    assert text.splitlines()[-1].startswith("without effect: ")
    assert str(gc.compile(gc.graph({"y": gc.exp(x) * 1})).history).count("multiply_one") == 1
    assert str(gc.graph({"y": x}).history) == "()"


def test_a_long_formula_is_cut() -> None:
    x = gc.input("x", (3,), "float64")
    y = x
    for _ in range(200):
        y = gc.sin(y + x)
    record = next(r for r in gc.optimize(gc.graph({"y": y * 1})).history if r.firings)
    assert max(map(len, str(record).splitlines())) < 300
    assert "…" in str(record)
