"""Optimizers: from parameters and gradients to the nodes of their next values.

The formulas are PyTorch's. In the equations θ is a parameter, g its gradient, t the number of
finished steps and η the learning rate, a number or a schedule of t. What an optimizer remembers
stands in slots, parameters named after the one they serve (`W.velocity`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from graphc.build.settings import NotNegative, Share, UpToOne
from graphc.build.training.clipping import ClipByNorm, ClipByValue, MaxNorm
from graphc.build.training.groups import Groups
from graphc.build.training.schedules import (
    SCHEDULES,
    Constant,
    Schedule,
    adjustable,
    as_schedule,
    constant,
    cosine,
    exponential,
    inverse_time,
    linear_warmup,
    polynomial,
    step_decay,
)
from graphc.build.training.sparse import minus_scaled
from graphc.build.training.step import Nodes, Optimizer, Step
from graphc.errors import GraphError, did_you_mean
from graphc.ir.foreign_names import no_attribute
from graphc.ir.node import Node
from graphc.ops.registry import OPS

__all__ = [
    "OPTIMIZERS",
    "Optimizer",
    "Schedule",
    "adagrad",
    "adam",
    "adamw",
    "adjustable",
    "clip_by_norm",
    "clip_by_value",
    "constant",
    "cosine",
    "exponential",
    "groups",
    "inverse_time",
    "linear_warmup",
    "max_norm",
    "parse_optimizer",
    "polynomial",
    "rmsprop",
    "sgd",
    "step_decay",
]


def __dir__() -> list[str]:
    """Show the public names alone."""
    return sorted(__all__)


if not TYPE_CHECKING:  # a checker knows the names that are there

    def __getattr__(name: str) -> NoReturn:
        raise no_attribute("graphc.optim", name, __all__)


def _with_decay(gradient: Node, value: Node, weight_decay: float) -> Node:
    """Return g + λθ, the gradient of the loss plus λ/2‖θ‖²."""
    return gradient + weight_decay * value if weight_decay else gradient


def _complement(share: float) -> float:
    """Return 1 - share as people write it: 0.1 for 0.9, not 0.09999999999999998."""
    return float(1 - Decimal(repr(share)))


@dataclass(frozen=True, repr=False)
class Sgd(Optimizer):
    """Stochastic gradient descent.

    g ← g + λθ;  v ← μv + g;  θ ← θ - η v, or with nesterov θ ← θ - η (g + μv).
    Without momentum μ: θ ← θ - η g.
    **Source.** torch.optim.SGD with dampening 0; Sutskever et al. 2013, PMLR 28:1139.
    """

    name = "sgd"
    learning_rate: float | Schedule
    momentum: UpToOne = 0.0
    nesterov: bool = False
    weight_decay: NotNegative = 0.0

    def __post_init__(self) -> None:
        as_schedule(self.learning_rate)
        if self.nesterov and not self.momentum:
            raise GraphError(
                "sgd: nesterov needs momentum", fix="sgd(0.1, momentum=0.9, nesterov=True)"
            )

    @property
    def only_subtracts(self) -> bool:
        return not (self.momentum or self.weight_decay)

    @property
    def factor(self) -> float | None:
        schedule = as_schedule(self.learning_rate)
        if not self.only_subtracts or not isinstance(schedule, Constant):
            return None
        return -float(schedule.rate)

    def one(self, step: Step, key: str, value: Node, gradient: Node) -> Node:
        if self.only_subtracts:
            return minus_scaled(value, gradient, step.rate(self.learning_rate, value.dtype))
        direction = _with_decay(gradient, value, self.weight_decay)
        if self.momentum:
            velocity = step.slot(key, "velocity", value)
            moved = step.keep(velocity, self.momentum * velocity + direction)
            direction = direction + self.momentum * moved if self.nesterov else moved
        return value - step.rate(self.learning_rate, value.dtype) * direction


@dataclass(frozen=True, repr=False)
class Adagrad(Optimizer):
    """Steps shrink with the sum of squared gradients.

    g ← g + λθ;  s ← s + g²;  θ ← θ - η g/(√s + ε).
    **Source.** torch.optim.Adagrad; Duchi et al. 2011, JMLR 12:2121.
    """

    name = "adagrad"
    learning_rate: float | Schedule = 0.01
    eps: NotNegative = 1e-10
    weight_decay: NotNegative = 0.0
    initial_accumulator: NotNegative = 0.0

    def __post_init__(self) -> None:
        as_schedule(self.learning_rate)

    def one(self, step: Step, key: str, value: Node, gradient: Node) -> Node:
        g = _with_decay(gradient, value, self.weight_decay)
        slot = step.slot(key, "square_sum", value, self.initial_accumulator)
        total = step.keep(slot, slot + OPS["square"](g))
        rate = step.rate(self.learning_rate, value.dtype)
        return value - rate * g / (OPS["sqrt"](total) + self.eps)


@dataclass(frozen=True, repr=False)
class RmsProp(Optimizer):
    """Steps divided by a running root mean square of the gradient.

    g ← g + λθ;  v ← αv + (1-α)g²;  d = g/(√v + ε), centered: d = g/(√(v - m²) + ε) with
    m ← αm + (1-α)g;  θ ← θ - η d, with momentum μ: b ← μb + d, θ ← θ - η b.
    **Source.** torch.optim.RMSprop; Tieleman & Hinton 2012, Coursera lecture 6.5.
    """

    name = "rmsprop"
    learning_rate: float | Schedule = 0.01
    alpha: Share = 0.99
    eps: NotNegative = 1e-8
    weight_decay: NotNegative = 0.0
    momentum: UpToOne = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        as_schedule(self.learning_rate)

    def one(self, step: Step, key: str, value: Node, gradient: Node) -> Node:
        g = _with_decay(gradient, value, self.weight_decay)
        slot = step.slot(key, "mean_square", value)
        spread = step.keep(slot, self.alpha * slot + _complement(self.alpha) * OPS["square"](g))
        if self.centered:
            mean_slot = step.slot(key, "mean", value)
            mean = step.keep(mean_slot, self.alpha * mean_slot + _complement(self.alpha) * g)
            spread = spread - OPS["square"](mean)
        direction = g / (OPS["sqrt"](spread) + self.eps)
        if self.momentum:
            velocity = step.slot(key, "velocity", value)
            direction = step.keep(velocity, self.momentum * velocity + direction)
        return value - step.rate(self.learning_rate, value.dtype) * direction


@dataclass(frozen=True, repr=False)
class Adam(Optimizer):
    """Momentum divided by a running root mean square, both corrected for their start at 0.

    g ← g + λθ;  m ← β₁m + (1-β₁)g;  v ← β₂v + (1-β₂)g²;  c₁ = 1 - β₁^(t+1);  c₂ = 1 - β₂^(t+1);
    θ ← θ - (η/c₁) m/(√v/√c₂ + ε), written with √c₂ in the numbers: θ - (η√c₂/c₁) m/(√v + ε√c₂).
    **Source.** torch.optim.Adam; Kingma & Ba 2014, arXiv:1412.6980, end of section 2.
    """

    name = "adam"
    learning_rate: float | Schedule = 0.001
    beta1: Share = 0.9
    beta2: Share = 0.999
    eps: NotNegative = 1e-8
    weight_decay: NotNegative = 0.0

    def __post_init__(self) -> None:
        as_schedule(self.learning_rate)

    def next_values(self, step: Step, params: Nodes, gradients: Nodes) -> dict[str, Node]:
        corrections: dict[Any, tuple[Node, Node]] = {}
        values = {}
        for key, gradient in gradients.items():
            dtype = gradient.dtype
            if dtype not in corrections:
                first = step.bias_correction(self.beta1, dtype)
                second = OPS["sqrt"](step.bias_correction(self.beta2, dtype))
                second = second.named("correction")
                size = step.rate(self.learning_rate, dtype) * second / first
                eps = (self.eps * second).named("eps")
                corrections[dtype] = size.named("step_size"), eps
            values[key] = self._moved(step, key, params[key], gradient, *corrections[dtype])
        return values

    def _moved(
        self, step: Step, key: str, value: Node, gradient: Node, size: Node, eps: Node
    ) -> Node:
        g = self.decayed_gradient(gradient, value)
        m_slot, v_slot = step.slot(key, "mean", value), step.slot(key, "mean_square", value)
        m = step.keep(m_slot, self.beta1 * m_slot + _complement(self.beta1) * g)
        v = step.keep(v_slot, self.beta2 * v_slot + _complement(self.beta2) * OPS["square"](g))
        start = self.decayed_value(step, value)
        return start - size * (m / (OPS["sqrt"](v) + eps))

    def decayed_gradient(self, gradient: Node, value: Node) -> Node:
        """Return the gradient that the moments see."""
        return _with_decay(gradient, value, self.weight_decay)

    def decayed_value(self, step: Step, value: Node) -> Node:
        """Return the value that the step starts from."""
        return value


@dataclass(frozen=True, repr=False)
class AdamW(Adam):
    """Adam whose weight decay acts on the parameter, not on the moments.

    θ ← θ - η λ θ, then Adam's step with λ = 0.
    **Source.** torch.optim.AdamW; Loshchilov & Hutter 2017, arXiv:1711.05101.
    """

    name = "adamw"
    weight_decay: NotNegative = 0.01

    def decayed_gradient(self, gradient: Node, value: Node) -> Node:
        return gradient

    def decayed_value(self, step: Step, value: Node) -> Node:
        if not self.weight_decay:
            return value
        rate = step.rate(self.learning_rate, value.dtype)
        return value * (1 - rate * self.weight_decay)


sgd, adagrad, rmsprop, adam, adamw = Sgd, Adagrad, RmsProp, Adam, AdamW
clip_by_norm, clip_by_value, max_norm, groups = ClipByNorm, ClipByValue, MaxNorm, Groups

#: Text-form name -> optimizer or transformation.
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    cls.name: cls
    for cls in (*(Sgd, Adagrad, RmsProp, Adam, AdamW), ClipByNorm, ClipByValue, MaxNorm, Groups)
}


def parse_optimizer(text: str) -> Optimizer:
    """Return the optimizer of a text such as `adam(0.001)`; the text is read, never executed.

    **Raises.** GraphError for anything but calls of optimizers and schedules with numbers.

    >>> parse_optimizer("sgd(cosine(0.1, 1000), momentum=0.9)")
    sgd(cosine(0.1, 1000), momentum=0.9)
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        raise _unreadable(text) from None
    result = _parsed(tree, text)
    if not isinstance(result, Optimizer):
        raise _unreadable(text)
    return result


