"""Long blocks are headed by the scopes that the user named; short ones stay as they are."""

from itertools import pairwise

import graphc as gc


def _towers(depth: int) -> gc.Graph:
    """Return a network of blocks, each in a scope of its own, in the scope of an encoder.

    Each block has a number of its own, so that they are not alike and share no loop.
    """
    x = gc.input("x", (gc.dim("N"), 8))
    h = x
    for block in range(depth):
        with gc.scope("encoder"), gc.scope(f"block{block}"):
            normed = gc.nn.layer_norm(h)
            gate = gc.sigmoid(gc.nn.dense(normed, 8, name=f"gate{block}"))
            up = gc.nn.dense(normed, 8, activation=gc.gelu, name=f"up{block}")
            h = h + (block + 0.5) * gate * up
    with gc.scope("head"):
        z = gc.nn.dense(gc.nn.layer_norm(h), 3, name="scores")
    y = gc.input("y", (gc.dim("N"),), dtype="int64")
    return gc.graph({"loss": gc.mean(gc.nn.softmax_cross_entropy(z, y))}, name="towers")


def _headings(source: str) -> list[str]:
    lines = source.splitlines()
    pairs = pairwise(lines)
    found = [line for before, line in pairs if not before.strip() or before.startswith("    # ")]
    return [line.removeprefix("    # ") for line in found if line.startswith("    # ")]


def _compiled(depth: int) -> str:
    graph = _towers(depth)
    return gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(0.1), style="readable").source


def test_each_scope_of_a_long_block_starts_with_its_name():
    blocks = [f"encoder/block{i}" for i in range(6)]
    headings = [h for h in _headings(_compiled(6)) if "[" not in h]
    assert headings == ["forward", *blocks, "head", "backward", "head", *blocks[::-1], "update"]


def test_a_short_block_has_no_headings_of_scopes():
    headings = [h for h in _headings(_compiled(1)) if "[" not in h]
    assert headings == ["forward", "backward", "update"]


def test_a_long_forward_pass_alone_is_headed_too():
    source = gc.compile(_towers(12), style="readable").source
    blocks = [f"encoder/block{i}" for i in range(12)]
    assert [h for h in _headings(source) if "[" not in h] == [*blocks, "head"]
    assert "\n\n    # encoder/block0\n" in source
