"""Functions of one number, judged by mpmath far out where their exponentials over- or underflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

import graphc as gc
from graphc.ir.node import Node

MP = mpmath.mp.clone()
MP.dps = 60
#: Where exponentials of float32 overflow, underflow and are subnormal, and where nothing happens.
FAR = [-1e4, -300.0, -100.0, -89.0, -50.0, -20.0, -3.0, -0.5, 0.25, 2.0, 17.0, 60.0, 92.0, 250.0]


def holds_far_out(
    form: Callable[[Node], Node], exact: Callable[..., Any], dtype: str, style: str, *, steps: int
) -> None:
    """Compare values and slopes of a formula with mpmath's.

    `steps`: how many steps between numbers at 1 a value may be away from 0 where it vanishes.
    """
    at = np.array(FAR, dtype)
    x = gc.input("x", at.shape, dtype=dtype)
    graph = gc.graph({"total": gc.sum(form(x)), "value": form(x)}, name="form")
    found = gc.compile(graph, gradient_of="total", wrt=["x"], style=style)(x=at)
    points = [MP.mpf(float(v)) for v in at]
    values = [float(exact(v)) for v in points]
    slopes = [float(MP.diff(exact, v)) for v in points]
    rtol = 1e-4 if dtype == "float32" else 1e-12  # the rounding of x in exp(x), far out
    atol = steps * np.finfo(dtype).eps
    np.testing.assert_allclose(found["value"], values, rtol=rtol, atol=atol)
    np.testing.assert_allclose(found["d_total_d_x"], slopes, rtol=rtol, atol=atol)
