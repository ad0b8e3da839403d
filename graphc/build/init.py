"""Initial values of parameters: the names that users write, and the first state of a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from graphc.build.initializers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    LecunNormal,
    LecunUniform,
    Normal,
    Ones,
    Orthogonal,
    Uniform,
    Zeros,
    fans,
    held,
)
from graphc.errors import GraphError, did_you_mean, nearest
from graphc.ir.attributes import ArrayLiteral, plain
from graphc.ir.dims import evaluate_shape, symbols_of
from graphc.ir.foreign_names import no_attribute
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ir.types import BOOL, FLOAT64, INT64, as_dtype

__all__ = [
    "INITIALIZERS",
    "Initializer",
    "constant",
    "fans",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "uniform",
    "zeros",
]


def __dir__() -> list[str]:
    """Show the public names alone."""
    return sorted(__all__)


if not TYPE_CHECKING:  # a checker knows the names that are there

    def __getattr__(name: str) -> NoReturn:
        raise no_attribute("graphc.init", name, __all__)


zeros, ones, normal, uniform, orthogonal = Zeros, Ones, Normal, Uniform, Orthogonal
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal = HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal


#: What fixed values are kept as, by their kind.
_WIDEST = {"b": BOOL, "i": INT64, "u": INT64, "f": FLOAT64}
#: Up to here a whole number is a float, too, and kept as one.
_EXACT = 2**53


def constant(value: Any, dtype: Any = None) -> Initializer:
    """Return the initializer that sets a parameter to a number, or to an array of its shape.

    **Raises.** GraphError where the value is neither, or holds what `dtype` cannot.
    """
    kind, value = None if dtype is None else as_dtype(dtype), _plain_number(value)
    if isinstance(value, (bool, int, float)):
        return _uniform_value(value, kind)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):  # rows of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise user_error("constant takes a number, or an array of numbers", got=repr(value))
    return Constant(ArrayLiteral(held(array, kind or _WIDEST[array.dtype.kind])))


def _plain_number(value: Any) -> Any:
    """Return NumPy's number, or its array of no axes, as Python's number."""
    return plain(value) if isinstance(value, (np.ndarray, np.generic)) and not value.ndim else value


#: Text-form name -> initializer.
INITIALIZERS: dict[str, Callable[..., Initializer]] = {
    cls.name: cls
    for cls in (
        GlorotUniform,
        GlorotNormal,
        HeUniform,
        HeNormal,
        LecunUniform,
        LecunNormal,
        Normal,
        Uniform,
        Orthogonal,
    )
} | {"zeros": Zeros, "ones": Ones, "constant": constant}


def as_initializer(value: Any) -> Initializer | None:
    """Return what `init=` means: an initializer, None (zeros), a number, or fixed values.

    A constant node counts as its values, so that `init=constant(0.1)` and `init=zeros()` may be
    written with the array functions of those names.
    **Raises.** GraphError for anything else.
    """
    if value is None or isinstance(value, Initializer):
        return value
    if isinstance(value, type) and issubclass(value, Initializer):
        return value()
    if isinstance(value, Node) and "value" in value.attrs:
        held = value.attrs["value"]
        return Constant(held) if isinstance(held, ArrayLiteral) else _uniform_value(held)
    if isinstance(value, (bool, int, float, list, tuple, np.ndarray, np.generic)):
        return constant(value)
    raise user_error(
        "not an initializer",
        got=f"{value!r} of type {type(value).__name__}",
        expected=", ".join(INITIALIZERS) + ", a number or an array",
        fix=_call_of(value),
    )


def _call_of(value: Any) -> str | None:
    """Return the call that a text such as "glorot_uniform" or "normal(0.1)" stands for."""
    if not isinstance(value, str):
        return None
    name, _, arguments = value.strip().partition("(")
    meant = name if name in INITIALIZERS else nearest(name, list(INITIALIZERS))
    if meant is None:
        return None
    if not arguments.endswith(")"):
        arguments = "0.1)" if meant == "constant" else ")"
    return f"call it, without quotes: gc.init.{meant}({arguments}"


def _uniform_value(number: bool | float, dtype: np.dtype | None = None) -> Initializer:
    """Return the simplest initializer for one number, so that each has one text form."""
    if number in (0, 1):
        return Ones() if number else Zeros()
    rule = Constant(float(number) if abs(number) <= _EXACT else number)
    if dtype is not None:
        rule.check(dtype)
    return rule


def initial_state(graph: Graph, seed: int = 0, **sizes: int) -> dict[str, np.ndarray]:
    """Return the first value of every parameter, and zeros for the slots without an `init`.

    The parameters draw from one generator in the order of `graph.params`, as the emitted `init`
    does. `sizes` give the named dims that occur in parameters' shapes; others may be among them.
    **Raises.** GraphError where such a size is missing, or a name is none of the graph's dims.
    """
    _check_names(graph, sizes)
    sizes = {name: checked_size(name, size) for name, size in sizes.items()}
    rng = generator_of(seed)
    state = {}
    for name, node in graph.params.items():
        missing = [dim for dim in symbols_of(node.shape) if dim not in sizes]
        if missing:
            raise GraphError(
                f"the size of parameter {name!r} depends on {missing[0]}",
                got=str(node.type),
                fix=f"give it: g.init(seed={seed}, {missing[0]}=10)",
            )
        init = node.attrs["init"] or Zeros()
        state[name] = init.sample(rng, evaluate_shape(node.shape, sizes), node.dtype)
    return state


def generator_of(seed: Any) -> np.random.Generator:
    """Return NumPy's generator of a seed; raise GraphError for what is none."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise user_error("a seed is a whole number, at least 0", got=f"seed={seed!r}") from None


def checked_size(name: str, size: Any) -> int:
    """Return the size of a named dim as a whole number; raise GraphError where it is none."""
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 0:
        raise GraphError(f"{name} is no size", got=repr(size), expected="a whole number")
    return int(size)


def _check_names(graph: Graph, sizes: Mapping[str, int]) -> None:
    """Raise where a size belongs to no dim: it is misspelt."""
    leaves = [*graph.params.values(), *graph.inputs.values()]
    known = [*graph.dims, *[str(dim) for leaf in leaves for dim in leaf.shape]]
    for name in sizes:
        if name not in known:
            raise user_error(
                f"{graph.name} has no dim called {name!r}",
                expected=", ".join(graph.dims) or "no sizes: all are fixed",
                fix=did_you_mean(name, graph.dims),
            )
