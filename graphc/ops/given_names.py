"""Which names did no user give? What passes hand to the body of a loop is called after its op."""

from __future__ import annotations

import re

from graphc.ops.registry import OPS

#: A name that an op gave: `slice`, `slice_2`, `slice_t_2`, and that of its adjoint.
_GIVEN = re.compile(r"(?:d_)?(?P<op>\w+?)(?P<step>_t)?(?:_\d+)?")


def is_given(name: str) -> bool:
    """Say whether a name is that of an op, perhaps counted, of one step, or of an adjoint.

    >>> [is_given(name) for name in ("sum", "sum_2", "sum_t", "d_sum_t", "summary", "h_t")]
    [True, True, True, True, False, False]
    """
    match = _GIVEN.fullmatch(name)
    return match is not None and match["op"] in {*OPS, *[op.variable for op in OPS.values()]}


def is_given_to_step(name: str) -> bool:
    """Say whether a name is that of an op's value in one step of a loop: `sum_t`."""
    match = _GIVEN.fullmatch(name)
    return match is not None and match["step"] is not None and is_given(name)
