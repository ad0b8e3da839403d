"""The quick way into a compiled function: arguments that fit as they are pass in a microsecond.

What fits is decided by code that is written for the function's own inputs; everything else goes to
`graphc.run.arguments.bind`, which converts or explains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import call, is_, itemgetter
from typing import Any
from weakref import ref

import numpy as np
from numpy import ndarray

from graphc.run.overlap import owner

#: Python floats beyond this are left to the careful path, which says that they overflow.
_FLOAT32_MAX = float(np.finfo(np.float32).max)

Shapes = tuple[tuple[int, ...], ...]
#: (state, inputs, what is known) -> the arguments of the emitted function in order, or None.
Fitting = Callable[[Any, Mapping[str, Any], "KnownState"], "list[Any] | None"]


@dataclass(frozen=True, slots=True)
class Argument:
    """An input as the quick way knows it. `is_scalar`: a Python float will do."""

    name: str
    dtype: np.dtype
    is_scalar: bool


class KnownState:
    """A state that was found to fit: its arrays (held weakly), who owns the memory of those that
    updates write, and the shapes of inputs that go with it."""

    __slots__ = ("input_shapes", "owners", "references")

    def __init__(
        self, arrays: Mapping[str, ndarray], owners: set[int], input_shapes: set[Shapes]
    ) -> None:
        self.references = tuple([ref(array) for array in arrays.values()])
        self.owners = owners
        self.input_shapes = input_shapes


def fitting(params: Sequence[str], arguments: Sequence[Argument]) -> Fitting:
    """Return the function that finds the arguments of a call where none needs conversion.

    It is written out, one line a test: a loop over the arguments would take longer than the tests.
    Whether an array that was written to before can still be written to is not asked again: that
    would take half as long as everything else.
    """
    namespace: dict[str, Any] = {"ndarray": ndarray, "array": np.array, "owner": owner}
    lines = ["def fitting(state, inputs, known):"]
    values = [f"a{i}" for i in range(len(arguments))]
    lines += [*_state_tests(params, namespace), f"    if len(inputs) != {len(arguments)}:"]
    lines += ["        return None", "    try:", "        pass"]
    for value, argument in zip(values, arguments, strict=True):
        lines.append(f"        {value} = inputs[{argument.name!r}]")
    lines += ["    except KeyError:", "        return None"]
    for value, argument in zip(values, arguments, strict=True):
        lines += _type_tests(value, argument, namespace)
    shapes = "".join(f"{value}.shape, " for value in values)
    lines += [f"    if ({shapes}) not in known.input_shapes:", "        return None"]
    lines.append("    owners = known.owners")
    for value in values:
        memory = f"(id({value}) if {value}.base is None else owner({value}))"
        lines += [f"    if owners and {memory} in owners:", "        return None"]
    lines.append(f"    return [{', '.join((['state'] if params else []) + values)}]")
    exec("\n".join(lines), namespace)
    function: Fitting = namespace["fitting"]
    return function


def _state_tests(params: Sequence[str], namespace: dict[str, Any]) -> list[str]:
    """Return the lines that let nothing pass but a dict of the very arrays that are known."""
    if not params:
        return ["    if state is not None:", "        return None"]
    # One name more: `itemgetter` of a single name returns no tuple.
    namespace["arrays_of"] = itemgetter(*params, *params[:1])
    namespace |= {"is_": is_, "call": call}
    return [
        "    if type(state) is not dict or not known.references:",
        "        return None",
        "    try:",
        "        if not all(map(is_, arrays_of(state), map(call, known.references))):",
        "            return None",
        "    except KeyError:",
        "        return None",
    ]


def _type_tests(value: str, argument: Argument, namespace: dict[str, Any]) -> list[str]:
    """Return the lines that let an array of the declared dtype pass; a Python float becomes one."""
    dtype = f"dtype_of_{value}"
    namespace[dtype] = argument.dtype
    # An array that was pickled has a dtype object of its own, which is equal.
    other = f"{value}.dtype is not {dtype} and {value}.dtype != {dtype}"
    test = f"if type({value}) is not ndarray or ({other}):"
    if not argument.is_scalar:
        return [f"    {test}", "        return None"]
    bound = repr(_FLOAT32_MAX)
    return [
        f"    if type({value}) is float and -{bound} < {value} < {bound}:",
        f"        {value} = array({value}, {dtype})",
        f"    el{test}",
        "        return None",
    ]
