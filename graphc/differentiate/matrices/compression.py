"""How few passes give a whole Jacobian, and where is each of its entries then found?

One pass varies many elements at once, as long as no element of the other side can tell them
apart from the wrong ones: elements that share a pass have a color. Along an axis with a band of
width w, every w-th place may share one, whatever the size of the axis; where that is not enough,
and all dims are known, the sparsity pattern is colored (`coloring`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from graphc.differentiate.matrices.coloring import color_columns
from graphc.differentiate.matrices.sparsity import Pattern, pattern_of_spans, sparsity
from graphc.differentiate.matrices.structure import smaller, spans_of
from graphc.errors import GraphError
from graphc.ir.access import Access, Span, identity
from graphc.ir.dims import (
    Dim,
    Shape,
    dim_text,
    evaluate,
    evaluate_shape,
    linear_parts,
    product,
    same,
    same_shape,
    shape_text,
    symbols_of,
)
from graphc.ir.node import Node

FORWARD_MODE, REVERSE_MODE = "forward", "reverse"

AnyCompression = TypeVar("AnyCompression", bound="Compression")

#: Seeds of more passes than this are not worth a search for fewer in the elements' pattern.
_FEW = 2


@dataclass(frozen=True, eq=False)
class Compression(ABC):
    """How a Jacobian of `of` by `wrt` is computed in few passes of one mode.

    `kind` says what it looks like: diagonal, banded, block diagonal, banded in blocks, sparse,
    dense, gradient (of a scalar), or zero.
    """

    of_shape: Shape
    wrt_shape: Shape
    mode: str
    kind: str
    passes: Dim

    @property
    def seeded(self) -> Shape:
        """The shape of what a pass starts from."""
        return self.wrt_shape if self.mode == FORWARD_MODE else self.of_shape

    @property
    def result(self) -> Shape:
        """The shape of what a pass gives."""
        return self.of_shape if self.mode == FORWARD_MODE else self.wrt_shape

    @property
    def compact_shape(self) -> Shape:
        """The shape of the passes' results: [passes, …]; one pass has no axis of its own."""
        return self.result if same(self.passes, 1) else (self.passes, *self.result)

    @abstractmethod
    def pattern(self, **sizes: int) -> Pattern:
        """Return the places (element of `of`, element of `wrt`) that may be other than 0."""

    @abstractmethod
    def colors(self, **sizes: int) -> np.ndarray:
        """Return the pass in which each seeded element takes part."""

    def triplets(
        self, compact: np.ndarray, **sizes: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the entries (row, column, value) of the matrix d of / d wrt, both sides flat.

        The arrays are what `scipy.sparse.coo_array((value, (row, column)))` takes. `sizes` are the
        named dims, where the compact array does not show them.
        """
        sizes = self._sizes(np.shape(compact), sizes)
        places, colors = self.pattern(**sizes), self.colors(**sizes)
        width = math.prod(evaluate_shape(self.result, sizes))
        passes = np.reshape(compact, (evaluate(self.passes, sizes), width))
        if self.mode == FORWARD_MODE:
            values = passes[colors[places.columns], places.rows]
        else:
            values = passes[colors[places.rows], places.columns]
        return places.rows, places.columns, values

    def dense(self, compact: np.ndarray, **sizes: int) -> np.ndarray:
        """Return the full Jacobian, in denominator layout: wrt.shape + of.shape."""
        rows, columns, values = self.triplets(compact, **sizes)
        sizes = self._sizes(np.shape(compact), sizes)
        of, wrt = evaluate_shape(self.of_shape, sizes), evaluate_shape(self.wrt_shape, sizes)
        full = np.zeros((math.prod(wrt), math.prod(of)), np.asarray(compact).dtype)
        full[columns, rows] = values
        return full.reshape(wrt + of)

    def _sizes(self, shape: tuple[int, ...], given: dict[str, int]) -> dict[str, int]:
        """Return the sizes of named dims: those given, and those that an array's shape shows."""
        sizes = dict(given)
        if len(shape) == len(self.compact_shape):
            for dim, size in zip(self.compact_shape, shape, strict=True):
                names = symbols_of([dim])
                parts = linear_parts(dim, names[0]) if len(names) == 1 else None
                if parts is not None:  # N + 2 = 5
                    sizes.setdefault(names[0], int((size - parts[1]) // parts[0]))
        missing = [s for s in symbols_of([*self.of_shape, *self.wrt_shape]) if s not in sizes]
        if missing:
            raise GraphError(
                f"the size of {missing[0]} is not known from the compact Jacobian",
                got=str(list(shape)),
                expected=shape_text(self.compact_shape),
                fix=f"give it: .dense(array, {missing[0]}=...)",
            )
        return sizes

    def __str__(self) -> str:
        passes = dim_text(self.passes)
        word = "pass" if passes == "1" else "passes"
        return f"{self.kind}: {passes} {self.mode} {word}"


@dataclass(frozen=True, eq=False)
class AxisCompression(Compression):
    """Passes that share places axis by axis: place i takes part in pass i mod classes."""

    spans: Access
    classes: tuple[Dim, ...]

    @cached_property
    def separating(self) -> tuple[int, ...]:
        """The axes of `wrt` along which an entry must lie in its span, not to be another's."""
        shared = [a for a, dim in enumerate(self.seeded) if not same(self.classes[a], dim)]
        if self.mode == FORWARD_MODE:
            return tuple(shared)
        found = [separating_axis(self.spans, a) for a in shared]
        return tuple(dict.fromkeys([b for b in found if b is not None]))

    def pattern(self, **sizes: int) -> Pattern:
        spans = [_at(span, sizes) for span in self.spans]
        of, wrt = evaluate_shape(self.of_shape, sizes), evaluate_shape(self.wrt_shape, sizes)
        return pattern_of_spans(spans, of, wrt, most=1 << 40)

    def colors(self, **sizes: int) -> np.ndarray:
        classes = evaluate_shape(self.classes, sizes)
        shape = evaluate_shape(self.seeded, sizes)
        colors = np.zeros(shape, np.int64)
        for places, count in zip(np.indices(shape), classes, strict=True):
            colors = colors * count + places % max(count, 1)
        return colors.ravel()


@dataclass(frozen=True, eq=False)
class ColorCompression(Compression):
    """Passes found by coloring the pattern of elements."""

    places: Pattern
    coloring: np.ndarray

    def pattern(self, **sizes: int) -> Pattern:
        return self.places

    def colors(self, **sizes: int) -> np.ndarray:
        return self.coloring


def compression_of(of: Node, wrt: Node, mode: str | None = None) -> Compression:
    """Return the cheapest way to compute d of / d wrt; `mode` fixes forward or reverse."""
    return _fewest(compressions_of(of, wrt, modes_of(mode)))


def compressions_of(of: Node, wrt: Node, modes: Sequence[str]) -> list[Compression]:
    """Return the cheapest way by each mode.

    Along the axes first, which holds for any size. The elements' pattern is searched only where
    the axes leave more than two passes and all dims are numbers.
    """
    spans = spans_of(of, wrt)
    if spans is None:
        return [zero_compression(of, wrt, mode) for mode in modes]
    by_axes = [_by_axes(of, wrt, spans, mode) for mode in modes]
    counts = [c.passes for c in by_axes if isinstance(c.passes, int)]
    if min(counts, default=0) <= _FEW:
        return list(by_axes)
    places = sparsity(of, wrt)
    if places is None:
        return list(by_axes)
    return [_fewest([plain, *_by_colors(of, wrt, places, plain)]) for plain in by_axes]


def axis_compression_of(of: Node, wrt: Node, mode: str | None) -> AxisCompression | None:
    """Return the cheapest way that holds for any size; None where no derivative flows."""
    spans = spans_of(of, wrt)
    if spans is None:
        return None
    return _fewest([_by_axes(of, wrt, spans, m) for m in modes_of(mode)])


def zero_compression(of: Node, wrt: Node, mode: str) -> Compression:
    """Return the passes of a Jacobian that is 0: none at all."""
    shape = (_count(of), _count(wrt))
    places = Pattern(np.arange(0), np.arange(0), shape)
    return ColorCompression(of.shape, wrt.shape, mode, "zero", 0, places, np.arange(0))


def _count(node: Node) -> int:
    return node.size if isinstance(node.size, int) else 0


def modes_of(mode: str | None) -> tuple[str, ...]:
    """Return the modes to choose from: both where None is given."""
    if mode is None:
        return (FORWARD_MODE, REVERSE_MODE)
    if mode not in (FORWARD_MODE, REVERSE_MODE):
        raise GraphError("unknown mode", got=repr(mode), expected="forward, reverse or None")
    return (mode,)


def _fewest(choices: Sequence[AnyCompression]) -> AnyCompression:
    """Return the choice of fewest passes; of equal ones the first, and numbers before names."""
    best = choices[0]
    for other in choices[1:]:
        lower = smaller(best.passes, other.passes)
        if lower is None:
            is_better = isinstance(other.passes, int) and not isinstance(best.passes, int)
        else:
            is_better = not same(lower, best.passes)
        if is_better:
            best = other
    return best


# -- along the axes --------------------------------------------------------------------------


def _by_axes(of: Node, wrt: Node, spans: Access, mode: str) -> AxisCompression:
    if mode == FORWARD_MODE:
        classes = [_at_most(s.width, d) for s, d in zip(spans, wrt.shape, strict=True)]
    else:
        classes = [_row_classes(spans, axis, dim) for axis, dim in enumerate(of.shape)]
    return AxisCompression(
        of_shape=of.shape,
        wrt_shape=wrt.shape,
        mode=mode,
        kind=_kind(spans, of.shape, wrt.shape),
        passes=product(classes),
        spans=spans,
        classes=tuple(classes),
    )


def _at_most(count: Dim, dim: Dim) -> Dim:
    """Return the smaller of two numbers of classes; as many as places are always enough.

    A count that may be 0, as that of the places of x[1:], leaves none to be in: then all places.
    """
    if not isinstance(count, int) and not count.is_positive:
        return dim
    lower = smaller(count, dim)
    if lower is not None:
        return lower
    return count if isinstance(count, int) else dim


def separating_axis(spans: Access, axis: int) -> int | None:
    """Return the axis of `wrt` along which elements far apart on `axis` depend on other places."""
    for b, span in enumerate(spans):
        if len(span.steps) == 1 and span.steps[0][0] == axis:
            return b
    return None


def _row_classes(spans: Access, axis: int, dim: Dim) -> Dim:
    b = separating_axis(spans, axis)
    if b is None:
        return dim
    step, width = spans[b].steps[0][1], spans[b].width
    if not isinstance(step, int):
        return dim
    return _at_most(-(-width // abs(step)) if isinstance(width, int) else width, dim)


def _kind(spans: Access, of: Shape, wrt: Shape) -> str:
    if not of:
        return "gradient"
    if spans == _diagonal(wrt) and same_shape(of, wrt):
        return "diagonal"
    long = [s for s, d in zip(spans, wrt, strict=True) if not same(d, 1)]
    moving = [span for span in long if span.steps]
    if not moving:
        return "dense"
    if all(same(span.width, 1) for span in moving):
        return "sparse" if len(moving) == len(long) else "block diagonal"
    return "banded" if len(moving) == len(long) else "banded in blocks"


def _diagonal(shape: Shape) -> Access:
    return tuple(
        [Span(0, 0) if same(d, 1) else s for s, d in zip(identity(len(shape)), shape, strict=True)]
    )


def _at(span: Span, sizes: dict[str, int]) -> Span:
    steps = tuple([(axis, evaluate(step, sizes)) for axis, step in span.steps])
    return Span(evaluate(span.low, sizes), evaluate(span.high, sizes), steps)


# -- element by element ----------------------------------------------------------------------


def _by_colors(of: Node, wrt: Node, places: Pattern, plain: Compression) -> list[ColorCompression]:
    """Return the passes found by coloring, if there may be fewer than those along the axes."""
    mode = plain.mode
    sides = places if mode == FORWARD_MODE else places.transposed
    fewest = int(np.bincount(sides.rows).max(initial=0))
    if isinstance(plain.passes, int) and fewest >= plain.passes:
        return []  # a row with so many entries needs as many passes
    colors = color_columns(sides.rows, sides.columns, sides.shape[1])
    passes = int(colors.max(initial=0)) + 1
    is_full = places.size == places.shape[0] * places.shape[1]
    kind = "dense" if is_full else "sparse"
    return [ColorCompression(of.shape, wrt.shape, mode, kind, passes, places, colors)]
