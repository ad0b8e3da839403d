"""Random models whose chains run in blocks, small ones by smaller limits: values, state, inputs.

Rows that one chain narrows, reshapes, turns, multiplies and sums; arrays that all blocks read;
values that live on outside of their chain; several chains in one step, with draws and sums between.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stepping import assert_steps_agree, compiled

import graphc as gc
from graphc.ir.dims import same
from graphc.ops.contraction import threaded_products
from graphc.plan import blocks, program, samples
from graphc.run.compiled import CompiledFunction

Pool = list[gc.Node]

SEEDS = 60

#: The limits of this file: many blocks of arrays that the reference is through with at once.
LIMITS: list[tuple[Any, str, int]] = [
    (program, "BLOCK", 96),
    (blocks, "_FEWEST", 3),
    (blocks, "_LONGEST_ROW", 24),
    (blocks, "LARGE", 24),
    (samples, "LARGE", 24),
    (samples, "_LARGE_ROW", 24),
    (samples, "_FEWEST_ROWS", 2),
    (threaded_products, "_MOST", 64),
    (threaded_products, "_MOST_OF_VECTOR", 16),
]
#: N where it is a number, elements of a narrow row, and how many times as many has a wide one.
SIZES = [(12, 4, 7), (6, 6, 6), (12, 4, 8), (7, 4, 7)]

POINTWISE: list[Callable[[gc.Node], gc.Node]] = [
    gc.tanh,
    gc.sin,
    gc.sigmoid,
    gc.gelu,
    gc.relu,
    lambda x: gc.exp(-gc.square(x)),
    lambda x: gc.log(1 + gc.abs(x)),
    lambda x: x * 1.5 + 0.25,
    lambda x: gc.where(x > 0.1, gc.sin(x), 0.5),
    lambda x: x / (1 + x * x),
]
ROWWISE: list[Callable[[gc.Node], gc.Node]] = [
    lambda x: gc.softmax(x, axis=-1),
    lambda x: x - gc.logsumexp(x, axis=-1, keepdims=True),
    lambda x: gc.exp(gc.tanh(x) - gc.max(x, axis=tuple(range(1, x.ndim)), keepdims=True)),
    lambda x: (x - gc.mean(x, axis=-1, keepdims=True)) / (1 + gc.std(x, axis=-1, keepdims=True)),
]


def chain(r: random.Random, x: gc.Node) -> gc.Node:
    for _ in range(r.randint(1, 4)):
        x = r.choice(POINTWISE)(x)
    return x


def is_float(x: gc.Node) -> bool:
    return x.dtype.kind == "f"


def of(r: random.Random, pool: Pool, suits: Callable[[gc.Node], bool] = is_float) -> gc.Node:
    found = [x for x in pool if suits(x) and is_float(x)]
    return r.choice([*found[-3:], *found])


def combined(r: random.Random, pool: Pool) -> gc.Node:
    """Return arithmetic on two arrays, one of which may be of lower rank or repeated."""
    x = of(r, pool)

    def suits(y: gc.Node) -> bool:
        tail = x.shape[x.ndim - y.ndim :] if y.ndim <= x.ndim else ()
        pairs = zip(y.shape, tail, strict=False)
        return y.ndim <= x.ndim and all(same(a, b) or same(a, 1) for a, b in pairs)

    y = of(r, pool, suits)
    return r.choice(
        [lambda: x + gc.tanh(y), lambda: gc.sin(x) * y, lambda: gc.where(x > y, x, gc.sin(y))]
    )()


def rowwise(r: random.Random, pool: Pool) -> gc.Node:
    return r.choice(ROWWISE)(of(r, pool, lambda x: x.ndim > 1))


def moved(r: random.Random, pool: Pool) -> gc.Node:
    """Return another view of the rows, or of something else."""
    x = of(r, pool, lambda x: x.ndim > 1)
    n, *rest = x.shape
    size = 1
    for d in rest:
        size = size * d
    kind = r.randrange(6)
    if kind == 0 and x.ndim > 2:
        return gc.reshape(x, (n, size))
    if kind == 1 and x.ndim > 2:
        return gc.reshape(x, (n * rest[0], *rest[1:]))
    if kind == 2 and x.ndim > 2:
        return gc.swapaxes(x, 1, 2)
    if kind == 3:
        return gc.swapaxes(x, 0, r.randrange(1, x.ndim))
    if kind == 4 and isinstance(rest[-1], int) and rest[-1] % 2 == 0:
        return gc.reshape(x, (*x.shape[:-1], 2, rest[-1] // 2))
    return r.choice([x[::-1], x[:, 0], x[:, :1], gc.roll(x, 1, axis=0), gc.cumsum(x, axis=0) * 0.1])


def multiplied(r: random.Random, pool: Pool) -> gc.Node:
    x = of(r, pool, lambda x: x.ndim > 0)
    if x.ndim > 2:
        turned = gc.swapaxes(x, -1, -2)
        v = gc.max(x, axis=-1)
        products = [lambda: x @ turned, lambda: turned @ gc.sin(x)]
        if x.ndim == 3:
            products += [
                lambda: gc.einsum("nij,ni->nj", x, v),
                lambda: gc.einsum("ni,nj->nij", v, v),
            ]
            products += [lambda: gc.einsum("nij,nik->njk", x, gc.sin(x))]
        return gc.tanh(r.choice(products)())
    if x.ndim == 2:
        others = [y for y in pool if is_float(y) and y.ndim and same(x.shape[1], y.shape[0])]
        if others and r.random() < 0.6:
            return gc.tanh(x @ r.choice(others))
        return r.choice([lambda: gc.tanh(gc.swapaxes(x, 0, 1) @ x), lambda: gc.sum(x, axis=0)])()
    others = [y for y in pool if is_float(y) and y.ndim and same(x.shape[0], y.shape[0])]
    return gc.tanh(gc.einsum("a,a...->...", x, r.choice(others)) * 0.01)


def folded(r: random.Random, pool: Pool) -> gc.Node:
    x = of(r, pool, lambda x: x.ndim > 0)
    kind = r.randrange(5)
    if kind == 0:
        return gc.tanh(gc.sum(x) * 0.01)
    if kind == 1:
        return gc.sum(x, axis=0) * 0.1
    if kind == 2 and x.ndim > 1:
        return gc.max(x, axis=tuple(range(1, x.ndim)))
    return gc.sum(x, axis=-1) * 0.1


def random_step(r: random.Random, pool: Pool) -> gc.Node:
    kind = r.randrange(5)
    if kind == 0:
        x = of(r, pool, lambda x: x.ndim > 0)
        return gc.nn.dropout(x, 0.3)
    if kind == 1:
        x = of(r, pool, lambda x: x.ndim > 0)
        if r.random() < 0.5:
            return gc.concat([x, gc.ones((100, *x.shape[1:]), dtype=x.dtype)], axis=0)
        return gc.concat([gc.sin(x), x], axis=r.randrange(x.ndim))
    if kind == 2:
        (k,) = (x for x in pool if x.name == "k")
        table = of(r, pool, lambda x: x.ndim > 0 and isinstance(x.shape[0], int))
        return gc.take(table, gc.remainder(k, table.shape[0]), axis=0)
    if kind == 3:
        (k,) = (x for x in pool if x.name == "k")
        return gc.cast(gc.remainder(k * 3 + gc.abs(k) - 1, 7) * 2 - k, "float64")
    with gc.checkpoint(f"kept{len(pool)}"):
        return chain(r, of(r, pool))


def settled(r: random.Random, pool: Pool) -> gc.Node:
    """Return what no chain goes through: it lies in memory of its own."""
    x = of(r, pool, lambda x: x.ndim > 0)
    axis = r.randrange(x.ndim)
    return gc.cumsum(gc.sin(x), axis=axis) * 0.2 if r.random() < 0.3 else gc.cumsum(x, axis=axis)


STEPS = [settled, combined, combined, rowwise, moved, multiplied, folded, random_step]


def model(seed: int) -> gc.Graph:
    """Return a model of a batch of narrow and wide rows, with parameters."""
    r = random.Random(seed)
    number, D, A = r.choice(SIZES)
    n = r.choice([gc.dim("N"), number])
    x, y = gc.input("x", (n, D), dtype="float64"), gc.input("y", (n,), dtype="float64")
    wide, k = gc.input("wide", (n, A, A), dtype="float64"), gc.input("k", (n,), dtype="int64")
    w = gc.param("w", (D, D), dtype="float64", init=gc.init.normal(0.5))
    v = gc.param("v", (D,), dtype="float64", init=gc.init.normal(0.5))
    m = gc.param("m", (A, A), dtype="float64", init=gc.init.normal(0.5))
    pool: Pool = [x, y, wide, k, w, v, m, gc.tanh(gc.cumsum(v)), gc.sin(gc.cumsum(m, axis=1))]
    pool += [gc.cumsum(gc.tanh(y)), gc.cumsum(wide, axis=0) * 0.1]
    made: Pool = []
    for _ in range(r.randint(3, 20)):
        node = r.choice(STEPS)(r, pool)
        node = chain(r, node) if is_float(node) else node
        pool.append(node)
        made.append(node)
    outputs = {f"o{i}": made[-1 - i] for i in range(r.randint(0, 3))}
    if r.random() < 0.5:
        seen = r.choice([p for p in made if p.ndim > 0] or [x])
        outputs["view"] = gc.swapaxes(seen, 0, -1)
    loss = gc.sum(gc.square(w)) + gc.sum(gc.square(v)) + gc.sum(gc.square(m))
    for node in made[-3:]:
        loss = loss + gc.sum(gc.square(node)) * 0.01
    return gc.graph({**outputs, "loss": loss}, name="model")


def inputs(graph: gc.Graph, seed: int, size: int) -> dict[str, Any]:
    r = np.random.default_rng(seed)
    given: dict[str, Any] = {}
    for name, leaf in graph.inputs.items():
        shape = tuple([d if isinstance(d, int) else size for d in leaf.shape])
        is_whole = leaf.dtype.kind == "i"
        given[name] = r.integers(-50, 50, shape) if is_whole else r.normal(size=shape)
    return given


def function_of(seed: int) -> CompiledFunction:
    """Return a model, its gradient or a training step, with or without passes."""
    graph, kind = model(seed), seed % 5
    if kind == 0:
        return compiled(graph, "fast")
    if kind == 1:
        return gc.compile(graph)
    if kind == 2:
        return gc.compile(graph, gradient_of="loss")
    return gc.compile(graph, minimize="loss", optimizer=("sgd(0.1)", "adam")[kind - 3])


@pytest.fixture(params=["samples", "chains"])
def low_limits(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    for module, name, value in LIMITS:
        monkeypatch.setattr(module, name, value)
    if request.param == "chains":
        monkeypatch.setattr(samples, "_FEWEST_CALLS", 10**6)


@pytest.mark.usefixtures("low_limits")
@pytest.mark.filterwarnings("ignore::graphc.GraphWarning")  # of inputs that nothing reads
@pytest.mark.filterwarnings("error::RuntimeWarning")  # from threads that forget what is silenced
@pytest.mark.parametrize("first", range(0, SEEDS, 10))
def test_models_in_blocks_give_what_the_reference_gives(first: int) -> None:
    in_blocks = 0
    for seed in range(first, first + 10):
        f = function_of(seed)
        in_blocks += "in_blocks(block" in f.source
        f.function.__globals__["CORES"] = 1 + seed % 3
        sizes = random.Random(seed).sample([1, 2, 7, 13, 40], 3)
        calls = [inputs(f.graph, seed, size) for size in sizes]
        assert_steps_agree(f.graph, f.init(seed=seed), calls, f)
    assert in_blocks > 4


@pytest.mark.usefixtures("low_limits")
@pytest.mark.filterwarnings("ignore::graphc.GraphWarning")
@pytest.mark.parametrize("seed", [3, 8, 11, 14])
def test_any_number_of_cores_gives_the_same_bits(seed: int) -> None:
    results = []
    for cores in (1, 2, 5):
        f = function_of(seed)
        assert "in_blocks(block" in f.source
        f.function.__globals__["CORES"] = cores
        rng = np.random.default_rng(0) if f.draws else None
        with np.errstate(all="ignore"):
            results.append(f(f.init(seed=0), rng=rng, **inputs(f.graph, seed, 40)))
    for name, value in results[0].items():
        for other in results[1:]:
            np.testing.assert_array_equal(other[name], value)


@pytest.mark.usefixtures("low_limits")
@pytest.mark.parametrize("size", [12, "N"])
def test_what_is_read_whole_by_one_call_and_by_rows_by_another(size: int | str) -> None:
    """Each row is compared with all, and joins with its own row of them."""
    x = gc.input("x", (size, 7), "float64")
    near = gc.exp(-gc.square(gc.sin(x[:, None, :] - x[None, :, :]) + gc.cos(x[None, :, :] * 2)))
    share = gc.sum(near * gc.tanh(near) + gc.sigmoid(near), axis=1)
    y = gc.tanh(gc.sin(share * x) + gc.exp(x * 0.1)) * share
    f = gc.compile(gc.graph({"y": y, "total": gc.sum(y)}), gradient_of="total")
    assert "in_blocks(block" in f.source
    f.function.__globals__["CORES"] = 2
    assert_steps_agree(f.graph, {}, [{"x": np.random.default_rng(0).normal(size=(12, 7))}] * 2, f)
