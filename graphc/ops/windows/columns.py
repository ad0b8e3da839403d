"""The columns of a convolution: their shape, and the arrays that they are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.code import ATOM, Code, Notation
from graphc.ir.dims import Dim, Shape, dim_text, divide_exactly, product
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ir.types import TensorType
from graphc.ops.registry import OPS
from graphc.ops.windows.pooling import laid_out
from graphc.ops.windows.sliding import positions


def expect_fit(op: str, fits: bool, inputs: Sequence[TensorType], expected: str) -> None:
    """Raise where the operands of a convolution do not fit one another."""
    if not fits:
        raise user_error(
            f"{op}: the operands do not fit", got=" and ".join(map(str, inputs)), expected=expected
        )


def is_of_elements(attrs: Mapping[str, Any]) -> bool:
    """Say whether windows show each element once, by itself: the array is its own columns."""
    numbers = [attrs["groups"], *attrs["size"], *attrs["stride"]]
    return all(isinstance(n, int) and n == 1 for n in numbers)


def matrix_code(code: Code, x: Node, notation: Notation) -> Code:
    """Return an array as a matrix: its first axis as it is, and the others one."""
    first, *others = x.shape
    # An array without elements does not say how many columns its matrix has.
    width = "-1" if isinstance(first, int) and first else notation.dim(product(others))
    return Code(f"{code.within(ATOM)}.reshape({notation.dim(first)}, {width})")


def is_copied(x: Node) -> bool:
    """Say whether an operand may have to be copied to lie in one piece."""
    return x.op.is_view and not x.op.may_copy


def columns_shape(op: str, x: TensorType, attrs: Mapping[str, Any]) -> tuple[Dim, Shape]:
    """Return how many rows the columns of each group have, and the shape of what is in a row."""
    if x.ndim != len(attrs["size"]) + 2:
        raise user_error(
            f"{op}: channels first, samples last, and windows over the axes between them",
            got=str(x),
            expected=f"{len(attrs['size']) + 2} axes",
        )
    channels = divide_exactly(x.shape[0], attrs["groups"])
    if channels is None:
        raise user_error(
            f"{op}: channels in groups of equally many",
            got=f"{dim_text(x.shape[0])} channels in {attrs['groups']} groups",
        )
    rows = product((channels, *attrs["size"]))
    return rows, (*positions(x.shape[:-1], attrs, op), x.shape[-1])


def shown_windows(x: Node, attrs: Mapping[str, Any]) -> tuple[Node, list[str]]:
    """Return the windows of an array [channels, …, samples], and a label for each of their axes."""
    axes = range(1, x.ndim - 1)
    turned = OPS["transpose"](x, (0, x.ndim - 1, *axes))
    split, labels = _in_groups(turned, attrs, ["channel", "sample"])
    windows = OPS["windows"].make([split], **{k: attrs[k] for k in ("size", "stride", "dilation")})
    return windows, [*labels, *[f"at {a}" for a in axes], *[f"in {a}" for a in axes]]


def shown_response(d: Node, attrs: Mapping[str, Any]) -> tuple[Node, list[str]]:
    """Return a response [filters, …, samples] with its groups, and a label for each axis."""
    return _in_groups(d, attrs, ["filter", *[f"at {a}" for a in range(1, d.ndim - 1)], "sample"])


def shown_filters(filters: Node, attrs: Mapping[str, Any]) -> tuple[Node, list[str]]:
    """Return filters with an axis for the channels and each of the places, and the labels."""
    size = attrs["size"]
    channels = divide_exactly(filters.shape[1], product(size))
    assert channels is not None
    cube = OPS["reshape"](filters, (filters.shape[0], channels, *size))
    return _in_groups(
        cube, attrs, ["filter", "channel", *[f"in {a + 1}" for a in range(len(size))]]
    )


def _in_groups(x: Node, attrs: Mapping[str, Any], labels: list[str]) -> tuple[Node, list[str]]:
    """Return an array with the groups of its first axis as an axis of their own, if there are."""
    groups = attrs["groups"]
    if groups == 1:
        return x, labels
    each = divide_exactly(x.shape[0], groups)
    assert each is not None
    return OPS["reshape"](x, (groups, each, *x.shape[1:])), ["group", *labels]


def columns_of(x: np.ndarray, attrs: Mapping[str, Any]) -> np.ndarray:
    """Return all columns of an array [channels, …, samples]."""
    turned, rank = np.moveaxis(x, -1, 1), len(attrs["size"])
    at = positions(turned.shape, attrs, "convolution")
    windows = laid_out(turned, attrs, (*turned.shape[:2], *map(int, at)))
    places = windows.transpose(0, *range(rank + 2, 2 * rank + 2), *range(2, rank + 2), 1)
    return places.reshape(len(x) * int(np.prod(attrs["size"])), -1)
