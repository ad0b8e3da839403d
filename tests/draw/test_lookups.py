"""An embedding is drawn as a table of which an index picks a row."""

from __future__ import annotations

import re

from drawn_graphs import boxes, edges, rectangle, texts

import graphc as gc
from graphc.draw import Drawing


def ratings() -> gc.Graph:
    """Who likes what: two tables, whose rows stand side by side in the first layer."""
    user, movie = (gc.input(name, ("N",), "int64") for name in ("user", "movie"))
    rows = [
        gc.nn.embedding(user, 600, 3, name="users"),
        gc.nn.embedding(movie, 900, 2, name="movies"),
    ]
    hidden = gc.nn.dense(gc.concat(rows, axis=1), 4, activation=gc.relu, name="hidden")
    return gc.graph({"rating": gc.nn.dense(hidden, 1, name="out")}, name="ratings")


def picked(picture: Drawing) -> set[str]:
    return set(re.findall(r'^  (t\d+_\d+)_\d+ \[.*class="picked"', picture.source, re.MULTILINE))


def test_each_table_fills_its_own_units() -> None:
    picture = gc.draw.network(ratings())
    assert {pair for pair in edges(picture) if pair[0].startswith("t")} == {
        ("t0_2_2", "u0_0"),
        ("t0_2_2", "u0_1"),
        ("t0_2_2", "u0_2"),
        ("t1_2_1", "u0_3"),
        ("t1_2_1", "u0_4"),
    }
    assert picked(picture) == {"t0_2", "t1_2"}
    shown = texts(picture)
    assert {"row of a table", "user →", "movie →", "users.W", "movies.W"} <= set(shown)
    assert "Looked up: the row user of users.W." in picture.description
    assert "bold: rows that an index picks" in " ".join(shown)


def test_tables_stand_apart_from_one_another_and_from_all_units() -> None:
    found = boxes(gc.draw.network(ratings()))
    tables = [[rectangle(b) for k, b in found.items() if k.startswith(f"t{i}_")] for i in (0, 1)]
    circles = [rectangle(box) for key, box in found.items() if key.startswith("u")]
    assert min(low for _, low, _, _ in tables[0]) > max(high for *_, high in tables[1])
    assert max(right for t in tables for _, _, right, _ in t) < min(left for left, *_ in circles)


def test_the_mean_of_several_rows_is_told() -> None:
    words = gc.input("words", ("N", "T"), "int64")
    mean = gc.nn.embedding(words, 50, 8, name="words").mean(axis=1)
    picture = gc.draw.network(gc.graph({"p": gc.softmax(gc.nn.dense(mean, 2, name="out"))}))
    assert picked(picture) == {"t0_2", "t0_4"}
    assert "mean of rows" in texts(picture)
    assert "Looked up: the mean of the rows words of words.W." in picture.description


def test_a_small_table_is_drawn_whole() -> None:
    side = gc.input("side", ("N",), "int64")
    graph = gc.graph({"y": gc.nn.dense(gc.nn.embedding(side, 2, 3, name="sides"), 2, name="out")})
    picture = gc.draw.network(graph)
    cells = {key for key in boxes(picture) if re.fullmatch(r"t0_\d_\d", key)}
    assert cells == {f"t0_{r}_{c}" for r in range(2) for c in range(3)}
    assert picked(picture) == {"t0_1"}
