"""Recurrent layers are PyTorch's: values and gradients, over a grid of settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install graphc[torch]")

T, N, IN, UNITS = 5, 3, 4, 6
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}


def peer(kind: str, dtype: str, **words: Any) -> Any:
    torch.manual_seed(0)
    module = getattr(torch.nn, kind.upper())(IN, UNITS, **words)
    return module.double() if dtype == "float64" else module


def state_of(module: Any, kind: str, name: str, layers: int, both: bool) -> dict[str, np.ndarray]:
    """Return our parameters with PyTorch's values: weights transposed, its two biases added."""
    state = {}
    for k in range(layers):
        for suffix, half in (("", "forward"), ("_reverse", "backward"))[: 2 if both else 1]:
            owner = f"{name}.{half}" if both else name
            owner = owner if layers == 1 else f"{owner}.{k}"
            part = {
                key: getattr(module, f"{key}_l{k}{suffix}").detach().numpy()
                for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            state[f"{owner}.W"] = part["weight_ih"].T.copy()
            state[f"{owner}.U"] = part["weight_hh"].T.copy()
            bias = part["bias_ih"] + part["bias_hh"]
            if kind == "gru":  # the new gate's recurrent bias stands inside the reset product
                bias[2 * UNITS :] = part["bias_ih"][2 * UNITS :]
                state[f"{owner}.c"] = part["bias_hh"][2 * UNITS :].copy()
            state[f"{owner}.b"] = bias
    return state


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(
    ("layers", "both", "batch_first", "steps"),
    [
        (1, False, False, T),
        (1, False, True, T),
        (2, False, False, T),
        (1, True, False, T),
        (2, True, True, T),
        (1, False, False, 1),
    ],
)
def test_layer_is_pytorchs(
    kind: str, layers: int, both: bool, batch_first: bool, steps: int, dtype: str
) -> None:
    module = peer(kind, dtype, num_layers=layers, bidirectional=both, batch_first=batch_first)
    shape = (N, steps, IN) if batch_first else (steps, N, IN)
    rng = np.random.default_rng(1)
    X = rng.normal(size=shape).astype(dtype)
    x = gc.input(
        "x",
        [gc.dim("B") if d == N else gc.dim("S") if d == steps else d for d in shape],
        dtype=dtype,
    )
    layer = getattr(gc.nn, kind)
    if both:
        words = {"name": "r", "layers": layers, "batch_first": batch_first}
        outputs, *last = gc.nn.bidirectional(layer, x, UNITS, **words)
    else:
        outputs, *last = layer(x, UNITS, name="r", layers=layers, batch_first=batch_first)
    loss = gc.mean(gc.sin(outputs)) + sum(gc.mean(gc.cos(h)) for h in last)
    graph = gc.graph({"loss": loss, "outputs": outputs, "h": last[0]}, name="layer")
    state = state_of(module, kind, "r", layers, both)
    compiled = gc.compile(graph, gradient_of="loss", wrt=[*state, "x"])
    found = compiled(state, x=X)

    given = torch.tensor(X, requires_grad=True)
    theirs, final = module(given)
    states = final if isinstance(final, tuple) else (final,)
    total = torch.sin(theirs).mean() + sum(torch.cos(h).mean() for h in states)
    total.backward()
    close = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    np.testing.assert_allclose(found["outputs"], theirs.detach().numpy(), **close)
    np.testing.assert_allclose(found["loss"], total.item(), **close)
    np.testing.assert_allclose(found["d_loss_d_x"], given.grad.numpy(), **close)
    for k in range(layers):
        owner = "r.forward" if both else "r"
        owner = owner if layers == 1 else f"{owner}.{k}"
        weight = getattr(module, f"weight_ih_l{k}").grad.numpy().T
        recurrent = getattr(module, f"weight_hh_l{k}").grad.numpy().T
        np.testing.assert_allclose(found[f"d_loss_d_{owner}.W"], weight, **close)
        np.testing.assert_allclose(found[f"d_loss_d_{owner}.U"], recurrent, **close)
        bias = getattr(module, f"bias_ih_l{k}").grad.numpy()
        np.testing.assert_allclose(found[f"d_loss_d_{owner}.b"], bias, **close)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_sequences_of_different_lengths_are_pytorchs_packed_ones(kind: str) -> None:
    module = peer(kind, "float64")
    X = np.random.default_rng(1).normal(size=(T, N, IN))
    lengths = np.array([5, 2, 3])
    x = gc.input("x", ("S", "B", IN), dtype="float64")
    counted = gc.input("lengths", ("B",), dtype="int64")
    outputs, h, *_ = getattr(gc.nn, kind)(x, UNITS, name="r", lengths=counted)
    graph = gc.graph({"outputs": outputs, "h": h}, name="layer")
    found = gc.compile(graph)(state_of(module, kind, "r", 1, False), x=X, lengths=lengths)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(X), torch.tensor(lengths), enforce_sorted=False
    )
    theirs, final = module(packed)
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs, total_length=T)
    last = final[0] if isinstance(final, tuple) else final
    np.testing.assert_allclose(found["outputs"], padded.detach().numpy(), 1e-10, 1e-12)
    np.testing.assert_allclose(found["h"], last[0].detach().numpy(), 1e-10, 1e-12)
