"""Leaves: inputs, parameters, constants, and one number in every place of an array."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir.attributes import ArrayLiteral, Attributes, plain
from graphc.ir.bounds import UNKNOWN, Bounds, exactly
from graphc.ir.code import ATOM, UNARY, Code, Codes, Notation
from graphc.ir.dims import Dim, Shape, as_dim, as_shape, dim_text
from graphc.ir.no_node import no_node
from graphc.ir.node import Node, make_node
from graphc.ir.op import Arrays, Case, Op, literal
from graphc.ir.provenance import user_error
from graphc.ir.ranges import ANYTHING, Range, only_number
from graphc.ir.types import SHORT, TensorType, as_dtype, is_float, promote
from graphc.ops.registry import OPS, register

#: No size, nor a product of a few, is so large; a float32 holds it, and 1 over it.
_LARGEST_SIZE = 2.0**120
#: What `repr` puts into exponents that nobody writes: 1e+38, 1e-08.
_EXPONENT = re.compile(r"(?<=\d)e\+?(-?)0*(?=\d)")
#: A round number from a million on, which `repr` writes out: 1000000000.0.
_ROUND = re.compile(r"(?<![\d.])([1-9])(0{6,})\.0\b")


class Leaf(Op):
    """An op without inputs."""

    family = "leaf"

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return TensorType(attrs["dtype"], attrs["shape"])

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> None:
        return None

    def holds_minus_infinity(self, node: Node) -> bool:
        return False


class Input(Leaf):
    """A value that each call provides."""

    is_leaf = True

    def __call__(self, name: str, shape: Any = (), dtype: Any = "float32") -> Node:
        attrs = {"name": _checked_name(name), "shape": as_shape(shape), "dtype": as_dtype(dtype)}
        return make_node(self, (), attrs, name)

    def text(self, node: Node, args: Codes) -> Code:
        words = [SHORT[node.dtype], *map(dim_text, node.shape)]
        return Code(f"input({', '.join(words)})")

    def label(self, node: Node, args: Sequence[str]) -> str:
        return "input"

    def holds_minus_infinity(self, node: Node) -> bool:
        return True


def input_for(value: Node, name: str, shape: Shape) -> Node:
    """Return an input that stands for a value, or for a part of it, in the body of a loop.

    Where nobody named the value, `name` tells the input from others and is no name of its own:
    nothing is called after it.
    """
    node = OPS["input"](name, shape, value.dtype)
    provenance = node.provenance.renamed(name if value.name else None)
    return Node(node.op, (), node.attrs, node.type, provenance)


class Param(Leaf):
    """A value that the state keeps: a weight, or an optimizer's slot."""

    is_leaf = True

    def __call__(
        self,
        name: str,
        shape: Any = (),
        dtype: Any = "float32",
        init: Any = None,
        trainable: bool = True,
        slot: bool = False,
        sparse: bool = False,
    ) -> Node:
        if trainable and not slot and not is_float(as_dtype(dtype)):
            trainable = False
        attrs = {
            "name": _checked_name(name),
            "shape": as_shape(shape),
            "dtype": as_dtype(dtype),
            "init": init,
            "trainable": trainable and not slot,
            "slot": slot,
            "sparse": sparse,
        }
        return make_node(self, (), attrs, name)

    def text(self, node: Node, args: Codes) -> Code:
        words = [SHORT[node.dtype], *map(dim_text, node.shape)]
        if node.attrs["init"] is not None:
            words.append(f"init={literal(node.attrs['init'])}")
        if node.attrs["slot"]:
            words.append("slot=True")
        elif not node.attrs["trainable"]:
            words.append("trainable=False")
        if node.attrs["sparse"]:
            words.append("sparse=True")
        return Code(f"param({', '.join(words)})")

    def label(self, node: Node, args: Sequence[str]) -> str:
        return "parameter"


