"""Outputs that have names in a mapping, beside outputs that do not: one clear error."""

from __future__ import annotations

import pytest

import graphc as gc
from graphc.errors import GraphError


def test_outputs_beside_a_mapping_are_refused() -> None:
    x = gc.input("x", (3,))
    y, z, h = x + 1, x * 2, x - 1
    with pytest.raises(GraphError) as told:
        gc.graph({"y": y}, z, h)
    message = str(told.value)
    assert "but not both" in message
    assert "got       a mapping of 1 output, and z, h" in message
    assert 'fix       put all of them into the mapping: gc.graph({..., "z": z, "h": h})' in message
    assert "test_named_outputs.py" in message  # the line that is to be changed
    assert list(gc.graph({"y": y, "z": z, "h": h}).outputs) == ["y", "z", "h"]
    assert list(gc.graph([y], z).outputs) == ["y", "z"]
