"""Pointwise functions: one for each op of the family, generated from the registry.

Operands broadcast and dtypes promote as in NumPy 2: a Python number takes the other operand's
kind, and float32 with int64 gives float64.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from graphc.build.arrays.operands import beside_nodes, warn_of_wide_values
from graphc.errors import GraphError
from graphc.ir.attributes import plain
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ir.types import BOOL, SHORT, as_dtype
from graphc.ops.elementwise.pointwise import SAME, Pointwise
from graphc.ops.elementwise.pointwise import cast as cast_op
from graphc.ops.leaf import as_node
from graphc.ops.promotion import is_weak
from graphc.ops.registry import OPS

Function: TypeAlias = "Callable[..., Node]"


def numpy_ufunc(op: Pointwise) -> np.ufunc | None:
    """Return NumPy's ufunc of the same meaning, or None where NumPy has none."""
    found = getattr(np, op.ufunc or op.name, None)
    return found if isinstance(found, np.ufunc) else None


def pointwise_function(op: Pointwise) -> Function:
    """Return the public function that builds nodes of `op`, with its docstring and signature."""

    def function(*operands: Any) -> Node:
        _refuse_truth_values(op, operands)
        if not op.cuts_to_bool:
            warn_of_wide_values(operands)
        return op(*beside_nodes(operands))

    function.__name__ = function.__qualname__ = op.name
    function.__module__ = "graphc.build.functions"
    function.__doc__ = _documentation(op)
    parameters = [inspect.Parameter(a, inspect.Parameter.POSITIONAL_ONLY) for a in op.args]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect
    return function


def _pointwise(name: str) -> Pointwise:
    op = OPS[name]
    assert isinstance(op, Pointwise), name
    return op


def _documentation(op: Pointwise) -> str:
    shapes = "any shape" if op.arity == 1 else "shapes that broadcast together"
    lines = [op.doc, "", f"**Shapes.** {', '.join(op.args)}: {shapes} -> their common shape."]
    if op.formula != op.name and not op.formula.startswith(f"{op.name}("):
        lines.append(f"**Formula.** `{op.formula}`")
    return "\n".join([*lines, "**Raises.** GraphError where shapes or dtypes do not fit."])


def _refuse_truth_values(op: Pointwise, operands: Sequence[Any]) -> None:
    """Raise where NumPy has no such arithmetic on truth values: it refuses, or leaves for int8."""
    if op.dtype_rule != SAME or not all(map(_is_truth_value, operands)):
        return
    ufunc = numpy_ufunc(op)
    if ufunc is None or ufunc.nin != op.arity:
        return
    try:
        if ufunc.resolve_dtypes((BOOL,) * op.arity + (None,))[-1] in SHORT:
            return
    except TypeError:
        pass
    raise user_error(
        f"{op.infix or op.prefix or op.name}: not defined for truth values",
        got=" and ".join(["bool"] * op.arity),
        fix="use logical_xor, logical_not and the like, or cast: x.astype('float32')",
    )


def _is_truth_value(operand: Any) -> bool:
    return isinstance(operand, bool) or getattr(operand, "dtype", None) == BOOL


# -- functions that say more than their op -------------------------------------------------------


def cast(x: Any, dtype: Any) -> Node:
    """Convert to another dtype, as `numpy.astype`.

    **Shapes.** x: any shape -> the same shape.
    **Raises.** GraphError for a dtype other than bool, int32, int64, float32, float64.
    """
    return cast_op(as_node(x), as_dtype(dtype))


astype = cast


def where(condition: Any, x: Any, y: Any) -> Node:
    """Choose x where the condition holds, else y; the other branch's derivative is exactly 0.

    **Shapes.** All three broadcast to one shape.
    """
    warn_of_wide_values((x, y))
    return OPS["where"](*beside_nodes((condition, x, y)))


def clip(x: Any, min: Any = None, max: Any = None) -> Node:
    """Limit x to [min, max]; None leaves that side open.

    The derivative is 1 inside and on the bounds, 0 outside.
    **Shapes.** All broadcast to one shape.
    """
    node = as_node(x)
    warn_of_wide_values((node, min, max))
    min, max = beside_nodes((min, max))
    if min is None and max is None:
        return node
    if min is not None and max is not None:
        return OPS["clip"](node, min, max)
    bound, side = (max, "minimum") if min is None else (min, "maximum")
    if OPS[side](node, bound).dtype.kind != "f":
        return OPS[side](node, bound)
    low, high = (-np.inf, max) if min is None else (min, np.inf)
    return OPS["clip"](node, low, high)


