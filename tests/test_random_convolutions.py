"""Random stacks of convolution and pooling: reference = emitted code, in both styles, twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphc as gc


@dataclass(frozen=True)
class Frame:
    """How one random layer moves its windows."""

    kernel: int
    stride: int
    padding: int
    dilation: int

    @property
    def span(self) -> int:
        return self.dilation * (self.kernel - 1) + 1


def drawn_frame(rng: np.random.Generator) -> Frame:
    kernel = int(rng.integers(1, 4))
    padding = int(rng.integers(0, kernel // 2 + 1))
    return Frame(kernel, int(rng.integers(1, 3)), padding, int(rng.integers(1, 3)))


def layer(x: Any, rank: int, frame: Frame, name: str, rng: np.random.Generator) -> Any:
    """Return a random layer over x, or None where it does not fit the smallest image there is."""
    steps = {"stride": frame.stride, "padding": frame.padding}
    kind = str(rng.choice(["conv", "conv_transpose", "max_pool", "avg_pool"]))
    function = getattr(gc.nn, f"{kind}{rank}d")
    if kind.endswith("pool"):
        words: dict[str, Any] = {"ceil_mode": bool(rng.integers(2))}
        if kind == "max_pool":
            words["dilation"] = frame.dilation
        else:
            words["count_include_pad"] = bool(rng.integers(2))
        return function(x, frame.kernel, **steps, **words)
    groups = int(rng.choice([1, x.shape[1]]))
    if kind == "conv_transpose":
        steps["output_padding"] = int(rng.integers(0, max(frame.stride, frame.dilation)))
    activation = rng.choice([None, "tanh", "relu"])
    return function(
        x,
        groups * int(rng.integers(1, 4)),
        frame.kernel,
        dilation=frame.dilation,
        groups=groups,
        activation=activation,
        use_bias=bool(rng.integers(2)),
        name=name,
        **steps,
    )


def drawn_network(rng: np.random.Generator) -> tuple[gc.Graph, np.ndarray]:
    """Return a network with its loss, and a batch of images for it; sometimes an empty one."""
    rank = int(rng.integers(1, 4))
    shape = (int(rng.integers(0, 4)), int(rng.integers(1, 5)), *rng.integers(5, 9, rank))
    is_named = bool(rng.integers(2))
    dims = ("N", shape[1], *("DHW"[-rank:] if is_named else map(int, shape[2:])))
    x = h = gc.input("x", dims, "float64")
    for number in range(3):
        frame = drawn_frame(rng)
        try:
            following = layer(h, rank, frame, f"layer{number}", rng)
            # Named sizes show only here whether a window fits.
            gc.interpret(*run(gc.graph({"y": following}), shape), x=np.zeros(shape))
        except gc.GraphError:
            continue
        h = following
    h = h if h is not x else h * 1.0
    return gc.graph({"loss": gc.sum(gc.tanh(0.3 * h)), "y": h}), rng.normal(size=shape)


def drawn_branches(rng: np.random.Generator) -> tuple[gc.Graph, np.ndarray]:
    """Return a network of some layers that read one hidden image, and a batch of images for it.

    Most of them move their windows alike, and some are convolutions of one place.
    """
    rank = int(rng.integers(1, 4))
    shape = (int(rng.integers(1, 4)), int(rng.integers(1, 4)), *rng.integers(7, 10, rank))
    dims = ("N", shape[1], *("DHW"[-rank:] if rng.integers(2) else map(int, shape[2:])))
    x = gc.input("x", dims, "float64")
    conv = getattr(gc.nn, f"conv{rank}d")
    h = conv(x, int(rng.choice([2, 4])), int(rng.choice([1, 3])), name="stem", activation="tanh")
    if rng.integers(3) == 0:
        h = gc.tanh(x)
    frame = drawn_frame(rng)
    branches = []
    for number in range(int(rng.integers(2, 5))):
        own = frame if rng.integers(4) else drawn_frame(rng)
        branches.append(layer(h, rank, own, f"branch{number}", rng))
    total = sum(gc.sum(gc.tanh(0.3 * branch)) for branch in branches)
    return gc.graph({"loss": total, "y": branches[0]}), rng.normal(size=shape)


def run(graph: gc.Graph, shape: Any) -> tuple[Any, ...]:
    """Return the first arguments of a call: the graph, and its state if it has one."""
    return (graph, graph.init(seed=1)) if graph.params else (graph,)


@pytest.mark.parametrize("draw", [drawn_network, drawn_branches])
@pytest.mark.parametrize("seed", range(24))
def test_emitted_code_equals_the_reference(draw: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph, x = draw(rng)
    wrt = ["x", *graph.params]
    state = {name: rng.normal(size=p.shape) for name, p in graph.params.items()}
    call = (state,) if state else ()
    expected = gc.interpret(graph.gradient("loss", wrt), *call, x=x)
    for style in ("fast", "readable"):
        f = gc.compile(graph, gradient_of="loss", wrt=wrt, style=style)
        for array in (x, np.asfortranarray(x)):  # the second call meets the buffers of the first
            got = f(*call, x=array)
            for name, value in expected.items():
                np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-10, err_msg=name)
    assert gc.parse(str(graph)) == graph
