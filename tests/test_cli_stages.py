"""The stages that `graphc show` prints are those of `compile`."""

from __future__ import annotations

import graphc as gc
from graphc.commands.stage import stage_of

TEXT = "x: input(f64, 3)\nh = exp(x)\ny = sum(log(1 + h))\noutput(y, h)"


def test_a_gradient_by_an_inner_value_is_that_of_compile() -> None:
    graph = gc.parse(TEXT)
    x = {"x": [0.0, 1.0, 2.0]}
    expected = gc.compile(graph, gradient_of="y", wrt=["h"])(**x)["d_y_d_h"]
    for level in range(4):
        shown = stage_of(graph, "y", "h", level)
        assert abs(gc.interpret(shown, **x)["d_y_d_h"] - expected).max() < 1e-15


def test_level_0_stabilizes_nothing() -> None:
    assert "logaddexp" not in str(stage_of(gc.parse(TEXT), "y", "x", 0))
    assert "logaddexp" in str(stage_of(gc.parse(TEXT), "y", "x", 2))
