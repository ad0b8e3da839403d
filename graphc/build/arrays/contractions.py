"""Products of arrays summed over axes. Each is an einsum node, written as `@` where it is one."""

from __future__ import annotations

from typing import Any

from graphc.build.arrays.shaping import moveaxis, ravel
from graphc.build.arrays.whole_numbers import whole
from graphc.errors import GraphError
from graphc.ir.attributes import plain
from graphc.ir.dims import Dim, broadcast_shapes, same, shape_text
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ir.types import INT64
from graphc.ops.axes import one_axis
from graphc.ops.contraction.spec import LETTERS, matmul_spec
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import as_node
from graphc.ops.promotion import common_dtype, fix_of_pair, is_weak
from graphc.ops.registry import OPS


def matmul(a: Any, b: Any) -> Node:
    """Multiply matrices, as `@`; leading axes are batches that broadcast.

    **Shapes.** [..., n, k], [..., k, m] -> [..., n, m]; a vector loses its axis.
    **Raises.** GraphError for numbers, and where the inner dims differ.
    """
    left, right = _operands(a, b)
    if not left.ndim or not right.ndim:
        raise user_error(
            "@: a matrix product needs arrays with axes",
            got=f"{left.type} and {right.type}",
            fix="use * to multiply by a number",
        )
    inner = right.shape[-2] if right.ndim > 1 else right.shape[0]
    if not same(left.shape[-1], inner):
        raise user_error(
            "@: the inner dims differ",
            got=f"{shape_text(left.shape)} @ {shape_text(right.shape)}",
            expected="the last dim of the left equal to the last but one of the right",
            fix=_matmul_fix(left, right),
        )
    left, right = _common_batch(left, right)
    return OPS["einsum"](left, right, spec=matmul_spec(left.ndim, right.ndim))


def _matmul_fix(left: Node, right: Node) -> str:
    a, b = "a", "b"
    if left.name and right.name and (left.name + right.name).isidentifier():
        a, b = left.name, right.name
    if right.ndim >= 2 and same(left.shape[-1], right.shape[-1]):
        return f"transpose the right operand: {a} @ {b}.T"
    if left.ndim >= 2 and same(left.shape[-2], right.shape[-2 if right.ndim > 1 else 0]):
        return f"transpose the left operand: {a}.T @ {b}"
    if left.ndim >= 2 and same(right.shape[-1], left.shape[-2]):
        return f"they look swapped: {b} @ {a}"
    inner = right.shape[-2 if right.ndim > 1 else 0]
    return fix_of_pair(left.shape[-1], inner, "the inner axis")


def _common_batch(left: Node, right: Node) -> tuple[Node, Node]:
    """Return the operands with equal dims on the batch axes that both have."""
    shared = min(left.ndim, right.ndim) - 2
    if shared <= 0:
        return left, right
    mine, other = (x.shape[x.ndim - 2 - shared : -2] for x in (left, right))
    if all(map(same, mine, other)):
        return left, right
    common = broadcast_shapes(mine, other)
    if common is None:
        raise user_error(
            "@: the batch axes do not broadcast",
            got=f"{shape_text(left.shape)} @ {shape_text(right.shape)}",
        )
    first, second = (
        OPS["broadcast_to"](x, (*x.shape[: x.ndim - 2 - shared], *common, *x.shape[-2:]))
        for x in (left, right)
    )
    return first, second


def dot(a: Any, b: Any) -> Node:
    """Take NumPy's dot product: numbers multiply, vectors give their inner product.

    **Shapes.** [n], [n] -> []; [n, k], [k, m] -> [n, m]; [..., k], [..., k, m] -> all axes left.
    """
    left, right = _operands(a, b)
    if not left.ndim or not right.ndim:
        return OPS["multiply"](left, right)
    if left.ndim <= 2 and right.ndim <= 2:
        return matmul(left, right)
    return tensordot(left, right, ([left.ndim - 1], [max(right.ndim - 2, 0)]))


def vecdot(a: Any, b: Any, axis: int = -1) -> Node:
    """Take inner products of vectors along an axis; the other axes broadcast.

    **Shapes.** [..., n], [..., n] -> [...]
    """
    left, right = _operands(a, b)
    if not left.ndim or not right.ndim:
        raise user_error("vecdot needs vectors", got=f"{left.type} and {right.type}")
    left, right = moveaxis(left, axis, -1), moveaxis(right, axis, -1)
    if not same(left.shape[-1], right.shape[-1]):
        raise _unequal("vecdot", left, right)
    rank = max(left.ndim, right.ndim)
    shape = broadcast_shapes(left.shape, right.shape)
    if shape is None:
        raise _unequal("vecdot", left, right)
    labels, terms = LETTERS[:rank], []
    operands = []
    for x in (left, right):
        wanted = shape[rank - x.ndim :]
        operands.append(OPS["broadcast_to"](x, wanted))
        terms.append(labels[rank - x.ndim :])
    return OPS["einsum"](*operands, spec=f"{terms[0]},{terms[1]}->{labels[:-1]}")


def inner(a: Any, b: Any) -> Node:
    """Sum products over the last axis of both.

    **Shapes.** [..., k], [***, k] -> [..., ***]
    """
    left, right = _operands(a, b)
    if not left.ndim or not right.ndim:
        return OPS["multiply"](left, right)
    return tensordot(left, right, ([left.ndim - 1], [right.ndim - 1]))


