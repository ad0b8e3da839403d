"""How is a small graph written? As text, as LaTeX or as HTML, over the symbols of a trace.

Each op states how it is written (`Op.label`, `Op.latex`) and how tightly it binds (`Op.text`).
Text and HTML come from one *skeleton*, in which a private letter stands for each symbol.
"""

from __future__ import annotations

import html
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from graphc.draw.dim_formula import dim_code, dim_latex, number_from_dims
from graphc.draw.formula import formula, is_product, root_of
from graphc.draw.silent import bare, is_silent
from graphc.draw.traces.pieces import Piece, power_of_ten
from graphc.draw.typography import literal_text, subscript
from graphc.ir.code import ATOM, PRODUCT, SUM, UNARY, Code
from graphc.ir.dims import Dim
from graphc.ir.latex_names import latex_escape
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.walk import new_nodes
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import is_fill
from graphc.ops.reduction.folding import Reduction

_FIRST_SYMBOL = 0xF0000  # private letters from here on stand for symbols
_FIRST_OPERAND = 0xE000  # and these for operands, while one label is composed
_CALL = re.compile(r"(\w+) [\ue000-\ue1ff]")  # a function set beside its operand: `ln v0`


@dataclass(frozen=True, eq=False)
class Formula:
    """A small graph over symbols: `root` is written down to the nodes that `symbols` names.

    `numbers` says that the symbols are numbers and shapes: products are then written 2*5.
    `whole` writes the root itself even where mathematics would not, as for a broadcast.
    A symbol without text is a factor that is left out.
    """

    root: Node
    symbols: Mapping[Node, Piece]
    numbers: bool = False
    whole: bool = False

    @cached_property
    def _skeleton(self) -> tuple[Code, Sequence[Piece]]:
        pieces = list(dict.fromkeys(self.symbols.values()))
        letter = {piece: chr(_FIRST_SYMBOL + i) for i, piece in enumerate(pieces)}
        known: dict[Node, Code] = {}
        for node, piece in self.symbols.items():
            sign = "−" if piece.precedence == UNARY else ""
            shown = sign + letter[piece] if piece.text else ""
            known[node] = Code(shown, piece.precedence)
        product = "*" if self.numbers else "·"
        return self._written(known, _TextWriter(product)), pieces

    def _written(self, known: Mapping[Node, Code], writer: _Writer) -> Code:
        codes = dict(known)
        for node in new_nodes(self.root, set(known)):
            args = [codes[operand] for operand in node.inputs]
            through = is_silent(node) and not (self.whole and node is self.root)
            codes[node] = args[0] if through else self._node(node, args, writer)
        return codes[self.root]

    def _node(self, node: Node, args: Sequence[Code], writer: _Writer) -> Code:
        return writer.write(node, args if is_product(node) else _ones(args))

    def _filled(self, text: str, shown: Sequence[str]) -> str:
        """Return the skeleton with its letters replaced; signs stand in it already."""
        letters = {_FIRST_SYMBOL + i: s.removeprefix("−") for i, s in enumerate(shown)}
        return text.translate(letters)

    @cached_property
    def is_atom(self) -> bool:
        """Whether a sign behind it, such as ᵀ, is about all of it."""
        return self._skeleton[0].precedence == ATOM

    @cached_property
    def text(self) -> str:
        skeleton, pieces = self._skeleton
        return self._filled(skeleton.text or "1", [piece.text for piece in pieces])

    @cached_property
    def html(self) -> str:
        skeleton, pieces = self._skeleton
        return self._filled(html.escape(skeleton.text or "1"), [piece.html for piece in pieces])

    @cached_property
    def latex(self) -> str:
        known = {node: Code(piece.latex, piece.precedence) for node, piece in self.symbols.items()}
        return self._written(known, _LatexWriter()).text or "1"


