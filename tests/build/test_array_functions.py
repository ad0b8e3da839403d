"""Array functions against NumPy: values, shapes, dtypes, and mistakes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from comparing import assert_like_numpy, assert_same, built, leaf, value_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from graphc.build import functions as gf
from graphc.build.arrays.pointwise import POINTWISE, numpy_ufunc
from graphc.build.functions import ARRAY_FUNCTIONS
from graphc.build.graphs import dim, input
from graphc.errors import GraphError, GraphWarning
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import SAME, Pointwise

RNG = np.random.default_rng(0)
SHAPES: list[tuple[int, ...]] = [(), (1,), (4,), (0,), (3, 4), (1, 4), (3, 0), (2, 3, 4), (2, 1, 3)]


def numbers(shape: tuple[int, ...], dtype: Any = "float64") -> np.ndarray:
    if np.dtype(dtype).kind == "b":
        return RNG.integers(0, 2, shape).astype(bool)
    if np.dtype(dtype).kind == "i":
        return RNG.integers(-4, 5, shape).astype(dtype)
    return RNG.normal(size=shape).astype(dtype)


# -- pointwise -----------------------------------------------------------------------------------

UFUNCS = [
    name
    for name, op in OPS.items()
    if isinstance(op, Pointwise) and numpy_ufunc(op) is not None and op.arity <= 2
]
DTYPES = ["bool", "int32", "int64", "float32", "float64"]


@pytest.mark.filterwarnings("ignore:float32 with int")
@pytest.mark.parametrize("name", UFUNCS)
def test_pointwise_functions_take_numpys_dtypes_or_refuse(name: str) -> None:
    op = OPS[name]
    assert isinstance(op, Pointwise)
    ufunc = numpy_ufunc(op)
    assert ufunc is not None
    for first in DTYPES:
        for second in DTYPES if op.arity == 2 else [first]:
            kinds = [np.dtype(first), np.dtype(second)][: op.arity]
            try:
                wanted = ufunc.resolve_dtypes((*kinds, None))[-1]
            except TypeError:
                wanted = None
            operands = [input(f"x{i}", (3,), kind) for i, kind in enumerate(kinds)]
            is_refused = wanted is None or wanted.name == "int8"
            if is_refused and op.dtype_rule == SAME:
                with pytest.raises(GraphError, match="truth values"):
                    POINTWISE[name](*operands)
                continue
            got = POINTWISE[name](*operands).dtype
            is_own = ufunc in (np.reciprocal, np.sign)  # floats from integers, unlike NumPy
            if wanted is not None and wanted.name in DTYPES and not is_own:
                assert got == wanted, (name, first, second)


@pytest.mark.parametrize("name", ["add", "multiply", "maximum", "less", "power", "hypot"])
@pytest.mark.parametrize("left", SHAPES, ids=str)
def test_binary_functions_broadcast(name: str, left: tuple[int, ...]) -> None:
    ufunc = getattr(np, name)
    for right in SHAPES:
        a, b = np.abs(numbers(left)) + 0.1, np.abs(numbers(right))
        try:
            np.broadcast_shapes(left, right)
        except ValueError:
            with pytest.raises(GraphError, match="do not broadcast"):
                POINTWISE[name](leaf(a, "a"), leaf(b, "b"))
            continue
        assert_like_numpy(POINTWISE[name], ufunc, a, b)


@pytest.mark.filterwarnings("ignore:float32 with")
@pytest.mark.parametrize("scalar", [2, 2.5, True, np.float32(2.5), np.float64(2.5), np.int64(2)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_python_numbers_are_weak(scalar: Any, dtype: str) -> None:
    x = numbers((3,), dtype)
    assert_like_numpy(lambda n: n * scalar, lambda a: a * scalar, x)
    assert_like_numpy(lambda n: scalar + n, lambda a: scalar + a, x)
    assert_like_numpy(lambda n: n > scalar, lambda a: a > scalar, x)


def test_every_operator_is_numpys() -> None:
    x, y = np.abs(numbers((3, 4), "float32")) + 0.5, np.abs(numbers((4,), "float32")) + 0.5
    operators: list[Callable[[Any, Any], Any]] = [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: a // b,
        lambda a, b: a % b,
        lambda a, b: a**b,
        lambda a, b: a @ b,
        lambda a, b: (a < b) & (a <= 1),
        lambda a, b: (a > b) | (a >= 1),
        lambda a, b: ~(a == b) ^ (a != b),
        lambda a, b: -a + abs(b) + (+a),
        lambda a, b: 2.0**a - 1 / b + 3 % b - 2 // b,
    ]
    for operator in operators:
        assert_like_numpy(operator, operator, x, y, tolerance=1e-6)


def test_bitwise_operators_refuse_numbers() -> None:
    n = input("n", (3,), "int64")
    for operator in (lambda: n & n, lambda: n | 1, lambda: ~n):
        with pytest.raises(GraphError, match="works on truth values"):
            operator()


def test_rounding_keeps_integers_as_numpy_does() -> None:
    n, x = numbers((4,), "int64"), 3 * numbers((5,))
    for name in ("floor", "ceil", "trunc"):
        assert_like_numpy(ARRAY_FUNCTIONS[name], getattr(np, name), n)
    assert_like_numpy(gf.round, np.round, n)
    for decimals in (0, 2, -1):
        assert_like_numpy(
            lambda a, d=decimals: gf.round(a, d), lambda a, d=decimals: np.round(a, d), x
        )


def test_clip_with_open_sides() -> None:
    for x in (numbers((5,)), numbers((5,), "float32"), numbers((5,), "int64")):
        for low, high in ((-1, 1), (None, 0), (0, None), (-0.5, None), (None, None)):
            assert_like_numpy(
                lambda a, lo=low, hi=high: gf.clip(a, lo, hi),
                lambda a, lo=low, hi=high: np.clip(a, lo, hi),
                x,
            )


def test_activations_follow_their_formulas() -> None:
    x = np.linspace(-3, 3, 13)
    cases: list[tuple[Callable[..., Any], np.ndarray]] = [
        (gf.leaky_relu, np.where(x > 0, x, 0.01 * x)),
        (lambda a: gf.leaky_relu(a, 0.2), np.where(x > 0, x, 0.2 * x)),
        (gf.elu, np.where(x > 0, x, np.expm1(x))),
        (lambda a: gf.elu(a, 2.0), np.where(x > 0, x, 2 * np.expm1(x))),
        (gf.hardtanh, np.clip(x, -1, 1)),
        (gf.sigmoid, 1 / (1 + np.exp(-x))),
    ]
    for function, wanted in cases:
        np.testing.assert_allclose(built(function, x), wanted, rtol=1e-12)
    difference = built(gf.gelu, x) - built(lambda a: gf.gelu(a, "tanh"), x)
    assert 0 < np.abs(difference).max() < 1e-3
    with pytest.raises(GraphError, match="unknown approximation"):
        gf.gelu(leaf(x), "cubic")


def test_float32_stays_float32() -> None:
    x = input("x", ("N", 3))
    for function in (gf.leaky_relu, gf.elu, gf.gelu, gf.softmax, gf.norm, gf.std, gf.mean):
        assert function(x).dtype == np.float32
    assert (x + gf.full((3,), 0.5)).dtype == (x + gf.linspace(0, 1, 3)).dtype == np.float32
    counts = input("counts", (3,), "int64")
    with pytest.warns(GraphWarning, match=r"gives float64[\s\S]*counts \* x.*cast counts"):
        assert (counts * x).dtype == np.float64  # NumPy's rule
    with pytest.warns(GraphWarning, match="float32 with int64"):
        assert (x @ counts).dtype == np.float64
    assert (gf.astype(counts, "float32") * x).dtype == np.float32
    assert (x > counts).dtype == bool  # compared in float64, and no warning


# -- reductions ----------------------------------------------------------------------------------

REDUCTIONS = ["sum", "prod", "mean", "var", "std", "max", "min", "any", "all"]


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "bool"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_over_every_axis(name: str, dtype: str) -> None:
    ours, numpys = ARRAY_FUNCTIONS[name], getattr(np, name)
    for shape in SHAPES:
        x = numbers(shape, dtype)
        for axis in [None, *range(-len(shape), len(shape)), *([(0, -1)] if len(shape) > 1 else [])]:
            axes = range(len(shape)) if axis is None else np.atleast_1d(axis)
            empty = any(shape[a] == 0 for a in axes)
            for keepdims in (False, True):
                if empty and name in ("max", "min", "var", "std"):
                    with pytest.raises(GraphError, match="of no elements"):
                        ours(leaf(x), axis, keepdims=keepdims)
                    continue
                assert_like_numpy(
                    lambda a, ax=axis, k=keepdims: ours(a, ax, keepdims=k),
                    lambda a, ax=axis, k=keepdims: numpys(a, axis=ax, keepdims=k),
                    x,
                    tolerance=1e-5 if dtype == "float32" else 1e-12,
                )


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_argmax_and_argmin(name: str) -> None:
    ours, numpys = ARRAY_FUNCTIONS[name], getattr(np, name)
    x = RNG.integers(0, 3, (3, 5)).astype(float)  # with ties: the first one counts
    for axis in (None, 0, 1, -1):
        for keepdims in (False, True):
            assert_like_numpy(
                lambda a, ax=axis, k=keepdims: ours(a, ax, keepdims=k),
                lambda a, ax=axis, k=keepdims: numpys(a, axis=ax, keepdims=k),
                x,
            )
    with pytest.raises(GraphError, match="of no elements"):
        ours(leaf(np.zeros((0, 3))), 0)


def test_moments_with_degrees_of_freedom() -> None:
    x = numbers((5, 3))
    assert_like_numpy(lambda a: gf.var(a, 0, ddof=1), lambda a: np.var(a, 0, ddof=1), x)
    assert_like_numpy(lambda a: gf.std(a, correction=1), lambda a: np.std(a, ddof=1), x)
    assert_like_numpy(
        lambda a: gf.sum(a, 0, dtype="float32"), lambda a: np.sum(a, 0, dtype=np.float32), x
    )


@pytest.mark.parametrize("name", ["sum", "prod"])
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("given", ["int32", "int64", "bool"])
def test_a_result_has_the_dtype_asked_for(name: str, dtype: str, given: str) -> None:
    x = numbers((3, 4)).astype(given)
    assert_like_numpy(
        lambda a: getattr(gf, name)(a, 0, dtype=dtype),
        lambda a: getattr(np, name)(a, 0, dtype=dtype),
        x,
    )


@pytest.mark.parametrize("order", [None, 1, 2, 3.0, 0, np.inf, -np.inf])
def test_norm_orders(order: Any) -> None:
    x = numbers((3, 4))
    for axis in (0, -1):
        assert_like_numpy(
            lambda a, ax=axis: gf.norm(a, order, ax),
            lambda a, ax=axis: np.linalg.norm(a, order, ax),
            x,
            tolerance=1e-12,
        )


def test_norm_of_whole_arrays() -> None:
    for shape in SHAPES:
        x = numbers(shape)
        assert_like_numpy(gf.norm, np.linalg.norm, x, tolerance=1e-12)
    assert_like_numpy(
        lambda a: gf.norm(a, keepdims=True),
        lambda a: np.linalg.norm(a, keepdims=True),
        numbers((2, 3)),
        tolerance=1e-12,
    )
    with pytest.raises(GraphError, match="of a matrix is not available"):
        gf.norm(input("x", (2, 3)), 2)


def test_softmax_family_survives_large_numbers() -> None:
    x = np.array([[1e4, 0.0, -1e4], [1.0, 2.0, 3.0]])
    p = built(gf.softmax, x)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(built(gf.log_softmax, x)[0], [0, -1e4, -2e4])
    np.testing.assert_allclose(built(lambda a: gf.logsumexp(a, 1), x), [1e4, 3.40760596444438])
    np.testing.assert_allclose(built(lambda a: gf.softmax(a, None), x).sum(), 1)


# -- shapes --------------------------------------------------------------------------------------

MOVES: list[tuple[str, Callable[[Any, Any], Any], tuple[int, ...]]] = [
    ("ravel", lambda m, a: m.ravel(a), (2, 3)),
    ("reshape", lambda m, a: m.reshape(a, (3, -1)), (2, 3)),
    ("reshape to 0-d", lambda m, a: m.reshape(a, ()), (1, 1)),
    ("transpose", lambda m, a: m.transpose(a), (2, 3, 4)),
    ("transpose axes", lambda m, a: m.transpose(a, (1, -1, 0)), (2, 3, 4)),
    ("permute", lambda m, a: m.permute_dims(a, (2, 0, 1)), (2, 3, 4)),
    ("matrix_transpose", lambda m, a: m.matrix_transpose(a), (2, 3, 4)),
    ("swapaxes", lambda m, a: m.swapaxes(a, 0, -1), (2, 3, 4)),
    ("moveaxis", lambda m, a: m.moveaxis(a, 0, -1), (2, 3, 4)),
    ("moveaxis two", lambda m, a: m.moveaxis(a, (0, 1), (-1, 0)), (2, 3, 4)),
    ("broadcast_to", lambda m, a: m.broadcast_to(a, (2, 3, 4)), (3, 1)),
    ("broadcast_arrays", lambda m, a: list(m.broadcast_arrays(a, a[:1])), (3, 2)),
    ("expand_dims", lambda m, a: m.expand_dims(a, 1), (3,)),
    ("expand_dims two", lambda m, a: m.expand_dims(a, (0, -1)), (3, 2)),
    ("squeeze", lambda m, a: m.squeeze(a), (1, 3, 1)),
    ("squeeze axis", lambda m, a: m.squeeze(a, -1), (1, 3, 1)),
    ("concat", lambda m, a: m.concatenate([a, a[:1]]), (2, 3)),
    ("concat axis", lambda m, a: m.concatenate((a, 2 * a), axis=-1), (2, 3)),
    ("concat flat", lambda m, a: m.concatenate([a, a], axis=None), (2, 3)),
    ("stack", lambda m, a: m.stack([a, a]), (2, 3)),
    ("stack last", lambda m, a: m.stack([a, a], axis=-1), (2, 3)),
    ("stack 0-d", lambda m, a: m.stack([a, a]), ()),
    ("split", lambda m, a: list(m.split(a, 2)), (4, 3)),
    ("split at", lambda m, a: list(m.split(a, [1, 3], axis=1)), (2, 4)),
    ("split past", lambda m, a: list(m.split(a, [-1, 9])), (4,)),
    ("flip", lambda m, a: m.flip(a), (2, 3)),
    ("flip axis", lambda m, a: m.flip(a, -1), (2, 3)),
    ("roll", lambda m, a: m.roll(a, 2), (2, 3)),
    ("roll axis", lambda m, a: m.roll(a, -5, axis=1), (2, 3)),
    ("roll axes", lambda m, a: m.roll(a, (1, 2), axis=(0, 1)), (2, 3)),
    ("roll empty", lambda m, a: m.roll(a, 1, axis=0), (0, 2)),
    ("tile", lambda m, a: m.tile(a, 3), (2, 3)),
    ("tile more", lambda m, a: m.tile(a, (2, 1, 2)), (2, 3)),
    ("tile by NumPy integers", lambda m, a: m.tile(a, (np.int64(2), 1)), (2, 3)),
    ("tile fewer", lambda m, a: m.tile(a, (2,)), (2, 3)),
    ("repeat", lambda m, a: m.repeat(a, 2), (2, 3)),
    ("repeat axis", lambda m, a: m.repeat(a, 2, axis=0), (2, 3)),
    ("repeat each", lambda m, a: m.repeat(a, [1, 0, 2], axis=1), (2, 3)),
    ("pad", lambda m, a: m.pad(a, 1), (2, 3)),
    ("pad both", lambda m, a: m.pad(a, (1, 2)), (2, 3)),
    ("pad pair", lambda m, a: m.pad(a, ((1, 2), (0, 1))), (2, 3)),
    (
        "pad value",
        lambda m, a: m.pad(a, 1, constant_values=2) if m is np else m.pad(a, 1, np.int64(2)),
        (2,),
    ),
    ("pad by NumPy's word", lambda m, a: m.pad(a, 1, constant_values=np.array(2)), (3,)),
    ("pad one axis", lambda m, a: m.pad(a, (1, 2)), (3,)),
    ("cumsum", lambda m, a: m.cumsum(a), (2, 3)),
    ("cumsum axis", lambda m, a: m.cumsum(a, axis=-1), (2, 3)),
    ("cumprod", lambda m, a: m.cumprod(a, 0), (2, 3)),
    ("diff", lambda m, a: m.diff(a), (2, 4)),
    ("diff twice", lambda m, a: m.diff(a, 2, axis=0), (4, 2)),
    ("tril", lambda m, a: m.tril(a), (3, 4)),
    ("tril below", lambda m, a: m.tril(a, -1), (2, 4, 3)),
    ("triu", lambda m, a: m.triu(a, 1), (3, 4)),
    ("triu of a vector", lambda m, a: m.triu(a), (3,)),
    ("take", lambda m, a: m.take(a, [3, -1, 0]), (2, 3)),
    ("take axis", lambda m, a: m.take(a, [[0, 1], [1, 1]], axis=1), (2, 3)),
    ("take one", lambda m, a: m.take(a, 1, axis=0), (2, 3)),
    ("trace", lambda m, a: m.trace(a), (3, 3)),
    ("trace wide", lambda m, a: m.trace(a, offset=1), (3, 5)),
    ("trace of many", lambda m, a: m.trace(a, -1, 1, 2), (2, 4, 3)),
    ("diagonal", lambda m, a: m.diagonal(a, 1), (3, 4)),
    ("diagonal of many", lambda m, a: m.diagonal(a, 0, 1, 2), (2, 3, 3)),
    ("count_nonzero", lambda m, a: m.count_nonzero(m.where(a > 0, a, 0 * a), axis=0), (3, 4)),
    ("zeros_like", lambda m, a: m.zeros_like(a) + m.ones_like(a), (2, 3)),
    ("full_like", lambda m, a: m.full_like(a, 7), (2, 3)),
]


@pytest.mark.parametrize("name, call, shape", MOVES, ids=[row[0] for row in MOVES])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_movement(
    name: str, call: Callable[[Any, Any], Any], shape: tuple[int, ...], dtype: str
) -> None:
    x = numbers(shape, dtype)
    assert_like_numpy(lambda a: call(gf, a), lambda a: call(np, a), x)


NAMED = """ravel transpose flip tile repeat pad cumsum tril triu trace stack concat diff expand_dims
moveaxis roll"""
SYMBOLIC = [row for row in MOVES if row[0] in re.split(r"\s", NAMED)]


@pytest.mark.parametrize("name, call, shape", SYMBOLIC, ids=[row[0] for row in SYMBOLIC])
def test_movement_of_named_dims(
    name: str, call: Callable[[Any, Any], Any], shape: tuple[int, ...]
) -> None:
    x = numbers(shape)
    assert_like_numpy(lambda a: call(gf, a), lambda a: call(np, a), x, symbolic=True)


def test_named_dims_show_in_shapes() -> None:
    n, t = dim("N"), dim("T")
    x = input("x", (n, t, 3))
    assert gf.ravel(x).shape == (3 * n * t,)
    assert gf.pad(x, ((1, 2), (0, 0), (0, 0))).shape == (n + 3, t, 3)
    assert gf.tile(x, (2, 1, 1)).shape == (2 * n, t, 3)
    assert [part.shape for part in gf.split(x, 3, axis=2)] == [(n, t, 1)] * 3
    with pytest.raises(GraphError, match="do not come out even"):
        gf.split(x, 2)


# -- contractions --------------------------------------------------------------------------------

MATMULS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((6, 1, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 2)),
]


@pytest.mark.parametrize("left, right", MATMULS, ids=str)
def test_matmul_of_all_ranks(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    for dtype in ("float64", "int64"):
        a, b = numbers(left, dtype), numbers(right, dtype)
        assert_like_numpy(gf.matmul, np.matmul, a, b, tolerance=1e-12)
        assert_like_numpy(gf.dot, np.dot, a, b, tolerance=1e-12) if len(right) < 3 else None


PRODUCTS: list[tuple[str, Callable[[Any, Any, Any], Any], tuple[int, ...], tuple[int, ...]]] = [
    ("outer", lambda m, a, b: m.outer(a, b), (3,), (2, 2)),
    ("inner", lambda m, a, b: m.inner(a, b), (2, 3), (4, 3)),
    ("dot n-d", lambda m, a, b: m.dot(a, b), (2, 3, 4), (5, 4, 2)),
    ("dot number", lambda m, a, b: m.dot(a, b), (), (3,)),
    ("tensordot", lambda m, a, b: m.tensordot(a, b), (2, 3, 4), (3, 4, 5)),
    ("tensordot 0", lambda m, a, b: m.tensordot(a, b, 0), (2,), (3,)),
    ("tensordot axes", lambda m, a, b: m.tensordot(a, b, ([0, -1], [1, 0])), (2, 3, 4), (4, 2)),
    ("vecdot", lambda m, a, b: m.vecdot(a, b), (2, 3), (3,)),
    ("vecdot axis", lambda m, a, b: m.vecdot(a, b, axis=0), (3, 2), (3, 2)),
    ("einsum", lambda m, a, b: m.einsum("ij,kj->ki", a, b), (2, 3), (4, 3)),
    ("einsum implicit", lambda m, a, b: m.einsum("ij,jk", a, b), (2, 3), (3, 4)),
    ("einsum dots", lambda m, a, b: m.einsum("...i,...i->...", a, b), (2, 5, 3), (2, 5, 3)),
]


@pytest.mark.parametrize("name, call, left, right", PRODUCTS, ids=[row[0] for row in PRODUCTS])
def test_products(
    name: str, call: Callable[..., Any], left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    a, b = numbers(left), numbers(right)
    assert_like_numpy(
        lambda x, y: call(gf, x, y), lambda x, y: call(np, x, y), a, b, tolerance=1e-12
    )


def test_products_name_what_does_not_fit() -> None:
    x, w = input("x", ("N", 784)), input("w", (10, 784))
    with pytest.raises(GraphError, match=r"inner dims differ[\s\S]*a @ b\.T"):
        x @ w
    with pytest.raises(GraphError, match="use \\* to multiply"):
        x @ input("s")
    with pytest.raises(GraphError, match="batch axes"):
        gf.matmul(input("a", (2, 3, 4)), input("b", (5, 4, 3)))
    with pytest.raises(GraphError, match="summed over differ"):
        gf.tensordot(x, w, ([1], [0]))


# -- creation ------------------------------------------------------------------------------------


def test_creation() -> None:
    n = dim("N")
    assert gf.zeros((n, 2)).shape == (n, 2)
    assert gf.constant([1.0, 2.0]).dtype == np.float32
    assert gf.constant(np.array([1.0, 2.0])).dtype == np.float64
    assert gf.constant([np.float64(1.0)]).dtype == np.float64
    assert gf.constant([True, False]).dtype == np.bool_
    assert gf.constant(0.1).attrs["value"] == 0.1
    assert gf.arange(n).shape == (n,)
    for bounds in ((5,), (1, 9, 3), (9, 1, -3), (3, 3), (5, 1)):
        assert_like_numpy(
            lambda a, b=bounds: gf.arange(*b) + a,
            lambda a, b=bounds: np.arange(*b) + a,
            np.int64(0),
        )
    pairs: list[Callable[[Any], Any]] = [
        lambda m: m.arange(0, 1, 0.25, dtype="float64"),
        lambda m: m.linspace(0, 1, 5, dtype="float64"),
        lambda m: m.linspace(0, 1, 4, endpoint=False, dtype="float64"),
        lambda m: m.eye(2, 3, 1, dtype="float64"),
        lambda m: m.full((2,), 3, dtype="int32"),
        lambda m: m.zeros(3, dtype="bool"),
    ]
    for pair in pairs:
        assert_same(value_of(pair(gf), {}, sizes={}), pair(np))
    with pytest.raises(GraphError, match="different lengths"):
        gf.constant([[1.0], [1.0, 2.0]])
    with pytest.raises(GraphError, match="known when the graph is built"):
        gf.arange(input("k", (), "int64"))


def test_random_draws_follow_their_parameters() -> None:
    from graphc.run.reference import evaluate

    normal = gf.random_normal((2000,), mean=3.0, scale=0.5)
    coins = gf.random_bernoulli((2000,), 0.25)
    spread = gf.random_uniform((2000,), -1.0, 2.0)
    values = evaluate([normal, coins, spread], {}, sizes={}, rng=np.random.default_rng(0))
    assert abs(values[normal].mean() - 3) < 0.05 and abs(values[normal].std() - 0.5) < 0.05
    assert values[coins].dtype == np.bool_ and abs(values[coins].mean() - 0.25) < 0.05
    assert values[spread].min() >= -1 and values[spread].max() < 2
    with pytest.raises(GraphError, match="probability"):
        gf.random_bernoulli((3,), 1.5)


# -- properties ----------------------------------------------------------------------------------


@given(
    npst.arrays(np.float64, npst.array_shapes(max_dims=3, max_side=3), elements=st.floats(-2, 2)),
    st.data(),
)
def test_moveaxis_reshape_and_sum_agree_with_numpy(x: np.ndarray, data: st.DataObject) -> None:
    source = data.draw(st.integers(-x.ndim, x.ndim - 1))
    target = data.draw(st.integers(-x.ndim, x.ndim - 1))
    shift = data.draw(st.integers(-4, 4))

    def call(m: Any, a: Any) -> Any:
        moved = m.moveaxis(m.roll(a, shift, axis=source), source, target)
        return m.sum(m.flip(moved, source) * moved, axis=target, keepdims=True) - moved

    assert_like_numpy(lambda a: call(gf, a), lambda a: call(np, a), x, tolerance=1e-12)


MISTAKES: list[tuple[Callable[[], Any], str]] = [
    (lambda: gf.sum(input("x", (3,)), axis=1), "out of bounds"),
    (lambda: gf.sum(input("x", (3, 3)), axis=(0, 0)), "given twice"),
    (lambda: gf.reshape(input("x", ("N", 3)), (2, 2)), "number of elements"),
    (lambda: gf.squeeze(input("x", (3,)), 0), "does not have size 1"),
    (lambda: gf.concat([input("x", (3, 2)), input("y", (3, 3))]), "shapes differ"),
    (lambda: gf.concat([input("x"), input("y")]), "use gc.stack"),
    (lambda: gf.concat([]), "at least one array"),
    (lambda: gf.stack([input("x", (3,)), input("y", (2,))]), "one shape"),
    (lambda: gf.pad(input("x", (3,)), 1, mode="edge"), "mode 'edge'"),
    (lambda: gf.pad(input("x", (3,)), 1, "edge"), "constant is one number"),
    (lambda: gf.pad(input("x", (3,)), 1, (1.0, 2.0)), "constant is one number"),
    (lambda: gf.pad(input("x", (3,)), ((1, 1), (2, 2))), "pair for each axis"),
    (lambda: gf.pad(input("x", (3,)), -1), "non-negative"),
    (lambda: gf.unstack(input("x", ("N",))), "known size"),
    (lambda: gf.matrix_transpose(input("x", (3,))), "two axes"),
    (lambda: gf.cast(input("x", (3,)), "float16"), "unknown dtype"),
    (lambda: gf.one_hot(input("x", (3,)), 4), "must hold integers"),
    (lambda: input("x", (3,)) + "a", "not something a graph can compute with"),
    (lambda: input("x", (3,)) + None, "not something a graph can compute with"),
    (lambda: input("x", (3,)) + gf.relu, "the function 'relu'"),
]


@pytest.mark.parametrize("call, message", MISTAKES, ids=[row[1] for row in MISTAKES])
def test_mistakes_are_told(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        call()


def test_every_public_function_is_documented() -> None:
    assert not [name for name, f in ARRAY_FUNCTIONS.items() if len(f.__doc__ or "") < 10]