def outer(a: Any, b: Any) -> Node:
    """Multiply each element of a (flattened) by each of b.

    **Shapes.** [n], [m] -> [n, m]
    """
    left, right = _operands(a, b)
    return OPS["einsum"](ravel(left), ravel(right), spec="i,j->ij")


def tensordot(a: Any, b: Any, axes: Any = 2) -> Node:
    """Sum products over pairs of axes: the last n of a with the first n of b, or those given.

    **Shapes.** [i, j, k], [j, k, l], axes 2 -> [i, l]
    **Raises.** GraphError where paired dims differ, or `axes` says no pairs.
    """
    left, right = _operands(a, b)
    pairs_left, pairs_right = _tensordot_axes(axes, left, right)
    letters = iter(LETTERS)
    left_labels = [next(letters) for _ in range(left.ndim)]
    right_labels = [next(letters) for _ in range(right.ndim)]
    for i, j in zip(pairs_left, pairs_right, strict=True):
        if not same(left.shape[i], right.shape[j]):
            raise _unequal("tensordot", left, right)
        right_labels[j] = left_labels[i]
    out = [label for i, label in enumerate(left_labels) if i not in pairs_left]
    out += [label for j, label in enumerate(right_labels) if j not in pairs_right]
    terms = "".join(left_labels) + "," + "".join(right_labels)
    return OPS["einsum"](left, right, spec=f"{terms}->{''.join(out)}")


def _tensordot_axes(axes: Any, left: Node, right: Node) -> tuple[list[int], list[int]]:
    axes = plain(axes)
    if not isinstance(axes, (list, tuple)):
        count = whole("axes", axes, 0, of="tensordot")
        if count > min(left.ndim, right.ndim):
            raise _unequal("tensordot", left, right)
        return list(range(left.ndim - count, left.ndim)), list(range(count))
    sides = [list(side) if isinstance(side, (list, tuple)) else [side] for side in axes]
    if len(sides) != 2 or len(sides[0]) != len(sides[1]):
        raise user_error(
            "tensordot: the axes come in pairs",
            got=repr(axes),
            expected="a number of axes, or those of a and those of b: ([1], [0])",
        )
    pairs = [
        [one_axis(axis, node.ndim, "tensordot") for axis in side]
        for side, node in zip(sides, (left, right), strict=True)
    ]
    if any(len(set(places)) < len(places) for places in pairs):
        raise user_error("tensordot: an axis is given twice", got=repr(axes))
    return pairs[0], pairs[1]


def einsum(*operands: Any, spec: str | None = None) -> Node:
    """Sum the products of operands over shared labels: `einsum("ij,jk->ik", a, b)`.

    **Shapes.** as the labels say; `...` stands for leading axes of equal shape.
    **Raises.** GraphError for a spec that does not fit the operands.
    """
    return OPS["einsum"](*operands, spec=spec)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """Take the diagonal of each matrix that two axes span; it becomes the last axis.

    **Shapes.** x: [n, n] -> [n]; [n, m] with known sizes -> [min(n, m)]
    **Raises.** GraphError for a diagonal whose length depends on named dims.
    """
    node = moveaxis(as_node(x), (axis1, axis2), (-2, -1))
    square = _square_part(node, offset)
    if square is None:
        raise user_error(
            "diagonal: its length must be known when the graph is built",
            got=f"{node.type}, offset {offset}",
        )
    batch = LETTERS[1 : square.ndim - 1]
    return OPS["einsum"](square, spec=f"{batch}aa->{batch}a")


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """Add up the diagonal of each matrix that two axes span.

    **Shapes.** x: [n, m] -> []; [..., n, m] -> [...]
    """
    node = as_node(x)
    if node.ndim < 2:
        raise user_error("trace needs a matrix", got=str(node.type))
    if node.dtype.kind in "bi":
        node = cast(node, INT64)
    node = moveaxis(node, (axis1, axis2), (-2, -1))
    batch = LETTERS[2 : node.ndim]
    square = _square_part(node, offset)
    if square is not None:
        return OPS["einsum"](square, spec=f"{batch}aa->{batch}")
    diagonal_ones = OPS["eye"](*node.shape[-2:], k=offset, dtype=node.dtype)
    return OPS["einsum"](node, diagonal_ones, spec=f"{batch}ab,ab->{batch}")


def _square_part(node: Node, offset: int) -> Node | None:
    """Return the square on whose main diagonal the wanted one lies, or None for named dims."""
    rows, columns = node.shape[-2:]
    if same(rows, columns) and offset == 0:
        return node
    if type(rows) is not int or type(columns) is not int:
        return None
    top, left = max(-offset, 0), max(offset, 0)
    size: Dim = max(0, min(rows - top, columns - left))
    index = [slice(None)] * (node.ndim - 2)
    return OPS["slice"](node, [*index, slice(top, top + size), slice(left, left + size)])


def _operands(a: Any, b: Any) -> tuple[Node, Node]:
    """Return both as nodes of one dtype; a Python number takes the other operand's kind."""
    values = [value if is_weak(value) else as_node(value) for value in (a, b)]
    dtype = common_dtype(values)
    left, right = (cast(as_node(value, dtype), dtype) for value in values)
    return left, right


def _unequal(op: str, left: Node, right: Node) -> GraphError:
    return user_error(
        f"{op}: the dims that are summed over differ",
        got=f"{left.type} and {right.type}",
        fix="transpose one operand, or compare the layers' sizes",
    )
