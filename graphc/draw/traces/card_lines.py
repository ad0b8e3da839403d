"""What a derivation card says, line by line, over the variables' own names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.differentiate.sweeps.forward import tangents
from graphc.differentiate.sweeps.reverse import cotangents
from graphc.draw.numbering import numbered
from graphc.draw.traces.chain import added, stand_in, tidied
from graphc.draw.traces.local_steps import jacobian_formula, jacobian_terms, local_steps
from graphc.draw.traces.loops import in_a_word, with_single_results
from graphc.draw.traces.modules import Module, modules
from graphc.draw.traces.notation import Formula
from graphc.draw.traces.pieces import (
    Phrase,
    Piece,
    Written,
    adjoint,
    derivative,
    leads_to,
    named,
    quantity,
    relation,
    result,
    variable,
    words,
)
from graphc.draw.traces.scene import Scene, Slot
from graphc.draw.traces.sweep import contributions
from graphc.draw.traces.table import plain
from graphc.draw.traces.trace import Trace, scene_at, trace
from graphc.errors import GraphError
from graphc.ir.code import ATOM, UNARY
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import reached, substitute
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import fill, is_fill

#: How many users of one node are written out.
_MOST_USERS = 6


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a card: which part it belongs to, the formula, and why it holds."""

    part: str
    formula: Phrase
    reason: Piece

    @property
    def text(self) -> str:
        return plain(self.formula).strip()


@dataclass(frozen=True, eq=False)
class Sent:
    """What a module sends to one of its operands, over `seed`, which stands for its adjoint."""

    module: Module
    seed: Node
    value: Node


