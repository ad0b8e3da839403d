"""What is the same of every parameter: the name of a variable that stands for one after another."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.emit.expressions import Expressions
from graphc.ir.node import Node


def name_of_all(expressions: Expressions, column: Sequence[Node]) -> str:
    """Return what values are, one of each parameter: `gradient`, `mean`."""
    program = expressions.program
    names = program.param_names
    if not all(x in names for x in column):
        if {*column} <= {*program.observed.values()}:
            return "gradient"
        wanted = [expressions.wanted_name(x) for x in column]
        return "gradient" if all(x.startswith("d_") for x in wanted) else "step"
    if all(x.attrs["trainable"] for x in column):
        return "parameter"
    kinds = {names[x].rpartition(".")[2] for x in column}
    return kinds.pop() if len(kinds) == 1 else "state"
