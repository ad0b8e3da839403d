"""The convolutional examples run and reach the figures that examples/README.md states."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from example_figures import hold
from example_scripts import EXAMPLES, load, main_of, saved

import graphc as gc
from graphc.ir.dims import shape_text


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let examples import one another, as they do when they are run."""
    monkeypatch.syspath_prepend(str(EXAMPLES))


def test_lenet(tmp_path: Path) -> None:
    assert main_of("lenet")(tmp_path) > 0.985
    assert saved(tmp_path, "lenet.png")


def test_the_code_of_lenet_loops_over_nothing() -> None:
    """What loops there are stand in the functions on windows, over the places in a window."""
    step = gc.compile(load("lenet"), minimize="loss", optimizer="sgd(0.1)", style="readable")
    body = step.source[step.source.index("def step(") : step.source.index("def check")]
    assert "for " not in body
    assert body.count("einsum") == 0
    assert body.count("_columns = ") == 4  # of two images, and of the adjoints of two results


def test_motifs_are_learned_from_few_examples() -> None:
    accuracy = main_of("motifs")()
    assert accuracy["convolution"] > 0.97
    assert accuracy["dense layers"] < 0.8


def test_dilated_convolution_reaches_what_a_plain_one_cannot() -> None:
    results = main_of("dilated_convolution")()
    assert results["dilated"][0] == 16
    assert results["dilated"][1] < 0.01
    assert results["plain"][0] == 5
    assert results["plain"][1] > 0.3


def test_upsampling_beats_copying(tmp_path: Path) -> None:
    error, copying = main_of("upsampling")(tmp_path)
    assert error < 0.5 * copying
    assert saved(tmp_path, "upsampling.png")


def test_locally_connected_finds_weights_that_vary() -> None:
    results = main_of("locally_connected")()
    weights, loss, error = results["locally_connected1d"]
    assert weights == 54
    assert loss < 1e-6
    assert error < 1e-3
    assert results["conv1d"][0] == 3
    assert results["conv1d"][1] > 0.01


@pytest.mark.usefixtures("examples")
def test_alexnet_has_the_papers_sizes_and_60965224_parameters() -> None:
    from alexnet import alexnet, layers

    rows = layers(alexnet())
    assert sum(count for _, _, count in rows) == 60_965_224
    shapes = {name: shape for name, shape, _ in rows}
    assert shapes["conv1"] == "f32[N, 96, 55, 55]"
    assert shapes["conv2"] == "f32[N, 256, 27, 27]"
    assert shapes["conv4"] == "f32[N, 384, 13, 13]"
    assert shapes["pool5"] == "f32[N, 256, 6, 6]"
    assert shapes["dense8"] == "f32[N, 1000]"


@pytest.mark.parametrize("script", ["alexnet", "vgg16"])
def test_a_large_network_runs_there_and_back_in_less_than_4_gb(script: str) -> None:
    """The script as a user runs it, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{script}.py")], capture_output=True, text=True, check=True
    )
    hold(script, done.stdout)
    found = re.search(
        r"loss ([\d.]+); there and back in [\d.]+ s, ([\d.]+) GB at most", done.stdout
    )
    assert found
    assert float(found[1]) == pytest.approx(np.log(1000), abs=1)  # it has not learned anything
    assert float(found[2]) < 4


@pytest.mark.usefixtures("examples")
def test_alexnet_script(capsys: pytest.CaptureFixture[str]) -> None:
    from alexnet import alexnet

    results = main_of("alexnet")(alexnet(size=67, classes=10))
    assert results["d_loss_d_conv2.W"].shape == (256, 48, 5, 5)
    assert np.any(results["d_loss_d_conv1.W"])
    assert "parameters" in capsys.readouterr().out


@pytest.mark.usefixtures("examples")
def test_vgg16_has_138357544_parameters_and_fits_4_gb() -> None:
    from alexnet import layers
    from vgg16 import vgg

    graph = vgg()
    rows = layers(graph)
    assert sum(count for _, _, count in rows) == 138_357_544
    shapes = {name: shape for name, shape, _ in rows}
    assert shapes["conv1_2"] == "f32[N, 64, 224, 224]"
    assert shapes["conv5_3"] == "f32[N, 512, 14, 14]"
    assert shapes["pool5"] == "f32[N, 512, 7, 7]"
    there_and_back = gc.optimize(graph.gradient("loss"))
    assert int(there_and_back.cost().at(N=1).peak_bytes) < 4e9


@pytest.mark.usefixtures("examples")
def test_a_small_vgg_runs_there_and_back() -> None:
    from vgg16 import vgg

    small = vgg(blocks=((4, 4), (8, 8)), size=16, dense=(32,), classes=5)
    results = main_of("vgg16")(small)
    assert results["d_loss_d_conv1_1.W"].shape == (4, 3, 3, 3)
    assert np.any(results["d_loss_d_conv1_1.W"])


@pytest.mark.usefixtures("examples")
def test_gradient_of_a_small_vgg_equals_finite_differences() -> None:
    from vgg16 import vgg

    small = vgg(blocks=((2, 2),), size=4, dense=(), classes=3).astype("float64")
    at = {"x": np.random.default_rng(0).normal(size=(2, 3, 4, 4)), "y": np.array([0, 2])}
    assert shape_text(small.find("p").shape) == "[N, 3]"
    assert gc.check_gradient(small, of="loss", at=at).max_error < 1e-7