class CardWriter:
    """Writes the card of one node; `of` is what is derived, None for a node by itself.

    Formulas stand between named variables, as in the table of modules.
    """

    def __init__(self, graph: Graph, name: str, of: str | None) -> None:
        self.stated = graph
        self.graph = graph = with_single_results(graph)
        self.node = node = graph.find(name)
        self.target = target = None if of is None else graph.find(of)
        if node.dtype.kind != "f":
            raise GraphError(
                "only a float has a derivative",
                got=f"{node.name or node.op.name}: {node.type}",
                fix="choose a float node, such as one that it was computed from",
            )
        self.numbering = numbered(graph)
        own = modules(self.numbering, node)
        self.module = own[0] if own else None
        #: What each variable is sent by the modules that read it, the last one first.
        self.received = {} if target is None else self._received(target)

    def _received(self, target: Node) -> dict[Node, list[Sent]]:
        received: dict[Node, list[Sent]] = {target: []}
        for module in modules(self.numbering, target):
            if module.root not in received:
                continue
            is_start = module.root is target
            seed = fill(1.0, (), target.dtype) if is_start else stand_in("adjoint", module.root)
            operands = [x for x in module.operands if x.dtype.kind == "f"]
            for operand, value in contributions(module, seed, operands, expanded=False).items():
                received.setdefault(operand, []).append(Sent(module, seed, value))
        return received

    def title(self) -> Phrase:
        own = [self.symbol(self.node), words(f": {self.node.type}")]
        return own if self.target is None else [*own, words(f" in {self.graph.name}")]

    def lines(self, at: Mapping[str, Any] | None) -> list[Line]:
        """Return the lines of the card, with numbers where `at` gives a point."""
        if self.target is None:
            return [*self._definition(), *self._local()]
        values = trace(self.graph, at) if at is not None else None
        adjoints = None
        if at is not None and self.node in self.received:
            adjoints = trace(self.graph, at, "reverse", of=self.graph.labels[self.target])
        return [
            *self._definition(),
            *self._number("formula", values),
            *self._local(),
            *self._arrives(),
            *self._number("arrives", adjoints),
            *self._adjoint(),
            *self._sends(None if at is None else scene_at(self.graph, at), adjoints),
        ]

    def _number(self, part: str, found: Trace | None) -> list[Line]:
        """Return the row of a trace that is about the node: the numbers put in."""
        if found is None:
            return []
        own = {piece(*self._place(self.node)).text for piece in (variable, adjoint)}
        row = next(r for r in found.rows if r.variable in own)
        return [_equal(part, _NOTHING, row.arithmetic(), "at this point")]

    # -- symbols ---------------------------------------------------------------------------------

    def _place(self, node: Node) -> tuple[str, int]:
        return self.numbering.letter, self.numbering.number[node]

    def symbol(self, node: Node) -> Piece:
        """Return the user's name of a variable, or v3; a number as it is written."""
        label = self.graph.labels.get(node)
        if label:
            return named(label)
        if node in self.numbering.number:
            return variable(*self._place(node))
        formula = Formula(node, {}, whole=True)
        binds = UNARY if formula.text.startswith("−") else ATOM
        return Piece(formula.text, formula.latex, formula.html, binds)

    def adjoint(self, node: Node) -> Piece:
        assert self.target is not None
        return derivative(self.symbol(self.target), self.symbol(node))

    def _symbols(self, module: Module) -> dict[Node, Piece]:
        own = self.symbol(module.root)
        operands = {operand: self.symbol(operand) for operand in module.operands}
        return operands | {module.root: own, module.meaning: own}

    # -- the node by itself ----------------------------------------------------------------------

    def _definition(self) -> list[Line]:
        if self.module is None:
            return []
        operands = {operand: self.symbol(operand) for operand in self.module.operands}
        formula = Formula(self.node, operands, whole=True)
        lines = [_equal("formula", self.symbol(self.node), [formula])]
        if self._is_known():
            known = Formula(self.module.meaning, operands, whole=True)
            lines.append(_equal("formula", _NOTHING, [known], "the same as one function"))
        return lines

    def _is_known(self) -> bool:
        """Say whether a formula of several ops is that of one: 1/(1 + exp(−a)) is σ(a)."""
        module = self.module
        return module is not None and module.meaning is not module.root and not _is_one_op(module)

    def _local(self) -> list[Line]:
        """Return the local derivatives: step by step for one op, in one line for a formula."""
        module = self.module
        if module is None:
            return []
        seed = fill(1.0, self.node.shape, self.node.dtype)
        floats = [x for x in module.operands if x.dtype.kind == "f"]
        found = contributions(module, seed, floats, expanded=False)
        same_shape = all(x.shape == self.node.shape for x in found)
        if not (same_shape and all(isinstance(n.op, Pointwise) for n in module.nodes if n.inputs)):
            return self._differential(module, list(found)) if found else []
        if _is_one_op(module):
            return self._steps(self.node, list(found))
        if self._is_known() and isinstance(module.meaning.op, Pointwise):
            return self._steps(module.meaning, list(found))
        symbols = self._symbols(module)
        return [
            _equal(
                "local derivative",
                derivative(symbols[module.root], symbols[operand]),
                [Formula(value, symbols)],
                "by the rules for sums, products and chains",
            )
            for operand, value in found.items()
        ]

    def _steps(self, node: Node, operands: Sequence[Node]) -> list[Line]:
        """Return the steps of the derivation of an op, by each operand; its value is the node's."""
        lines: list[Line] = []
        sources = [self.numbering.source(x)[0] for x in node.inputs]
        names = [self.symbol(x) for x in sources]
        own = self.symbol(self.node)
        for index, source in enumerate(sources):
            if source not in set(operands):
                continue
            top = derivative(own, names[index])
            for step in local_steps(node, index, names, own):
                lines.append(_equal("local derivative", top, [step.formula], step.rule))
                top = _NOTHING
        return lines

    def _differential(self, module: Module, operands: Sequence[Node]) -> list[Line]:
        """Return dz = dx·W + x·dW + db: how the node moves when its operands do.

        The Jacobian follows where the node is made of one vector: ∂y/∂x = diag(y) − y·yᵀ.
        """
        leaves = {x: stand_in(f"operand{i}", x) for i, x in enumerate(module.operands)}
        moving = {x: stand_in(f"moving{i}", x) for i, x in enumerate(operands)}
        (again,) = substitute([module.meaning], leaves)
        (moved,) = tangents([again], [leaves[x] for x in operands], list(moving.values()))
        assert moved is not None, "a derivative flows through these operands"
        worded = in_a_word("tangent", again, moved, list(moving.values()), leaves.values())
        own = stand_in("result", again)
        (shown_moved,) = substitute([worded], {again: own})
        if worded is moved:  # no loop
            (shown_moved,) = tidied([shown_moved])
        shown = {leaf: self.symbol(x) for x, leaf in leaves.items()}
        shown |= {leaf: _moved(self.symbol(x)) for x, leaf in moving.items()}
        shown[own] = self.symbol(self.node)
        left = _moved(self.symbol(self.node))
        reason = "what a small motion of the operands moves"
        lines = [_equal("local derivative", left, [Formula(shown_moved, shown)], reason)]
        if len(operands) == 1 and operands[0].ndim == 1 and self.node.ndim < 2:
            terms = jacobian_terms(shown_moved, moving[operands[0]])
            if terms:
                top = derivative(self.symbol(self.node), self.symbol(operands[0]))
                jacobian = jacobian_formula(terms, shown, is_vector=self.node.ndim == 1)
                lines.append(
                    _equal(
                        "local derivative",
                        top,
                        [jacobian],
                        f"the Jacobian: what multiplies {_moved(self.symbol(operands[0])).text}",
                    )
                )
        return lines

    # -- the chain rule --------------------------------------------------------------------------

    def _arrives(self) -> list[Line]:
        """Return the adjoint of the node as a sum over its users."""
        node, left = self.node, self.adjoint(self.node)
        if node is self.target:
            return [_equal("arrives", left, [_ONE], "the derivative starts here")]
        sent = self.received.get(node, [])[::-1]
        if not sent:
            return [_equal("arrives", left, [_ZERO], "nothing that is derived depends on it")]
        chains = [self._chain(part.module, node) for part in sent]
        count = f"{len(sent)} users, whose parts add up" if len(sent) > 1 else "one user"
        return [
            _equal("arrives", left, _joined(chains), count),
            _equal("arrives", _NOTHING, [self._sum(sent)], "local derivatives put in"),
        ]

    def _sends(self, scene: Scene | None, adjoints: Trace | None) -> list[Line]:
        """Return what the node adds to the adjoint of each operand, and as numbers at a point."""
        lines: list[Line] = []
        for operand, received in self.received.items():
            own = [part for part in received if part.module.root is self.node]
            if not own:
                continue
            others = len(received) - 1
            sign = "+=" if others else "="
            more = f"beside {others} other user{'s' * (others > 1)}" if others else "the only user"
            chain = self._chain(own[0].module, operand)
            added_to = [self.adjoint(operand), relation(sign), *chain]
            lines.append(Line("sends", added_to, words(more)))
            local = [self._sum(own)]
            lines.append(_equal("sends", _NOTHING, local, "local derivative put in"))
            if scene is not None and adjoints is not None:
                numbers = self._sent_numbers(own[0], scene, adjoints)
                lines.append(_equal("sends", _NOTHING, numbers, "at this point"))
        return lines

    def _sent_numbers(self, sent: Sent, scene: Scene, adjoints: Trace) -> Phrase:
        """Return what is sent over numbers, and its value."""
        own = adjoint(*self._place(self.node)).text
        arrived = next(row.value for row in adjoints.rows if row.variable == own)
        known = {x: scene.value(x) for x in (*sent.module.operands, self.node)}
        known |= {sent.seed: arrived, sent.module.meaning: scene.value(self.node)}
        value = scene.point.of(sent.value, known)
        shown = {node: quantity(array) for node, array in known.items() if not is_fill(node)}
        formula = scene.substituted(sent.value, {x: Slot(n, n) for x, n in shown.items()})
        return [formula, relation(leads_to(value)), *result(value)]

    def _chain(self, user: Module, node: Node) -> list[Written]:
        """Return ∂J/∂u·∂u/∂v."""
        partial = derivative(self.symbol(user.root), self.symbol(node))
        return [self.adjoint(user.root), _TIMES, partial]

    def _sum(self, sent: Sequence[Sent]) -> Formula:
        """Return the sum of what users send, with their local derivatives."""
        total: Node | None = None
        shown: dict[Node, Piece] = {}
        for part in sent[:_MOST_USERS]:
            total = added(total, part.value)
            shown |= self._symbols(part.module) | {part.seed: self.adjoint(part.module.root)}
        assert total is not None
        if len(sent) > _MOST_USERS:
            rest = stand_in("rest", total)
            shown[rest] = _ELLIPSIS
            total = added(total, rest)
        return Formula(total, shown)

    def _adjoint(self) -> list[Line]:
        """Return the node that holds the adjoint, as the text form writes it."""
        assert self.target is not None
        of, by = self.graph.labels[self.target], self.graph.labels[self.node]
        lines = adjoint_lines(self.stated, of, by)
        return [Line("adjoint", [words(line)], words("in the derived graph")) for line in lines]