class Fill(Leaf):
    """One number in every place of a shape; the number may be a dim (`N`)."""

    is_inserted = True

    def __call__(self, shape: Any, value: Any, dtype: Any = None) -> Node:
        dtype = value.dtype if dtype is None and isinstance(value, np.generic) else dtype
        value = plain(value)
        weak = type(value) if isinstance(value, (bool, int, float)) else int
        dtype = as_dtype(dtype) if dtype is not None else promote(np.dtype(weak))
        return fill(value, as_shape(shape), dtype)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.full(result.shape, attrs["value"], result.dtype)

    def called(self, node: Node) -> str:
        names = {0: "zeros", 1: "ones", -math.inf: "minus_infinity"}
        return names.get(node.attrs["value"], self.name)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        shape, dtype = notation.size(node.shape), notation.dtype(node.dtype)
        number = self.scalar(node, notation).text
        if not node.shape:
            kind = "bool_" if node.dtype.kind == "b" else node.dtype.name
            return Code(f"np.{kind}({number})")
        for value, function in (("0", "zeros"), ("1", "ones")):
            if number == value:
                return Code(f"np.{function}({shape}, {dtype})")
        return Code(f"np.full({shape}, {number}, {dtype})")

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        value = node.attrs["value"]
        if isinstance(value, (bool, int, float)):
            return exactly(float(value)) if not math.isnan(value) else UNKNOWN
        return Bounds(_least(value), math.inf, bool(value.is_positive))

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        value = node.attrs["value"]
        if isinstance(value, (bool, int, float)):
            return only_number(float(value))
        return Range(_least(value), _LARGEST_SIZE, False)

    def holds_minus_infinity(self, node: Node) -> bool:
        return bool(_held(node.attrs["value"], node.dtype) == -math.inf)

    def scalar(self, node: Node, notation: Notation) -> Code:
        """Return the number alone, for an operand that NumPy broadcasts: a weak Python scalar."""
        value = node.attrs["value"]
        if not isinstance(value, (bool, int, float)):
            text = notation.number(value)
            is_negative = text[:1] == "-" and text[1:].isidentifier()
            return Code(text, ATOM if text.isidentifier() else UNARY if is_negative else 0)
        if isinstance(value, float):
            value = _held(value, node.dtype)
            if value != value or value in (float("inf"), float("-inf")):
                text = {"inf": "np.inf", "-inf": "-np.inf", "nan": "np.nan"}[repr(value)]
                return Code(text, UNARY if text.startswith("-") else ATOM)
            # An integral constant reads better without its point and means the same to NumPy.
            if value.is_integer() and abs(value) < 1e6 and repr(value) != "-0.0":
                value = int(value)
            elif node.dtype == np.float32 and np.float32(value) == value:
                # As many digits as tell it from its neighbours: 0.02, not 0.019999999552965164.
                value = float(str(np.float32(value)))
        text = number_text(value)
        return Code(text, UNARY if text.startswith("-") else ATOM)

    def text(self, node: Node, args: Codes) -> Code:
        shape = literal(node.shape)
        return Code(f"full({shape}, {literal(node.attrs['value'])}, dtype={SHORT[node.dtype]})")

    def label(self, node: Node, args: Sequence[str]) -> str:
        text = self.scalar(node, Notation(numpy="")).text
        return text.replace("np.", "").replace("inf", "∞")

    def latex(self, node: Node, args: Sequence[str]) -> str:
        return self.label(node, args)


def _least(number: Any) -> float:
    """Return what a number made from dims, which are 1 at least, is not below: N, 1/N, N - 5."""
    if number.is_positive and number.is_integer:
        return 1.0
    return 0.0 if number.is_nonnegative else -math.inf


class Constant(Leaf):
    """An array written into the graph."""

    def __call__(self, value: Any, dtype: Any = None) -> Node:
        array = np.asarray(value)
        if array.dtype.kind in "OSU":
            raise no_node(value)
        array = array.astype(as_dtype(dtype if dtype is not None else array.dtype))
        if array.ndim == 0:
            return fill(array.item(), (), array.dtype)
        attrs = {"value": ArrayLiteral(array), "shape": array.shape, "dtype": array.dtype}
        return make_node(self, (), attrs)

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return attrs["value"].array

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        array = node.attrs["value"].array
        if array.size == 0:
            return exactly(0.0)
        return Bounds(float(array.min()), float(array.max()), bool((array != 0).all()))

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        array = node.attrs["value"].array
        if not array.size or np.isnan(array).any():
            return ANYTHING
        return Range(float(array.min()), float(array.max()), False)

    def holds_minus_infinity(self, node: Node) -> bool:
        return bool((node.attrs["value"].array == -np.inf).any())

    def called(self, node: Node) -> str:
        return {"i": "index", "b": "mask"}.get(node.dtype.kind, self.name)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        array = node.attrs["value"].array
        short = _triangle(array) or _identity(array, notation)
        if short:
            return short
        numbers = number_text(array.tolist()).replace("nan", "np.nan").replace("inf", "np.inf")
        text = f"np.array({numbers}, {notation.dtype(node.dtype)})"
        return Code(text if array.size else f"{text}.reshape({notation.shape(node.shape)})")

    def text(self, node: Node, args: Codes) -> Code:
        array = node.attrs["value"].array
        return Code(f"constant({array.tolist()!r}, dtype={SHORT[node.dtype]})")

    def label(self, node: Node, args: Sequence[str]) -> str:
        array = node.attrs["value"].array
        return (
            str(array.tolist())
            if array.size <= 4
            else "constant " + "×".join(map(str, array.shape))
        )


