"""What numbers and signs does a trace show? Short arrays by elements, one table of signs."""

from __future__ import annotations

import numpy as np

import graphc as gc
from graphc.draw.traces.pieces import quantity, result
from graphc.draw.traces.table import plain
from graphc.ir.graph import Graph


def _xor() -> Graph:
    x, t = gc.input("x", (2,), "float64"), gc.input("t", (), "float64")
    w1, b1 = gc.param("W1", (2, 3), "float64"), gc.param("b1", (3,), "float64")
    wo, bo = gc.param("wo", (3,), "float64"), gc.param("bo", (), "float64")
    h = gc.sigmoid(x @ w1 + b1)
    p = gc.sigmoid(h @ wo + bo)
    return gc.graph({"J": -(t * gc.log(p) + (1 - t) * gc.log(1 - p)), "p": p, "h": h})


AT = {
    "x": [1.0, -1.0],
    "t": 1.0,
    "W1": [[0.5, 0.0, -0.5], [0.25, 1.0, -1.0]],
    "b1": [0.0, 0.0, 0.0],
    "wo": [1.0, 2.0, -1.0],
    "bo": 0.0,
}


def test_short_arrays_are_shown_by_their_elements() -> None:
    lines = str(gc.trace(_xor(), AT)).splitlines()
    given = "x = [1, −1], t = 1, b1 = [0, 0, 0], wo = [1, 2, −1], bo = 0"
    assert lines[0] == f"Forward evaluation at {given}"
    product = next(line for line in lines if "v0 · v2" in line)
    assert product.endswith("[1, −1] · [[0.5, 0, −0.5], [0.25, 1, −1]] = [0.25, −1, 0.5]")
    hidden = next(line for line in lines if line.startswith("h "))
    assert hidden.endswith("σ([0.25, −1, 0.5]) = [0.562, 0.269, 0.622]")


def test_longer_arrays_are_told_by_shape_and_norm() -> None:
    assert plain(result(np.array([1.0, -2.0, 0.5, 0.0, 3.0, 4.0]))) == "[1, −2, 0.5, 0, 3, 4]"
    assert plain(result(np.ones((3, 2)))) == "[[1, 1], [1, 1], [1, 1]]"
    assert plain(result(np.ones(9))) == "[9], norm 3"
    assert plain(result(np.ones((0, 2)))) == "[0, 2]"
    assert plain(result(np.array([True, False]))) == "[true, false]"
    assert quantity(np.ones(7)).text == "[7]"
    assert quantity(np.array([[-1.5]])).latex == "[[-1.5]]"


def test_an_outer_product_has_its_sign_and_its_order() -> None:
    rows = {row.variable: row for row in gc.trace(_xor(), AT, "reverse", of="J").rows}
    assert rows["v̄2"].local is not None
    assert rows["v̄2"].local.text == "v0 ⊗ v̄6"
    assert rows["v̄2"].substituted.startswith("[1, −1] ⊗ [")
    first, second = rows["v̄2"].value
    assert np.array_equal(first, -second)  # x = [1, −1]


def test_a_product_that_broadcasting_makes_outer_is_written_as_one() -> None:
    a, b = gc.input("a", (2,), "float64"), gc.input("b", (2,), "float64")
    at = {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    row = gc.trace(gc.graph({"y": a[:, None] * b[None, :]}), at).rows[-1]
    assert (row.symbolic, row.substituted) == ("v0 ⊗ v1", "[1, 2] ⊗ [3, 4]")
    turned = gc.trace(gc.graph({"y": a[None, :] * b[:, None]}), at).rows[-1]
    assert turned.symbolic == "v1 ⊗ v0"
    assert r"\otimes" in turned.formula.latex


def test_what_sums_over_stacks_names_the_axes() -> None:
    x, t = gc.input("x", ("T", "B", 6), "float64"), gc.input("t", ("T", "B"), "int64")
    w = gc.param("W", (6, 3), "float64")
    z = x @ w
    loss = gc.mean(gc.nn.softmax_cross_entropy(z, t))
    table = str(gc.forward_backward_table(gc.graph({"loss": loss, "z": z}), "loss"))
    assert "dloss/dW += Σₜᵢ x[t,i] ⊗ dloss/dz[t,i]" in table
