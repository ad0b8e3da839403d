"""Write the gallery: docs/gallery.md, and each of its pictures, from the lines that it shows.

`make docs` runs it; `tests/draw/test_gallery.py` fails where the page or a picture is not what this
file would write.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import graphc as gc

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "gallery.md"
IMAGES = ROOT / "docs" / "images" / "gallery"

HEAD = """# Gallery

Every picture graphc draws, each with the lines that made it. `make docs` writes this page and all
of its pictures again; `picture.save("name.svg")` writes one (`.svg`, `.png`, `.pdf`, and for
diagrams `.dot` and `.html`). Drawings need Graphviz' program `dot`, plots need matplotlib.

```python
import numpy as np

import graphc as gc
```
"""


@dataclass(frozen=True)
class Entry:
    """One picture: its title, what one sees, and the lines whose `picture` it is."""

    title: str
    words: str
    code: str

    @property
    def name(self) -> str:
        return re.sub(r"\W+", "_", self.title.lower()).strip("_")


SECTIONS: dict[str, list[Entry]] = {
    "Graphs": [
        Entry(
            "Computation graph",
            "An algorithm: one rectangle for each variable, its function inside, its name outside.",
            """
graph = gc.load("examples/cos_sin.graph")
picture = gc.draw.computation_graph(graph, values={"x": 0.5})
""",
        ),
        Entry(
            "Backpropagation",
            "The adjoints mirrored under their variables; Σ adds up over several uses.",
            """
picture = gc.draw.backprop(graph, of="J", at={"x": 0.5})
""",
        ),
        Entry(
            "A loop in a graph",
            "A frame around one step of the loop's body; the dashed edge leads to the next step.",
            """
x = gc.input("x", ("T", "N", 3))
_, last = gc.nn.rnn(x, 4, name="rnn")
graph = gc.graph({"loss": (last**2).mean()}, name="recurrent")
picture = gc.draw.computation_graph(graph)
""",
        ),
        Entry(
            "A convolutional network",
            "A box for each layer where no page holds all variables; collapse=False draws them.",
            """
picture = gc.draw.computation_graph(gc.load("examples/lenet.graph"))
""",
        ),
        Entry(
            "Backpropagation through time",
            "The first steps of a loop, those between, the last; adjoints run back through them.",
            """
_, last = gc.nn.rnn(gc.input("x", ("T", "N", 3)), 4, name="rnn")
picture = gc.draw.backprop(gc.graph({"J": (last**2).sum()}, name="recurrent"))
""",
        ),
        Entry(
            "Attention",
            "How well each key answers each query, as shares: of the values, a query gets a mean.",
            """
q, k, v = (gc.input(name, ("T", 4)) for name in ("query", "key", "value"))
attended = gc.nn.attention(q, k, v, causal=True)
picture = gc.draw.computation_graph(gc.graph({"y": attended}, name="attention"))
""",
        ),
        Entry(
            "Repeated blocks",
            "Identical blocks that follow one another fold into one box.",
            """
h = gc.input("x", ("N", 8))
for k in range(12):
    with gc.scope(f"block{k}"):
        h = h + gc.tanh(h @ gc.param(f"W{k}", (8, 8)))
picture = gc.draw.computation_graph(gc.graph({"y": h}, name="deep"), collapse=True)
""",
        ),
    ],
    "Networks": [
        Entry(
            "Neural network",
            "A network: one circle for each unit, one edge for each weight; no bias, no loss.",
            """
graph = gc.load("examples/mlp_3_4_2.graph")
picture = gc.draw.network(graph)
""",
        ),
        Entry(
            "Signed weights",
            "Weights by value: the sign by colour and dash, the size by width.",
            """
picture = gc.draw.network(graph, state=graph.init(seed=1))
""",
        ),
        Entry(
            "Autoencoder",
            "Wide layers show their first units and their last.",
            """
picture = gc.draw.network(gc.load("examples/autoencoder.graph"))
""",
        ),
        Entry(
            "Skip-gram",
            "One word in, its neighbours out: two matrices, the rows of the first are the vectors.",
            """
word = gc.input("word", ("N", 5000))
center, context = gc.param("U", (5000, 50)), gc.param("V", (50, 5000))
near = gc.softmax((word @ center).named("c") @ context).named("near")
picture = gc.draw.network(gc.graph({"near": near}, name="skip-gram"))
""",
        ),
        Entry(
            "CBOW",
            "The neighbours in, through one shared matrix, the word between them out.",
            """
