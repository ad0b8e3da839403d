"""Turn a call's arguments into arrays of the declared types, or say which one does not fit.

Everything that can be called (the reference interpreter and compiled functions) binds its
arguments here, so both accept the same calls and refuse the others with the same words.
"""

from __future__ import annotations

import reprlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from graphc.errors import GraphError, counted, nearest
from graphc.ir.dims import Dim, dim_text, evaluate, linear_parts, shape_text, symbols_of
from graphc.ir.graph import Graph
from graphc.ir.labels import typed_names
from graphc.ir.node import Node
from graphc.run.overlap import find_overlap
from graphc.run.sizes import dims_of_state, init_call

Arrays = dict[Node, np.ndarray]
#: What makes labels of words.
NUMBERED = "words are numbered by np.unique(y, return_inverse=True)[1]"


@dataclass(frozen=True)
class Argument:
    """A leaf with the value that a call gave it, and how messages call it."""

    label: str
    leaf: Node
    array: np.ndarray


def bind(
    graph: Graph, state: Mapping[str, Any] | None, inputs: Mapping[str, Any]
) -> tuple[Arrays, dict[str, int]]:
    """Return the arrays of all leaves and the size of each named dim.

    Raises: GraphError for a missing, surplus or misspelt name, a wrong rank, shape or dtype, and
    for a state that an update could not write into.
    """
    state, inputs = _state_by_keyword(graph, state, inputs)
    check_state_names(graph, state)
    _check_input_names(graph, inputs)
    arguments = [
        Argument(label := f"parameter {name!r}", leaf, _state_array(graph, name, state, label))
        for name, leaf in graph.params.items()
    ]
    for name, leaf in graph.inputs.items():
        label = f"input {name!r}"
        arguments.append(Argument(label, leaf, as_array(inputs[name], leaf.dtype, label)))
    sizes = bind_dims(arguments)
    if graph.updates:
        params = {name: a.array for name, a in zip(graph.params, arguments, strict=False)}
        check_distinct(params, graph.updates)
    return {a.leaf: a.array for a in arguments}, sizes


def given_as_options(graph: Graph, inputs: dict[str, Any], rng: object, check_finite: Any) -> bool:
    """Add the inputs that are called as an option of a call is; say whether the call is checked."""
    if rng is not None and "rng" in graph.inputs:
        inputs["rng"] = rng
    if check_finite is not False and "check_finite" in graph.inputs:
        inputs["check_finite"] = check_finite
        return False
    return bool(check_finite)


def as_generator(rng: object, drawing: str) -> np.random.Generator:
    """Return the generator that a call was given for what draws random numbers."""
    if isinstance(rng, np.random.Generator):
        return rng
    seed = int(rng) if isinstance(rng, (int, np.integer)) else 0
    shown = f"rng={rng!r}" if isinstance(rng, (int, np.integer, str)) else _described(rng)
    raise GraphError(
        f"{drawing} draws random numbers, so the call needs a generator",
        got="no rng" if rng is None else shown,
        fix=f"rng=np.random.default_rng({seed})",
    )


def _state_by_keyword(
    graph: Graph, state: Mapping[str, Any] | None, inputs: Mapping[str, Any]
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any]]:
    """Accept `f(state=state, …)` too, where no input has that name."""
    if state is None and "state" in inputs and "state" not in graph.inputs:
        rest = {name: value for name, value in inputs.items() if name != "state"}
        return inputs["state"], rest
    return state, inputs


# -- names -----------------------------------------------------------------------------------


def _check_input_names(graph: Graph, inputs: Mapping[str, Any]) -> None:
    for name in inputs:
        if name not in graph.inputs:
            raise _surplus(graph, name)
    for name, leaf in graph.inputs.items():
        if name not in inputs:
            raise GraphError(
                f"{graph.name}: input {name!r} is missing",
                got=", ".join(inputs) or "no inputs",
                expected=f"{name}: {leaf.type}",
                fix=f"pass it by name: {name}=…",
            )


