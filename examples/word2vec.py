"""word2vec: vectors of words from the company they keep (Mikolov et al. 2013).

Skip-gram predicts the words around a word from its vector v, CBOW (the continuous bag of words) a
word from the mean v of the vectors around it. Either takes the softmax over the whole vocabulary,
p(o | c) = exp(u_o·v_c) / Σ_w exp(u_w·v_c), or negative sampling: the true pair scores high and k
words drawn in proportion to count**0.75 score low, log σ(u_o·v_c) + Σ_k log σ(-u_k·v_c).

Whether the vectors mean something is seen on planted synonyms: every occurrence of some words is
replaced by a made-up twin or not, by the toss of a coin. Nothing but their company says that
`alice` and `alice*` are the same, and each should be the other's nearest neighbour.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import graphc as gc

TEXT = Path(__file__).parent / "data" / "alice.txt"
TWINS = ("alice", "rabbit", "mouse", "hatter", "little", "said", "very", "thought")


# -- the models ----------------------------------------------------------------------------------


def skip_gram(vocabulary: int, size: int, negative: int = 5) -> gc.Graph:
    """Return the model of (center, context) pairs; negative 0 stands for the full softmax."""
    center = gc.input("center", ("N",), dtype="int64")
    context = gc.input("context", ("N",), dtype="int64")
    start = gc.init.uniform(-0.5 / size, 0.5 / size)
    v = gc.nn.embedding(center, vocabulary, size, name="words", init=start, sparse=True)
    loss = prediction_loss(v, context, vocabulary, size, negative)
    return gc.graph({"loss": loss}, name="skip_gram")


def cbow(vocabulary: int, size: int, window: int, negative: int = 5) -> gc.Graph:
    """Return the model of a center and the 2*window words around it, [N, 2*window]."""
    center = gc.input("center", ("N",), dtype="int64")
    context = gc.input("context", ("N", 2 * window), dtype="int64")
    start = gc.init.uniform(-0.5 / size, 0.5 / size)
    around = gc.nn.embedding(context, vocabulary, size, name="words", init=start, sparse=True)
    v = gc.mean(around, axis=1)
    loss = prediction_loss(v, center, vocabulary, size, negative)
    return gc.graph({"loss": loss}, name="cbow")


def prediction_loss(
    v: gc.Node, target: gc.Node, vocabulary: int, size: int, negative: int
) -> gc.Node:
    """Return -log p(target | v), exactly or by negative sampling, as a mean over the batch."""
    table = gc.param("outputs", (vocabulary, size), sparse=negative > 0)
    if not negative:
        p = gc.exp(v @ table.T) / gc.exp(v @ table.T).sum(axis=1, keepdims=True)
        return -gc.log(gc.take_along_axis(p, target[:, None], axis=1)).mean()
    noise = gc.input("noise", (vocabulary,), dtype="float64")  # count**0.75 of each word
    drawn = gc.random_choice(noise, (target.shape[0], negative))
    u = gc.take(table, target, axis=0)
    fakes = gc.take(table, drawn, axis=0)
    score = gc.sum(u * v, axis=1)
    fake_scores = gc.einsum("nkd,nd->nk", fakes, v)
    return -gc.mean(
        gc.log(gc.sigmoid(score)) + gc.sum(gc.log(gc.sigmoid(-fake_scores)), axis=1)
    )


# -- the text ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Corpus:
    """The frequent words of a text, by number, and how often each occurs."""

    vocabulary: gc.train.data.Vocabulary
    words: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, text: list[str], at_least: int = 5) -> Corpus:
        """Return the words that occur often enough; the others are left out of the text."""
        counts = Counter(text)
        kept = [word for word in text if counts[word] >= at_least]
        vocabulary = gc.train.data.Vocabulary.of(kept)
        words = vocabulary.encode(kept)
        return cls(vocabulary, words, np.bincount(words))

    def windows(self, width: int, rng: np.random.Generator) -> np.ndarray:
        """Return all runs of 2*width + 1 words, after frequent words were thinned out at random.

        A word stays with probability √(t/f) + t/f, f its share of the text, as in word2vec.
        """
        ratio = 1e-2 / (self.counts / self.counts.sum())
        stays = rng.random(len(self.words)) < (np.sqrt(ratio) + ratio)[self.words]
        return gc.train.data.ngram_windows(self.words[stays], 2 * width + 1)


def words_of(path: Path) -> list[str]:
    """Return the words of a text in lower case."""
    return re.findall(r"[a-z]+(?:'[a-z]+)*", path.read_text(encoding="utf-8").lower())


def with_twins(text: list[str], rng: np.random.Generator) -> list[str]:
    """Return the text in which each occurrence of a word of TWINS may have become its twin."""
    return [w + "*" if w in TWINS and rng.random() < 0.5 else w for w in text]


# -- training ------------------------------------------------------------------------------------


def train(
    corpus: Corpus, model: str, negative: int, width: int = 3, size: int = 40, epochs: int = 30
) -> np.ndarray:
    """Return the vectors of the words, each of length 1. **Shapes.** [V, size]"""
    count = len(corpus.vocabulary)
    make = skip_gram if model == "skip_gram" else cbow
    graph = make(count, size, negative=negative) if make is skip_gram else cbow(count, size, width, negative)
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.005))
    state, rng = step.init(seed=0), np.random.default_rng(0)
    rest = {"noise": corpus.counts**0.75, "rng": rng} if negative else {}
    for epoch in range(epochs):
        windows = corpus.windows(width, rng)
        center, around = windows[:, width], np.delete(windows, width, axis=1)
        if model == "skip_gram":
            center, around = np.repeat(center, 2 * width), around.reshape(-1)
        losses = [
            step(state, **batch, **rest)["loss"]
            for batch in gc.train.data.batches({"center": center, "context": around}, 256, rng)
        ]
    print(f"{model}, {negative or 'no'} negative samples: loss {np.mean(losses):.3f}")
    vectors = state["words.W"]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def neighbours(corpus: Corpus, vectors: np.ndarray, word: str, count: int = 4) -> list[str]:
    """Return the words with the most similar vectors, by the cosine."""
    (index,) = corpus.vocabulary.encode([word])
    order = np.argsort(-vectors @ vectors[index], kind="stable")
    return corpus.vocabulary.decode(order[order != index][:count])
