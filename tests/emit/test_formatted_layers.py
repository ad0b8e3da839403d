"""Modules of convolutions, normalization and pooling are written as formatters write them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import graphc as gc
from graphc.ir.node import Node
from graphc.ops.windows import convolution_code, window_code

nn = gc.nn
LINE = [sys.executable, "-m", "ruff"]


def classifier(h: Node) -> Node:
    """Return the loss of a dense layer on what is left of the images."""
    y = gc.input("y", ("N",), dtype="int64")
    z = nn.dense(h if h.ndim == 2 else h.reshape(("N", -1)), 10, name="out")
    return gc.mean(nn.softmax_cross_entropy(z, y))


def resnet_block() -> Node:
    x = gc.input("x", ("N", 16, 8, 8))
    h = gc.relu(nn.batch_norm(nn.conv2d(x, 16, 3, padding=1, name="conv1"), name="bn1"))
    h = nn.batch_norm(nn.conv2d(h, 16, 3, padding=1, name="conv2"), name="bn2")
    return classifier(gc.relu(h + x).mean(axis=(2, 3)))


def depthwise() -> Node:
    x = gc.input("x", ("N", 16, 12, 12))
    h = nn.conv2d(x, 16, 3, padding=1, groups=16, name="dw", activation=gc.relu)
    h = nn.conv2d(h, 32, 1, name="pw", activation=gc.relu)
    return classifier(h.mean(axis=(2, 3)))


def average_pooling() -> Node:
    h = gc.input("x", ("N", 3, 16, 16))
    h = nn.avg_pool2d(nn.conv2d(h, 8, 3, name="conv1", activation=gc.tanh), 2)
    h = nn.conv2d(h, 8, 3, padding=1, name="conv2", activation=gc.tanh)
    return classifier(nn.avg_pool2d(h, 3, stride=2, padding=1))


def largest_pooling() -> Node:
    h = gc.input("x", ("N", 3, 16, 16))
    h = nn.conv2d(h, 8, 5, stride=2, padding=2, name="conv1", activation=gc.relu)
    return classifier(nn.max_pool2d(h, 3, stride=2, padding=1))


def motifs() -> Node:
    """The largest response of each filter along a sequence."""
    x = gc.input("x", ("N", 1, 60))
    y = gc.input("y", ("N", 3))
    responses = nn.conv1d(x, 3, 9, name="motif")
    return gc.mean((gc.max(responses, axis=2) - y) ** 2)


def volumes() -> Node:
    h = gc.input("x", ("N", 2, 6, 6, 6))
    h = nn.conv3d(h, 4, 3, padding=1, name="conv", activation=gc.relu)
    return classifier(nn.max_pool3d(h, 2, stride=1))


def encoder() -> Node:
    """Attention with a mask and a wide layer: it runs by samples."""
    N, T, D, H = gc.dim("N"), 64, 64, 4
    x, seen = gc.input("x", (N, T, D)), gc.input("seen", (N, 1, 1, T), dtype="bool")
    h = nn.layer_norm(x, name="ln1")

    def heads(name: str) -> Node:
        projected = nn.dense(h, D, name=name)
        return gc.transpose(gc.reshape(projected, (N, T, H, D // H)), (0, 2, 1, 3))

    scores = heads("q") @ gc.transpose(heads("k"), (0, 1, 3, 2)) / (D // H) ** 0.5
    a = gc.softmax(gc.where(seen, scores, -1e9), axis=-1)
    mixed = gc.reshape(gc.transpose(a @ heads("v"), (0, 2, 1, 3)), (N, T, D))
    h = x + nn.dense(mixed, D, name="o")
    wide = nn.dense(nn.layer_norm(h, name="ln2"), 4 * D, name="up")
    h = h + nn.dense(wide * gc.sigmoid(1.702 * wide), D, name="down")
    return classifier(gc.mean(h, axis=1))


MODELS: list[Callable[[], Node]] = [
    resnet_block,
    depthwise,
    average_pooling,
    largest_pooling,
    motifs,
    volumes,
    encoder,
]


CHECK, FORMAT = ["check"], ["format", "--diff"]


def found(folder: Path, width: str, *commands: list[str]) -> str:
    """Return what a linter or a formatter with its defaults would change."""
    said = ""
    for command in commands:
        words = [*LINE, *command, "--isolated", "--line-length", width, str(folder)]
        done = subprocess.run(words, capture_output=True, text=True)
        said += done.stdout + done.stderr if done.returncode else ""
    return said


@pytest.mark.parametrize("width", ["88", "100"])
def test_modules_of_layers_are_formatted(tmp_path: Path, width: str) -> None:
    for model in MODELS:
        graph = gc.graph({"loss": model()}, name=model.__name__)
        for style in ("readable", "fast"):
            step = gc.compile(graph, minimize="loss", optimizer="sgd(0.1)", style=style)
            step.save(tmp_path / f"{model.__name__}_{style}.py")
    assert found(tmp_path, width, CHECK, FORMAT) == ""


@pytest.mark.parametrize("width", ["88", "100"])
def test_functions_that_modules_bring_along_are_formatted(tmp_path: Path, width: str) -> None:
    """In any number of axes; each stands in a module of its own."""
    sources = list(convolution_code.SOURCES.values())
    for rank in (1, 2, 3, 4):
        sources += [
            window_code.add_windows(rank),
            window_code.reduce_windows(rank),
            window_code.extreme_in_windows(rank, "argmax", "maximum", ">"),
            window_code.add_in_windows(rank),
            window_code.at_extreme(rank, "add"),
            window_code.at_extreme(rank, "put"),
        ]
    for number, source in enumerate(sources):
        (tmp_path / f"source_{number}.py").write_text(source.strip("\n") + "\n", encoding="utf-8")
    assert found(tmp_path, width, FORMAT) == ""
