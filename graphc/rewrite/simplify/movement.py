"""Simplification of movement: useless and stacked reshapes, transposes, slices, casts."""

from __future__ import annotations

import numpy as np

from graphc.ir.dims import Dim, Shape, as_dim, broadcast_shapes, same, same_shape
from graphc.ir.node import Node
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import fill, full
from graphc.ops.movement.slicing import slice_length
from graphc.ops.reduction.spread import is_at_least, varying_axes
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import Rule
from graphc.rewrite.simplify.gathers import GATHERS

_STACKED = "two steps are one"
_NOTHING = "nothing moves"
#: How many functions of functions a reshape is followed through.
_DEEPEST = 8


def _everywhere(x: Node, shape: Shape) -> Node:
    """Return the one value that a fill or a broadcast has, in each place of another shape."""
    if x.op is full:
        return fill(x.attrs["value"], shape, x.dtype)
    return OPS["broadcast_to"](OPS["reshape"](x.inputs[0], ()), shape)


def _reshape(node: Node, facts: Facts) -> Node | None:
    x = node.inputs[0]
    if x.op.name == "reshape":
        return OPS["reshape"](x.inputs[0], node.shape)
    if varying_axes(x) == ():
        return _everywhere(x, node.shape)
    return x if same_shape(x.shape, node.shape) else None


def _reshape_of_pointwise(node: Node, facts: Facts) -> Node | None:
    """reshape(f(reshape(a), reshape(b)), s) → f(a, b) where a and b have the shape s."""
    return _restored(node.inputs[0], node, facts, _DEEPEST)


def _restored(x: Node, node: Node, facts: Facts, depth: int) -> Node | None:
    """Return elements in the shape that a reshape gives them, where they had it before."""
    if not depth or not isinstance(x.op, Pointwise) or facts.is_shared(x):
        return None
    operands = []
    for operand in x.inputs:
        if operand.op is full:
            before: Node | None = fill(operand.attrs["value"], node.shape, operand.dtype)
        elif operand.op is OPS["reshape"]:
            before = operand.inputs[0]
        else:
            before = _restored(operand, node, facts, depth - 1)
        if before is None or not same_shape(before.shape, node.shape):
            return None
        operands.append(before)
    return x.op.make(operands, **x.attrs)


def _transpose(node: Node, facts: Facts) -> Node | None:
    x, axes = node.inputs[0], node.attrs["axes"]
    if x.op.name == "transpose":
        return OPS["transpose"](x.inputs[0], [x.attrs["axes"][a] for a in axes])
    if varying_axes(x) == ():
        return _everywhere(x, node.shape)
    return x if axes == tuple(range(node.ndim)) else None


def _broadcast(node: Node, facts: Facts) -> Node | None:
    x = node.inputs[0]
    if x.op is full:
        return fill(x.attrs["value"], node.shape, node.dtype)
    if x.op.name == "broadcast_to":
        return OPS["broadcast_to"](x.inputs[0], node.shape)
    if x.op.name == "reshape" and _only_adds_leading_axes(x):
        return OPS["broadcast_to"](x.inputs[0], node.shape)
    return x if same_shape(x.shape, node.shape) else None


def _only_adds_leading_axes(node: Node) -> bool:
    source = node.inputs[0].shape
    lead = node.ndim - len(source)
    if lead < 0 or not same_shape(source, node.shape[lead:]):
        return False
    return all(type(dim) is int and dim == 1 for dim in node.shape[:lead])


def _cast(node: Node, facts: Facts) -> Node | None:
    x = node.inputs[0]
    if x.dtype == node.dtype:
        return x
    if x.op is full and isinstance(x.attrs["value"], (bool, int, float)):
        return _cast_number(x, node)
    if x.op.name == "where" and all(branch.op is full for branch in x.inputs[1:]):
        branches = [OPS["cast"].make([branch], dtype=node.dtype) for branch in x.inputs[1:]]
        return x.op.make([x.inputs[0], *branches])
    if x.op.name == "cast" and _holds_all(x.dtype, x.inputs[0].dtype):
        return OPS["cast"](x.inputs[0], node.dtype)
    return None