def _surplus(graph: Graph, name: str) -> GraphError:
    fix = None
    if name in graph.params:
        fix = f"{name!r} is a parameter: it belongs into the state"
    elif hint := nearest(name, list(graph.inputs)):
        fix = f"did you mean {hint!r}?"
    return GraphError(
        f"{graph.name} has no input called {name!r}",
        expected=typed_names(graph.inputs) or "no inputs",
        fix=fix,
    )


def check_state_names(graph: Graph, state: Mapping[str, Any] | None) -> None:
    """Raise a GraphError where a state is missing, is none, or lacks a parameter."""
    if not graph.params:
        if state is not None and not (isinstance(state, Mapping) and not state):
            raise GraphError(
                f"{graph.name} has no parameters, so it takes no state",
                got=f"a state of type {type(state).__name__}",
                expected=", ".join(f"{name}=…" for name in graph.inputs) or "no arguments",
                fix="pass inputs by name",
            )
        return
    if not isinstance(state, Mapping):
        raise GraphError(
            f"{graph.name} needs a state: its parameters by name",
            got="no state" if state is None else f"a value of type {type(state).__name__}",
            expected=f"a dict with {', '.join(graph.params)}",
            fix=f"state = {init_call(graph)}; f(state, …)",
        )
    for name, leaf in graph.params.items():
        if name not in state:
            raise GraphError(
                f"{graph.name}: the state lacks parameter {name!r}",
                got=", ".join(map(str, state)) or "an empty state",
                expected=f"{name}: {leaf.type}",
                fix=_lacking_fix(graph, name, state),
            )


def _lacking_fix(graph: Graph, name: str, state: Mapping[str, Any]) -> str:
    hint = nearest(name, [str(key) for key in state if key not in graph.params])
    if hint:
        return f"the state has {hint!r}; rename it"
    if graph.params[name].attrs["slot"]:  # weights that were trained, or loaded, without it
        call = init_call(graph) if dims_of_state(graph) else "f.init()"
        return f"state = {{**{call}, **state}} adds what the optimizer keeps"
    return f"state = {init_call(graph)}"


# -- values ----------------------------------------------------------------------------------


def _state_array(
    graph: Graph, name: str, state: Mapping[str, Any] | None, label: str
) -> np.ndarray:
    assert state is not None
    value, leaf = state[name], graph.params[name]
    if name not in graph.updates:
        return as_array(value, leaf.dtype, label)
    if not isinstance(value, np.ndarray) or value.dtype != leaf.dtype:
        shown = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise GraphError(
            f"{label} is updated in place, so it must be an array of exactly its type",
            got=str(shown),
            expected=str(leaf.type),
            fix=f"state[{name!r}] = np.array(state[{name!r}], dtype=np.{leaf.dtype.name})",
        )
    if state[name] is not value:  # an .npz file that is open reads it anew at each access
        raise GraphError(
            f"{label} is updated in place, but the state makes a new array whenever it is asked",
            got=f"a state of type {type(state).__name__}",
            expected="a dict of arrays",
            fix="state = dict(state)",
        )
    if not value.flags.writeable:
        raise GraphError(
            f"{label} is updated in place, but its array is read-only",
            fix=f"state[{name!r}] = state[{name!r}].copy()",
        )
    _check_unmasked(value, label)
    return value if type(value) is np.ndarray else value.view(np.ndarray)


