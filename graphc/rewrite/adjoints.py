"""Simplification of gradients: writes into zeros, shares of a size, signs behind a broadcast."""

from __future__ import annotations

from graphc.ir.dims import divide_exactly, same
from graphc.ir.node import Node
from graphc.ops.leaf import fill, full, is_fill
from graphc.ops.registry import OPS
from graphc.rewrite.facts import Facts, is_number
from graphc.rewrite.rule import REASSOCIATES, Rule
from graphc.rewrite.spread import core, varying_axes

_WRITES = ("add_along_axis", "scatter_add", "slice_add")


def _is_write_into_zeros(node: Node, facts: Facts) -> bool:
    return node.op.name in _WRITES and is_fill(node.inputs[0], 0) and not facts.is_shared(node)


def _onto(write: Node, base: Node) -> Node:
    """Return the same write into another base."""
    return write.op.make([base, *write.inputs[1:]], **write.attrs)


def _scaled(write: Node, change: object) -> Node:
    base, values, *places = write.inputs
    return write.op.make([base, change(values), *places], **write.attrs)  # type: ignore[operator]  # a function of nodes


def _add(node: Node, facts: Facts) -> Node | None:
    """a + add_at(0, v, i) → add_at(a, v, i)."""
    for base, write in (node.inputs, node.inputs[::-1]):
        if _is_write_into_zeros(write, facts):
            return _onto(write, base)
    return None


def _subtract(node: Node, facts: Facts) -> Node | None:
    """a − add_at(0, v, i) → add_at(a, −v, i), and the other way round."""
    a, b = node.inputs
    negative = OPS["negative"]
    if _is_write_into_zeros(b, facts):
        return _onto(_scaled(b, negative), a)
    if _is_write_into_zeros(a, facts):
        return _onto(a, negative(b))
    return None


def _negative(node: Node, facts: Facts) -> Node | None:
    write = node.inputs[0]
    return _scaled(write, OPS["negative"]) if _is_write_into_zeros(write, facts) else None


def _times_number(node: Node, facts: Facts) -> Node | None:
    """add_at(0, v, i)·c → add_at(0, v·c, i): only what is written is multiplied."""
    a, b = node.inputs
    pairs = [(a, b)] if node.op.name == "divide" else [(a, b), (b, a)]
    for write, factor in pairs:
        if not _is_write_into_zeros(write, facts) or varying_axes(factor) != ():
            continue
        number = factor if factor.op is full else factor.inputs[0]
        if factor.op is full:
            value = factor.attrs["value"]
            return _scaled(write, lambda v, c=value: node.op(v, c))
        return _scaled(write, lambda v, s=number: node.op(v, OPS["reshape"](s, ())))
    return None


def _nothing_written(node: Node, facts: Facts) -> Node | None:
    """Adding zeros changes nothing; a slice has no index that could be out of range."""
    return node.inputs[0] if is_fill(node.inputs[1], 0) else None


def _everything_written(node: Node, facts: Facts) -> Node | None:
    """A write over a whole array of zeros is the array of values."""
    base, values = node.inputs
    pairs = zip(node.attrs["bounds"], base.shape, strict=True)
    whole = all(b[0] == 0 and b[2] == 1 and same(b[1], dim) for b, dim in pairs)
    return OPS["add"](base, values) if whole else None


def _quotient_of_numbers(node: Node, facts: Facts) -> Node | None:
    """x·(c/n) → x/n with the sign and coefficient c outside, for uniform n such as a dim."""
    for x, factor in (node.inputs, node.inputs[::-1]):
        inner = factor.inputs[0] if factor.op.name == "broadcast_to" else factor
        is_uniform = factor.ndim == 0 or varying_axes(factor) == ()
        if inner.op.name != "divide" or not is_uniform or varying_axes(x) == ():
            continue
        top, bottom = inner.inputs
        if top.op is not full or bottom.op is not full or not is_number(top):
            continue
        number, size = top.attrs["value"], bottom.attrs["value"]
        if number == 1:
            return OPS["divide"](x, size)
        if number == -1:
            return OPS["negative"](OPS["divide"](x, size))
        return OPS["divide"](OPS["multiply"](x, number), size)
    return None


def _written_share(node: Node, facts: Facts) -> Node | None:
    """add_at(x/n, c/n, i) → add_at(x, c, i)/n for a size n: (p − onehot)/n as it is written."""
    share, values, *places = node.inputs
    if share.op.name != "divide" or facts.is_shared(share):
        return None
    x, size = share.inputs
    if size.op is not full or _is_plain(size):
        return None
    written, sign = core(values), 1
    if written.op.name == "negative":
        written, sign = core(written.inputs[0]), -1
    if written.op.name != "divide" or any(i.op is not full for i in written.inputs):
        return None
    number, count = written.inputs
    if not is_number(number) or not _is_same_size(count, size):
        return None
    units = fill(sign * number.attrs["value"], values.shape, values.dtype)
    return OPS["divide"](node.op.make([x, units, *places], **node.attrs), size)


