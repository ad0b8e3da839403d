"""NumPy's functions on nodes (NEP 13, NEP 18, array API): `np.exp(x)` builds what `gc.exp(x)` does.

Nothing here knows an op: NumPy's names are looked up among graphc's array functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from graphc.build import functions
from graphc.build.arrays.pointwise import POINTWISE, numpy_ufunc, truth_operator
from graphc.build.functions import ARRAY_FUNCTIONS
from graphc.errors import NodeValueError, nearest
from graphc.ir.dims import broadcast_shapes
from graphc.ir.foreign_names import MASKED, instead_of
from graphc.ir.node import Node
from graphc.ir.provenance import user_location
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS

#: The reduction and the running fold that a ufunc's methods `reduce` and `accumulate` stand for.
_FOLDS: dict[np.ufunc, tuple[str, str | None]] = {
    np.add: ("sum", "cumsum"),
    np.multiply: ("prod", "cumprod"),
    np.maximum: ("max", None),
    np.minimum: ("min", None),
    np.logical_and: ("all", None),
    np.logical_or: ("any", None),
    np.logaddexp: ("logsumexp", "logcumsumexp"),
}

#: NumPy's name of a parameter -> graphc's, where they differ.
_PARAMETERS = {
    "a": "x",
    "arr": "x",
    "ary": "x",
    "array": "x",
    "m": "x",
    "newshape": "shape",
    "a_min": "min",
    "a_max": "max",
    "fill_value": "value",
    "constant_values": "value",
}

#: NumPy's functions under another name than graphc's.
_RENAMED = {
    "amax": "max",
    "amin": "min",
    "around": "round",
}

#: What says how NumPy goes about it, or is refused before (sorting is always stable here).
_IGNORED = frozenset(
    [
        "casting",
        "copy",
        "initial",
        "kind",
        "like",
        "optimize",
        "order",
        "out",
        "stable",
        "subok",
        "where",
    ]
)

#: Functions of numpy.linalg with the same meaning (its trace and diagonal take other axes).
_LINEAR_ALGEBRA = frozenset(
    [
        "cholesky",
        "det",
        "inv",
        "matmul",
        "matrix_transpose",
        "norm",
        "outer",
        "slogdet",
        "solve",
        "tensordot",
        "vecdot",
    ],
)


@cache
def _ufuncs() -> Mapping[np.ufunc, Callable[..., Any]]:
    """Return ufunc -> graphc's function; the first op of a meaning is the one."""
    table: dict[np.ufunc, Callable[..., Any]] = {
        np.bitwise_and: truth_operator("logical_and", "&"),
        np.bitwise_or: truth_operator("logical_or", "|"),
        np.bitwise_xor: truth_operator("logical_xor", "^"),
        np.invert: truth_operator("logical_not", "~"),
    }
    for name in ("matmul", "vecdot"):
        found = getattr(np, name, None)
        if isinstance(found, np.ufunc):
            table[found] = ARRAY_FUNCTIONS[name]
    for op in OPS.values():
        ufunc = numpy_ufunc(op) if isinstance(op, Pointwise) else None
        if ufunc is not None and op.name in POINTWISE:
            table.setdefault(ufunc, POINTWISE[op.name])
    return table


