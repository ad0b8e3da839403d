"""Where a node comes from: the user's file and line, its scope, its phase, the node it replaced.

Provenance rides beside a node, outside equality. While nodes are built, the surrounding scope,
phase and origin are read from context variables, so two threads can build two graphs.
"""

from __future__ import annotations

import contextlib
import itertools
import linecache
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from graphc.errors import GraphError

_NOT_USERS = (str(Path(__file__).parent.parent) + os.sep, contextlib.__file__)

FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"
#: Phase -> its place in time.
RANKS = {FORWARD: 0, BACKWARD: 1, UPDATE: 2}
#: How the notes of derivatives begin.
ADJOINT, TANGENT = "adjoint of", "tangent of"
#: How the note ends of the adjoint of what a named value is a function of, and of a part of that.
_ARGUMENT, _PART = "'s argument", ", in part"


#: How much of a long line an error repeats.
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in the user's source, and what the compiler did there."""

    file: str = ""
    line: int = 0
    note: str = ""

    @property
    def source_line(self) -> str:
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        place = f"{Path(self.file).name}:{self.line}" if self.file else ""
        return "  ".join(part for part in (place, self.note) if part)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What rides beside a node: its name, scope, phase and origin, and when it was made.

    `order` counts nodes as they are built; only the order of two of them means anything.
    `checkpoints` are the scopes around it, outermost first, whose values the backward pass
    recomputes instead of keeping.
    """

    name: str | None = None
    scope: str = ""
    phase: str = FORWARD
    origin: Origin = Origin()
    order: int = 0
    checkpoints: tuple[str, ...] = ()

    @property
    def is_derivative(self) -> bool:
        """Whether the node was built by differentiation, in reverse or in forward mode."""
        return self.origin.note.startswith((ADJOINT, TANGENT))

    @property
    def is_called_after_primal(self) -> bool:
        """Whether the name is the `d_x` that differentiation gives the adjoint of `x`."""
        primal = self.origin.note.removeprefix(f"{ADJOINT} ")
        return primal != self.origin.note and self.name == f"d_{primal}"

    @property
    def is_of_argument(self) -> bool:
        """Whether the node is the adjoint of what a named value is a function of."""
        return self.origin.note.startswith(ADJOINT) and self.origin.note.endswith(_ARGUMENT)

    @property
    def argument_of(self) -> str:
        """The name of the value whose argument's adjoint the node is, or is a part of."""
        note = self.origin.note.removesuffix(_PART)
        if not (note.startswith(ADJOINT) and note.endswith(_ARGUMENT)):
            return ""
        return note.removeprefix(f"{ADJOINT} ").removesuffix(_ARGUMENT)

    def error(self, what: str, **told: Any) -> GraphError:
        """Return the error that names the line a node comes from; `told` is GraphError's."""
        return GraphError(what, where=str(self.origin) or None, **told)

    def as_adjoint(self, primal: str, is_argument: bool = False) -> Provenance:
        """Return that of the adjoint of a named value, or of the argument of one."""
        note = f"{ADJOINT} {primal}{_ARGUMENT if is_argument else ''}"
        name = self.name if is_argument else f"d_{primal}"
        return replace(self, name=name, origin=replace(self.origin, note=note))

    @property
    def layer(self) -> str:
        """The innermost scope."""
        return self.scope.rpartition("/")[2]

    @property
    def is_called_after_layer(self) -> bool:
        """Whether the name is that of the layer which returns the node."""
        return bool(self.name) and self.name == self.layer

    def part(self, name: str) -> str:
        """Return what a step on the way to the node is called: in a layer, `norm1_mean`."""
        return f"{self.layer}_{name}" if self.layer else name

    def renamed(self, name: str | None) -> Provenance:
        return replace(self, name=name)


class _Around(NamedTuple):
    """What surrounds the nodes that are being built."""

    scope: str = ""
    phase: str = FORWARD
    origin: Origin | None = None
    checkpoints: tuple[str, ...] = ()


_count = itertools.count()
_NOTHING = _Around()
_around: ContextVar[_Around] = ContextVar("around", default=_NOTHING)


def current_provenance(name: str | None = None) -> Provenance:
    """Return the provenance of a node that is built now."""
    scope, phase, origin, checkpoints = _around.get()
    return Provenance(name, scope, phase, origin or user_origin(), next(_count), checkpoints)


