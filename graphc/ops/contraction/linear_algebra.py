"""Square matrices: linear equations, inverse, determinant, and Cholesky's factor.

All work on stacks of matrices, as NumPy's do: the matrix is the last two axes. A matrix that has no
answer (singular, not positive definite) raises NumPy's LinAlgError when the code runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.attributes import Attributes
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim, broadcast_shapes, product, same, same_shape
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op
from graphc.ir.provenance import user_error
from graphc.ir.types import FLOAT64, TensorType
from graphc.ops.batching import Carried, all_carried, by_element, only
from graphc.ops.contraction.einsum import einsum_labels
from graphc.ops.contraction.triangles import ROWS, SOLVE_TRIANGLE, side_in_blocks
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import as_node
from graphc.ops.promotion import common_dtype
from graphc.ops.registry import OPS, register


class OfSquareMatrix(Op):
    """A function of each square matrix of a stack."""

    family = "linear algebra"

    def __call__(self, a: Any) -> Node:
        return self.make([_of_floats(as_node(a))])

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        _check_square(self.name, inputs[0])
        return inputs[0]

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return by_element(node, carried, size)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(f"np.linalg.{self.name}({args[0]})")

    def scratch(self, node: Node) -> Dim:
        # LAPACK works in a copy of one matrix; the inverse also takes an identity matrix.
        order = node.inputs[0].shape[-1]
        return 2 * node.dtype.itemsize * order**2


class Inverse(OfSquareMatrix):
    """The inverse of each matrix."""

    variable = "inverse"

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.linalg.inv(arrays[0])

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        return OPS["negative"](matrix_product(node, matrix_product(tangent, node)))

    def latex(self, node: Node, args: Sequence[str]) -> str:
        return rf"\left({args[0]}\right)^{{-1}}"

    def flops(self, node: Node) -> Dim:
        return 2 * node.size * node.shape[-1]


class OfDeterminant(OfSquareMatrix):
    """A number for each matrix, from its determinant."""

    def __init__(
        self, name: str, doc: str, by_numpy: Callable[[np.ndarray], Any], written: str, tex: str
    ) -> None:
        self.by_numpy, self.written, self.shown = by_numpy, written, tex
        super().__init__(name, doc, _determinant_cases(is_smooth=name != "det_sign"))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        _check_square(self.name, inputs[0])
        return inputs[0].with_shape(inputs[0].shape[:-2])

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.asarray(self.by_numpy(arrays[0]))

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        """Return the tangent of log|det a|: the sum of a's inverse, transposed, times its own."""
        along = OPS["multiply"](turned(inv(node.inputs[0])), tangent)
        return OPS["sum"](along, axis=(-2, -1))

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(self.written.format(args[0]))

    def latex(self, node: Node, args: Sequence[str]) -> str:
        return self.shown.format(args[0])

    def flops(self, node: Node) -> Dim:
        order = node.inputs[0].shape[-1]
        return _over_3(2 * node.inputs[0].size * order)


class Determinant(OfDeterminant):
    """The determinant: its derivative takes the inverse, which a singular matrix has not."""

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        return OPS["multiply"](node, super().linearize_first(node, tangent))


class LogDeterminant(OfDeterminant):
    """The logarithm of the determinant itself: NaN where that is negative."""

    def helper(self, node: Node) -> str:
        return _LOG_DETERMINANT


class SignOfDeterminant(OfDeterminant):
    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> None:
        return None


