"""No op and no derivative loses more than 8 ulp, except for a listed reason, within its bound."""

from __future__ import annotations

import numpy as np
import pytest
from audit import DTYPES, MOST_ULPS, SECOND, Row, audit, audited
from page import PAGE, entries
from reasons import REASONS

from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import Pointwise

#: The grid of the tests; the page is written from a finer one.
SMALL = 1
#: A second derivative is the derivative of a rounded one: a few more factors.
MOST_ULPS_SECOND = 2 * MOST_ULPS


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [op.name for op in audited()])
def test_digits_are_kept(name: str, dtype: str) -> None:
    op = OPS[name]
    assert isinstance(op, Pointwise)
    for row in audit(op, dtype, SMALL):
        assert row.subnormal <= 2.0 ** np.finfo(dtype).nmant or row.key in REASONS, row
        if row.key in REASONS:
            assert row.absolute <= REASONS[row.key].absolute, row
        else:
            assert row.unexplained <= most_ulps(row), row


def most_ulps(row: Row) -> float:
    return MOST_ULPS_SECOND if row.quantity == SECOND else MOST_ULPS


def test_every_pointwise_op_is_audited_or_exact() -> None:
    """What is left out compares, selects or copies: its result is exact."""
    left_out = {n for n, op in OPS.items() if isinstance(op, Pointwise)} - {
        op.name for op in audited()
    }
    numbers = {name for name in left_out if not OPS[name].cuts_to_bool}
    assert numbers == {"cast", "where", "positive", "stop_gradient"}


def test_the_page_lists_every_op_and_every_reason() -> None:
    written = entries(PAGE.read_text(encoding="utf-8"))
    assert {op for op, _ in written} == {op.name for op in audited()}
    assert REASONS.keys() <= written.keys()
    for key, remark in written.items():
        assert key not in REASONS or remark == REASONS[key].text, f"{key}: write the page again"