def array_ufunc(node: Node, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """Build what a NumPy ufunc (or its reduce, accumulate, outer) means on nodes (NEP 13).

    **Raises.** NodeValueError for `out=`, `where=`, `at`, and for ufuncs without an op.
    """
    call = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    dtype = options.pop("dtype", None)
    _refuse_options(call, options)
    if method in ("reduce", "accumulate"):
        folds = _FOLDS.get(ufunc)
        name = folds and folds[0 if method == "reduce" else 1]
        if name is None:
            raise _unavailable(call)
        axis = options.get("axis", 0)
        words = {"keepdims": options["keepdims"]} if options.get("keepdims") else {}
        result = ARRAY_FUNCTIONS[name](as_node(inputs[0]), axis, **words)
    elif method in ("__call__", "outer") and ufunc in _ufuncs():
        if method == "outer":
            inputs = _outer_operands(inputs)
        result = _ufuncs()[ufunc](*inputs)
    else:
        raise _unavailable(call)
    return result if dtype is None else OPS["cast"](result, dtype)


def _outer_operands(inputs: Sequence[Any]) -> tuple[Node, Node]:
    left, right = map(as_node, inputs)
    return OPS["reshape"](left, (*left.shape, *[1] * right.ndim)), right


def _refuse_options(call: str, options: Mapping[str, Any]) -> None:
    """Raise for what asks to write into an array, or to leave elements undefined."""
    for name in ("out", "where", "initial"):
        value = options.get(name)
        given = value[0] if isinstance(value, tuple) else value
        if given is None or given is True or given is np._NoValue:
            continue
        raise NodeValueError(
            f"{call}: {name}= has no meaning for nodes, which are never written into",
            where=user_location(),
            fix=MASKED
            if name == "where"
            else "write y = y + x instead of y += x, and gc.where for a choice",
        )


def array_function(
    node: Node,
    function: Callable[..., Any],
    types: Any,
    args: tuple[Any, ...],
    options: Mapping[str, Any],
) -> Any:
    """Build what a NumPy function means on nodes (NEP 18).

    **Raises.** NodeValueError for a function that graphs do not have, with the nearest one.
    """
    call = f"{function.__module__.replace('numpy', 'np', 1)}.{function.__name__}"
    name = _RENAMED.get(function.__name__, function.__name__)
    if function in _WITHOUT_NODES:
        return _WITHOUT_NODES[function](*args, **options)
    wanted = ARRAY_FUNCTIONS.get(name)
    is_top_level = getattr(np, function.__name__, None) is function
    if wanted is None or not (is_top_level or name in _LINEAR_ALGEBRA):
        raise _unavailable(call)
    _refuse_options(call, options)
    known = inspect.signature(wanted).parameters
    positional, given = _arguments(function, args, options)
    keywords = {k if k in known else _PARAMETERS.get(k, k): v for k, v in given.items()}
    for keyword in keywords:
        if keyword not in known:
            raise NodeValueError(
                f"{call}: {keyword}= is not available for nodes",
                where=user_location(),
                expected=", ".join(known),
            )
    return wanted(*positional, **keywords)


def _arguments(
    function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Return a NumPy call's arguments under its own names, defaults left out."""
    words = {k: v for k, v in options.items() if k not in _IGNORED}
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        return list(args), words
    named = [p for p in parameters if p.kind is not inspect.Parameter.VAR_POSITIONAL]
    if len(named) < len(parameters):
        return list(args), words
    positional: list[Any] = []
    for parameter, value in zip(named, args, strict=False):
        by_place = parameter.default is inspect.Parameter.empty
        if by_place or parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            positional.append(value)
        elif parameter.name not in _IGNORED:
            words[parameter.name] = value
        elif value is not None:
            _refuse_options(f"np.{function.__name__}", {parameter.name: value})
    words = {k: v for k, v in words.items() if v is not np._NoValue}
    if words.get("dtype", 0) is None:
        del words["dtype"]
    return positional, words


#: Functions of a node's type alone.
_WITHOUT_NODES: dict[Any, Callable[..., Any]] = {
    np.shape: lambda a: a.shape,
    np.ndim: lambda a: a.ndim,
    np.size: lambda a, axis=None: a.size if axis is None else a.shape[axis],
    np.result_type: lambda *operands: np.result_type(
        *[o.dtype if isinstance(o, Node) else o for o in operands]
    ),
    np.broadcast_shapes: broadcast_shapes,
    np.iscomplexobj: lambda x: False,
    np.isrealobj: lambda x: True,
}


#: What graphs do not have -> what to do instead.
_INSTEAD = {
    "np.linalg": "graphs have solve, inv, det, slogdet, cholesky and norm: compute anything else "
    "with NumPy, pass an input",
    "np.linalg.diagonal": "np.diagonal",
    "np.linalg.multi_dot": "a @ b @ c",
    "np.linalg.trace": "np.trace",
    "np.fft": "a Fourier transform is a product with a constant matrix, or compute it with NumPy "
    "and pass the result as an input",
    "np.vstack": "np.concatenate joins along the first axis, and np.stack makes rows of vectors",
    "np.hstack": "np.concatenate joins along an axis: axis=1, or axis=0 for vectors",
    "np.dstack": "np.concatenate joins along an axis: axis=2",
    "np.column_stack": "np.concatenate joins columns by axis=1, np.stack vectors by axis=1",
    "np.array_split": "np.split at indices: np.split(x, [2, 5])",
    "np.diag": "np.diagonal takes a diagonal; x * gc.eye(n) makes a matrix of a vector",
    "np.fmax": "np.maximum, which differs for nan alone",
    "np.fmin": "np.minimum, which differs for nan alone",
    "np.rint": "np.round",
    "np.average": "np.mean, or (weights * x).sum() / weights.sum()",
    "np.cumulative_sum": "np.cumsum",
    "np.cumulative_prod": "np.cumprod",
}


def _unavailable(call: str) -> NodeValueError:
    known = [name for name in ARRAY_FUNCTIONS if hasattr(np, name)]
    name = call.rsplit(".", 1)[-1]
    module = call.rpartition(".")[0]
    fix = _INSTEAD.get(call) or instead_of(name) or _INSTEAD.get(module)
    if fix is None and getattr(np, name, None) is not None and module == "np":
        fix = "write it with the functions of graphc, or compute it with NumPy and pass an input"
    if fix is None:
        hint = nearest(name, known)
        fix = f"did you mean np.{hint}?" if hint else "write it with the functions of graphc"
    return NodeValueError(f"{call} is not available for nodes", where=user_location(), fix=fix)


def array_namespace(node: Node, *, api_version: str | None = None) -> ModuleType:
    """Return the module of graphc's array functions (array API standard)."""
    return functions
