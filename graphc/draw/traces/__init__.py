"""Which numbers and formulas does an evaluation run through? Traces, as tables in four formats."""

from graphc.draw.traces.trace import Trace, trace

__all__ = ["Trace", "trace"]