def _holds_all(wider: np.dtype, dtype: np.dtype) -> bool:
    """Say whether a conversion loses nothing; a float64 has not all digits of an int64."""
    has_digits = not (dtype.kind == "i" and dtype.itemsize >= wider.itemsize)
    return has_digits and np.can_cast(dtype, wider, "safe")


def _cast_number(x: Node, node: Node) -> Node | None:
    """Return the converted constant, unless the conversion overflows or is undefined."""
    with np.errstate(all="raise"):
        try:
            value = np.asarray(x.attrs["value"], x.dtype).astype(node.dtype).item()
        except FloatingPointError:
            return None
    return fill(value, node.shape, node.dtype)


def _sink_broadcast(node: Node, facts: Facts) -> Node | None:
    """op(broadcast(a), broadcast(b)) → broadcast(op(a, b)) where a and b are smaller."""
    if any(x.op is not full and x.op.name != "broadcast_to" for x in node.inputs):
        return None
    sources = [x if x.op is full else x.inputs[0] for x in node.inputs]
    shapes = [s.shape for s in sources if s.op is not full]
    common = broadcast_shapes(*shapes)
    if common is None or same_shape(common, node.shape):
        return None
    operands = [
        fill(s.attrs["value"], common, s.dtype) if s.op is full else OPS["broadcast_to"](s, common)
        for s in sources
    ]
    return OPS["broadcast_to"](node.op.make(operands, **node.attrs), node.shape)


def _slice(node: Node, facts: Facts) -> Node | None:
    x, bounds = node.inputs[0], node.attrs["bounds"]
    if x.op is full:
        return fill(x.attrs["value"], node.shape, node.dtype)
    if _is_whole(x, bounds):
        return x
    handler = _SLICES.get(x.op.name)
    return handler(x, bounds, facts) if handler else None


Bounds = tuple[tuple[Dim, Dim, int], ...]


def _is_whole(x: Node, bounds: Bounds) -> bool:
    pairs = zip(bounds, x.shape, strict=True)
    return all(b[0] == 0 and b[2] == 1 and same(b[1], dim) for b, dim in pairs)


def _sliced(x: Node, bounds: Bounds) -> Node:
    """Return a slice, or what it is one of where it leaves nothing out."""
    return x if _is_whole(x, bounds) else OPS["slice"].make([x], bounds=bounds)


def _slice_of_slice(x: Node, bounds: Bounds, facts: Facts) -> Node | None:
    merged = []
    for (start, stop, step), (at, _, by) in zip(bounds, x.attrs["bounds"], strict=True):
        length = slice_length((start, stop, step))
        if type(length) is int and length == 0:
            return None
        first = as_dim(at + start * by)
        last = as_dim(at + (start + (length - 1) * step) * by) if type(length) is int else None
        if last is None:
            if step != 1 or by != 1:
                return None
            merged.append((first, as_dim(at + stop), 1))
        else:
            end = last + 1 if step * by > 0 else last - 1
            merged.append((first, end, step * by))
    return OPS["slice"].make([x.inputs[0]], bounds=tuple(merged))


def _slice_of_concat(x: Node, bounds: Bounds, facts: Facts) -> Node | None:
    """A slice that reads one part only is a slice of that part."""
    axis = x.attrs["axis"]
    start, stop, step = bounds[axis]
    if step != 1 or not all(map(facts.cannot_fail, x.inputs)):
        return None
    before: Dim = 0
    for part in x.inputs:
        after = as_dim(before + part.shape[axis])
        if is_at_least(start, before) and is_at_least(after, stop):
            inner = list(bounds)
            inner[axis] = (as_dim(start - before), as_dim(stop - before), 1)
            return _sliced(part, tuple(inner))
        before = after
    return None


