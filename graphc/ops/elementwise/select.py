"""`where`: a choice between two values for each element, in style `fast` without a branch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.code import Codes, Notation
from graphc.ir.dims import product
from graphc.ir.node import Node, make_node
from graphc.ir.op import Arg, Case
from graphc.ir.types import BOOL
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import as_node, full, is_fill, zeros_like
from graphc.ops.promotion import common_dtype, is_weak

#: From how many elements on NumPy's `where` is slower. It takes a branch for each of them, which
#: nobody can foresee where data decide: 4 ns an element, against 0.6 for three operations on bits.
_MANY = 1024
#: Rows from this length on are copied faster than chosen by bits, where a row is chosen whole.
_LONG_ROW = 32

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

_KEEP = '''
def _keep(condition, x, out):
    """Write x where the condition holds, else 0: the bits of x, times 1 or 0."""
    bits = f"i{out.itemsize}"
    np.multiply(np.asarray(x, out.dtype).view(bits), condition, out=out.view(bits))
    return out
'''

_CHOOSE_ROWS = '''
def _choose_rows(condition, x, y, out):
    """Write those rows of x for which the condition holds, and the other rows of y."""
    if out is not y:
        out[...] = y
    np.copyto(out, x, where=condition)
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
        if self._is_guard(node) or self._is_by_rows(node):
            return (2,)
        return (1,) if is_fill(node.inputs[2], 0) else ()

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        if self._is_guard(node) and args[2].text == out:
            # Few elements are chosen: a third of the time of `copyto`, which goes one by one.
            return f"{out}[{args[0]}] = {args[1]}"
        source = self.helper(node)
        if source is None or not notation.owns_out:
            return f"{out}[...] = {self.numpy(node, args, notation).text}"
        verb, given = ("_keep", args[:2]) if source is _KEEP else ("_choose", args)
        verb = "_choose_rows" if source is _CHOOSE_ROWS else verb
        return f"{verb}({', '.join(map(str, given))}, out={out})"

    def helper(self, node: Node) -> str | None:
        if self._is_by_rows(node):
            return _CHOOSE_ROWS
        if not self._is_by_bits(node):
            return None
        return _KEEP if is_fill(node.inputs[2], 0) else _CHOOSE

    @staticmethod
    def _is_by_rows(node: Node) -> bool:
        """Say whether the condition is one for each row, and rows are long."""
        test, *values = node.inputs
        if test.op.name != "broadcast_to" or node.ndim < 2 or any(x.op is full for x in values):
            return False
        source, length = test.inputs[0].shape, node.shape[-1]
        is_row = bool(source) and source[-1] == 1 and any(d != 1 for d in source[-2:-1])
        return is_row and isinstance(length, int) and length >= _LONG_ROW

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
