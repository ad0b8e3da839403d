"""`where`: a choice between two values for each element, in style `fast` without a branch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.code import Code, Notation
from graphc.ir.dims import product
from graphc.ir.node import Node, make_node
from graphc.ir.op import Arg, Case
from graphc.ir.types import BOOL
from graphc.ops.leaf import as_node, zeros_like
from graphc.ops.pointwise import Pointwise
from graphc.ops.promotion import common_dtype, is_weak

#: From how many elements on NumPy's `where` is slower. It takes a branch for each of them, which
#: nobody can foresee where data decide: 4 ns an element, against 0.6 for three operations on bits.
_MANY = 1024

_CHOOSE = f'''
def _choose(condition, x, y, out):
    """Write x where the condition holds, else y: as bits, y ^ (x ^ y) * condition."""
    if out.size < {_MANY}:
        out[...] = np.where(condition, x, y)
        return out
    bits = f"i{{out.itemsize}}"
    x, y, chosen = (np.asarray(a, out.dtype).view(bits) for a in (x, y, out))
    np.bitwise_xor(x, y, out=chosen)
    np.multiply(chosen, condition, out=chosen)
    np.bitwise_xor(chosen, y, out=chosen)
    return out
'''


class Select(Pointwise):
    """`where`: its condition is bool, and only the taken branch carries a derivative."""

    def operand_dtype(self, values: Sequence[Any]) -> np.dtype:
        return common_dtype(values[1:])

    def __call__(self, condition: Any, a: Any, b: Any) -> Node:
        values = [v if isinstance(v, Node) or is_weak(v) else as_node(v) for v in (condition, a, b)]
        dtype = self.operand_dtype(values)
        return make_node(self, tuple(self.conform(values, [BOOL, dtype, dtype])))

    def _cases(self) -> list[Case]:
        value = Arg((3, 4))
        return [
            Case((Arg((3, 4), "bool"), value, value)),
            Case((Arg((4,), "bool"), value, Arg(()))),
            Case((Arg((3, 1), "bool"), Arg((4,)), value)),
        ]

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> Node:
        return self(node.inputs[0], *[zeros_like(node) if t is None else t for t in tangents[1:]])

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        if index == 1:
            return self(node.inputs[0], cotangent, 0.0)
        return self(node.inputs[0], 0.0, cotangent)

    def reuses(self, node: Node) -> tuple[int, ...]:
        return (2,) if self._is_guard(node) else ()

    def numpy_into(
        self, node: Node, args: Sequence[Code], out: str, notation: Notation
    ) -> str | None:
        if self._is_guard(node) and args[2].text == out:
            # Few elements are chosen: a third of the time of `copyto`, which goes one by one.
            return f"{out}[{args[0]}] = {args[1]}"
        if self._is_by_bits(node) and notation.owns_out:
            return f"_choose({', '.join(map(str, args))}, out={out})"
        return f"{out}[...] = {self.numpy(node, args, notation).text}"

    def helper(self, node: Node) -> str | None:
        return _CHOOSE if self._is_by_bits(node) else None

    @staticmethod
    def _is_by_bits(node: Node) -> bool:
        size = product(node.shape)
        return node.dtype.itemsize in (4, 8) and not (isinstance(size, int) and size < _MANY)

    @staticmethod
    def _is_guard(node: Node) -> bool:
        """Say whether a number replaces few elements: those that are exactly 0, or NaN."""
        test, value, _ = node.inputs
        is_number = test.op.name == "equal" and any(x.op.name == "full" for x in test.inputs)
        is_rare = is_number or test.op.name == "isnan"
        return is_rare and value.op.name == "full"
