"""Random draws. Two draws are never merged; the numbers come from an explicit generator `rng`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir.attributes import Attributes, plain
from graphc.ir.code import COMPARISON, PRODUCT, SUM, Code, Codes, Notation
from graphc.ir.dims import Dim, as_shape
from graphc.ir.node import Node
from graphc.ir.op import Case, Op, literal
from graphc.ir.provenance import user_error
from graphc.ir.ranges import Range
from graphc.ir.types import SHORT, TensorType, as_dtype, is_float
from graphc.ops.leaf import next_draw
from graphc.ops.registry import register


class Draw(Op):
    """Fresh numbers of a given shape; `draw` orders the draws, so all styles agree on them.

    `template` is the NumPy expression over `rng`, `shape` and `dtype`; the reference evaluates
    the same calls.
    """

    family = "random"
    is_random = True

    def __init__(self, name: str, doc: str, **defaults: float) -> None:
        self.defaults = defaults
        super().__init__(name, doc, [Case((), {"shape": (3, 4)}), Case((), {"shape": (0, 2)})])

    def __call__(
        self, shape: Any = (), dtype: Any = None, draw: int | None = None, **parameters: float
    ) -> Node:
        unknown = set(parameters) - set(self.defaults)
        if unknown:
            raise GraphError(
                f"{self.name} has no argument {sorted(unknown)[0]!r}",
                expected=", ".join(["shape", *self.defaults, "dtype"]),
            )
        kind = as_dtype(dtype if dtype is not None else self.default_dtype)
        attrs = {**self.defaults, **{k: self._number(k, v) for k, v in parameters.items()}}
        self.check(attrs, kind)
        # `draw` in a text is the rank that the printer gave; a fresh number keeps the order.
        return self.make([], **attrs, shape=as_shape(shape), dtype=kind, draw=next_draw())

    def arrived(self, attrs: Attributes) -> Attributes:
        """Count it among the draws of this process, where its number may be taken."""
        return Attributes({**attrs, "draw": next_draw()})

    def _number(self, name: str, value: Any) -> float:
        number = plain(value)
        if not isinstance(number, (int, float)):
            raise user_error(f"{name} of {self.name} must be a number", got=repr(value))
        return float(number)

    default_dtype = "float32"

    def check(self, attrs: Mapping[str, Any], dtype: np.dtype) -> None:
        if not is_float(dtype):
            raise GraphError(f"{self.name} draws floats", got=dtype.name)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return TensorType(attrs["dtype"], attrs["shape"])

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> None:
        return None

    def sample(
        self, rng: np.random.Generator, attrs: Mapping[str, Any], result: TensorType
    ) -> np.ndarray:
        """Return the numbers that the emitted code would draw from the same generator."""
        raise NotImplementedError(f"{self.name} does not say how it is drawn")

    def text(self, node: Node, args: Codes) -> Code:
        words = [literal(node.shape)]
        words += [f"{k}={literal(node.attrs[k])}" for k in self.defaults]
        if node.dtype != as_dtype(self.default_dtype):
            words.append(f"dtype={SHORT[node.dtype]}")
        return Code(f"{self.name}({', '.join(words)})")

    def label(self, node: Node, args: Sequence[str]) -> str:
        told = {k: node.attrs[k] for k, usual in self.defaults.items() if node.attrs[k] != usual}
        words = [literal(node.shape), *[f"{k}={literal(value)}" for k, value in told.items()]]
        return f"{self.name}({', '.join(words)})"


class Normal(Draw):
    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        return Range(nan=False)

    def sample(
        self, rng: np.random.Generator, attrs: Mapping[str, Any], result: TensorType
    ) -> np.ndarray:
        dtype = result.dtype.type
        numbers = rng.standard_normal(result.shape, dtype=dtype)
        return dtype(attrs["mean"]) + dtype(attrs["scale"]) * numbers

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        shape, dtype = notation.shape(node.shape), notation.dtype(node.dtype)
        drawn = f"rng.standard_normal({shape}, dtype={dtype})"
        return _scaled(node.attrs["mean"], node.attrs["scale"], drawn)


class Uniform(Draw):
    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        return Range(node.attrs["low"], node.attrs["high"], False)

    def sample(
        self, rng: np.random.Generator, attrs: Mapping[str, Any], result: TensorType
    ) -> np.ndarray:
        dtype = result.dtype.type
        numbers = rng.random(result.shape, dtype=dtype)
        return dtype(attrs["low"]) + dtype(attrs["high"] - attrs["low"]) * numbers

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        shape, dtype = notation.shape(node.shape), notation.dtype(node.dtype)
        span = node.attrs["high"] - node.attrs["low"]
        return _scaled(node.attrs["low"], span, f"rng.random({shape}, dtype={dtype})")


def _scaled(start: float, scale: float, drawn: str) -> Code:
    """Return start + scale * drawn, without what changes nothing."""
    product = Code(drawn) if scale == 1 else Code(f"{scale!r} * {drawn}", PRODUCT)
    return Code(f"{start!r} + {product}", SUM) if start else product


class Bernoulli(Draw):
    default_dtype = "bool"

    def check(self, attrs: Mapping[str, Any], dtype: np.dtype) -> None:
        if not 0 <= attrs["p"] <= 1:
            raise GraphError("a probability must lie in [0, 1]", got=attrs["p"])

    def sample(
        self, rng: np.random.Generator, attrs: Mapping[str, Any], result: TensorType
    ) -> np.ndarray:
        drawn = rng.random(result.shape, dtype=np.float32) < attrs["p"]
        return np.asarray(drawn).astype(result.dtype)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        drawn = f"rng.random({notation.shape(node.shape)}, dtype=np.float32) < {node.attrs['p']!r}"
        if node.dtype.kind == "b":
            return Code(drawn, COMPARISON)
        return Code(f"({drawn}).astype({notation.dtype(node.dtype)})")

    def scratch(self, node: Node) -> Dim:
        # The numbers that are compared; they are gone when a mask is converted.
        return (4 if node.dtype.kind == "b" else 1) * node.size


random_normal = register(Normal("random_normal", "Normal numbers.", mean=0.0, scale=1.0))
random_uniform = register(
    Uniform("random_uniform", "Uniform numbers in [low, high).", low=0.0, high=1.0)
)
random_bernoulli = register(Bernoulli("random_bernoulli", "True with probability p.", p=0.5))
