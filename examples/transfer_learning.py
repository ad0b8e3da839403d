"""Transfer learning: what a ConvNet learned of the digits 0-4 serves to tell 5-9.

The body (a convolution with batch normalization) is trained on 0-4. Then it is frozen, a new head
is put on, and only that is trained, on 5-9: the emitted step holds no code for the gradient of the
body. Beside it stand the whole network trained on 5-9 from scratch, and the same head on bare
pixels. A body like this one is no better than training from scratch where examples abound, but its
step is short and quick.

The frozen body is also a map from images to vectors (img2vec): the nearest neighbour by the cosine
of two vectors is the same digit, nearly always, of kinds that the body has never seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"


def body(x: gc.Node) -> gc.Node:
    """Return 256 features of images x [N, 1, 8, 8]."""
    h = gc.nn.conv2d(x, 16, 3, padding=1, name="body.conv")
    h = gc.nn.batch_norm(h, name="body.norm", activation="relu")
    return gc.nn.max_pool2d(h, 2).reshape((x.shape[0], -1)).named("features")


def classifier(features: gc.Node, y: gc.Node, name: str) -> gc.Graph:
    """Return the graph that tells five digits from features, with a head of that name."""
    scores = gc.nn.dense(features, 5, name=name)
    loss = gc.nn.softmax_cross_entropy(scores, y).mean()
    return gc.graph({"loss": loss, "digit": gc.argmax(scores, axis=1)}, name="classifier")


def trained(graph: gc.Graph, start: dict, x: np.ndarray, y: np.ndarray) -> tuple[dict, int]:
    """Return the state after training, from `start` where it has a parameter; the step's lines."""
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.003), style="readable")
    state = step.init(seed=0)
    state.update({name: start[name].copy() for name in start.keys() & state.keys()})
    gc.train.fit(step, state, {"x": x, "y": y}, epochs=15, batch_size=20, seed=0, progress=False)
    return state, step.source.partition("def check")[0].count("# [")


def accuracy(graph: gc.Graph, state: dict, x: np.ndarray, y: np.ndarray) -> float:
    """Return the share of right answers of a graph in use."""
    used = gc.compile(gc.graph({"digit": graph.for_inference().outputs["digit"]}))
    return float((used(state, x=x)["digit"] == y).mean())


def nearest_by_cosine(vectors: np.ndarray) -> np.ndarray:
    """Return for each vector the index of the other one in the most similar direction."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -1)
    return cosine.argmax(axis=1)


def main(folder: Path = OUT) -> dict[str, float]:
    """Return the accuracies on held-out digits 5-9."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels, digits = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    held_out, is_low = np.arange(len(digits)) % 3 == 1, digits < 5
    low, high, test = ~held_out & is_low, ~held_out & ~is_low, held_out & ~is_low

    x, y = gc.input("x", ("N", 1, 8, 8)), gc.input("y", ("N",), "int64")
    source = classifier(body(x), y, "head")
    learned, _ = trained(source, {}, images[low], digits[low])
    shown = accuracy(source, learned, images[held_out & is_low], digits[held_out & is_low])
    print(f"digits 0-4, trained on {low.sum()}: {shown:.2%} of the held-out ones right")

    features = source.for_inference().find("features")
    models = {
        "frozen body": (classifier(features, y, "new_head").frozen("body.*"), learned),
        "from scratch": (classifier(body(x), y, "new_head"), {}),
        "bare pixels": (classifier(x.reshape((x.shape[0], 64)), y, "new_head"), {}),
    }
    print(f"digits 5-9, trained on {high.sum()}:")
    figures = {}
    for name, (graph, start) in models.items():
        state, lines = trained(graph, start, images[high], digits[high] - 5)
        figures[name] = accuracy(graph, state, images[test], digits[test] - 5)
        count = sum(state[p].size for p in graph.trainable)
        print(f"  {name:12} {figures[name]:.2%} right, {count} trained numbers, {lines} statements")

    img2vec = gc.compile(gc.graph({"vector": features}, name="img2vec"))
    vectors = img2vec({k: learned[k] for k in img2vec.graph.params}, x=images[test])["vector"]
    near = nearest_by_cosine(vectors)
    figures["nearest"] = float((digits[test][near] == digits[test]).mean())
    print(f"the nearest neighbour by cosine is the same digit: {figures['nearest']:.2%}")
    draw(folder / "transfer_learning.png", images[test], near)
    return figures


def draw(path: Path, images: np.ndarray, near: np.ndarray) -> None:
    """Save twelve held-out digits above their nearest neighbours."""
    shown = range(0, len(images) - 12, len(images) // 12)
    figure, axes = plt.subplots(2, len(shown), figsize=(9, 1.9), layout="constrained")
    for column, k in zip(axes.T, shown, strict=True):
        for place, index in zip(column, (k, near[k]), strict=True):
            place.imshow(images[index, 0], cmap="gray_r")
            place.set(xticks=[], yticks=[])
    for place, text in zip(axes[:, 0], ("digit", "nearest"), strict=True):
        place.set_ylabel(text)
    figure.savefig(path, dpi=90)
    plt.close(figure)


if __name__ == "__main__":
    main()