def _written_coefficient(node: Node, facts: Facts) -> Node | None:
    """add_at(x·c₁, c₂, i) → add_at(x, c₂/c₁, i)·c₁: a coefficient goes on, and meets others."""
    scaled, values, *places = node.inputs
    written = core(values)
    if facts.is_shared(scaled) or written.op is not full or not is_number(written):
        return None
    for x, factor in (scaled.inputs, scaled.inputs[::-1]):
        if (
            factor.op is not full
            or not is_number(factor)
            or x.op is full
            or factor.attrs["value"] == 0
        ):
            continue
        number = factor.attrs["value"]
        share = written.attrs["value"] / number
        if share == int(share):
            units = fill(share, values.shape, values.dtype)
            return OPS["multiply"](node.op.make([x, units, *places], **node.attrs), number)
    return None


def _is_same_size(a: Node, b: Node) -> bool:
    """Say whether two fills hold the same dim."""
    return not _is_plain(a) and same(a.attrs["value"], b.attrs["value"])


def _share_of_scaled(node: Node, facts: Facts) -> Node | None:
    """(x·c)/n → x/(n/c) for a size n that the whole number c divides."""
    scaled, size = node.inputs
    if scaled.op.name != "multiply" or size.op is not full or _is_plain(size):
        return None
    for x, factor in (scaled.inputs, scaled.inputs[::-1]):
        if factor.op is not full or not is_number(factor):
            continue
        number = factor.attrs["value"]
        if number != int(number) or number == 0:
            continue
        quotient = divide_exactly(size.attrs["value"], abs(int(number)))
        if quotient is not None:
            return OPS["divide"](x if number > 0 else OPS["negative"](x), quotient)
    return None


def _is_plain(node: Node) -> bool:
    return isinstance(node.attrs["value"], (bool, int, float))


def _moved_negative(node: Node, facts: Facts) -> Node | None:
    """a + broadcast_to(−b) → a − broadcast_to(b), through reshapes too; likewise a − …"""
    pairs = [node.inputs] if node.op.name == "subtract" else [node.inputs, node.inputs[::-1]]
    other = OPS["add" if node.op.name == "subtract" else "subtract"]
    for a, b in pairs:
        if b.op.name not in ("broadcast_to", "reshape"):
            continue
        negative = core(b)
        if negative.op.name == "negative":
            return other(a, _moved_like(b, negative.inputs[0]))
    return None


def _moved_coefficient(node: Node, facts: Facts) -> Node | None:
    """move(x·c₁)·c₂ → move(x)·(c₁·c₂): coefficients meet through views of an array."""
    for moved, factor in (node.inputs, node.inputs[::-1]):
        inner = moved
        while inner.op.name in _MOVES and not facts.is_shared(inner):
            inner = inner.inputs[0]
        if inner is moved or inner.op.name != "multiply" or factor.op is not full:
            continue
        if facts.is_shared(inner) or not is_number(factor) or not facts.is_float(node):
            continue
        for x, coefficient in (inner.inputs, inner.inputs[::-1]):
            if coefficient.op is not full or not is_number(coefficient) or x.op is full:
                continue
            number = coefficient.attrs["value"] * factor.attrs["value"]
            if facts.fits(number):
                return OPS["multiply"](_moved_like(moved, x), number)
    return None


def _moved_like(moved: Node, x: Node) -> Node:
    """Return x moved by the views that made `moved`."""
    moves: list[Node] = []
    while moved.op.name in _MOVES:
        moves.append(moved)
        moved = moved.inputs[0]
    for move in reversed(moves):
        x = move.op.make([x], **move.attrs)
    return x


#: Views that show each element of an array, once or more often.
_MOVES = ("broadcast_to", "reshape", "transpose")
_VI = "v: input(f64, 3, 1)\ni: input(i64, 3, 1)\n"
_AT = f"x: input(f64, 3, 4)\n{_VI}"
_ZEROS = "full((3, 4), 0.0, dtype=f64)"
_WHY = "what is written is added where it belongs, in place"

