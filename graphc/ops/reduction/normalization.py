"""Normalization: divide by the spread of a group, by the numbers at hand or by kept averages.

`batch_normalize` uses the batch's own mean and variance in a graph for training, which also moves
running averages towards them; a graph for inference uses those averages. Everything that either
form needs stands in the node, so that each leads back to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir.access import Access, across
from graphc.ir.attributes import Attributes, plain
from graphc.ir.dims import Dim, add, floor_divide, product, same
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op, Order, Turn
from graphc.ir.provenance import UPDATE, inherit, user_error
from graphc.ir.types import TensorType
from graphc.ops.axes import many_axes, one_axis
from graphc.ops.batching import Carried, past_first_axis
from graphc.ops.leaf import as_node, fill
from graphc.ops.reduction.means import average, called_after, deviations, mean_over, spread_out
from graphc.ops.registry import OPS, register

#: TRAINING reads the batch and moves the averages; INFERENCE reads the averages, until
#: `for_training`; FROZEN reads them in every graph, until `unfrozen`.
TRAINING, INFERENCE, FROZEN = "training", "inference", "frozen"
MODES = (TRAINING, INFERENCE, FROZEN)


class Standardize(Op):
    """(x - mean)/sqrt(variance + eps) over `axis`; not `centred`, x/sqrt(mean(x²) + eps).

    With y the result and s the root, a tangent t becomes (t - mean(t) - y mean(y t))/s, without
    mean(t) where x is not centred: the terms through mean and variance are collected.
    **Source.** Ioffe & Szegedy 2015, arXiv:1502.03167, section 3.
    """

    family = "composite"
    variable = "normal"

    def __init__(self, name: str, doc: str, centred: bool) -> None:
        self.centred = centred
        super().__init__(
            name,
            doc,
            [
                Case((Arg((3, 4)),)),
                Case((Arg((3, 4)),), {"axis": 0, "eps": 0.1}),
                Case((Arg((2, 3, 4)),), {"axis": (0, 2)}),
            ],
        )

    def __call__(self, x: Any, axis: Any = -1, eps: float = 1e-5) -> Node:
        node = as_node(x)
        return self.make([node], axis=many_axes(axis, node.ndim, self.name), eps=checked_eps(eps))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        x, axis = arrays[0], attrs["axis"]
        if self.centred:
            x = x - x.mean(axis=axis, keepdims=True)
        return np.asarray(x / np.sqrt((x * x).mean(axis=axis, keepdims=True) + attrs["eps"]))

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        axis = node.attrs["axis"]
        along = OPS["multiply"](node, mean_over(OPS["multiply"](node, tangent), axis))
        if self.centred:
            tangent = OPS["subtract"](tangent, mean_over(tangent, axis))
        return OPS["divide"](OPS["subtract"](tangent, along), self.spread(node))

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        """Return the cotangent of x: what is done to a tangent is symmetric, but for its order."""
        axis = node.attrs["axis"]
        share = OPS["divide"](cotangent, self.spread(node))
        along = OPS["multiply"](node, mean_over(OPS["multiply"](share, node), axis))
        if self.centred:
            return OPS["subtract"](OPS["subtract"](share, mean_over(share, axis)), along)
        return OPS["subtract"](share, along)

    def reads(self, node: Node, index: int) -> Access:
        return across(node.shape, node.attrs["axis"])

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return past_first_axis(node, carried, size)

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order] | None:
        """Return the same over the axes where they stand now."""
        if node.ndim < 3:  # a matrix of features behind the images, which is small
            return None
        axes = tuple([at for at, axis in enumerate(order) if axis in node.attrs["axis"]])
        return self.make([turned(node.inputs[0], order)], **{**node.attrs, "axis": axes}), order

    def spread(self, node: Node) -> Node:
        """Return sqrt(variance + eps), in a shape that broadcasts."""
        axis, called = node.attrs["axis"], partial(called_after, node)
        x = deviations(node, axis) if self.centred else node.inputs[0]
        what = "variance" if self.centred else "mean_square"
        power = average(OPS["square"](x), axis, called(what))
        root = OPS["sqrt"](OPS["add"](power, node.attrs["eps"]))
        return spread_out(root.named(called("spread" if self.centred else "rms")), x, axis)

    def lower(self, node: Node) -> Node:
        x = deviations(node, node.attrs["axis"]) if self.centred else node.inputs[0]
        return OPS["divide"](x, self.spread(node))

    def flops(self, node: Node) -> Dim:
        return (6 if self.centred else 4) * node.size

    def shown_attributes(self, node: Node) -> dict[str, Any]:
        axes = node.attrs["axis"]
        return {"axis": axes[0] if len(axes) == 1 else axes, "eps": node.attrs["eps"]}

    def label(self, node: Node, args: Sequence[str]) -> str:
        return f"{self.name}({args[0]})"

    def latex(self, node: Node, args: Sequence[str]) -> str:
        if self.centred:
            return rf"\frac{{{args[0]} - \mu}}{{\sqrt{{\sigma^2 + \epsilon}}}}"
        return rf"\frac{{{args[0]}}}{{\sqrt{{\overline{{{args[0]}^2}} + \epsilon}}}}"


class BatchNormalize(Op):
    """Each channel standardized: over the batch while training, by running averages in use.

    r ← r + momentum (s - r) while training, for the mean and for the unbiased variance. A fourth
    input counts the batches; the momentum is then 1/batches, and r the mean over all of them.
    """

    family = "composite"
    variable = "normal"
    moves_state = True

    def __call__(
        self,
        x: Any,
        running_mean: Any,
        running_var: Any,
        batches: Any = None,
        axis: int = 1,
        momentum: float = 0.1,
        eps: float = 1e-5,
        mode: str = TRAINING,
    ) -> Node:
        nodes = [as_node(x), as_node(running_mean), as_node(running_var)]
        counts = [] if batches is None else [as_node(batches)]
        return self.make(
            [*nodes, *counts],
            axis=one_axis(axis, nodes[0].ndim, self.name),
            momentum=None if counts else _checked_momentum(momentum),
            eps=checked_eps(eps),
            mode=mode,
        )

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        wanted = inputs[0].with_shape((inputs[0].shape[attrs["axis"]],))
        if any(given != wanted for given in inputs[1:3]):
            raise user_error(
                "batch_normalize: a running average does not fit",
                got=f"{inputs[1]} and {inputs[2]} for {inputs[0]}",
                expected=f"{wanted}, a number for each place on axis {attrs['axis']}",
            )
        if any(count.shape or count.dtype.kind != "i" for count in inputs[3:]):
            raise user_error(
                "batch_normalize: the number of batches is no integer", got=str(inputs[3])
            )
        if attrs["mode"] not in MODES:
            raise GraphError(
                "batch_normalize has no such mode", got=attrs["mode"], expected=", ".join(MODES)
            )
        return inputs[0]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        x, mean, variance = arrays[:3]
        others = tuple([a for a in range(x.ndim) if a != attrs["axis"]])
        shape = [-1 if a == attrs["axis"] else 1 for a in range(x.ndim)]
        if attrs["mode"] == TRAINING:
            mean, variance = x.mean(axis=others), x.var(axis=others)
        spread = np.sqrt(variance + attrs["eps"])
        return np.asarray((x - mean.reshape(shape)) / spread.reshape(shape))

    def is_differentiable(self, node: Node, index: int) -> bool:
        is_read = index == 0 or node.attrs["mode"] != TRAINING
        return is_read and super().is_differentiable(node, index)

    def expand(self, node: Node) -> Node:
        """Return what the node is in its mode."""
        x, running_mean, running_var = node.inputs[:3]
        if node.attrs["mode"] == TRAINING:
            return standardize(x, self.others(node), node.attrs["eps"])
        spread = OPS["sqrt"](OPS["add"](running_var, node.attrs["eps"]))
        centred = OPS["subtract"](x, self.along(node, running_mean))
        return OPS["divide"](centred, self.along(node, spread))

    lower = expand

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order] | None:
        """Return the same with the channels where they stand now."""
        if node.ndim < 3:
            return None
        x, *averages = node.inputs
        operands = [turned(x, order), *[turned(kept, range(kept.ndim)) for kept in averages]]
        axis = order.index(node.attrs["axis"])
        return self.make(operands, **{**node.attrs, "axis": axis}), order

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        """Return the node over one more axis in front; what is not carried broadcasts."""
        axis, eps = node.attrs["axis"], node.attrs["eps"]
        if node.attrs["mode"] == TRAINING:
            if carried[0] is None:  # the averages have no say
                return OPS["broadcast_to"](node, (size, *node.shape))
            return standardize(carried[0], [a + 1 for a in self.others(node)], eps)
        x, mean, variance = (
            own if many is None else many
            for own, many in zip(node.inputs[:3], carried[:3], strict=True)
        )
        shape = [1] * axis + [node.shape[axis]] + [1] * (node.ndim - axis - 1)
        mean, variance = (OPS["reshape"](v, (*v.shape[:-1], *shape)) for v in (mean, variance))
        spread = OPS["sqrt"](OPS["add"](variance, eps))
        return OPS["divide"](OPS["subtract"](x, mean), spread)

    def others(self, node: Node) -> tuple[int, ...]:
        """Return the axes that a channel's statistics are taken over."""
        return tuple([a for a in range(node.ndim) if a != node.attrs["axis"]])

    def along(self, node: Node, value: Node) -> Node:
        """Return a value per channel in a shape that broadcasts along the channels."""
        behind = node.ndim - 1 - node.attrs["axis"]
        return OPS["reshape"](value, (*value.shape, *[1] * behind)) if behind else value

    def state_updates(
        self, node: Node, value: Callable[[Node], Node]
    ) -> Sequence[tuple[Node, Node]]:
        if node.attrs["mode"] != TRAINING:
            return ()
        x, *states = node.inputs
        axes = self.others(node)
        with inherit(node.provenance, phase=UPDATE):
            mean_so_far, variance_so_far, *counts = [
                value(state) if _is_state(state) else state for state in states
            ]
            counted = [OPS["add"](count, 1) for count in counts]
            share = node.attrs["momentum"]
            for batches in counted:
                share = OPS["divide"](1.0, OPS["cast"](batches, x.dtype)).named("momentum")
            mean = OPS["mean"](x, axes)
            centred = OPS["subtract"](x, self.along(node, mean))
            variance = OPS["mean"](OPS["square"](centred), axes)
            unbiased = OPS["divide"](
                OPS["multiply"](variance, fill(_count(x, axes), (), x.dtype)),
                fill(_unbiased_count(x, axes), (), x.dtype),
            )
            moved = [
                _moved(mean_so_far, mean, share),
                _moved(variance_so_far, unbiased, share),
                *counted,
            ]
            return [pair for pair in zip(states, moved, strict=True) if _is_state(pair[0])]

    def flops(self, node: Node) -> Dim:
        return 6 * node.size

    def shown_attributes(self, node: Node) -> dict[str, Any]:
        shown = dict(node.attrs)
        if shown["mode"] == TRAINING:
            del shown["mode"]
        if shown["momentum"] is None:
            del shown["momentum"]
        return shown

    def label(self, node: Node, args: Sequence[str]) -> str:
        return f"{self.name}({', '.join(args)})"

    def latex(self, node: Node, args: Sequence[str]) -> str:
        mean, variance = (
            (r"\mu", r"\sigma^2") if node.attrs["mode"] == TRAINING else (args[1], args[2])
        )
        return rf"\frac{{{args[0]} - {mean}}}{{\sqrt{{{variance} + \epsilon}}}}"


