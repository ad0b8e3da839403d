"""Which entries of a Jacobian can be other than zero? Element by element, for dims that are known.

Finer than `structure`: it follows gathers by constant indices, products with constant matrices,
pieces that are joined. The pattern of each op comes from what it does to labelled elements, or
from what it says it reads; patterns are then multiplied along the graph as sparse matrices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from graphc.differentiate.matrices.structure import flowing
from graphc.ir.access import Span, reads
from graphc.ir.node import Node
from graphc.ir.types import FLOAT64, TupleType
from graphc.ir.walk import topological
from graphc.ops.contraction.einsum import Einsum
from graphc.ops.contraction.spec import label_sizes, split_spec
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import OPS

#: A pattern with more entries than this is given up: it would not be cheap to know.
MOST_ENTRIES = 1 << 20


#: The values of nodes that no input, parameter or draw has a part in.
Constants: TypeAlias = "dict[Node, np.ndarray]"


@dataclass(frozen=True, eq=False)
class Pattern:
    """The places (row, column) of a matrix that may hold something, sorted, each once."""

    rows: np.ndarray
    columns: np.ndarray
    shape: tuple[int, int]

    @property
    def size(self) -> int:
        return int(self.rows.size)

    @property
    def transposed(self) -> Pattern:
        return pattern(self.columns, self.rows, self.shape[::-1])


class TooDenseError(Exception):
    """A pattern has too many entries to be worth knowing."""


def pattern(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> Pattern:
    """Return the pattern of these places, which may repeat."""
    keys = np.unique(rows.astype(np.int64) * max(shape[1], 1) + columns)
    return Pattern(keys // max(shape[1], 1), keys % max(shape[1], 1), shape)


def sparsity(of: Node, wrt: Node) -> Pattern | None:
    """Return which elements of `of` depend on which of `wrt`, both flattened in row-major order.

    None where a dim on the way is named, where a loop is, or where the pattern is too dense to be
    worth knowing.
    """
    try:
        with np.errstate(all="ignore"):
            return _followed(topological([of]), of, wrt)
    except TooDenseError:
        return None


def _followed(order: Sequence[Node], of: Node, wrt: Node) -> Pattern | None:
    width = _size(wrt)
    if width is None or width > MOST_ENTRIES:
        return None
    found = {wrt: Pattern(np.arange(width), np.arange(width), (width, width))}
    constants: Constants = {}
    for node in order:
        if node is wrt:
            continue
        _evaluate_constant(node, constants)
        sources = [(i, x) for i, x in flowing(node) if x in found]
        if not sources:
            continue
        height = _size(node)
        if height is None or isinstance(node.type, TupleType):
            return None
        if isinstance(node.op, Pointwise):
            parts = list(dict.fromkeys(found[x] for _, x in sources))
        else:
            parts = [_product(_local(node, i, constants), found[x]) for i, x in sources]
        found[node] = parts[0] if len(parts) == 1 else _union(parts, (height, width))
    return found.get(of, Pattern(np.arange(0), np.arange(0), (_size(of) or 0, width)))


def _size(node: Node) -> int | None:
    return node.size if isinstance(node.size, int) else None


def _shape(node: Node) -> tuple[int, ...]:
    return tuple([int(dim) for dim in node.shape])


def _evaluate_constant(node: Node, constants: Constants) -> None:
    """Evaluate a node that no input, parameter or draw has a part in."""
    if node.op.is_leaf or node.op.is_random or not isinstance(node.size, int):
        return
    if node.size > MOST_ENTRIES or any(x not in constants for x in node.inputs):
        return
    try:
        operands = [constants[x] for x in node.inputs]
        constants[node] = np.asarray(node.op.reference(operands, node.attrs, node.type))
    except (IndexError, TypeError):
        return  # an index out of range is an error when it runs; a named dim has no value here


def _union(parts: Sequence[Pattern], shape: tuple[int, int]) -> Pattern:
    if sum(p.size for p in parts) > MOST_ENTRIES:
        raise TooDenseError
    rows = np.concatenate([p.rows for p in parts])
    return pattern(rows, np.concatenate([p.columns for p in parts]), shape)


def _product(left: Pattern, right: Pattern) -> Pattern:
    """Return the pattern of the product of two sparse matrices."""
    starts = np.searchsorted(right.rows, np.arange(right.shape[0] + 1))
    counts = np.diff(starts)[left.columns]
    total = int(counts.sum())
    if total > MOST_ENTRIES:
        raise TooDenseError
    rows = np.repeat(left.rows, counts)
    within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = right.columns[np.repeat(starts[left.columns], counts) + within]
    return pattern(rows, columns, (left.shape[0], right.shape[1]))


# -- one op ----------------------------------------------------------------------------------


def _local(node: Node, index: int, constants: Constants) -> Pattern:
    """Return which elements of one operand each element of a node reads."""
    shape = (int(node.size), int(node.inputs[index].size))
    if 0 in shape:
        return Pattern(np.arange(0), np.arange(0), shape)
    cotangent = OPS["input"]("cotangent", node.shape, node.dtype)
    back = node.op.transpose(node, cotangent, index)
    if back is not None:  # linear in this operand: it may only move elements, there or back
        if back is cotangent:
            return Pattern(np.arange(shape[0]), np.arange(shape[0]), shape)
        source = _selected(node, node.inputs[index], constants)
        if source is not None:
            rows = np.flatnonzero(source >= 0)
            return Pattern(rows, source[rows], shape)
        target = _selected(back, cotangent, constants)
        if target is not None:
            columns = np.flatnonzero(target >= 0)
            return pattern(target[columns], columns, shape)
    if isinstance(node.op, Einsum):
        return _contracted(node, index, constants)
    return pattern_of_spans(reads(node, index), _shape(node), _shape(node.inputs[index]))


def _selected(node: Node, operand: Node, constants: Constants) -> np.ndarray | None:
    """Return where each element was taken from, -1 for nowhere; None where it was computed.

    An op that only moves elements is recognized by what it does to two sets of labels.
    """
    if sum(x is operand for x in node.inputs) != 1:
        return None
    found = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        # Whole numbers with uneven gaps: no sum or product of some is another one.
        labels = 2.0**40 + np.cumsum(rng.integers(1, 1000, int(operand.size)))
        labels = rng.permutation(labels)
        moved = _moved_labels(node, operand, labels, constants)
        if moved is None:
            return None
        found.append(_places_of(moved, labels))
    (places, others), (same_places, same_others) = found
    is_selection = np.array_equal(places, same_places) and np.array_equal(others, same_others)
    return places if is_selection else None


def _moved_labels(
    node: Node, operand: Node, labels: np.ndarray, constants: Constants
) -> np.ndarray | None:
    """Return what a node makes of labels in one operand's place, and of noise in other floats'."""
    arrays = []
    for x in node.inputs:
        if x is operand:
            arrays.append(labels.reshape(_shape(x)))
        elif x.dtype.kind == "f":
            arrays.append(np.random.default_rng(2).uniform(0.1, 0.9, _shape(x)))
        elif x in constants:
            arrays.append(constants[x])
        else:
            return None
    try:
        result = node.op.reference(arrays, node.attrs, node.type.with_dtype(FLOAT64))
    except (IndexError, TypeError):
        return None  # an index out of range, or a named dim among the attributes
    return np.asarray(result, np.float64).ravel()


def _places_of(moved: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of each label among `labels`, -1 for other values, and those values."""
    order = np.argsort(labels)
    at = order[np.minimum(np.searchsorted(labels[order], moved), labels.size - 1)]
    is_label = labels[at] == moved
    return np.where(is_label, at, -1), np.where(is_label, 0.0, moved)


