"""How the tests of the examples load graphs, run scripts, and look at their pictures."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from example_figures import hold
from matplotlib import pyplot as plt
from PIL import Image

import graphc as gc

EXAMPLES = Path(__file__).parent.parent / "examples"
PICTURES = EXAMPLES / "pictures"
#: How far two pictures are apart on average, of 1, where fonts or BLAS are other ones.
_LIKE = 0.004


def load(name: str) -> gc.Graph:
    """Return the graph of an example's file."""
    return gc.load(EXAMPLES / f"{name}.graph")


def module_of(script: str) -> ModuleType:
    """Return an example as a module; examples may import one another."""
    if str(EXAMPLES) not in sys.path:
        sys.path.insert(0, str(EXAMPLES))
    spec = importlib.util.spec_from_file_location(script, EXAMPLES / f"{script}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[script] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def main_of(script: str) -> Callable[..., Any]:
    """Return the function `main` of an example, which is held to the figures of the page.

    A run of something smaller (`epochs=1`, a small network) is not: it reaches other figures.
    """
    main = module_of(script).main

    @wraps(main)
    def held(*args: Any, **options: Any) -> Any:
        printed = io.StringIO()
        with contextlib.redirect_stdout(_Both(printed, sys.stdout)):
            result = main(*args, **options)
        if not options and all(isinstance(arg, Path) for arg in args):
            hold(script, printed.getvalue())
        return result

    return held


class _Both(io.TextIOBase):
    """What is written goes to two streams, so that tests may read it, too."""

    def __init__(self, *streams: Any) -> None:
        self._streams = streams

    def write(self, text: str) -> int:
        for stream in self._streams:
            stream.write(text)
        return len(text)


def saved(folder: Path, *names: str) -> bool:
    """Say whether all pictures were saved, and are those that stand on the page."""
    return all(_is_like(folder / name, PICTURES / name) for name in names)


def _is_like(drawn: Path, kept: Path) -> bool:
    """Compare pixels where one matplotlib drew both; another sets its letters a little apart."""
    first, second = plt.imread(drawn), plt.imread(kept)
    if _drawn_by(drawn) != _drawn_by(kept):
        return bool(np.allclose(first.shape, second.shape, atol=4))
    return first.shape == second.shape and float(np.abs(first - second).mean()) < _LIKE


def _drawn_by(picture: Path) -> str:
    """Return the release of matplotlib that a picture names, without its last number."""
    with Image.open(picture) as image:
        return str(image.info["Software"]).partition(",")[0].rpartition(".")[0]