def _is_state(node: Node) -> bool:
    return node.op is OPS["param"]


def _moved(average: Node, seen: Node, share: Node | float) -> Node:
    """Return an average that has gone its share of the way to what was seen."""
    return OPS["add"](average, OPS["multiply"](OPS["subtract"](seen, average), share))


def _count(x: Node, axes: tuple[int, ...]) -> Dim:
    return product(x.shape[a] for a in axes)


def _unbiased_count(x: Node, axes: tuple[int, ...]) -> Dim:
    """Return n - 1 for the n elements over `axes`, but 1 where n = 1: the variance is 0 there."""
    count = _count(x, axes)
    known = product(size for a in axes if isinstance(size := x.shape[a], int))
    # For a count that may be 1, 2//(n + 1) is 1 there, and 0 above; an empty batch divides, too.
    return add(count, -1 if not same(known, 1) else add(floor_divide(2, add(count, 1)), -1))


def checked_eps(eps: Any) -> float:
    """Return what is added to a variance, or raise where it is not a number from 0."""
    if not isinstance(plain(eps), (int, float)) or not 0 <= eps < np.inf:
        raise user_error("eps is 0 or a small number", got=repr(eps))
    return float(eps)


def _checked_momentum(momentum: Any) -> float:
    if not isinstance(plain(momentum), (int, float)) or not 0 <= momentum <= 1:
        raise user_error(
            "momentum is the share of the newest batch in the running average",
            got=repr(momentum),
            expected="0 <= momentum <= 1",
        )
    return float(momentum)


