"""Stabilization of linear algebra: logarithms of determinants, and products with inverses."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.contraction.linear_algebra import turned
from graphc.ops.contraction.matrix_product import matmul_form
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding


def _log_of_determinant(node: Node, facts: Facts) -> Node:
    """log(det(a)) → logdet(a)."""
    return OPS["logdet"](node.inputs[0].inputs[0])


def _log_of_absolute_determinant(node: Node, facts: Facts) -> Node | None:
    """log(abs(det(a))) → log_abs_det(a)."""
    inner = node.inputs[0].inputs[0]
    return OPS["log_abs_det"](inner.inputs[0]) if inner.op is OPS["det"] else None


def _solved(node: Node, facts: Facts) -> Node | None:
    """inv(a) @ b → solve(a, b), and b @ inv(a) → solve(a.T, b.T).T."""
    form = matmul_form(node)
    if form is None:
        return None
    (i, is_left_turned), (j, is_right_turned) = form
    left, right = node.inputs[i], node.inputs[j]
    if _is_inverse(left, facts):
        a = left.inputs[0]
        return OPS["solve"](
            turned(a) if is_left_turned else a, turned(right) if is_right_turned else right
        )
    if not _is_inverse(right, facts):
        return None
    a = right.inputs[0] if is_right_turned else turned(right.inputs[0])
    if left.ndim == 1:
        return OPS["solve"](a, left)
    return turned(OPS["solve"](a, left if is_left_turned else turned(left)))


def _is_inverse(x: Node, facts: Facts) -> bool:
    """Say whether an operand is an inverse that nobody else reads."""
    return x.op is OPS["inv"] and not facts.is_shared(x)


_A = "a: input(f64, 3, 3)\n"
_REGULAR = _A + "m = a @ a.T + eye(3, dtype=f64)\n"

LINEAR_ALGEBRA = (
    rounding(
        "log_of_determinant",
        "log(det(a))",
        "logdet(a)",
        why="the determinant of a large matrix overflows or underflows",
        apply=_log_of_determinant,
        roots=("log",),
        operands=("det",),
        example=_REGULAR + "y = log(det(m))",
    ),
    rounding(
        "log_of_absolute_determinant",
        "log(abs(det(a)))",
        "log_abs_det(a)",
        why="the determinant of a large matrix overflows or underflows",
        apply=_log_of_absolute_determinant,
        roots=("log",),
        operands=("abs",),
        example=_REGULAR + "y = log(abs(det(m)))",
    ),
    rounding(
        "solve_for_inverse",
        "inv(a) @ b",
        "solve(a, b)",
        why="a third of the operations, and rounds less",
        apply=_solved,
        roots=("einsum",),
        operands=("inv",),
        example=_REGULAR + "y = inv(m) @ a",
    ),
)
