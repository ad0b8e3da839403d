"""A drawing becomes a file: whole or not at all, with every complaint of dot raised."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from drawn_graphs import cos_sin, two_layers

import graphc as gc
from graphc.draw import Drawing, palette
from graphc.draw.drawing import DrawingError

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def picture() -> Drawing:
    return gc.draw.computation_graph(cos_sin())


@pytest.mark.parametrize(
    ("ending", "start"),
    [
        ("svg", b"<?xml"),
        ("png", b"\x89PNG"),
        ("pdf", b"%PDF"),
        ("dot", b"digraph"),
        ("html", b"<!DOCTYPE html>"),
    ],
)
def test_every_format(picture: Drawing, tmp_path: Path, ending: str, start: bytes) -> None:
    target = tmp_path / f"g.{ending}"
    assert picture.save(target) == target
    assert target.read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_an_unknown_ending_names_the_known_ones(picture: Drawing, tmp_path: Path) -> None:
    with pytest.raises(gc.GraphError, match=r"\.svg") as caught:
        picture.save(tmp_path / "g.sgv")
    assert "did you mean .svg?" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_one_clear_error(picture: Drawing, tmp_path: Path) -> None:
    with pytest.raises(gc.GraphError, match="cannot write"):
        picture.save(tmp_path / "nowhere" / "g.dot")


@pytest.mark.parametrize(
    "source",
    ["digraph { a -> ", "digraph { a [label=<<I></I>>]; }", 'digraph { a [shape="nonsense"]; }'],
)
def test_whatever_dot_says_is_raised_and_leaves_the_old_file(tmp_path: Path, source: str) -> None:
    target = tmp_path / "g.svg"
    target.write_text("old")
    with pytest.raises(DrawingError) as caught:
        Drawing(source).save(target)
    assert caught.value.source == source
    assert source in str(caught.value)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_without_dot_the_error_says_how_to_install(
    picture: Drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(gc.GraphError, match="install Graphviz"):
        picture.save(tmp_path / "g.svg")
    picture.save(tmp_path / "g.dot")  # DOT text needs no dot


def test_a_long_source_is_cut_in_the_message_only() -> None:
    source = "digraph {" + "a;" * 5000
    with pytest.raises(DrawingError) as caught:
        Drawing(source).svg()
    assert caught.value.source == source
    assert len(str(caught.value)) < len(source)


def test_a_picture_too_wide_for_a_png_has_fewer_dots() -> None:
    wide = Drawing('digraph { a [pos="0,0!"]; b [pos="30000,0!"]; }', "neato")
    width = int.from_bytes(wide.png(144)[16:20])
    assert 30_000 < width < 32_768
    assert width < int.from_bytes(wide.png(72)[16:20]) * 1.1


def test_dpi_scales_png_alone(picture: Drawing) -> None:
    assert "dpi" not in picture.source
    small, large = (int.from_bytes(picture.png(dpi)[16:20]) for dpi in (72, 144))
    assert large == pytest.approx(2 * small, rel=0.02)


# -- SVG ---------------------------------------------------------------------------------------


@pytest.fixture
def svg(picture: Drawing) -> ElementTree.Element:
    return ElementTree.fromstring(picture.svg())


def test_svg_is_an_image_with_title_and_description(svg: ElementTree.Element) -> None:
    assert svg.get("role") == "img"
    title, description = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert title is not None and description is not None
    assert svg.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    words = str(description.text)
    told = ["x: input", "t = x²", "u1 = sin t", "u2 = 3 · t", "u = u₁ + u₂", "J = cos u"]
    assert [words.index(part) for part in told] == sorted(words.index(part) for part in told)


def test_every_box_has_its_sentence_as_title(svg: ElementTree.Element) -> None:
    groups = [g for g in svg.iter(f"{SVG}g") if g.get("class", "").startswith("node")]
    titles = [str(g.findtext(f"{SVG}title")) for g in groups]
    assert "u2 = 3 · t" in titles and "constant 3" in titles
    assert len(groups) == 7
    assert not list(svg.iter(f"{SVG}a"))


def test_every_color_has_a_dark_counterpart(svg: ElementTree.Element) -> None:
    style = str(svg.findtext(f"{SVG}style"))
    assert "prefers-color-scheme: dark" in style
    used = {
        element.get(paint, "none")
        for element in svg.iter()
        for paint in ("fill", "stroke")
        if element.get(paint) is not None
    }
    assert used - {"none"} <= set(palette.DARK)
    for color in used - {"none"}:
        assert f'[fill="{color}"]' in style


def test_style_rules_stay_inside_their_own_drawing() -> None:
    first = gc.draw.computation_graph(cos_sin()).svg()
    second = gc.draw.network(two_layers()).svg()
    marks = [re.search(r'id="(graphc-\w+)"', svg) for svg in (first, second)]
    assert all(marks) and marks[0][1] != marks[1][1]
    for svg, mark in zip((first, second), marks, strict=True):
        rules = re.findall(r"^\s+(\S+).*\{ (?:fill|stroke):", svg, re.MULTILINE)
        assert rules and set(rules) == {f"#{mark[1]}"}


def test_subscripts_do_not_rely_on_baseline_shift() -> None:
    source = 'digraph { a [label=<x<SUB>hy</SUB>>, fontname="DejaVu Sans"]; }'
    svg = Drawing(source).svg()
    assert "baseline-shift" not in svg
    sizes = re.findall(r'y="([-\d.]+)"[^>]*font-size="([\d.]+)"', svg)
    sizes = sizes or re.findall(r'font-size="([\d.]+)"', svg)
    assert len({size[-1] for size in sizes}) == 2


def test_spaces_at_the_ends_of_a_piece_of_a_line_are_kept() -> None:
    label = "<<TABLE><TR><TD><O>loss</O> / N</TD></TR></TABLE>>"
    assert ">\u00a0/ N</text>" in Drawing(f"digraph {{ a [label={label}]; }}").svg()


def test_notebooks_show_the_svg(picture: Drawing) -> None:
    assert picture._repr_svg_() == picture.svg()
