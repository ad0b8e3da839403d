"""Slices of slices, of paddings, of joined, written and spread arrays read the right elements."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

import graphc as gc
from graphc.ir.node import Node
from graphc.ops import OPS
from graphc.rewrite.pipeline import optimize
from graphc.run.reference import interpret

Move = Callable[[random.Random, Node, np.ndarray], tuple[Node, np.ndarray]]


def part_of(rng: random.Random, size: int) -> slice:
    places = [None, *range(-size - 1, size + 2)]
    return slice(rng.choice(places), rng.choice(places), rng.choice([None, 1, 2, -1, -2, 3]))


def sliced(rng: random.Random, x: Node, value: np.ndarray) -> tuple[Node, np.ndarray]:
    parts = tuple([part_of(rng, size) for size in value.shape])
    return x[parts], value[parts]


def padded(rng: random.Random, x: Node, value: np.ndarray) -> tuple[Node, np.ndarray]:
    widths = [(rng.randint(0, 2), rng.randint(0, 2)) for _ in value.shape]
    return gc.pad(x, widths), np.pad(value, widths)


def joined(rng: random.Random, x: Node, value: np.ndarray) -> tuple[Node, np.ndarray]:
    axis = rng.randrange(value.ndim)
    return gc.concat([x, 2 * x], axis=axis), np.concatenate([value, 2 * value], axis=axis)


def turned(rng: random.Random, x: Node, value: np.ndarray) -> tuple[Node, np.ndarray]:
    return x.T, value.T


def spread(rng: random.Random, x: Node, value: np.ndarray) -> tuple[Node, np.ndarray]:
    shape = (2, value.shape[1])
    return gc.broadcast_to(x[-1:], shape), np.broadcast_to(value[-1:], shape)


def written(rng: random.Random, x: Node, value: np.ndarray) -> tuple[Node, np.ndarray]:
    parts = tuple([part_of(rng, size) for size in value.shape])
    read = x[parts]
    if read is x or read.op.name != "slice":  # all of it
        return x + 1, value + 1
    total = value.copy()
    total[parts] += value[parts] ** 2
    return OPS["slice_add"](x, read**2, read.attrs["bounds"]), total


def gathered(rng: random.Random, x: Node, value: np.ndarray) -> tuple[Node, np.ndarray]:
    start, step = rng.choice([(0, 1), (-1, 1), (-value.shape[0], 1), (0, -1)])
    places = np.arange(value.shape[0]) * step + start
    index = gc.arange(int(start), int(start) + step * value.shape[0], step)
    return gc.take(x, index, axis=0), value[places]


MOVES: list[Move] = [sliced, sliced, sliced, padded, joined, turned, spread, written, gathered]


@pytest.mark.parametrize("seed", range(40))
def test_what_is_moved_several_times(seed: int) -> None:
    rng = random.Random(seed)
    start = np.random.default_rng(seed).normal(size=(4, 5))
    x = gc.input("x", start.shape, "float64")
    outputs, expected = {}, {}
    for at in range(12):
        node, value = x, start
        for _ in range(rng.randint(2, 4)):
            if not 0 < value.size < 500:
                break
            node, value = rng.choice(MOVES)(rng, node, value)
        outputs[f"y{at}"], expected[f"y{at}"] = node, value
    graph = gc.graph(outputs)
    for level in (1, 2):
        got = interpret(optimize(graph, level), x=start)
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-12, err_msg=str(outputs[name]))
