"""Means over some axes, and what is left without them, in shapes that broadcast back."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.registry import OPS


def mean_over(x: Node, axes: tuple[int, ...], name: str | None = None) -> Node:
    """Return the mean over `axes`, in a shape that broadcasts against x; code calls it `name`."""
    return spread_out(average(x, axes, name), x, axes)


def average(x: Node, axes: tuple[int, ...], name: str | None = None) -> Node:
    """Return the mean over `axes`; these are kept, but not where it is one number per channel.

    Those are shared with the running averages, which are vectors.
    """
    is_per_channel = 0 in axes or len(axes) == x.ndim - 1 > 1
    mean = OPS["mean"](x, axes, not is_per_channel)
    return mean.named(name)


def spread_out(value: Node, x: Node, axes: tuple[int, ...]) -> Node:
    """Return a mean over `axes`, or what is made of it, in a shape that broadcasts against x."""
    kept = [a for a in range(x.ndim) if a not in axes]
    shape = [x.shape[a] if a in kept else 1 for a in range(min(kept, default=x.ndim), x.ndim)]
    return OPS["reshape"](value, tuple(shape)) if len(shape) > value.ndim else value


def called_after(node: Node, what: str) -> str:
    """Return what a step on the way to a normal value is called: after its layer, or after x."""
    x = node.inputs[0]
    name = x.attrs["name"] if x.op.is_leaf else x.name
    return f"{name}_{what}" if name and not node.provenance.layer else node.provenance.part(what)


def deviations(node: Node, axes: tuple[int, ...]) -> Node:
    """Return x - mean for the x that a node makes normal.

    Squares of these, not of x, give a variance that loses no digits.
    """
    x = node.inputs[0]
    mean = mean_over(x, axes, called_after(node, "mean"))
    return OPS["subtract"](x, mean).named(called_after(node, "centred"))
