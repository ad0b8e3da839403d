"""Operands that do not broadcast: the advice names what differs, and only what would help."""

from __future__ import annotations

from typing import Any

import pytest

import graphc as gc


@pytest.mark.parametrize(
    ("left", "right", "fix"),
    [
        (("N", 3), (4,), "3 and 4 differ on the last axis: compare the layers' sizes"),
        (("N", 3), (4, 1), "N agrees with no number: write 4 for it, if that is its size"),
        (("N", 3), ("M", 3), "use one name for M and N on axis -2, if they are the same size"),
        (("N", 3), ("N",), "give the shorter one 1 axis of size 1: b[:, None]"),
        (("N", 3, 5), ("N",), "give the shorter one 2 axes of size 1: b[:, None, None]"),
        (("N", 3), (3, "N"), "transpose one of them: x.T"),
        ((4, 3), (5, 3), "4 and 5 differ on axis -2: compare the layers' sizes"),
        (("N", 3), ("N", "D"), "D agrees with no number: write 3 for it, if that is its size"),
    ],
    ids=str,
)
def test_the_advice_names_what_differs(left: Any, right: Any, fix: str) -> None:
    a, b = gc.input("a", left), gc.input("b", right)
    for x, y in ((a, b), (b, a)):
        with pytest.raises(gc.GraphError, match="do not broadcast") as error:
            x + y
        assert error.value.fix == fix


@pytest.mark.parametrize(
    ("left", "right", "fix"),
    [
        (("N", 3), (4,), "3 and 4 differ on the inner axis: compare the layers' sizes"),
        (("N", "M"), (4, 2), "M agrees with no number: write 4 for it, if that is its size"),
        (("N", "D"), ("M", 2), "use one name for D and M on the inner axis, if they are the same"),
    ],
    ids=str,
)
def test_a_product_of_matrices_has_it_too(left: Any, right: Any, fix: str) -> None:
    with pytest.raises(gc.GraphError, match="inner dims differ") as error:
        gc.input("a", left) @ gc.input("b", right)
    assert str(error.value.fix).startswith(fix)


def test_an_optimizer_that_is_not_called() -> None:
    W = gc.param("W", (3,))
    graph = gc.graph({"loss": gc.sum(W * W)})
    for optimizer, call in ((gc.optim.adam, "adam"), (gc.optim.sgd, "sgd")):
        with pytest.raises(gc.GraphError, match="this is no optimizer") as error:
            gc.compile(graph, minimize="loss", optimizer=optimizer)  # type: ignore[arg-type]
        assert error.value.fix == f"call it: gc.optim.{call}(0.001)"
