"""Steps of models of many kinds beside PyTorch: `python tests/benchmarks/models.py [names]`.

Each is typed as its papers and books write it, once for graphc and once in PyTorch's own words,
with the same parameters; the losses are compared before anything is timed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import kernels
import numpy as np
from measure import interleaved, ratios
from workload import Arrays, normal

import graphc as gc

nn = gc.nn
RATE = 0.01
#: `loss(torch, parameters, data)`.
TorchLoss = Callable[[Any, Mapping[str, Any], Mapping[str, Any]], Any]
Model = tuple[gc.Node, Arrays, TorchLoss]


def affine(p: Mapping[str, Any], name: str, x: Any) -> Any:
    return x @ p[f"{name}.W"] + p[f"{name}.b"]


def transformer(N: int = 16, T: int = 64, D: int = 128, heads: int = 4, V: int = 65) -> Model:
    """Two blocks of a language model with normalization in front, GELU and tied embeddings."""
    rng = np.random.default_rng(0)
    small = gc.init.normal(0.05)
    tokens, target = (gc.input(name, (N, T), dtype="int64") for name in ("tokens", "target"))
    embedding = gc.param("embedding", (V, D), init=small)
    x = gc.take(embedding, tokens, axis=0) + gc.param("places", (T, D), init=small)
    past = gc.constant(np.tri(T, dtype=bool))

    def split(h: gc.Node) -> gc.Node:
        return gc.transpose(gc.reshape(h, (N, T, heads, D // heads)), (0, 2, 1, 3))

    for i in range(2):
        h = nn.layer_norm(x, name=f"norm{i}")
        q, k, v = (split(nn.dense(h, D, name=f"{what}{i}")) for what in "qkv")
        scores = gc.where(past, q @ gc.swapaxes(k, -1, -2) / (D // heads) ** 0.5, -1e9)
        h = gc.reshape(gc.transpose(gc.softmax(scores, axis=-1) @ v, (0, 2, 1, 3)), (N, T, D))
        x = x + nn.dense(h, D, name=f"o{i}")
        h = gc.gelu(nn.dense(nn.layer_norm(x, name=f"norm{i}b"), 4 * D, name=f"up{i}"))
        x = x + nn.dense(h, D, name=f"down{i}")
    z = nn.layer_norm(x, name="norm") @ embedding.T
    loss = gc.mean(nn.softmax_cross_entropy(gc.reshape(z, (-1, V)), gc.reshape(target, (-1,))))

    def by_torch(torch: Any, p: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        F = torch.nn.functional
        x = p["embedding"][data["tokens"]] + p["places"]
        for i in range(2):
            h = F.layer_norm(x, (D,), p[f"norm{i}.W"], p[f"norm{i}.b"])
            q, k, v = (
                affine(p, f"{what}{i}", h).view(N, T, heads, -1).transpose(1, 2) for what in "qkv"
            )
            h = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + affine(p, f"o{i}", h.transpose(1, 2).reshape(N, T, D))
            h = F.layer_norm(x, (D,), p[f"norm{i}b.W"], p[f"norm{i}b.b"])
            x = x + affine(p, f"down{i}", F.gelu(affine(p, f"up{i}", h)))
        z = F.layer_norm(x, (D,), p["norm.W"], p["norm.b"]) @ p["embedding"].T
        return F.cross_entropy(z.reshape(-1, V), data["target"].reshape(-1))

    data = {name: rng.integers(0, V, (N, T)) for name in ("tokens", "target")}
    return loss, data, by_torch


def autoencoder(N: int = 128) -> Model:
    """A variational autoencoder of images, 784-400-20-400-784, with its noise given."""
    rng = np.random.default_rng(0)
    x, noise = gc.input("x", (N, 784)), gc.input("noise", (N, 20))
    h = gc.relu(nn.dense(x, 400, name="a"))
    mean, log_variance = nn.dense(h, 20, name="mean"), nn.dense(h, 20, name="spread")
    code = mean + noise * gc.exp(log_variance / 2)
    z = nn.dense(gc.relu(nn.dense(code, 400, name="c")), 784, name="d")
    misfit = gc.sum(gc.softplus(z) - x * z)
    loss = (misfit - gc.sum(1 + log_variance - mean**2 - gc.exp(log_variance)) / 2) / N

    def by_torch(torch: Any, p: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        F, x = torch.nn.functional, data["x"]
        h = F.relu(affine(p, "a", x))
        mean, log_variance = affine(p, "mean", h), affine(p, "spread", h)
        code = mean + data["noise"] * torch.exp(log_variance / 2)
        z = affine(p, "d", F.relu(affine(p, "c", code)))
        misfit = F.binary_cross_entropy_with_logits(z, x, reduction="sum")
        return (misfit - torch.sum(1 + log_variance - mean**2 - log_variance.exp()) / 2) / N

    pixels = rng.uniform(0, 1, (N, 784)).astype(np.float32)
    return loss, {"x": pixels, "noise": normal(rng, N, 20)}, by_torch


def conv_net(N: int = 32) -> Model:
    """Two convolutions with batch norm, on images of 32 × 32."""
    rng = np.random.default_rng(0)
    x, y = gc.input("x", (N, 3, 32, 32)), gc.input("y", (N,), dtype="int64")
    h = x
    for i, size in enumerate((32, 64)):
        h = nn.conv2d(h, size, 3, padding="same", use_bias=False, name=f"conv{i}")
        centred = h - gc.mean(h, axis=(0, 2, 3), keepdims=True)
        spread = gc.sqrt(gc.mean(centred**2, axis=(0, 2, 3), keepdims=True) + 1e-5)
        weight = gc.param(f"bn{i}.W", (size, 1, 1), init=gc.init.ones)
        bias = gc.param(f"bn{i}.b", (size, 1, 1), init=gc.init.zeros)
        h = nn.max_pool2d(gc.relu(centred / spread * weight + bias), 2)
    z = nn.dense(gc.reshape(h, (N, 4096)), 10, name="out")
    loss = gc.mean(nn.softmax_cross_entropy(z, y))

    def by_torch(torch: Any, p: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        F, h = torch.nn.functional, data["x"]
        for i in range(2):
            h = F.conv2d(h, p[f"conv{i}.W"], padding=1)
            norm = p[f"bn{i}.W"].flatten(), p[f"bn{i}.b"].flatten()
            h = F.max_pool2d(F.relu(F.batch_norm(h, None, None, *norm, training=True)), 2)
        return F.cross_entropy(affine(p, "out", h.reshape(N, -1)), data["y"])

    return loss, {"x": normal(rng, N, 3, 32, 32), "y": rng.integers(0, 10, N)}, by_torch


def u_net(N: int = 8) -> Model:
    """One level down and up again, on images of 32 × 32."""
    rng = np.random.default_rng(0)
    x, target = gc.input("x", (N, 1, 32, 32)), gc.input("target", (N, 1, 32, 32))
    a = nn.conv2d(x, 16, 3, padding="same", activation=gc.relu, name="a")
    b = nn.conv2d(nn.max_pool2d(a, 2), 32, 3, padding="same", activation=gc.relu, name="b")
    both = gc.concatenate([a, nn.conv_transpose2d(b, 16, 2, stride=2, name="up")], axis=1)
    c = nn.conv2d(both, 16, 3, padding="same", activation=gc.relu, name="c")
    loss = gc.mean((nn.conv2d(c, 1, 1, name="out") - target) ** 2)

    def by_torch(torch: Any, p: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        F = torch.nn.functional

        def convolved(h: Any, name: str) -> Any:
            return F.relu(F.conv2d(h, p[f"{name}.W"], p[f"{name}.b"], padding=1))

        a = convolved(data["x"], "a")
        b = convolved(F.max_pool2d(a, 2), "b")
        up = F.conv_transpose2d(b, p["up.W"], p["up.b"], stride=2)
        c = convolved(torch.cat([a, up], 1), "c")
        return torch.mean((F.conv2d(c, p["out.W"], p["out.b"]) - data["target"]) ** 2)

    return loss, {name: normal(rng, N, 1, 32, 32) for name in ("x", "target")}, by_torch


def mixture_density(N: int = 1000, K: int = 5) -> Model:
    """A network that gives a mixture of K normals for each x."""
    rng = np.random.default_rng(0)
    x, y = gc.input("x", (N, 1)), gc.input("y", (N, 1))
    h = gc.tanh(nn.dense(x, 64, name="h"))
    share, mean, log_scale = (nn.dense(h, K, name=name) for name in ("share", "mean", "scale"))
    z = (y - mean) / gc.exp(log_scale)
    loss = -gc.mean(gc.logsumexp(gc.log_softmax(share, axis=1) - log_scale - z**2 / 2, axis=1))

    def by_torch(torch: Any, p: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        h = torch.tanh(affine(p, "h", data["x"]))
        share, mean, log_scale = (affine(p, name, h) for name in ("share", "mean", "scale"))
        z = (data["y"] - mean) / log_scale.exp()
        terms = torch.log_softmax(share, 1) - log_scale - z**2 / 2
        return -torch.logsumexp(terms, 1).mean()

    return loss, {"x": normal(rng, N, 1), "y": normal(rng, N, 1)}, by_torch


def burgers(N: int = 1000) -> Model:
    """A physics-informed network: the residual of Burgers' equation, u_t + u u_x = u_xx / 100."""
    rng = np.random.default_rng(0)
    x, t = gc.input("x", (N, 1)), gc.input("t", (N, 1))
    h = gc.concatenate([x, t], axis=1)
    for i in range(3):
        h = gc.tanh(nn.dense(h, 32, name=f"h{i}"))
    u = nn.dense(h, 1, name="u")
    u_x, u_t = gc.grad(gc.sum(u), [x, t])
    (u_xx,) = gc.grad(gc.sum(u_x), [x])
    loss = gc.mean((u_t + u * u_x - u_xx / 100) ** 2)

    def by_torch(torch: Any, p: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        x, t = (data[name].clone().requires_grad_() for name in ("x", "t"))
        h = torch.cat([x, t], 1)
        for i in range(3):
            h = torch.tanh(affine(p, f"h{i}", h))
        u = affine(p, "u", h)
        u_x, u_t = torch.autograd.grad(u.sum(), [x, t], create_graph=True)
        (u_xx,) = torch.autograd.grad(u_x.sum(), [x], create_graph=True)
        return torch.mean((u_t + u * u_x - u_xx / 100) ** 2)

    return loss, {"x": normal(rng, N, 1), "t": normal(rng, N, 1)}, by_torch


def graph_convolution(V: int = 1000) -> Model:
    """Two layers that mix what neighbors in a graph of V vertices have."""
    rng = np.random.default_rng(0)
    A, x = gc.input("A", (V, V)), gc.input("x", (V, 64))
    y = gc.input("y", (V,), dtype="int64")
    h = gc.relu(A @ nn.dense(x, 64, use_bias=False, name="a"))
    loss = gc.mean(nn.softmax_cross_entropy(A @ nn.dense(h, 7, use_bias=False, name="b"), y))

    def by_torch(torch: Any, p: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        h = torch.relu(data["A"] @ (data["x"] @ p["a.W"]))
        return torch.nn.functional.cross_entropy(data["A"] @ (h @ p["b.W"]), data["y"])

    edges = (rng.uniform(size=(V, V)) < 0.01).astype(np.float32) / 10
    return loss, {"A": edges, "x": normal(rng, V, 64), "y": rng.integers(0, 7, V)}, by_torch


def factorization(N: int = 4096) -> Model:
    """Ratings of 2,000 films by 5,000 people: products of rows of two tables."""
    rng = np.random.default_rng(0)
    sizes = {"people": 5000, "films": 2000}
    rating = gc.input("rating", (N,))
    rows = [
        gc.take(
            gc.param(name, (size, 32), init=gc.init.normal(0.1)),
            gc.input(f"{name}_at", (N,), dtype="int64"),
            axis=0,
        )
        for name, size in sizes.items()
    ]
    loss = gc.mean((gc.sum(rows[0] * rows[1], axis=1) - rating) ** 2)

    def by_torch(torch: Any, p: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        people, films = (p[name][data[f"{name}_at"]] for name in sizes)
        return torch.mean(((people * films).sum(1) - data["rating"]) ** 2)

    places = {f"{name}_at": rng.integers(0, size, N) for name, size in sizes.items()}
    return loss, {**places, "rating": normal(rng, N)}, by_torch


def gaussian_process(N: int = 300) -> Model:
    """The likelihood of a Gaussian process, by Cholesky's factor, and its hyperparameters."""
    rng = np.random.default_rng(0)
    x, y = gc.input("x", (N, 4)), gc.input("y", (N,))
    scales = gc.param("scales", (4,), init=gc.init.zeros)
    noise = gc.param("noise", (), init=gc.init.constant(-1.0))
    z = x * gc.exp(scales)
    size = gc.sum(z**2, axis=1)
    K = gc.exp(z @ z.T - (size[:, None] + size) / 2) + gc.exp(noise) * gc.eye(N)
    L = gc.cholesky(K)
    loss = gc.sum(gc.solve(L, y) ** 2) / 2 + gc.sum(gc.log(gc.diagonal(L)))

    def by_torch(torch: Any, p: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        z = data["x"] * p["scales"].exp()
        size = (z**2).sum(1)
        K = torch.exp(z @ z.T - (size[:, None] + size) / 2) + p["noise"].exp() * torch.eye(N)
        L = torch.linalg.cholesky(K)
        a = torch.linalg.solve_triangular(L, data["y"][:, None], upper=False)
        return (a**2).sum() / 2 + torch.log(torch.diagonal(L)).sum()

    return loss, {"x": normal(rng, N, 4), "y": normal(rng, N)}, by_torch


MODELS: dict[str, tuple[str, Callable[[], Model]]] = {
    "transformer": ("transformer, 2 blocks, 16 × 64 tokens, 128 wide", transformer),
    "autoencoder": ("variational autoencoder 784-400-20, batch 128", autoencoder),
    "conv-net": ("2 convolutions with batch norm, 32 × 3×32×32", conv_net),
    "u-net": ("U-Net of one level, 8 × 32×32", u_net),
    "mixture-density": ("mixture density network, 1,000 points", mixture_density),
    "burgers": ("physics-informed network, 1,000 points, second derivatives", burgers),
    "graph-convolution": ("graph convolution, 1,000 vertices", graph_convolution),
    "factorization": ("matrix factorization, 5,000 × 2,000, batch 4096", factorization),
    "gaussian-process": ("Gaussian process, likelihood of 300 points", gaussian_process),
}


def row(title: str, model: Model) -> str:
    """Compare the losses of three steps, then time steps; return a line of the table."""
    import torch

    loss, data, by_torch = model
    step = gc.compile(gc.graph({"loss": loss}), minimize="loss", optimizer=gc.optim.sgd(RATE))
    state = step.init(seed=0)
    params = {name: torch.tensor(a.copy(), requires_grad=True) for name, a in state.items()}
    tensors = {name: torch.from_numpy(array) for name, array in data.items()}
    optimizer = torch.optim.SGD(params.values(), lr=RATE)

    def torch_step() -> float:
        optimizer.zero_grad()
        value = by_torch(torch, params, tensors)
        value.backward()
        optimizer.step()
        return float(value.detach())

    runs: dict[str, Callable[[], Any]] = {
        "graphc": lambda: step(state, **data)["loss"],
        "PyTorch": torch_step,
    }
    for _ in range(3):
        ours, theirs = (float(run()) for run in runs.values())
        assert abs(ours - theirs) <= 1e-4 * abs(theirs), f"{title}: loss {ours} and {theirs}"
    times = interleaved(runs)
    ratio = ratios(times, "graphc")["PyTorch"]
    return f"| {title} | {np.median(times['graphc']) * 1e6:,.0f} | {ratio} |"


def main() -> None:
    arguments = sys.argv[1:]
    kernels.choose(arguments)
    sys.stdout.write("| step of descent | graphc, µs | PyTorch |\n|---|---:|---:|\n")
    for name in arguments or MODELS:
        title, model = MODELS[name]
        sys.stdout.write(f"{row(title, model())}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
