"""How does a node's function read? Op labels over operands' names, with only needed parentheses.

Each op states its own label (`Op.label`) and how tightly its operator binds (`Op.text`); nothing
here knows an op by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from graphc.draw.dim_formula import dim_code, number_from_dims
from graphc.draw.typography import literal_text, number_text, raised_exponents
from graphc.ir.code import ATOM, COMPARISON, POWER, PRODUCT, SUM, UNARY, Code
from graphc.ir.node import Node
from graphc.ops.contraction.triangles import diagonal, kept_triangle

_FIRST_MARK = 0xE000  # private-use letters stand for operands while a label is composed
_MOST_OPERANDS = 64
_SPACED_COLON = re.compile(r" ?: ?")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_OPENING, _CLOSING = "([{,|⌊", ")]},|⌋"


def name_code(name: str) -> Code:
    """Return a variable's name as an operand."""
    return Code(name if name.isalnum() or " " not in name else f"‹{name}›")


def formula(node: Node, args: Sequence[Code], *, tight: bool = False) -> Code:
    """Return a node's function over its operands' formulas.

    `tight` sets products of a number or a name with what follows as `2x` and `ū cos t`.
    """
    if not node.inputs:
        return _leaf(node)
    if len(node.inputs) > _MOST_OPERANDS:
        return Code(f"{node.op.name}({args[0].text}, … {len(node.inputs)} operands)")
    short = _of_triangle(node, args)
    if short is not None:
        return short
    marks = [chr(_FIRST_MARK + i) for i in range(len(args))]
    template = _typeset(raised_exponents(_with_constant_exponent(node, args, marks)))
    probe = node.op.text(node, [Code(m, a.precedence) for m, a in zip(marks, args, strict=True)])
    pieces = re.split(f"([{marks[0]}-{marks[-1]}])", template)
    product = is_product(node)
    if product and tight and _sets_tight(args):
        return Code(_tight(args), PRODUCT)
    shown = []
    for at, piece in enumerate(pieces):
        if piece not in marks or not piece:
            shown.append(piece)
            continue
        arg = args[marks.index(piece)]
        before, after = "".join(pieces[:at]).rstrip(), "".join(pieces[at + 1 :]).lstrip()
        wrap = _needs_parentheses(arg, piece, before, after, probe)
        if wrap and product and arg.precedence == PRODUCT and "/" not in arg.text:
            wrap = False  # a product is associative: a · b · c
        shown.append(f"({arg.text})" if wrap else arg.text)
    return Code("".join(shown), _precedence(template, probe))


def _of_triangle(node: Node, args: Sequence[Code]) -> Code | None:
    """Return a mask of places as `j < i`, and what it cuts out of a matrix as `tril(x, −1)`.

    Masks that have a name stay as they are, since an edge leads from them.
    """
    k = diagonal(node)
    if k is not None and "(" in args[0].text:
        shift = f" {'+' if k > 0 else '−'} {abs(k)}" if k else ""
        return Code("j < i" if k == -1 else f"j ≤ i{shift}", COMPARISON)
    cut = kept_triangle(node) if args[0].precedence == COMPARISON else None
    if cut is None:
        return None
    name, index, k = cut
    return Code(f"{name}({args[index].text}{f', {number_text(k)}' if k else ''})")


def _typeset(label: str) -> str:
    """Return a label with true minus signs, and without the spaces of code: `x[T − 1:]`."""
    slices = re.sub(r"\[[^\[\]]*:[^\[\]]*\]", lambda found: _SPACED_COLON.sub(":", found[0]), label)
    return slices.replace(" - ", " − ")


def is_product(node: Node) -> bool:
    """Say whether the node multiplies elements: `a*b`."""
    return node.op.infix == "*"


def exponent_index(node: Node) -> int | None:
    """Return which operand the node's formula raises as an exponent, if one is."""
    return 1 if node.op.infix == "**" else None


def _leaf(node: Node) -> Code:
    number = number_from_dims(node)
    if number is not None:
        return dim_code(number)
    label = node.op.label(node, [])
    root = root_of(label)
    if root is not None:
        return Code(root.text, ATOM if root.factor == 1 else PRODUCT)
    text = _typeset(literal_text(label))
    negative = text.startswith("−")
    return Code(text, UNARY if negative else ATOM if _is_simple(text) else SUM)


def _is_simple(text: str) -> bool:
    return " " not in text or text.endswith((")", "]"))


