"""The registry: op name -> op. Defining an op registers it; every room reads from here."""

from __future__ import annotations

from typing import TypeVar

from graphc.errors import GraphError, nearest
from graphc.ir.op import Op

OPS: dict[str, Op] = {}

AnyOp = TypeVar("AnyOp", bound=Op)


def register(op: AnyOp) -> AnyOp:
    """Add an op under its name and return it."""
    if op.name in OPS:
        raise GraphError(f"an op called {op.name!r} exists already", fix="choose another name")
    OPS[op.name] = op
    return op


def get_op(name: str) -> Op:
    """Return the op of this name, or raise a GraphError that offers the nearest one."""
    if name in OPS:
        return OPS[name]
    hint = nearest(name, list(OPS))
    raise GraphError(f"no op is called {name!r}", fix=f"did you mean {hint!r}?" if hint else None)
