"""How do functions and data look? Plots of numbers, by matplotlib."""

from graphc.draw.plots.decision_boundary import decision_boundary
from graphc.draw.plots.plot import Plot

__all__ = ["Plot", "decision_boundary"]
