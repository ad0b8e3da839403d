"""Where a node comes from: the user's file and line, its scope, its phase, the node it replaced.

Provenance rides beside a node, outside equality. While nodes are built, the surrounding scope,
phase and origin are read from context variables, so two threads can build two graphs.
"""

from __future__ import annotations

import itertools
import linecache
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

_PACKAGE = str(Path(__file__).parent.parent) + os.sep

FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"


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
    """

    name: str | None = None
    scope: str = ""
    phase: str = FORWARD
    origin: Origin = Origin()
    order: int = 0

    def renamed(self, name: str | None) -> Provenance:
        return replace(self, name=name)


_count = itertools.count()
_scope: ContextVar[str] = ContextVar("scope", default="")
_phase: ContextVar[str] = ContextVar("phase", default=FORWARD)
_origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


def current_provenance(name: str | None = None) -> Provenance:
    """Return the provenance of a node that is built now."""
    place = _origin.get() or user_origin()
    return Provenance(name, _scope.get(), _phase.get(), place, next(_count))


def user_origin() -> Origin:
    """Return the nearest caller's line outside graphc."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return Origin()
    return Origin(frame.f_code.co_filename, frame.f_lineno)


def user_location() -> str | None:
    """Return `model.py:12  z = x @ W`, the user's line that is being executed."""
    origin = _origin.get() or user_origin()
    if not origin.file:
        return None
    return "  ".join(part for part in (str(origin), origin.source_line) if part)


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Build the enclosed nodes inside the scope `name`, nested in the current one."""
    outer = _scope.get()
    token = _scope.set(f"{outer}/{name}" if outer else name)
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def inherit(provenance: Provenance, note: str = "", phase: str | None = None) -> Iterator[None]:
    """Build the enclosed nodes as descendants of a node with this provenance."""
    origin = replace(provenance.origin, note=note) if note else provenance.origin
    tokens = (
        _scope.set(provenance.scope),
        _phase.set(phase or provenance.phase),
        _origin.set(origin),
    )
    try:
        yield
    finally:
        _scope.reset(tokens[0])
        _phase.reset(tokens[1])
        _origin.reset(tokens[2])


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Build the enclosed nodes as part of the `forward`, `backward` or `update` block."""
    token = _phase.set(name)
    try:
        yield
    finally:
        _phase.reset(token)


@contextmanager
def origin(place: Origin) -> Iterator[None]:
    """Build the enclosed nodes as if written at `place`."""
    token = _origin.set(place)
    try:
        yield
    finally:
        _origin.reset(token)
