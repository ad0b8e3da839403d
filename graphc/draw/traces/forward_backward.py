"""The Forward | Backward table: one row a module, its formula and what it adds to derivatives.

Linear   b = Σⱼ βⱼ·zⱼ    dJ/dβⱼ += dJ/db·zⱼ
                          dJ/dzⱼ += dJ/db·βⱼ
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.draw.numbering import Numbering, numbered
from graphc.draw.traces.chain import stand_in
from graphc.draw.traces.indices import Indices, NoIndicesError, summed
from graphc.draw.traces.loops import with_single_results
from graphc.draw.traces.modules import Module, modules, named_variables
from graphc.draw.traces.notation import Formula, IndexedFormula
from graphc.draw.traces.pieces import Phrase, Piece, derivative, element, named, relation, words
from graphc.draw.traces.scene import scalar_output
from graphc.draw.traces.sweep import contributions, written_out
from graphc.draw.traces.table import LINE, Column, Table, Tabular, plain
from graphc.errors import GraphError
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import new_nodes, reaching
from graphc.ops import OPS
from graphc.ops.leaf import is_fill
from graphc.ops.reduction.folding import Mean

NOTATIONS = ("index", "matrix")


@dataclass(frozen=True, eq=False)
class ModuleRow:
    """A module: its name, its formula, and the lines that add to derivatives."""

    module: str
    equation: Phrase
    lines: tuple[Phrase, ...]

    @property
    def forward(self) -> str:
        """The formula: `b = Σⱼ βⱼ·zⱼ`."""
        return plain(self.equation)

    @property
    def backward(self) -> tuple[str, ...]:
        """What it adds: `dJ/dβⱼ += dJ/db·zⱼ`."""
        return tuple(map(plain, self.lines))


@dataclass(frozen=True, eq=False)
class ForwardBackward(Tabular):
    """The table of a network; `str()` is text, `.format(…)` gives it in another notation."""

    title: Phrase
    remark: Phrase
    rows: tuple[ModuleRow, ...]

    def table(self) -> Table:
        """Return the rows as cells."""
        columns = [Column("module", is_words=True), Column("forward"), Column("backward")]
        rows = [[[words(r.module)], r.equation, _joined(r.lines)] for r in self.rows]
        return Table(self.title, self.remark, columns, rows)


def _joined(lines: Sequence[Phrase]) -> Phrase:
    return [piece for i, line in enumerate(lines) for piece in ([LINE] if i else []) + [*line]]


@takes_graph("of")
def forward_backward_table(
    graph: Graph,
    of: str | None = None,
    *,
    notation: str = "index",
    through_output: bool = True,
) -> ForwardBackward:
    """Return the table of the modules that compute `of`, from the loss down to the input.

    Each line `dJ/dv += …` adds what one module sends to one of its operands; all derivatives start
    at 0 and dJ/dJ is 1. Parameters come before other operands; what only the loss reads beside
    its prediction (a label) gets no line, and neither does a parameter that is frozen.

    `notation` "index" writes elements and sums, aⱼ = Σᵢ αⱼᵢ·xᵢ; "matrix" writes arrays, and is what
    a network falls back to that moves elements in a way that indices do not show.
    `through_output=False` writes the sigmoid and its derivative in exponentials, not as y(1 − y).

    **Raises** GraphError for an unknown name or notation, and where `of` is no single float.
    """
    return module_writer(graph, of, notation, expanded=not through_output).written()


def module_writer(
    graph: Graph, of: str | None, notation: str, expanded: bool = False
) -> ModuleWriter:
    """Return what writes the modules of `of`, with indices where the network allows them."""
    if notation not in NOTATIONS:
        raise GraphError("unknown notation", got=repr(notation), expected="'index' or 'matrix'")
    graph = with_single_results(graph)
    target = scalar_output(graph, of)
    numbering = numbered(graph)
    found = modules(numbering, target)
    if not found:
        name = of or next(name for name, node in graph.outputs.items() if node is target)
        raise GraphError(
            f"no module computes {name!r}",
            got=f"{target.op.name}: {target.type}",
            expected="a function of inputs or parameters",
        )
    if notation == "index":
        try:
            writer = ModuleWriter(numbering, target, found, expanded, True)
            writer.written()
            return writer
        except NoIndicesError:
            pass
    return ModuleWriter(numbering, target, found, expanded, False)


class ModuleWriter:
    """Writes formulas of modules: the rows of a table, and local derivatives."""

    def __init__(
        self,
        numbering: Numbering,
        target: Node,
        found: Sequence[Module],
        expanded: bool,
        indexed: bool,
    ) -> None:
        self.graph, self.target, self.found = numbering.graph, target, found
        self.expanded = expanded
        self.names = named_variables(numbering, found)
        self.active = self._active()
        self.indices = Indices(self.names.values()) if indexed else None
        if self.indices is not None:
            self.indices.add(node for module in found[::-1] for node in module.nodes)
            for node in [*self.graph.inputs.values(), *self.graph.params.values()]:
                self.indices.of(node)

    def _active(self) -> set[Node]:
        """Return the variables whose derivatives are written: not labels, and not integers."""
        leaves = [*self.graph.inputs.values(), *self.graph.params.values()]
        head = self._head() if self.graph.params else set()
        labels = {x for module in head for x in module.operands if x.op is OPS["input"]}
        others = {x for module in self.found if module not in head for x in module.operands}
        varied = [x for x in leaves if x.dtype.kind == "f" and x not in labels - others]
        varied = [x for x in varied if x.attrs.get("trainable", True)]  # what is frozen rests
        return reaching(self.graph.nodes, varied)

    def _head(self) -> set[Module]:
        """Return the loss, and what it alone reads that holds no parameter: σ(t·s) of a score s."""
        head: set[Module] = set()
        read_elsewhere: set[Node] = set()  # by modules that are no part of it
        for module in self.found:
            given = [x.op is OPS["input"] for x in module.operands if not x.inputs]
            is_about = all(given) and len(given) < len(module.operands)
            if not head or (is_about and module.root not in read_elsewhere):
                head.add(module)
            else:
                read_elsewhere.update(module.operands)
        return head

    def written(self) -> ForwardBackward:
        remark = [_partial(self.name(self.target), self.name(self.target)), relation("=")]
        remark += [words("1; all other derivatives start at 0")]
        title = [words("Forward | Backward of "), named(self.names[self.target])]
        return ForwardBackward(title, remark, tuple(map(self._row, self.found)))

    def _row(self, module: Module) -> ModuleRow:
        lines = tuple(self.lines(module).values())
        return ModuleRow(module.name, self.equation(module), lines)

    def equation(self, module: Module) -> Phrase:
        """Return `b = Σⱼ βⱼ·zⱼ`."""
        root = written_out(module) if self.expanded else module.root
        formula = self.formula(root, module, {}, module.root)
        return [self.variable(module.root), relation("="), formula]

    def operands(self, module: Module) -> list[Node]:
        """Return the operands that get a derivative, parameters first."""
        found = [x for x in module.operands if x in self.active]
        return sorted(found, key=lambda node: node.op is not OPS["param"])

    def local(self, module: Module, operand: Node) -> Phrase | None:
        """Return `db/dzⱼ = βⱼ`, of one element by one other.

        None where there are no indices, or where an element depends on another in several ways.
        """
        if self.indices is None:
            return None
        seed = stand_in("adjoint", module.root)
        own = self.variable(module.root)
        above = {seed: Piece("", "", ""), module.root: own, module.meaning: own}
        self._join(seed, module.root)
        sent = contributions(module, seed, [operand], self.expanded).get(operand)
        if sent is None:
            return None
        formula = self.formula(sent, module, above, operand)
        assert isinstance(formula, IndexedFormula)
        summed_over = {letter for letters in formula.sums.values() for letter in letters}
        free = set(self.indices.of(module.root))
        if summed_over & set(self.indices.of(operand)):
            return None
        kept = {n: [x for x in letters if x not in free] for n, letters in formula.sums.items()}
        return [_partial(own, self.variable(operand)), relation("="), replace(formula, sums=kept)]

    def lines(self, module: Module) -> dict[Node, Phrase]:
        """Return `dJ/dzⱼ += dJ/db·βⱼ` for each operand that gets a derivative."""
        operands = self.operands(module)
        above: dict[Node, Piece] = {}
        if module.root is self.target:
            seed = OPS["full"]((), 1, module.root.dtype)
        else:
            seed = stand_in("adjoint", module.root)
            above[seed] = self.adjoint(module.root)
            self._join(seed, module.root)
        own = self.variable(module.root)
        above |= {module.root: own, module.meaning: own}
        self._join(module.meaning, module.root)
        lines: dict[Node, Phrase] = {}
        for operand, sent in contributions(module, seed, operands, self.expanded).items():
            start = self.adjoint(operand)
            if self.indices is None and _adds_into_zeros(sent):  # dJ/dE[i] += dJ/dx
                rows = {**above, sent.inputs[0]: start}
                lines[operand] = [self.formula(sent, module, rows, operand)]
                continue
            lines[operand] = [start, relation("+="), self.formula(sent, module, above, operand)]
        return lines

    def formula(
        self,
        root: Node,
        module: Module,
        more: Mapping[Node, Piece],
        like: Node,
    ) -> Formula:
        """Return a formula over a module's variables; `like` has the axes of its value."""
        symbols = {node: self.variable(node) for node in module.operands} | dict(more)
        if self.indices is None:
            return Formula(root, symbols)
        order = new_nodes(root, set(symbols))
        self.indices.add(order)
        self._join(root, like)
        sums = {node: summed(node, self.indices) for node in order}
        counts = {node: node.op.count(node) for node in order if isinstance(node.op, Mean)}
        shown = {node: letters for node, letters in sums.items() if letters is not None}
        return IndexedFormula(root, symbols, sums=shown, counts=counts)

    def _join(self, a: Node, b: Node) -> None:
        if self.indices is not None:
            for axis in range(min(a.ndim, b.ndim)):
                self.indices.join((a, axis), (b, axis))

    def name(self, node: Node) -> Piece:
        return element(self.names[node], ())

    def variable(self, node: Node) -> Piece:
        return element(self.names[node], () if self.indices is None else self.indices.of(node))

    def adjoint(self, node: Node) -> Piece:
        return _partial(self.name(self.target), self.variable(node))


def _adds_into_zeros(node: Node) -> bool:
    """Say whether a node adds values to places of an array of zeros, and so is an increment."""
    is_increment = " += " in node.op.label(node, ["0"] * len(node.inputs))
    return is_increment and is_fill(node.inputs[0]) and node.inputs[0].attrs["value"] == 0


def _partial(top: Piece, bottom: Piece) -> Piece:
    return derivative(top, bottom, "d")
