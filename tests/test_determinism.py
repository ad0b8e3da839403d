"""Same input, same bytes: text, code and drawings do not depend on the hash seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GRAPHS = sorted(path.stem for path in (ROOT / "examples").glob("*.graph"))

PROBE = """
import sys
import graphc as gc

for name in sys.argv[1:]:
    graph = gc.load(f"examples/{name}.graph")
    of, node = next(iter(graph.outputs.items()))
    if node.shape:
        of = "total"
        graph = gc.graph({**graph.outputs, of: gc.sum(node)}, name=graph.name)
    wrt = None if graph.trainable else list(graph.inputs)
    print("#", name)
    print(graph)
    derived = graph.gradient(of, wrt=wrt)
    print(derived)
    for level in (0, 2, 3):
        print(gc.optimize(derived, level=level))
    for style in ("readable", "fast"):
        print(gc.emit(gc.optimize(derived), style=style))
    print(gc.draw.computation_graph(graph).source)
    print(gc.draw.backprop(graph, of=of).source)
    if of == "loss" and graph.trainable:
        step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.01))
        print(step.source)
        print({key: value.tolist() for key, value in step.init(seed=0).items()})
"""


def run(hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *[name for name in GRAPHS if name != "mlp_3_4_2"]],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def first() -> str:
    return run("0")


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_bytes_do_not_depend_on_the_hash_seed(first: str, hash_seed: str) -> None:
    assert len(first) > 10_000
    assert run(hash_seed) == first
