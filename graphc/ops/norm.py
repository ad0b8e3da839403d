"""The Euclidean norm: one name, so that its derivative at 0 can be declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir.code import Code, Notation
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ir.types import TensorType
from graphc.ops.axes import without_axes
from graphc.ops.reduction import Reduction
from graphc.ops.registry import OPS, register


class Norm(Reduction):
    """sqrt(sum(x*x)). Its derivative is x/norm(x); at 0 it is 0, at every order."""

    def __init__(self) -> None:
        super().__init__(
            "norm", "Euclidean norm over axes; derivative 0 at 0.", "norm", dtype="float"
        )

    def reference(
        self, arrays: Sequence[np.ndarray], attrs: Mapping[str, Any], result: TensorType
    ) -> np.ndarray:
        squares = np.square(arrays[0])
        return np.asarray(np.sqrt(squares.sum(axis=attrs["axis"], keepdims=attrs["keepdims"])))

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        if tangents[0] is None:
            return None
        shape = without_axes(node.inputs[0].shape, node.attrs["axis"], True)
        norms = OPS["reshape"](node, shape)
        is_zero = OPS["equal"](norms, 0.0)
        # The inner guard keeps 0/0 out of the branch not taken, and so out of its derivative.
        ratio = OPS["divide"](node.inputs[0], OPS["where"](is_zero, 1.0, norms))
        direction = OPS["where"](is_zero, 0.0, ratio)
        along = OPS["multiply"](direction, tangents[0])
        return OPS["sum"](along, node.attrs["axis"], node.attrs["keepdims"])

    def lower(self, node: Node) -> Node:
        squares = OPS["square"](node.inputs[0])
        return OPS["sqrt"](OPS["sum"](squares, node.attrs["axis"], node.attrs["keepdims"]))

    def numpy(self, node: Node, args: Sequence[Code], notation: Notation) -> Code:
        raise GraphError("norm has no NumPy form of its own; lower it first")

    def latex(self, node: Node, args: Sequence[str]) -> str:
        return rf"\lVert {args[0]} \rVert"

    def flops(self, node: Node) -> Dim:
        return 2 * node.inputs[0].size


norm = register(Norm())