def as_array(value: Any, dtype: np.dtype, label: str) -> np.ndarray:
    """Return `value` as a plain array of this dtype; `label` names it in messages.

    Floats convert to floats, integers and bools to whatever holds them exactly. A float is never
    rounded to an integer, and a number is never read as a truth value.
    """
    if type(value) is np.ndarray and value.dtype == dtype:
        return value.astype(dtype, copy=False)
    _check_unmasked(value, label)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        ragged = isinstance(error, ValueError) and isinstance(value, (list, tuple))
        raise GraphError(
            f"{label} is not an array",
            got=_described(value),
            expected=f"numbers of dtype {dtype.name}",
            # A tensor of another library says itself what it needs: .detach(), .cpu()
            fix="give all rows the same length" if ragged else _own_words(value, error),
        ) from None
    kind = array.dtype.kind
    if array.dtype == dtype:
        return array.astype(dtype, copy=False)
    if array.size == 0 and isinstance(value, (list, tuple)):
        return array.astype(dtype)  # an empty list says nothing about its dtype
    allowed = {"f": "fiub", "i": "iub", "b": "b"}[dtype.kind]
    if kind not in allowed:
        raise GraphError(
            f"{label} has the wrong dtype",
            got=_kind_of(array),
            expected=dtype.name,
            fix=_dtype_fix(array, dtype),
        )
    with np.errstate(all="ignore"):
        converted = array.astype(dtype)
        lost = _loss(array, converted)
    if lost is not None:
        raise GraphError(
            f"{label} holds a value that {dtype.name} cannot hold exactly",
            got=f"{lost} ({array.dtype.name})",
            expected=dtype.name,
            fix="convert it yourself if the rounding is meant",
        )
    return converted


def _loss(array: np.ndarray, converted: np.ndarray) -> Any:
    """Return the first element that a conversion changes beyond rounding a float, or None."""
    if array.dtype.kind == "f":
        changed = np.isinf(converted) & ~np.isinf(array)
    elif array.dtype.itemsize < 8 and np.can_cast(array.dtype, converted.dtype, "safe"):
        return None  # NumPy calls int64 to float64 safe, too, which it is up to 2**53
    else:
        changed = converted.astype(array.dtype) != array
        if converted.dtype.kind == "i" and array.dtype.kind == "u":
            changed |= converted < 0
    return array[changed].flat[0] if np.any(changed) else None


def _check_unmasked(value: Any, label: str) -> None:
    """Raise a GraphError where elements are marked as missing: their numbers mean nothing."""
    if np.ma.is_masked(value):
        raise GraphError(
            f"{label} has masked elements",
            got=f"{np.count_nonzero(value.mask)} of {value.size} are masked",
            fix="fill them: .filled(0), and pass the mask as an input of its own",
        )


def _kind_of(array: np.ndarray) -> str:
    """Return how a message calls a dtype that is no number's: of objects, by one of them."""
    if array.dtype.kind == "O":
        odd = [x for x in array.flat if not isinstance(x, (int, float))][:1]
        return f"objects, such as {reprlib.repr(odd[0])}" if odd else "numbers as Python objects"
    return {"U": "text", "S": "bytes"}.get(array.dtype.kind, array.dtype.name)


def _own_words(value: Any, error: Exception) -> str | None:
    return None if isinstance(value, Node) else str(error).partition("\n")[0] or None


def _described(value: Any) -> str:
    return repr(value) if isinstance(value, Node) else f"a value of type {type(value).__name__}"


def _dtype_fix(array: np.ndarray, dtype: np.dtype) -> str | None:
    kind = array.dtype.kind
    if kind == "f" and dtype.kind == "i":
        if array.ndim > 1 and np.all(array.sum(axis=-1) == 1):
            return "rows of one 1 become indices by .argmax(axis=-1)"
        return f"round it on purpose: .astype(np.{dtype.name})"
    if dtype.kind == "b" and kind in "iuf":
        return "compare it: x != 0"
    if kind == "c":
        return "graphs are real: pass the real and the imaginary part as two inputs"
    if kind == "O" and array.size and hasattr(array.flat[0], "toarray"):
        return "a sparse matrix becomes an array by .toarray()"
    if kind in "OSU":
        plain = f"where they are numbers: .astype(np.{dtype.name})"
        return f"{plain}; {NUMBERED}" if dtype.kind == "i" else plain
    return None


def check_distinct(params: Mapping[str, np.ndarray], written: Container[str]) -> None:
    """Raise a GraphError where two parameters share memory, and an update would change both.

    Frozen parameters may share it: `written` are those that an update changes.
    """
    pair = find_overlap(params, written)
    if pair is not None:
        raise GraphError(
            f"parameters {pair[0]!r} and {pair[1]!r} share memory: updating one changes the other",
            fix=f"state[{pair[1]!r}] = state[{pair[1]!r}].copy()",
        )


