"""The functions that modules bring along fit the width of their lines, comments included."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages

import pytest

from graphc.emit.lines.wrapping import WIDTH
from graphc.ops.windows import window_code


def helpers_of(name: str) -> list[str]:
    """Return the functions that a module holds as text."""
    texts = [v for n, v in vars(import_module(name)).items() if n != "__doc__"]
    return [text for text in texts if isinstance(text, str) and "\ndef " in text]


HELPERS = {
    name: found
    for room in ("graphc.emit", "graphc.ops")
    for name in sorted(m.name for m in walk_packages(import_module(room).__path__, f"{room}."))
    if (found := helpers_of(name))
}


@pytest.mark.parametrize("name", HELPERS)
def test_lines_of_helpers_fit(name: str) -> None:
    lines = [line for source in HELPERS[name] for line in source.splitlines()]
    assert [line for line in lines if len(line) > WIDTH] == []


def test_helpers_are_found() -> None:
    some = {
        "graphc.emit.fast.threads",
        "graphc.ops.elementwise.gamma",
        "graphc.ops.elementwise.special",
    }
    assert some <= set(HELPERS)


@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_lines_of_loops_over_places_fit(rank: int) -> None:
    helpers = [
        window_code.add_windows(rank),
        window_code.reduce_windows(rank),
        window_code.extreme_in_windows(rank, "argmax", "maximum", ">"),
        window_code.add_in_windows(rank),
        *[window_code.at_extreme(rank, verb) for verb in ("add", "put")],
    ]
    assert [line for source in helpers for line in source.splitlines() if len(line) > WIDTH] == []
