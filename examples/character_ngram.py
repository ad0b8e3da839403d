"""A language model by counting: how likely is a character after the n - 1 before it?

An n-gram model counts which characters followed each context of n - 1 characters. A longer context
knows more but is met less often, so the counts of every length are mixed (Witten & Bell 1991):

    p(c | h) = (count(h c) + kinds(h) * p(c | h')) / (count(h) + kinds(h))

where kinds(h) is the number of different characters that followed h, and h' is h without its first
character. Below the empty context lies the uniform distribution. There is no parameter to tune,
which makes it an honest baseline: a recurrent network that is trained on the same text should go
below the perplexity of the 3-gram.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

import graphc as gc

TEXT = Path(__file__).parent / "data" / "alice.txt"


class NGram:
    """Counts of a text, for contexts of 0 to n - 1 tokens.

    Tokens are numbers below `vocabulary`.
    """

    def __init__(self, tokens: np.ndarray, n: int, vocabulary: int) -> None:
        self.n, self.vocabulary = n, vocabulary
        self.followers: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for length in range(n):
            for *context, token in gc.train.data.ngram_windows(tokens, length + 1).tolist():
                self.followers[tuple(context)][token] += 1

    def distribution(self, context: tuple[int, ...]) -> np.ndarray:
        """Return the probability of each token after the last n - 1 tokens of a context."""
        p = np.full(self.vocabulary, 1 / self.vocabulary)
        for length in range(min(self.n, len(context) + 1)):
            counts = self.followers.get(context[len(context) - length :])
            if counts is None:
                break  # a longer context was not met either
            p *= len(counts)
            p[list(counts)] += list(counts.values())
            p /= counts.total() + len(counts)
        return p

    def perplexity(self, tokens: np.ndarray) -> float:
        """Return exp of the mean of -log p: as uncertain as among so many equal choices."""
        history, total = tuple(tokens.tolist()), 0.0
        for at, token in enumerate(history):
            total -= np.log(self.distribution(history[max(0, at - self.n + 1) : at])[token])
        return float(np.exp(total / len(history)))

    def sample(self, start: np.ndarray, length: int, rng: np.random.Generator) -> list[int]:
        """Return `length` tokens drawn one after the other, each after what was drawn before."""
        tokens = start.tolist()
        for _ in range(length):
            p = self.distribution(tuple(tokens[-self.n + 1 :]) if self.n > 1 else ())
            tokens.append(int(rng.choice(self.vocabulary, p=p)))
        return tokens[len(start) :]


def split(text: str) -> tuple[str, str]:
    """Return the text to learn from, and its last tenth, which is held out."""
    cut = len(text) - len(text) // 10
    return text[:cut], text[cut:]


def main() -> dict[int, float]:
    """Count the shipped text; print samples and return the held-out perplexity of each n."""
    text = TEXT.read_text(encoding="utf-8")
    letters = gc.train.data.Vocabulary.of(text)
    training, held_out = map(letters.encode, split(text))
    rng = np.random.default_rng(0)
    print(f"{len(training)} characters to count, {len(held_out)} held out, {len(letters)} kinds")
    perplexities = {}
    for n in (1, 2, 3, 4, 5):
        model = NGram(training, n, len(letters))
        perplexities[n] = model.perplexity(held_out)
        sample = "".join(letters.decode(model.sample(letters.encode("Alice "), 60, rng)))
        print(f"{n}-gram  perplexity {perplexities[n]:5.2f}  Alice {' '.join(sample.split())}")
    return perplexities


if __name__ == "__main__":
    main()