@dataclass(frozen=True, eq=False)
class IndexedFormula(Formula):
    """A formula over the elements of arrays: products are products of numbers, sums have indices.

    `sums` gives the indices that a node sums over, `counts` by what a mean then divides.
    """

    sums: Mapping[Node, Sequence[str]] = field(default_factory=dict)
    counts: Mapping[Node, Dim] = field(default_factory=dict)

    def _node(self, node: Node, args: Sequence[Code], writer: _Writer) -> Code:
        if node in self.sums:
            body = args[0] if len(args) == 1 else writer.product(args, writer.times)
            return writer.sum(body, self.sums[node], self.counts.get(node))
        if is_product(node):
            return writer.product(args, writer.times)
        return args[0] if node.op.is_view else writer.write(node, _ones(args))


def _ones(args: Sequence[Code]) -> list[Code]:
    """Return operands with 1 for each that is left out."""
    return [arg if arg.text else Code("1") for arg in args]


class _Writer(ABC):
    """Writes one node over its operands' formulas."""

    minus: str
    #: The sign between numbers, between the elements of arrays, and between all pairs of them.
    times: str
    elementwise: str
    outer: str

    @abstractmethod
    def sigma(self, indices: str) -> str:
        """Return the sign of a sum over indices."""

    @abstractmethod
    def share(self, count: Dim) -> str:
        """Return the factor before the sum that makes it a mean."""

    @abstractmethod
    def onehot(self, index: Code) -> str:
        """Return rows with a 1 in one place each."""

    @abstractmethod
    def operation(self, node: Node, args: Sequence[Code], marks: Sequence[str]) -> Code:
        """Return the formula of a node that is neither a sum nor a product."""

    def sum(self, body: Code, indices: Sequence[str], count: Dim | None) -> Code:
        """Return the sum of a formula over indices, or its mean where `count` is given."""
        if not indices:
            return body
        share = "" if count is None else self.share(count)
        inside = body.text if body.precedence >= PRODUCT else self.enclosed(body.text)
        return Code(f"{share}{self.sigma(''.join(indices))} {inside}", PRODUCT if share else SUM)

    def write(self, node: Node, args: Sequence[Code]) -> Code:
        """Return the formula of a node over those of its operands."""
        if is_product(node):
            order = _outer_order(node)
            if order is not None:
                return self.product([args[i] for i in order], self.outer)
            return self.product(args, self.elementwise if _is_elementwise(node) else self.times)
        number = _picked(node)
        if number is not None:
            sign = "+" if number == 1 else self.minus
            return Code(f"{args[0].within(SUM)} {sign} {self.onehot(args[2])}", SUM)
        return self.operation(node, args, _marks(len(args)))

    def product(self, args: Sequence[Code], sign: str) -> Code:
        """Return a product; a negative factor and a quotient stand in parentheses."""
        args = [arg for arg in args if arg.text]
        if len(args) < 2:
            return args[0] if args else Code("")
        return Code(sign.join(self.factor(arg) for arg in args), PRODUCT)

    def factor(self, arg: Code) -> str:
        wrap = arg.precedence < PRODUCT or arg.text.startswith(self.minus) or self.is_quotient(arg)
        return self.enclosed(arg.text) if wrap else arg.text

    def negative(self, arg: Code) -> Code:
        """Return −arg; a product or a sum over indices needs no parentheses."""
        bare = arg.precedence >= PRODUCT or arg.text.startswith(("Σ", r"\sum", r"\frac"))
        bare = bare and not arg.text.startswith(self.minus)
        text = arg.text if bare else self.enclosed(arg.text)
        return Code(self.minus + text, min(max(arg.precedence, PRODUCT), UNARY))

    def is_quotient(self, arg: Code) -> bool:
        return False

    def enclosed(self, text: str) -> str:
        return f"({text})"