def _parsed(tree: ast.expr, text: str) -> Any:
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        known: dict[str, Callable[..., Any]] = {**OPTIMIZERS, **SCHEDULES}
        name = tree.func.id
        if name not in known:
            raise GraphError(
                f"no optimizer is called {name!r}",
                got=text,
                expected=", ".join(OPTIMIZERS),
                fix=did_you_mean(name, known),
            )
        args = [_parsed(arg, text) for arg in tree.args]
        words = {_word(keyword, text): _parsed(keyword.value, text) for keyword in tree.keywords}
        try:
            return known[name](*args, **words)
        except GraphError as error:  # the text is the place, not the line that hands it over
            raise GraphError(
                error.what, where=text, got=error.got, expected=error.expected, fix=error.fix
            ) from None
    if isinstance(tree, ast.Name) and tree.id in OPTIMIZERS:
        return _parsed(ast.Call(tree, [], []), text)  # `adam` alone: with its defaults
    if isinstance(tree, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in tree.keys]
        if None in keys:
            raise _unreadable(text)
        return dict(zip(keys, [_parsed(value, text) for value in tree.values], strict=True))
    try:
        return ast.literal_eval(tree)
    except (ValueError, TypeError):
        raise _unreadable(text) from None


def _word(keyword: ast.keyword, text: str) -> str:
    """Return the name of a setting, which one in `**{...}` has not: a text says each by itself."""
    if keyword.arg is None:
        raise _unreadable(text)
    return keyword.arg


def _unreadable(text: str) -> GraphError:
    return GraphError(
        "not an optimizer",
        got=repr(text),
        expected="such as sgd(0.1, momentum=0.9) or adam(0.001)",
        fix=did_you_mean(text, OPTIMIZERS),
    )
