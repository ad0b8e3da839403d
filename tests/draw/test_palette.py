"""Contrast: at least 4.5:1 for every ink on every fill, on light and on dark pages."""

from __future__ import annotations

import itertools

import pytest

from graphc.draw import palette


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_wcag_defines_it() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


#: Which ink stands on which fill: names and formulas everywhere, values and edges on the page.
PAIRS = [
    *itertools.product([palette.INK, palette.MUTED], palette.FILLS),
    *[(ink, palette.PAPER) for ink in palette.INKS],
    (palette.ADJOINT, palette.ADJOINT_FILL),
]


@pytest.mark.parametrize(("ink", "fill"), PAIRS)
def test_every_ink_is_readable_on_its_fill(ink: str, fill: str) -> None:
    assert contrast(ink, fill) >= 4.5, "light"
    assert contrast(palette.DARK[ink], palette.DARK[fill]) >= 4.5, "dark"


def test_no_two_roles_share_a_color_that_must_differ_in_the_dark() -> None:
    frames = [palette.FORWARD_FRAME, palette.BACKWARD_FRAME, palette.CELL_FRAME]
    colors = [*palette.INKS, *palette.FILLS, *frames]
    assert len(set(colors)) == len(colors)
    assert set(colors) == set(palette.DARK)
