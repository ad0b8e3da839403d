"""The explorer in a browser: hovering, stepping, searching, asking, by mouse and by keyboard."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from explored import chain, data_of, deep, example, lenet, lstm

import graphc as gc

Open = Callable[..., Any]


def made(folder: Path, name: str, graph: gc.Graph, of: str, **at: float) -> Path:
    """Return the page of a model, made once."""
    path = folder / f"{name}.html"
    if not path.exists():
        gc.explore(graph, path, gradient_of=of, at=at or None)
    return path


@pytest.fixture(scope="session")
def lecture(folder: Path) -> Path:
    return made(folder, "ln_product_sine", example("ln_product_sine"), "y", x1=2.0, x2=5.0)


@pytest.fixture(scope="session")
def digits(folder: Path) -> Path:
    return made(folder, "digits_mlp", example("digits_mlp"), "loss")


def box(page: Any, name: str) -> Any:
    """Return the box of a node in the picture, by the name above it."""
    return page.locator("#canvas .box").filter(has=page.locator(f"text.name:text-is('{name}')"))


def lit_lines(page: Any) -> list[str]:
    return [text.strip() for text in page.locator("#code-lines .lit code").all_inner_texts()]


def lit_boxes(page: Any) -> set[str]:
    return set(page.locator("#canvas .box.lit text.name").all_text_contents())


def hash_of(page: Any) -> dict[str, str]:
    fragment = page.evaluate("location.hash").removeprefix("#")
    return dict(word.split("=") for word in fragment.split("&") if word)


def go(page: Any, name: str, at: int = 0) -> None:
    """Choose a pass by its name."""
    page.locator("#pass-list button").filter(has_text=re.compile(f"^{name}")).nth(at).click()


# -- nodes and lines ------------------------------------------------------------------------------


def test_hovering_a_node_lights_its_code_and_back(digits: Path, opened: Open) -> None:
    page = opened(digits, "pass=5")
    box(page, "z₁").hover()
    assert lit_lines(page) == ["z1 = x @ W1 + b1  # [N, 128]"]
    assert page.locator("#user-lines .lit code").all_inner_texts() == ["z1 = x @ W1 + b1"]
    page.locator("#code-lines .line", has_text="h1 = np.maximum").hover()
    assert lit_boxes(page) == {"h₁"}
    page.locator("#user-lines .line", has_text="z2 = h1 @ W2 + b2").hover()
    assert {"z₂", "d_z₂"} <= lit_boxes(page)
    page.mouse.move(2, 2)
    assert lit_boxes(page) == set() and lit_lines(page) == []


def test_a_kept_node_tells_where_it_is_from_and_what_became_of_it(
    digits: Path, opened: Open
) -> None:
    page = opened(digits, "pass=0")
    box(page, "p").click()
    card = page.locator(".card.node").inner_text()
    assert "digits_mlp.graph:14" in card and "p = exp(z2) / sum(exp(z2)" in card
    assert "stabilize changed by softmax_textbook" in card
    assert "in the final code" in card
    page.locator(".fate button", has_text="stabilize").click()
    assert page.locator("#stage-title").inner_text() == "stabilize"
    assert hash_of(page)["node"] == hash_of(opened(digits, f"node={hash_of(page)['node']}"))["node"]


def test_every_line_and_every_node_answers(digits: Path, opened: Open) -> None:
    page = opened(digits, "pass=5&difference=0")
    for one in page.locator("#canvas .box").all():
        one.focus()
        assert lit_lines(page), one.get_attribute("aria-label")
    for line in page.locator("#code-lines .line[data-ids]").all():
        line.focus()
        assert lit_boxes(page), line.inner_text()


# -- passes ---------------------------------------------------------------------------------------


def test_all_passes_forth_and_back(digits: Path, opened: Open, screenshot: Any) -> None:
    page = opened(digits, "idle=1")
    stages = data_of(digits.read_text(encoding="utf-8"))["stages"]
    seen = []
    for stage in stages:
        seen.append(page.locator("#stage-title").inner_text())
        shown = page.locator("#canvas .box:not(.removed)").count()
        assert 0 < shown <= stage["nodes"]
        page.keyboard.press("j")
    assert seen == [stage["name"] for stage in stages]
    for name in reversed(seen):
        assert page.locator("#stage-title").inner_text() == name
        page.keyboard.press("k")
    go(page, "stabilize")
    screenshot(page, "digits-stabilize")
    go(page, "differentiate")
    screenshot(page, "digits-differentiate")


def test_passes_without_effect_hide_until_asked(digits: Path, opened: Open) -> None:
    page = opened(digits)
    stages = data_of(digits.read_text(encoding="utf-8"))["stages"]
    busy = [stage["name"] for stage in stages if not stage["idle"]]
    assert page.locator("#pass-list .pass-name").all_inner_texts() == busy
    page.locator("#idle-button").click()
    assert page.locator("#pass-list .pass-name").count() == len(stages)
    page.locator("#idle-button").click()
    walked = [page.locator("#stage-title").inner_text()]
    for _ in busy[1:]:
        page.keyboard.press("j")
        walked.append(page.locator("#stage-title").inner_text())
    assert walked == busy


def test_unchanged_nodes_stay_in_place(digits: Path, opened: Open) -> None:
    page = opened(digits, "pass=5&difference=0")
    place = "[box.dataset.id, box.getAttribute('transform')]"
    script = f"[...document.querySelectorAll('#canvas .box')].map(box => {place})"
    before = dict(page.evaluate(script))
    frame = page.locator("#canvas svg").get_attribute("viewBox")
    page.keyboard.press("j")
    after = dict(page.evaluate(script))
    assert len(before.keys() & after.keys()) > 15
    assert all(before[key] == after[key] for key in before.keys() & after.keys())
    assert page.locator("#canvas svg").get_attribute("viewBox") == frame


def test_difference_by_mark_and_colour(digits: Path, opened: Open) -> None:
    page = opened(digits)
    go(page, "stabilize")
    assert page.locator("#legend").inner_text().split() == [
        "+3",
        "added",
        "−6",
        "removed",
        "~2",
        "changed",
    ]
    for kind, sign in (("added", "+"), ("removed", "−"), ("changed", "~")):
        marks = page.locator(f"#canvas .box.{kind} text.sign").all_text_contents()
        assert marks and set(marks) == {sign}
        stroke = f"getComputedStyle(document.querySelector('#canvas .box.{kind} .body'))"
        assert page.evaluate(f"{stroke}.stroke") != page.evaluate(
            "getComputedStyle(document.querySelector('#canvas .box:not([class*=ed]) .body')).stroke"
        )
    dashes = (
        "getComputedStyle(document.querySelector('#canvas .box.removed .body')).strokeDasharray"
    )
    assert page.evaluate(dashes) != "none"
    assert page.locator("#code-lines .fresh").count() > 3
    page.keyboard.press("d")
    assert page.locator("#canvas .removed").count() == 0
    assert page.locator("#canvas .sign").count() == 0
    assert page.locator("#difference").get_attribute("aria-pressed") == "false"


def test_firings_step_both_ways(digits: Path, opened: Open, screenshot: Any) -> None:
    page = opened(digits)
    go(page, "stabilize")
    rules = ["softmax_textbook", "log_of_moved", "log_of_softmax", "take_before_arithmetic"]
    for rule in rules:
        page.keyboard.press("ArrowRight")
        assert page.locator(".firings .rule b").inner_text() == rule
    screenshot(page, "digits-firing")
    for rule in reversed(rules[:-1]):
        page.keyboard.press("ArrowLeft")
        assert page.locator(".firings .rule b").inner_text() == rule
    assert page.locator(".formulas .old").inner_text() == "exp(z₂) / sum(exp(z₂), axis 1)"
    assert page.locator(".formulas .new").inner_text() == "softmax(z₂, axis=1)"
    assert page.locator("#canvas .made text.name").all_text_contents() == ["p"]
    assert page.locator("#canvas .matched").count() >= 3


def test_measures_of_a_pass(digits: Path, opened: Open) -> None:
    page = opened(digits)
    go(page, "stabilize")
    told = page.locator("#measures").inner_text()
    for word in ("FLOPs", "bytes moved", "peak bytes", "largest |before − after|", "in loss"):
        assert word in told


# -- search ---------------------------------------------------------------------------------------


def test_search_filters_passes_nodes_and_lines(digits: Path, opened: Open) -> None:
    page = opened(digits, "pass=3")
    page.keyboard.press("/")
    page.keyboard.type("logsumexp")
    assert page.locator("#found").inner_text().startswith("1 node")
    hits = page.locator("#canvas .hit-by-search text.formula").all_text_contents()
    assert hits == ["logsumexp(z₂, axis 1)"]
    other = "document.querySelector('#canvas .box:not(.hit-by-search)')"
    assert float(page.evaluate(f"getComputedStyle({other}).opacity")) < 0.5
    faint = page.locator("#pass-list .faint .pass-name").all_inner_texts()
    assert "as written" in faint and "stabilize" not in faint[:1]
    page.keyboard.press("Enter")
    assert "logsumexp" in page.locator(".card.node").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#search").input_value() == ""
    assert page.locator("#canvas .hit-by-search").count() == 0
    page.fill("#search", "z2 = h1")
    assert page.locator("#code-lines .hit-by-search").count() == 1


# -- the evaluation -------------------------------------------------------------------------------


def test_stepper_fills_the_trace_row_by_row(lecture: Path, opened: Open, screenshot: Any) -> None:
    page = opened(lecture)
    page.locator("#mode-steps").click()
    assert page.locator("#rows tr.filled").count() == 0
    values = []
    for step in range(16):
        page.keyboard.press("ArrowRight")
        assert page.locator("#rows tr.filled").count() == step + 1
        current = page.locator("#rows tr.current")
        values.append(current.locator("td.value").inner_text())
        assert page.locator("#canvas .box.current").count() == 1
        assert lit_lines(page)
        if step == 13:
            screenshot(page, "ln-product-sine-backward")
    assert values[6] == "11.652" and values[12:] == ["−0.284", "5", "1.716", "5.5"]
    notes = page.locator("#canvas text.adjoint").all_text_contents()
    assert "◂ 5.5" in notes and "◂ 1.716" in notes
    assert "▸ 11.652" in page.locator("#canvas text.value").all_text_contents()
    page.keyboard.press("ArrowRight")
    assert page.locator("#rows tr.filled").count() == 16
    for step in range(16, 0, -1):
        assert page.locator("#rows tr.filled").count() == step
        page.keyboard.press("ArrowLeft")


def test_operands_are_marked_and_fan_out_is_added_up(lecture: Path, opened: Open) -> None:
    page = opened(lecture, "steps=1&step=13")
    assert page.locator("#canvas .current text.name").text_content() == "x₁"
    assert page.locator("#canvas .operand text.name").text_content() == "v3"
    assert "+=" in page.locator("#rows tr.current td.formula").inner_text()
    assert "◂ 5" in box(page, "x₁").locator("text.adjoint").text_content()
    assert lit_lines(page) == ["d_x1 = x2 + 1 / x1  # []  dy/dx1"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert "◂ 5.5" in box(page, "x₁").locator("text.adjoint").text_content()


def test_quiz_accepts_the_right_number_and_refuses_a_wrong_one(
    lecture: Path, opened: Open, screenshot: Any
) -> None:
    page = opened(lecture, "steps=1")
    page.keyboard.press("q")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.locator("#rows tr.current td.value").inner_text() == "?"
    assert "0.693" not in page.locator("#stage").inner_text()
    page.locator("#answer").fill("0.7")
    page.keyboard.press("Enter")
    assert page.locator("#verdict").inner_text() == "not yet; try again"
    assert page.locator("#rows tr.current td.value").inner_text() == "?"
    page.locator("#answer").fill("ln 2")
    page.keyboard.press("Enter")
    assert page.locator("#verdict").inner_text() == "a number, please"
    screenshot(page, "quiz")
    page.locator("#answer").fill("0.693")
    page.keyboard.press("Enter")
    assert "right" in page.locator(".verdict").inner_text()
    assert page.locator("#rows tr.current td.value").inner_text() == "0.693"
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="show").click()
    assert page.locator("#rows tr.current td.value").inner_text() == "10"
    page.keyboard.press("ArrowRight")
    page.locator("#answer").fill("−0,959")
    page.keyboard.press("Enter")
    assert page.locator("#rows tr.current td.value").inner_text() == "−0.959"


def test_quiz_does_not_tell_by_later_rows(lecture: Path, opened: Open) -> None:
    page = opened(lecture, "steps=1&quiz=1&step=6")
    text = page.locator("#stage").inner_text()
    for number in ("0.693", "10.693", "11.652", "0.959"):
        assert number not in text
    page.keyboard.press("q")
    assert "11.652" in page.locator("#stage").inner_text()


def test_quiz_of_an_array_asks_for_its_norm(digits: Path, opened: Open) -> None:
    rows = data_of(digits.read_text(encoding="utf-8"))["steps"]["rows"]
    step = next(i for i, row in enumerate(rows) if row["norm"])
    page = opened(digits, f"steps=1&quiz=1&step={step}")
    assert "norm" in page.locator(".question").inner_text()
    page.locator("#answer").fill(str(rows[step]["answer"]))
    page.keyboard.press("Enter")
    assert page.locator("#rows tr.current td.value").inner_text() == rows[step]["value"]


# -- keyboard, address, motion, schemes, print ----------------------------------------------------


def test_keyboard_alone_reaches_everything(digits: Path, opened: Open) -> None:
    page = opened(digits, "pass=3")
    part = """(() => {
      const within = (places) => document.activeElement.closest(places);
      return within("#passes, #canvas, #code-lines, #user-lines, #panel")?.id
        || within(".tools, header")?.className;
    })()"""
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(part))
    assert {"passes", "canvas", "code-lines", "user-lines", "panel", "tools"} <= set(reached)
    page.locator("#canvas [tabindex='0']").focus()
    first = page.evaluate("document.activeElement.dataset.id")
    page.keyboard.press("ArrowDown")
    second = page.evaluate("document.activeElement.dataset.id")
    assert first != second and lit_lines(page)
    ring = "getComputedStyle(document.activeElement.querySelector('.ring')).stroke"
    assert page.evaluate(ring) != "none", "the focus is seen"
    page.keyboard.press("Enter")
    assert hash_of(page)["node"] == second
    page.keyboard.press("Escape")
    assert "node" not in hash_of(page)
    page.keyboard.press("e")
    assert page.locator("#stage-title").inner_text() == "Evaluation"
    page.keyboard.press("j")
    assert page.locator("#stage-title").inner_text() == "stabilize"
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()


def test_lines_are_walked_by_arrows(digits: Path, opened: Open) -> None:
    page = opened(digits)
    page.locator("#code-lines .line[tabindex='0']").focus()
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.matches('#code-lines .line')")
    page.keyboard.press("Enter")
    assert hash_of(page)["node"]


def test_the_address_restores_the_state(digits: Path, opened: Open) -> None:
    page = opened(digits)
    go(page, "lower")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    box(page, "z₂").click()
    page.keyboard.press("d")
    state = page.evaluate("location.hash").removeprefix("#")
    again = opened(digits, state)
    assert again.evaluate("location.hash").removeprefix("#") == state
    for part in ("#stage-title", ".firings", ".card.node", "#difference"):
        assert again.locator(part).inner_text() == page.locator(part).inner_text()
    assert again.locator("#difference").get_attribute("aria-pressed") == "false"
    step = opened(digits, "steps=1&step=9&quiz=1")
    assert step.locator("#rows tr.filled").count() == 10
    assert step.locator("#quiz").get_attribute("aria-pressed") == "true"
    back = opened(digits, "pass=999&firing=77&node=nobody&group=gone&step=x")
    assert back.locator("#canvas .box").count() > 5, "a spoiled address still shows the graph"


def test_dark_scheme(digits: Path, opened: Open, screenshot: Any) -> None:
    light, dark = opened(digits, "pass=3"), opened(digits, "pass=3", color_scheme="dark")
    color = "getComputedStyle(document.querySelector('#canvas')).backgroundColor"
    assert light.evaluate(color) == "rgb(255, 255, 255)"
    assert dark.evaluate(color) == "rgb(20, 24, 29)"
    screenshot(dark, "digits-dark")


def test_reduced_motion_is_respected(digits: Path, opened: Open) -> None:
    duration = "getComputedStyle(document.querySelector('#canvas .body')).transitionDuration"
    assert "0.12s" in opened(digits).evaluate(duration)
    assert opened(digits, reduced_motion="reduce").evaluate(duration) == "0s"


def test_everything_fits_small_windows(digits: Path, opened: Open, screenshot: Any) -> None:
    page = opened(digits, "pass=3&firing=0", size=(1024, 768))
    across = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert page.evaluate(across) == [1024, 768]
    for part in ("#canvas", "#panel", "#code-lines", "#passes"):
        bounds = page.locator(part).bounding_box()
        assert bounds["width"] > 150 and bounds["height"] > 100, part
    screenshot(page, "digits-1024")
    screenshot(opened(digits, "steps=1&step=20", size=(1024, 768)), "digits-steps-1024")


@pytest.mark.parametrize("state", ["pass=3", "steps=1&step=20"])
def test_a_phone_shows_one_part_below_the_other(digits: Path, opened: Open, state: str) -> None:
    page = opened(digits, state, size=(390, 844))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    parts = (
        ("#canvas", "#code-lines") if "steps" in state else ("#passes", "#canvas", "#code-lines")
    )
    bounds = [page.locator(part).bounding_box() for part in parts]
    assert all(b["width"] > 300 and b["height"] > 80 for b in bounds), bounds
    tops = [b["y"] for b in bounds]
    assert tops == sorted(tops)


def test_print_has_one_frame_a_step(lecture: Path, opened: Open) -> None:
    page = opened(lecture, "steps=1&step=3")
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf())) == 16
    page = opened(lecture)
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf()))
    stages = data_of(lecture.read_text(encoding="utf-8"))["stages"]
    busy = [stage for stage in stages if not stage["idle"]]
    assert pages == len(busy) + sum(len(stage["firings"]) for stage in busy)
    assert page.locator("#print *").count() == 0, "what was printed is gone"


def test_roles_and_words_for_those_who_do_not_see(digits: Path, opened: Open) -> None:
    page = opened(digits, "pass=3")
    label = page.locator("#canvas svg").get_attribute("aria-label")
    assert "z₂ = " in label and label.index("z₂ = ") < label.index("loss = ")
    assert "removed" in label and "added" in label
    assert box(page, "p").get_attribute("aria-label").startswith("p = softmax(z₂, axis=1), [N, 10]")
    for button in page.locator("button").all():
        assert button.inner_text().strip() or button.get_attribute("aria-label")
    assert page.evaluate("document.documentElement.lang") == "en"


def test_hostile_names_are_shown_and_never_run(folder: Path, opened: Open) -> None:
    names = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a\"b'&amp;"]
    x, y, z = (gc.input(name, dtype="float64") for name in names)
    graph = gc.graph({"<b>out</b>": gc.sin(x) * y + z * x}, name="<i>graph</i>")
    page = opened(made(folder, "hostile", graph, "<b>out</b>"), "steps=1&step=12")
    page.on("dialog", lambda dialog: pytest.fail(f"a name was run: {dialog.message}"))
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("e")
    for _ in range(3):
        page.keyboard.press("j")
    page.locator("#canvas .box.output").first.click()
    assert page.locator("#name").inner_text() == "<i>graph</i>"
    assert set(names) <= set(page.locator("#canvas text.name").all_text_contents())
    assert page.locator("img").count() == 0 and page.locator("script").count() == 2


# -- large graphs ---------------------------------------------------------------------------------


def test_two_thousand_nodes_open_at_once_and_collapsed(
    folder: Path, opened: Open, screenshot: Any
) -> None:
    path = made(folder, "chain", chain(680), "y")
    data = data_of(path.read_text(encoding="utf-8"))
    assert max(stage["nodes"] for stage in data["stages"]) >= 2000
    page = opened(path)
    ready = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
    assert ready < 2000, "milliseconds from opening to a page that can be used"
    assert page.locator("#canvas .box").count() <= 90
    started = time.process_time()
    for _ in range(6):
        page.keyboard.press("j")
    assert time.process_time() - started < 5
    screenshot(page, "chain-collapsed")
    page.locator("#canvas .box.group").first.click()
    assert page.locator("#trail button").count() == 2
    assert page.locator("#canvas .box:not(.group):not(.rim)").count() > 3
    page.keyboard.press("Escape")
    assert page.locator("#trail button").count() == 1


@pytest.mark.parametrize("build", [lenet, lstm])
def test_networks_open_at_once(build: Callable[[], gc.Graph], folder: Path, opened: Open) -> None:
    page = opened(made(folder, build.__name__, build(), "loss"))
    ready = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
    assert ready < 2000, "milliseconds from opening to a page that can be used"
    seen = set()
    for _ in range(20):
        seen.add(page.locator("#stage-title").inner_text())
        page.keyboard.press("j")
        for one in page.locator("#canvas .box").all()[:3]:
            one.focus()
            assert lit_lines(page) or "outside" in one.get_attribute("aria-label")
    assert {"as written", "differentiate", "lower"} <= seen


def test_groups_open_by_scope_and_light_for_their_nodes(folder: Path, opened: Open) -> None:
    page = opened(made(folder, "deep", deep(40), "loss"))
    names = page.locator("#canvas .box.group text.name").all_text_contents()
    assert any("layer" in name for name in names), names
    line = page.locator("#code-lines .line", has_text="np.tanh").first
    line.hover()
    lit = page.locator("#canvas .box.group.lit").count()
    assert lit == 40, "the line stands for all layers, which share a loop"
    line.click()
    assert hash_of(page)["group"], "choosing a line opens the group that holds its node"
    assert page.locator("#canvas .box.kept").count() == 1
    assert page.locator("#canvas .box.rim").count() >= 1
