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
from graphc.differentiate.matrices.jacobian import jacobian
from graphc.ir.dims import Dim, dim_text, normal
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph, scalar_outputs
from graphc.ir.symbols import sympy_module
from graphc.plan.cost import amount_text, flops
from graphc.rewrite.before_derivative import stabilized_around
from graphc.rewrite.pipeline import optimize, stabilize_forward
from graphc.run.text_table import table_text

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class Price:
    """What a derivative costs beyond the value: FLOPs, and their ratio to those of the value."""

    flops: sympy.Expr
    ratio: sympy.Expr
    #: What the ratio tends to as all named dims grow.
    limit: float

    def __str__(self) -> str:
        return f"{self.limit:.2f}"


@dataclass(frozen=True)
class Answer:
    """When and how cheaply `of` can be derived: one dependence for each name, and its price.

    `forward` is what the value alone costs. `together` is the price of all derivatives at once:
    those of a scalar share one reverse pass.
    """

    graph: Graph
    of: str
    forward: sympy.Expr
    dependences: Mapping[str, Dependence]
    prices: Mapping[str, Price]
    together: Price | None
    sizes: Mapping[str, int]

    def __str__(self) -> str:
        node = self.graph.find(self.of)
        title = (
            f"derivatives of {self.of}: {node.type}; "
            f"the value takes {amount_text(self.forward)} FLOPs"
        )
        rows: list[tuple[str, ...]] = [
            ("wrt", "derivative", "by forward", "by reverse", "FLOPs beyond the value", "ratio")
        ]
        rows += [self._row(name) for name in self.dependences]
        lines = [title, "", *table_text(rows)]
        if self.together is not None:
            total, limit = amount_text(self.together.flops), self.together
            lines += ["", f"all together: {total} FLOPs, {limit} times those of the value"]
        if any(price.ratio.free_symbols for price in self.prices.values()):
            lines += ["", "ratios are those that large dims tend to"]
        return "\n".join(lines + self._notes())

    def _row(self, name: str) -> tuple[str, ...]:
        found = self.dependences[name]
        if not found.depends:
            return (name, "0: does not depend", "-", "-", "-", "-")
        if not found.flows:
            return (name, "none: it is cut", "-", "-", "-", "-")
        counts = [dim_text(_at(c.passes, self.sizes)) for c in found.passes]
        words = [f"{count} pass{'es' * (count != '1')}" for count in counts]
        price = self.prices[name]
        return (name, found.passes[0].kind, *words, amount_text(price.flops), str(price))

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


@takes_graph("of", "wrt")
def dependence(
    graph: Graph, of: str | None = None, wrt: Iterable[str] | str | None = None, **sizes: int
) -> Answer:
    """Return for each variable whether `of` can be derived by it, in how many passes, at what cost.

    `wrt` None stands for the trainable parameters, or for all float inputs where there are none.
    `sizes` fix named dims: `dependence(g, "loss", N=128)`.

    **Raises.** GraphError where a name is unknown.
    """
    of = [*scalar_outputs(graph), *graph.outputs][0] if of is None else of
    names = [wrt] if isinstance(wrt, str) else list(default_wrt(graph) if wrt is None else wrt)
    node = graph.find(of)
    alone = graph.with_outputs({of: node})
    found = {name: dependence_of(node, graph.variable(name)) for name in names}
    forward = _flops(alone, sizes)
    flowing = [name for name in names if found[name].flows]
    stable = stabilized_around(alone, flowing)
    prices = {name: _price(stable, of, [name], forward, sizes) for name in flowing}
    together = _price(stable, of, flowing, forward, sizes) if len(flowing) > 1 else None
    return Answer(alone, of, forward, found, prices, together, sizes)


def _price(
    graph: Graph, of: str, names: list[str], forward: sympy.Expr, sizes: Mapping[str, int]
) -> Price:
    if graph.outputs[of].shape:
        derived = jacobian(graph, of, names, form="compact")
    else:
        derived = gradient(graph, of, names)
    beyond = sympy_module().expand(_flops(derived, sizes) - forward)
    ratio = sympy_module().cancel(beyond / forward) if forward != 0 else sympy_module().oo
    return Price(beyond, ratio, _limit(ratio))


def _flops(graph: Graph, sizes: Mapping[str, int]) -> sympy.Expr:
    """Return the operations of a graph after the passes of the compiler."""
    total = flops(optimize(stabilize_forward(graph, 2), 2))
    return sympy_module().sympify(_at(total, sizes))


def _at(dim: Dim, sizes: Mapping[str, int]) -> Dim:
    """Return a dim with some of its names fixed."""
    if isinstance(dim, int):
        return dim
    return normal(dim.subs({s: sizes[s.name] for s in dim.free_symbols if s.name in sizes}))


def _limit(ratio: sympy.Expr) -> float:
    """Return what a ratio tends to as all named dims grow alike."""
    sympy = sympy_module()
    t = sympy.Symbol("t", positive=True)
    return float(sympy.limit(ratio.subs(dict.fromkeys(ratio.free_symbols, t)), t, sympy.oo))
