"""Which ops may be evaluated at complex numbers, so that the complex step sees their derivative?

Asked of the ops themselves: each is run on its own test cases with an imaginary direction, and
must give back its directional derivative. `abs` and `sign` fail, as they should: NumPy gives them
another meaning off the real axis.
"""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np

from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ir.op import Case, Op
from graphc.ops.leaf import input_
from graphc.run.reference import evaluate

_IMAGINARY, _REAL = 1e-20, 1e-5


@cache
def continues_to_complex(op: Op) -> bool:
    """Say whether the op's reference, at complex numbers, continues what it means at real ones."""
    return all(_agrees(op, case) for case in op.cases)


def _agrees(op: Op, case: Case) -> bool:
    leaves = [input_(f"a{i}", arg.shape, arg.dtype) for i, arg in enumerate(case.args)]
    node = op(*leaves, **case.kwargs)
    if not isinstance(node, Node) or node.dtype.kind != "f":
        return True
    rng = np.random.default_rng(0)
    point = {leaf: arg.draw(rng) for leaf, arg in zip(leaves, case.args, strict=True)}
    floats = [leaf for leaf in leaves if leaf.dtype.kind == "f"]
    is_cut = not any(
        operand.dtype.kind == "f" and node.op.is_differentiable(node, i)
        for i, operand in enumerate(node.inputs)
    )
    if not case.differentiable and not is_cut:
        return True  # on a kink neither method has a say
    direction = {leaf: rng.standard_normal(leaf.shape) for leaf in floats}

    def moved(step: complex) -> np.ndarray:
        shifted = {leaf: point[leaf] + step * direction[leaf] for leaf in floats}
        return evaluate([node], {**point, **shifted}, sizes={})[node]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some cases are empty, others hold infinities
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            derivative = np.imag(moved(1j * _IMAGINARY)) / _IMAGINARY
        except (TypeError, ValueError, np.exceptions.ComplexWarning, GraphError):
            return False
        if is_cut:
            return not np.any(derivative)
        expected = (moved(_REAL) - moved(-_REAL)) / (2 * _REAL)
    return bool(np.allclose(derivative, expected, rtol=1e-5, atol=1e-7, equal_nan=True))
