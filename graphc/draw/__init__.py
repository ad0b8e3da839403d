"""How does it look? Computation graphs, backpropagation, network diagrams, traces, for humans."""

from graphc.draw.backprop import backprop
from graphc.draw.cell import cell
from graphc.draw.computation import computation_graph
from graphc.draw.drawing import Drawing
from graphc.draw.filters import banded_matrix, sliding_filter
from graphc.draw.network import network
from graphc.draw.plots import (
    Plot,
    curves,
    decision_boundary,
    hessian_sparsity,
    jacobian_sparsity,
    learned_filters,
    loss_surface,
    memory,
)
from graphc.draw.recurrence import recurrence
from graphc.draw.traces import Card, ForwardBackward, Trace, forward_backward_table, trace
from graphc.draw.unit_chain import unit_chain
from graphc.draw.volumes import volumes

__all__ = [
    "Card",
    "Drawing",
    "ForwardBackward",
    "Plot",
    "Trace",
    "backprop",
    "banded_matrix",
    "cell",
    "computation_graph",
    "curves",
    "decision_boundary",
    "forward_backward_table",
    "hessian_sparsity",
    "jacobian_sparsity",
    "learned_filters",
    "loss_surface",
    "memory",
    "network",
    "recurrence",
    "sliding_filter",
    "trace",
    "unit_chain",
    "volumes",
]