_NOTHING = Piece("", "", "")
_TIMES = Piece("·", r" \cdot ", "·")
_PLUS = Piece(" + ", " + ", " + ")
_ONE, _ZERO = (Piece(digit, digit, digit) for digit in "10")
_ELLIPSIS = Piece("…", r"\dots", "…")


def _is_one_op(module: Module) -> bool:
    return sum(bool(node.inputs) and not node.op.is_view for node in module.nodes) == 1


def _equal(part: str, left: Piece, right: Phrase, reason: str | Piece = "") -> Line:
    why = words(reason) if isinstance(reason, str) else reason
    return Line(part, [left, relation("="), *right], why)


def _joined(terms: Sequence[Phrase]) -> Phrase:
    """Return a sum of phrases, the end of a long one left out."""
    parts: list[Written] = []
    for place, term in enumerate(
        [*terms[:_MOST_USERS], *[[_ELLIPSIS]] * (len(terms) > _MOST_USERS)]
    ):
        parts += [_PLUS, *term] if place else term
    return parts


def _moved(symbol: Piece) -> Piece:
    """Return the differential of a variable, dz."""
    return Piece(f"d{symbol.text}", f"d{symbol.latex}", f"d{symbol.html}")


# -- the node of an adjoint, in the text form ----------------------------------------------------

