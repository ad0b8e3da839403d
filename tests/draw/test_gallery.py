"""The gallery and the notebook: current, whole, and made by the lines that they show."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent.parent


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


gallery, notebook = loaded("gallery"), loaded("notebook")


def test_the_gallery_is_current() -> None:
    assert gallery.PAGE.read_text(encoding="utf-8") == gallery.page(), "run `make docs`"
    drawn = {path.stem for path in gallery.IMAGES.glob("*.svg")}
    assert drawn == {entry.name for entry in gallery.entries()}


def test_each_picture_of_the_gallery_is_made_by_its_lines() -> None:
    found = gallery.pictures()
    assert list(found) == [entry.name for entry in gallery.entries()]
    assert len({id(picture) for picture in found.values()}) == len(found)
    for picture in found.values():
        assert ElementTree.fromstring(picture.svg()).tag.endswith("svg")


WANTED = (
    "computation_graph backprop network recurrence cell volumes sliding_filter banded_matrix "
    "curves loss_surface learned_filters jacobian_sparsity hessian_sparsity memory"
)


@pytest.mark.parametrize("function", WANTED.split())
def test_every_kind_of_picture_is_in_the_gallery(function: str) -> None:
    assert any(f"gc.draw.{function}(" in entry.code for entry in gallery.entries())


# -- the notebook ----------------------------------------------------------------------------------


def cells() -> list[dict[str, Any]]:
    stored = json.loads(notebook.NOTEBOOK.read_text(encoding="utf-8"))
    assert (stored["nbformat"], stored["nbformat_minor"]) == (4, 5)
    return [cell for cell in stored["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_runs_and_shows_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    namespace: dict[str, Any] = {}
    kinds: set[str] = set()
    for cell in cells():
        outputs = notebook.run("".join(cell["source"]), namespace, cell["execution_count"])
        assert [sorted(o.get("data", ())) for o in outputs] == [
            sorted(o.get("data", ())) for o in cell["outputs"]
        ]
        for now, then in zip(outputs, cell["outputs"], strict=True):
            if len(now.get("data", "text")) != 2:  # a picture tells more than its repr
                assert now == then, "run `make docs`"
            kinds.update(now.get("data", ()))
    assert kinds == {"text/plain", "text/html", "image/svg+xml"}


def test_the_notebook_holds_the_cells_of_its_script() -> None:
    assert ["".join(cell["source"]) for cell in cells()] == [code for _, code in notebook.CELLS]
    for cell in cells():
        for output in cell["outputs"]:
            for line in output.get("data", {}).get("image/svg+xml", ())[:1]:
                assert line.startswith("<?xml")


def test_what_the_notebook_shows_survives_nbconvert() -> None:
    nbconvert = pytest.importorskip("nbconvert", reason="nbconvert is not installed")
    page, _ = nbconvert.HTMLExporter().from_filename(str(notebook.NOTEBOOK))
    shown = [data for cell in cells() for out in cell["outputs"] for data in [out.get("data", {})]]
    pictures = [data for data in shown if "image/svg+xml" in data]
    tables = [data for data in shown if "text/html" in data]
    assert pictures and tables
    assert page.count('src="data:image/svg+xml;base64,') == len(pictures)
    assert page.count("<table") >= len(tables)