def _slice_of_broadcast(x: Node, bounds: Bounds, facts: Facts) -> Node | None:
    source = x.inputs[0]
    lead = x.ndim - source.ndim
    inner = []
    for dim, bound, wide in zip(source.shape, bounds[lead:], x.shape[lead:], strict=True):
        if same(dim, wide):
            inner.append(bound)
        else:
            inner.append((0, 1, 1))
    shape = tuple([slice_length(b) for b in bounds])
    return OPS["broadcast_to"](_sliced(source, tuple(inner)), shape)


def _slice_of_write(x: Node, bounds: Bounds, facts: Facts) -> Node | None:
    """Reading what was just written gives the sum; reading elsewhere skips the write."""
    base, values = x.inputs
    written = x.attrs["bounds"]
    if written == bounds:
        read = OPS["slice"].make([base], bounds=bounds)
        return OPS["add"](read, values)
    pairs = zip(bounds, written, strict=True)
    if facts.cannot_fail(values) and any(
        a[2] > 0 and b[2] > 0 and (is_at_least(a[0], b[1]) or is_at_least(b[0], a[1]))
        for a, b in pairs
    ):
        return OPS["slice"].make([base], bounds=bounds)
    return None


def _slice_of_pad(x: Node, bounds: Bounds, facts: Facts) -> Node | None:
    """A slice that leaves the edges out does not see the padding."""
    inner = []
    pairs = zip(bounds, x.attrs["widths"], x.inputs[0].shape, strict=True)
    for (start, stop, step), (width, _), dim in pairs:
        if step < 1 or not (is_at_least(start, width) and is_at_least(width + dim, stop)):
            return None
        inner.append((as_dim(start - width), as_dim(stop - width), step))
    return _sliced(x.inputs[0], tuple(inner))


_SLICES = {
    "slice": _slice_of_slice,
    "concat": _slice_of_concat,
    "broadcast_to": _slice_of_broadcast,
    "slice_add": _slice_of_write,
    "pad": _slice_of_pad,
}


def _concat(node: Node, facts: Facts) -> Node | None:
    axis, parts = node.attrs["axis"], list(node.inputs)
    if len(parts) == 1:
        return parts[0]
    if any(_is_nested(part, axis) for part in parts):
        flat = [p for part in parts for p in (part.inputs if _is_nested(part, axis) else (part,))]
        return node.op.make(flat, axis=axis)
    joined = _joined(parts, axis, facts)
    if len(joined) == len(parts):
        return None
    return joined[0] if len(joined) == 1 else node.op.make(joined, axis=axis)


def _is_nested(part: Node, axis: int) -> bool:
    return part.op.name == "concat" and bool(part.attrs["axis"] == axis)


def _joined(parts: list[Node], axis: int, facts: Facts) -> list[Node]:
    """Return the parts with neighbouring slices of one array made one slice."""
    result = parts[:1]
    for part in parts[1:]:
        merged = _merged(result[-1], part, axis, facts)
        if merged is None:
            result.append(part)
        else:
            result[-1] = merged
    return result


def _merged(left: Node, right: Node, axis: int, facts: Facts) -> Node | None:
    if left.op.name != "slice" or right.op.name != "slice":
        return None
    if not facts.same(left.inputs[0], right.inputs[0]):
        return None
    a, b = left.attrs["bounds"], right.attrs["bounds"]
    others = all(x == y for i, (x, y) in enumerate(zip(a, b, strict=True)) if i != axis)
    if not others or a[axis][2] != 1 or b[axis][2] != 1 or not same(a[axis][1], b[axis][0]):
        return None
    bounds = (*a[:axis], (a[axis][0], b[axis][1], 1), *a[axis + 1 :])
    return _sliced(left.inputs[0], bounds)


