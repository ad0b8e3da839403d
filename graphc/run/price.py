"""When can a derivative be computed, and when cheaply? A clear answer for each variable.

Costs are FLOPs of the graphs that the compiler would emit, as expressions of the dims, so that
"about twice the forward pass" is a result and not a saying.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphc.differentiate.dependence import Dependence, dependence_of
from graphc.differentiate.gradient import default_wrt, gradient
from graphc.differentiate.jacobian import jacobian
from graphc.ir.dims import dim_text
from graphc.ir.graph import Graph
from graphc.ir.symbols import sympy_module
from graphc.plan.cost import cost
from graphc.rewrite.pipeline import optimize, stabilize_forward
from graphc.run.methods import table_text

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class Price:
    """What one derivative costs: FLOPs of value and derivative together, by the forward pass."""

    flops: sympy.Expr
    ratio: sympy.Expr
    #: What the ratio tends to as all named dims grow.
    limit: float

    def __str__(self) -> str:
        return f"{self.limit:.2f}"


@dataclass(frozen=True)
class Answer:
    """When and how cheaply `of` can be derived: one dependence for each name, and its price.

    `together` is the price of all of them at once: for a scalar, one reverse pass.
    """

    graph: Graph
    of: str
    forward: sympy.Expr
    dependences: Mapping[str, Dependence]
    prices: Mapping[str, Price]
    together: Price | None

    def __str__(self) -> str:
        node = self.graph.find(self.of)
        title = f"derivatives of {self.of}: {node.type}, whose value takes {_text(self.forward)} FLOPs"
        rows = [("wrt", "derivative", "by forward", "by reverse", "FLOPs with the value", "ratio")]
        rows += [self._row(name) for name in self.dependences]
        lines = [title, "", *table_text(rows)]
        if self.together is not None:
            total, ratio = _text(self.together.flops), _text(self.together.ratio)
            lines += ["", f"all together: {total} FLOPs, {self.together} times the value alone"]
            if self.together.ratio.free_symbols:
                lines.append(f"              ({ratio}, as the dims grow)")
        return "\n".join(lines + self._notes())

    def _row(self, name: str) -> tuple[str, ...]:
        found = self.dependences[name]
        if not found.depends:
            return (name, "0: does not depend", "-", "-", "-", "-")
        if not found.flows:
            return (name, "none: it is cut", "-", "-", "-", "-")
        assert found.compression is not None
        passes = [dim_text(found.passes(mode).passes) for mode in ("forward", "reverse")]
        words = [f"{count} pass{'es' * (count != '1')}" for count in passes]
        price = self.prices[name]
        return (name, found.compression.kind, *words, _text(price.flops), str(price))

    def _notes(self) -> list[str]:
        """Return where derivatives end, for each name that has such places."""
        notes = []
        for name, found in self.dependences.items():
            cuts = list(dict.fromkeys(cut.text(self.graph) for cut in found.cuts))
            if not cuts:
                continue
            word = "flows, but not through" if found.flows else "is cut by"
            notes += ["", f"the derivative by {name} {word}", *[f"  {cut}" for cut in cuts[:5]]]
            notes += [f"  … and {len(cuts) - 5} more"] if len(cuts) > 5 else []
        return notes


def dependence(
    graph: Graph, of: str | None = None, wrt: Iterable[str] | str | None = None, **sizes: int
) -> Answer:
    """Return, for each variable, whether `of` can be derived by it, in how many passes, and its cost.

    `wrt` None stands for the trainable parameters, or for all float inputs where there are none.
    `sizes` fix named dims: `dependence(g, "loss", N=128)`.

    **Raises.** GraphError where a name is unknown.
    """
    of = _output(graph) if of is None else of
    names = [wrt] if isinstance(wrt, str) else list(default_wrt(graph) if wrt is None else wrt)
    node = graph.find(of)
    alone = graph.with_outputs({of: node})
    found = {name: dependence_of(node, graph.find(name)) for name in names}
    forward = _flops(alone, sizes)
    flowing = [name for name in names if found[name].flows]
    prices = {name: _price(alone, of, [name], forward, sizes) for name in flowing}
    together = _price(alone, of, flowing, forward, sizes) if len(flowing) > 1 else None
    return Answer(alone, of, forward, found, prices, together)


def _output(graph: Graph) -> str:
    """Return the first scalar float output, or the first one of all."""
    floats = [n for n, o in graph.outputs.items() if o.shape == () and o.dtype.kind == "f"]
    return floats[0] if floats else next(iter(graph.outputs))


def _price(
    graph: Graph, of: str, names: list[str], forward: sympy.Expr, sizes: Mapping[str, int]
) -> Price:
    is_leaf = all(graph.find(name).op.is_leaf for name in names)
    stable = stabilize_forward(graph, 2) if is_leaf else graph  # a rewrite may move inner nodes
    if stable.outputs[of].shape:
        derived = jacobian(stable, of, names, form="compact")
    else:
        derived = gradient(stable, of, names)
    flops = _flops(derived, sizes)
    ratio = sympy_module().cancel(flops / forward) if forward != 0 else sympy_module().oo
    return Price(flops, ratio, _limit(ratio))


def _flops(graph: Graph, sizes: Mapping[str, int]) -> sympy.Expr:
    """Return the operations of a graph after the passes of the compiler."""
    flops = cost(optimize(stabilize_forward(graph, 2), 2)).flops
    return flops.subs({s: sizes[s.name] for s in flops.free_symbols if s.name in sizes})


def _limit(ratio: sympy.Expr) -> float:
    """Return what a ratio tends to as all named dims grow alike."""
    sympy = sympy_module()
    t = sympy.Symbol("t", positive=True)
    return float(sympy.limit(ratio.subs({s: t for s in ratio.free_symbols}), t, sympy.oo))


def _text(value: sympy.Expr) -> str:
    return f"{int(value):,}" if value.is_Integer else sympy_module().sstr(value)
