"""Every op's derivatives obey the laws: transposed, equal to differences, at both orders."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ir.op import Case
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.run.opcheck import DerivativeCheck, check_case, check_derivatives, derivatives_table

CASES = [
    pytest.param(name, case, id=f"{name}-{i}")
    for name, op in OPS.items()
    for i, case in enumerate(op.cases)
    if case.differentiable and any(arg.dtype == "float64" for arg in case.args)
]


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(("name", "case"), CASES)
def test_reverse_is_forward_transposed_and_both_are_right(name: str, case: Case) -> None:
    for seed in (1, 2):
        errors = check_case(OPS[name], case, seed)
        if errors is not None:
            check = DerivativeCheck(name, 1, *errors)
            assert check.is_right, check


def test_the_table_names_every_differentiable_op() -> None:
    some = [OPS[name] for name in ("sigmoid", "einsum", "argmax", "cumprod")]
    table = derivatives_table(some)
    assert table.splitlines()[0].split()[:4] == ["op", "cases", "transposed", "forward"]
    assert [line.split()[0] for line in table.splitlines()[1:4]] == ["sigmoid", "einsum", "cumprod"]
    assert table.endswith("3 differentiable ops; all are right")
    assert check_derivatives(OPS["argmax"]) is None


def test_a_wrong_derivative_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    doubled = Pointwise("doubled", "Its reference is not its formula.", "2*x")
    monkeypatch.setitem(OPS, "doubled", doubled)
    monkeypatch.setattr(
        doubled, "reference", lambda arrays, attrs, result: np.asarray(3.0 * arrays[0])
    )
    check = check_derivatives(doubled)
    assert check is not None and not check.is_right
    assert check.transposed < 1e-12 < 0.1 < min(check.forward, check.reverse)
    assert "WRONG: doubled" in derivatives_table([doubled])