before, after = gc.input("a", ("N", 5000)), gc.input("b", ("N", 5000))
total = (before @ center + after @ center).named("c")
word = gc.softmax(total @ context).named("word")
picture = gc.draw.network(gc.graph({"word": word}, name="CBOW"))
""",
        ),
        Entry(
            "Embeddings",
            "Who likes which film: an index picks a row of each table, and both are read.",
            """
user, film = (gc.input(name, ("N",), "int64") for name in ("user", "film"))
rows = [gc.nn.embedding(user, 600, 3, name="users"), gc.nn.embedding(film, 900, 2, name="films")]
h = gc.nn.dense(gc.concat(rows, axis=1), 4, activation=gc.relu, name="hidden")
picture = gc.draw.network(gc.graph({"rating": gc.nn.dense(h, 1, name="out")}, name="ratings"))
""",
        ),
        Entry(
            "Dropped-out units",
            "What dropout leaves out has neither edges nor weights in this step.",
            """
graph = gc.load("examples/mlp_3_4_2.graph")
picture = gc.draw.network(graph, dropped={"x": [1], "h": [0, 2]})
""",
        ),
        Entry(
            "Frozen weights",
            "The upper layer is trained anew on top of a frozen one, whose arrows are hollow.",
            """
x, fixed = gc.input("x", ("N", 3)), gc.param("W", (3, 4), trainable=False)
h = gc.tanh(x @ fixed).named("h")
y = gc.softmax(h @ gc.param("V", (4, 2))).named("y")
picture = gc.draw.network(gc.graph({"y": y}, name="transfer"))
""",
        ),
    ],
    "Recurrence": [
        Entry(
            "Rolled and unrolled",
            "The loop, and the same over its steps; edges of one colour and dash share a matrix. "
            "Backpropagation is cut after every second step.",
            """
hidden, _ = gc.nn.rnn(gc.input("x", ("T", "N", 3)), 4, name="rnn")
y = gc.nn.dense(hidden, 2, name="out").named("y")
picture = gc.draw.recurrence(gc.graph({"y": y}, name="rnn"), truncate=2)
""",
        ),
        Entry(
            "Many to one",
            "Only the last state is read.",
            """
_, last = gc.nn.rnn(gc.input("x", ("T", "N", 3)), 4, name="rnn")
y = gc.nn.dense(last, 2, name="out").named("y")
picture = gc.draw.recurrence(gc.graph({"y": y}, name="rnn"))
""",
        ),
        Entry(
            "One to many",
            "The input is the first state; no step reads anything else.",
            """
image, U = gc.input("image", ("N", 4)), gc.param("U", (4, 4))
_, states = gc.scan(lambda h: (gc.tanh(h @ U),) * 2, init=image, length=4)
y = gc.nn.dense(states, 2, name="out").named("y")
picture = gc.draw.recurrence(gc.graph({"y": y}, name="captions"))
""",
        ),
        Entry(
            "Encoder and decoder",
            "The decoder begins with the encoder's last state.",
            """
_, memory = gc.nn.rnn(gc.input("x", ("T", "N", 3)), 4, name="encoder")
hidden, _ = gc.nn.rnn(gc.input("z", ("S", "N", 3)), 4, name="decoder", initial=memory)
y = gc.nn.dense(hidden, 3, name="out").named("y")
picture = gc.draw.recurrence(gc.graph({"y": y}, name="translation"), steps=2)
""",
        ),
        Entry(
            "Both directions",
            "One loop from the left and one from the right read the same sequence.",
            """
x = gc.input("x", ("T", "N", 3))
hidden, _ = gc.nn.bidirectional(gc.nn.rnn, x, 4, name="both")
y = gc.nn.dense(hidden, 2, name="out").named("y")
picture = gc.draw.recurrence(gc.graph({"y": y}, name="tagger"))
""",
        ),
    ],
    "Cells": [
        Entry(
            "LSTM",
            "Drawn from the loop's body, with the forget gate highlighted.",
            """
x = gc.input("x", ("T", "N", 3))
picture = gc.draw.cell(gc.graph({"h": gc.nn.lstm(x, 4)[0]}), highlight="f")
""",
        ),
        Entry(
            "LSTM with peepholes",
            "The gates also see the cell state, unit by unit.",
            """
