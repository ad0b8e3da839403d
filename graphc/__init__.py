"""graphc: neural networks as static graphs, differentiated symbolically, compiled to NumPy.

import graphc as gc

x = gc.input("x", ("N", 64))
W = gc.param("W", (64, 10), init=gc.init.glorot_uniform())
p = gc.softmax(x @ W)
g = gc.graph({"p": p})
f = gc.compile(g)
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphc import draw, train
from graphc.build import init, nn, optim
from graphc.build.from_function import from_function
from graphc.build.functions import ARRAY_FUNCTIONS
from graphc.build.graphs import dim, graph, input, param
from graphc.compile import compile, emit, load, optimize, parse
from graphc.draw.traces import derive, forward_backward_table, trace
from graphc.errors import GraphError, GraphWarning
from graphc.explore import explore
from graphc.ir import foreign_names as _foreign_names
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import checkpoint, scope
from graphc.run.gradcheck import check_gradient
from graphc.run.methods import compare_methods
from graphc.run.price import dependence
from graphc.run.reference import interpret
from graphc.stable_derivatives import grad
from graphc.stable_ops import define_pointwise

__version__ = "0.1.0"

# The array functions (gc.exp, gc.sum, gc.where, …) are the registry's and `graphc.build`'s.
globals().update(
    {name: function for name, function in ARRAY_FUNCTIONS.items() if name not in globals()}
)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]: ...

else:

    def __getattr__(name: str) -> Any:
        raise _foreign_names.no_attribute("graphc", name, __all__)


__all__ = [
    "Graph",
    "GraphError",
    "GraphWarning",
    "Node",
    "check_gradient",
    "checkpoint",
    "compare_methods",
    "compile",
    "define_pointwise",
    "dependence",
    "derive",
    "dim",
    "draw",
    "emit",
    "explore",
    "forward_backward_table",
    "from_function",
    "grad",
    "graph",
    "init",
    "input",
    "interpret",
    "load",
    "nn",
    "optim",
    "optimize",
    "param",
    "parse",
    "scope",
    "trace",
    "train",
    *sorted(ARRAY_FUNCTIONS.keys() - {"trace"}),  # the sum of a diagonal is x.trace()
]


def __dir__() -> list[str]:
    """Show the public names alone."""
    return sorted([*__all__, "__version__"])
