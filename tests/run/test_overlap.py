"""Arrays that share memory are found, whatever lies between and around them."""

from __future__ import annotations

import numpy as np

from graphc.run.overlap import find_overlap


def test_two_that_overlap_behind_one_that_does_not() -> None:
    block = np.zeros(12)
    assert find_overlap({"a": block[:3], "b": block[4:9], "c": block[7:]}) == ("b", "c")
    assert find_overlap({"a": block[:3], "b": block[4:7], "c": block[7:]}) is None


def test_two_that_overlap_in_the_gaps_of_a_third() -> None:
    block = np.zeros(12)
    even, odd = block[::2], block[1::2]
    assert find_overlap({"a": even, "b": odd[:2], "c": odd[2:]}) is None
    assert find_overlap({"a": even, "b": odd[:2], "c": odd[1:]}) == ("b", "c")


def test_empty_arrays_overlap_nothing() -> None:
    block = np.zeros(12)
    assert find_overlap({"a": block, "b": block[3:3]}) is None
