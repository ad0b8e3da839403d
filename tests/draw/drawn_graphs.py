"""Graphs that the drawing tests draw, and how to read a picture back."""

from __future__ import annotations

import json
import re
from typing import Any

import graphc as gc
from graphc.draw import Drawing
from graphc.draw.drawing import render

COS_SIN = """
x: input(f64)
t = x**2
u1 = sin(t)
u2 = 3*t
u = u1 + u2
J = cos(u)
output(J)
"""

DIGITS = """
x: input(f32, N, 64)
y: input(i64, N)
W1: param(f32, 64, 128)
b1: param(f32, 128)
W2: param(f32, 128, 10)
b2: param(f32, 10)
z1 = x @ W1 + b1
h1 = relu(z1)
z2 = h1 @ W2 + b2
p = exp(z2) / sum(exp(z2), axis=1, keepdims=True)
loss = -mean(log(take_along_axis(p, y[:, None], axis=1)))
output(loss, p)
"""


def cos_sin() -> gc.Graph:
    return gc.parse(COS_SIN)


def digits() -> gc.Graph:
    return gc.parse(DIGITS)


def two_layers(inputs: int = 3, hidden: int = 4, outputs: int = 2) -> gc.Graph:
    """z = σ(αx), ŷ = softmax(βz), as the lectures write it: weights times a column vector."""
    x = gc.input("x", (inputs,))
    alpha, beta = gc.param("α", (hidden, inputs)), gc.param("β", (outputs, hidden))
    a, b = gc.param("a0", (hidden,)), gc.param("b0", (outputs,))
    z = gc.sigmoid(alpha @ x + a).named("z")
    return gc.graph({"y_hat": gc.softmax(beta @ z + b).named("y_hat")}, name="mlp")


def laid_out(drawing: Drawing) -> dict[str, Any]:
    """Return what graphviz computed: objects and edges with their positions."""
    result: dict[str, Any] = json.loads(render(drawing.source, drawing.engine, "json"))
    return result


def boxes(drawing: Drawing) -> dict[str, dict[str, Any]]:
    """Return the nodes of the laid-out picture by name; clusters are left out."""
    return {o["name"]: o for o in laid_out(drawing)["objects"] if "pos" in o}


def edges(drawing: Drawing) -> set[tuple[str, str]]:
    """Return the pairs of names that edges connect, read from the source."""
    found = re.findall(r"^  (\w+)(?::\w+)? -> (\w+)(?::\w+)?", drawing.source, re.MULTILINE)
    return set(found)


def texts(drawing: Drawing) -> list[str]:
    """Return every text of the picture, in order; hard spaces are read as spaces."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", drawing.svg().replace("\u00a0", " "))


def center(item: dict[str, Any]) -> tuple[float, float]:
    x, y = item["pos"].rstrip("!").split(",")
    return float(x), float(y)


def rectangle(item: dict[str, Any]) -> tuple[float, float, float, float]:
    """Return left, bottom, right, top in points."""
    (x, y), w, h = center(item), 72 * float(item["width"]), 72 * float(item["height"])
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def on_curve(pos: str) -> list[tuple[float, float]]:
    """Return points of a wire close to one another, from graphviz's Bézier curves."""
    numbers = [tuple(map(float, pair.split(","))) for pair in pos.removeprefix("e,").split()]
    knots = numbers[1:] if pos.startswith("e,") else numbers  # the first one is the arrow's tip
    found = []
    for i in range(0, len(knots) - 3, 3):
        for t in (k / 24 for k in range(25)):
            weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
            near = list(zip(weights, knots[i : i + 4], strict=True))
            found.append((sum(w * p[0] for w, p in near), sum(w * p[1] for w, p in near)))
    return found