# -- dims ------------------------------------------------------------------------------------


def bind_dims(arguments: Sequence[Argument]) -> dict[str, int]:
    """Return each named dim's size; every shape is checked, symbols before expressions."""
    sizes: dict[str, int] = {}
    source: dict[str, str] = {}
    expressions: list[tuple[Argument, int, Dim]] = []
    for argument in arguments:
        declared, given = argument.leaf.shape, argument.array.shape
        if len(declared) != len(given):
            raise _misfit(
                argument, f"it has {counted(len(given), 'axis', 'axes')}, not {len(declared)}"
            )
        for axis, (dim, size) in enumerate(zip(declared, given, strict=True)):
            if isinstance(dim, int):
                if dim != size:
                    raise _misfit(argument, f"axis {axis} has size {size}, not {dim}")
            elif dim.is_Symbol:
                if sizes.setdefault(dim.name, size) != size:
                    known = f"{dim.name} = {sizes[dim.name]} (from {source[dim.name]})"
                    raise _misfit(argument, f"axis {axis} has size {size}, but {known}")
                source.setdefault(dim.name, f"{argument.label} axis {axis}")
            else:
                expressions.append((argument, axis, dim))
    _bind_expressions(expressions, sizes, source)
    return sizes


def _bind_expressions(
    expressions: list[tuple[Argument, int, Dim]], sizes: dict[str, int], source: dict[str, str]
) -> None:
    """Solve what only an expression fixes (`2*N`), and check all others."""
    waiting = expressions
    while waiting:
        # One that fixes a dim may make another one fix the next.
        later = [item for item in waiting if not _bind_expression(*item, sizes, source)]
        if len(later) == len(waiting):
            argument, axis, dim = later[0]
            unknown = ", ".join(name for name in symbols_of([dim]) if name not in sizes)
            size = argument.array.shape[axis]
            raise _misfit(argument, f"{dim_text(dim)} = {size} does not fix {unknown}")
        waiting = later


def _bind_expression(
    argument: Argument, axis: int, dim: Dim, sizes: dict[str, int], source: dict[str, str]
) -> bool:
    """Check one expression, or solve it for its only unknown; say whether that could be done."""
    size = argument.array.shape[axis]
    unknown = [name for name in symbols_of([dim]) if name not in sizes]
    parts = linear_parts(dim, unknown[0]) if len(unknown) == 1 else None
    if unknown and parts is None:
        return False
    if parts is not None:
        slope, rest = (evaluate(part, sizes) for part in parts)
        if slope == 0 or (size - rest) % slope or (size - rest) // slope < 0:
            text = f"{dim_text(dim)} = {size} does not fix {unknown[0]}"
            raise _misfit(argument, f"{text}: it would be {_quotient(size - rest, slope)}")
        sizes[unknown[0]] = (size - rest) // slope
        source[unknown[0]] = f"{argument.label} axis {axis}"
    wanted = evaluate(dim, sizes)
    if wanted != size:
        known = ", ".join(f"{n} = {sizes[n]} (from {source[n]})" for n in symbols_of([dim]))
        text = f"axis {axis} has size {size}, but {dim_text(dim)} = {wanted} with {known}"
        raise _misfit(argument, text)
    return True


def _quotient(dividend: int, divisor: int) -> str:
    """Return a quotient in lowest terms: `5/2`, `-3`."""
    if divisor == 0:
        return f"{dividend}/0"
    return str(Fraction(dividend, divisor))


def _misfit(argument: Argument, reason: str) -> GraphError:
    return GraphError(
        f"{argument.label} has the wrong shape: {reason}",
        got=str(list(argument.array.shape)),
        expected=f"{argument.leaf.attrs['name']}: {shape_text(argument.leaf.shape)}",
    )
