"""Positions on axes: what an integer is, and the part of an array along one axis."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Node
from graphc.ops.registry import OPS


def as_index(value: Any) -> Any:
    """Return a Python int for any integer; a dim stays what it is."""
    return value if hasattr(value, "free_symbols") else value.__index__()


def slice_axis(node: Node, axis: int, part: slice) -> Node:
    """Return x[:, …, part], the slice along one axis."""
    return OPS["slice"](node, [*[slice(None)] * axis, part])
