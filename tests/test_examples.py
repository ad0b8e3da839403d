"""Every example runs, and shows the numbers that the lectures state."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from example_figures import ASKED, FIGURES, rows, stated, texts
from example_scripts import EXAMPLES, PICTURES, load, main_of

import graphc as gc

GRAPHS = sorted(EXAMPLES.glob("*.graph"))
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))
TESTS = sorted(Path(__file__).parent.glob("test_examples*.py"))

#: Outputs that are not a loss, to check the gradient of.
CHECKED_OUTPUT = {
    "ln_product_sine": "y",
    "cos_sin": "J",
    "one_neuron": "y",
    "binary_network": "J",
    "four_layer_scalar": "y",
    "flight_delay": "cross_entropy",
}


def test_the_table_of_examples_names_every_example() -> None:
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in [*GRAPHS, *EXAMPLES.glob("*.py")]:
        assert f"`{path.name}`" in table, f"{path.name} is missing in examples/README.md"


@pytest.mark.parametrize("system", FIGURES)
def test_the_figures_of_the_page_are_those_that_are_compared(system: str) -> None:
    cell, *places = FIGURES[system]
    assert len(texts(system)) == cell.count("{}") == sum(place.count for place in places)
    if ASKED in places:
        asks = [path for path in TESTS if f'stated("{system}")' in path.read_text(encoding="utf-8")]
        assert asks, f"no test asks for the figures of {system!r}"


def test_every_row_of_the_page_has_its_figures_compared() -> None:
    assert list(rows()) == list(FIGURES)


def test_every_picture_of_the_page_is_compared_with_what_a_script_saves() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in TESTS)
    compared = set(re.findall(r'"(\w+\.png)"', "".join(re.findall(r"saved\(.*?\)", source, re.S))))
    assert compared == {path.name for path in PICTURES.iterdir()}


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_graph_file_round_trips(path: Path) -> None:
    graph = gc.load(path)
    assert graph.name == path.stem
    assert graph.doc
    assert gc.parse(str(graph)) == graph


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_gradient_of_a_graph_file(path: Path) -> None:
    graph = gc.load(path).astype("float64")
    rng = np.random.default_rng(0)
    sizes = {"N": 5, "T": 4}
    at = {}
    for name, node in graph.inputs.items():
        shape = tuple(d if isinstance(d, int) else sizes[str(d)] for d in node.shape)
        draw = rng.integers(0, 2, shape) if node.dtype.kind == "i" else rng.uniform(0.2, 0.8, shape)
        at[name] = draw.astype(node.dtype)
    of = "loss" if "loss" in graph.outputs else CHECKED_OUTPUT.get(path.stem)
    if of is None:
        graph = gc.graph({"loss": gc.mean(gc.square(next(iter(graph.outputs.values()))))})
        of = "loss"
    assert gc.check_gradient(graph, of=of, at=at).max_error < 1e-6


def test_ln_product_sine() -> None:
    graph = load("ln_product_sine")
    f = gc.compile(graph, gradient_of="y", wrt=["x1", "x2"])
    result = f(x1=2.0, x2=5.0)
    found = [round(float(result[name]), 3) for name in ("y", "d_y_d_x1", "d_y_d_x2")]
    assert found == [11.652, 5.5, 1.716] == stated("y = ln x₁ + x₁x₂ − sin x₂")


def test_cos_sin() -> None:
    x = 0.7
    result = gc.compile(load("cos_sin"), gradient_of="J", wrt=["x"])(x=x)
    t = x * x
    u = math.sin(t) + 3 * t
    (digits,) = stated("J = cos(sin x² + 3x²)")
    assert float(result["J"]) == pytest.approx(math.cos(u), rel=digits)
    slope = -math.sin(u) * (math.cos(t) + 3) * 2 * x
    assert float(result["d_J_d_x"]) == pytest.approx(slope, rel=digits) and digits <= 1e-14


def test_one_neuron() -> None:
    graph = load("one_neuron")
    result = gc.interpret(graph, graph.init(), x=np.array([2.0, 3.0, -1.0, 5.0]))
    assert float(result["a"]) == pytest.approx(3.2, rel=1e-14)
    assert round(float(result["y"]), 2) == 0.96
    assert stated("one neuron") == [3.2, 0.96]


def test_fully_connected_3_4_2_counts() -> None:
    params = load("mlp_3_4_2").params
    weights = [node.size for name, node in params.items() if name.startswith("W")]
    biases = [node.size for name, node in params.items() if name.startswith("b")]
    found = [sum(biases), sum(weights), sum(weights + biases)]
    assert found == [6, 20, 26] == stated("fully connected 3-4-2")


def test_textbook_logistic_loss_is_exact_far_out() -> None:
    graph = load("logistic_regression")
    step = gc.compile(graph, gradient_of="loss")
    state = {"w": np.array([1.0, 0.0], np.float32), "b": np.float32(0)}
    (far,) = stated("logistic regression")
    x = np.array([[far, 0], [-far, 0]], np.float32)
    result = step(state, x=x, y=np.array([0, 1], np.float32))
    assert float(result["loss"]) == far == 1e4
    assert np.isfinite(result["d_loss_d_w"]).all()


def test_digits_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = main_of("digits")(tmp_path)
    assert accuracy >= 0.97
    assert "def step(" in capsys.readouterr().out
    written = {path.name for path in tmp_path.iterdir()}
    drawn = {"computation.svg", "network.svg", "explorer.html"} if shutil.which("dot") else set()
    assert {"digits_mlp.py", "loss.svg", *drawn} <= written


def test_digits_code_runs_alone_and_checks_its_own_gradient(tmp_path: Path) -> None:
    main_of("digits")(tmp_path, epochs=1)
    # An isolated interpreter in an empty folder: the module has NumPy and nothing of this project.
    probe = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__'); " + (
        "assert not [m for m in sys.modules if m.split('.')[0] in ('graphc', 'sympy')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, str(tmp_path / "digits_mlp.py")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr
    assert "gradient" in done.stdout


def test_diabetes_reaches_least_squares() -> None:
    assert main_of("diabetes")() < 1e-10


def test_a_gaussian_process_is_as_likely_as_scikit_learns() -> None:
    assert main_of("gaussian_process")() < 1e-9


def test_smallest_perceptron() -> None:
    assert main_of("smallest_perceptron")() == pytest.approx(1.01, abs=0.01)
    assert stated("world's smallest perceptron")[0] == 1.01  # 0.01·(10.1 − 0)·10, exactly


def test_flight_delay() -> None:
    losses = main_of("flight_delay")()
    assert losses["cross_entropy"] == pytest.approx(1.0266447749726109, rel=1e-12)
    assert losses["squared_error"] == pytest.approx(0.33175, rel=1e-12)
    assert losses["trained"] < losses["cross_entropy"]


def test_traces(capsys: pytest.CaptureFixture[str]) -> None:
    adjoints = main_of("traces")()
    assert round(adjoints["v̄0"], 3) == 5.5
    assert round(adjoints["v̄1"], 3) == 1.716
    printed = capsys.readouterr().out
    assert "v4 = sin(v1)  sin(5) = −0.959" in printed
    assert "dJ/dxᵢ += Σⱼ dJ/daⱼ·αⱼᵢ" in printed


def test_four_layer_scalar_reuses_shared_factors() -> None:
    graph = load("four_layer_scalar")
    trace = gc.trace(graph, {"x": 2}, mode="reverse")
    adjoint = {row.name: row for row in trace.rows}
    values = {row.name or row.symbolic: float(row.value) for row in gc.trace(graph, {"x": 2}).rows}
    h1, h2, y = values["h1"], values["h2"], values["y"]
    to_h2 = (1 - y * y) * -1.5
    to_h1 = to_h2 * h2 * (1 - h2) * 2.0
    (digits,) = stated("four-layer scalar network")
    assert digits <= 1e-12
    assert adjoint["w3"].number == pytest.approx((1 - y * y) * h2, rel=digits)
    assert adjoint["w2"].number == pytest.approx(to_h2 * h2 * (1 - h2) * h1, rel=digits)
    assert adjoint["w1"].number == pytest.approx(to_h1 * (1 - h1 * h1) * 2, rel=digits)
    assert adjoint["b1"].number == pytest.approx(to_h1 * (1 - h1 * h1), rel=digits)


def test_every_script_is_tested() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in TESTS)
    assert [name for name in SCRIPTS if f'("{name}")' not in source] == []
