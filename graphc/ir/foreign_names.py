"""Names that other libraries taught: what stands for them here?"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

import numpy as np

from graphc.errors import nearest

#: A name that is less like another one is not taken for it.
_ALIKE = 0.7
_NO_NUMBERS = "a node has no numbers yet: compile the graph and call it"
_NO_FACTORS = "graphs factor matrices by gc.cholesky alone: compute it with NumPy, pass an input"
_NO_FUNCTION = "graphs have no such function: compute it outside, pass the result as an input"
_NO_SHAPE = "its shape would depend on values: keep all elements, as gc.where(condition, x, 0) does"
_UNCHANGED = "a node never changes: use it as it is"

#: Name -> what stands for it, in Python; of a class the name in small letters.
INSTEAD = {
    "adaptive_avg_pool2d": "gc.mean(x, axis=(-2, -1))",
    "allclose": "gc.all(gc.abs(a - b) < tolerance)",
    "argwhere": _NO_SHAPE,
    "array": "gc.constant(values)",
    "array_equal": "gc.all(a == b)",
    "at": "gc.scatter_add(x, values, index), or gc.where(condition, value, x)",
    "atleast_1d": "gc.reshape(x, -1)",
    "atleast_2d": "x[None] for a row, x[:, None] for a column",
    "average": "gc.mean(x), or gc.sum(weights * x) / gc.sum(weights)",
    "backward": "gc.grad(loss, [W]), or gc.compile(graph, gradient_of='loss')",
    "bce": "gc.nn.binary_cross_entropy(p, target)",
    "bessel": _NO_FUNCTION,
    "beta": "gc.exp(gc.lgamma(a) + gc.lgamma(b) - gc.lgamma(a + b))",
    "betainc": _NO_FUNCTION,
    "betaln": "gc.lgamma(a) + gc.lgamma(b) - gc.lgamma(a + b)",
    "bincount": "gc.sum(gc.one_hot(i, n), axis=0)",
    "bmm": "a @ b",
    "cat": "gc.concat(arrays, axis=0)",
    "categorical_crossentropy": "gc.nn.softmax_cross_entropy(p, target, from_logits=False)",
    "cbrt": "gc.sign(x) * gc.abs(x) ** (1 / 3)",
    "cdist": "gc.norm(a[:, None] - b, axis=-1)",
    "celu": "alpha * gc.elu(x / alpha)",
    "clamp": "gc.clip(x, low, high)",
    "clone": _UNCHANGED,
    "compress": _NO_SHAPE,
    "cond": "gc.where(condition, a, b)",
    "contiguous": _UNCHANGED,
    "copy": _UNCHANGED,
    "copysign": "gc.where(y < 0, -gc.abs(x), gc.abs(x))",
    "corrcoef": "d.T @ d / n of d = (x - x.mean(axis=0)) / x.std(axis=0), for n rows",
    "cosine_similarity": "gc.vecdot(gc.normalize(a, axis=-1), gc.normalize(b, axis=-1))",
    "cov": "d.T @ d / (n - 1) of d = x - x.mean(axis=0), for n rows",
    "cpu": _NO_NUMBERS,
    "cross": "gc.roll(a, -1, -1) * gc.roll(b, 1, -1) - gc.roll(a, 1, -1) * gc.roll(b, -1, -1)",
    "cross_entropy": "gc.nn.softmax_cross_entropy(logits, target)",
    "cross_entropy_loss": "gc.nn.softmax_cross_entropy(logits, target)",
    "cuda": "leave it out: graphs run on the CPU",
    "deg2rad": "x * (np.pi / 180)",
    "degrees": "x * (180 / np.pi)",
    "detach": "gc.stop_gradient(x)",
    "diag": "gc.diagonal(x) takes a diagonal, x * gc.eye(n) makes a matrix of a vector",
    "dim": "x.ndim",
    "divmod": "a // b and a % b",
    "double": "x.astype('float64')",
    "eig": _NO_FACTORS,
    "eigh": _NO_FACTORS,
    "eigvalsh": _NO_FACTORS,
    "erfcx": "2 * gc.exp(x**2 + gc.log_ndtr(-(2**0.5) * x))",
    "erfinv": _NO_FUNCTION,
    "expand": "gc.broadcast_to(x, shape)",
    "expit": "gc.sigmoid(x)",
    "extract": _NO_SHAPE,
    "fabs": "gc.abs(x)",
    "factorial": "gc.exp(gc.lgamma(n + 1))",
    "flatnonzero": _NO_SHAPE,
    "flatten": "gc.reshape(x, -1), or gc.reshape(x, (n, -1)) for n rows",
    "fliplr": "x[:, ::-1]",
    "flipud": "x[::-1]",
    "float": "x.astype('float32')",
    "float_power": "a**b",
    "fmod": "a - b * gc.trunc(a / b), or gc.remainder(a, b) with the sign of b",
    "fori_loop": "gc.scan(body, init=first, length=steps)",
    "gamma": "gc.exp(gc.lgamma(x)), for x > 0",
    "gammainc": _NO_FUNCTION,
    "gammaincc": _NO_FUNCTION,
    "gammaln": "gc.lgamma(x)",
    "glu": "a * gc.sigmoid(b) of a, b = gc.split(x, 2, axis=-1)",
    "grad": "g.gradient('loss') of the graph, or gc.grad(loss, [x]) in Python",
    "hard_swish": "x * gc.hard_sigmoid(x)",
    "hardswish": "x * gc.hard_sigmoid(x)",
    "i0": _NO_FUNCTION,
    "identity": "gc.eye(n)",
    "index_select": "gc.take(x, indices, axis)",
    "interp": "y[i - 1] + (x - t[i - 1]) * (y[i] - y[i - 1]) / (t[i] - t[i - 1]) of "
    "i = gc.clip(gc.searchsorted(t, x), 1, n - 1)",
    "isclose": "gc.abs(a - b) < tolerance",
    "item": _NO_NUMBERS,
    "jit": "gc.compile(graph)",
    "kaiming": "gc.init.he_normal()",
    "kaiming_normal": "gc.init.he_normal()",
    "kaiming_uniform": "gc.init.he_uniform()",
    "kl_div": "gc.sum(p * gc.log(p / q), axis=-1)",
    "kron": "gc.reshape(a[:, None, :, None] * b[None, :, None, :], (m * p, n * q))",
    "l1_loss": "gc.nn.absolute_error(prediction, target)",
    "lerp": "a + weight * (b - a)",
    "linalg": "gc.solve, gc.inv, gc.det, gc.logdet, gc.slogdet, gc.cholesky, gc.norm",
    "linear": "gc.nn.dense(x, size)",
    "ln": "gc.log(x)",
    "log_erfc": "gc.log_ndtr(-(2**0.5) * x) + np.log(2)",
    "logistic": "gc.sigmoid(x)",
    "logit": "gc.log(p / (1 - p))",
    "long": "x.astype('int64')",
    "lstsq": "gc.solve(a.T @ a, a.T @ b)",
    "mae": "gc.nn.absolute_error(prediction, target)",
    "map": "gc.scan(body, xs=x), or broadcasting",
    "masked_fill": "gc.where(mask, value, x)",
    "median": "gc.sort(x)[..., n // 2] for n numbers along the last axis, n odd",
    "meshgrid": "x[:, None] beside y[None, :], which broadcast",
    "mish": "x * gc.tanh(gc.softplus(x))",
    "mm": "a @ b",
    "mod": "gc.remainder(a, b)",
    "mse": "gc.nn.mean_squared_error(prediction, target)",
    "mse_loss": "gc.nn.mean_squared_error(prediction, target)",
    "multiheadattention": "gc.nn.multi_head_attention(x, heads)",
    "nan_to_num": "gc.where(gc.isnan(x), 0, x)",
    "nanmax": "gc.max(gc.where(gc.isnan(x), -np.inf, x))",
    "nanmean": "gc.sum(gc.where(gc.isnan(x), 0, x)) / gc.sum(~gc.isnan(x))",
    "nanmin": "gc.min(gc.where(gc.isnan(x), np.inf, x))",
    "nansum": "gc.sum(gc.where(gc.isnan(x), 0, x))",
    "ndtr": "gc.erfc(-x / 2**0.5) / 2, and gc.log_ndtr(x) its logarithm",
    "ndtri": _NO_FUNCTION,
    "nll_loss": "gc.nn.softmax_cross_entropy(logits, target)",
    "nonzero": _NO_SHAPE,
    "numel": "x.size",
    "numpy": _NO_NUMBERS,
    "percentile": "gc.sort(x)[..., k], the number with k smaller ones",
    "permute": "gc.permute_dims(x, axes)",
    "pinv": "gc.solve(a.T @ a, a.T) where a has full column rank",
    "placeholder": "gc.input(name, shape)",
    "polyval": "c[0] + x * (c[1] + x * c[2]), and so on (Horner)",
    "prelu": "gc.where(x > 0, x, slope * x)",
    "psi": "gc.digamma(x)",
    "ptp": "gc.max(x) - gc.min(x)",
    "qr": _NO_FACTORS,
    "quantile": "gc.sort(x)[..., k], the number with k smaller ones",
    "rad2deg": "x * (180 / np.pi)",
    "radians": "x * (np.pi / 180)",
    "rand": "gc.random_uniform(shape)",
    "randn": "gc.random_normal(shape)",
    "reduce_max": "gc.max(x)",
    "reduce_mean": "gc.mean(x)",
    "reduce_sum": "gc.sum(x)",
    "relu6": "gc.clip(x, 0, 6)",
    "requires_grad_": "a gc.param is trained, and gc.grad takes any node",
    "scaled_dot_product_attention": "gc.nn.attention(query, key, value)",
    "select": "gc.where(first, a, gc.where(second, b, default))",
    "sinc": "gc.where(x == 0, 1, gc.sin(z) / z) of z = gc.where(x == 0, 1, np.pi * x)",
    "smooth_l1_loss": "gc.nn.huber(prediction, target)",
    "softmin": "gc.softmax(-x)",
    "softsign": "x / (1 + gc.abs(x))",
    "solve_triangular": "gc.solve(a, b)",
    "sparse_categorical_crossentropy": "gc.nn.softmax_cross_entropy(p, target, from_logits=False)",
    "step": "gc.heaviside(x, 0)",
    "svd": _NO_FACTORS,
    "swish": "gc.silu(x)",
    "t": "x.T",
    "tensor": "gc.constant(values)",
    "to": "x.astype(dtype)",
    "tolist": _NO_NUMBERS,
    "topk": "gc.sort(x, descending=True)[..., :k], and gc.argsort likewise",
    "trapezoid": "gc.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1])) / 2",
    "trapz": "gc.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1])) / 2",
    "trigamma": "gc.polygamma(1, x)",
    "unique": _NO_SHAPE,
    "unsqueeze": "gc.expand_dims(x, axis), or x[:, None]",
    "upsample": "gc.repeat(x, 2, axis=-1), once for each axis",
    "value": _NO_NUMBERS,
    "vander": "x[:, None] ** np.arange(n)[::-1]",
    "variable": "gc.param(name, shape)",
    "vdot": "gc.sum(a * b)",
    "view": "gc.reshape(x, shape)",
    "vmap": "broadcasting: the batch is a leading axis",
    "while_loop": "gc.scan(body, init=first, length=steps)",
    "xavier": "gc.init.glorot_uniform()",
    "xavier_normal": "gc.init.glorot_normal()",
    "xavier_uniform": "gc.init.glorot_uniform()",
    "xlogy": "gc.multiply_no_nan(x, gc.log(y))",
    "σ": "gc.sigmoid(x)",
}


_FROM_INPUT = "leave it out: the input has that size"
_WHERE_USED = "leave it out: g.for_inference() is the graph in use"

#: What other libraries call an argument -> what stands for it here.
KEYWORDS = {
    "act": "activation=",
    "b": "gc.logsumexp(x + gc.log(b)) for weights b > 0",
    "bidirectional": "gc.nn.bidirectional(gc.nn.lstm, x, units)",
    "copy": "leave it out: a node never changes",
    "device": "leave it out: a graph runs where it is called",
    "dim": "axis=",
    "dims": "axis=",
    "elementwise_affine": "affine=",
    "embedding_dim": "size=",
    "exclusive": "gc.cumsum(x) - x",
    "filters": "size=",
    "hidden_size": "units=",
    "in_channels": _FROM_INPUT,
    "in_features": _FROM_INPUT,
    "inplace": "leave it out: a node never changes",
    "keep_dims": "keepdims=",
    "input": "x=",
    "input_size": _FROM_INPUT,
    "is_training": _WHERE_USED,
    "keepdim": "keepdims=",
    "normalized_shape": "axis=",
    "num_embeddings": "vocabulary=",
    "num_groups": "groups=",
    "num_heads": "heads=",
    "num_layers": "layers=",
    "other": "y=",
    "out": "leave it out: nodes are never written into",
    "out_channels": "size=",
    "out_features": "size=",
    "p": "rate=",
    "reduction": "leave it out, and reduce what comes back: gc.mean(…) or gc.sum(…)",
    "requires_grad": "leave it out: gc.param is trained, and gc.grad takes any node",
    "reverse": "gc.flip before and after: gc.flip(gc.cumsum(gc.flip(x, axis), axis), axis)",
    "size": "shape=",
    "stable": "leave it out: sorting is always stable",
    "strides": "stride=",
    "training": _WHERE_USED,
    "unbiased": "ddof=1, or ddof=0",
    "units": "size=",
}

#: What reductions do without `where=`.
MASKED = (
    "gc.where(m, x, 0) for a sum, gc.where(m, x, -np.inf) for a max or a logsumexp; "
    "a mean is (m * x).sum() / m.sum()"
)


def instead_of_keyword(keyword: str, known: Container[str]) -> str | None:
    """Return what stands for a keyword that a function of the arguments `known` lacks, or None.

    >>> instead_of_keyword("dim", ["x", "axis"]), instead_of_keyword("dim", ["x"])
    ('axis= for dim=', None)
    """
    if keyword in ("where", "mask") and "axis" in known:
        return MASKED
    instead = KEYWORDS.get(keyword)
    if instead is None or not instead.endswith("="):
        return instead
    return f"{instead} for {keyword}=" if instead[:-1] in known else None


def instead_of(name: str) -> str | None:
    """Return what stands for a name that other libraries have, or None.

    >>> instead_of("Linear"), instead_of("relu")
    ('gc.nn.dense(x, size)', None)
    """
    return INSTEAD.get(name) or INSTEAD.get(name.lower().rstrip("_"))


_DERIVED = "a file states what is computed: graphc show --gradient loss derives it"
_SIZES = "dims have names or numbers: write N, or 3"

#: What the text form has of its own, where Python's words mean nothing.
_IN_TEXT = {
    "backward": _DERIVED,
    "dim": _SIZES,
    "grad": _DERIVED,
    "jit": "graphc compile compiles the file",
    "ndim": _SIZES,
    "numel": _SIZES,
    "placeholder": "x: input(f32, N, 3), on a line of its own",
    "shape": _SIZES,
    "size": _SIZES,
    "variable": "W: param(f32, 3), on a line of its own",
} | dict.fromkeys(("cpu", "item", "numpy", "tolist", "value"), "graphc run computes numbers")

#: Python's words -> the text form's: modules go, and methods become functions.
_TO_TEXT = ((r"\b(gc\.(nn\.|init\.)?|np\.)", ""), (r"\bx\.(\w+)\(([^()]*)\)", r"\1(x, \2)"))


def instead_in_text(name: str) -> str | None:
    """Return the same for the text form, which has neither modules nor methods.

    >>> instead_in_text("swish"), instead_in_text("double"), instead_in_text("relu")
    ('silu(x)', "astype(x, 'float64')", None)
    """
    instead = _IN_TEXT.get(name) or instead_of(name)
    if instead is None:
        return None
    for python, written in _TO_TEXT:
        instead = re.sub(python, written, instead)
    return instead


def no_attribute(
    owner: str, name: str, known: Iterable[str], functions: Container[str] = ()
) -> AttributeError:
    """Return the error of a name that is not there, with the one that probably was meant.

    `functions` are the array functions, where it is one of them that is looked for elsewhere.

    >>> print(no_attribute("graphc", "cat", []))
    graphc has no 'cat'
      fix       gc.concat(arrays, axis=0)
    """
    what = f"{owner} has no {name!r}"
    fix = None
    if not name.startswith("_"):
        near = nearest(name, [k for k in known if not k.startswith("_") and k != name], _ALIKE)
        near = None if hasattr(np, name) else near  # NumPy's function is meant, not misspelt
        fix = instead_of(name) or (f"did you mean {near!r}?" if near else None)
        if name in functions:
            fix = INSTEAD.get(name) or f"gc.{name}(x)"
    return AttributeError(f"{what}\n  fix       {fix}" if fix else what)
