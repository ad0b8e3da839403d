"""Write docs/accuracy.md from the audit: `python tests/accuracy/page.py`, some minutes."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from audit import DTYPES, MOST_ULPS, Row, audit, audited
from reasons import REASONS

from graphc.ops import OPS

PAGE = Path(__file__).parent.parent.parent / "docs" / "accuracy.md"
#: The size of the grid: about 500 points for an op of one argument, 2000 for two.
FINE = 24

HEAD = """# Accuracy

How far compiled code is from the exact result, for every pointwise op and its derivatives: level 2,
style `fast`, on a grid of tiny, huge, ordinary and near-kink values of both signs. The exact
results are mpmath's, at the floats themselves; derivatives there are difference quotients with
hundreds of digits, which share nothing with the compiler. Written by
`python tests/accuracy/page.py` with NumPy {numpy} on {machine}; another processor may round NumPy's
functions differently.

The numbers are units in the last place (ulp) of the exact result: 0.5 is correctly rounded. Nothing
is above {most:.0f} ulp without a reason in the last column; `tests/accuracy` sees to it.
*Ill-conditioned* means that rounding the arguments alone moves the result as far, so that no
formula over floats can do better: near a zero of the result, or where it is steep.

Kinks, poles, infinities and nan themselves are conventions; `tests/test_edge_gradients.py` holds
them. Comparisons, logical ops, `where`, `cast`, `positive` and `stop_gradient` compute nothing.
"""

SUBNORMAL = """
## Below the smallest normal number

Results that small (1.2e-38 in float32, 2.2e-308 in float64) are off by less than that number: what
they are made of has underflowed or overflowed first. They keep their digits in most ops; in these
they may lose them, down to 0:

{ops}.
"""


def main() -> None:
    """Write the page."""
    rows = [row for op in audited() for dtype in DTYPES for row in audit(op, dtype, FINE)]
    PAGE.write_text(page(rows), encoding="utf-8")


def page(rows: list[Row]) -> str:
    """Return the page as Markdown."""
    head = HEAD.format(numpy=np.__version__, machine=platform.machine(), most=MOST_ULPS)
    lines = [
        "| op | result | float32 | at | float64 | at | remark |",
        "|---|---|---:|---|---:|---|---|",
    ]
    found = {(row.key, row.dtype): row for row in rows}
    for key in dict.fromkeys(row.key for row in rows):
        pair = [found[key, dtype] for dtype in DTYPES]
        cells = [cell for row in pair for cell in (number(row.error), place(row))]
        lines.append(f"| `{key[0]}` | {key[1]} | {' | '.join(cells)} | {remark(pair)} |")
    small = sorted({row.op for row in rows if row.subnormal > MOST_ULPS})
    listed = ", ".join(f"`{op}`" for op in small)
    return "\n".join([head, *lines, SUBNORMAL.format(ops=listed)])


def remark(pair: list[Row]) -> str:
    """Say why the worst error is what it is, where that is worth a word."""
    key, worst = pair[0].key, max(row.error for row in pair)
    if key in REASONS:
        return REASONS[key].text
    if worst > MOST_ULPS:
        limit = max(row.unexplained for row in pair)
        kind = "a sum of rounded terms" if limit > MOST_ULPS else "ill-conditioned there"
        return f"{kind}; elsewhere at most {number(limit)}"
    op = OPS[key[0]]
    is_numpy = getattr(op, "ufunc", None) is not None and key[1] == "value"
    return "NumPy's own function" if is_numpy and worst > 0.51 else ""


def number(error: float) -> str:
    if error < 0.005:
        return "0"
    return f"{error:.2g}" if error < 9.95 else f"{error:.0f}" if error < 1000 else f"{error:.0e}"


def place(row: Row) -> str:
    return ", ".join(f"{x:.4g}" for x in row.at) if row.error >= 0.005 else ""


def entries(text: str) -> dict[tuple[str, str], str]:
    """Return the remarks of a written page by op and result."""
    return {(op, result): remark for op, result, remark in _rows(text)}


def _rows(text: str) -> Iterator[tuple[str, str, str]]:
    for match in re.finditer(r"^\| `(\w+)` \| (\S+) \|.*\| (.*) \|$", text, re.M):
        op, result, remark = match.groups()
        yield op, result, remark.strip()


if __name__ == "__main__":
    main()
