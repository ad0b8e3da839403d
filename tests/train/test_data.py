"""Helpers for data: measured on the training set, applied to every set, their arguments kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphc.errors import GraphError
from graphc.train import data

RNG = np.random.default_rng(0)


def test_standardizer_measures_training_data_and_maps_others() -> None:
    x = RNG.normal(5, 3, (200, 4))
    x[:, 2] = 7.1  # constant: no scale of its own
    to_standard = data.standardizer(x)
    z = to_standard(x)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(z.std(axis=0), [1, 1, 0, 1], atol=1e-12)
    other = RNG.normal(5, 3, (10, 4))
    np.testing.assert_allclose(to_standard.undo(to_standard(other)), other)
    assert not np.isclose(to_standard(other).mean(), 0, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scaling_keeps_the_float_type(dtype: str) -> None:
    x = RNG.normal(size=(8, 2)).astype(dtype)
    assert data.standardizer(x)(x).dtype == dtype
    assert data.standardizer(np.arange(6).reshape(3, 2))([[1, 2]]).dtype == np.float32


def test_per_channel_statistics() -> None:
    images = RNG.normal([[[[1.0]], [[9.0]]]], 2, (50, 2, 6, 5))
    z = data.standardizer(images, axis=(0, 2, 3))(images)
    np.testing.assert_allclose(z.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    centred = data.subtract_mean(images)(images)
    np.testing.assert_allclose(centred.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(centred.std(axis=0), images.std(axis=0))
    with pytest.raises(GraphError, match="no examples"):
        data.standardizer(np.zeros((0, 3)))


@given(st.lists(st.integers(0, 6), max_size=20))
def test_one_hot_is_undone_by_argmax(labels: list[int]) -> None:
    rows = data.one_hot(np.array(labels, np.int64), 7)
    assert rows.shape == (len(labels), 7)
    assert rows.argmax(axis=1).tolist() == labels and (rows.sum(axis=1) == 1).all()


def test_one_hot_of_any_shape_and_bad_labels() -> None:
    assert data.one_hot([[0, 1], [2, 0]]).shape == (2, 2, 3)
    with pytest.raises(GraphError, match="none of the classes"):
        data.one_hot([0, 3], 3)
    with pytest.raises(GraphError, match="none of the classes"):
        data.one_hot([-1], 3)
    with pytest.raises(GraphError, match="takes integers"):
        data.one_hot([0.5])


def test_batches_pass_over_all_examples_once() -> None:
    arrays = {"x": np.arange(10), "y": np.arange(10) * 2}
    parts = list(data.batches(arrays, 4, np.random.default_rng(0)))
    assert [len(part["x"]) for part in parts] == [4, 4, 2]
    x = np.concatenate([part["x"] for part in parts])
    assert sorted(x) == list(range(10)) and list(x) != list(range(10))
    assert all((part["y"] == 2 * part["x"]).all() for part in parts)
    for wrong in ({"x": [1], "y": [1, 2]}, {"x": 3}, {}):
        with pytest.raises(GraphError, match=r"differ|at least one|no arrays"):
            assert not list(data.batches(wrong, 2)), wrong  # no example, no batch
            raise GraphError("no arrays")
    with pytest.raises(GraphError, match="size=0"):
        data.batches(arrays, 0)


def test_split_holds_out_a_share_and_keeps_rows_together() -> None:
    arrays = {"x": np.arange(12), "y": np.arange(12) + 100}
    train, held = data.split(arrays, 1 / 3, seed=3)
    assert len(train["x"]) == 8 and len(held["x"]) == 4
    assert sorted([*train["x"], *held["x"]]) == list(range(12))
    assert (held["y"] == held["x"] + 100).all()
    assert (data.split(arrays, 1 / 3, seed=4)[1]["x"] != held["x"]).any()
    with pytest.raises(GraphError, match="one part would be empty"):
        data.split(arrays, 0.01)


def test_random_crops_are_windows_of_the_padded_image() -> None:
    images = np.arange(1, 1 + 3 * 2 * 4 * 5).reshape(3, 2, 4, 5)
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(60):
        crops = data.random_crop(images, (4, 5), rng, padding=1)
        assert crops.shape == images.shape
        for image, crop in zip(images, crops, strict=True):
            padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
            at = [
                (i, j)
                for i in range(3)
                for j in range(3)
                if (padded[:, i : i + 4, j : j + 5] == crop).all()
            ]
            assert len(at) == 1
            seen.update(at)
    assert len(seen) == 9
    with pytest.raises(GraphError, match="does not fit"):
        data.random_crop(images, (7, 5), rng, padding=1)
    with pytest.raises(GraphError, match="stack of images"):
        data.random_crop(images[0, 0], (2, 2), rng)


def test_random_flips_mirror_some_images() -> None:
    images = RNG.normal(size=(200, 3, 4))
    before = images.copy()
    flipped = data.random_flip(images, np.random.default_rng(1), probability=0.25)
    np.testing.assert_array_equal(images, before)
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2))
    same = (flipped == images).all(axis=(1, 2))
    assert (mirrored ^ same).all() and 30 < mirrored.sum() < 70
    always = data.random_flip(images, np.random.default_rng(1), axis=1, probability=1)
    np.testing.assert_array_equal(always, images[:, ::-1])
    for wrong in ({"axis": 0}, {"axis": 3}, {"axis": -3}, {"probability": 2}):
        with pytest.raises(GraphError, match="random_flip"):
            data.random_flip(images, RNG, **wrong)


def test_ngram_windows_are_every_run_of_neighbours() -> None:
    tokens = list("abcde")
    assert ["".join(row) for row in data.ngram_windows(tokens, 2)] == ["ab", "bc", "cd", "de"]
    assert data.ngram_windows(np.zeros((6, 3)), 4).shape == (3, 4, 3)
    sequence = np.arange(6)
    windows = data.ngram_windows(sequence, 3)
    windows[0, 0] = 99
    assert sequence[0] == 0  # a copy, not a view
    for size in (0, 7):
        with pytest.raises(GraphError, match="no window fits"):
            data.ngram_windows(sequence, size)


@given(st.text(min_size=1, max_size=40))
def test_vocabulary_encodes_and_decodes(text: str) -> None:
    letters = data.Vocabulary.of(text)
    assert "".join(letters.decode(letters.encode(text))) == text
    assert len(letters) == len(set(text)) and list(letters.tokens) == sorted(set(text))


def test_vocabulary_of_words_and_what_it_does_not_know() -> None:
    words = data.Vocabulary.of(["the", "cat", "and", "the", "dog"])
    assert words.encode(["dog", "the"]).tolist() == [2, 3]
    with pytest.raises(GraphError, match=r"position 1[\s\S]*'cow'"):
        words.encode(["the", "cow"])
    with pytest.raises(GraphError, match="beside the vocabulary"):
        words.decode([4])


@pytest.mark.parametrize("helper", [data.standardizer, data.subtract_mean])
def test_arguments_are_not_changed(helper: Any) -> None:
    x = RNG.normal(size=(6, 2))
    before = x.copy()
    helper(x)(x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int8, np.uint64, np.int64])
def test_one_hot_counts_the_classes_of_every_integer_type(dtype: Any) -> None:
    labels = np.array([0, 2], dtype)
    np.testing.assert_array_equal(data.one_hot(labels), [[1, 0, 0], [0, 0, 1]])
    assert data.one_hot(labels[:0]).shape == (0, 0)
    assert data.one_hot(np.array([255], np.uint8)).shape == (1, 256)


IMAGES = np.ones((2, 4, 4))

#: What a helper is called with, and what its message says.
MISTAKES: list[tuple[str, Callable[[], Any], str]] = [
    ("share nan", lambda: data.split({"x": [1, 2, 3]}, share=float("nan")), "share of split"),
    ("share inf", lambda: data.split({"x": [1, 2, 3]}, share=float("inf")), "share of split"),
    ("share text", lambda: data.split({"x": [1, 2, 3]}, share="a"), "share of split"),  # type: ignore[arg-type]
    ("classes", lambda: data.one_hot([0, 1], 2.5), "classes of one_hot"),  # type: ignore[arg-type]
    ("size half", lambda: data.batches({"x": [1]}, size=2.5), "size of batches"),  # type: ignore[arg-type]
    ("size text", lambda: data.batches({"x": [1]}, size="a"), "size of batches"),  # type: ignore[arg-type]
    ("size true", lambda: data.batches({"x": [1]}, size=True), "size of batches"),
    ("padding", lambda: data.random_crop(IMAGES, (2, 2), RNG, -1), "padding of random_crop"),
    ("padding half", lambda: data.random_crop(IMAGES, (2, 2), RNG, 1.5), "padding of random_crop"),  # type: ignore[arg-type]
    ("one size", lambda: data.random_crop(IMAGES, 2, RNG), "two sizes"),  # type: ignore[arg-type]
    ("three sizes", lambda: data.random_crop(IMAGES, (2, 2, 2), RNG), "two sizes"),  # type: ignore[arg-type]
    ("half a size", lambda: data.random_crop(IMAGES, (2.5, 2), RNG), "size of random_crop"),  # type: ignore[arg-type]
    ("half an axis", lambda: data.random_flip(IMAGES, RNG, axis=1.5), "random_flip"),  # type: ignore[arg-type]
    ("no chance", lambda: data.random_flip(IMAGES, RNG, probability="a"), "random_flip"),  # type: ignore[arg-type]
    ("half a window", lambda: data.ngram_windows([1, 2, 3], 2.5), "size of ngram_windows"),  # type: ignore[arg-type]
    ("nan", lambda: data.standardizer([[1.0, 2.0], [np.nan, 3.0]]), r"1 of 4 values.*\[1, 0\]"),
    ("inf", lambda: data.subtract_mean([1.0, np.inf]), "no mean of what is not finite"),
    ("words to scale", lambda: data.standardizer(["a", "b"]), "wrong dtype\n.*text"),
    ("words as labels", lambda: data.one_hot(["cat", "dog"]), r"np.unique\(y, return_inverse=True"),
    ("a pair", lambda: data.split((np.ones(3), np.ones(3))), "must name its arrays\n.*tuple"),
    ("an array", lambda: list(data.batches(np.ones(3), 2)), "must name its arrays\n.*ndarray"),
    ("a seed", lambda: data.batches({"x": [1, 2]}, 1, 0), r"rng=np.random.default_rng\(0\)"),
    ("crop", lambda: data.random_crop(np.ones((1, 4, 4)), (2, 2), 1), r"default_rng\(1\)"),
    ("flip", lambda: data.random_flip(np.ones((1, 4, 4)), None), "needs a generator"),
]


@pytest.mark.parametrize("call, words", [row[1:] for row in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_wrong_setting_is_one_clear_error(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(GraphError, match=words):
        call()


@pytest.mark.parametrize("indices", [[[0, 1], [1, 2]], 1, [0.5, 1.0], ["a"], [True]], ids=repr)
def test_what_numbers_no_tokens_is_one_clear_error(indices: Any) -> None:
    with pytest.raises(GraphError, match=r"decode takes whole numbers[\s\S]*\[T\]"):
        data.Vocabulary.of("hello").decode(indices)


def test_no_numbers_are_no_tokens() -> None:
    assert data.Vocabulary.of("hello").decode([]) == []
    assert data.Vocabulary.of("hello").decode(np.array([0], np.uint8)) == ["e"]
