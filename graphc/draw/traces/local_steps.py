"""The local derivative of a node by one operand: step by step, or as a Jacobian of vectors."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from graphc.differentiate.formulas.derive import derivation_of, with_pending
from graphc.differentiate.formulas.latex import formula_latex, rule_latex
from graphc.draw.formula import is_product
from graphc.draw.silent import is_silent
from graphc.draw.traces.chain import number_of, partial_of
from graphc.draw.traces.notation import Formula
from graphc.draw.traces.pieces import Piece, words
from graphc.draw.typography import raised_exponents
from graphc.ir.code import ATOM
from graphc.ir.node import Node
from graphc.ir.walk import reaching, topological
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import OUTPUT, Pointwise
from graphc.ops.reduction.folding import Sum

_FIRST_NAME = 0xF0000  # private letters stand for names while signs are replaced
_PENDING = chr(0xE000)
_SIGNS = str.maketrans({"*": "·", "-": "−"})
_NUMBER = re.compile(r"\d+(\.\d+)?")
_WORD = re.compile(r"[^\W\d]\w*")
_CALLED = re.compile(r"(\w+)(?: \{\}|\(\{\}\))")  # a label that is a call: `ln {}`, `σ({})`


@dataclass(frozen=True)
class LocalStep:
    """A line of a local derivative: its formula, and the rule that leads to it."""

    formula: Piece
    rule: Piece


def local_steps(node: Node, index: int, symbols: Sequence[Piece], own: Piece) -> list[LocalStep]:
    """Return the steps of a pointwise node's derivative by its operand at `index`.

    `symbols` are those of the operands: names, or the numbers that stand there; `own` is the
    node's.
    """
    op = node.op
    assert isinstance(op, Pointwise)
    names = dict(zip(op.args, map(_enclosed, symbols), strict=True)) | {OUTPUT: own}
    writer = _Writer(names, symbols[index])
    steps = [
        LocalStep(writer.formula(step.formula), writer.rule(step.rule))
        for step in derivation_of(op, index).steps
    ]
    last = writer.formula(partial_of(node, index).text)
    if any(number_of(x) is not None for x in node.inputs) and steps[-1].formula != last:
        steps.append(LocalStep(last, words("with the numbers put in")))
    return steps


class _Writer:
    """Writes formula text over names: `b*a**(b - 1)` as `2·x^(2 − 1)`."""

    def __init__(self, names: Mapping[str, Piece], by: Piece) -> None:
        self.names, self.by = names, by
        self.letters = {
            name: piece.text if _NUMBER.fullmatch(piece.text) else chr(_FIRST_NAME + i)
            for i, (name, piece) in enumerate(names.items())
        }

    def formula(self, text: str) -> Piece:
        shown = _signed(text, self.letters)
        latex = formula_latex(
            text, rf"\frac{{\partial}}{{\partial {self.by.latex}}}", self._latex_names()
        )
        return Piece(self._filled(shown, "text"), latex, self._filled(html.escape(shown), "html"))

    def rule(self, text: str) -> Piece:
        """Return a rule over the variables; one in `u` and `v` says what holds for all."""
        if text == "definition of y":
            own = self.names[OUTPUT]
            plain = words(f"definition of {own.text}")
            return replace(plain, latex=rf"\text{{definition of }}{own.latex}")
        letters = self.letters if text.startswith("by ") else {}
        plain = words(self._filled(_signed(text, letters), "text"))
        return replace(plain, latex=rule_latex(text, self._latex_names()))

    def _latex_names(self) -> dict[str, str]:
        return {name: piece.latex for name, piece in self.names.items()}

    def _filled(self, shown: str, notation: str) -> str:
        """Return a text with its private letters replaced."""
        table: dict[int, str] = {
            ord(letter): getattr(self.names[name], notation)
            for name, letter in self.letters.items()
            if not _NUMBER.fullmatch(letter)
        }
        table[ord(_PENDING)] = f"∂/∂{getattr(self.by, notation)}"
        return shown.translate(table)


def _signed(text: str, letters: Mapping[str, str]) -> str:
    """Return formula text with mathematical signs, each variable as a private letter."""
    pending = with_pending(text, _PENDING)
    named = _WORD.sub(lambda word: letters.get(word[0]) or _function_name(word[0]), pending)
    return raised_exponents(named).translate(_SIGNS)


@cache
def _function_name(word: str) -> str:
    """Return a function's name as labels write it: ln for log, σ for sigmoid."""
    symbol = OPS[word].symbol if word in OPS else None
    called = _CALLED.fullmatch(symbol or "")
    return called[1] if called else word


def _enclosed(piece: Piece) -> Piece:
    """Return an operand that is safe beside any sign: −2 stands in parentheses."""
    if piece.precedence == ATOM:
        return piece
    return Piece(f"({piece.text})", rf"\left({piece.latex}\right)", f"({piece.html})")


# -- the Jacobian of a vector's function ---------------------------------------------------------


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
    is_atom = term.right is None or Formula(term.right, symbols).is_atom
    if not is_atom:
        right = rf"\left({right}\right)" if is_latex else f"({right})"
    row = right + (r"^\top" if is_latex else "ᵀ")
    if not is_vector and term.left is None:
        return row
    times = r" \, " if is_latex else "·"
    return f"{shown(term.left, '1')}{times}{row}"
