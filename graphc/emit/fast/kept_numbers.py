"""Numbers as arrays of no axes, made once and kept.

A call of NumPy takes such an array a third of a microsecond sooner than a number of Python's, which
it has to convert: as long as a hundred elements take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphc.emit.expressions import Expressions
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import full

#: Values whose axes of known length have more elements are long enough for a number to be read in.
_SHORT = 64
#: What numbers are called.
_WORDS = {
    "0": "zero",
    "1": "one",
    "2": "two",
    "0.5": "half",
    "np.inf": "infinity",
    "-np.inf": "minus_infinity",
}


class KeptNumbers:
    """The variables of the numbers that a function keeps."""

    def __init__(self) -> None:
        #: How a number is made -> its variable.
        self.names: dict[str, str] = {}

    def put(
        self,
        node: Node,
        operands: Sequence[Node],
        codes: Sequence[Code],
        expressions: Expressions,
        constants: dict[str, str],
    ) -> list[Code]:
        """Return the operands' texts with kept numbers; add how these are made to `constants`."""
        if not (isinstance(node.op, Pointwise) and node.op.keeps_numbers):
            return list(codes)
        dtypes = {x.dtype for x in operands if x not in expressions.program.numbers}
        return [
            self._kept(x, expressions, constants)
            if x.op is full and x.dtype in dtypes and isinstance(x.attrs["value"], float)
            else code
            for x, code in zip(operands, codes, strict=True)
        ]

    def _kept(self, number: Node, expressions: Expressions, constants: dict[str, str]) -> Code:
        text = expressions.number(number).text
        made = f"np.full((), {text}, np.{number.dtype.name})"
        if made not in self.names:
            spoken = f"number_{text.replace('-', 'minus_')}"
            self.names[made] = expressions.namer.fresh(_WORDS.get(text, spoken))
        constants[self.names[made]] = made
        return Code(self.names[made])


def is_short(node: Node) -> bool:
    """Say whether a value may have so few elements that the cost of a call is what it costs."""
    return bool(node.shape) and math.prod(d for d in node.shape if isinstance(d, int)) <= _SHORT
