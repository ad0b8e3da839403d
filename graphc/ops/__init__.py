"""What does each op mean? One definition each, grouped by family. Importing this registers all."""

from graphc.ops import (
    activations,
    comparisons,
    composite,
    contraction,
    elementary,
    indexing,
    leaf,
    movement,
    pointwise,
    random,
    reduction,
    running,
)
from graphc.ops.registry import OPS, get_op, register

__all__ = [
    "OPS",
    "activations",
    "comparisons",
    "composite",
    "contraction",
    "elementary",
    "get_op",
    "indexing",
    "leaf",
    "movement",
    "pointwise",
    "random",
    "reduction",
    "register",
    "running",
]
