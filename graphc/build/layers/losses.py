"""Losses: one value for each sample, the first axis; take `.mean()` for the empirical risk.

The prediction comes first, then the target. A prediction with further axes gives their mean
(cross-entropies with classes: their sum over the classes). Integer targets take the prediction's
float type, and shapes must agree: [N, 1] against [N] is an error, not an [N, N] table.
"""

from __future__ import annotations

from typing import Any

from graphc.build.arrays.operands import as_float
from graphc.build.arrays.reductions import argmax
from graphc.build.arrays.shaping import expand_dims, ravel, squeeze
from graphc.errors import GraphError
from graphc.ir.attributes import plain
from graphc.ir.dims import same_shape
from graphc.ir.node import Node
from graphc.ir.provenance import user_error
from graphc.ir.types import FLOAT64, INT64
from graphc.ops.axes import one_axis
from graphc.ops.leaf import as_node
from graphc.ops.registry import OPS

__all__ = [
    "absolute_error",
    "binary_cross_entropy",
    "hinge",
    "huber",
    "logistic_loss",
    "mean_squared_error",
    "perceptron_loss",
    "poisson_loss",
    "softmax_cross_entropy",
    "squared_error",
    "zero_one",
]


def mean_squared_error(prediction: Any, target: Any) -> Node:
    """Return (prediction - target)², its mean over all axes but the first.

    **Shapes.** [N] or [N, ...] twice -> [N]
    **Raises.** GraphError where the shapes differ.
    """
    p, t = _pair("mean_squared_error", prediction, target)
    return _per_sample(OPS["square"](p - t))


def squared_error(prediction: Any, target: Any) -> Node:
    """Return half the squared distance, ½ Σ (prediction - target)².

    **Shapes.** [N] or [N, ...] twice -> [N]
    **Raises.** GraphError where the shapes differ.
    """
    p, t = _pair("squared_error", prediction, target)
    return 0.5 * _per_sample(OPS["square"](p - t), "sum")


def absolute_error(prediction: Any, target: Any) -> Node:
    """Return |prediction - target|, its mean over all axes but the first; derivative 0 at 0.

    **Shapes.** [N] or [N, ...] twice -> [N]
    **Raises.** GraphError where the shapes differ.
    """
    p, t = _pair("absolute_error", prediction, target)
    return _per_sample(OPS["abs"](p - t))


def huber(prediction: Any, target: Any, *, delta: float = 1.0) -> Node:
    """Return ½ d² where d = |prediction - target| <= delta, delta (d - ½ delta) beyond; its mean.

    The mean runs over all axes but the first.

    **Shapes.** [N] or [N, ...] twice -> [N]
    **Raises.** GraphError where the shapes differ, or delta is not positive.
    **Source.** Huber 1964, doi:10.1214/aoms/1177703732; torch.nn.HuberLoss.
    """
    p, t = _pair("huber", prediction, target)
    limit = plain(delta)
    if not isinstance(limit, (int, float)) or not limit > 0:
        raise user_error("huber: delta is positive", got=repr(delta))
    difference, limit = p - t, float(limit)
    distance = OPS["abs"](difference)
    near, far = 0.5 * OPS["square"](difference), limit * (distance - 0.5 * limit)
    return _per_sample(OPS["where"](distance <= limit, near, far))


def poisson_loss(prediction: Any, target: Any, *, from_logs: bool = True) -> Node:
    """Return exp(z) - t z, the negative log-likelihood of counts t at the rate exp(z).

    Of several axes, the mean over all but the first. `prediction` is z, or the rate itself where
    not `from_logs`. The term log(t!), which no parameter changes, is left out. Integer counts stay
    what they are; the loss keeps the prediction's float type.

    **Shapes.** [N] or [N, ...] twice -> [N]
    **Raises.** GraphError where the shapes differ.
    **Source.** torch.nn.PoissonNLLLoss with `full=False`, and `eps=0` where not `from_logs`.
    """
    p, t = _pair("poisson_loss", prediction, target)
    if from_logs:
        return _per_sample(OPS["exp"](p) - t * p)
    return _per_sample(p - t * OPS["log"](p))


