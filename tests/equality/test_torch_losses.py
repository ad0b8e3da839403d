"""Losses, softmax and its relatives equal PyTorch's: one value per sample, and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch_equality import DTYPES, assert_equal, torch

import graphc as gc

F = torch.nn.functional
RNG = np.random.default_rng(3)

A, B = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3))
Z, T = RNG.normal(size=7) * 2, np.array([1, 0, 1, 1, 0, 0, 1])
SIGNS = 2 * T - 1
P = RNG.uniform(0.05, 0.95, 7)
SCORES = RNG.normal(size=(6, 4)) * 3
CLASSES = RNG.integers(0, 4, 6)
SHARES = RNG.dirichlet(np.ones(4), 6)
IMAGE, IMAGE_CLASSES = RNG.normal(size=(2, 4, 3, 2)), RNG.integers(0, 4, (2, 3, 2))
LARGE = np.array([1e4, -1e4, 60.0, -60.0, 0.0])


SETTINGS = {"weight": [0.5, 1, 2, 3], "label_smoothing": 0.1, "ignore_index": int(CLASSES[1])}


def of_tensors(settings: dict[str, Any], dtype: Any) -> dict[str, Any]:
    """Return settings with lists as PyTorch's tensors."""
    return {
        key: torch.tensor(value, dtype=dtype) if isinstance(value, list) else value
        for key, value in settings.items()
    }