standardize = register(
    Standardize(
        "standardize",
        "Mean 0 and variance 1 over axes: (x - mean)/sqrt(variance + eps).",
        centred=True,
    )
)
rms_normalize = register(
    Standardize("rms_normalize", "Mean square 1 over axes: x/sqrt(mean(x²) + eps).", centred=False)
)
_CHANNELS = (Arg((3,)), Arg((3,), low=0.5))
batch_normalize = register(
    BatchNormalize(
        "batch_normalize",
        "Each channel standardized: over the batch while training, by running averages in use.",
        [
            Case((Arg((4, 3)), *_CHANNELS)),
            Case((Arg((2, 3, 4)), *_CHANNELS), {"momentum": 0.5, "mode": INFERENCE}),
            Case((Arg((2, 4, 3)), *_CHANNELS), {"axis": 2, "mode": FROZEN}),
            Case((Arg((4, 3)), *_CHANNELS, Arg((), "int64", 1, 5))),
            Case((Arg((4, 3)), *_CHANNELS, Arg((), "int64", 1, 5)), {"mode": INFERENCE}),
        ],
    )
)


def in_mode(node: Node, old: str, new: str) -> Node:
    """Return a batch normalization of mode `old` in mode `new`, and any other node itself."""
    if node.op is not batch_normalize or node.attrs["mode"] != old:
        return node
    return batch_normalize.make(node.inputs, **{**node.attrs, "mode": new})


def state_of(node: Node) -> frozenset[str]:
    """Return the names of the parameters that a batch normalization measures: its averages."""
    if node.op is not batch_normalize:
        return frozenset()
    return frozenset(str(state.attrs["name"]) for state in node.inputs[1:] if _is_state(state))