def binary_cross_entropy(
    prediction: Any, target: Any, *, from_logits: bool = False, pos_weight: Any = None
) -> Node:
    """Return -t log(p) - (1 - t) log(1 - p) for targets in [0, 1], its mean for each sample.

    The mean runs over all axes but the first. `prediction` is the probability p, or with
    `from_logits` the z of p = sigmoid(z). A p that the graph computes as a sigmoid is as stable as
    its logits: the compiler sees through it. Of a p that comes from elsewhere the logarithm is
    taken as it is: p = 0 costs inf where t > 0 and, as 0·inf, nan where t = 0. PyTorch cuts the
    logarithm off at -100; `gc.clip` does such things here.
    `pos_weight` is a factor of the first term, a number or one for each entry of the last axis:
    negatives over positives makes up for rare ones.

    **Shapes.** [N] or [N, ...] twice -> [N]
    **Raises.** GraphError where the shapes differ.
    """
    p, t = _pair("binary_cross_entropy", prediction, target)
    if from_logits:
        log_p, log_q = OPS["log_sigmoid"](p), OPS["log_sigmoid"](-p)
    else:
        log_p, log_q = OPS["log"](p), OPS["log"](1 - p)
    if pos_weight is not None:
        log_p = OPS["cast"](as_node(pos_weight), p.dtype) * log_p
    return _per_sample(-(t * log_p + (1 - t) * log_q))


def softmax_cross_entropy(
    prediction: Any,
    target: Any,
    *,
    axis: int = -1,
    from_logits: bool = True,
    weight: Any = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
) -> Node:
    """Return -log p of the right class, p = softmax(prediction) over `axis`.

    `target` holds class indices, or probabilities q of the prediction's shape: -Σ q log p.
    Without `from_logits` the prediction is p itself. An index below 0 counts from the last class,
    as in NumPy; one without a class, such as K, is an error of the call.

    `weight` gives each class a factor. With `label_smoothing` s, q is (1 - s) q + s/K. A target of
    `ignore_index` costs nothing; the mean over the others is the sum of the losses divided by
    `gc.sum(y != i, dtype="float32")`.

    **Shapes.** [N, K], [N] integers or [N, K]; weight: [K] -> [N]
    **Raises.** GraphError where the shapes do not fit, s is not in [0, 1], or probabilities have
    an ignore_index.
    **Source.** torch.nn.functional.cross_entropy with `reduction="none"`.
    """
    z, t = as_float(as_node(prediction), FLOAT64), as_node(target)
    if not z.ndim:
        raise _misfit("softmax_cross_entropy", prediction, target, "an axis of classes")
    at = one_axis(axis, z.ndim, "softmax_cross_entropy")
    logs = OPS["log_softmax"](z, at) if from_logits else OPS["log"](z)
    factors = None if weight is None else _of_classes(weight, z, at)
    if same_shape(t.shape, z.shape):
        if ignore_index is not None:
            raise user_error(
                "softmax_cross_entropy: ignore_index is for targets that are class indices",
                got=f"a target of {t.type}",
                fix="multiply the loss by what counts",
            )
        weighted = logs if factors is None else factors * logs
        loss = -OPS["sum"](OPS["cast"](t, z.dtype) * weighted, at)
        return _smoothed(loss, weighted, at, label_smoothing)
    _expect_indices(z, t, at, prediction, target)
    counts = None if ignore_index is None else OPS["not_equal"](t, ignore_index)
    label = expand_dims(t if counts is None else OPS["where"](counts, t, 0), at)
    loss = -squeeze(OPS["take_along_axis"](logs, label, axis=at), at)
    if factors is not None:
        loss = OPS["gather"](ravel(factors), squeeze(label, at), axis=0) * loss
        logs = factors * logs
    loss = _smoothed(loss, logs, at, label_smoothing)
    return loss if counts is None else OPS["where"](counts, loss, 0.0)


def _expect_indices(z: Node, t: Node, axis: int, prediction: Any, target: Any) -> None:
    """Raise unless the target holds one class index for each row of logits."""
    has_indices = same_shape(t.shape, (*z.shape[:axis], *z.shape[axis + 1 :]))
    if has_indices and t.dtype.kind == "f":
        raise user_error(
            "softmax_cross_entropy: class indices are integers",
            got=f"a target of {t.type}",
            expected=str(t.type.with_dtype(INT64)),
            fix="declare the target as int64",
        )
    if t.dtype.kind != "i" or not has_indices:
        expected = "class indices, or one probability per class"
        raise _misfit("softmax_cross_entropy", prediction, target, expected)


def _of_classes(weight: Any, z: Node, axis: int) -> Node:
    """Return a factor for each class, along the axis of the classes."""
    factors = OPS["cast"](as_node(weight), z.dtype)
    if not same_shape(factors.shape, (z.shape[axis],)):
        raise user_error(
            "softmax_cross_entropy: weight has one factor for each class",
            got=str(factors.type),
            expected=str(z.type.with_shape((z.shape[axis],))),
        )
    return expand_dims(factors, tuple(range(1, z.ndim - axis)))


