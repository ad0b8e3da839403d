"""A language model that reads: a recurrent network predicts the next character of a text.

The text is cut into a few streams that are read side by side. Each step of training unrolls 50
characters, and hands the state on to the next step: backpropagation through time, truncated. The
state is a parameter that is not trained but updated, so it is part of the compiled step.

The perplexity on the held-out tenth is compared with that of counting (see character_ngram.py): a
network without any table of contexts gets below the 3-gram.
"""

from __future__ import annotations

import numpy as np
from character_ngram import TEXT, NGram, split

import graphc as gc
from graphc.ir.node import Node

STREAMS, WINDOW, UNITS, LETTERS = 16, 50, 128, 24


def language_model(kind: str, vocabulary: int, streams: int, rate: float = 0.0) -> gc.Graph:
    """Return the graph of an RNN or LSTM over characters; its state goes from call to call.

    Shapes: x, y [T, streams], characters and those that follow them.
    """
    x = gc.input("x", ("T", streams), dtype="int64")
    y = gc.input("y", ("T", streams), dtype="int64")
    states = ("h",) if kind == "rnn" else ("h", "c")
    before = [gc.param(name, (streams, UNITS), trainable=False) for name in states]
    letters = gc.nn.embedding(x, vocabulary, LETTERS, name="letters")
    layer = gc.nn.rnn if kind == "rnn" else gc.nn.lstm
    hidden, *after = layer(letters, UNITS, name=kind, initial=tuple(before))
    if rate:
        hidden = gc.nn.dropout(hidden, rate)
    logits = gc.nn.dense(hidden, vocabulary, name="output")
    loss = gc.mean(gc.nn.softmax_cross_entropy(logits, y))
    updates: dict[str, Node] = dict(zip(states, after, strict=True))
    return gc.graph({"loss": loss, "logits": logits}, name=f"character_{kind}", updates=updates)


def streams_of(tokens: np.ndarray, streams: int) -> np.ndarray:
    """Return a text as streams side by side, [steps, streams]."""
    steps = len(tokens) // streams
    return tokens[: steps * streams].reshape(streams, steps).T.copy()


def train(kind: str, tokens: np.ndarray, vocabulary: int, epochs: int) -> dict[str, np.ndarray]:
    """Return the trained state of a model."""
    graph = language_model(kind, vocabulary, STREAMS, rate=0.3)
    columns = streams_of(tokens, STREAMS)
    windows = range(0, len(columns) - 1, WINDOW)
    rate = gc.optim.cosine(0.005, epochs * len(windows))
    optimizer = gc.optim.clip_by_norm(gc.optim.adam(rate), 1.0)
    step = gc.compile(graph, minimize="loss", optimizer=optimizer)
    state, rng = step.init(seed=0), np.random.default_rng(0)
    for epoch in range(1, epochs + 1):
        for name in ("h", "c"):
            if name in state:
                state[name][...] = 0  # each epoch reads from the beginning
        losses = []
        for start in windows:
            x = columns[start : start + WINDOW]
            y = columns[start + 1 : start + WINDOW + 1]
            losses.append(step(state, x=x[: len(y)], y=y, rng=rng)["loss"])
        if epoch % 5 == 0:
            print(f"  epoch {epoch:3d}  training perplexity {np.exp(np.mean(losses)):.2f}")
    return state


def for_one_stream(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights with the state of a single reader who has read nothing yet."""
    empty = np.zeros((1, UNITS), np.float32)
    return {name: empty.copy() if name in ("h", "c") else v for name, v in state.items()}


def perplexity(
    kind: str, state: dict[str, np.ndarray], tokens: np.ndarray, vocabulary: int
) -> float:
    """Return exp of the mean loss of a text, read from its beginning."""
    read = gc.compile(language_model(kind, vocabulary, 1))
    outputs = read(for_one_stream(state), x=tokens[:-1, None], y=tokens[1:, None])
    return float(np.exp(outputs["loss"]))


def sample(kind: str, state: dict[str, np.ndarray], start: np.ndarray, length: int) -> list[int]:
    """Return `length` characters, each drawn from what the network expects after those before."""
    vocabulary = state["output.b"].size
    read = gc.compile(language_model(kind, vocabulary, 1))
    own, rng, tokens = for_one_stream(state), np.random.default_rng(0), start.tolist()
    unread = np.asarray(tokens)
    for _ in range(length):
        x = unread[:, None]
        logits = read(own, x=x, y=np.zeros_like(x))["logits"][-1, 0].astype(float)
        p = np.exp(logits - logits.max())
        tokens.append(int(rng.choice(vocabulary, p=p / p.sum())))
        unread = np.array(tokens[-1:])  # the state remembers all before
    return tokens[len(start) :]


def main(epochs: int = 15) -> dict[str, float]:
    """Train both networks; print samples, and return the held-out perplexity of each model."""
    text = TEXT.read_text(encoding="utf-8")
    letters = gc.train.data.Vocabulary.of(text)
    training, held_out = map(letters.encode, split(text))
    found = {}
    for n in (3, 5):
        found[f"{n}-gram"] = NGram(training, n, len(letters)).perplexity(held_out)
        print(f"{n}-gram, counted: held-out perplexity {found[f'{n}-gram']:.2f}")
    for kind in ("rnn", "lstm"):
        state = train(kind, training, len(letters), epochs)
        found[kind] = perplexity(kind, state, held_out, len(letters))
        print(f"{kind}: held-out perplexity {found[kind]:.2f}")
        drawn = sample(kind, state, letters.encode("Alice "), 200)
        print("  Alice " + "".join(letters.decode(drawn)).replace("\n", " "))
    return found


if __name__ == "__main__":
    main()