def _pad(node: Node, facts: Facts) -> Node | None:
    x, value = node.inputs[0], node.attrs["value"]
    if x.op is full and bool(x.attrs["value"] == value):
        return fill(value, node.shape, node.dtype)
    if x.op.name != "pad" or x.attrs["value"] != value:
        return None
    pairs = zip(node.attrs["widths"], x.attrs["widths"], strict=True)
    widths = tuple([(as_dim(a + c), as_dim(b + d)) for (a, b), (c, d) in pairs])
    return node.op.make(x.inputs, widths=widths, value=value)


_X = "x: input(f64, 3, 4)\n"


MOVEMENT = (
    Rule(
        "reshape_of_reshape",
        "reshape(reshape(x, s), t)",
        "reshape(x, t)",
        _STACKED,
        apply=_reshape,
        roots=("reshape",),
        operands=("reshape", "full", "broadcast_to"),
        example=_X + "y = reshape(reshape(x, (2, 6)), (4, 3))",
    ),
    Rule(
        "reshape_of_pointwise",
        "reshape(f(reshape(a, t), reshape(b, t)), s)",
        "f(a, b)",
        "what had the shape before needs none",
        apply=_reshape_of_pointwise,
        roots=("reshape",),
        operands=("add", "subtract", "multiply", "divide", "negative"),
        example="a: input(f64, 3, 1)\nb: input(f64, 3, 1)\n"
        "y = reshape(reshape(a, (3,))*sin(reshape(b, (3,))), (3, 1))",
    ),
    Rule(
        "transpose_of_transpose",
        "transpose(transpose(x, a), b)",
        "transpose(x, a∘b)",
        _STACKED,
        apply=_transpose,
        roots=("transpose",),
        operands=("transpose", "full", "broadcast_to"),
        example="x: input(f64, 2, 3, 4)\ny = transpose(transpose(x, (1, 0, 2)), (2, 1, 0))",
    ),
    Rule(
        "broadcast_of_broadcast",
        "broadcast_to(broadcast_to(x, s), t)",
        "broadcast_to(x, t)",
        _STACKED,
        apply=_broadcast,
        roots=("broadcast_to",),
        operands=("broadcast_to", "reshape", "full"),
        example="x: input(f64, 4)\ny = broadcast_to(broadcast_to(x, (3, 4)), (2, 3, 4))",
    ),
    Rule(
        "cast_of_cast",
        "cast(cast(x, wider), t)",
        "cast(x, t)",
        "a conversion that loses nothing need not happen",
        apply=_cast,
        roots=("cast",),
        operands=("cast", "full", "where"),
        example="x: input(f32, 4)\ny = cast(cast(x, 'float64'), 'float32')",
    ),
    Rule(
        "pointwise_before_broadcast",
        "f(broadcast_to(a, s), broadcast_to(b, s))",
        "broadcast_to(f(a, b), s)",
        "the same numbers are computed once, not once a copy",
        apply=_sink_broadcast,
        family="pointwise",
        operands=("broadcast_to", "full"),
        all_operands=True,
        example="x: input(f64, 4)\ny = exp(broadcast_to(x, (3, 4)))",
    ),
    Rule(
        "slice_of_moved",
        "move(x)[a:b]",
        "x[c:d], moved less",
        "a slice reads only what it needs",
        apply=_slice,
        roots=("slice",),
        operands=("slice", "concat", "broadcast_to", "slice_add", "pad", "full"),
        example="x: input(f64, 8)\ny = x[1:7][1:3]",
    ),
    Rule(
        "concat_joined",
        "concat(x[a:b], x[b:c])",
        "x[a:c]",
        "neighbouring parts of one array are one part, nested joins one join",
        apply=_concat,
        roots=("concat",),
        operands=("slice", "concat"),
        example="x: input(f64, 8)\ny = concat(x[1:3], x[3:6])",
    ),
    Rule(
        "pad_of_pad",
        "pad(pad(x, a), b)",
        "pad(x, a + b)",
        _STACKED,
        apply=_pad,
        roots=("pad",),
        operands=("pad", "full"),
        example="x: input(f64, 4)\ny = pad(pad(x, 1), ((0, 2),))",
    ),
    *GATHERS,
)
