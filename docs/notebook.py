"""Write docs/notebook.ipynb: its cells, run from top to bottom, with what they show.

`make docs` runs it; `tests/draw/test_gallery.py` runs the notebook's cells as they stand there.
Nothing but Python is needed: a notebook is JSON, and what a cell shows comes from `_repr_svg_`,
`_repr_html_` and `repr`, as Jupyter asks for them.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"

#: Text and code in turn; the first of each pair is Markdown.
CELLS = [
    (
        "# graphc in a notebook\n\nGraphs, traces, derivations, drawings and histories.",
        "import numpy as np\n\nimport graphc as gc",
    ),
    (
        "## A graph\n\nIts text form is a program; its picture is a computation graph.",
        'graph = gc.parse("""\nx: input(f64)\nt = x**2\nJ = cos(sin(t) + 3*t)\noutput(J)\n""")\n'
        "print(graph)",
    ),
    (
        "A drawing shows itself as SVG, light or dark as the page is.",
        'gc.draw.computation_graph(graph, values={"x": 0.5})',
    ),
    (
        "## Backpropagation\n\nThe adjoints stand under their variables.",
        'gc.draw.backprop(graph, of="J", at={"x": 0.5})',
    ),
    (
        "## A trace\n\nEach step of reverse mode, with formula and number.",
        'gc.trace(graph, of="J", at={"x": 0.5}, mode="reverse")',
    ),
    (
        "## A derivation\n\nOne derivative, line by line, each step named.",
        'print(gc.derive("sigmoid"))',
    ),
    (
        "## A network, compiled and trained",
        'X, y = gc.input("X", ("N", 2)), gc.input("y", ("N", 1))\n'
        'h = gc.nn.dense(X, 4, activation=gc.tanh, name="hidden")\n'
        'p = gc.nn.dense(h, 1, activation=gc.sigmoid, name="out").named("p")\n'
        "loss = gc.nn.binary_cross_entropy(p, y).mean()\n"
        'model = gc.graph({"loss": loss, "p": p}, name="xor")\n'
        "gc.draw.network(model)",
    ),
    (
        "Training writes the state; here are the first losses and the last.",
        'step = gc.compile(model, minimize="loss", optimizer=gc.optim.adam(0.05))\n'
        "state = step.init(seed=0)\n"
        "data = {\n"
        '    "X": np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32"),\n'
        '    "y": np.array([[0], [1], [1], [0]], "float32"),\n'
        "}\n"
        'losses = [float(step(state, **data)["loss"]) for _ in range(200)]\n'
        "[round(losses[0], 2), round(losses[-1], 2)]",
    ),
    (
        "The plane as the trained network divides it.",
        'points, classes = data["X"], data["y"][:, 0]\n'
        'gc.draw.decision_boundary(step, state, points, classes, output="p", resolution=60)',
    ),
    (
        "## What the compiler did\n\nEach pass, its nodes before and after, and what fired.",
        "for entry in gc.optimize(graph).history:\n    print(entry)",
    ),
    (
        "## Recurrence and cells",
        'sequence = gc.input("x", ("T", "N", 3))\n'
        'states, *_ = gc.nn.lstm(sequence, 4, name="lstm")\n'
        'scores = gc.nn.dense(states, 2, name="out").named("y")\n'
        'tagger = gc.graph({"y": scores}, name="tagger")\n'
        "gc.draw.recurrence(tagger)",
    ),
    ("One step of it.", 'gc.draw.cell(tagger, highlight="f")'),
    ("## Functions", 'gc.draw.curves(["sigmoid", "tanh", "relu"])'),
]


def notebook() -> dict[str, Any]:
    """Return the notebook with the outputs of its cells, run in order."""
    namespace: dict[str, Any] = {"__name__": "notebook"}
    cells: list[dict[str, Any]] = []
    for number, (words, code) in enumerate(CELLS, start=1):
        cells.append(_cell("markdown", 2 * number - 1, words))
        outputs = run(code, namespace, number)
        cells.append(_cell("code", 2 * number, code, execution_count=number, outputs=outputs))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(kind: str, number: int, text: str, **more: Any) -> dict[str, Any]:
    lines = text.splitlines(keepends=True)
    return {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": lines, **more}


def run(code: str, namespace: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Run a cell as Jupyter does; return what it prints and what its last expression shows."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, f"<cell {number}>", "exec"), namespace)
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"<cell {number}>", "eval"), namespace)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    if value is not None:
        shown = {
            "data": {kind: text.splitlines(keepends=True) for kind, text in bundle(value).items()},
            "execution_count": number,
            "metadata": {},
            "output_type": "execute_result",
        }
        outputs.append(shown)
    return outputs


def bundle(value: Any) -> dict[str, str]:
    """Return what a value shows of itself, by kind."""
    found = {"text/plain": repr(value)}
    for kind, method in (("text/html", "_repr_html_"), ("image/svg+xml", "_repr_svg_")):
        show = getattr(value, method, None)
        if show is not None and (text := show()) is not None:
            found[kind] = text
    return found


def main() -> None:
    """Write the notebook."""
    with contextlib.chdir(ROOT):
        text = json.dumps(notebook(), ensure_ascii=False, indent=1)
    NOTEBOOK.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
