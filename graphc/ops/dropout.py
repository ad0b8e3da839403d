"""Dropout: a random mask while training, nothing at all in use.

Training multiplies by a `dropout_mask`; `idle_dropout` marks the same place in a graph for
inference, so that the way back to training is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.ir.access import Access, identity
from graphc.ir.attributes import Attributes, plain
from graphc.ir.code import PRODUCT, Code, Codes, Notation
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op
from graphc.ir.provenance import user_error
from graphc.ir.types import TensorType
from graphc.ops.batching import Carried, by_element
from graphc.ops.leaf import as_node, fill
from graphc.ops.random import Draw
from graphc.ops.registry import OPS, register


def checked_rate(rate: float) -> float:
    """Return the rate, or raise where no inverted dropout of this rate exists."""
    rate = plain(rate)
    if not isinstance(rate, (int, float)) or not 0 <= rate < 1:
        raise user_error(
            "dropout: the rate is the share of elements that are dropped",
            got=repr(rate),
            expected="0 <= rate < 1",
        )
    return float(rate)


class DropoutMask(Draw):
    """0 with probability `rate`, else 1/(1 - rate), so that the mean stays 1.

    **Source.** Srivastava et al. 2014, section 10 (the inverted form scales while training).
    """

    def check(self, attrs: Mapping[str, Any], dtype: np.dtype) -> None:
        super().check(attrs, dtype)
        checked_rate(attrs["rate"])

    def sample(
        self, rng: np.random.Generator, attrs: Mapping[str, Any], result: TensorType
    ) -> np.ndarray:
        kept = rng.random(result.shape, dtype=np.float32) >= attrs["rate"]
        return np.asarray(kept * result.dtype.type(1 / (1 - attrs["rate"])))

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        shape, dtype = notation.shape(node.shape), notation.dtype(node.dtype)
        rate = node.attrs["rate"]
        kept = f"(rng.random({shape}, np.float32) >= {rate!r})"
        return Code(f"{kept} * {dtype}(1 / (1 - {rate!r}))", PRODUCT)

    def scratch(self, node: Node) -> Dim:
        return node.size  # the mask


class IdleDropout(Op):
    """x itself, where training would drop elements."""

    family = "movement"

    def __call__(self, x: Any, rate: float = 0.5) -> Node:
        return self.make([as_node(x)], rate=checked_rate(rate))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return arrays[0]

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        return tangent

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        return cotangent

    def reads(self, node: Node, index: int) -> Access:
        return identity(node.ndim)

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return by_element(node, carried, size)

    def lower(self, node: Node) -> Node:
        return node.inputs[0]


dropout_mask = register(
    DropoutMask("dropout_mask", "0 with probability rate, else 1/(1 - rate).", rate=0.5)
)
idle_dropout = register(
    IdleDropout(
        "idle_dropout",
        "x itself, where training would drop elements.",
        [Case((Arg((3, 4)),), {"rate": 0.25})],
    )
)


def in_inference(node: Node) -> Node:
    """Return what the node is when nothing is dropped: the node itself, unless it is a mask."""
    if node.op is dropout_mask:
        return fill(1.0, node.shape, node.dtype)
    return node


def in_training(node: Node) -> Node:
    """Return what the node is when elements are dropped."""
    if node.op is idle_dropout:
        return dropped(node.inputs[0], node.attrs["rate"])
    return node


def dropped(x: Node, rate: float) -> Node:
    """Return x with a share `rate` of its elements set to 0 and the others scaled up."""
    return OPS["multiply"](x, dropout_mask(x.shape, x.dtype, rate=rate))


def undropped(node: Node) -> Node | None:
    """Return `idle_dropout(x)` for a product `x * dropout_mask(...)`, else None."""
    if node.op.name != "multiply" or node.inputs[1].op is not dropout_mask:
        return None
    return idle_dropout(node.inputs[0], node.inputs[1].attrs["rate"])
