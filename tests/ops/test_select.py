"""`where` in style `fast`: a choice by bits gives what NumPy's `where` gives, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc

SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -3.0)


def many(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Return random numbers, every third a special one."""
    values = rng.normal(size=shape)
    odd = rng.random(shape) < 1 / 3
    values[odd] = rng.choice(SPECIAL, odd.sum())
    return values.astype(dtype)


def bits(array: np.ndarray) -> np.ndarray:
    return array.view(f"u{array.itemsize}")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("rows", [1, 7, 64])
def test_a_choice_by_bits_is_the_choice(dtype: str, rows: int) -> None:
    N = gc.dim("N")
    m = gc.input("m", (N, 200), dtype="bool")
    a, b = (gc.input(name, (N, 200), dtype=dtype) for name in "ab")
    function = gc.compile(gc.graph({"y": gc.where(m, a, b)}), style="fast")
    assert "_choose(" in function.source
    rng = np.random.default_rng(rows)
    shape = (rows, 200)
    if dtype.startswith("float"):
        a, b = many(rng, shape, dtype), many(rng, shape, dtype)
    else:
        a, b = rng.integers(-(2**31), 2**31 - 1, (2, *shape)).astype(dtype)
    m = rng.random(shape) < 0.5
    np.testing.assert_array_equal(bits(function(m=m, a=a, b=b)["y"]), bits(np.where(m, a, b)))


@pytest.mark.parametrize(
    ("m", "a", "b"),
    [
        ((4, 600), (600,), (4, 600)),
        ((600,), (4, 600), (4, 1)),
        ((4, 1), (4, 600), (1, 600)),
        ((4, 600), (), ()),
    ],
)
def test_operands_of_a_choice_are_broadcast(
    m: tuple[int, ...], a: tuple[int, ...], b: tuple[int, ...]
) -> None:
    graph = gc.graph(
        {"y": gc.where(gc.input("m", m, dtype="bool"), gc.input("a", a), gc.input("b", b))}
    )
    rng = np.random.default_rng(0)
    given = {"m": rng.random(m) < 0.5, "a": many(rng, a, "f4"), "b": many(rng, b, "f4")}
    wanted = np.where(given["m"], given["a"], given["b"])
    got = gc.compile(graph, style="fast")(**given)["y"]
    np.testing.assert_array_equal(bits(got), bits(wanted))


def test_operands_may_lie_in_any_order() -> None:
    """Operands that are views of inputs: a transpose and a reversal."""
    a, b = gc.input("a", (50, 40)), gc.input("b", (40, 50))
    graph = gc.graph({"y": gc.where(b > 0, a.T, gc.flip(b, axis=1))})
    rng = np.random.default_rng(0)
    given = {"a": many(rng, (50, 40), "f4"), "b": many(rng, (40, 50), "f4")}
    wanted = np.where(given["b"] > 0, given["a"].T, given["b"][:, ::-1])
    np.testing.assert_array_equal(gc.compile(graph, style="fast")(**given)["y"], wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [("N", 40), (7, "N"), (30, 2, 40)])
def test_rows_are_chosen_whole(dtype: str, shape: tuple[int | str, ...]) -> None:
    """By copies where their length is known, by bits where it is not."""
    length = [5 if dim == "N" else int(dim) for dim in shape]
    m = gc.input("m", (*shape[:-1], 1), dtype="bool")
    a, b = (gc.input(name, shape, dtype=dtype) for name in "ab")
    function = gc.compile(gc.graph({"y": gc.concat([gc.where(m, a, b), b])}))
    assert ("_choose_rows(" in function.source) == (shape[-1] == 40)
    rng = np.random.default_rng(0)
    a, b = (many(rng, tuple(length), "f8") for _ in "ab")
    if dtype == "int64":
        a, b = (np.nan_to_num(x, posinf=9, neginf=-9) for x in (a, b))
    a, b, m = a.astype(dtype), b.astype(dtype), rng.random((*length[:-1], 1)) < 0.5
    wanted = np.concatenate([np.where(m, a, b), b])
    np.testing.assert_array_equal(bits(function(m=m, a=a, b=b)["y"]), bits(wanted))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("of_rows", [True, False])
def test_what_is_not_kept_is_zero(dtype: str, of_rows: bool) -> None:
    """A choice of 0 is one product on bits, in place: NaN and infinities times 0 are 0, too."""
    m = gc.input("m", (40, 1 if of_rows else 60), dtype="bool")
    a = gc.input("a", (40, 60), dtype=dtype)
    chosen = gc.where(m, gc.abs(a), 0)
    function = gc.compile(gc.graph({"y": gc.concat([chosen, a])}))
    assert "_keep(m, " in function.source and "_choose" not in function.source
    rng = np.random.default_rng(0)
    shown = many(rng, (40, 60), "f4")
    a = (np.nan_to_num(shown, posinf=9, neginf=-9) if dtype == "int32" else shown).astype(dtype)
    m = rng.random((40, 1 if of_rows else 60)) < 0.5
    wanted = np.concatenate([np.where(m, np.abs(a), 0).astype(dtype), a])
    np.testing.assert_array_equal(bits(function(m=m, a=a)["y"]), bits(wanted))


def test_few_elements_are_chosen_by_numpy() -> None:
    """The call of a helper would take longer than the choice."""
    m, a = gc.input("m", (4, 6), dtype="bool"), gc.input("a", (4, 6))
    function = gc.compile(gc.graph({"y": gc.where(m, a, -a)}), style="fast")
    assert "_choose" not in function.source and "np.where" in function.source


def test_no_choice_by_bits_in_code_for_reading() -> None:
    m, a = gc.input("m", (40, 60), dtype="bool"), gc.input("a", (40, 60))
    source = gc.compile(gc.graph({"y": gc.where(m, a, -a)}), style="readable").source
    assert "_choose" not in source and "np.where(m, a, -a)" in source


def test_a_choice_written_into_the_buffer_of_another_value_is_given_a_name():
    """A helper gives back what it wrote: `m_where = _choose(..., out=a_exp)`."""
    m = gc.input("m", (40, 40), dtype="bool")
    a, b = gc.input("a", (40, 40)), gc.input("b", (40, 40))
    chosen = gc.where(m, gc.exp(a @ a) @ b, b)
    function = gc.compile(gc.graph({"y": chosen @ a}), style="fast")
    assert "= _choose(" in function.source
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(2, 40, 40)).astype("f4") / 10
    M = A > 0
    wanted = np.where(M, np.exp(A @ A) @ B, B) @ A
    np.testing.assert_allclose(function(m=M, a=A, b=B)["y"], wanted, rtol=1e-5, atol=1e-6)


def test_a_number_for_few_elements_is_put_where_they_are() -> None:
    a, b = gc.input("a", ("N", 64)), gc.input("b", ("N", 64))
    product = a * b
    function = gc.compile(gc.graph({"y": gc.exp(gc.where(gc.isnan(product), 0, product))}))
    assert "copyto" not in function.source and "] = 0" in function.source
    given = {name: np.ones((70, 64), np.float32) for name in "ab"}
    given["a"][3, 5], given["b"][60, 0] = np.nan, np.nan
    wanted = np.full((70, 64), np.e, np.float32)
    wanted[3, 5] = wanted[60, 0] = 1
    np.testing.assert_allclose(function(**given)["y"], wanted, rtol=1e-6)
