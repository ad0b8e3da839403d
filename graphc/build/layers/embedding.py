"""The embedding layer: a table whose rows are looked up by integers."""

from __future__ import annotations

from typing import Any

from graphc.build.arrays.shaping import expand_dims
from graphc.build.graphs import param
from graphc.build.initializers import Normal
from graphc.build.layers.naming import layer_name, remember
from graphc.build.layers.plain import expect_shape
from graphc.ir.node import Node
from graphc.ir.provenance import scope, user_error
from graphc.ops.movement.indexing import index_node
from graphc.ops.registry import OPS

__all__ = ["embedding"]


def embedding(
    indices: Any,
    vocabulary: int,
    size: int,
    *,
    name: str | None = None,
    weight: Node | None = None,
    init: Any = None,
    sparse: bool = False,
    padding_idx: int | None = None,
) -> Node:
    """Return the row of a table for each index; only rows that are read get a gradient.

    Creates `{name}.W` [vocabulary, size] (standard normal unless `init` is given), or uses the
    node given as `weight`. Negative indices count from the end, as in NumPy; an index out of range
    is an error of the call.

    Plain `sgd` always changes just the rows of the batch: their gradients are subtracted from them,
    and the others' are zero. Optimizers that remember something would also move rows whose
    gradient is zero, since a velocity runs on and a mean decays. With `sparse` they are *lazy*
    instead: a row and its slots stay as they are until a batch reads it again, and weight decay
    acts when it does. The number of finished steps is that of the whole table. A lazy step costs
    the rows of the batch, not the table.

    Positions that hold `padding_idx` give zeros, and nothing reaches that row of the table.

    **Shapes.** indices: [...] integers -> [..., size]
    **Raises.** GraphError for indices that are not integers, a weight that does not fit, or a
    padding_idx outside the table.
    **Source.** Lazy updates: torch.optim.SparseAdam, and torch.nn.Embedding(sparse=True) with SGD
    and Adagrad.
    """
    node = index_node(indices)
    label = layer_name("embedding", name, node)
    with scope(label):
        if weight is None:
            rule = Normal(1.0) if init is None else init
            weight = param(f"{label}.W", (vocabulary, size), init=rule, sparse=sparse)
        expect_shape(f"{label}: weight", weight, (vocabulary, size))
        if sparse:
            _expect_sparse(label, weight)
        rows = OPS["gather"](weight, node, axis=0)
        if padding_idx is not None:
            rows = _without_padding(label, rows, node, padding_idx, vocabulary)
        return remember(node, rows, label)


def _expect_sparse(label: str, weight: Node) -> None:
    if not (weight.op is OPS["param"] and weight.attrs["sparse"]):
        raise user_error(
            f"{label}: sparse=True, but the given weight is not a sparse parameter",
            got=str(weight),
            fix='gc.param("W", …, sparse=True)',
        )


def _without_padding(
    label: str, rows: Node, indices: Node, padding_idx: int, vocabulary: int
) -> Node:
    """Return the rows, zeros where the index is `padding_idx`."""
    if not -vocabulary <= padding_idx < vocabulary:
        raise user_error(
            f"{label}: padding_idx lies outside the table",
            got=str(padding_idx),
            expected=f"an index of {vocabulary} rows",
        )
    # An index may count from the end, too.
    is_word = OPS["not_equal"](OPS["remainder"](indices, vocabulary), padding_idx % vocabulary)
    return OPS["where"](expand_dims(is_word, -1), rows, 0.0)
