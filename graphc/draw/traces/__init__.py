"""Which numbers and formulas does an evaluation run through? Traces, as tables in four formats."""

from graphc.draw.traces.card import Card, derive
from graphc.draw.traces.forward_backward import ForwardBackward, forward_backward_table
from graphc.draw.traces.trace import Trace, trace

__all__ = ["Card", "ForwardBackward", "Trace", "derive", "forward_backward_table", "trace"]
