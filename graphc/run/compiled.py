"""A compiled function: emitted source, loaded, behind a call that checks its arguments."""

from __future__ import annotations

import copy
import inspect
import os
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from graphc.build.init import generator_of
from graphc.emit.initial import with_params_of
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.run.arguments import as_generator, bind, given_as_options
from graphc.run.claims import check_claims, claiming
from graphc.run.entry import Argument, KnownState, Shapes, fitting
from graphc.run.files import write_whole
from graphc.run.loader import load
from graphc.run.overlap import FOREIGN, owner, separated
from graphc.run.reference import evaluate
from graphc.run.sizes import checked_sizes

#: How many different combinations of shapes one function remembers as checked.
_REMEMBERED_SHAPES = 4096


class Workspaces(threading.local):
    """The buffers of one compiled function: each thread has its own."""

    def __init__(self) -> None:
        self.buffers: dict[str, Any] = {}


class CompiledFunction:
    """Call it as `f(state, x=X, y=Y)`; a graph without parameters takes no state.

    Returns a dict from output name to value. The updates of a training step are written into
    the arrays of `state`. One function may be called from several threads at once: every thread
    has its own workspace. Two threads that update one state must take turns.

    A call that does not fit, or whose indices are out of range, raises before anything is written.
    What stops a step from outside may leave some parameters updated and others not: Ctrl-C, a
    warning that NumPy was told to raise, or an array that became read-only between two calls.

    Arrays that fit are passed on as they are; everything else is converted or refused by
    `graphc.run.arguments.bind`, with a GraphError that says which argument does not fit.
    """

    def __init__(
        self,
        graph: Graph,
        source: str,
        function_name: str,
        history: tuple[Any, ...] = (),
        inference: Callable[..., CompiledFunction] | None = None,
        model: Graph | None = None,
    ) -> None:
        """Load a module; `model` is the graph as the user wrote it, whose slices must fit."""
        self.graph = graph
        self.source = source
        self.history = history
        self._inference = inference
        self._in_use: dict[tuple[str, ...], CompiledFunction] = {}
        self._model = graph if model is None else model
        self.module = load(source, function_name)
        self.function: Callable[..., dict[str, Any]] = getattr(self.module, function_name)
        self.__name__ = function_name
        self.__doc__ = self.function.__doc__
        self._takes_workspace = "workspace" in inspect.signature(self.function).parameters
        self.draws = any(node.op.is_random for node in graph.nodes)
        self._inputs = [
            Argument(name, leaf.dtype, leaf.shape == () and leaf.dtype.kind == "f")
            for name, leaf in graph.inputs.items()
        ]
        self._params = [(n, leaf.dtype, n in graph.updates) for n, leaf in graph.params.items()]
        self._fitting = fitting(list(graph.params), self._inputs)
        #: Shapes of the parameters -> shapes of the inputs that were found to fit them.
        self._checked_shapes: dict[Shapes, set[Shapes]] = {}
        if not self._params:
            self._checked_shapes[()] = set()
        self._known_state = KnownState({}, set(), self._checked_shapes.get((), set()))
        self._workspaces = Workspaces()

    def __repr__(self) -> str:
        words = (["state"] if self._params else []) + [argument.name for argument in self._inputs]
        words += ["rng"] if self.draws else []
        return f"<compiled {self.__name__}({', '.join(words)}) -> {', '.join(self.graph.outputs)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle graph and source; the other process loads the module, and has its own buffers."""
        parts = (self.graph, self.source, self.__name__, (), self._inference, self._model)
        return CompiledFunction, parts

    def init(self, seed: int = 0, **sizes: int) -> dict[str, np.ndarray]:
        """Return fresh parameters and optimizer slots; `sizes` gives the parameters' named dims.

        Raises: GraphError where a size is missing, misspelt or no size.
        """
        known = checked_sizes(with_params_of(self.graph, self._model), sizes, seed)
        generator_of(seed)  # raises for what is no seed
        if not self._params:
            return {}
        # The module's names for the dims: a dim may be called as something of Python's.
        arguments = inspect.getfullargspec(self.module.init).kwonlyargs
        given = dict(zip(arguments, known.values(), strict=True))
        state: dict[str, np.ndarray] = self.module.init(seed=seed, **given)
        return state

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the emitted module into a file, whole or not at all.

        Raises: GraphError where the path ends as another kind of file, or cannot be written.
        """
        if Path(path).suffix not in (".py", ".pyw", ".txt", ""):
            raise GraphError(
                f"cannot write a module as {os.fspath(path)!r}",
                expected=".py",
                fix="for the parameters: np.savez(path, **state)",
            )
        write_whole(path, self.source)

    def for_inference(self, *outputs: str) -> CompiledFunction:
        """Return the function of the same outputs in use: no updates, no dropout, no gradients.

        Of `outputs`, where some are named, it takes only what they need: no labels for a
        prediction. It takes the state of this one; optimizer slots in it are not read. It is
        compiled once.

        Raises: GraphError for a function that was not compiled from a graph, and for a name that
        no node of it has.
        """
        if self._inference is None:
            raise GraphError(
                f"{self.__name__} does not know the graph that it was compiled from",
                fix="gc.compile(graph.for_inference())",
            )
        if outputs not in self._in_use:
            self._in_use[outputs] = self._inference(*outputs)
        return self._in_use[outputs]

    @cached_property
    def _claiming(self) -> list[Node]:
        return claiming(self._model.nodes)

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
        """Return a dict from output name to value; write the updates of a step into `state`.

        `rng` gives the random numbers of a function that draws some. `check_finite` evaluates node
        by node first, and names the first node that is infinite or nan.
        """
        arrays = None
        if not unnamed and check_finite is False:
            arrays = self._fitting(state, inputs, self._known_state)
        if arrays is None:
            arrays = self._arguments(state, unnamed, inputs, rng, check_finite)
        if self.draws:
            arrays.append(as_generator(rng, self.__name__))
        try:
            if self._takes_workspace:
                return self.function(*arrays, workspace=self._workspaces.buffers)
            return self.function(*arrays)
        except (IndexError, ValueError, ZeroDivisionError):
            # The reference says which index lies outside of what, which window does not fit, or
            # which size is 0.
            self._evaluate(state, inputs, rng)
            raise

    def _arguments(
        self,
        state: Mapping[str, Any] | None,
        unnamed: tuple[Any, ...],
        inputs: dict[str, Any],
        rng: np.random.Generator | None,
        check_finite: bool,
    ) -> list[Any]:
        """Return the arguments of the emitted function for a call that is not known to fit."""
        if unnamed:
            raise GraphError(
                f"{self.__name__} takes its inputs by name",
                got=f"{len(unnamed)} more by position",
                fix=f"pass {', '.join(f'{name}=…' for name in self.graph.inputs)}",
            )
        check_finite = given_as_options(self.graph, inputs, rng, check_finite)
        arrays = None
        if type(state) is dict and self._params:
            known = self._recognized(state)
            if known is not None:
                self._known_state = known
                arrays = self._fitting(state, inputs, known)
        if arrays is None:
            state, arrays = self._converted(state, inputs)
            arrays = [state, *arrays] if self._params else arrays
        if check_finite:
            # The reference names the node that makes a NaN or infinity.
            self._evaluate(state, inputs, rng, check_finite=True)
        return arrays

    def _recognized(self, state: dict[str, Any]) -> KnownState | None:
        """Return what to remember of a state that fits as it is, else None."""
        arrays: dict[str, ndarray] = {}
        written: list[ndarray] = []
        others: list[ndarray] = []
        for name, dtype, is_written in self._params:
            array = state.get(name)
            if type(array) is not ndarray or array.dtype != dtype:
                return None
            arrays[name] = array
            (written if is_written else others).append(array)
        shapes = self._checked_shapes.get(tuple([array.shape for array in arrays.values()]))
        owned = {owner(array) for array in written}
        distinct = len(owned) == len(written) and FOREIGN not in owned
        distinct = distinct and owned.isdisjoint(map(owner, others))
        if shapes is None or not distinct or not all(a.flags.writeable for a in written):
            return None
        return KnownState(arrays, owned | {FOREIGN} if owned else owned, shapes)

    def _bound(
        self, state: Mapping[str, Any] | None, inputs: Mapping[str, Any]
    ) -> tuple[dict[Node, np.ndarray], dict[str, int]]:
        """Return what `bind` does; the model's state fits where no parameter is needed, too."""
        if not self._params and self._model.params and isinstance(state, Mapping):
            state = None
        return bind(self.graph, state, inputs)

    def _converted(
        self, state: Mapping[str, Any] | None, inputs: Mapping[str, Any]
    ) -> tuple[dict[str, np.ndarray] | None, list[Any]]:
        """Return state and inputs as checked arrays; remember the shapes for the next call."""
        env, sizes = self._bound(state, inputs)
        if self.graph.dims:
            check_claims(self._claiming, sizes)
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

    def _evaluate(
        self,
        state: Mapping[str, Any] | None,
        inputs: Mapping[str, Any],
        rng: np.random.Generator | None,
        check_finite: bool = False,
    ) -> None:
        """Evaluate by the reference, which explains what fails."""
        env, sizes = self._bound(state, inputs)
        evaluate(
            self.graph.roots(),
            env,
            sizes=sizes,
            rng=copy.deepcopy(rng),  # the emitted code draws the same numbers afterwards
            check_finite=check_finite,
            labels=self.graph.labels,
        )
