"""The figures of examples/README.md, and where each example prints them.

An entry is a cell of the page with {} for its numbers, and patterns whose groups are those numbers
in what the script prints. Whoever runs a script in a test by `example_scripts.main_of` holds it to
them. A number that no script prints is asked for, with `stated`, by the test that measures it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parent.parent / "examples" / "README.md"
_NUMBER = r"[−-]?\d[\d,]*(?:\.\d+)?(?:·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+|e[+-]?\d+)?"
_PLAIN = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-", ",")


def number(text: str) -> float:
    """Return the number that a text writes: 1,000, 99.7, −1.7·10⁷, 1e-14."""
    return float(text.replace("·10", "e").translate(_PLAIN))


def rounding(text: str) -> float:
    """Return half a unit of the last digit of a number."""
    digits, _, exponent = text.replace("·10", "e").translate(_PLAIN).partition("e")
    return 0.5 * 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))


@dataclass(frozen=True)
class Printed:
    """Numbers in a script's output, and whether one of them bears the page's text out."""

    pattern: str
    bears_out: Callable[[float, str], bool]

    @property
    def count(self) -> int:
        return re.compile(self.pattern).groups


def same(pattern: str) -> Printed:
    """The printed numbers are those of the page, up to its last digit."""
    return near(0, pattern)


def near(within: float, pattern: str) -> Printed:
    """The same, where another BLAS or another order of sums moves a training by so much."""
    return Printed(
        pattern, lambda found, page: abs(found - number(page)) <= 1.001 * rounding(page) + within
    )


def at_most(pattern: str) -> Printed:
    return Printed(pattern, lambda found, page: found <= number(page))


def at_least(pattern: str) -> Printed:
    return Printed(pattern, lambda found, page: found >= number(page))


#: A number that the test of a row asks for.
ASKED = Printed("()", lambda found, page: True)


# -- the page ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of a table of the page."""

    system: str
    files: tuple[str, ...]
    figure: str

    @property
    def script(self) -> str | None:
        return next((name[:-3] for name in self.files if name.endswith(".py")), None)


@cache
def rows() -> dict[str, Row]:
    """Return the rows of all tables: first cell -> row."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| system"):
            system, file, _, figure, *_ = [cell.strip() for cell in line.strip("|").split(" | ")]
            found[system] = Row(system, tuple(re.findall(r"`([^`]+)`", file)), figure)
    return found


def texts(system: str) -> tuple[str, ...]:
    """Return the numbers of a row's figure as the page writes them."""
    cell, *_ = FIGURES[system]
    figure = rows()[system].figure
    pattern = re.escape(cell).replace(re.escape("{}"), f"({_NUMBER})")
    match = re.fullmatch(pattern, figure)
    assert match, f"examples/README.md, {system}: {figure!r} is no longer {cell!r}"
    return match.groups()


def stated(system: str) -> list[float]:
    """Return the numbers of a row's figure."""
    return [number(text) for text in texts(system)]


def hold(script: str, printed: str) -> None:
    """Compare what a script printed with every row of the page that is about it."""
    for row in rows().values():
        if row.script != script:
            continue
        left = iter(texts(row.system))
        for place in FIGURES[row.system][1:]:
            pages = [next(left) for _ in range(place.count)]
            if place is ASKED:
                continue
            match = re.search(place.pattern, printed)
            assert match, f"{script}.py does not print {place.pattern!r}"
            for page, found in zip(pages, match.groups(), strict=True):
                assert place.bears_out(number(found), page), (
                    f"examples/README.md, {row.system}: {page}; {script}.py prints {found}"
                )


# -- the figures ---------------------------------------------------------------------------------

_PERCENT = r"(?<![\d.])([\d.]+)%"

