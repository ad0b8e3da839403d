"""A compiled function: emitted source, loaded, behind a call that checks its arguments."""

from __future__ import annotations

import copy
import inspect
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any
from weakref import ref

import numpy as np
from numpy import ndarray

from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.run.arguments import bind
from graphc.run.files import write_whole
from graphc.run.loader import load
from graphc.run.overlap import FOREIGN, owner, separated
from graphc.run.reference import evaluate

#: How many different combinations of shapes one function remembers as checked.
_REMEMBERED_SHAPES = 4096

#: Python floats beyond this are left to the careful path, which says that they overflow.
_FLOAT32_MAX = float(np.finfo(np.float32).max)


Shapes = tuple[tuple[int, ...], ...]


class _KnownState:
    """A state that was found to fit: its arrays (held weakly), who owns the memory of those that
    updates write, and the shapes of inputs that go with it."""

    __slots__ = ("input_shapes", "owners", "references")

    def __init__(
        self,
        references: list[tuple[str, ref[np.ndarray]]],
        owners: set[int],
        input_shapes: set[Shapes],
    ) -> None:
        self.references = references
        self.owners = owners
        self.input_shapes = input_shapes

    def holds(self, state: dict[str, Any]) -> bool:
        """Say whether a state consists of these very arrays."""
        for name, reference in self.references:
            array = state.get(name)
            if array is None or array is not reference():
                return False
        return bool(self.references)