class _TextWriter(_Writer):
    """Writes `ln(v0)`, `v0·v1`, `(1/v0)·v̄2`."""

    minus, elementwise, outer = "−", " ⊙ ", " ⊗ "

    def __init__(self, product: str) -> None:
        self.times = product

    def sigma(self, indices: str) -> str:
        return f"Σ{subscript(indices)}"

    def share(self, count: Dim) -> str:
        return f"(1/{dim_code(count).within(UNARY).replace(' · ', self.times)})·"

    def onehot(self, index: Code) -> str:
        return f"onehot({index.text})"

    def operation(self, node: Node, args: Sequence[Code], marks: Sequence[str]) -> Code:
        call = _CALL.fullmatch(node.op.label(node, marks)) if len(args) == 1 else None
        if call is not None:
            return Code(f"{call[1]}({args[0].text})")
        if len(args) == 1 and node.op.label(node, marks) == f"−{marks[0]}":
            return self.negative(args[0])
        if number_from_dims(node) is not None:
            code = formula(node, args)
            return Code(code.text.replace(" · ", self.times), code.precedence)
        if node.op.infix == "/" and self.is_quotient(args[0]):
            args = [Code(self.enclosed(args[0].text)), args[1]]
        code = formula(node, args)
        if " / " in code.text and code.precedence == PRODUCT:
            return Code(code.text.replace(" / ", "/"), PRODUCT)
        return code

    def is_quotient(self, arg: Code) -> bool:
        return arg.precedence == PRODUCT and "/" in re.sub(r"\([^()]*\)", "", arg.text)


class _LatexWriter(_Writer):
    r"""Writes `\ln\left(v_{0}\right)`, `v_{0} \cdot v_{1}`, `\frac{1}{v_{0}}`."""

    minus, times, elementwise, outer = "-", r" \cdot ", r" \odot ", r" \otimes "

    def sigma(self, indices: str) -> str:
        return rf"\sum_{{{indices}}}"

    def share(self, count: Dim) -> str:
        return rf"\frac{{1}}{{{dim_latex(count)}}} "

    def onehot(self, index: Code) -> str:
        return rf"\operatorname{{onehot}}\left({index.text}\right)"

    def operation(self, node: Node, args: Sequence[Code], marks: Sequence[str]) -> Code:
        template = self.template(node, marks)
        if len(args) == 1 and template == f"-{marks[0]}":
            return self.negative(args[0])
        shown = template
        for mark, arg in zip(marks, args, strict=True):
            before, after = template.split(mark, 1) if mark in template else ("", "")
            wrap = self.needs_parentheses(node, arg, before, after, marks)
            shown = shown.replace(mark, self.enclosed(arg.text) if wrap else arg.text)
        return Code(shown, self.precedence(node, template, marks))

    def template(self, node: Node, marks: Sequence[str]) -> str:
        """Return the op's LaTeX over marks; an op without one is set as its label is."""
        number = number_from_dims(node)
        if number is not None:
            return dim_latex(number)
        if not node.inputs:
            return _leaf_latex(node.op.latex(node, marks))
        own = type(node.op).latex not in (Op.latex, Pointwise.latex)
        if node.op.tex or (own and not isinstance(node.op, Reduction)):
            return node.op.latex(node, marks)
        label = node.op.label(node, marks)
        call = re.fullmatch(r"(\w+)\((.*)\)", label)
        if call is not None:
            name = call[1].replace("_", r"\_")
            return rf"\operatorname{{{name}}}\left({_in_text_mode(call[2])}\right)"
        if node.op.infix or node.op.symbol:
            return label.translate(_SIGNS)
        return _in_text_mode(label)

    def needs_parentheses(
        self, node: Node, arg: Code, before: str, after: str, marks: Sequence[str]
    ) -> bool:
        if before.endswith("{") and after.startswith("}"):
            return after.startswith("}^") and arg.precedence < ATOM
        if before.rstrip().endswith(("{cases}", "&", "\\\\")):
            return False  # a case stands alone in its cell
        if before.endswith(("(", "|", ", ")) and after.startswith((")", r"\right", ", ")):
            return False
        if len(marks) == 1 and before.strip() and before.strip() != "-":
            return True  # a function set beside its operand
        if before.strip() and arg.text.startswith("-"):
            return True
        return arg.precedence < ATOM and arg.precedence <= _binding(node, marks) - (not before)

    def precedence(self, node: Node, template: str, marks: Sequence[str]) -> int:
        if template.startswith(r"\frac"):
            return PRODUCT
        number = number_from_dims(node)
        if number is not None:
            return dim_code(number).precedence
        if not marks:
            return UNARY if template.startswith("-") else ATOM
        return _binding(node, marks)

    def enclosed(self, text: str) -> str:
        return rf"\left({text}\right)"


