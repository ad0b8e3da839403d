"""The command line: what it prints, what it writes, and one readable error for every mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc import cli
from graphc.commands.values import parse_values, printed
from graphc.errors import GraphError
from graphc.ops import OPS

LN = '''"""The lecture's worked example."""
x1: input(f32)
x2: input(f32)

y = log(x1) + x1*x2 - sin(x2)
output(y)
'''

SOFTMAX = '''"""Softmax regression."""
x: input(f32, N, 2)
y: input(i64, N)
W: param(f32, 2, 2, init=glorot_uniform())
b: param(f32, 2)

z: f32[N, 2] = x @ W + b
p = exp(z) / sum(exp(z), axis=1, keepdims=True)
loss = -mean(log(take_along_axis(p, y[:, None], axis=1)))
output(loss, p)
'''


@pytest.fixture
def ln(tmp_path: Path) -> str:
    (tmp_path / "ln_product_sine.graph").write_text(LN)
    return str(tmp_path / "ln_product_sine.graph")


@pytest.fixture
def softmax(tmp_path: Path) -> str:
    (tmp_path / "softmax.graph").write_text(SOFTMAX)
    return str(tmp_path / "softmax.graph")


@pytest.fixture
def clusters(tmp_path: Path) -> str:
    """Two clusters that a line separates."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 40)
    x = rng.normal(size=(80, 2)) * 0.3 + np.where(y[:, None], 1.0, -1.0)
    np.savez(tmp_path / "clusters.npz", x=x, y=y)
    return str(tmp_path / "clusters.npz")


class Terminal:
    """Runs a command in this process; gives its exit status, stdout and stderr."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["graphc", *words])
        status = 0
        try:
            cli.main()
        except SystemExit as finished:
            status = finished.code if isinstance(finished.code, int) else 1
            if isinstance(finished.code, str):  # what Python itself prints on stderr
                print(finished.code, file=sys.stderr)
        captured = self.capsys.readouterr()
        return status, captured.out, captured.err

    def ok(self, *words: str) -> str:
        status, out, error = self(*words)
        assert status == 0, error
        return out

    def fails(self, *words: str) -> str:
        status, out, error = self(*words)
        assert status == 1 and "Traceback" not in error and out == ""
        return error


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


# -- the lecture's example -------------------------------------------------------------------


def test_run_prints_the_lectures_numbers(terminal: Terminal, ln: str) -> None:
    out = terminal.ok("run", ln, "--at", "x1=2", "--at", "x2=5", "--gradient", "y")
    lines = dict(line.split(" = ") for line in out.splitlines())
    assert lines["y"].startswith("11.652")
    assert lines["d_y_d_x1"] == "5.5"
    assert lines["d_y_d_x2"].startswith("1.716")


@pytest.mark.parametrize("options", [["--reference"], ["--level", "0"], ["--level", "3"]])
def test_every_way_to_run_agrees(terminal: Terminal, ln: str, options: list[str]) -> None:
    assert terminal.ok("run", ln, "--at", "x1=2", "--at", "x2=5", *options).startswith("y = 11.652")


def test_values_may_come_from_files(terminal: Terminal, softmax: str, clusters: str) -> None:
    folder = Path(clusters).parent
    data = np.load(clusters)
    np.save(folder / "x.npy", data["x"])
    whole = terminal.ok("run", softmax, "--at", f"@{clusters}")
    parts = terminal.ok("run", softmax, "--at", f"x=@{folder}/x.npy", "--at", f"y=@{clusters}")
    assert whole == parts and "loss = " in whole and "p [80, 2] float32" in whole
    bare = terminal.ok("run", softmax, "--at", f"x={folder}/x.npy", "--at", f"y={clusters}:y")
    assert whole == bare == terminal.ok("run", softmax, "--at", clusters)


def test_run_saves_arrays(terminal: Terminal, softmax: str, clusters: str) -> None:
    target = Path(clusters).with_name("out.npz")
    terminal.ok(
        "run", softmax, "--at", f"@{clusters}", "--at", "W=[[1,0],[0,1]]", "-o", str(target)
    )
    saved = np.load(target)
    data = np.load(clusters)
    expected = gc.interpret(
        gc.load(softmax), {"W": np.eye(2), "b": np.zeros(2)}, x=data["x"], y=data["y"]
    )
    np.testing.assert_allclose(saved["p"], expected["p"], rtol=1e-5)


# -- other commands --------------------------------------------------------------------------


def test_show_prints_any_stage(terminal: Terminal, softmax: str) -> None:
    plain = terminal.ok("show", softmax)
    assert gc.parse(plain) == gc.load(softmax)
    derived = terminal.ok("show", softmax, "--gradient", "loss")
    better = terminal.ok("show", softmax, "--gradient", "loss", "--level", "2")
    assert "d_loss_d_W" in derived and "d_loss_d_W" in better and derived != better


def test_compile_writes_a_module_that_runs_alone(terminal: Terminal, softmax: str) -> None:
    module = Path(softmax).with_name("m.py")
    terminal.ok(
        "compile", softmax, "-o", str(module), "--minimize", "loss", "--optimizer", "sgd(0.1)"
    )
    code = (
        "import sys, numpy as np; sys.modules['graphc'] = None; import m\n"
        "s = m.init(seed=0); x = np.ones((3, 2), np.float32); y = np.zeros(3, np.int64)\n"
        "first = m.step(s, x, y)['loss']\n"
        "for _ in range(50): last = m.step(s, x, y)['loss']\n"
        "print(last < first)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=module.parent, capture_output=True, text=True, check=False
    )
    assert ran.stdout.strip() == "True", ran.stderr


def test_compile_prints_without_a_file(terminal: Terminal, ln: str) -> None:
    out = terminal.ok("compile", ln, "--gradient", "y", "--style", "readable")
    assert "import numpy as np" in out and "def ln_product_sine(x1, x2" in out


def test_check_agrees(terminal: Terminal, softmax: str) -> None:
    out = terminal.ok("check", softmax, "--at", "N=5")
    assert "gradient of loss agrees with central differences" in out
    assert [line.split()[0] for line in out.splitlines()[2:4]] == ["W", "b"]
    assert " 2 of " in terminal.ok("check", softmax, "--at", "N=5", "--entries", "2")


def test_cost_is_an_expression_and_a_number(terminal: Terminal, softmax: str) -> None:
    assert "*N" in terminal.ok("cost", softmax, "--gradient", "loss")
    for size in ("-3", "0", "2.5", "[1]"):
        assert "no such size: N" in terminal.fails("cost", softmax, "--at", f"N={size}")
    assert "N" not in terminal.ok("cost", softmax, "--at", "N=128").split("FLOPs")[1].split("\n")[0]


def test_train_learns_saves_and_plots(terminal: Terminal, softmax: str, clusters: str) -> None:
    folder = Path(clusters).parent
    out = terminal.ok(
        *("train", softmax, "--data", clusters, "--epochs", "5", "--optimizer", "sgd(0.5)"),
        *("--plot", str(folder / "loss.svg"), "-o", str(folder / "state.npz")),
        *("--validation", clusters),
    )
    rows = [line.split() for line in out.splitlines()[1:]]
    assert len(rows) == 5 and float(rows[-1][1]) < 0.2 < float(rows[0][1])
    assert (folder / "loss.svg").read_text().lstrip().startswith("<?xml")
    assert set(np.load(folder / "state.npz")) == {"W", "b"}


def test_draw_writes_a_picture(terminal: Terminal, ln: str) -> None:
    target = Path(ln).with_name("g.dot")
    terminal.ok("draw", ln, "-o", str(target), "--at", "x1=2", "--at", "x2=5")
    assert "digraph" in target.read_text()


def test_derive_ends_in_the_form_through_the_output(terminal: Terminal) -> None:
    assert "y*(1 - y)" in terminal.ok("derive", "sigmoid").splitlines()[-1]
    assert "\\" in terminal.ok("derive", "sigmoid", "--format", "latex")


def test_ops_lists_all_and_describes_one(terminal: Terminal) -> None:
    table = terminal.ok("ops")
    assert all(f"  {name} " in table for name in OPS)
    page = terminal.ok("ops", "sigmoid")
    for words in ("Logistic function", "1/(1 + exp(-x))", "y*(1 - y)", "σ(x)", "example"):
        assert words in page or words == "σ(x)"


@pytest.mark.parametrize("name", list(OPS))
def test_every_op_has_a_page(terminal: Terminal, name: str) -> None:
    page = terminal.ok("ops", name)
    assert page.startswith(f"{name}: {OPS[name].doc}")


def test_version(terminal: Terminal) -> None:
    assert terminal.ok("--version") == f"graphc {gc.__version__}\n"


def test_no_arguments_print_the_help(terminal: Terminal) -> None:
    out = terminal.ok()
    assert all(f"\n  {name}" in out for name in ("show", "compile", "run", "check", "train", "ops"))


def test_no_search_for_garbage_walks_what_the_imports_made() -> None:
    """A sixth of the time of a short command went into that, most of it at its end."""
    probe = "import gc, graphc.cli; print(gc.get_freeze_count() > 10_000 > len(gc.get_objects()))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


# -- mistakes --------------------------------------------------------------------------------


def test_mistakes_give_one_readable_error(terminal: Terminal, ln: str, softmax: str) -> None:
    missing = str(Path(ln).with_name("absent.graph"))
    at = ["--at", "x1=2", "--at", "x2=5"]
    assert "absent.graph" in terminal.fails("show", missing)
    assert "input 'x2' is missing" in terminal.fails("run", ln, "--at", "x1=2")
    assert "no input called 'x3'" in terminal.fails("run", ln, *at, "--at", "x3=1")
    assert "cannot read the value of 'x1'" in terminal.fails(
        "run", ln, "--at", "x1=__import__('os')"
    )
    assert "cannot read 'x1'" in terminal.fails("run", ln, "--at", "x1")
    assert "Is a directory" in terminal.fails("show", ".")
    assert "given twice" in terminal.fails("run", ln, *at, "--at", "x1=3")
    assert "nope.npy" in terminal.fails("run", ln, "--at", "x1=@nope.npy")
    assert "did you mean" in terminal.fails("ops", "sigmod")
    assert "No such command" in terminal.fails("shwo", ln)
    assert "No such option" in terminal.fails("show", ln, "--nope")
    assert "cannot write" in terminal.fails("train", softmax, "--data", "d.npz", "-o", "state.txt")
    assert "kind" in terminal.fails("draw", ln, "-o", "g.dot", "--kind", "neural")


def test_debug_shows_the_traceback(terminal: Terminal) -> None:
    with pytest.raises(GraphError):
        terminal("--debug", "show", "absent.graph")


def test_nothing_is_written_when_a_command_fails(terminal: Terminal, softmax: str) -> None:
    target = Path(softmax).with_name("m.py")
    target.write_text("precious")
    terminal.fails(
        "compile", softmax, "-o", str(target), "--minimize", "p", "--optimizer", "sgd(1)"
    )
    assert target.read_text() == "precious"
    assert {p.name for p in target.parent.iterdir()} == {"m.py", "softmax.graph"}


def test_files_that_are_no_arrays(terminal: Terminal, ln: str, clusters: str) -> None:
    folder = Path(clusters).parent
    (folder / "bad.npy").write_text("not an array")
    (folder / "cut.npz").write_bytes(Path(clusters).read_bytes()[:100])
    for word in ("x1=@bad.npy", "x1=@cut.npz", "x1=@clusters.npz:z", "@x.npy"):
        text = word.replace("@", f"@{folder}/")
        assert terminal.fails("run", ln, "--at", text).startswith("error: ")


def test_the_installed_command_starts_quickly(ln: str) -> None:
    command = [sys.executable, "-m", "graphc.cli"]
    environment = {**os.environ, "PYTHONPATH": str(Path(gc.__file__).parent.parent)}
    before = os.times()
    ran = subprocess.run([*command, "--help"], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0 and "train" in ran.stdout
    after = os.times()  # of the processor: a busy machine takes any time on the clock
    used = after.children_user + after.children_system
    assert used - before.children_user - before.children_system < 10
    broken = subprocess.run(
        [*command, "show", "absent.graph"], capture_output=True, text=True, env=environment
    )
    assert broken.returncode == 1 and broken.stdout == ""
    assert broken.stderr.startswith("error: ") and "Traceback" not in broken.stderr


# -- values ----------------------------------------------------------------------------------


def test_values_are_numbers_and_lists_never_code() -> None:
    values = parse_values(["a=2", "b=-1.5e3", "c=[1, [2]]", "d=nan", "e=True", "f= (1, 2)"])
    assert values["a"] == 2 and type(values["a"]) is int
    assert values["b"] == -1500.0 and values["c"] == [1, [2]] and values["e"] is True
    assert np.isnan(values["d"]) and values["f"] == (1, 2)
    for bad in ("a=f(1)", "a=x", "a=", "=2", "a='text'", "a={}"):
        with pytest.raises(GraphError):
            parse_values([bad])


def test_printed_values_have_the_digits_that_they_have() -> None:
    assert printed("y", np.float32(11.652071)) == "y = 11.652071"
    assert printed("y", np.array(0.1)) == "y = 0.1"
    assert printed("y", np.arange(3)) == "y [3] int64 =\n[0, 1, 2]"


def test_cost_compares_checkpoints(terminal: Terminal, tmp_path: Path) -> None:
    h = gc.input("x", ("N", 16))
    for block in ("first", "second"):
        with gc.scope(block):
            for layer in range(3):
                h = gc.tanh(h @ gc.param(f"W_{block}_{layer}", (16, 16)))
    model = tmp_path / "deep.graph"
    gc.graph({"loss": gc.mean(gc.square(h))}, name="deep").save(str(model))
    out = terminal.ok("cost", str(model), "--gradient", "loss", "--checkpoints", "--at", "N=1000")
    rows = {line[:10].strip(): line.replace(",", "").split()[-3:] for line in out.splitlines()[1:]}
    assert list(rows) == ["nothing", "first", "second", "each scope"]
    flops, peak, held = ({name: int(row[i]) for name, row in rows.items()} for i in range(3))
    assert flops["nothing"] < flops["first"] == flops["second"] < flops["each scope"]
    assert peak["each scope"] < peak["first"] < peak["nothing"]
    assert held["each scope"] < held["nothing"]
    assert "graphc cost" in terminal.fails("cost", str(model), "--checkpoints")
    words = ("cost", str(model), "--gradient", "loss", "--checkpoints")
    assert "--at N=128" in terminal.fails(*words)


@pytest.mark.filterwarnings("default::graphc.GraphWarning")
def test_an_unused_input_is_told_once(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "m.graph"
    file.write_text("x: input(f32, 3)\nq: input(f32, 3)\noutput(x)\n", encoding="utf-8")
    status, _, error = terminal("show", str(file))
    assert status == 0 and error.splitlines() == ["warning: input 'q' is not used"]