def _with_constant_exponent(node: Node, args: Sequence[Code], marks: Sequence[str]) -> str:
    """Return the label over marks, with a simple exponent written out so that it can be raised."""
    index = exponent_index(node)
    words = list(marks)
    if index is not None and re.fullmatch(r"[−-]?\w+(\.\d+)?", args[index].text):
        words[index] = args[index].text
    return node.op.label(node, words)


def _needs_parentheses(arg: Code, mark: str, before: str, after: str, probe: Code) -> bool:
    if arg.precedence == ATOM:
        return False
    if (not before or before[-1] in _OPENING) and (not after or after[0] in _CLOSING):
        return False
    if before and before[-1] in "+−·/⊗" and arg.text.startswith("−"):
        return True
    if before and before[-1] in "<>≤≥=≠" and arg.precedence >= SUM:
        return False
    if probe.precedence == ATOM and f"({mark})" not in probe.text.removeprefix("("):
        return arg.precedence < ATOM
    if probe.precedence == ATOM:  # the text form is a call, the label is not: `sin {}`
        return True
    return f"({mark})" in probe.text


def _precedence(template: str, probe: Code) -> int:
    """Return how tightly the label binds: as its text form does, or as its look suggests."""
    if probe.precedence < ATOM:
        return probe.precedence
    bare = re.sub(r"\([^()]*\)|\[[^\[\]]*\]|\|[^|]*\|", "", template).strip()
    if re.search(r" ([<>≤≥=≠∧∨]|\+=) ", bare):
        return COMPARISON
    if re.search(r" [+−] ", bare):
        return SUM
    if re.search(r" [·/⊗] ", bare):
        return PRODUCT
    if " " in bare or bare.startswith(("−", "√", "¬")):
        return UNARY
    return ATOM if template.endswith((")", "]", "|")) or not bare else POWER


def _sets_tight(args: Sequence[Code]) -> bool:
    left, right = args
    if _NUMBER.fullmatch(left.text):
        short = re.fullmatch(r"[^\W\d_]{1,2}[^\s(\[A-Za-z]*", right.text)
        return right.precedence in (ATOM, POWER) and short is not None
    return left.precedence == ATOM and right.precedence == UNARY and right.text[:1].isalpha()


def _tight(args: Sequence[Code]) -> str:
    left, right = args
    gap = "" if _NUMBER.fullmatch(left.text) else " "  # 2x, but ū cos t
    return left.text + gap + right.text


def expression(
    root: Node,
    order: Sequence[Node],
    known: Mapping[Node, Code],
    through: Callable[[Node], bool],
) -> Code:
    """Return the formula of a small graph: `order` holds its nodes, operands first.

    `known` gives the nodes that have a name; nodes for which `through` holds are left out, their
    first operand standing for them.
    """
    texts: dict[Node, Code] = dict(known)
    for node in order:
        if node in texts:
            continue
        args = [texts[operand] for operand in node.inputs]
        texts[node] = args[0] if through(node) else formula(node, args, tight=True)
    return texts[root]


# -- decimals that are roots ---------------------------------------------------------------------

_RADICANDS = {
    "2": 2.0,
    "3": 3.0,
    "π": math.pi,
    "2π": 2 * math.pi,
    "2/π": 2 / math.pi,
}
#: How many digits must agree: a short decimal is meant as it stands.
_DIGITS = 7


@dataclass(frozen=True)
class Root:
    """A root, or twice one."""

    factor: int
    radicand: str

    @property
    def text(self) -> str:
        """`√2`, `2√π`, `√(2π)`."""
        inside = self.radicand if len(self.radicand) == 1 else f"({self.radicand})"
        return f"{self._factor}√{inside}"

    @property
    def latex(self) -> str:
        r"""`\sqrt{2}`, `2\sqrt{\pi}`."""
        inside = self.radicand.replace("π", r"\pi")
        return rf"{self._factor}\sqrt{{{inside}}}"

    @property
    def _factor(self) -> str:
        return "" if self.factor == 1 else str(self.factor)


def root_of(text: str) -> Root | None:
    """Return the root that a decimal stands for, rounded to one of the float types.

    >>> root_of("1.4142135").text, root_of("3.5449077018110318").text, root_of("1.41")
    ('√2', '2√π', None)
    """
    digits = text.replace(".", "").lstrip("0")
    if not digits.isdigit() or len(digits) < _DIGITS:
        return None
    tolerance = 1e-6 if len(digits) < 12 else 1e-14
    for radicand, value in _RADICANDS.items():
        for factor in (1, 2):
            if math.isclose(float(text), factor * math.sqrt(value), rel_tol=tolerance):
                return Root(factor, radicand)
    return None