class CompiledFunction:
    """Call it as `f(state, x=X, y=Y)`; a graph without parameters takes no state.

    Returns a dict from output name to value. The updates of a training step are written into
    the arrays of `state`. One function may be called from several threads at once: every thread
    has its own workspace. Two threads that update one state must take turns.

    Arrays that fit are passed on as they are; everything else is converted or refused by
    `graphc.run.arguments.bind`, with a GraphError that says which argument does not fit.
    """

    def __init__(
        self, graph: Graph, source: str, function_name: str, history: tuple[Any, ...] = ()
    ) -> None:
        self.graph = graph
        self.source = source
        self.history = tuple(history)
        self.module = load(source, function_name)
        self.function: Callable[..., dict[str, Any]] = getattr(self.module, function_name)
        self.__name__ = function_name
        self.__doc__ = self.function.__doc__
        self._takes_workspace = "workspace" in inspect.signature(self.function).parameters
        self.draws = any(node.op.is_random for node in graph.nodes)
        self._inputs = [
            (name, leaf.dtype, leaf.shape == () and leaf.dtype.kind == "f")
            for name, leaf in graph.inputs.items()
        ]
        self._params = [(n, leaf.dtype, n in graph.updates) for n, leaf in graph.params.items()]
        #: Shapes of the parameters -> shapes of the inputs that were found to fit them.
        self._checked_shapes: dict[Shapes, set[Shapes]] = {}
        if not self._params:
            self._checked_shapes[()] = set()
        self._known_state = _KnownState([], set(), self._checked_shapes.get((), set()))
        self._workspaces = threading.local()

    def __repr__(self) -> str:
        words = (["state"] if self._params else []) + [name for name, _, _ in self._inputs]
        words += ["rng"] if self.draws else []
        return f"<compiled {self.__name__}({', '.join(words)}) -> {', '.join(self.graph.outputs)}>"

    def init(self, seed: int = 0, **sizes: int) -> dict[str, np.ndarray]:
        """Return fresh parameters and optimizer slots; `sizes` fixes named dims of parameters."""
        if not self._params:
            return {}
        state: dict[str, np.ndarray] = self.module.init(seed=seed, **sizes)
        return state

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the emitted module into a file, whole or not at all."""
        write_whole(path, self.source)

    # -- calling -----------------------------------------------------------------------------

    def __call__(
        self,
        state: Mapping[str, Any] | None = None,
        /,
        *unnamed: Any,
        rng: np.random.Generator | None = None,
        check_finite: bool = False,
        **inputs: Any,
    ) -> dict[str, Any]:
        if unnamed:
            raise GraphError(
                f"{self.__name__} takes its inputs by name",
                got=f"{len(unnamed)} more by position",
                fix=f"pass {', '.join(f'{name}=…' for name in self.graph.inputs)}",
            )
        if rng is not None and "rng" in self.graph.inputs:
            inputs["rng"] = rng
        arrays = self._as_they_are(state, inputs)
        if arrays is None:
            state, arrays = self._converted(state, inputs)
        if check_finite:
            self._check_finite(state, inputs, rng)
        if self._params:
            arrays.insert(0, state)
        if self.draws:
            arrays.append(self._generator(rng))
        if not self._takes_workspace:
            return self.function(*arrays)
        try:
            workspace = self._workspaces.buffers
        except AttributeError:
            workspace = self._workspaces.buffers = {}
        return self.function(*arrays, workspace=workspace)

    def _as_they_are(
        self, state: Mapping[str, Any] | None, inputs: Mapping[str, Any]
    ) -> list[Any] | None:
        """Return the inputs in order where nothing needs conversion, else None."""
        known = self._known_state
        if not self._params:
            if state is not None:
                return None
        elif type(state) is not dict:
            return None
        elif not known.holds(state):
            if (known := self._recognized(state)) is None:  # type: ignore[assignment]  # mypy keeps the first type
                return None
            self._known_state = known
        if len(inputs) != len(self._inputs):
            return None
        arrays: list[Any] = []
        for name, dtype, is_scalar in self._inputs:
            array = inputs.get(name)
            if type(array) is ndarray and array.dtype is dtype:
                arrays.append(array)
            elif is_scalar and type(array) is float and -_FLOAT32_MAX < array < _FLOAT32_MAX:
                arrays.append(np.array(array, dtype))
            else:
                return None
        if tuple([array.shape for array in arrays]) not in known.input_shapes:
            return None
        if known.owners and not known.owners.isdisjoint([owner(array) for array in arrays]):
            return None
        return arrays

    def _recognized(self, state: dict[str, Any]) -> _KnownState | None:
        """Return what to remember of a state that fits as it is, else None."""
        arrays, written = [], []
        for name, dtype, is_written in self._params:
            array = state.get(name)
            if type(array) is not ndarray or array.dtype is not dtype:
                return None
            arrays.append(array)
            if is_written:
                written.append(array)
        input_shapes = self._checked_shapes.get(tuple([array.shape for array in arrays]))
        owned = {owner(array) for array in written}
        distinct = len(owned) == len(written) and FOREIGN not in owned
        if input_shapes is None or not distinct or not all(a.flags.writeable for a in written):
            return None
        references = [(n, ref(a)) for (n, _, _), a in zip(self._params, arrays, strict=True)]
        return _KnownState(references, owned | {FOREIGN} if owned else owned, input_shapes)

    def _converted(
        self, state: Mapping[str, Any] | None, inputs: Mapping[str, Any]
    ) -> tuple[dict[str, np.ndarray] | None, list[Any]]:
        """Return state and inputs as checked arrays; remember the shapes for the next call."""
        env, _ = bind(self.graph, state, inputs)
        arrays = [env[leaf] for leaf in self.graph.inputs.values()]
        params = {name: env[leaf] for name, leaf in self.graph.params.items()}
        key = tuple([array.shape for array in params.values()])
        shapes = self._checked_shapes.setdefault(key, set())
        if len(shapes) + len(self._checked_shapes) > _REMEMBERED_SHAPES:
            shapes.clear()
            self._checked_shapes = {key: shapes}
        shapes.add(tuple([array.shape for array in arrays]))
        # An input that views a parameter keeps the value that it has before the update.
        written = [params[name] for name in self.graph.updates]
        arrays = [separated(array, written) for array in arrays]
        if type(state) is dict and all(state[name] is array for name, array in params.items()):
            return state, arrays
        return (params or None), arrays

    def _generator(self, rng: np.random.Generator | None) -> np.random.Generator:
        if rng is None:
            raise GraphError(
                f"{self.__name__} draws random numbers, so the call needs a generator",
                got="no rng",
                fix="rng=np.random.default_rng(0)",
            )
        return rng

    def _check_finite(
        self,
        state: Mapping[str, Any] | None,
        inputs: Mapping[str, Any],
        rng: np.random.Generator | None,
    ) -> None:
        """Evaluate by the reference first, which names the node that makes a NaN or infinity."""
        env, sizes = bind(self.graph, state, inputs)
        evaluate(
            self.graph.roots(),
            env,
            sizes=sizes,
            rng=copy.deepcopy(rng),  # the emitted code draws the same numbers afterwards
            check_finite=True,
            labels=self.graph.labels,
        )
