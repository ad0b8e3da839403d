"""How does it look? Computation graphs, backpropagation, network diagrams, traces, for humans.

Each folder draws one family of pictures; the function of a picture has a file of its name there.

- `graphs`: a rectangle for each variable. `computation_graph`, `backprop`.
- `networks`: a circle for each unit of dense layers. `network`.
- `loops`: recurrent layers and their gates. `recurrence`, `cell`.
- `convnets`: feature maps, and filters that slide over them. `volumes`, `sliding_filter`,
  `banded_matrix`.
- `traces`: tables of formulas and numbers. `trace`, `forward_backward_table`, `derive`, and
  `unit_chain`, the picture of the second one.
- `plots`: numbers drawn by matplotlib. `curves`, `decision_boundary`, `loss_surface`, ….
- `explorer`: the page on which one watches the compiler work.

What all of them share stands beside this file. How a picture is written: `dot_source` (boxes and
edges), `canvas` (shapes at fixed positions), `layout` (positions that dot finds), `drawing` and
`svg` (files), `palette` (colours). What stands in it: `formula`, `dim_formula`, `typography`,
`short_names`, `values`. What is found in a graph: `silent` (what is not drawn), `numbering` (v0,
v1, …), `products` (of data with weights).
"""

from graphc.draw.convnets.filters import banded_matrix, sliding_filter
from graphc.draw.convnets.volumes import volumes
from graphc.draw.drawing import Drawing
from graphc.draw.graphs.backprop import backprop
from graphc.draw.graphs.computation import computation_graph
from graphc.draw.loops.cell import cell
from graphc.draw.loops.recurrence import recurrence
from graphc.draw.networks.network import network
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
from graphc.draw.traces import Card, ForwardBackward, Trace, forward_backward_table, trace
from graphc.draw.traces.unit_chain import unit_chain

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