picture = gc.draw.cell(gc.graph({"h": gc.nn.lstm(x, 4, peepholes=True)[0]}))
""",
        ),
        Entry(
            "LSTM with coupled gates",
            "What is forgotten is replaced: i = 1 − f.",
            """
picture = gc.draw.cell(gc.graph({"h": gc.nn.lstm(x, 4, coupled=True)[0]}))
""",
        ),
        Entry(
            "GRU",
            "The reset gate acts before the product; z is the share of the new.",
            """
picture = gc.draw.cell(gc.graph({"h": gc.nn.gru(x, 4, form="textbook")[0]}), highlight="r")
""",
        ),
    ],
    "Convolution": [
        Entry(
            "Volumes",
            "Feature maps as stacked sheets, their shapes from shape inference.",
            """
picture = gc.draw.volumes(gc.load("examples/lenet.graph"))
""",
        ),
        Entry(
            "Two towers",
            "Groups of channels that never meet stand in rows, as on the two cards of AlexNet.",
            """
def layer(x, size, groups=1):
    return gc.nn.conv2d(x, size, 3, padding=1, groups=groups, activation=gc.relu)


h = gc.nn.max_pool2d(layer(gc.input("x", ("N", 3, 48, 48)), 16), 2)
h = gc.nn.max_pool2d(layer(h, 32, groups=2), 2)
h = gc.nn.max_pool2d(layer(layer(h, 48), 32, groups=2), 2)
y = gc.nn.dense(h.reshape(-1, 32 * 6 * 6), 10, name="out").named("y")
picture = gc.draw.volumes(gc.graph({"y": y}, name="towers"))
""",
        ),
        Entry(
            "An Inception module",
            "Ways of several layers beside the longest one have rows of their own until they meet.",
            """
