"""Partials as the compiler finds them: through the output, exact at kinks, free of poles."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

import graphc as gc
from graphc.differentiate.formulas.local import partial, specialized
from graphc.ops import OPS

# What a reader of derivatives expects to see; nothing of it is typed into an op.
SHOWN = {
    "sigmoid": ["y*(1 - y)"],
    "tanh": ["1 - y**2"],
    "exp": ["y"],
    "sqrt": ["1/(2*y)"],
    "softplus": ["1 - exp(-y)"],
    "reciprocal": ["-y**2"],
    "relu": ["y > 0"],
    "log": ["1/x"],
    "divide": ["1/b", "-y/b"],
    "hypot": ["a/y", "b/y"],
    "power": ["b*a**(b - 1)", "y*log(a)"],
    "add": ["1", "1"],
    "subtract": ["1", "-1"],
    "multiply": ["b", "a"],
    "square": ["2*x"],
    "abs": ["sign(x)"],
    "sign": ["0"],
    "maximum": ["where(a > b, 1, where(a < b, 0, 1/2))", "where(a > b, 0, where(a < b, 1, 1/2))"],
    "hardtanh": ["logical_and(y < 1, y > -1)"],
    "expm1": ["1 + y"],
    "cos": ["-sin(x)"],
}


@pytest.mark.parametrize("name", SHOWN)
def test_shown_form(name: str) -> None:
    op = OPS[name]
    assert [partial(op, i).text for i in range(op.arity)] == SHOWN[name]


@pytest.mark.parametrize(
    ("exponent", "shown"),
    [
        (2.0, "2*a"),
        (1.0, "1"),
        (0.0, "0"),
        (3.0, "3*a**2"),
        (-1.0, "-y**2"),
        (0.5, "1/(2*y)"),
        (1.5, "3*sqrt(a)/2"),
    ],
)
def test_a_constant_exponent_is_used(exponent: float, shown: str) -> None:
    assert specialized(OPS["power"], 0, [None, exponent]).text == shown


def test_a_constant_that_does_not_matter_makes_no_new_partial() -> None:
    multiply = OPS["multiply"]
    assert specialized(multiply, 0, [None, 3.0]) is partial(multiply, 0)


def test_softplus_is_built_without_cancellation() -> None:
    assert partial(OPS["softplus"], 0).built == "-expm1(-y)"


@pytest.mark.parametrize("name", ["sqrt", "log", "divide", "power", "asin", "reciprocal"])
def test_poles_are_known(name: str) -> None:
    assert partial(OPS[name], 0).singular


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "silu", "atan", "sin", "relu"])
def test_what_is_finite_everywhere_is_known_to_be(name: str) -> None:
    assert not partial(OPS[name], 0).singular


def test_accurate_form_keeps_digits_where_tanh_saturates() -> None:
    tanh = partial(OPS["tanh"], 0)
    assert tanh.accurate is not tanh
    assert "sigmoid" in tanh.accurate.text


def test_text_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "from graphc.ops import OPS\n"
        "from graphc.differentiate.formulas.local import partial\n"
        "for n in ['sigmoid', 'gelu_tanh', 'clip', 'atan2', 'silu', 'logaddexp', 'power']:\n"
        "    op = OPS[n]\n"
        "    print(n, *[(partial(op, i).text, partial(op, i).product) for i in range(op.arity)])\n"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "12345")
    }
    assert len(runs) == 1


def test_common_partials_are_derived_quickly() -> None:
    partial(OPS["sin"], 0)  # SymPy is imported and warm
    partial.cache_clear()
    start = time.process_time()
    for name in ("relu", "add", "multiply", "subtract", "divide", "negative", "exp", "log"):
        for i in range(OPS[name].arity):
            partial(OPS[name], i)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("base", [-1, -1.0, -2.0])
def test_a_negative_number_to_a_power_has_no_derivative_by_it(base: float) -> None:
    x = gc.input("x", (2,), dtype="float64")
    f = gc.compile(gc.graph({"y": gc.sum(gc.power(base, x))}), gradient_of="y", wrt=["x"])
    with np.errstate(invalid="ignore"):
        got = f(x=np.array([1.0, 2.0]))
    assert float(got["y"]) == base + base**2
    assert np.isnan(got["d_y_d_x"]).all()