_STATEMENT = re.compile(r"^ *((\w+): [^=\n]+ = .*)$", re.MULTILINE)
_WORD = re.compile(r"[^\W\d]\w*")


def adjoint_lines(graph: Graph, of: str, name: str) -> list[str]:
    """Return `d_h1: f32[N, 128] = …` after what it needs that has no name of the user's.

    An adjoint that is that of another node too is written `d_u1 = d_u`; where no derivative of the
    target reaches the node there is no line.
    """
    target = graph.find(of)
    (adjoint,) = cotangents([target], [fill(1.0, (), target.dtype)], [graph.find(name)])
    if adjoint is None:
        return []
    called = f"d_{name}"
    derived = graph.with_outputs({**graph.outputs, called: adjoint})
    text = str(derived)
    statements = {found[2]: found[1] for found in _STATEMENT.finditer(text)}
    if called not in statements:
        listed = re.search(rf"\b{re.escape(called)}=([^,()]+)", text.rpartition("output(")[2])
        return [f"{called} = {listed[1]}"] if listed else []
    known = {*derived.labels.values(), *graph.labels.values()} - {called}

    def needed(word: str) -> list[str]:
        words = _WORD.findall(statements[word].partition(" = ")[2])
        return [other for other in words if other in statements and other not in known]

    wanted = reached([called], needed)
    return [line for word, line in statements.items() if word in wanted]