class Cholesky(OfSquareMatrix):
    """L with L @ Lᵀ = a. As NumPy's, it reads the lower triangle of a, and so does its derivative.

    Its derivative (Murray 2016, arXiv:1602.07527) is L Φ(L⁻¹ da L⁻ᵀ), where Φ keeps the lower
    triangle and halves the diagonal.
    """

    variable = "factor"

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.linalg.cholesky(arrays[0])

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        order = node.shape[-1]
        below = OPS["where"](on_or_below(order, order, -1), tangent, 0.0)
        lower = OPS["where"](on_or_below(order, order), tangent, 0.0)
        tangent = OPS["add"](lower, turned(below))
        between = solve(node, turned(solve(node, tangent)))
        half = OPS["multiply"](OPS["eye"](order, dtype=node.dtype), OPS["multiply"](between, 0.5))
        kept = OPS["where"](on_or_below(order, order, -1), between, half)
        return matrix_product(node, kept)

    def flops(self, node: Node) -> Dim:
        return _over_3(node.size * node.shape[-1])


class Solve(Op):
    """x with a @ x = b, for a matrix b or, of a single matrix a, a vector. Linear in b."""

    family = "linear algebra"
    variable = "solution"

    def __call__(self, a: Any, b: Any) -> Node:
        left, right = as_node(a), as_node(b)
        dtype = common_dtype([left, right])
        left, right = (_of_floats(cast(x, dtype)) for x in (left, right))
        if left.ndim >= 2 and right.ndim >= 2:
            batch = broadcast_shapes(left.shape[:-2], right.shape[:-2])
            if batch is not None:
                left, right = (
                    OPS["broadcast_to"](x, (*batch, *x.shape[-2:])) for x in (left, right)
                )
        return self.make([left, right])

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        a, b = inputs
        _check_square(self.name, a)
        rows = b.shape[:-1] if len(b.shape) > 1 else b.shape
        if not same_shape(rows, a.shape[:-1]):
            raise user_error(
                "solve: the right side has a row for each row of the matrix",
                got=f"{a} and {b}",
                expected="[..., n, n] and [..., n, k], or [n, n] and [n]",
            )
        return b

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.linalg.solve(*arrays)

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        of_a, of_b = tangents
        if of_a is None:
            return None if of_b is None else self.make([node.inputs[0], of_b])
        moved = matrix_product(of_a, node)
        right = OPS["negative"](moved) if of_b is None else OPS["subtract"](of_b, moved)
        return self.make([node.inputs[0], right])

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node | None:
        return None if index == 0 else self.make([turned(node.inputs[0]), cotangent])

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        a, b = node.inputs
        if carried[0] is None and a.ndim == 2:  # all directions are columns for one matrix
            right = only(carried[1:])
            columns = OPS["transpose"](right, (*range(1, right.ndim), 0))
            flat = OPS["reshape"](columns, (a.shape[0], product(columns.shape[1:])))
            solved = OPS["reshape"](self.make([a, flat]), columns.shape)
            return OPS["transpose"](solved, (solved.ndim - 1, *range(solved.ndim - 1)))
        left, right = all_carried(node, carried, size)
        if b.ndim > 1:
            return self.make([left, right])
        column = self.make([left, OPS["reshape"](right, (*right.shape, 1))])
        return OPS["reshape"](column, right.shape)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        side = side_in_blocks(node.inputs[0])
        if side is None:
            return Code(f"np.linalg.solve({args[0]}, {args[1]})")
        return Code(f"_solve_{side}({args[0]}, {args[1]})")

    def helper(self, node: Node) -> str | None:
        return SOLVE_TRIANGLE if side_in_blocks(node.inputs[0]) else None

    def latex(self, node: Node, args: Sequence[str]) -> str:
        return rf"\left({args[0]}\right)^{{-1}} {args[1]}"

    def flops(self, node: Node) -> Dim:
        order = node.inputs[0].shape[-1]
        if side_in_blocks(node.inputs[0]):
            return node.size * order
        return _over_3(2 * node.inputs[0].size * order) + 2 * node.size * order

    def scratch(self, node: Node) -> Dim:
        order = node.inputs[0].shape[-1]
        columns = node.shape[-1] if node.ndim > 1 else 1
        if side_in_blocks(node.inputs[0]):  # both in float64, and what is known of some rows
            return FLOAT64.itemsize * (node.inputs[0].size + node.size + ROWS * columns)
        return node.dtype.itemsize * (order**2 + order * columns)


