"""Products whose operands lie in other orders are products of matrices, one of them copied."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import graphc as gc
from graphc.rewrite.pipeline import optimize

SIZES = dict(zip("abcde", (3, 5, 7, 2, 4), strict=True))


def contraction(spec: str) -> gc.Graph:
    terms = spec.partition("->")[0].split(",")
    operands = [
        gc.input(name, [SIZES[c] for c in term], "float64")
        for name, term in zip("xy", terms, strict=True)
    ]
    return gc.graph({"z": gc.einsum(spec, *operands)})


def check(graph: gc.Graph) -> str:
    """Compare a contraction and its gradient with the reference; return the emitted source."""
    rng = np.random.default_rng(0)
    data = {n: rng.standard_normal([int(d) for d in x.shape]) for n, x in graph.inputs.items()}
    f = gc.compile(graph)
    np.testing.assert_allclose(f(**data)["z"], gc.interpret(graph, **data)["z"], rtol=1e-12)
    return f.source


@pytest.mark.parametrize("spec", ["abc,bad->cd", "abc,dba->dc", "abc,bad->dc", "abce,dbae->cd"])
def test_axes_that_are_summed_come_to_lie_alike(spec: str) -> None:
    source = check(contraction(spec))
    assert "np.einsum" not in source
    assert ".dot(" in source or "@" in source


def test_every_order_of_axes_keeps_its_value() -> None:
    for first, second in itertools.product(itertools.permutations("abc"), repeat=2):
        others = "".join(second).replace("c", "d")
        for out in ("cd", "dc"):
            check(contraction(f"{''.join(first)},{others}->{out}"))


@pytest.mark.parametrize(
    "spec", ["eabc,ebad->ecd", "eabc,bdea->dec", "abc,cd->bad", "abc,dce->bead"]
)
def test_stacks_and_several_axes_of_ones_own_keep_their_value(spec: str) -> None:
    check(contraction(spec))


def test_the_smaller_operand_is_copied_for_one_large_product() -> None:
    """Logits of what a loop emits step by step, in the order of the samples."""
    h, W = gc.input("h", (20, "N", 64)), gc.param("W", (64, 2000))
    logits = gc.swapaxes(h, 0, 1) @ W
    graph = gc.graph({"loss": gc.sum(gc.square(logits))})
    found = optimize(graph.gradient("loss", ["h", "W"]), style="fast")
    assert "packed_operand" in {f.rule.name for r in found.history for f in r.firings}
    products = [node for node in found.nodes if node.op.name == "einsum"]
    assert all(node.ndim <= 2 for node in products)


def test_alike_axes_are_left_alone() -> None:
    for spec in ("abc,abd->cd", "ab,bc->ac", "abc,abc->ab", "abc,cd->abd"):
        found = optimize(contraction(spec), style="fast")
        assert not any(f.rule.name == "packed_operand" for r in found.history for f in r.firings)


def test_a_sequence_is_packed_once_for_a_layer_and_its_gradient() -> None:
    """Both products can read the same copy, whose rows are those of the sequence."""
    N = gc.dim("N")
    x = gc.input("x", (20, N, 64))
    W = gc.param("W", (64, 400))
    loss = gc.sum(gc.tanh(gc.einsum("tnh,hv->ntv", x, W)))
    source = gc.compile(gc.graph({"loss": loss}), gradient_of="loss", wrt=["W"]).source
    copies = [line.strip() for line in source.splitlines() if "[...] = " in line]
    assert len(copies) == 1 and "x.transpose(1, 0, 2)" in copies[0]
