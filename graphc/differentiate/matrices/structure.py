"""Which entries of a Jacobian can be other than zero? Seen axis by axis, for dims of any size.

For each axis of `wrt`, an element of a node depends on one span of places, whose ends move with
the element's indices: `i … i` for an elementwise layer, `i - 1 … i + 1` for a tridiagonal map or a
convolution, the whole axis for a matrix product. Ops say what they read (`ir.access`); here that
is composed along the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc.differentiate.formulas.local import specialized
from graphc.ir.access import Access, Span, identity, reads, whole
from graphc.ir.dims import Dim, Shape, normal
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import is_fill


def spans_of(of: Node, wrt: Node) -> Access | None:
    """Return, for each axis of `wrt`, the places that an element of `of` depends on.

    None where no derivative flows from `of` to `wrt`: nor does any where no place is read.
    """
    shape = wrt.shape
    start = tuple([_normalized(s, shape) for s in identity(wrt.ndim)])
    found: dict[Node, Access] = {wrt: start}
    for node in topological([of]):
        if node is wrt:
            continue
        parts = [_composed(found[x], reads(node, i), shape) for i, x in flowing(node) if x in found]
        if parts:
            found[node] = _united(parts, shape)
    spans = found.get(of)
    return None if spans is None or any(map(_is_empty, spans)) else spans


def _is_empty(span: Span) -> bool:
    return isinstance(span.width, int) and span.width <= 0


def flowing(node: Node) -> Iterator[tuple[int, Node]]:
    """Yield the operands, with their positions, that a derivative other than 0 flows into."""
    for i, x in enumerate(node.inputs):
        if node.op.is_differentiable(node, i) and not is_flat(node, i):
            yield i, x


def is_flat(node: Node, index: int) -> bool:
    """Say whether an op's derivative in one operand is 0 everywhere, as floor's is."""
    if not isinstance(node.op, Pointwise):
        return False
    numbers = [x.attrs["value"] if is_fill(x) else None for x in node.inputs]
    known = [float(v) if isinstance(v, (bool, int, float)) else None for v in numbers]
    return specialized(node.op, index, known).is_zero


def _composed(outer: Access, inner: Access, shape: Shape) -> Access:
    """Return what is depended on through one operand: `inner` places of it, `outer` of those."""
    if inner == identity(len(inner)):
        return outer
    return tuple([_moved(span, inner, dim) for span, dim in zip(outer, shape, strict=True)])


def _moved(span: Span, inner: Access, dim: Dim) -> Span:
    low, high = span.low, span.high
    steps: dict[int, Dim] = {}
    for axis, step in span.steps:
        places = inner[axis]
        ends = _scaled(places, step)
        if ends is None:
            return whole(dim)
        low, high = low + ends[0], high + ends[1]
        for at, factor in places.steps:
            steps[at] = steps.get(at, 0) + step * factor
    kept = [(at, normal(s)) for at, s in sorted(steps.items())]
    return Span(normal(low), normal(high), tuple([(at, s) for at, s in kept if s != 0]))


def _scaled(places: Span, step: Dim) -> tuple[Dim, Dim] | None:
    """Return the ends of step times a span, or None where the sign of the step is not known."""
    sign = sign_of(step)
    if sign is None:
        return None
    ends = (step * places.low, step * places.high)
    return ends if sign >= 0 else (ends[1], ends[0])


def sign_of(dim: Dim) -> int | None:
    """Return 1, 0 or -1, or None where it depends on the sizes of named dims."""
    if isinstance(dim, int):
        return (dim > 0) - (dim < 0)
    if dim.is_nonnegative:
        return 1
    return -1 if dim.is_nonpositive else None


def _united(parts: Sequence[Access], shape: Shape) -> Access:
    """Return what is depended on through several operands together."""
    total = parts[0]
    for part in parts[1:]:
        if part is not total:
            total = tuple([_hull(a, b, d) for a, b, d in zip(total, part, shape, strict=True)])
    return total


def _hull(a: Span, b: Span, dim: Dim) -> Span:
    if a == b:
        return a
    if a.steps != b.steps:
        return whole(dim)
    low, high = smaller(a.low, b.low), smaller(-a.high, -b.high)
    return whole(dim) if low is None or high is None else Span(low, normal(-high), a.steps)


def smaller(a: Dim, b: Dim) -> Dim | None:
    """Return the smaller one, or None where that depends on the sizes of named dims."""
    sign = sign_of(normal(b - a))
    if sign is None:
        return None
    return a if sign >= 0 else b


def _normalized(span: Span, shape: Shape) -> Span:
    is_single = any(isinstance(shape[a], int) and shape[a] == 1 for a, _ in span.steps)
    return Span(0, 0) if is_single else span
