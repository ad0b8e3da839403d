"""An n-gram model is counted, not trained: what comes after "cows eat"?

p(w | cows eat) = count(cows eat w)/count(cows eat). In this text: corn 4/11, grass 3/11, hay 2/11,
if 1/11, which 1/11. Counting maximizes the likelihood, so a softmax over the same contexts, trained
by cross-entropy, arrives at the same numbers; and what was never seen has probability zero.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
TEXT = """
in spring the cows eat grass on the hill and in autumn the cows eat corn in the barn .
when it snows the cows eat hay and when the hay is gone the cows eat corn again .
old cows eat grass slowly but young cows eat corn fast .
the farmer knows what cows eat if nobody looks and what cows eat which he never sold .
happy cows eat grass all day , hungry cows eat hay , and show cows eat corn only .
"""


def counts(tokens: list[str], size: int) -> dict[tuple[str, ...], Counter[str]]:
    """Return, for each run of size - 1 words, how often each word came next."""
    found: dict[tuple[str, ...], Counter[str]] = {}
    for *context, word in gc.train.data.ngram_windows(tokens, size).tolist():
        found.setdefault(tuple(context), Counter())[word] += 1
    return found


def probabilities(after: Counter[str]) -> dict[str, Fraction]:
    """Return counts as shares, the most frequent first, then in the order of the alphabet."""
    total = after.total()
    ranked = sorted(after.items(), key=lambda pair: (-pair[1], pair[0]))
    return {word: Fraction(count, total) for word, count in ranked}


def trained(after: Counter[str]) -> dict[str, float]:
    """Return softmax probabilities of one context, trained by cross-entropy on what came next."""
    words = gc.train.data.Vocabulary.of(after)
    word, z = gc.input("word", ("N",), "int64"), gc.param("z", (len(words),), "float64")
    p = gc.softmax(z)
    graph = gc.graph({"loss": -gc.mean(gc.log(p[word])), "p": p}, name="ngram")
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.sgd(1.0))
    state = step.init()
    data = {"word": words.encode(after.elements())}
    gc.train.fit(step, state, data, epochs=500, batch_size=None)
    return dict(zip(words.tokens, np.asarray(step(state, **data)["p"]).tolist(), strict=True))


def main(folder: Path = OUT) -> tuple[dict[str, Fraction], dict[str, float]]:
    """Return the counted and the trained probabilities of what follows "cows eat"."""
    folder.mkdir(parents=True, exist_ok=True)
    after = counts(TEXT.split(), 3)["cows", "eat"]
    counted, learned = probabilities(after), trained(after)
    for word, share in counted.items():
        exact = f"{after[word]}/{after.total()}"
        print(f"p({word} | cows eat) = {exact} = {float(share):.4f}, trained {learned[word]:.4f}")
    figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
    axes.bar(list(counted), [float(share) for share in counted.values()], color="#0072B2")
    axes.plot(list(counted), [learned[word] for word in counted], "o", color="#A63D00")
    axes.set(title="p(w | cows eat)", ylabel="counted, and trained as dots")
    figure.savefig(folder / "ngram.png", dpi=90)
    plt.close(figure)
    return counted, learned


if __name__ == "__main__":
    main()