_SIGNS = {
    ord(sign): latex
    for sign, latex in {
        "≤": r"\le",
        "≥": r"\ge",
        "≠": r"\ne",
        "∧": r"\wedge",
        "∨": r"\vee",
        "⊕": r"\oplus",
        "¬": r"\neg ",
        "%": r"\bmod",
        "&": r"\mathbin{\&}",
    }.items()
}


def _marks(count: int) -> list[str]:
    return [chr(_FIRST_OPERAND + i) for i in range(count)]


def _binding(node: Node, marks: Sequence[str]) -> int:
    """Return how tightly the op binds, as its text form does."""
    probe = node.op.text(node, [Code(mark) for mark in marks])
    return probe.precedence


def _leaf_latex(text: str) -> str:
    root = root_of(text)
    if root is not None:
        return root.latex
    if text.endswith("∞"):
        return text.replace("∞", r"\infty")
    if re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", text):
        return power_of_ten(literal_text(text).replace("−", "-"))
    return rf"\text{{{latex_escape(text)}}}"


def _in_text_mode(label: str) -> str:
    """Return a label whose words stand in text mode, and its marks in mathematics."""
    parts = re.split(f"([{chr(_FIRST_OPERAND)}-{chr(_FIRST_OPERAND + 0x1FF)}]|, )", label)
    return "".join(
        part if i % 2 or not part else rf"\text{{{latex_escape(part)}}}"
        for i, part in enumerate(parts)
    )


def _is_elementwise(node: Node) -> bool:
    """Say whether a product is one of arrays, not one by a number."""
    operands = map(bare, node.inputs)
    return all(operand.shape and not is_fill(operand) for operand in operands)


def _outer_order(node: Node) -> list[int] | None:
    """Return the order of operands of which broadcasting makes all pairs, as in x[:, None]*y."""
    places = []
    for operand in node.inputs:
        while is_silent(operand) and operand.inputs[0].ndim == node.ndim:
            operand = operand.inputs[0]
        source = bare(operand)
        own = [axis for axis, dim in enumerate(operand.shape) if dim != 1]
        if not own or operand.ndim != node.ndim or source.ndim != len(own):
            return None
        places.append(own)
    if [*range(node.ndim)] != sorted(axis for own in places for axis in own):
        return None
    order = sorted(range(len(places)), key=lambda i: places[i][0])
    in_order = [axis for i in order for axis in places[i]]
    return order if in_order == sorted(in_order) else None


def _picked(node: Node) -> float | None:
    """Return ±1 where a node is base ± onehot(index): 1 added in one place of each row.

    A statement such as `p[y] += −1` has no place inside a formula.
    """
    marks = _marks(len(node.inputs))
    if len(marks) != 3 or node.op.label(node, marks) != f"{marks[0]}[{marks[2]}] += {marks[1]}":
        return None
    base, added, index = node.inputs
    number = added.attrs["value"] if is_fill(added) else None
    is_one_each = index.ndim == node.ndim and index.shape[node.attrs["axis"]] == 1
    if number not in (1, -1) or is_fill(base) or not is_one_each:
        return None
    return float(number)