#: First cell of a row -> its figure, then the places of its numbers, in order.
FIGURES: dict[str, tuple[str, *tuple[Printed, ...]]] = {
    "y = ln x₁ + x₁x₂ − sin x₂": ("y = {}, ∂y/∂x₁ = {}, ∂y/∂x₂ = {}", ASKED, ASKED, ASKED),
    "J = cos(sin x² + 3x²)": ("equal to the formula to {}", ASKED),
    "traces and tables": ("the lecture's numbers",),
    "derivative of the sigmoid": ("y·(1 − y)",),
    "one neuron": ("pre-activation {}, output {}", ASKED, ASKED),
    "fully connected 3-4-2": ("{} neurons, {} weights, {} parameters", ASKED, ASKED, ASKED),
    "four-layer scalar network": ("equal to the chain rule by hand to {}", ASKED),
    "binary network": ("the lecture's rows",),
    "flight delay": (
        "cross-entropy {}, squared error {}",
        same(r"given predictions: +binary cross-entropy (\S+)"),
        same(r"mean squared error +(\S+)"),
    ),
    "world's smallest perceptron": (
        "w = {} after the first example, then {}, {}, {}",
        same(r"epoch  1.* w = (\S+)\nepoch  1.* w = (\S+)\nepoch  1.* w = (\S+)\n.* w = (\S+)"),
    ),
    "second smallest perceptron": (
        "w = {} and {}, least squares to {}",
        same(r"epoch 60: w1 = (.*), w2 = (\S+)"),
        ASKED,
    ),
    "neurons, weights, parameters": (
        "{}, {} and {}; {}, {} and {}",
        same(r"mlp_3_4_2:(?s:.*?)(\d+) neurons, (\S+) weights, (\S+) parameters"),
        same(r"digits_mlp:(?s:.*?)(\d+) neurons, (\S+) weights, (\S+) parameters"),
    ),
    "factors that are shared": (
        "{} operations instead of {}",
        same(r"together +(\d+) operations\none at a time: (\d+) operations"),
    ),
    "size of a convolution": (
        "six 5×5×3 filters on 32×32×3 give {}×{}×{}",
        same(r"six 5x5x3 filters on 32x32x3 .*\nthat is (\d+)x(\d+)x(\d+),"),
    ),
    "weight sharing": ("the matrix, by {} forward passes", same(r"banded: (\d+) forward passes")),
    "elementwise Jacobian": (
        "{} bytes, {} forward pass",
        same(r"compact: .*, (\S+) bytes"),
        same(r"diagonal: (\d+) forward pass"),
    ),
    "cost of backpropagation": (
        "{} to {} times the forward pass",
        same(r"\n256-256.* (\S+)\n"),
        same(r"\n1024-1024.* (\S+)\n"),
    ),
    "matrix calculus": (
        "equal to the product to {}",
        at_most(r"dy/dx = du/dx dy/du, to (\S+)"),
    ),
    # -- activations, losses, regularizers, training methods
    "activations": (
        "slopes exact to {}; tanh {} %, linear {} %, nothing below a threshold moves",
        ASKED,
        near(0.5, rf"tanh .*{_PERCENT}"),
        near(0.5, rf"linear .*{_PERCENT}"),
    ),
    "losses": (
        "mean {} and median {} minimize; exact at scores of ±{}",
        same(r"mean_squared_error is least at (\S+)"),
        same(r"absolute_error is least at (\S+)"),
        same(r"cross-entropy at scores .* ([\d.]+)\]"),
    ),
    "regularizers": (
        "Σ‖W‖² {} → {}; {} % of weights vanish, {} % without; largest unit {}; "
        "a step is −∇l − λ∇Ω to {}",
        near(8, r"none .*Σ‖W‖² +(\S+),"),
        near(4, r"L2 .*Σ‖W‖² +(\S+),"),
        near(2, rf"L1 .* {_PERCENT} of weights below"),
        near(1, rf"none .* {_PERCENT} of weights below"),
        same(r"max-norm .*largest unit (\S+),"),
        at_most(r"−∇l − λ∇Ω: error (\S+)"),
    ),
    "gradient clipping": (
        "w = {} after one step; clipped w = {}",
        same(r"not clipped: w = (\S+) after 1 step"),
        near(0.001, r"clipped by norm: w = (\S+)"),
    ),
    "SGD, minibatches": (
        "held-out loss {}, {}, {} after {} passes",
        near(0.01, r"one at a time .*held-out loss (\S+)"),
        near(0.01, r"minibatches of 32 .*held-out loss (\S+)"),
        same(r"all at once .*held-out loss (\S+)"),
        same(r"all at once +(\d+) steps"),
    ),
    "momentum, adaptive rates, decay": (
        "{} steps, as theory says; momentum {}; with noise a mean loss of {}, theory {}, "
        "and with decay {} at most",
        same(r"gradient descent +(\d+) steps"),
        same(r"momentum +(\d+) steps"),
        near(1e-4, r"rate constant 0.01 +mean loss (\S+)"),
        same(r"theory for the constant rate: (\S+)"),
        near(2e-5, r"rate cosine +mean loss (\S+)"),
    ),
    "initialization": (
        "signal × {}, {}, {} a layer (tanh); × {}, {}, {} (relu)",
        *[
            near(0.005, rf"{activation} {name} +signal ×(\S+) a layer")
            for activation in ("tanh", "relu")
            for name in ("small random", "Glorot", "He")
        ],
    ),
    "mean subtraction, standardization": (
        "κ = {}, then {}, then {}",
        near(50, r"raw +κ = +([\d,]*\d),"),
        same(r"mean subtracted +κ = +([\d,]*\d),"),
        same(r"standardized +κ = +([\d,]*\d),"),
    ),
    "random crops and flips": (
        "shifted {} % → {} %, mirrored {} % → {} %; as they are {} % → {} % and {} %",
        near(1, rf"none +[\d.]+% +{_PERCENT}"),
        near(1, rf"crops +[\d.]+% +{_PERCENT}"),
        near(1, rf"none .*{_PERCENT}"),
        near(1, rf"flips +[\d.]+% .*{_PERCENT}"),
        near(1, rf"none +{_PERCENT}"),
        near(1, rf"crops +{_PERCENT}"),
        near(1, rf"flips +{_PERCENT}"),
    ),
    "random restarts": (
        "{} of {} starts solves it",
        same(r"two hidden units: (\d+) of (\d+) starts"),
    ),
    "perceptron loss and logistic loss": ("equal to `gc.nn.perceptron_loss` to {}", ASKED),
    "softmax regression": ("equal to the formula to {}", ASKED),
    "descent with a regularizer": ("equal to weight decay to {}", ASKED),
    # -- networks
    "perceptron": (
        "{} mistakes in epoch 1, {} in epoch 2",
        same(r"epoch 1: (\d+) mistakes"),
        same(r"epoch 2: (\d+) mistakes"),
    ),
    "linear, logistic, softmax regression": (
        "weights equal closed form and scikit-learn's to {}; {}, {}, {} % right",
        at_most(r"logistic .* exact solution (\S+)"),
        same(rf"linear +{_PERCENT} right"),
        same(rf"logistic +{_PERCENT} right"),
        same(rf"softmax +{_PERCENT} right"),
    ),
    "linear regression": (
        "equal to least squares to {}",
        at_most(r"largest difference from least squares: (\S+)"),
    ),
    "Gaussian process regression": (
        "likelihood equal to scikit-learn's to {}; {} % of the variance of held-out patients",
        at_most(r"scikit-learn's to (\S+)"),
        near(0.5, r"held-out patients: (\S+) %"),
    ),
    "logistic regression": ("exact at scores of ±{}", ASKED),
    "XOR": (
        "one neuron ln 2 from {} starts; {} of {} right with two hidden units",
        same(r"one neuron: 0 of (\d+) starts"),
        same(r"two hidden units:(?s:.*?)\]: (\d+) of (\d+) right"),
    ),
    "multi-layer perceptron": (
        "over {} % of held-out digits",
        at_least(rf"accuracy on the 599 held-out digits: {_PERCENT}"),
    ),
    "transfer learning, feature extraction": (
        "{} % right, from scratch {} %, from bare pixels {} %; the nearest vector is the same "
        "digit for {} %",
        near(0.5, rf"frozen body +{_PERCENT} right"),
        near(0.5, rf"from scratch +{_PERCENT} right"),
        near(0.5, rf"bare pixels +{_PERCENT} right"),
        near(0.5, rf"is the same digit: {_PERCENT}"),
    ),
    "DAG network": (
        "{} % of held-out digits; gradient equal to differences to {}",
        near(0.5, rf"{_PERCENT} of 599 held-out digits right"),
        at_most(r"finite differences: largest error (\S+)"),
    ),
    "playground sets": (
        "{}, {}, {} and {} % of new points",
        *[near(0.5, rf"{name} .*{_PERCENT} of new") for name in ("circle", "xor", "gauss")],
        near(0.8, rf"spiral .*{_PERCENT} of new"),
    ),
    "LeNet-style network": (
        "{} % of held-out digits, a third that was fixed beforehand",
        near(0.35, rf"accuracy on the 599 held-out digits: {_PERCENT}"),
    ),
    "AlexNet": (
        "{} parameters; {} GB at batch 1",
        same(r"parameters +(\S+)\n"),
        near(0.1, r"(\S+) GB at most"),
    ),
    "VGG-16": (
        "{} parameters; {} GB at batch 1",
        same(r"parameters +(\S+)\n"),
        near(0.1, r"(\S+) GB at most"),
    ),
    "max and average pooling": ("the ties of a 4×4 image by hand",),
    "1-D convolution": (
        "{} % of new sequences with {} parameters; dense layers {} % with {}",
        near(0.5, rf"convolution .*, {_PERCENT} of new"),
        same(r"convolution +(\S+) parameters"),
        near(2, rf"dense layers .*, {_PERCENT} of new"),
        same(r"dense layers +(\S+) parameters"),
    ),
    "dilated convolution": (
        "squared error {} against {}",
        near(0.0005, r"dilated .* squared error (\S+)"),
        near(0.01, r"plain .* squared error (\S+)"),
    ),
    "transposed convolution": (
        "squared error {}, copying each pixel {}",
        near(0.001, r"held-out digits: (\S+); copying"),
        same(r"; copying: (\S+)"),
    ),
    "locally connected layer": (
        "weights found to {}; a convolution is off by {}",
        at_most(r"locally_connected1d .*off by at most (\S+)"),
        near(0.02, r"conv1d .*off by at most (\S+)"),
    ),
    "autoencoder, denoising autoencoder": (
        "squared error {} against PCA's {}; from noise {} against {}",
        near(0.02, r"autoencoder +(\S+) from clean"),
        same(r"PCA +(\S+) from clean"),
        near(0.02, r"denoising .* (\S+) from noisy"),
        near(0.005, r"PCA .* (\S+) from noisy"),
    ),
    "greedy layer-wise pre-training": (
        "momentum {} % → {} %; Adam {} % → {} %: no gain",
        *[
            near(1, rf"{name} .*from scratch {_PERCENT} .*pre-trained {_PERCENT}")
            for name in ("momentum", "adam")
        ],
    ),
    "time-delay network": (
        "error {} % of the spread, linear prediction {} %",
        near(0.1, rf"time-delay network error +{_PERCENT}"),
        near(0.02, rf"linear prediction +error +{_PERCENT}"),
    ),
    "Elman network": ("equal to the formulas to {}", ASKED),
    "LSTM": ("equal to the formulas to {}", ASKED),
    "recurrent network, sequences in all shapes": (
        "squared error {}; parity {} % at twice the length; {}; {} % against {} %",
        near(0.002, r"adding, squared error (\S+)"),
        near(0.5, rf"parity of twice the length, {_PERCENT}"),
        near(0.002, r"waves, squared error (\S+)"),
        near(0.5, rf"bidirectional {_PERCENT}"),
        near(1, rf"forward only {_PERCENT}"),
    ),
    "vanishing and exploding gradients": (
        "norms {}, {}, {}; LSTM {}; clipped {}",
        *[same(rf"radius {radius} .* (\S+)\n") for radius in (0.5, 1.0, 1.5)],
        same(r"LSTM, forget bias 5 .* (\S+)\n"),
        same(r"clipped to norm 1: (\S+) "),
    ),
    "RNN and LSTM language model": (
        "held-out perplexity {} and {}; counted 3-gram {}, 5-gram {}",
        near(0.15, r"rnn: held-out perplexity (\S+)"),
        near(0.15, r"lstm: held-out perplexity (\S+)"),
        same(r"3-gram, counted: held-out perplexity (\S+)"),
        same(r"5-gram, counted: held-out perplexity (\S+)"),
    ),
    "sequence to sequence": (
        "{} % of {} unseen strings reversed",
        near(0.3, rf"{_PERCENT} of \d+ strings that were never trained on"),
        same(r"% of (\d+) strings that were never trained on"),
    ),
    "image captioning": ("{} % of the toy set", same(rf"{_PERCENT} of the captions")),
    "n-gram model": (
        "corn {}/11, grass {}/11, hay {}/11, if {}/11, which {}/11",
        *[same(rf"p\({w} .* = (\d+)/11 =") for w in ("corn", "grass", "hay", "if", "which")],
    ),
    "n-gram language model": (
        "held-out perplexity {}, {}, {}, {}, {}",
        *[same(rf"{n}-gram +perplexity +(\S+)") for n in range(1, 6)],
    ),
    "neural n-gram model": (
        "held-out perplexity {}; counted 3-gram {}, counted 6-gram {}",
        near(0.15, r"neural 6-gram: perplexity (\S+)"),
        same(r"counted 3-gram: perplexity (\S+)"),
        same(r"counted 6-gram: perplexity (\S+)"),
    ),
    "word2vec": (
        "{}, {}, {} and {} of 12 planted synonyms are nearest neighbours; {} of 12 twins in the "
        "shipped text",
        *[
            same(rf"{variant}: (\d+) of 12 synonyms")
            for variant in (
                "skip_gram, 5 negative samples",
                "skip_gram, full softmax",
                "cbow, 5 negative samples",
                "cbow, full softmax",
            )
        ],
        near(2, r"shipped text: (\d+) of 12 twins"),
    ),
}
