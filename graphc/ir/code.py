"""A piece of NumPy source text with its precedence, so that only needed parentheses print."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from graphc.ir.dims import Dim, Shape, dim_text, size_text

# Precedence of Python's operators, low to high (the language reference, section 6.17).
COMPARISON, BIT_OR, BIT_XOR, BIT_AND, SUM, PRODUCT, UNARY, POWER, ATOM = range(9)

#: Products and quotients, around which formatters put spaces; powers stay as they are.
_TIGHT = re.compile(r"(?<=[\w)])(//|(?<!\*)\*(?!\*))(?=[\w(])")


@dataclass(frozen=True, slots=True)
class Code:
    """Source text of an expression and how tightly its outermost operator binds.

    `sliced` is the array's text where all of this is a slice of one, as the slice's op writes it.
    """

    text: str
    precedence: int = ATOM
    sliced: str | None = field(default=None, compare=False)

    def within(self, precedence: int) -> str:
        """Return the text, in parentheses where it binds less tightly than `precedence`."""
        return self.text if self.precedence >= precedence else f"({self.text})"

    def turned(self) -> Code:
        """Return the array with its axes in reverse order, which undoes itself."""
        array = self.within(ATOM)
        return Code(array.removesuffix(".T") if array.endswith(".T") else f"{array}.T")

    def __str__(self) -> str:
        return self.text


#: The expressions of a node's operands.
Codes: TypeAlias = "Sequence[Code]"


def grouped(word: str, codes: Codes) -> list[str]:
    """Return a keyword with its argument, one or several in parentheses; nothing for none."""
    if not codes:
        return []
    text = ", ".join(code.text for code in codes)
    return [f"{word}={text}" if len(codes) == 1 else f"{word}=({text})"]


@dataclass(frozen=True)
class Notation:
    """How one emitted module writes dims, shapes and dtypes.

    `owns_out`: the array that is written into was made by the module, so it lies in one piece.
    `threads`: who may start some for a product. BLAS, unless the module has threads of its own,
    which BLAS's would be in the way of: then the module, or nobody `beside` other threads.
    `multiply`: the function that multiplies matrices there. `keeps_views`: a view may be bound
    once and read when its memory has changed, so that no single element is taken out of it.
    `is_for_speed`: of what NumPy has for the same, what takes less time is written.
    `is_long`: arrays are taken to have many elements, where sizes do not tell.
    """

    dims: Mapping[str, str] = field(default_factory=dict)
    numpy: str = "np"
    owns_out: bool = False
    threads: Literal["blas", "own", "beside"] = "blas"
    multiply: str = "matmul_in_tiles"
    keeps_views: bool = False
    is_for_speed: bool = False
    is_long: bool = False

    def dim(self, dim: Dim) -> str:
        """Return a size, which is whole: half of N is `N // 2`."""
        return self._spaced(size_text(dim, self.dims))

    def number(self, value: Dim) -> str:
        """Return a number made from dims, whole or not: `N / 2`."""
        return self._spaced(dim_text(value, self.dims))

    def _spaced(self, text: str) -> str:
        return text if text.isalnum() else _TIGHT.sub(r" \1 ", text)

    def shape(self, shape: Shape) -> str:
        inner = ", ".join(map(self.dim, shape))
        return f"({inner},)" if len(shape) == 1 else f"({inner})"

    def size(self, shape: Shape) -> str:
        """Return a shape as an array is made with it: one axis is a plain number."""
        return self.dim(shape[0]) if len(shape) == 1 else self.shape(shape)

    def dtype(self, dtype: np.dtype) -> str:
        return "bool" if dtype.kind == "b" else f"{self.numpy}.{dtype.name}"
