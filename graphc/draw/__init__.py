"""How does it look? Computation graphs, backpropagation and network diagrams, for humans."""

from graphc.draw.backprop import backprop
from graphc.draw.computation import computation_graph
from graphc.draw.drawing import Drawing
from graphc.draw.network import network

__all__ = ["Drawing", "backprop", "computation_graph", "network"]
