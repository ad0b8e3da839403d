"""The Jacobian of a vector's function, read off its differential: dy = y ⊙ dx − y ⊙ sum(y ⊙ dx).

What multiplies dx element by element stands on the diagonal, diag(y); a sum over dx with weights
is a row of them, repeated and scaled: y·yᵀ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from graphc.draw.formula import is_product
from graphc.draw.silent import is_silent
from graphc.draw.traces.notation import Formula
from graphc.draw.traces.pieces import Piece
from graphc.ir.node import Node
from graphc.ir.walk import reaching, topological
from graphc.ops import OPS
from graphc.ops.reduction import Sum


@dataclass(frozen=True, eq=False)
class Term:
    """±diag(left), or ±left·rightᵀ where `is_row`; None is a vector of ones."""

    is_minus: bool = False
    left: Node | None = None
    right: Node | None = None
    is_row: bool = False

    def scaled(self, factor: Node) -> Term:
        """Return the term of what is multiplied by a vector, or under a sum by its weights."""
        if self.is_row:
            return replace(self, right=_times(self.right, factor))
        return replace(self, left=_times(self.left, factor))


def jacobian_terms(moved: Node, dx: Node) -> list[Term] | None:
    """Return the terms of dy/dx for vectors, given dy; None where it is not of that form."""
    active = reaching(topological([moved]), [dx])
    found: list[Term] = []
    pending = [(moved, Term())]
    while pending:
        node, term = pending.pop()
        if node is dx:
            found.append(term)
        elif is_silent(node):
            pending.append((node.inputs[0], term))
        elif node.op is OPS["negative"]:
            pending.append((node.inputs[0], replace(term, is_minus=not term.is_minus)))
        elif node.op is OPS["add"] or node.op is OPS["subtract"]:
            turned = replace(term, is_minus=term.is_minus != (node.op is OPS["subtract"]))
            both = zip(node.inputs, (term, turned), strict=True)
            pending += [(x, t) for x, t in [*both][::-1] if x in active]
        elif is_product(node) and sum(x in active for x in node.inputs) == 1:
            moving, factor = sorted(node.inputs, key=lambda x: x not in active)
            pending.append((moving, term.scaled(factor)))
        elif isinstance(node.op, Sum) and node.inputs[0].ndim == 1 and not term.is_row:
            pending.append((node.inputs[0], replace(term, is_row=True)))
        else:
            return None
    return found


def _times(weights: Node | None, factor: Node) -> Node:
    return factor if weights is None else OPS["multiply"](weights, factor)


def jacobian_formula(terms: list[Term], symbols: Mapping[Node, Piece], is_vector: bool) -> Piece:
    """Return diag(y) − y·yᵀ in the three notations."""
    texts = {"text": "", "latex": "", "html": ""}
    for place, term in enumerate(terms):
        for notation in texts:
            sign = ("−" if notation != "latex" else "-") if term.is_minus else "+"
            lead = f" {sign} " if place else sign.replace("+", "")
            texts[notation] += lead + _term(term, symbols, is_vector, notation)
    return Piece(texts["text"], texts["latex"], texts["html"])


def _term(term: Term, symbols: Mapping[Node, Piece], is_vector: bool, notation: str) -> str:
    def shown(node: Node | None, ones: str) -> str:
        return ones if node is None else getattr(Formula(node, symbols), notation)

    is_latex = notation == "latex"
    if not term.is_row:
        if term.left is None:
            return "I"
        inside = shown(term.left, "")
        return rf"\operatorname{{diag}}\left({inside}\right)" if is_latex else f"diag({inside})"
    right = shown(term.right, "1")
    is_atom = right.isalnum() or right.endswith(")")
    row = (right if is_atom else f"({right})") + (r"^\top" if is_latex else "ᵀ")
    if not is_vector and term.left is None:
        return row
    times = r" \, " if is_latex else "·"
    return f"{shown(term.left, '1')}{times}{row}"
