"""What the modules of a network send back, evaluated: the gradient, if their lines are right."""

from __future__ import annotations

import numpy as np

import graphc as gc
from graphc.draw.numbering import numbered
from graphc.draw.traces.chain import stand_in
from graphc.draw.traces.modules import modules
from graphc.draw.traces.sweep import contributions, written_out
from graphc.run.reference import evaluate


def check_sums(graph: gc.Graph, of: str, expanded: bool = False) -> None:
    """Fail unless the lines of all modules add up to the gradient of a graph in float64."""
    rng = np.random.default_rng(3)
    sizes = {"N": 5}
    values = {}
    for leaf in [*graph.inputs.values(), *graph.params.values()]:
        shape = tuple(d if isinstance(d, int) else sizes[str(d)] for d in leaf.shape)
        # Small weights: as it is written, a textbook softmax overflows at large scores.
        drawn = rng.uniform(0.2, 0.9, shape) / (4 if leaf.ndim == 2 else 1)
        values[leaf] = drawn if leaf.dtype.kind == "f" else rng.integers(0, 3, shape)
    target = graph.find(of)
    known = evaluate(graph.nodes, values, sizes=sizes)
    adjoint = {target: np.ones(())}
    for module in modules(numbered(graph), target):
        root = written_out(module)
        again = evaluate([root], {n: known[n] for n in module.operands}, sizes=sizes)[root]
        np.testing.assert_allclose(again, known[module.root], rtol=1e-12)
        if module.root not in adjoint:
            continue  # a mask: no derivative flows through it
        seed = stand_in("adjoint", module.root)
        env = known | {seed: adjoint[module.root], module.meaning: known[module.root]}
        wanted = [x for x in module.operands if x.dtype.kind == "f"]
        for operand, sent in contributions(module, seed, wanted, expanded).items():
            value = evaluate([sent], env, sizes=sizes)[sent]
            adjoint[operand] = adjoint.get(operand, 0) + value
    names = [key for key, leaf in {**graph.inputs, **graph.params}.items() if leaf in adjoint]
    state = {key: known[leaf] for key, leaf in graph.params.items()}
    inputs = {key: known[leaf] for key, leaf in graph.inputs.items()}
    expected = gc.interpret(graph.gradient(of, names), state, **inputs)
    for key in names:
        actual = adjoint[graph.find(key)]
        np.testing.assert_allclose(actual, expected[f"d_{of}_d_{key}"], rtol=1e-9, atol=1e-12)
