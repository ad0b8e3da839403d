"""How does it look? Computation graphs, backpropagation, network diagrams, traces, for humans."""

from graphc.draw.backprop import backprop
from graphc.draw.computation import computation_graph
from graphc.draw.drawing import Drawing
from graphc.draw.network import network
from graphc.draw.traces import ForwardBackward, Trace, forward_backward_table, trace

__all__ = [
    "Drawing",
    "ForwardBackward",
    "Trace",
    "backprop",
    "computation_graph",
    "forward_backward_table",
    "network",
    "trace",
]