def per_sample(loss: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    """Return PyTorch's loss without its mean over samples."""

    def function(p: Any, t: Any) -> Any:
        t = t.to(p.dtype) if not t.is_floating_point() else t
        values = loss(p, t, reduction="none", **settings)
        return values.reshape(len(values), -1).mean(dim=1)

    return function


def margin(limit: float) -> Callable[..., Any]:
    """Return max(0, limit - t p), which PyTorch states as a ranking of p against 0."""
    return per_sample(
        lambda p, t, reduction: F.margin_ranking_loss(
            p, torch.zeros_like(p), t, margin=limit, reduction=reduction
        )
    )


ROWS: list[tuple[str, Any, Any, np.ndarray, np.ndarray]] = [
    ("squares", gc.nn.mean_squared_error, per_sample(F.mse_loss), A, B),
    (
        "half squares",
        gc.nn.squared_error,
        lambda p, t: 0.5 * F.mse_loss(p, t, reduction="none").sum(dim=1),
        A,
        B,
    ),
    ("absolute", gc.nn.absolute_error, per_sample(F.l1_loss), A, B),
    ("huber", gc.nn.huber, per_sample(F.huber_loss), 2 * A, B),
    (
        "huber 0.3",
        lambda p, t: gc.nn.huber(p, t, delta=0.3),
        per_sample(F.huber_loss, delta=0.3),
        A,
        B,
    ),
    ("bce", gc.nn.binary_cross_entropy, per_sample(F.binary_cross_entropy), P, T),
    (
        "bce logits",
        lambda p, t: gc.nn.binary_cross_entropy(p, t, from_logits=True),
        per_sample(F.binary_cross_entropy_with_logits),
        Z,
        T,
    ),
    (
        "bce logits large",
        lambda p, t: gc.nn.binary_cross_entropy(p, t, from_logits=True),
        per_sample(F.binary_cross_entropy_with_logits),
        LARGE,
        np.array([0.0, 1, 0, 1, 0.3]),
    ),
    (
        "bce of sigmoid",
        lambda p, t: gc.nn.binary_cross_entropy(gc.sigmoid(p), t),
        per_sample(F.binary_cross_entropy_with_logits),
        LARGE,
        np.array([0.0, 1, 0, 1, 0.3]),
    ),
    ("logistic", gc.nn.logistic_loss, per_sample(F.soft_margin_loss), Z, SIGNS),
    ("hinge", gc.nn.hinge, margin(1.0), Z, SIGNS),
    ("perceptron", gc.nn.perceptron_loss, margin(0.0), Z, SIGNS),
    ("poisson", gc.nn.poisson_loss, per_sample(F.poisson_nll_loss), Z, 3 * T),
    (
        "poisson rate",
        lambda p, t: gc.nn.poisson_loss(p, t, from_logs=False),
        per_sample(F.poisson_nll_loss, log_input=False, eps=0.0),
        P,
        3 * T,
    ),
    (
        "classes",
        gc.nn.softmax_cross_entropy,
        lambda p, t: F.cross_entropy(p, t, reduction="none"),
        SCORES,
        CLASSES,
    ),
    (
        "class shares",
        gc.nn.softmax_cross_entropy,
        lambda p, t: F.cross_entropy(p, t, reduction="none"),
        SCORES,
        SHARES,
    ),
    *[
        (
            f"classes {' '.join(kinds)}",
            lambda p, t, given=given: gc.nn.softmax_cross_entropy(p, t, **given),
            lambda p, t, given=given: F.cross_entropy(
                p, t, reduction="none", **of_tensors(given, p.dtype)
            ),
            SCORES,
            target,
        )
        for target, kinds in (
            (CLASSES, ["weight"]),
            (CLASSES, ["label_smoothing"]),
            (CLASSES, ["ignore_index"]),
            (CLASSES, ["weight", "label_smoothing", "ignore_index"]),
            (SHARES, ["weight", "label_smoothing"]),
        )
        for given in [{kind: SETTINGS[kind] for kind in kinds}]
    ],
    (
        "classes of an image, weighted",
        lambda p, t: gc.nn.softmax_cross_entropy(
            p, t, axis=1, weight=[0.5, 1, 2, 3], label_smoothing=0.2, ignore_index=0
        ),
        lambda p, t: F.cross_entropy(
            p,
            t,
            reduction="none",
            weight=torch.tensor([0.5, 1, 2, 3], dtype=p.dtype),
            label_smoothing=0.2,
            ignore_index=0,
        ),
        IMAGE,
        IMAGE_CLASSES,
    ),
    (
        "bce logits, rare positives",
        lambda p, t: gc.nn.binary_cross_entropy(p, t, from_logits=True, pos_weight=3),
        per_sample(F.binary_cross_entropy_with_logits, pos_weight=torch.tensor(3.0)),
        Z,
        T,
    ),
    (
        "bce logits, rare labels",
        lambda p, t: gc.nn.binary_cross_entropy(p, t, from_logits=True, pos_weight=[3, 1, 0.5]),
        per_sample(F.binary_cross_entropy_with_logits, pos_weight=torch.tensor([3, 1, 0.5])),
        A,
        (B > 0).astype(float),
    ),
    (
        "classes of an image",
        lambda p, t: gc.nn.softmax_cross_entropy(p, t, axis=1),
        lambda p, t: F.cross_entropy(p, t, reduction="none"),
        IMAGE,
        IMAGE_CLASSES,
    ),
    (
        "class probabilities",
        lambda p, t: gc.nn.softmax_cross_entropy(p, t, from_logits=False),
        lambda p, t: F.nll_loss(torch.log(p), t, reduction="none"),
        SHARES,
        CLASSES,
    ),
    (
        "textbook cross-entropy",
        lambda p, t: -gc.log(gc.take_along_axis(softmax_by_hand(p), t[:, None], axis=1))[:, 0],
        lambda p, t: F.cross_entropy(p, t, reduction="none"),
        SCORES * 100,
        CLASSES,
    ),
]


def softmax_by_hand(z: gc.Node) -> gc.Node:
    return gc.exp(z) / gc.exp(z).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_losses(row: tuple[str, Any, Any, np.ndarray, np.ndarray], dtype: str) -> None:
    _, ours, theirs, prediction, target = row
    assert_equal(
        lambda p, t: ours(p, t),
        lambda p, t: theirs(p, t),
        {"p": prediction, "t": target},
        dtype=dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("scale", [1.0, 300.0])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_softmax(name: str, axis: int, scale: float, dtype: str) -> None:
    ours, theirs = getattr(gc, name), getattr(torch, name)
    assert_equal(
        lambda x: ours(x, axis=axis),
        lambda x: theirs(x, dim=axis),
        {"x": SCORES * scale},
        dtype=dtype,
    )
