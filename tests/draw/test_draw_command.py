"""`graphc draw`: what the options say reaches the picture."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.commands.picture import picture

DENSE = """
x: input(f32, N, 2)
W1: param(f32, 2, 2)
b1: param(f32, 2)
h = tanh(x @ W1 + b1)
loss = mean(h)
output(loss, h)
"""
WEIGHTS = {"W1": [[1.5, -2.0], [0.25, 3.0]], "b1": [0.0, 1.0]}


def test_a_network_shows_the_weights_that_are_given() -> None:
    graph = gc.parse(DENSE)
    arrays = {name: np.array(value, "float32") for name, value in WEIGHTS.items()}
    drawn = picture(graph, "network", WEIGHTS)
    assert drawn.source == gc.draw.network(graph, state=arrays).source
    assert "−2.00" in drawn.source
    assert drawn.source != picture(graph, "network", None).source


def test_inputs_beside_the_weights_change_nothing() -> None:
    graph = gc.parse(DENSE)
    drawn = picture(graph, "network", WEIGHTS | {"x": [[1, 2]]})
    assert drawn.source == picture(graph, "network", WEIGHTS).source


def test_a_weight_that_is_missing_or_unknown_is_named() -> None:
    with pytest.raises(gc.GraphError, match="no value for b1"):
        picture(gc.parse(DENSE), "network", {"W1": WEIGHTS["W1"]})
    with pytest.raises(gc.GraphError, match="no parameter is called 'W'") as caught:
        picture(gc.parse(DENSE), "network", {"W": WEIGHTS["W1"]})
    assert "did you mean 'W1'?" in str(caught.value)


def test_backprop_derives_by_what_is_asked_for() -> None:
    graph = gc.parse(DENSE)
    drawn = picture(graph, "backprop", None, wrt=["b1"])
    assert drawn.source == gc.draw.backprop(graph, of="loss", wrt=["b1"]).source
    assert drawn.source != picture(graph, "backprop", None).source
    with pytest.raises(gc.GraphError, match="derives nothing"):
        picture(graph, "network", None, wrt=["b1"])


def test_every_variable_has_a_box_where_all_are_asked_for() -> None:
    layers = "".join(f"h{i + 1} = dense(h{i}, 3, name='d{i}', activation=tanh)\n" for i in range(7))
    graph = gc.parse(f"h0: input(f32, N, 3)\n{layers}loss = mean(h7)\noutput(loss)")
    for kind in ("computation", "backprop"):
        closed, opened = picture(graph, kind, None), picture(graph, kind, None, is_open=True)
        assert "collapsed by scope" in closed.source and "collapsed" not in opened.source
        assert len(opened.source) > 2 * len(closed.source)
    with pytest.raises(gc.GraphError, match="no boxes to open"):
        picture(graph, "network", None, is_open=True)
