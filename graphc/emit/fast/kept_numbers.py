"""Numbers, also those made of dims alone, as arrays of no axes, made once and kept.

A call of NumPy takes such an array a third of a microsecond sooner than a number of Python's, which
it has to convert: as long as a hundred elements take.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Sequence

from graphc.emit.expressions import Expressions
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import full

#: Values of more elements are long enough for a number to be read in; where dims have names, those
#: whose axes of known length have more.
_SHORT, _SHORT_BESIDE_NAMES = 4096, 64
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
        numbers = expressions.program.numbers
        dtypes = {x.dtype for x in operands if x not in numbers}
        kept = list(codes)
        for i, (x, code) in enumerate(zip(operands, codes, strict=True)):
            if x.dtype not in dtypes or not _is_of_dims(x, code, numbers):
                continue
            text = expressions.number(x).text
            if isinstance(node.op, Pointwise) and node.op.keeps_numbers:
                kept[i] = Code(self._kept(text, x, expressions, constants))
            elif node.op.accumulates and x.op is not full:  # what is subtracted shows its sign
                size = text.removeprefix("-")
                name = self._kept(size, x, expressions, constants)
                kept[i] = Code(text.removesuffix(size) + name)
        return kept

    def _kept(
        self, text: str, number: Node, expressions: Expressions, constants: dict[str, str]
    ) -> str:
        made = f"np.full((), {text}, np.{number.dtype.name})"
        if made not in self.names:
            self.names[made] = expressions.namer.fresh(_WORDS.get(text) or _spoken(text))
        constants[self.names[made]] = made
        return self.names[made]


def _is_of_dims(x: Node, code: Code, numbers: Container[Node]) -> bool:
    """Say whether a value is a number, or a line of arithmetic on numbers and dims."""
    if x.op is full:
        return True
    is_written_out = isinstance(x.op, Pointwise) and not code.text.isidentifier()
    return is_written_out and bool(x.inputs) and all(y in numbers for y in x.inputs)


def _spoken(text: str) -> str:
    """Return what a number is called.

    >>> _spoken("-0.01 / np.float32(N)")
    'number_minus_0_01_over_N'
    """
    for sign, word in (("np.float32", ""), ("np.float64", ""), ("-", " minus "), ("/", " over ")):
        text = text.replace(sign, word)
    return "_".join(["number", *re.findall(r"\w+", text)])


def is_short(node: Node) -> bool:
    """Say whether a value may have so few elements that the cost of a call is what it costs."""
    known = [dim for dim in node.shape if isinstance(dim, int)]
    few = _SHORT if len(known) == node.ndim else _SHORT_BESIDE_NAMES
    return bool(node.shape) and math.prod(known) <= few
