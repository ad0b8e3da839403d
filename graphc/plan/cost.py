"""What does a graph cost? FLOPs, bytes moved and peak live bytes, as expressions of its dims.

Conventions. FLOPs are each op's textbook count: an m×k by k×n product is 2·m·k·n. Bytes moved are
the operands read and the results written, once each, as if every node ran alone: an upper bound
that fusing lowers. Views move nothing; uniform constants are not stored; an op that only moves
elements reads as many as it writes. Live bytes follow the order of execution: a value lives from
its node to its last use; inputs and parameters live throughout, and so do outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import GraphError, did_you_mean
from graphc.ir.dims import broadcast_shapes, same_shape
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.symbols import sympy_module
from graphc.ir.walk import behind_views
from graphc.ops.leaf import is_fill
from graphc.plan.amounts import NOTHING, Amount, add, amount, bytes_of, expression, largest
from graphc.plan.memory import CORES, cores, memory
from graphc.plan.schedule import execution_order, plan

if TYPE_CHECKING:
    import sympy

#: Rows that a printed cost shows before it sums up the rest.
_ROWS = 24


@dataclass(frozen=True)
class Work:
    """Arithmetic and memory traffic of one node or of many. Units: operations; bytes."""

    flops: sympy.Expr
    bytes: sympy.Expr


@dataclass(frozen=True)
class Cost:
    """The cost of a graph: in total, and by node, phase, scope and op."""

    name: str
    flops: sympy.Expr
    bytes: sympy.Expr
    peak_bytes: sympy.Expr
    #: The most that a call in style `fast` holds: arguments, kept arrays, outputs, scratch.
    memory_bytes: sympy.Expr
    parameters: sympy.Expr
    parameter_bytes: sympy.Expr
    by_node: Mapping[Node, Work]
    by_phase: Mapping[str, Work]
    by_scope: Mapping[str, Work]
    by_op: Mapping[str, Work]

    @property
    def dims(self) -> tuple[str, ...]:
        """The names of the dims that the cost depends on."""
        expressions = self.flops, self.bytes, self.peak_bytes, self.memory_bytes, self.parameters
        return tuple(sorted({s.name for e in expressions for s in e.free_symbols}))

    def at(self, **sizes: int) -> Cost:
        """Return the cost with some dims fixed: `cost.at(N=128)`.

        `cores`, where memory depends on it, is this machine's number unless it is given.
        """
        for name in sizes:
            if name not in self.dims:
                raise GraphError(
                    f"the cost does not depend on a dim called {name!r}",
                    expected=", ".join(self.dims) or "no dims",
                    fix=did_you_mean(name, self.dims),
                )
            if not isinstance(sizes[name], (int, np.integer)) or sizes[name] < 1:
                raise GraphError(
                    f"a dim has no such size: {name}", got=repr(sizes[name]), expected="1, 2, 3, …"
                )
        sizes = {CORES: cores(), **sizes}
        number = sympy_module().Integer
        cache: dict[sympy.Expr, sympy.Expr] = {}

        def fixed(e: sympy.Expr) -> sympy.Expr:
            if e not in cache:
                given = {s: number(sizes[s.name]) for s in e.free_symbols if s.name in sizes}
                cache[e] = _fixed(e, given)
            return cache[e]

        return self._mapped(fixed)

    def _mapped(self, f: Callable[[sympy.Expr], sympy.Expr]) -> Cost:
        def mapped(value: Any) -> Any:
            if isinstance(value, Mapping):
                return {key: Work(f(work.flops), f(work.bytes)) for key, work in value.items()}
            return value if isinstance(value, str) else f(value)

        return Cost(**{field.name: mapped(getattr(self, field.name)) for field in fields(self)})

    def __str__(self) -> str:
        parameters = amount_text(self.parameters)
        lines = [
            f"cost of {self.name}",
            f"  parameters       {parameters}  ({amount_text(self.parameter_bytes)} bytes)",
            f"  FLOPs            {amount_text(self.flops)}",
            f"  bytes moved      {amount_text(self.bytes)}",
            f"  peak live bytes  {amount_text(self.peak_bytes)}",
            f"  memory of a call {amount_text(self.memory_bytes)}",
        ]
        tables = [("phase", self.by_phase)]
        if any(self.by_scope):
            tables.append(("scope", self.by_scope))
        tables.append(("op", {name: work for name, work in self.by_op.items() if work.bytes != 0}))
        for title, works in tables:
            lines += ["", *_table(title, works)]
        return "\n".join(lines)


def _fixed(e: sympy.Expr, given: Mapping[sympy.Symbol, sympy.Integer]) -> sympy.Expr:
    """Return an expression with some dims fixed.

    SymPy's own `subs` would fix one after the other, and compare all terms of a maximum each time.
    """
    sympy = sympy_module()
    if e.free_symbols <= given.keys() or not e.has(sympy.Max):
        return e.xreplace(given)
    parts = [_fixed(part, given) for part in e.args]
    return largest(map(amount, parts)) if isinstance(e, sympy.Max) else e.func(*parts)


def cost(graph: Graph) -> Cost:
    """Return what one call of the graph costs."""
    totals: dict[tuple[str, str], dict[Any, int]] = {}
    works: dict[Node, tuple[Amount, Amount]] = {}
    flops_of = _remembered_flops()
    for node in graph.nodes:
        if node.op.is_leaf:
            continue
        flops, traffic = flops_of(node), _traffic(node)
        works[node] = (flops, traffic)
        provenance = node.provenance
        groups = {"": "", "phase": provenance.phase, "scope": provenance.scope, "op": node.op.name}
        for kind, key in groups.items():
            add(totals.setdefault((kind + " flops", key), {}), flops)
            add(totals.setdefault((kind + " bytes", key), {}), traffic)
    sizes: dict[Any, int] = {}
    held: dict[Any, int] = {}
    for leaf in graph.params.values():
        if not leaf.attrs["slot"]:
            add(sizes, amount(leaf.size))
            add(held, bytes_of(leaf))
    return Cost(
        name=graph.name,
        flops=expression(totals.get((" flops", ""), NOTHING)),
        bytes=expression(totals.get((" bytes", ""), NOTHING)),
        peak_bytes=largest(live_amounts(graph)),
        memory_bytes=memory(plan(graph, stepwise=True)),
        parameters=expression(sizes),
        parameter_bytes=expression(held),
        by_node={n: Work(expression(f), expression(b)) for n, (f, b) in works.items()},
        by_phase=_grouped(totals, "phase"),
        by_scope=_grouped(totals, "scope"),
        by_op=_grouped(totals, "op"),
    )


def flops(graph: Graph) -> sympy.Expr:
    """Return the FLOPs of one call of the graph, without the rest of its cost."""
    total: dict[Any, int] = {}
    flops_of = _remembered_flops()
    for node in graph.nodes:
        if not node.op.is_leaf:
            add(total, flops_of(node))
    return expression(total)


def _grouped(totals: Mapping[tuple[str, str], Amount], kind: str) -> dict[str, Work]:
    return {
        key: Work(expression(value), expression(totals[kind + " bytes", key]))
        for (title, key), value in totals.items()
        if title == kind + " flops"
    }


def _remembered_flops() -> Callable[[Node], Amount]:
    """Return a function from node to FLOPs that asks each kind of node once."""
    known: dict[Any, Amount] = {}

    def flops_of(node: Node) -> Amount:
        key = (node.op, node.attrs, node.shape, tuple([i.shape for i in node.inputs]))
        if key not in known:
            known[key] = amount(node.op.flops(node))
        return known[key]

    return flops_of


# -- memory ----------------------------------------------------------------------------------


def _traffic(node: Node) -> Amount:
    """Return the bytes that a node reads and writes."""
    if node.op.is_view or is_fill(node):
        return NOTHING
    total: dict[Any, int] = {}
    add(total, bytes_of(node))
    if node.op.family == "movement":
        add(total, bytes_of(node))
        operands = [i for i in node.inputs if i.dtype.kind == "i" and i.dtype != node.dtype]
    else:
        operands = list(node.inputs)
    for operand in operands:
        stored = _stored(operand)
        if not is_fill(stored):
            add(total, bytes_of(stored))
    return total


def _stored(node: Node) -> Node:
    """Return what is read in a node's place: the source of a broadcast, which is smaller."""
    while node.op.is_view:
        source = node.inputs[0]
        if not _is_broadcast(source, node) and not same_shape(source.shape, node.shape):
            return node
        node = source
    return node


