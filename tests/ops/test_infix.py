"""How an operator is written between two operands, so that nothing but the reading changes."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ir.code import PRODUCT, SUM, Code
from graphc.ops.infix import infix

PRODUCTS = {
    ("x", "0.00390625"): "x / 256",
    ("0.03125", "x"): "x / 32",
    ("x", "-0.0625"): "x / -16",
    ("x", "0.125"): "x * 0.125",
    ("0.1", "x"): "0.1 * x",
    ("x", "0.02"): "x * 0.02",  # no power of two: the quotient would be another number
    ("x", "0.0"): "x * 0.0",
}


@pytest.mark.parametrize(("operands", "written"), PRODUCTS.items())
def test_a_small_power_of_two_divides(operands: tuple[str, str], written: str) -> None:
    left, right = map(Code, operands)
    assert str(infix("*", left, right, is_formatted=True)) == written
    assert str(infix("*", left, right)) == " * ".join(operands)
    x = np.float32([3e-45, 1e-38, 0.1, -np.inf, np.nan, 1e38, -0.0])
    plain = eval(" * ".join(operands), {"x": x})
    np.testing.assert_array_equal(plain.view("u4"), eval(written, {"x": x}).view("u4"))


def test_association_is_kept() -> None:
    total, product = Code("a + b", SUM), Code("a * b", PRODUCT)
    tiny = Code("0.0625")
    assert str(infix("*", total, tiny, is_formatted=True)) == "(a + b) / 16"
    assert str(infix("*", tiny, product, is_formatted=True)) == "a * b / 16"
