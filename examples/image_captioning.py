"""Image captioning: a ConvNet looks at a picture, and a recurrent network says what it saw.

The features of the picture are the first state of a GRU, which reads the words so far and tells
the next one. The toy set is forty real digits with captions of five words; the whole network, from
pixels to words, is trained end to end until it says every caption right.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

import graphc as gc
from graphc.ir.node import Node

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WORDS = ("<start>", "<end>", "is", "an", "even", "odd", "number", *NAMES)
UNITS = 64


def caption(digit: int) -> list[str]:
    """Return what a person would say of a digit: `seven is an odd number`."""
    return [NAMES[digit], "is", "an", "odd" if digit % 2 else "even", "number"]


def seen(image: Node) -> Node:
    """Return the features [N, units] of images [N, 1, 8, 8]."""
    x = gc.nn.conv2d(image, 8, 3, padding="same", activation=gc.relu, name="conv1")
    x = gc.nn.max_pool2d(x, 2)
    x = gc.nn.conv2d(x, 16, 3, padding="same", activation=gc.relu, name="conv2")
    x = gc.reshape(x, (x.shape[0], 16 * 4 * 4))
    return gc.nn.dense(x, UNITS, activation=gc.tanh, name="features")


def speaker() -> gc.Graph:
    """Return the graph from images and the words so far [T, N] to the next words' logits."""
    image = gc.input("image", ("N", 1, 8, 8))
    words = gc.input("words", ("T", "N"), dtype="int64")
    following = gc.input("following", ("T", "N"), dtype="int64")
    features = seen(image)
    read = gc.nn.embedding(words, len(WORDS), 16, name="words")
    hidden, _ = gc.nn.gru(read, UNITS, name="gru", initial=features)
    logits = gc.nn.dense(hidden, len(WORDS), name="next_word")
    loss = gc.mean(gc.nn.softmax_cross_entropy(logits, following))
    return gc.graph({"loss": loss, "logits": logits}, name="captioning")


def said(state: dict[str, np.ndarray], images: np.ndarray, longest: int = 7) -> list[list[str]]:
    """Return the caption of each image, word by word, each the likeliest after those before."""
    speak = gc.compile(speaker())
    words = np.zeros((1, len(images)), np.int64)
    for _ in range(longest):
        logits = speak(state, image=images, words=words, following=np.zeros_like(words))["logits"]
        words = np.concatenate([words, logits[-1].argmax(axis=1)[None]])
    captions = []
    for column in words[1:].T:
        end = np.flatnonzero(column == WORDS.index("<end>"))
        captions.append([WORDS[k] for k in column[: end[0] if len(end) else None]])
    return captions


def main(steps: int = 200) -> float:
    """Train on forty digits, and return the share of captions said without a fault."""
    digits = load_digits()
    images, labels = digits.images[:40], digits.target[:40]
    captions = [caption(digit) for digit in labels]
    rows = [["<start>", *words, "<end>"] for words in captions]
    tokens = np.array([[WORDS.index(word) for word in row] for row in rows]).T
    pixels = ((images[:, None] - images.mean()) / images.std()).astype(np.float32)
    step = gc.compile(speaker(), minimize="loss", optimizer=gc.optim.adam(0.003))
    state = step.init(seed=0)
    for count in range(1, steps + 1):
        loss = step(state, image=pixels, words=tokens[:-1], following=tokens[1:])["loss"]
        if count % 50 == 0:
            print(f"step {count}: loss {loss:.4f}")
    found = said(state, pixels)
    for words in found[:3]:
        print(" ".join(words))
    right = float(np.mean([a == b for a, b in zip(found, captions, strict=True)]))
    print(f"{right:.0%} of the captions are right, word for word")
    return right


if __name__ == "__main__":
    main()