def turned(x: Node) -> Node:
    """Return each matrix of a stack transposed."""
    return OPS["transpose"](x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def matrix_product(a: Node, b: Node) -> Node:
    """Return a @ b, for stacks of one shape, or for a matrix and a vector."""
    batch = _batch(a.ndim - 2)
    columns = ["k"] if b.ndim > 1 else []
    return einsum_labels(
        [a, b], [[*batch, "i", "j"], [*batch, "j", *columns]], [*batch, "i", *columns]
    )


def on_or_below(rows: Dim, columns: Dim, k: int = 0) -> Node:
    """Return where a matrix has its elements on and below the k-th diagonal."""
    row, column = OPS["reshape"](OPS["arange"](rows), (rows, 1)), OPS["arange"](columns)
    return OPS["less_equal"](column, OPS["add"](row, k) if k else row)


def _batch(count: int) -> list[str]:
    return [f"axis {i}" for i in range(count)]


def _over_3(count: Dim) -> Dim:
    return count // 3 if isinstance(count, int) else count / 3


def _of_floats(node: Node) -> Node:
    return node if node.dtype.kind == "f" else cast(node, FLOAT64)


def _check_square(op: str, a: TensorType) -> None:
    if len(a.shape) < 2 or not same(a.shape[-1], a.shape[-2]):
        raise user_error(f"{op} takes square matrices", got=str(a), expected="a shape [..., n, n]")


def _log_determinant(a: np.ndarray) -> np.ndarray:
    sign, size = np.linalg.slogdet(a)
    return np.where(sign < 0, np.nan, size).astype(a.dtype)


_LOG_DETERMINANT = '''
def _logdet(a):
    """Return the logarithm of each matrix' determinant, NaN where that is negative."""
    sign, size = np.linalg.slogdet(a)
    return np.where(sign < 0, np.nan, size).astype(a.dtype)
'''


def _regular(*shape: int) -> Arg:
    """Return matrices that are far from singular, and whose determinants are positive."""
    return Arg(shape, low=-0.5, high=0.5, diagonal=3.0)


def _determinant_cases(is_smooth: bool) -> list[Case]:
    args = [(_regular(3, 3),), (_regular(2, 4, 4),), (_regular(1, 1),)]
    return [Case(arg, differentiable=is_smooth) for arg in args]


_SQUARE = [Case((_regular(3, 3),)), Case((_regular(2, 4, 4),))]

inv = register(Inverse("inv", "The inverse of each matrix.", _SQUARE))
det = register(
    Determinant(
        "det",
        "The determinant of each matrix.",
        np.linalg.det,
        "np.linalg.det({})",
        r"\det {}",
    )
)
logdet = register(
    LogDeterminant(
        "logdet",
        "log(det(a)) without overflow; NaN where the determinant is negative.",
        _log_determinant,
        "_logdet({})",
        r"\log\det {}",
    )
)
log_abs_det = register(
    OfDeterminant(
        "log_abs_det",
        "log(abs(det(a))) without overflow.",
        lambda a: np.linalg.slogdet(a).logabsdet,
        "np.linalg.slogdet({}).logabsdet",
        r"\log\left|\det {}\right|",
    )
)
det_sign = register(
    SignOfDeterminant(
        "det_sign",
        "The sign of the determinant, without overflow; derivative 0.",
        lambda a: np.linalg.slogdet(a).sign,
        "np.linalg.slogdet({}).sign",
        r"\operatorname{{sign}}\det {}",
    )
)
cholesky = register(
    Cholesky("cholesky", "The lower triangular L with L @ L.T = a.", _SQUARE),
)
solve = register(
    Solve(
        "solve",
        "x with a @ x = b.",
        [
            Case((_regular(3, 3), Arg((3, 2)))),
            Case((_regular(3, 3), Arg((3,)))),
            Case((_regular(2, 3, 3), Arg((2, 3, 1)))),
        ],
    )
)
