"""Long lines are broken as formatters break them, and mean the same afterwards."""

from __future__ import annotations

import ast
import subprocess
import sys

import numpy as np
import pytest

import graphc as gc
from graphc.emit.lines.wrapping import WIDTH, wrapped

LONG = "of_a_value_with_quite_a_long_name"
LINES = {
    "call": f"    y = np.add({LONG}, {LONG}, out={LONG})",
    "display": f"    return {{'first': {LONG}, 'second': {LONG}, 'third': {LONG}}}",
    "loop": f"    for a, b in zip({LONG}, {LONG}, {LONG}):",
    "indices": f"    {LONG}[np.arange(3)[:, None], {LONG}, 0] += {LONG}[:, 0]",
    "chain": f"    y = {LONG}[:, :, None].transpose(1, 2, 0).reshape(16, {LONG})",
    "indexed": f"    y = np.windows({LONG}, {LONG}, axis=(2, 3))[:, :, ::2, ::2]",
    "attribute": f"    y = ({LONG} - np.log({LONG} + {LONG})).T",
    "index": f"    y = {LONG}.reshape(-1, 30)[index, {LONG}[:, 1:].reshape(-1)]",
    "sum": f"    y = {LONG} + {LONG}.transpose(1, 0) + {LONG}.reshape(3)",
    "two": f"    y = {LONG} + {LONG}[:, None] * 0.5",
    "place": f"    {LONG}[...] = {LONG} * {LONG} + {LONG}",
    "added": f"    {LONG} -= {LONG} * ({LONG} + 1)",
    "carry": f"    {LONG} = {LONG} @ {LONG} + {LONG} - 1",
    "pairs": f"    {LONG}, b = {LONG}[:, 1], np.add({LONG}, 3)",
    "method": f"    {LONG}.reshape(-1, 30).max(axis=1, keepdims=True, out={LONG})",
    "function": f"    y = {LONG}[1:].reshape(5, 5).T.dot({LONG}, out={LONG})  # [5]",
    "argument": f"    np.copyto({LONG}, {LONG} + {LONG} * {LONG})",
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


def test_what_is_in_the_name_of_a_parameter_is_no_code() -> None:
    name = f'"{LONG}, \\" {LONG}("'
    head = f"    for name in ({name},):"
    assert wrapped(head) == ["    for name in (", f"        {name},", "    ):"]
    entry = f"    {name}: np.zeros((3, 4), np.float32),"
    words = ["        (3, 4),", "        np.float32,"]
    assert wrapped(entry) == [f"    {name}: np.zeros(", *words, "    ),"]


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
        f"    # {LONG} {LONG} {LONG}.reshape(3).transpose(1, 0)",
        f"    y = {LONG} if {LONG} else {LONG} + {LONG}.reshape(3)",
        f"    y = {LONG}{LONG}{LONG}",
    ],
)
def test_other_lines_are_left(line: str) -> None:
    assert wrapped(line) == [line]


A, B, C = (letter * 30 for letter in "abc")
SUMS = {
    f"y = {A} - {B} + {C}": [f"y = {A} - {B}", f"y = y + {C}"],
    f"y = {A} - ({B} * {C} + 1)": [f"y = np.subtract({A}, {B} * {C} + 1)"],
    f"y = {A} - {B} * y + {C}": [f"y = {A} - {B} * y", f"y = y + {C}"],
    f"y = {A} - {B} * {C} + y": [f"y = np.add({A} - {B} * {C}, y)"],
    f"y = {A} - {B} @ {C}[0] / 2": [f"y = {B} @ {C}[0] / 2", f"y = {A} - y"],
    f"y = ({A} - {B})[{C}]": [f"y = {A} - {B}", f"y = y[{C}]"],
    f"y = {A}**2 - {B} ** {C}": [f"y = {A}**2", f"y = y - {B} ** {C}"],
    f"y = {A} ** {B} ** {C}": [f"y = {B} ** {C}", f"y = {A} ** y"],
    f"y = {A} ** ({B} + {C})": [f"y = {A} ** ({B} + {C})"],
    f"y = -{A} ** {B} ** {C}": [f"y = -{A} ** {B} ** {C}"],
    f"y += {A} - {B} + {C}": [f"y += np.add({A} - {B}, {C})"],
}


@pytest.mark.parametrize("line", SUMS)
def test_operations_are_cut_where_they_are_applied_last(line: str) -> None:
    """In two steps; as a call where the second one would read what the first one overwrites."""
    lines = "\n".join(wrapped(line, len(line) - 1))
    assert ast.dump(ast.parse(lines)) == ast.dump(ast.parse("\n".join(SUMS[line])))


def test_a_long_product_is_written_as_a_call() -> None:
    line = f"    y = {'a' * 40}.swapaxes(1, 2) @ {'b' * 40}.transpose(0, 2, 1)"
    assert wrapped(line) == [
        "    y = np.matmul(",
        f"        {'a' * 40}.swapaxes(1, 2),",
        f"        {'b' * 40}.transpose(0, 2, 1),",
        "    )",
    ]
    within = f"    y = np.sum({'a' * 40} @ {'b' * 40}.transpose(0, 2, 1)).astype(np.float32)"
    assert wrapped(within) == [
        "    y = np.sum(",
        "        np.matmul(",
        f"            {'a' * 40},",
        f"            {'b' * 40}.transpose(0, 2, 1),",
        "        ),",
        "    )",
        "    y = y.astype(np.float32)",
    ]


def test_the_heading_of_a_module_fits_its_width() -> None:
    loss = gc.mean(gc.square(gc.input("x", ("N", 3)) @ gc.param("W", (3,))))
    rate = gc.optim.linear_warmup(gc.optim.cosine(0.05, 12), 4)
    step = gc.optim.clip_by_norm(gc.optim.adamw(rate, weight_decay=0.1), 0.3)
    f = gc.compile(gc.graph({"loss": loss}, name="regression"), minimize="loss", optimizer=step)
    lines = f.source.splitlines()
    assert lines[0].startswith('"""regression: training step for `loss` with')
    assert max(map(len, lines)) <= 88


def test_a_long_error_tells_every_shape() -> None:
    names = [f"measurement_{i}_of_the_experiment" for i in range(9)]
    xs = [gc.input(name, ("N", i + 1)) for i, name in enumerate(names)]
    function = gc.compile(gc.graph({"y": sum(map(gc.sum, xs))}), style="readable")
    arrays = {name: np.zeros((2, i + 1), np.float32) for i, name in enumerate(names)}
    arrays[names[4]] = np.zeros((2, 7), np.float32)
    with pytest.raises(ValueError) as caught:
        function.module.graph(**arrays)
    wanted = ", ".join(f"{name} [N, {i + 1}]" for i, name in enumerate(names))
    got = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    assert str(caught.value) == f"expected {wanted}; got {got}"
