"""Layers: functions from nodes to nodes that create their parameters, or take those given.

The input comes first, then the size of what a layer makes. Parameters are called `{name}.W`,
`{name}.b`; the nodes of a layer stand in the scope of its name. Without a name, layers of a kind
are counted from the input that they read (`dense`, `dense_2`, …); where layers over different
inputs meet in one graph, give them names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from graphc.build.functions import ARRAY_FUNCTIONS, telling
from graphc.build.layers.attention import attention, multi_head_attention
from graphc.build.layers.convolution import (
    conv1d,
    conv2d,
    conv3d,
    locally_connected1d,
    locally_connected2d,
)
from graphc.build.layers.embedding import embedding
from graphc.build.layers.losses import (
    absolute_error,
    binary_cross_entropy,
    hinge,
    huber,
    logistic_loss,
    mean_squared_error,
    perceptron_loss,
    poisson_loss,
    softmax_cross_entropy,
    squared_error,
    zero_one,
)
from graphc.build.layers.normalization import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from graphc.build.layers.penalties import l1, l2
from graphc.build.layers.plain import dense, dropout
from graphc.build.layers.pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from graphc.build.layers.recurrent import bidirectional, gru, lstm, rnn
from graphc.build.layers.transposed_convolution import (
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from graphc.ir.foreign_names import no_attribute

__all__ = [
    "absolute_error",
    "attention",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bidirectional",
    "binary_cross_entropy",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "dense",
    "dropout",
    "embedding",
    "group_norm",
    "gru",
    "hinge",
    "huber",
    "instance_norm",
    "l1",
    "l2",
    "layer_norm",
    "local_response_norm",
    "locally_connected1d",
    "locally_connected2d",
    "logistic_loss",
    "lstm",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "mean_squared_error",
    "multi_head_attention",
    "perceptron_loss",
    "poisson_loss",
    "rms_norm",
    "rnn",
    "softmax_cross_entropy",
    "squared_error",
    "zero_one",
]

#: Calls that do not fit say what stands for an argument that is not there.
globals().update({name: telling(name, globals()[name]) for name in __all__})


def __dir__() -> list[str]:
    """Show the public names alone."""
    return sorted(__all__)


if not TYPE_CHECKING:  # a checker knows the names that are there

    def __getattr__(name: str) -> NoReturn:
        raise no_attribute("graphc.nn", name, __all__, ARRAY_FUNCTIONS)