def number_text(value: Any) -> str:
    """Return a number, or a list of them, as a person writes it.

    >>> number_text([1e38, 1e-08, -1000000000.0, 1200000.0])
    '[1e38, 1e-8, -1e9, 1200000.0]'
    """
    text = _EXPONENT.sub(r"e\1", repr(value))
    return _ROUND.sub(lambda found: f"{found[1]}e{len(found[2])}", text)


def _triangle(array: np.ndarray) -> Code | None:
    """Return how to write a mask of the elements on and below, or else above, a diagonal."""
    if array.dtype != bool or array.ndim != 2 or array.size < 4:
        return None
    n, m = array.shape
    for sign, mask in (("", array), ("~", ~array)):
        k = int(np.count_nonzero(mask[0])) - 1
        if np.array_equal(mask, np.tri(n, m, k, dtype=bool)):
            size = f"{n}, {m}, {k}" if k else f"{n}, {m}" if n != m else f"{n}"
            return Code(f"{sign}np.tri({size}, dtype=bool)", UNARY if sign else ATOM)
    return None


def _identity(array: np.ndarray, notation: Notation) -> Code | None:
    """Return how to write an identity matrix."""
    if array.ndim != 2 or array.size < 4 or not np.array_equal(array, np.eye(*array.shape)):
        return None
    size = ", ".join(map(str, dict.fromkeys(array.shape)))
    return Code(f"np.eye({size}, dtype={notation.dtype(array.dtype)})")


input_ = register(Input("input", "A value that each call provides."))
param = register(
    Param("param", "A value kept in the state: trained, frozen, or an optimizer slot.")
)
full = register(
    Fill(
        "full", "One number in every place of a shape.", [Case((), {"shape": (2, 3), "value": 2.5})]
    )
)
constant = register(
    Constant(
        "constant",
        "An array written into the graph.",
        [Case((), {"value": [[1.5, -2.0], [0.0, 3.0]]}), Case((), {"value": [1, 2, 3]})],
    )
)
_draws = itertools.count()


def next_draw() -> int:
    """Return a number that tells this random draw from all others; only its order matters."""
    return next(_draws)


def fill(value: Any, shape: tuple[Dim, ...], dtype: np.dtype) -> Node:
    """Return `value` in every place of `shape`; the value is converted to the dtype's kind."""
    if isinstance(value, (bool, int, float)):
        value = _held({"f": float, "i": int, "b": bool}[dtype.kind](value), dtype)
    elif not hasattr(value, "free_symbols"):
        raise GraphError("full takes a number, or a dim", got=repr(value))
    return make_node(full, (), {"value": value, "shape": shape, "dtype": dtype})


def _held(value: Any, dtype: np.dtype) -> Any:
    """Return a number as its type holds it: beyond the range of floats it is infinite.

    **Raises.** GraphError for an integer beyond the range of integers.
    """
    if dtype.kind == "i" and not isinstance(value, bool):
        limits = np.iinfo(dtype)
        if not limits.min <= value <= limits.max:
            fits_wider = -(2**63) <= value < 2**63
            raise user_error(
                f"a number does not fit {dtype.name}",
                got=str(value),
                expected=f"{limits.min} to {limits.max}",
                fix="cast the other operand to int64" if fits_wider else "make it a float",
            )
    largest = float(np.finfo(dtype).max) if dtype.kind == "f" else math.inf
    is_beyond = isinstance(value, float) and abs(value) > largest
    return math.copysign(math.inf, value) if is_beyond else value


def zeros_like(node: Node) -> Node:
    return fill(0, node.shape, node.dtype)


def is_fill(node: Node, value: float | None = None) -> bool:
    """Say whether a node is one number everywhere (that number, where one is given)."""
    if node.op is not full:
        return False
    return value is None or bool(node.attrs["value"] == value)


def as_node(value: Any, dtype: np.dtype | None = None) -> Node:
    """Return a node for a node, a number, a dim or an array."""
    if isinstance(value, Node):
        return value
    if isinstance(value, (bool, int, float)):
        return fill(value, (), dtype or promote(np.dtype(type(value))))
    if hasattr(value, "free_symbols"):
        return fill(as_dim(value), (), dtype or np.dtype(np.int64))
    try:
        return constant(value)
    except (TypeError, ValueError):
        raise no_node(value) from None


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise user_error("a name must be a non-empty string", got=repr(name))
    return name