ADJOINTS = (
    Rule(
        "add_onto",
        "a + add_at(0, v, i)",
        "add_at(a, v, i)",
        _WHY,
        apply=_add,
        roots=("add",),
        operands=_WRITES,
        exactness=REASSOCIATES,
        example=_AT + f"y = exp(x) + add_along_axis({_ZEROS}, v, i, axis=1)",
    ),
    Rule(
        "subtract_from",
        "a - add_at(0, v, i)",
        "add_at(a, -v, i)",
        _WHY,
        apply=_subtract,
        roots=("subtract",),
        operands=_WRITES,
        exactness=REASSOCIATES,
        example=_AT + f"y = exp(x) - add_along_axis({_ZEROS}, v, i, axis=1)",
    ),
    Rule(
        "negative_write",
        "-add_at(0, v, i)",
        "add_at(0, -v, i)",
        "only what is written is negated",
        apply=_negative,
        roots=("negative",),
        operands=_WRITES,
        example=_VI + f"y = -add_along_axis({_ZEROS}, v, i, axis=1)",
    ),
    Rule(
        "scaled_write",
        "add_at(0, v, i)*c",
        "add_at(0, v*c, i)",
        "only what is written is multiplied",
        apply=_times_number,
        roots=("multiply", "divide"),
        operands=_WRITES,
        exactness=REASSOCIATES,
        example=_VI + f"y = 3.0*add_along_axis({_ZEROS}, v, i, axis=1)",
    ),
    Rule(
        "slice_add_zeros",
        "slice_add(x, 0, b)",
        "x",
        "nothing is added",
        apply=_nothing_written,
        roots=("slice_add",),
        operands=("full",),
        example="x: input(f64, 3, 4)\n"
        "y = slice_add(x, full((1, 4), 0.0, dtype=f64), ((0, 1, 1), (0, 4, 1)))",
    ),
    Rule(
        "slice_add_everywhere",
        "slice_add(x, v, everything)",
        "x + v",
        "a write over everything is a sum",
        apply=_everything_written,
        roots=("slice_add",),
        example="x: input(f64, 3)\nv: input(f64, 3)\ny = slice_add(x, v, ((0, 3, 1),))",
    ),
    Rule(
        "times_share",
        "x*(c/n)",
        "(x*c)/n",
        "one division by a size; its sign moves out",
        apply=_quotient_of_numbers,
        roots=("multiply",),
        operands=("broadcast_to", "divide"),
        exactness=REASSOCIATES,
        example="x: input(f64, N, 4)\ny = x*(full((), -2.0, dtype=f64)/full((), N, dtype=f64))",
    ),
    Rule(
        "written_share",
        "add_at(x/n, c/n, i)",
        "add_at(x, c, i)/n",
        "what is written needs no division of its own",
        apply=_written_share,
        roots=_WRITES,
        operands=("divide",),
        exactness=REASSOCIATES,
        example="x: input(f64, N, 4)\ni: input(i64, N, 1)\n"
        "c = broadcast_to(full((), -1.0, dtype=f64)/full((), N, dtype=f64), (N, 1))\n"
        "y = add_along_axis(x/full((N, 4), N, dtype=f64), c, i, axis=1)",
    ),
    Rule(
        "written_coefficient",
        "add_at(x*c, c, i)",
        "add_at(x, 1, i)*c",
        "the coefficient goes on to where it meets another one",
        apply=_written_coefficient,
        roots=_WRITES,
        operands=("multiply",),
        exactness=REASSOCIATES,
        example="x: input(f64, 3, 4)\ni: input(i64, 3, 1)\n"
        "y = add_along_axis(x*0.25, full((3, 1), -0.25, dtype=f64), i, axis=1)",
    ),
    Rule(
        "moved_coefficient",
        "transpose(x*c1)*c2",
        "transpose(x)*(c1*c2)",
        "numeric coefficients are gathered into one",
        apply=_moved_coefficient,
        roots=("multiply",),
        operands=_MOVES,
        exactness=REASSOCIATES,
        example="x: input(f64, 3, 4)\ny = transpose(x*3.0)*2.0",
    ),
    Rule(
        "share_of_scaled",
        "(x*c)/n",
        "x/(n/c)",
        "the coefficient goes into the size, once",
        apply=_share_of_scaled,
        roots=("divide",),
        operands=("full",),
        exactness=REASSOCIATES,
        example="x: input(f64, N, 4)\ny = x*2.0/full((), 8*N, dtype=f64)",
    ),
    Rule(
        "add_moved_negative",
        "a + broadcast_to(-b)",
        "a - broadcast_to(b)",
        "a sign moves to where it vanishes",
        apply=_moved_negative,
        roots=("add", "subtract"),
        operands=("broadcast_to", "reshape"),
        example="x: input(f64, 3, 4)\ny = x + broadcast_to(-sum(x), (3, 4))",
    ),
)
