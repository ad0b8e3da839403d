"""How do functions and data look? Plots of numbers, by matplotlib."""

from graphc.draw.plots.curves import curves
from graphc.draw.plots.decision_boundary import decision_boundary
from graphc.draw.plots.learned_filters import learned_filters
from graphc.draw.plots.loss_surface import loss_surface
from graphc.draw.plots.memory import memory
from graphc.draw.plots.plot import Plot
from graphc.draw.plots.sparsity import hessian_sparsity, jacobian_sparsity

__all__ = [
    "Plot",
    "curves",
    "decision_boundary",
    "hessian_sparsity",
    "jacobian_sparsity",
    "learned_filters",
    "loss_surface",
    "memory",
]
