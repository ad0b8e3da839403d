"""All workloads by a short name, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable

from workload import Workload
from workloads import (
    attention,
    character_rnn,
    convolution,
    gaussian_mixture,
    gelu,
    logistic_regression,
    lstm,
    mlp,
    skip_gram,
    softmax_regression,
)

WORKLOADS: dict[str, Callable[[], Workload]] = {
    "mlp-large": lambda: mlp.workload((784, 512, 256, 10), 128),
    "mlp-small": lambda: mlp.workload((8, 32, 32, 4), 32),
    "softmax-regression": softmax_regression.workload,
    "logistic-regression": logistic_regression.workload,
    "attention": attention.workload,
    "gaussian-mixture": gaussian_mixture.workload,
    "skip-gram": skip_gram.workload,
    "character-rnn": character_rnn.workload,
    "lstm-large": lambda: lstm.workload(50, 32, 64, 128),
    "lstm-small": lambda: lstm.workload(100, 8, 32, 32),
    "convolution": convolution.layer,
    "convolution-5x5": lambda: convolution.layer(32, 1, 28, 8, 5),
    "lenet": convolution.lenet,
    "gelu-1e3": lambda: gelu.workload(10**3),
    "gelu-1e4": lambda: gelu.workload(10**4),
    "gelu-1e5": lambda: gelu.workload(10**5),
    "gelu-1e6": lambda: gelu.workload(10**6),
    "gelu-4e6": lambda: gelu.workload(4 * 10**6),
    "gelu-1e7": lambda: gelu.workload(10**7),
}