def conv(x, size, kernel):
    return gc.nn.conv2d(x, size, kernel, padding=kernel // 2, activation=gc.relu)


x = gc.input("x", ("N", 24, 14, 14))
ways = [conv(conv(x, 16, 1), 32, 3), conv(x, 16, 1), conv(conv(x, 4, 1), 8, 5)]
picture = gc.draw.volumes(gc.graph({"y": gc.concat(ways, axis=1)}, name="inception"))
""",
        ),
        Entry(
            "A filter slides",
            "What it reads is dotted, the padding dashed; the result's size is shape inference's.",
            """
picture = gc.draw.sliding_filter(kernel=3, stride=2, pad=1, size=5)
""",
        ),
        Entry(
            "A dilated filter",
            "The elements that it reads stand apart.",
            """
picture = gc.draw.sliding_filter(kernel=3, dilation=2, size=7)
""",
        ),
        Entry(
            "Banded matrix",
            "A convolution is a matrix whose rows hold the same weights, shifted.",
            """
picture = gc.draw.banded_matrix(kernel=3, size=6, pad=1)
""",
        ),
    ],
    "Plots": [
        Entry(
            "Activations and their derivatives",
            "As graphc computes both, with the conventions that hold at kinks.",
            """
picture = gc.draw.curves(["sigmoid", "tanh", "relu", "softplus"])
""",
        ),
        Entry(
            "Losses",
            "What a margin costs: the logistic loss, the hinge, the perceptron's, the square.",
            """
losses = {
    "logistic": lambda m: gc.softplus(-m),
    "hinge": lambda m: gc.relu(1 - m),
    "perceptron": lambda m: gc.relu(-m),
    "square": lambda m: (1 - m) ** 2,
}
picture = gc.draw.curves(losses, (-2, 2.5), derivatives=False, label="margin")
""",
        ),
        Entry(
            "Loss surface and paths of descent",
            "A line is fitted; momentum overshoots where plain descent creeps.",
            """
rng = np.random.default_rng(0)
data = {"x": rng.normal(1.0, 1.0, 40), "y": rng.normal(0.0, 0.3, 40)}
x, y = gc.input("x", ("N",), "float64"), gc.input("y", ("N",), "float64")
w, b = gc.param("w", (), "float64"), gc.param("b", (), "float64")
graph = gc.graph({"loss": ((w * x + b - y) ** 2).mean()}, name="line")
paths = {}
optimizers = {"sgd": gc.optim.sgd(0.1), "momentum": gc.optim.sgd(0.1, momentum=0.8)}
for name, optimizer in optimizers.items():
    step = gc.compile(graph, minimize="loss", optimizer=optimizer)
    state = step.init() | {"w": np.array(1.5), "b": np.array(1.0)}
    paths[name] = [{"w": float(state["w"]), "b": float(state["b"])}]
    for _ in range(25):
        step(state, **data)
        paths[name].append({"w": float(state["w"]), "b": float(state["b"])})
start = paths["sgd"][0]
picture = gc.draw.loss_surface(graph, "loss", start, data, over=("w", "b"), paths=paths)
""",
        ),
        Entry(
            "Decision boundary",
            "A small network has learned XOR; the more certain it is, the stronger the colour.",
            """
X, y = gc.input("X", ("N", 2), "float64"), gc.input("y", ("N", 1), "float64")
h = gc.nn.dense(X, 4, activation=gc.tanh, name="hidden")
p = gc.nn.dense(h, 1, activation=gc.sigmoid, name="out").named("p")
loss = gc.nn.binary_cross_entropy(p, y).mean()
xor = gc.graph({"loss": loss, "p": p}, name="xor")
step = gc.compile(xor, minimize="loss", optimizer=gc.optim.adam(0.05))
state = step.init(seed=0)
corners = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
for _ in range(150):
    step(state, X=corners, y=np.array([[0.0], [1], [1], [0]]))
picture = gc.draw.decision_boundary(step, state, corners, [0, 1, 1, 0], output="p", resolution=60)
""",
        ),
        Entry(
            "Learned filters",
            "The first layer of softmax regression on handwritten digits: one picture a class.",
            """
from sklearn.datasets import load_digits

pixels, labels = load_digits(return_X_y=True)
x, y = gc.input("x", ("N", 64)), gc.input("y", ("N",), "int64")
scores = gc.nn.dense(x, 10, init=gc.init.zeros(), name="scores")
loss = gc.nn.softmax_cross_entropy(scores, y).mean()
step = gc.compile(gc.graph({"loss": loss}), minimize="loss", optimizer=gc.optim.adam(0.01))
state = step.init(seed=0)
for _ in range(60):
    step(state, x=(pixels / 16).astype("float32"), y=labels)
picture = gc.draw.learned_filters(state["scores.W"], size=(8, 8))
""",
        ),
        Entry(
            "Sparsity of a Jacobian",
            "Where a derivative can be other than 0 follows from the graph alone.",
            """
x, w = gc.input("x", (1, 12)), gc.param("w", (1, 1, 3))
y = gc.nn.conv1d(x, 1, weight=w, use_bias=False)[0].named("y")
picture = gc.draw.jacobian_sparsity(gc.graph({"y": y}), "y", "x")
""",
        ),
        Entry(
            "Sparsity of a Hessian",
            "Rosenbrock's valley in ten dimensions: each variable meets its neighbours only.",
            """
v = gc.input("v", (10,))
r = (100 * (v[1:] - v[:-1] ** 2) ** 2 + (1 - v[:-1]) ** 2).sum().named("r")
picture = gc.draw.hessian_sparsity(gc.graph({"r": r}), "r", "v")
""",
        ),
        Entry(
            "Memory over the statements",
            "Forward values pile up until the backward pass has read them.",
            """
graph = gc.load("examples/lenet.graph")
picture = gc.draw.memory(gc.compile(graph, gradient_of="loss").graph, N=32)
""",
        ),
    ],
}


def pictures() -> dict[str, Any]:
    """Return all pictures by name, made by the lines of the page in one namespace."""
    namespace: dict[str, Any] = {"gc": gc, "np": np}
    found = {}
    with contextlib.chdir(ROOT):
        for entry in entries():
            exec(compile(entry.code, entry.name, "exec"), namespace)
            found[entry.name] = namespace["picture"]
    return found


def entries() -> list[Entry]:
    return [entry for section in SECTIONS.values() for entry in section]


def page() -> str:
    """Return docs/gallery.md."""
    parts = [HEAD]
    for title, section in SECTIONS.items():
        parts.append(f"\n## {title}\n")
        for entry in section:
            parts.append(f"### {entry.title}\n\n{entry.words}\n")
            parts.append(f"```python{entry.code.rstrip()}\n```\n")
            parts.append(f"![{entry.title}: {entry.words}](images/gallery/{entry.name}.svg)\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page and all pictures, and remove pictures that it no longer shows."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    found = pictures()
    for name, picture in found.items():
        picture.save(IMAGES / f"{name}.svg")
    for path in IMAGES.glob("*.svg"):
        if path.stem not in found:
            path.unlink()
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
