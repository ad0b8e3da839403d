"""A neural n-gram model: the next character from the vectors of the five before it (Bengio 2003).

Each character has a vector, the same wherever it stands. The five vectors side by side go through a
hidden layer of tanh and a softmax. Counting has to meet a context to know what follows it; vectors
let contexts that are alike share what they know. On a text as short as this one that is enough to
pass the counted 3-gram, not the counted 6-gram.
"""

from __future__ import annotations

import numpy as np
from character_ngram import TEXT, NGram, split

import graphc as gc

BEFORE, LETTERS, UNITS, BATCH = 5, 16, 150, 256


def neural_ngram(vocabulary: int) -> gc.Graph:
    """Return the model of `context` [N, 5] and the character `y` [N] that follows."""
    context = gc.input("context", ("N", BEFORE), dtype="int64")
    y = gc.input("y", ("N",), dtype="int64")
    letters = gc.nn.embedding(context, vocabulary, LETTERS, name="letters")
    x = gc.nn.dropout(gc.reshape(letters, (context.shape[0], BEFORE * LETTERS)), 0.1)
    hidden = gc.nn.dropout(gc.nn.dense(x, UNITS, name="hidden", activation=gc.tanh), 0.3)
    p = gc.softmax(gc.nn.dense(hidden, vocabulary, name="output"))
    loss = -gc.mean(gc.log(gc.take_along_axis(p, y[:, None], axis=1)))
    return gc.graph({"loss": loss, "p": p}, name="neural_ngram")


def main(epochs: int = 20) -> dict[str, float]:
    """Train on the shipped text; return perplexities on its held-out tenth, beside counting's."""
    text = TEXT.read_text(encoding="utf-8")
    letters = gc.train.data.Vocabulary.of(text)
    training, held_out = map(letters.encode, split(text))
    graph = neural_ngram(len(letters))
    windows = gc.train.data.ngram_windows(training, BEFORE + 1)
    rate = gc.optim.cosine(0.01, epochs * -(-len(windows) // BATCH))
    step = gc.compile(graph, minimize="loss", optimizer=gc.optim.adam(rate))
    state = step.init(seed=0)
    data = {"context": windows[:, :-1], "y": windows[:, -1]}
    gc.train.fit(step, state, data, epochs=epochs, batch_size=BATCH, seed=0)

    # The first held-out characters are predicted from the end of the training text.
    windows = gc.train.data.ngram_windows(
        np.concatenate([training[-BEFORE:], held_out]), BEFORE + 1
    )
    predict = gc.compile(graph.for_inference())
    loss = predict(state, context=windows[:, :-1], y=windows[:, -1])["loss"]
    result = {"neural 6-gram": float(np.exp(loss))}
    for n in (3, 6):
        result[f"counted {n}-gram"] = NGram(training, n, len(letters)).perplexity(held_out)
    for name, perplexity in result.items():
        print(f"{name}: perplexity {perplexity:.2f}")
    return result


if __name__ == "__main__":
    main()
