"""Barriers: ops that pass their value on and stop something else."""

from __future__ import annotations

from graphc.ops.pointwise import SAME, Pointwise
from graphc.ops.registry import register

stop_gradient = register(
    Pointwise(
        "stop_gradient",
        "x itself, taken as a constant by every derivative.",
        "x",
        dtype=SAME,
        cuts=True,
        flops=0,
    )
)
