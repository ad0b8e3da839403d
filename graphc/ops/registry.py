"""The registry: op name -> op. Defining an op registers it; every room reads from here."""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from typing import Any, TypeVar

from graphc.errors import GraphError, did_you_mean
from graphc.ir.op import Op

OPS: dict[str, Op] = {}

AnyOp = TypeVar("AnyOp", bound=Op)


def register(op: AnyOp) -> AnyOp:
    """Add an op under its name and return it."""
    if op.name in OPS:
        raise GraphError(f"an op called {op.name!r} exists already", fix="choose another name")
    OPS[op.name] = op
    copyreg.pickle(type(op), _by_name)
    return op


def _by_name(op: Op) -> tuple[Callable[..., Any], tuple[str]]:
    """Pickle an op by its name: another process defines it as this one does."""
    return get_op, (op.name,)


def get_op(name: str) -> Op:
    """Return the op of this name, or raise a GraphError that offers the nearest one."""
    if name in OPS:
        return OPS[name]
    raise GraphError(f"no op is called {name!r}", fix=did_you_mean(name, OPS))