def user_frame() -> FrameType | None:
    """Return the frame of the nearest caller outside graphc."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_users(frame):
        frame = frame.f_back
    return frame


def is_users(frame: FrameType) -> bool:
    """Say whether a frame runs code that is not graphc's, nor what enters a context of it."""
    return not frame.f_code.co_filename.startswith(_NOT_USERS)


class Watch:
    """The frame of a user's function that another frame calls, known once it builds a node.

    A frame that is held keeps its variables when the function has returned.
    """

    def __init__(self, caller: FrameType) -> None:
        self.caller = caller
        self.frame: FrameType | None = None

    def look(self, frame: FrameType) -> None:
        """Find the called function's frame among those that lead to one of the user's."""
        at: FrameType | None = frame
        while at is not None and at.f_back is not self.caller:
            at = at.f_back
        if at is not None and is_users(at):
            self.frame = at


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watching(caller: FrameType) -> Iterator[Watch]:
    """Watch out for the frame of the user's function that a frame calls now."""
    watch = Watch(caller)
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)
        vars(watch).clear()  # frames hold what they call, and so on in circles


def user_origin() -> Origin:
    """Return the nearest caller's line outside graphc."""
    frame = user_frame()
    if frame is None:
        return Origin()
    watch = _watch.get()
    if watch is not None and watch.frame is None:
        watch.look(frame)
    return Origin(frame.f_code.co_filename, frame.f_lineno)


def around_now() -> Origin:
    """Return the user's line that is being executed, or read."""
    return _around.get().origin or user_origin()


def user_location() -> str | None:
    """Return `model.py:12  z = x @ W`, the user's line that is being executed."""
    origin = around_now()
    if not origin.file:
        return None
    line = origin.source_line
    shown = line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
    return "  ".join(part for part in (str(origin), shown) if part)


def user_error(what: str, **told: Any) -> GraphError:
    """Return the error that names the user's line, too; `told` is what GraphError takes."""
    return GraphError(what, where=user_location(), **told)


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Build the enclosed nodes inside the scope `name`, nested in the current one."""
    if not isinstance(name, str):
        raise user_error("a scope's name is a text", got=repr(name))
    around = _around.get()
    inner = f"{around.scope}/{name}" if around.scope else name
    with _Building(around._replace(scope=inner)):
        yield


@contextmanager
def checkpoint(name: str) -> Iterator[None]:
    """Build the enclosed nodes inside a scope whose values are recomputed in the backward pass.

    Only what enters the scope and what leaves it is kept from the forward pass, with the numbers
    drawn at random and the results of loops inside; the rest is computed again, from those, when
    its cotangent has arrived. Less memory for more arithmetic: `Graph.cost()` shows both. One name
    is one segment, so blocks made in a loop need names of their own.

    >>> import graphc as gc
    >>> x = gc.input("x", ("N", 8))
    >>> with gc.checkpoint("block1"):
    ...     y = gc.tanh(gc.exp(x))
    """
    with scope(name):
        around = _around.get()
        checkpoints = (*around.checkpoints, around.scope)
        with _Building(around._replace(checkpoints=checkpoints)):
            yield


def inherit(
    provenance: Provenance, note: str = "", phase: str | None = None
) -> AbstractContextManager[None]:
    """Build the enclosed nodes as descendants of a node with this provenance."""
    origin = provenance.origin
    if provenance.is_of_argument and not note:  # one node is that, not all that it is made of
        note = f"{origin.note}{_PART}"
    if note:
        origin = Origin(origin.file, origin.line, note)
    around = _Around(provenance.scope, phase or provenance.phase, origin, provenance.checkpoints)
    return _Building(around)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Build the enclosed nodes as part of the `forward`, `backward` or `update` block."""
    with _Building(_around.get()._replace(phase=name)):
        yield


@contextmanager
def origin(place: Origin) -> Iterator[None]:
    """Build the enclosed nodes as if written at `place`."""
    with _Building(_around.get()._replace(origin=place)):
        yield


class _Building:
    """Builds the enclosed nodes inside given surroundings; entered for every rewritten node."""

    __slots__ = ("around", "token")

    def __init__(self, around: _Around) -> None:
        self.around = around

    def __enter__(self) -> None:
        self.token = _around.set(self.around)

    def __exit__(self, *_: object) -> None:
        _around.reset(self.token)