def _is_broadcast(source: Node, node: Node) -> bool:
    if source.ndim > node.ndim:
        return False
    common = broadcast_shapes(source.shape, node.shape)
    return common is not None and same_shape(common, node.shape)


def live_amounts(graph: Graph) -> Iterable[Amount]:
    """Return what is live at each point of the order."""
    last: dict[Node, int] = {}
    order = execution_order(graph)
    for position, node in enumerate(order):
        for operand in node.inputs:
            last[behind_views(operand)] = position
    kept = {behind_views(root) for root in graph.roots()}
    ends: dict[int, list[Node]] = {}
    for node, position in last.items():
        if not node.op.is_leaf and node not in kept:
            ends.setdefault(position, []).append(node)
    return _live(graph, order, ends)


def _live(graph: Graph, order: Sequence[Node], ends: Mapping[int, list[Node]]) -> Iterable[Amount]:
    """Return what is live while each node that stores something is computed."""
    total: dict[Any, int] = {}
    for leaf in [*graph.inputs.values(), *graph.params.values()]:
        add(total, bytes_of(leaf))
    yield dict(total)
    for position, node in enumerate(order):
        if not (node.op.is_leaf or node.op.is_view or is_fill(node)):
            add(total, bytes_of(node))
            yield dict(total)
        for ended in ends.get(position, ()):
            if not is_fill(ended):
                add(total, bytes_of(ended), -1)


# -- printing --------------------------------------------------------------------------------


def amount_text(value: sympy.Expr) -> str:
    """Return an amount as readers write it: `2*N*784`, or 1,605,632 where it is a number."""
    return f"{int(value):,}" if value.is_Integer else sympy_module().sstr(value)


def _table(title: str, works: Mapping[str, Work]) -> list[str]:
    rows = [
        (name or "(top)", amount_text(w.flops), amount_text(w.bytes)) for name, w in works.items()
    ]
    hidden = len(rows) - _ROWS
    rows = [(title, "FLOPs", "bytes moved"), *rows[:_ROWS]]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        f"  {name.ljust(widths[0])}  {flops.rjust(widths[1])}  {moved.rjust(widths[2])}"
        for name, flops, moved in rows
    ]
    return lines + ([f"  … and {hidden} more"] if hidden > 0 else [])
