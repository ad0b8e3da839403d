"""Simplification of gradients: writes into zeros, signs behind a broadcast."""

from __future__ import annotations

from typing import Any

from graphc.ir.dims import same
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops.leaf import full, is_fill
from graphc.ops.reduction.spread import core, varying_axes
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts
from graphc.rewrite.engine.rule import Rule, rounding
from graphc.rewrite.simplify.shares import WRITES, moved_like


def _is_write_into_zeros(node: Node, facts: Facts) -> bool:
    return node.op.name in WRITES and is_fill(node.inputs[0], 0) and not facts.is_shared(node)


def _onto(write: Node, base: Node) -> Node:
    """Return the same write into another base."""
    return write.op.make([base, *write.inputs[1:]], **write.attrs)


def _scaled(write: Node, change: Op, *numbers: Any) -> Node:
    """Return the write of `change(values, *numbers)`."""
    base, values, *places = write.inputs
    return write.op.make([base, change(values, *numbers), *places], **write.attrs)


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
        is_constant = factor.op is full
        number = factor.attrs["value"] if is_constant else OPS["reshape"](factor.inputs[0], ())
        return _scaled(write, node.op, number)
    return None


def _sum_of_written(node: Node, facts: Facts) -> Node | None:
    """Σ add_along_axis(0, v, i)·p → Σ v·take_along_axis(p, i), summed along that axis alone."""
    product = node.inputs[0]
    for write, factor in (product.inputs, product.inputs[::-1]):
        if _is_along_axis_into_zeros(write) and node.attrs["axis"] == (write.attrs["axis"],):
            return node.op.make([_read_there(write, factor)], **node.attrs)
    return None


def _times_array(node: Node, facts: Facts) -> Node | None:
    """add_along_axis(b, v, i)·p → add_along_axis(b·p, v·take_along_axis(p, i), i), b uniform."""
    for write, factor in (node.inputs, node.inputs[::-1]):
        if not _is_onto_copies(write, facts) or varying_axes(factor) == ():
            continue  # a number multiplies what is written
        base = node.op(write.inputs[0], factor)
        return write.op.make(
            [base, _read_there(write, factor), write.inputs[2]], axis=write.attrs["axis"]
        )
    return None


def _plus_copies(node: Node, facts: Facts) -> Node | None:
    """add_along_axis(b, v, i) + a → add_along_axis(b + a, v, i), where a and b are uniform."""
    for write, other in (node.inputs, node.inputs[::-1]):
        if _is_onto_copies(write, facts) and _is_uniform_along(other, write.attrs["axis"]):
            return _onto(write, node.op(write.inputs[0], other))
    return None


def _is_onto_copies(write: Node, facts: Facts) -> bool:
    """Say whether single values are written along an axis on which all else is alike."""
    if write.op is not OPS["add_along_axis"] or facts.is_shared(write):
        return False
    return _is_uniform_along(write.inputs[0], write.attrs["axis"])


def _is_uniform_along(x: Node, axis: int) -> bool:
    varying = varying_axes(x)
    return varying is not None and axis not in varying


def _is_along_axis_into_zeros(node: Node) -> bool:
    return node.op is OPS["add_along_axis"] and is_fill(node.inputs[0], 0)


def _read_there(write: Node, factor: Node) -> Node:
    """Return the values of a write times what an array holds in their places."""
    _, values, index = write.inputs
    held = OPS["take_along_axis"].make([factor, index], axis=write.attrs["axis"])
    return OPS["multiply"](values, held)


def _nothing_written(node: Node, facts: Facts) -> Node | None:
    """Adding zeros changes nothing; a slice has no index that could be out of range."""
    return node.inputs[0] if is_fill(node.inputs[1], 0) else None


def _everything_written(node: Node, facts: Facts) -> Node | None:
    """A write over a whole array of zeros is the array of values."""
    base, values = node.inputs
    pairs = zip(node.attrs["bounds"], base.shape, strict=True)
    whole = all(b[0] == 0 and b[2] == 1 and same(b[1], dim) for b, dim in pairs)
    return OPS["add"](base, values) if whole else None


