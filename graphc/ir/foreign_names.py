"""Names that other libraries taught: what stands for them here?"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from graphc.errors import nearest

_NO_NUMBERS = "a node has no numbers yet: compile the graph and call it"
_NO_FACTORS = "graphs factor matrices by gc.cholesky alone: compute it with NumPy, pass an input"
_NO_GAMMA = "NumPy has no gamma function: write Stirling's series with gc.log, for large arguments"
_UNCHANGED = "a node never changes: use it as it is"

#: Name -> what stands for it, in Python; of a class the name in small letters.
INSTEAD = {
    "adaptive_avg_pool2d": "gc.mean(x, axis=(-2, -1))",
    "array": "gc.constant(values)",
    "at": "gc.scatter_add(x, values, index), or gc.where(condition, value, x)",
    "average": "gc.mean(x), or gc.sum(weights * x) / gc.sum(weights)",
    "backward": "gc.grad(loss, [W]), or gc.compile(graph, gradient_of='loss')",
    "bce": "gc.nn.binary_cross_entropy(p, target)",
    "betaln": _NO_GAMMA,
    "bmm": "a @ b",
    "cat": "gc.concat(arrays, axis=0)",
    "categorical_crossentropy": "gc.nn.softmax_cross_entropy(p, target, from_logits=False)",
    "cdist": "gc.norm(a[:, None] - b, axis=-1)",
    "celu": "alpha * gc.elu(x / alpha)",
    "clamp": "gc.clip(x, low, high)",
    "clone": _UNCHANGED,
    "cond": "gc.where(condition, a, b)",
    "contiguous": _UNCHANGED,
    "copy": _UNCHANGED,
    "cosine_similarity": "gc.vecdot(gc.normalize(a, axis=-1), gc.normalize(b, axis=-1))",
    "cpu": _NO_NUMBERS,
    "cross_entropy": "gc.nn.softmax_cross_entropy(logits, target)",
    "cross_entropy_loss": "gc.nn.softmax_cross_entropy(logits, target)",
    "detach": "gc.stop_gradient(x)",
    "diag": "gc.diagonal(x) takes a diagonal, x * gc.eye(n) makes a matrix of a vector",
    "digamma": _NO_GAMMA,
    "dim": "x.ndim",
    "double": "x.astype('float64')",
    "eig": _NO_FACTORS,
    "eigh": _NO_FACTORS,
    "eigvalsh": _NO_FACTORS,
    "expand": "gc.broadcast_to(x, shape)",
    "expit": "gc.sigmoid(x)",
    "float": "x.astype('float32')",
    "fmod": "a - b * gc.trunc(a / b), or gc.remainder(a, b) with the sign of b",
    "fori_loop": "gc.scan(body, init=first, length=steps)",
    "gammaln": _NO_GAMMA,
    "glu": "a * gc.sigmoid(b) of a, b = gc.split(x, 2, axis=-1)",
    "grad": "g.gradient('loss') of the graph, or gc.grad(loss, [x]) in Python",
    "hard_swish": "x * gc.hard_sigmoid(x)",
    "hardswish": "x * gc.hard_sigmoid(x)",
    "identity": "gc.eye(n)",
    "index_select": "gc.take(x, indices, axis)",
    "isclose": "gc.abs(a - b) < tolerance",
    "item": _NO_NUMBERS,
    "jit": "gc.compile(graph)",
    "kaiming": "gc.init.he_normal()",
    "kaiming_normal": "gc.init.he_normal()",
    "kaiming_uniform": "gc.init.he_uniform()",
    "kl_div": "gc.sum(p * gc.log(p / q), axis=-1)",
    "l1_loss": "gc.nn.absolute_error(prediction, target)",
    "lgamma": _NO_GAMMA,
    "linalg": "gc.solve, gc.inv, gc.det, gc.logdet, gc.slogdet, gc.cholesky, gc.norm",
    "linear": "gc.nn.dense(x, size)",
    "ln": "gc.log(x)",
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
    "nll_loss": "gc.nn.softmax_cross_entropy(logits, target)",
    "numel": "x.size",
    "numpy": _NO_NUMBERS,
    "permute": "gc.permute_dims(x, axes), or x.transpose(1, 0)",
    "pinv": "gc.solve(a.T @ a, a.T) where a has full column rank",
    "placeholder": "gc.input(name, shape)",
    "prelu": "gc.where(x > 0, x, slope * x)",
    "qr": _NO_FACTORS,
    "quantile": "gc.sort(x)[..., k], the number with k smaller ones",
    "rand": "gc.random_uniform(shape)",
    "randn": "gc.random_normal(shape)",
    "reduce_max": "gc.max(x)",
    "reduce_mean": "gc.mean(x)",
    "reduce_sum": "gc.sum(x)",
    "relu6": "gc.clip(x, 0, 6)",
    "requires_grad_": "a gc.param is trained, and gc.grad takes any node",
    "scaled_dot_product_attention": "gc.nn.attention(query, key, value)",
    "smooth_l1_loss": "gc.nn.huber(prediction, target)",
    "softmin": "gc.softmax(-x)",
    "softsign": "x / (1 + gc.abs(x))",
    "solve_triangular": "gc.solve(a, b)",
    "sparse_categorical_crossentropy": "gc.nn.softmax_cross_entropy(p, target, from_logits=False)",
    "step": "gc.heaviside(x, 0)",
    "svd": _NO_FACTORS,
    "swish": "gc.silu(x)",
    "tensor": "gc.constant(values)",
    "to": "x.astype(dtype)",
    "tolist": _NO_NUMBERS,
    "topk": "gc.sort(x, descending=True)[..., :k], and gc.argsort likewise",
    "unsqueeze": "gc.expand_dims(x, axis), or x[:, None]",
    "upsample": "gc.repeat(x, 2, axis=-1), once for each axis",
    "value": _NO_NUMBERS,
    "variable": "gc.param(name, shape)",
    "view": "gc.reshape(x, shape)",
    "vmap": "broadcasting: the batch is a leading axis",
    "while_loop": "gc.scan(body, init=first, length=steps)",
    "xavier": "gc.init.glorot_uniform()",
    "xavier_normal": "gc.init.glorot_normal()",
    "xavier_uniform": "gc.init.glorot_uniform()",
    "xlogy": "gc.multiply_no_nan(x, gc.log(y))",
    "σ": "gc.sigmoid(x)",
}


def instead_of(name: str) -> str | None:
    """Return what stands for a name that other libraries have, or None.

    >>> instead_of("Linear"), instead_of("relu")
    ('gc.nn.dense(x, size)', None)
    """
    return INSTEAD.get(name) or INSTEAD.get(name.lower().rstrip("_"))


def instead_in_text(name: str) -> str | None:
    """Return the same for the text form, which has neither modules nor methods.

    >>> instead_in_text("swish"), instead_in_text("double")
    ('silu(x)', None)
    """
    instead = instead_of(name)
    if instead is None or "x." in instead:
        return None
    return re.sub(r"\bgc\.(nn\.|init\.)?", "", instead)


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
        near = nearest(name, [k for k in known if not k.startswith("_") and k != name])
        fix = instead_of(name) or (f"did you mean {near!r}?" if near else None)
        if name in functions:
            fix = INSTEAD.get(name) or f"gc.{name}(x)"
    return AttributeError(f"{what}\n  fix       {fix}" if fix else what)
