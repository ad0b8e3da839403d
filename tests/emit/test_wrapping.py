"""Long lines are broken as formatters break them, and mean the same afterwards."""

from __future__ import annotations

import ast
import subprocess
import sys

import numpy as np
import pytest

from graphc.emit.wrapping import WIDTH, wrapped

LONG = "of_a_value_with_quite_a_long_name"
LINES = {
    "call": f"    y = np.add({LONG}, {LONG}, out={LONG})",
    "display": f"    return {{'first': {LONG}, 'second': {LONG}, 'third': {LONG}}}",
    "loop": f"    for a, b in zip({LONG}, {LONG}, {LONG}):",
    "indices": f"    {LONG}[np.arange(3)[:, None], {LONG}, 0] += {LONG}[:, 0]",
    "chain": f"    y = {LONG}[:, :, None].transpose(1, 2, 0).reshape(16, {LONG})",
    "product": f"    y = ({LONG} @ {LONG}).swapaxes(1, 2).reshape(3, 4, 5)",
}


def closed(lines: list[str]) -> str:
    """Return the lines as a function, so that formatters read them."""
    body = "\n".join(lines)
    return f"def f():\n{body}" + ("\n        pass\n" if body.endswith(":") else "\n")


@pytest.mark.parametrize("form", LINES)
def test_broken_lines_fit_and_stay_as_they_are(form: str) -> None:
    lines = wrapped(LINES[form].replace("'", '"'))
    assert len(lines) > 1
    assert max(map(len, lines)) <= WIDTH
    for width in ("88", "100"):
        words = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", width, "-"]
        done = subprocess.run(words, input=closed(lines), capture_output=True, text=True)
        assert done.stdout == closed(lines)


@pytest.mark.parametrize("form", ["call", "display", "loop", "indices"])
def test_a_break_keeps_the_statement(form: str) -> None:
    line = LINES[form].replace("'", '"')
    assert ast.dump(ast.parse(closed(wrapped(line)))) == ast.dump(ast.parse(closed([line])))


def test_a_chain_in_two_steps_has_the_value_of_the_chain() -> None:
    line = "    y = np.arange(24).reshape(2, 3, 4).transpose(1, 2, 0).reshape(3, 8)"
    lines = wrapped(line, 60)
    assert lines == [
        "    y = np.arange(24).reshape(2, 3, 4).transpose(1, 2, 0)",
        "    y = y.reshape(3, 8)",
    ]
    values: dict[str, np.ndarray] = {}
    exec("\n".join(part.strip() for part in lines), {"np": np}, values)
    expected = np.arange(24).reshape(2, 3, 4).transpose(1, 2, 0).reshape(3, 8)
    np.testing.assert_array_equal(values["y"], expected)


@pytest.mark.parametrize(
    "line",
    [
        f"    y = {LONG} + {LONG}.transpose(1, 0) + {LONG}.reshape(3)",
        f"    # {LONG} {LONG} {LONG}.reshape(3).transpose(1, 0)",
        f"    {LONG}[0] = {LONG} + {LONG} + {LONG}",
    ],
)
def test_other_lines_are_left(line: str) -> None:
    assert wrapped(line) == [line]


def test_a_long_product_is_written_as_a_call() -> None:
    line = f"    y = {'a' * 40}.swapaxes(1, 2) @ {'b' * 40}.transpose(0, 2, 1)"
    assert wrapped(line) == [
        "    y = np.matmul(",
        f"        {'a' * 40}.swapaxes(1, 2),",
        f"        {'b' * 40}.transpose(0, 2, 1),",
        "    )",
    ]
    sum_of_products = f"    y = {'a' * 40} @ {'b' * 40} + c"
    assert wrapped(sum_of_products) == [sum_of_products]
    within = f"    y = np.sum({'a' * 40} @ {'b' * 40}.transpose(0, 2, 1)).astype(np.float32)"
    assert "np.matmul" not in "".join(wrapped(within))