def _moved_negative(node: Node, facts: Facts) -> Node | None:
    """a + broadcast_to(−b) → a − broadcast_to(b), through reshapes too; likewise a − …"""
    pairs = [node.inputs] if node.op.name == "subtract" else [node.inputs, node.inputs[::-1]]
    other = OPS["add" if node.op.name == "subtract" else "subtract"]
    for a, b in pairs:
        if b.op.name not in ("broadcast_to", "reshape"):
            continue
        negative = core(b)
        if negative.op.name == "negative":
            return other(a, moved_like(b, negative, negative.inputs[0]))
    return None


_VI = "v: input(f64, 3, 1)\ni: input(i64, 3, 1)\n"
_AT = f"x: input(f64, 3, 4)\n{_VI}"
_ZEROS = "full((3, 4), 0.0, dtype=f64)"
_WHY = "what is written is added where it belongs, in place"

ADJOINTS = (
    rounding(
        "add_onto",
        "a + add_at(0, v, i)",
        "add_at(a, v, i)",
        _WHY,
        apply=_add,
        roots=("add",),
        operands=WRITES,
        example=_AT + f"y = exp(x) + add_along_axis({_ZEROS}, v, i, axis=1)",
    ),
    rounding(
        "subtract_from",
        "a - add_at(0, v, i)",
        "add_at(a, -v, i)",
        _WHY,
        apply=_subtract,
        roots=("subtract",),
        operands=WRITES,
        example=_AT + f"y = exp(x) - add_along_axis({_ZEROS}, v, i, axis=1)",
    ),
    Rule(
        "negative_write",
        "-add_at(0, v, i)",
        "add_at(0, -v, i)",
        "only what is written is negated",
        apply=_negative,
        roots=("negative",),
        operands=WRITES,
        example=_VI + f"y = -add_along_axis({_ZEROS}, v, i, axis=1)",
    ),
    rounding(
        "scaled_write",
        "add_at(0, v, i)*c",
        "add_at(0, v*c, i)",
        "only what is written is multiplied",
        apply=_times_number,
        roots=("multiply", "divide"),
        operands=WRITES,
        example=_VI + f"y = 3.0*add_along_axis({_ZEROS}, v, i, axis=1)",
    ),
    rounding(
        "sum_of_written",
        "sum(add_along_axis(0, v, i)*p)",
        "sum(v*take_along_axis(p, i))",
        "only what is written is multiplied and summed",
        apply=_sum_of_written,
        roots=("sum",),
        operands=("multiply",),
        example=_AT
        + f"w = add_along_axis({_ZEROS}, v, i, axis=1)\n"
        + "y = sum(w*exp(x), axis=1, keepdims=True) - w",
    ),
    rounding(
        "written_times_array",
        "add_along_axis(broadcast_to(b), v, i)*p",
        "add_along_axis(broadcast_to(b)*p, v*take_along_axis(p, i), i)",
        "the gradient of a single probability changes one entry of softmax in place",
        apply=_times_array,
        roots=("multiply",),
        operands=("add_along_axis",),
        example=_AT + "y = add_along_axis(broadcast_to(v**2, (3, 4)), v, i, axis=1)*exp(x)",
    ),
    rounding(
        "written_plus_copies",
        "add_along_axis(broadcast_to(b), v, i) + broadcast_to(a)",
        "add_along_axis(broadcast_to(b) + broadcast_to(a), v, i)",
        "rows are added before they are copied",
        apply=_plus_copies,
        roots=("add",),
        operands=("add_along_axis",),
        example=_AT
        + "a = broadcast_to(sum(x, axis=1, keepdims=True), (3, 4))\n"
        + "y = add_along_axis(broadcast_to(v**2, (3, 4)), v, i, axis=1) + a",
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
