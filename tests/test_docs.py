"""The pages say what the program does: snippets run, outputs and tables are current, links lead."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import inspect
import re
import shlex
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest
from test_structure import HOUSE

import graphc as gc
from graphc.ops import OPS
from graphc.rewrite.pipeline import FAST_PASSES

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.md")]
)


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def docs_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_script", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_script"] = module
    spec.loader.exec_module(module)
    return module


docs = docs_script()


@pytest.mark.filterwarnings("error::RuntimeWarning")  # a reader would see it, the page does not
@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_snippets_run_and_print_what_the_page_shows(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    text, before = path.read_text(encoding="utf-8"), list(OPS)
    assert docs.executed(text, path.name) == text, "run `make docs`"
    assert list(OPS) == before  # what a page defines is its own


def test_the_page_of_the_optimizer_is_current() -> None:
    page = docs.OPTIMIZER_PAGE.read_text(encoding="utf-8")
    assert page == docs.optimizer_page(), "run `make docs`"


def test_the_table_of_ops_is_current() -> None:
    assert {op.family for op in OPS.values()} == set(docs.FAMILIES)
    assert docs.OPS_PAGE.read_text(encoding="utf-8") == docs.ops_page(), "run `make docs`"


def test_the_page_of_loops_names_every_pass_that_sees_a_loop_as_a_whole() -> None:
    page = (ROOT / "docs" / "loops.md").read_text(encoding="utf-8")
    everywhere = {step.name for step in FAST_PASSES if not step.is_for_loops}
    told = set(re.findall(r"^\| ([a-z ]+) \|", page, re.M)) - {"pass"}
    assert told == {step.name for step in FAST_PASSES} - everywhere


def test_the_house_of_the_design_page_is_the_one_that_is_enforced() -> None:
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    floors = [[{"graphc": "__init__"}.get(room, room) for room in rooms] for rooms in HOUSE]
    shown = " → ".join(f"{{ {', '.join(r)} }}" if len(r) > 1 else r[0] for r in floors)
    assert shown in re.sub(r"\s+", " ", page)
    for room in (room for rooms in floors for room in rooms if room != "__main__"):
        assert f"`{room}/`" in page or f"`{room}.py`" in page, room


@pytest.mark.parametrize(
    "name", ["gradient", "tangent", "jacobian", "jacobian_structure", "hessian", "hvp"]
)
def test_help_tells_what_a_derivative_is_taken_of(name: str) -> None:
    method = getattr(gc.load(ROOT / "examples" / "cos_sin.graph"), name)
    assert inspect.signature(method).parameters["stabilize"].default is True
    assert "`stabilize=False`" in str(inspect.getdoc(method))


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http://", "https://")):
            assert (path.parent / target).exists(), f"{page_id(path)} links to {target}"


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "images").glob("*.svg")), ids=page_id)
def test_pictures_are_whole_and_described(path: Path) -> None:
    root = ElementTree.parse(path).getroot()
    assert root.tag.endswith("svg")
    assert any(element.tag.endswith("title") for element in root)


def commands(language: str = "console") -> list[str]:
    found = []
    for path in PAGES:
        for block in docs.blocks(path.read_text(encoding="utf-8")):
            if block.language == language:
                found += [line[2:] for line in block.code.splitlines() if line.startswith("$ ")]
    return found


def test_make_targets_of_the_pages_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [words[1] for words in map(str.split, commands()) if words[0] == "make"]
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M), f"make {target}"


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("graphc ")])
def test_commands_of_the_pages_run(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from graphc.cli import main

    words = shlex.split(command)
    words = [str(ROOT / word) if word.startswith("examples/") else word for word in words]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", words)
    try:
        status = main()
    except SystemExit as end:
        status = end.code
    assert not status, capsys.readouterr().err


def test_the_continuous_check_runs_what_the_readme_says() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make test" in script and "$ make test" in readme


def test_the_package_says_what_it_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_the_wheel_takes_every_file_of_the_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    package = ROOT / "graphc"
    patterns = settings["tool"]["setuptools"]["package-data"]["graphc"]
    taken = {path for pattern in patterns for path in package.glob(pattern)}
    files = {path for path in package.rglob("*.*") if "__pycache__" not in path.parts}
    assert taken == {path for path in files if path.is_file() and path.suffix != ".py"}
    folders = {path.parent for path in files if path.suffix == ".py"}
    assert all((folder / "__init__.py").exists() for folder in folders)


def test_the_source_archive_takes_what_the_tests_read() -> None:
    manifest = (ROOT / "MANIFEST.in").read_text(encoding="utf-8")
    grafted = {line.split()[1] for line in manifest.splitlines() if line.startswith("graft ")}
    assert {".ci", "docs", "examples", "tests"} == grafted and "include Makefile" in manifest


MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "graphc").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(name.removesuffix(".__init__"))
    failures, tried = doctest.testmod(module)
    assert tried and not failures