def round(x: Any, decimals: int = 0) -> Node:
    """Round to the nearest, ties to even; derivative 0.

    **Shapes.** x: any shape -> the same shape.
    """
    node = as_node(x)
    if node.dtype.kind != "f":
        if decimals < 0:
            raise GraphError(
                "round: integers cannot be rounded to tens", got=f"decimals={decimals}"
            )
        return cast(node, "float64") if node.dtype == BOOL else node
    if decimals == 0:
        return OPS["round"](node)
    scale = 10.0 ** abs(decimals)
    there, back = ("multiply", "divide") if decimals > 0 else ("divide", "multiply")
    return OPS[back](OPS["round"](OPS[there](node, scale)), scale)


def _whole(name: str) -> Function:
    """Return floor, ceil or trunc: whole numbers are their own result, as in NumPy."""
    general = pointwise_function(_pointwise(name))

    def function(x: Any, /) -> Node:
        node = as_node(x)
        return node if node.dtype.kind in "bi" else general(node)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "graphc.build.functions"
    function.__doc__ = general.__doc__
    return function


def leaky_relu(x: Any, negative_slope: Any = 0.01) -> Node:
    """x above 0, negative_slope*x at and below 0 (its derivative at 0 is the slope).

    **Shapes.** x: any shape -> the same shape; the slope may be a node that broadcasts.
    """
    return OPS["leaky_relu"](_floating(x), _weak(negative_slope))


def elu(x: Any, alpha: Any = 1.0) -> Node:
    """x above 0, alpha*(exp(x) - 1) at and below 0.

    **Shapes.** x: any shape -> the same shape; alpha may be a node that broadcasts.
    **Source.** Clevert et al. 2015, arXiv:1511.07289.
    """
    return OPS["elu"](x, _weak(alpha))


def gelu(x: Any, approximate: str = "none") -> Node:
    """x times the normal distribution function of x.

    `approximate="tanh"` takes the tanh formula instead of erf.
    **Shapes.** x: any shape -> the same shape.
    **Source.** Hendrycks & Gimpel 2016, arXiv:1606.08415.
    """
    names = {"none": "gelu", "tanh": "gelu_tanh"}
    if approximate not in names:
        raise GraphError(
            "gelu: unknown approximation", got=repr(approximate), expected='"none" or "tanh"'
        )
    return OPS[names[approximate]](x)


def _weak(setting: Any) -> Any:
    """Return a number as Python's, which takes the dtype of what it stands beside."""
    return plain(setting) if np.ndim(setting) == 0 else setting


def _floating(x: Any) -> Any:
    return x if is_weak(x) or as_node(x).dtype.kind == "f" else cast(x, "float64")


# -- operators -----------------------------------------------------------------------------------


def truth_operator(name: str, symbol: str) -> Function:
    """Return the operator &, |, ^ or ~ on truth values; graphs have no bitwise arithmetic."""
    function = pointwise_function(_pointwise(name))
    compared = f"{symbol}(x > 0)" if symbol == "~" else f"(x > 0) {symbol} (y > 0)"
    fix = f"compare first, as in {compared}, or call gc.{name}"

    def operator(*operands: Any) -> Node:
        for operand in operands:
            if not _is_truth_value(operand):
                raise user_error(
                    f"{symbol} works on truth values",
                    got=str(operand.type) if isinstance(operand, Node) else repr(operand),
                    expected="bool",
                    fix=f"{fix}; a power is x**2" if symbol == "^" else fix,
                )
        return function(*operands)

    return operator


#: Name -> function, for every pointwise op and for NumPy's names of them.
POINTWISE: dict[str, Function] = {
    op.name: pointwise_function(op) for op in OPS.values() if isinstance(op, Pointwise)
}
POINTWISE |= {name: _whole(name) for name in ("floor", "ceil", "trunc")}
POINTWISE |= {
    function.__name__: function for function in (cast, where, clip, round, leaky_relu, elu, gelu)
}
POINTWISE |= {
    op.ufunc: POINTWISE[op.name]
    for op in OPS.values()
    if isinstance(op, Pointwise) and op.ufunc and op.ufunc not in POINTWISE
}
POINTWISE |= {"astype": cast, "absolute": POINTWISE["abs"], "pow": POINTWISE["power"]}
POINTWISE |= {"lgamma": POINTWISE["loggamma"]}  # the name in C, Python's math and PyTorch
