"""Names that other libraries taught: what stands for them here?"""

from __future__ import annotations

from collections.abc import Iterable

from graphc.errors import nearest

_NO_NUMBERS = "a node has no numbers yet: compile the graph and call it"
_NO_FACTORS = "graphs have no inverses and factorizations: compute them with NumPy, pass an input"
_NO_ORDER = "an order is not differentiable: compute it with NumPy, or take gc.max"
_NO_GAMMA = "NumPy has no gamma function: write Stirling's series with gc.log, for large arguments"

INSTEAD = {
    "array": "gc.constant(values)",
    "argsort": _NO_ORDER,
    "backward": "gc.grad(loss, [W]), or gc.compile(graph, gradient_of='loss')",
    "bmm": "a @ b",
    "cat": "gc.concat(arrays, axis=0)",
    "cholesky": _NO_FACTORS,
    "clamp": "gc.clip(x, low, high)",
    "cpu": _NO_NUMBERS,
    "det": _NO_FACTORS,
    "detach": "gc.stop_gradient(x)",
    "digamma": _NO_GAMMA,
    "dim": "x.ndim",
    "double": "x.astype('float64')",
    "float": "x.astype('float32')",
    "gammaln": _NO_GAMMA,
    "inv": _NO_FACTORS,
    "item": _NO_NUMBERS,
    "jit": "gc.compile(graph)",
    "lgamma": _NO_GAMMA,
    "linalg": _NO_FACTORS,
    "long": "x.astype('int64')",
    "masked_fill": "gc.where(mask, value, x)",
    "mm": "a @ b",
    "numel": "x.size",
    "numpy": _NO_NUMBERS,
    "permute": "gc.permute_dims(x, axes), or x.transpose(1, 0)",
    "placeholder": "gc.input(name, shape)",
    "reduce_max": "gc.max(x)",
    "reduce_mean": "gc.mean(x)",
    "reduce_sum": "gc.sum(x)",
    "solve": _NO_FACTORS,
    "sort": _NO_ORDER,
    "tensor": "gc.constant(values)",
    "to": "x.astype(dtype)",
    "tolist": _NO_NUMBERS,
    "topk": _NO_ORDER,
    "unsqueeze": "gc.expand_dims(x, axis), or x[:, None]",
    "value": _NO_NUMBERS,
    "variable": "gc.param(name, shape)",
    "view": "x.reshape(shape)",
}


def no_attribute(owner: str, name: str, known: Iterable[str]) -> AttributeError:
    """Return the error of a name that is not there, with the one that probably was meant.

    >>> print(no_attribute("graphc", "cat", []))
    graphc has no 'cat'
      fix       gc.concat(arrays, axis=0)
    """
    what = f"{owner} has no {name!r}"
    fix = None
    if not name.startswith("_"):
        near = nearest(name, [k for k in known if not k.startswith("_") and k != name])
        fix = INSTEAD.get(name) or (f"did you mean {near!r}?" if near else None)
    return AttributeError(f"{what}\n  fix       {fix}" if fix else what)
