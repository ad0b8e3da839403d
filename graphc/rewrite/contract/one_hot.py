"""Products with one-hot rows: rows of the other matrix are taken, or added up, not multiplied."""

from __future__ import annotations

from typing import NamedTuple

from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ops.contraction.einsum import einsum_labels
from graphc.ops.leaf import fill
from graphc.ops.reduction.spread import core
from graphc.ops.registry import OPS
from graphc.rewrite.contract.contractions import parts_of, unspread
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import rounding

#: With fewer classes a small batch's product takes no longer than to find and guard the rows.
_MANY = 1000


class _OneHot(NamedTuple):
    """Rows that are 1 at `indices`, 0 elsewhere; `axis` is that of the classes."""

    indices: Node
    axis: int
    classes: Dim


def _as_one_hot(x: Node) -> _OneHot | None:
    """Return what a node is one-hot of: cast(i[:, None] == arange(K))."""
    if x.op.name != "cast" or x.dtype.kind != "f" or x.inputs[0].op.name != "equal":
        return None
    for of_classes, of_index in (x.inputs[0].inputs, x.inputs[0].inputs[::-1]):
        (classes, axes), (index, others) = unspread(of_classes), unspread(of_index)
        rest = tuple([axis for axis in range(x.ndim) if axis not in axes])
        if len(axes) != 1 or others != rest or not _counts(core(classes)):
            continue
        return _OneHot(index, axes[0], x.shape[axes[0]]) if index.dtype.kind == "i" else None
    return None


def _counts(node: Node) -> bool:
    """Say whether a node is 0, 1, 2, …"""
    return node.op.name == "arange" and node.attrs["start"] == 0 and node.attrs["step"] == 1


def _one_hot_operand(node: Node, facts: Facts) -> Node | None:
    """one_hot(i, K) @ w → w[i], and one_hot(i, K).T @ v → v added up into rows i of zeros."""
    operands, terms, out = parts_of(node)
    if len(operands) != 2:
        return None
    for at in (0, 1):
        found = _as_one_hot(operands[at])
        if found is None or (isinstance(found.classes, int) and found.classes < _MANY):
            continue
        if len({*terms[at]}) < len(terms[at]):  # a diagonal of it
            continue
        label = terms[at][found.axis]
        rows = terms[at].replace(label, "")
        new = _product(found, (label, rows), (operands[1 - at], terms[1 - at]), out)
        if new is not None:
            return new
    return None


def _product(
    found: _OneHot, labels: tuple[str, str], other: tuple[Node, str], out: str
) -> Node | None:
    """Return the product of one-hot rows, labelled (class, rows), with another operand."""
    (label, rows), (x, term) = labels, other
    if len({*term}) != len(term):
        return None
    place = OPS["clip"](found.indices, 0, found.classes - 1)
    inside = OPS["equal"](place, found.indices)  # an index outside has no 1 in its row
    if label in term and label not in out and {*rows} <= {*out} and not {*rows} & {*term}:
        axis = term.index(label)
        taken = OPS["gather"](x, place, axis=axis)
        term = term.replace(label, rows)
        return einsum_labels([_masked(taken, inside, axis)], [term], out)
    if label in out and label not in term and term.startswith(rows) and not {*rows} & {*out}:
        values = _masked(x, inside, 0)
        base = fill(0.0, (found.classes, *x.shape[len(rows) :]), x.dtype)
        added = OPS["scatter_add"](base, values, place)
        return einsum_labels([added], [label + term[len(rows) :]], out)
    return None


def _masked(x: Node, inside: Node, axis: int) -> Node:
    """Return a value, 0 where a place along some axes is not inside."""
    shape = (*inside.shape, *[1] * (x.ndim - axis - inside.ndim))
    return OPS["where"](OPS["reshape"](inside, shape), x, 0.0)


ONE_HOT = (
    rounding(
        "one_hot_operand",
        "one_hot(i, K) @ w",
        "where(i < K, w[i], 0)",
        "a row is taken, not multiplied by zeros and a one",
        apply=_one_hot_operand,
        roots=("einsum",),
        operands=("cast",),
        example="i: input(i64, 5)\nw: input(f64, 1000, 4)\ny = one_hot(i, 1000, dtype=f64) @ w",
    ),
)
