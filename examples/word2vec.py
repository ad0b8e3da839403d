"""word2vec: vectors of words from the company they keep (Mikolov et al. 2013).

Skip-gram predicts the words around a word from its vector v, CBOW (the continuous bag of words) a
word from the mean v of the vectors around it. Either takes the softmax over the whole vocabulary,
p(o | c) = exp(u_o·v_c) / Σ_w exp(u_w·v_c), or negative sampling: the true pair scores high and k
words drawn in proportion to count**0.75 score low, log σ(u_o·v_c) + Σ_k log σ(-u_k·v_c).

Whether the vectors mean something is seen on planted synonyms. In a made-up corpus `cat` and
`feline` stand in the same sentences, and nothing else tells that they are one: each should be the
other's nearest neighbour. In the shipped text every occurrence of some words becomes a twin (`she`
or `she*`) or not by the toss of a coin.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
TEXT = Path(__file__).parent / "data" / "alice.txt"
TWINS = ("she", "said", "i", "the", "was", "it")
SYNONYMS = {
    ("cat", "feline"): ("purrs", "mews"),
    ("dog", "hound"): ("barks", "growls"),
    ("car", "automobile"): ("drives", "brakes"),
    ("doctor", "physician"): ("heals", "cures"),
    ("ship", "vessel"): ("sails", "sinks"),
    ("child", "kid"): ("plays", "giggles"),
}


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
    return -gc.mean(gc.log(gc.sigmoid(score)) + gc.sum(gc.log(gc.sigmoid(-fake_scores)), axis=1))


# -- the texts -----------------------------------------------------------------------------------


def planted(sentences: int, rng: np.random.Generator) -> list[str]:
    """Return sentences such as `the old cat purrs loudly`, each with one of two synonyms."""
    words = []
    for kind in rng.integers(len(SYNONYMS), size=sentences):
        names, verbs = list(SYNONYMS.items())[kind]
        adjectives, adverbs = ("old", "young", "big", "small"), ("loudly", "often", "today")
        choices = (adjectives, names, verbs, adverbs)
        words += ["the", *[options[rng.integers(len(options))] for options in choices]]
    return words


def words_of(path: Path) -> list[str]:
    """Return the words of a text in lower case."""
    return re.findall(r"[a-z]+(?:'[a-z]+)*", path.read_text(encoding="utf-8").lower())


def with_twins(text: list[str], rng: np.random.Generator) -> list[str]:
    """Return the text in which each occurrence of a word of TWINS may have become its twin."""
    return [w + "*" if w in TWINS and rng.random() < 0.5 else w for w in text]


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

    def pairs(self, model: str, width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return the examples of a pass: centers [N], and `width` words around them on each side.

        Frequent words are thinned out at random first: a word of share f of the text stays with
        probability √(t/f) + t/f. Skip-gram takes the words around one by one.
        """
        ratio = 1e-2 / (self.counts / self.counts.sum())
        stays = rng.random(len(self.words)) < (np.sqrt(ratio) + ratio)[self.words]
        windows = gc.train.data.ngram_windows(self.words[stays], 2 * width + 1)
        center, context = windows[:, width], np.delete(windows, width, axis=1)
        if model == "skip_gram":
            center, context = np.repeat(center, 2 * width), context.reshape(-1)
        return {"center": center, "context": context}

    def neighbours(self, vectors: np.ndarray, word: str, count: int = 4) -> list[str]:
        """Return the words with the most similar vectors, by the cosine."""
        (index,) = self.vocabulary.encode([word])
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        order = np.argsort(-unit @ unit[index], kind="stable")
        return self.vocabulary.decode(order[order != index][:count])


# -- training ------------------------------------------------------------------------------------


def train(
    corpus: Corpus, model: str, negative: int, width: int, size: int, epochs: int
) -> np.ndarray:
    """Return the vectors of the words. **Shapes.** [V, size]"""
    count = len(corpus.vocabulary)
    if model == "skip_gram":
        graph = skip_gram(count, size, negative)
    else:
        graph = cbow(count, size, width, negative)
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(0.005))
    state, rng = step.init(seed=0), np.random.default_rng(0)
    rest = {"noise": corpus.counts**0.75, "rng": rng} if negative else {}
    for _ in range(epochs):
        for batch in gc.train.data.batches(corpus.pairs(model, width, rng), 256, rng):
            step(state, **batch, **rest)
    return state["words.W"]


def found(corpus: Corpus, vectors: np.ndarray, pairs: list[tuple[str, str]]) -> int:
    """Return how many words have their synonym as nearest neighbour."""
    both = [*pairs, *[(b, a) for a, b in pairs]]
    return sum(corpus.neighbours(vectors, a)[0] == b for a, b in both)


def draw(corpus: Corpus, vectors: np.ndarray, path: Path) -> None:
    """Save the vectors of the synonyms in the plane of their two largest principal components."""
    names = [word for pair in SYNONYMS for word in pair]
    centered = vectors[corpus.vocabulary.encode(names)]
    centered -= centered.mean(axis=0)
    points = centered @ np.linalg.svd(centered, full_matrices=False)[2][:2].T
    figure, axes = plt.subplots(figsize=(6, 4.5), layout="constrained")
    for pair, places in zip(SYNONYMS, points.reshape(-1, 2, 2), strict=True):
        axes.plot(*places.T, "-o", color="#0072B2", linewidth=1)
        for word, place in zip(pair, places, strict=True):
            shift = 6 if place[1] == places[:, 1].max() else -14
            axes.annotate(word, place, textcoords="offset points", xytext=(0, shift), ha="center")
    axes.margins(0.15)
    axes.set(title="Skip-gram vectors of planted synonyms", xlabel="first principal component")
    axes.set_ylabel("second principal component")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main(folder: Path = OUT) -> dict[str, int]:
    """Train each variant on planted synonyms and CBOW on the shipped text; return what is found."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    corpus = Corpus.of(planted(2000, rng))
    result = {}
    for model in ("skip_gram", "cbow"):
        for negative in (5, 0):
            vectors = train(corpus, model, negative, width=2, size=16, epochs=10)
            if (model, negative) == ("skip_gram", 5):
                draw(corpus, vectors, folder / "word2vec.png")
            name = f"{model}, {f'{negative} negative samples' if negative else 'full softmax'}"
            result[name] = found(corpus, vectors, list(SYNONYMS))
            print(f"{name}: {result[name]} of {2 * len(SYNONYMS)} synonyms are nearest neighbours")

    corpus = Corpus.of(with_twins(words_of(TEXT), rng))
    vectors = train(corpus, "cbow", 5, width=3, size=40, epochs=40)
    result["twins"] = found(corpus, vectors, [(word, word + "*") for word in TWINS])
    print(f"shipped text: {result['twins']} of {2 * len(TWINS)} twins are nearest neighbours")
    for word in ("said", "she", "hatter", "rabbit", "door", "eat"):
        print(f"  {word}: {', '.join(corpus.neighbours(vectors, word))}")
    return result


if __name__ == "__main__":
    main()