def _smoothed(loss: Node, logs: Node, axis: int, smoothing: float) -> Node:
    """Return the loss with a share of the target spread evenly over the classes."""
    share = plain(smoothing)
    if not isinstance(share, (int, float)) or not 0 <= share <= 1:
        raise user_error(
            "softmax_cross_entropy: label_smoothing is the share that all classes get",
            got=repr(smoothing),
            expected="a number in [0, 1]",
        )
    return (1 - share) * loss - share * OPS["mean"](logs, axis) if share else loss


def hinge(score: Any, target: Any) -> Node:
    """Return max(0, 1 - t*score) for targets -1 and +1; derivative 0 at the corner.

    PyTorch's `margin_ranking_loss` takes the other one-sided derivative there, -t.

    **Shapes.** [N] or [N, ...] twice -> [N]
    **Raises.** GraphError where the shapes differ.
    """
    s, t = _pair("hinge", score, target)
    return _per_sample(OPS["relu"](1 - t * s))


def perceptron_loss(score: Any, target: Any) -> Node:
    """Return max(0, -t*score) for targets -1 and +1; derivative 0 at score 0.

    So nothing moves where all weights begin at 0: draw them.

    **Shapes.** [N] or [N, ...] twice -> [N]
    **Raises.** GraphError where the shapes differ.
    """
    s, t = _pair("perceptron_loss", score, target)
    return _per_sample(OPS["relu"](-(t * s)))


def logistic_loss(score: Any, target: Any) -> Node:
    """Return -log(sigmoid(t*score)) = log(1 + exp(-t*score)) for targets -1 and +1.

    **Shapes.** [N] or [N, ...] twice -> [N]
    **Raises.** GraphError where the shapes differ.
    """
    s, t = _pair("logistic_loss", score, target)
    return _per_sample(-OPS["log_sigmoid"](t * s))


def zero_one(prediction: Any, target: Any) -> Node:
    """Return 1 where the decision is wrong, else 0. No derivative flows.

    Scores of classes [N, K] decide for the largest, against class indices [N]; other scores
    decide by their sign, 0 counting as +1, against targets -1 and +1.

    **Shapes.** [N, K], [N] integers; or [N] twice -> [N]
    **Raises.** GraphError where the shapes do not fit.
    """
    s, t = as_float(as_node(prediction), FLOAT64), as_node(target)
    if s.ndim and t.dtype.kind == "i" and same_shape(t.shape, s.shape[:-1]):
        return OPS["cast"](OPS["not_equal"](argmax(s, -1), t), s.dtype)
    s, t = _pair("zero_one", s, t)
    decision = OPS["where"](OPS["greater_equal"](s, 0), 1.0, OPS["full"]((), -1.0, s.dtype))
    return _per_sample(OPS["cast"](OPS["not_equal"](decision, t), s.dtype))


def _pair(loss: str, prediction: Any, target: Any) -> tuple[Node, Node]:
    """Return prediction and target as floats of one shape; a number is a target for all."""
    p, t = as_float(as_node(prediction), FLOAT64), as_node(target)
    if t.dtype.kind != "f" or not t.ndim:
        t = OPS["cast"](t, p.dtype)
    if t.ndim and not same_shape(p.shape, t.shape):
        raise _misfit(loss, prediction, target, "equal shapes")
    return p, t


def _misfit(loss: str, prediction: Any, target: Any, expected: str) -> GraphError:
    prediction, target = as_node(prediction), as_node(target)
    p, t = prediction.shape, target.shape
    fix = "compare the model's output with the targets"
    if prediction.dtype.kind != "f" and target.dtype.kind == "f":
        fix = f"they look swapped, as the prediction comes first: {loss}(prediction, target)"
    elif p[-1:] == (1,) and same_shape(p[:-1], t):
        fix = "take the prediction's last axis away, z[:, 0], or give the target one: y[:, None]"
    elif t[-1:] == (1,) and len(t) > 1 and same_shape(t[:-1], p[: len(t) - 1]):
        fix = "take the target's last axis away: y[:, 0]"
    return user_error(
        f"{loss}: prediction and target do not fit",
        got=f"{prediction.type} and {target.type}",
        expected=expected,
        fix=fix,
    )


def _per_sample(values: Node, fold: str = "mean") -> Node:
    if values.ndim <= 1:
        return values
    return OPS[fold](values, tuple(range(1, values.ndim)))
