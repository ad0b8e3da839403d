"""The examples on text: n-grams by counting, word2vec, the shipped text itself."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from example_scripts import EXAMPLES, main_of, module_of, saved

import graphc as gc

# -- the text ------------------------------------------------------------------------------------


def test_the_text_is_what_its_page_says() -> None:
    text = (EXAMPLES / "data" / "alice.txt").read_text(encoding="utf-8")
    page = (EXAMPLES / "data" / "README.md").read_text(encoding="utf-8")
    assert f"{len(text):,} characters, {len(text.split()):,} words" in page
    assert text.isascii()
    assert "public domain" in page
    assert max(map(len, text.splitlines())) <= 72
    # No two paragraphs are alike, so nothing was pasted twice.
    paragraphs = [p for p in re.split(r"\n\n+", text) if len(p) > 80]
    assert len(set(paragraphs)) == len(paragraphs) > 150


# -- n-grams -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ngram() -> ModuleType:
    return module_of("character_ngram")


def by_definition(tokens: list[int], context: tuple[int, ...]) -> list[float]:
    """Return the Witten-Bell mixture as its formula states it, for three kinds of tokens."""

    def p(c: int, h: tuple[int, ...]) -> float:
        shorter = p(c, h[1:]) if h else 1 / 3
        size = len(h)
        after = [
            tokens[i + size] for i in range(len(tokens) - size) if h == (*tokens[i : i + size],)
        ]
        if not after:
            return shorter
        return (after.count(c) + len(set(after)) * shorter) / (len(after) + len(set(after)))

    return [p(c, context) for c in range(3)]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_probabilities_are_the_formulas(ngram: ModuleType, n: int) -> None:
    tokens = np.random.default_rng(0).choice(3, 40, p=[0.6, 0.3, 0.1])
    model = ngram.NGram(tokens, n, 3)
    for context in [(0,) * (n - 1), (2,) * (n - 1), (1, 0, 2)[: n - 1]]:
        got = model.distribution(context)
        np.testing.assert_allclose(got, by_definition(tokens.tolist(), context), rtol=1e-12)
        assert got.sum() == pytest.approx(1)


def test_perplexity_of_a_fair_die_is_six(ngram: ModuleType) -> None:
    tokens = np.random.default_rng(1).integers(0, 6, 40_000)
    model = ngram.NGram(tokens[:30_000], 1, 6)
    assert model.perplexity(tokens[30_000:]) == pytest.approx(6, rel=1e-2)


def test_perplexities_on_the_shipped_text(capsys: pytest.CaptureFixture[str]) -> None:
    got = main_of("character_ngram")()
    assert {n: round(p, 2) for n, p in got.items()} == {
        1: 23.70,
        2: 11.05,
        3: 6.48,
        4: 4.95,
        5: 4.86,
    }
    assert "52118 characters to count, 5790 held out" in capsys.readouterr().out


def test_the_neural_ngram_passes_the_counted_3_gram() -> None:
    got = main_of("neural_ngram")()
    assert got["counted 3-gram"] == pytest.approx(6.48, abs=0.005)
    assert got["neural 6-gram"] < 5.8  # 5.41; rounding moves the descent a little


# -- word2vec ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def word2vec() -> ModuleType:
    return module_of("word2vec")


def test_planted_synonyms_are_nearest_neighbours(
    word2vec: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = main_of("word2vec")(tmp_path)
    assert saved(tmp_path, "word2vec.png")
    twins = found.pop("twins")
    assert len(found) == 4
    assert set(found.values()) == {2 * len(word2vec.SYNONYMS)}
    assert twins >= 2 * len(word2vec.TWINS) - 3  # by chance one twin in thirty would be found
    lines = capsys.readouterr().out.splitlines()
    (hatter,) = [line for line in lines if line.startswith("  hatter:")]
    assert "hare" in hatter or "march" in hatter or "dormouse" in hatter


V, D, K, N = 6, 4, 3, 5


def batch() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    state = {"words.W": rng.normal(size=(V, D)), "outputs": rng.normal(size=(V, D))}
    return state, {"center": rng.integers(0, V, N), "context": rng.integers(0, V, N)}


def test_the_full_softmax_loss_is_the_textbooks(word2vec: ModuleType) -> None:
    state, given = batch()
    graph = word2vec.skip_gram(V, D, negative=0).astype("float64")
    scores = np.exp(state["words.W"][given["center"]] @ state["outputs"].T)
    p = scores[np.arange(N), given["context"]] / scores.sum(axis=1)
    got = gc.compile(graph)(state, **given)["loss"]
    assert got == pytest.approx(-np.log(p).mean(), rel=1e-12)


def test_the_negative_sampling_loss_is_the_textbooks(word2vec: ModuleType) -> None:
    state, given = batch()
    graph = word2vec.skip_gram(V, D, negative=K).astype("float64")
    noise = np.arange(1.0, V + 1) ** 0.75
    drawn = np.random.default_rng(7).choice(V, (N, K), p=noise / noise.sum())
    v, u = state["words.W"][given["center"]], state["outputs"][given["context"]]

    def log_sigmoid(x: np.ndarray) -> np.ndarray:
        return -np.log1p(np.exp(-x))

    fakes = log_sigmoid(-(state["outputs"][drawn] * v[:, None]).sum(axis=2)).sum(axis=1)
    expected = -(log_sigmoid((u * v).sum(axis=1)) + fakes).mean()
    got = gc.compile(graph)(state, **given, noise=noise, rng=np.random.default_rng(7))["loss"]
    assert got == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("negative", [0, K])
def test_cbow_predicts_from_the_mean_of_the_context(word2vec: ModuleType, negative: int) -> None:
    """A CBOW whose context is one word repeated is a skip-gram from that word."""
    state, given = batch()
    one = word2vec.skip_gram(V, D, negative=negative).astype("float64")
    bag = word2vec.cbow(V, D, 2, negative=negative).astype("float64")
    rest = {"noise": np.ones(V)} if negative else {}
    rngs = [{"rng": np.random.default_rng(3)} if negative else {} for _ in range(2)]
    wanted = gc.compile(one)(state, **given, **rest, **rngs[0])["loss"]
    turned = {"center": given["context"], "context": np.repeat(given["center"][:, None], 4, axis=1)}
    assert gc.compile(bag)(state, **turned, **rest, **rngs[1])["loss"] == pytest.approx(wanted)


@pytest.mark.parametrize("model", ["skip_gram", "cbow"])
def test_gradients_of_the_models(word2vec: ModuleType, model: str) -> None:
    make = {"skip_gram": (V, D, 0), "cbow": (V, D, 1, 0)}[model]
    graph = getattr(word2vec, model)(*make).astype("float64")
    state, given = batch()
    if model == "cbow":
        given["context"] = np.stack([given["context"], given["center"]], axis=1)
    at = {**state, **given}
    assert gc.check_gradient(graph, of="loss", at=at).max_error < 1e-7


def test_the_table_of_outputs_changes_by_rows_alone(word2vec: ModuleType) -> None:
    step = gc.compile(
        word2vec.skip_gram(1000, 8), minimize="loss", optimizer="adam(0.1)", style="readable"
    )
    assert "np.zeros((1000, 8)" not in step.source.partition("# update")[2].partition("def ")[0]
    state = step.init(seed=0)
    before = state["outputs"].copy()
    noise = np.zeros(1000)
    noise[[3, 5]] = 1
    words = np.array([7, 8])
    step(state, center=words, context=words, noise=noise, rng=np.random.default_rng(0))
    changed = np.flatnonzero((state["outputs"] != before).any(axis=1))
    np.testing.assert_array_equal(changed, [3, 5, 7, 8])
