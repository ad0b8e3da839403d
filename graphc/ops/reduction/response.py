"""Local response normalization: a channel is divided by the energy of the channels around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.attributes import Attributes
from graphc.ir.dims import Dim, add, product
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op
from graphc.ir.provenance import user_error
from graphc.ir.types import TensorType
from graphc.ops.batching import Carried, only
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS, register


class ResponseNormalize(Op):
    """x / base^beta with base = k + alpha/size * (squares of x summed over nearby channels).

    With W the sum over nearby channels, y the result and c = 2 alpha beta/size, a cotangent d
    becomes d/base^beta - c x Wᵀ(d y/base).
    **Source.** Krizhevsky et al. 2012, section 3.3, in the scaling of torch.nn.LocalResponseNorm.
    """

    family = "composite"

    def __call__(
        self, x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
    ) -> Node:
        node = as_node(x)
        return self.make([node], size=size, alpha=float(alpha), beta=float(beta), k=float(k))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        size = attrs["size"]
        if not isinstance(size, int) or size < 1 or len(inputs[0].shape) < 2:
            raise user_error(
                "response_normalize: the size is a number of channels, which stand on axis 1",
                got=f"size {size!r} for {inputs[0]}",
                expected="a size of 1 or more, for [N, C] or [N, C, ...]",
            )
        return inputs[0]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        x, size = arrays[0], attrs["size"]
        energy = np.zeros_like(x)
        for c in range(x.shape[1]):
            first = c - size // 2
            energy[:, c] = np.square(x[:, max(first, 0) : max(first + size, 0)]).sum(axis=1)
        base = attrs["k"] + attrs["alpha"] / size * energy
        return np.asarray(x / base ** attrs["beta"])

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        base, power = self.base(node)
        inner = over_channels(OPS["multiply"](node.inputs[0], tangent), node.attrs["size"])
        through = OPS["divide"](OPS["multiply"](node, inner), base)
        bend = OPS["multiply"](through, self.bending(node))
        return OPS["subtract"](OPS["divide"](tangent, power), bend)

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        """Return the cotangent of x, as the class states it."""
        base, power = self.base(node)
        through = OPS["divide"](OPS["multiply"](cotangent, node), base)
        nearby = over_channels(through, node.attrs["size"], is_mirrored=True)
        bend = OPS["multiply"](OPS["multiply"](node.inputs[0], nearby), self.bending(node))
        return OPS["subtract"](OPS["divide"](cotangent, power), bend)

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        """Return the node over one more axis in front: more samples."""
        x = only(carried)
        samples = OPS["reshape"](x, (product([size, node.shape[0]]), *node.shape[1:]))
        return OPS["reshape"](self.make([samples], **node.attrs), x.shape)

    def bending(self, node: Node) -> float:
        attrs = node.attrs
        return float(2 * attrs["alpha"] * attrs["beta"] / attrs["size"])

    def base(self, node: Node) -> tuple[Node, Node]:
        """Return the base and its power."""
        attrs = node.attrs
        energy = over_channels(OPS["square"](node.inputs[0]), attrs["size"])
        scaled = OPS["multiply"](energy, attrs["alpha"] / attrs["size"])
        base = OPS["add"](scaled, attrs["k"]).named("base")
        return base, OPS["power"](base, attrs["beta"]).named("power")

    def lower(self, node: Node) -> Node:
        return OPS["divide"](node.inputs[0], self.base(node)[1])

    def label(self, node: Node, args: Sequence[str]) -> str:
        return f"{self.name}({args[0]})"

    def flops(self, node: Node) -> Dim:
        return (node.attrs["size"] + 14) * node.size


def over_channels(x: Node, size: int, is_mirrored: bool = False) -> Node:
    """Return, at each channel, the sum over the `size` channels from `size//2` before it on.

    Mirrored: over those up to `size//2` behind it, which is the transpose.
    """
    before, behind = size // 2, (size - 1) // 2
    if is_mirrored:
        before, behind = behind, before
    widths = [(before, behind) if a == 1 else (0, 0) for a in range(x.ndim)]
    padded = OPS["pad"](x, widths) if size > 1 else x
    total = None
    for offset in range(size):
        window = [slice(None), slice(offset, add(x.shape[1], offset))]
        part = x if offset == before else OPS["slice"](padded, window)
        total = part if total is None else OPS["add"](total, part)
    assert total is not None
    return total


response_normalize = register(
    ResponseNormalize(
        "response_normalize",
        "x divided by a power of the squares of nearby channels.",
        [
            Case((Arg((2, 5)),), {"size": 3, "alpha": 0.5}),
            Case((Arg((1, 3, 2)),), {"size": 4, "alpha": 0.5, "beta": 0.5, "k": 2.0}),
        ],
    )
)
