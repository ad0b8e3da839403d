"""Softmax regression: the perceptron without hidden layers, one step of gradient descent."""

from __future__ import annotations

from dataclasses import replace

from workload import Workload
from workloads import mlp


def workload() -> Workload:
    work = mlp.workload((784, 10), 256)
    return replace(work, name="softmax regression 784-10, batch 256, SGD step")
