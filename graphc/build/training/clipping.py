"""Optimizers made from optimizers: gradients clipped before the step, weights after it."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.build.settings import Positive
from graphc.build.training.step import Nodes, Optimizer, Step
from graphc.errors import GraphError
from graphc.ir.node import Node
from graphc.ops.registry import OPS


@dataclass(frozen=True, repr=False)
class _Transformed(Optimizer):
    """An optimizer with something done before or after its step."""

    optimizer: Optimizer
    limit: Positive

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, Optimizer):
            raise GraphError(
                f"{self.name} takes an optimizer first",
                got=repr(self.optimizer),
                fix=f"{self.name}(sgd(0.1), 1.0)",
            )

    @property
    def is_elementwise(self) -> bool:
        return self.optimizer.is_elementwise


@dataclass(frozen=True, repr=False)
class ClipByNorm(_Transformed):
    """Scale all gradients together, so that their common norm is at most `limit`.

    g ← g * min(1, limit/(‖g‖ + 1e-6)), ‖g‖ over all parameters.
    **Source.** torch.nn.utils.clip_grad_norm_; Pascanu et al. 2013, arXiv:1211.5063.
    """

    name = "clip_by_norm"

    def next_values(self, step: Step, params: Nodes, gradients: Nodes) -> dict[str, Node]:
        squares = [step.squared_norm(key, g) for key, g in gradients.items()]
        if not squares:
            return self.optimizer.next_values(step, params, gradients)
        total = squares[0]
        for square in squares[1:]:
            total = total + square
        norm = OPS["sqrt"](total).named("gradient_norm")
        scale = OPS["minimum"](self.limit / (norm + 1e-6), 1.0).named("gradient_scale")
        clipped = {key: g * OPS["cast"](scale, g.dtype) for key, g in gradients.items()}
        return self.optimizer.next_values(step, params, clipped)


@dataclass(frozen=True, repr=False)
class ClipByValue(_Transformed):
    """Limit each element of each gradient to [-limit, limit].

    **Source.** torch.nn.utils.clip_grad_value_.
    """

    name = "clip_by_value"

    def next_values(self, step: Step, params: Nodes, gradients: Nodes) -> dict[str, Node]:
        clipped = {k: OPS["clip"](g, -self.limit, self.limit) for k, g in gradients.items()}
        return self.optimizer.next_values(step, params, clipped)


@dataclass(frozen=True, repr=False)
class MaxNorm(_Transformed):
    """After the step, shrink the incoming weights of each unit to a norm of at most `limit`.

    Columns of a matrix [in, out], filters of a tensor [out, ...]; vectors are left alone.
    **Source.** Srivastava et al. 2014, JMLR 15:1929, section 5.1.
    """

    name = "max_norm"

    @property
    def is_elementwise(self) -> bool:
        return False

    def next_values(self, step: Step, params: Nodes, gradients: Nodes) -> dict[str, Node]:
        values = self.optimizer.next_values(step, params, gradients)
        return {key: self._limited(value) for key, value in values.items()}

    def _limited(self, value: Node) -> Node:
        if value.ndim < 2:
            return value
        axes = (0,) if value.ndim == 2 else tuple(range(1, value.ndim))
        size = OPS["norm"](value, axes, True)
        return value * (self.limit / OPS["maximum"](size, float(self.limit)))