def _contracted(node: Node, index: int, constants: Constants) -> Pattern:
    """Return what a contraction reads; zeros of one constant factor leave their operands unread."""
    terms, out = split_spec(node.attrs["spec"])
    sizes = {k: int(v) for k, v in label_sizes(terms, [x.type for x in node.inputs]).items()}
    places: dict[str, np.ndarray] = {}
    count = 1
    for i, x in enumerate(node.inputs):
        if i != index and x in constants and len(set(terms[i])) == len(terms[i]) and not places:
            places = dict(zip(terms[i], np.nonzero(constants[x]), strict=True))
            count = int(np.count_nonzero(constants[x]))
    for label in dict.fromkeys([*out, *terms[index]]):
        if label in places:
            continue
        size = sizes[label]
        if count * size > MOST_ENTRIES:
            raise TooDenseError
        places = {other: np.repeat(at, size) for other, at in places.items()}
        places[label] = np.tile(np.arange(size), count)
        count *= size
    shape = (int(node.size), int(node.inputs[index].size))
    flat = [
        sum(
            (places[label] * stride for label, stride in _strides(term, sizes)),
            np.zeros(count, np.int64),
        )
        for term in (out, terms[index])
    ]
    return pattern(flat[0], flat[1], shape)


def _strides(term: str, sizes: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the row-major stride of each axis of a term."""
    strides, stride = [], 1
    for label in reversed(term):
        strides.append((label, stride))
        stride *= sizes[label]
    return strides


def pattern_of_spans(
    access: Sequence[Span],
    result: Sequence[int],
    source: Sequence[int],
    most: int = MOST_ENTRIES,
) -> Pattern:
    """Return the pattern of a result whose elements read these spans of a source.

    **Raises.** TooDenseError where it would have more than `most` entries.
    """
    count = math.prod(result)
    indices = np.indices(result).reshape(len(result), count)
    rows, columns = np.arange(count), np.zeros(count, np.int64)
    for span, dim in zip(access, source, strict=True):
        width = int(span.width)
        if rows.size * width > most:
            raise TooDenseError
        start = np.full(rows.size, int(span.low))
        for axis, step in span.steps:
            start += int(step) * indices[axis][rows]
        places = (start[:, None] + np.arange(width)).ravel()
        is_inside = (places >= 0) & (places < dim)
        rows = np.repeat(rows, width)[is_inside]
        columns = (np.repeat(columns, width) * dim + places)[is_inside]
    return pattern(rows, columns, (count, math.prod(source)))
