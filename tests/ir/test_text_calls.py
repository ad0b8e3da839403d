"""Calls that a text gets wrong: what is said of the arguments, in the words of the text."""

from __future__ import annotations

import pytest

import graphc as gc
from graphc.ir.text.errors import GraphTextError

HEAD = """x: input(f32, N, 4)
y: input(i64, N)
W: param(f32, 4, 3)
"""


def mistake(line: str) -> GraphTextError:
    with pytest.raises(GraphTextError) as found:
        gc.parse(f"{HEAD}{line}\n", "m.graph")
    return found.value


@pytest.mark.parametrize(
    ("line", "place", "what", "fix"),
    [
        ("h = dense(x, units=3)", "4:14", "dense has no argument 'units'", "size= for units="),
        ("h = dense(x, actvation=relu)", "4:14", "no argument 'actvation'", "'activation'?"),
        ("h = conv2d(x, 3, kernel=3)", "4:18", "no argument 'kernel'", "mean 'kernel_size'?"),
        ("h = where(x > 0, x)", "4:5", "where misses its argument 'y'", None),
        ("h = where(x > 0)", "4:5", "where misses its arguments 'x' and 'y'", None),
        ("h = reshape(x, 2, 2)", "4:5", "reshape takes 2 arguments", None),
        ("h = dense(x, 3, relu)", "4:5", "dense takes 2 arguments without a name", "as in name=…"),
        ("h = dense(x, 3, x=4)", "4:17", "dense gets its argument 'x' twice", None),
        ("b: parm(f32, 3)", "4:4", "not a declaration", "did you mean 'param'?"),
        ("b: Input(f32, 3)", "4:4", "not a declaration", "did you mean 'input'?"),
        ("b: zzz(f32, 3)", "4:4", "not a declaration", "give the value"),
        (
            "b: param(f32, 3, init='he_normal')",
            "4:4",
            "not an initializer",
            "call it, without quotes: he_normal()",
        ),
        (
            "loss = softmax_cross_entropy(y, x @ W)",
            "4:8",
            "softmax_cross_entropy: prediction and target do not fit",
            "they look swapped, as the prediction comes first",
        ),
        (
            "loss = softmax_cross_entropy(x @ W, y[:, None])",
            "4:8",
            "prediction and target do not fit",
            "take the target's last axis away: y[:, 0]",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_call(line: str, place: str, what: str, fix: str | None) -> None:
    error = mistake(line)
    assert what in error.what
    assert f"{error.line}:{error.column}" == place
    assert "()" not in error.what and "gc." not in str(error)
    if fix is None:
        assert error.fix is None
    else:
        assert error.fix is not None and fix in error.fix


def test_the_types_that_a_loss_got_are_those_that_were_given() -> None:
    assert mistake("loss = softmax_cross_entropy(y, x @ W)").got == "i64[N] and f32[N, 3]"


@pytest.mark.parametrize(
    ("bounds", "shape"),
    [
        ("((0, 4, 1), (0, 4, 1))", "(4, 4)"),
        ("((1, 5, 1), (0, 3, 1))", "(4, 3)"),
        ("((4, 0, -1), (0, 3, 1))", "(4, 3)"),
        ("()", "()"),
    ],
)
def test_what_is_added_to_a_slice_lies_in_the_array(bounds: str, shape: str) -> None:
    error = mistake(f"loss = sum(slice_add(W, zeros({shape}), bounds={bounds}))")
    assert error.what == "slice_add: the slice does not lie in the base"
    assert error.expected == "places of [4, 3]"
