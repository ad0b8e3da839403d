"""VGG-16 at full size: shapes of all layers, 138,357,544 parameters, one pass there and back.

Thirteen convolutions 3x3 that keep the size, in five blocks that each end in max pooling, and three
dense layers (Simonyan & Zisserman 2015, configuration D). The image is noise: what is shown are
sizes, counts, time and memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from alexnet import layer_table, one_pass

import graphc as gc

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def vgg(
    blocks: Sequence[Sequence[int]] = BLOCKS,
    size: int = 224,
    dense: Sequence[int] = (4096, 4096),
    classes: int = 1000,
) -> gc.Graph:
    """Return the network over images [N, 3, size, size], with its loss."""
    h = gc.input("x", ("N", 3, size, size))
    y = gc.input("y", ("N",), dtype="int64")
    for number, channels in enumerate(blocks, 1):
        for layer, filters in enumerate(channels, 1):
            name = f"conv{number}_{layer}"
            h = gc.nn.conv2d(h, filters, 3, padding=1, name=name, activation=gc.relu)
        h = gc.nn.max_pool2d(h, 2, name=f"pool{number}")
    h = gc.reshape(h, (gc.dim("N"), -1))
    for number, units in enumerate(dense, 6):
        h = gc.nn.dropout(gc.nn.dense(h, units, name=f"dense{number}", activation=gc.relu))
    z = gc.nn.dense(h, classes, name=f"dense{6 + len(dense)}")
    loss = gc.nn.softmax_cross_entropy(z, y).mean()
    return gc.graph({"loss": loss, "p": gc.softmax(z)}, name="vgg16")


def main(graph: gc.Graph | None = None) -> dict[str, np.ndarray]:
    """Print the table of layers, and what one pass there and back takes; return its results."""
    graph = vgg() if graph is None else graph
    print(layer_table(graph))
    return one_pass(graph, np.random.default_rng(0))


if __name__ == "__main__":
    main()
