"""What did the compiler do to a model, and why? Pass by pass, each rule with what it met."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.compile import compile
from graphc.ir.graph import Graph
from graphc.rewrite.engine.rule import History, PassRecord


def explained(
    graph: Graph, gradient: str | None, wrt: Sequence[str] | None, level: int, style: str
) -> str:
    """Return what the passes did, and where among them the gradient was added.

    level, style  of the compilation, as `graphc compile` takes them
    """
    function = compile(graph, gradient_of=gradient, wrt=wrt, optimize=level, style=style)
    records: Sequence[PassRecord] = function.history
    if not records:
        return "level 0 runs no pass: the graph is compiled as it is written"
    head = f"{graph.name}, level {level}, style {style}: "
    head += f"{records[0].nodes_before} → {records[-1].nodes_after} nodes"
    if gradient is None:
        return f"{head}\n\n{History(records)}"
    split = _differentiated(records)
    before, after = records[:split], records[split:]
    derived = (
        f"differentiate: the gradient of {gradient}, as nodes of the same graph; "
        f"{before[-1].nodes_after} → {after[0].nodes_before} nodes"
    )
    return "\n\n".join([head, str(History(before)), derived, str(History(after))])


def _differentiated(records: Sequence[PassRecord]) -> int:
    """Return which record is the first of the derived graph: it does not go on from the last."""
    for place in range(1, len(records)):
        if records[place].before is not records[place - 1].graph:
            return place
    return len(records)
