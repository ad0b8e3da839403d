"""How does a size read in a formula? `2N · T²`, `⌊(W − 3)/2⌋ + 1`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from graphc.draw.typography import superscript
from graphc.ir.code import ATOM, POWER, PRODUCT, SUM, UNARY, Code
from graphc.ir.dims import Dim, Shape, dim_text
from graphc.ir.node import Node
from graphc.ir.symbols import sympy_module
from graphc.ops.leaf import is_fill

_SIGNS = {
    ast.Add: (" + ", SUM),
    ast.Sub: (" − ", SUM),
    ast.Mult: (" · ", PRODUCT),
    ast.Div: ("/", PRODUCT),
}


def dim_code(dim: Dim) -> Code:
    """Return a dim as mathematics writes it.

    >>> from graphc.ir.dims import floor_divide
    >>> from graphc.ir.dim_symbols import dim_symbol
    >>> N, T = dim_symbol("N"), dim_symbol("T")
    >>> dim_code(2 * N * T**2).text, dim_code(N * (floor_divide(T - 3, 2) + 1)).text
    ('2N · T²', 'N · (⌊(T − 3)/2⌋ + 1)')
    """
    text = dim_text(dim)
    try:
        return _written(ast.parse(text, mode="eval").body)
    except SyntaxError:  # a dim may have a keyword's name
        return Code(text, ATOM if " " not in text else SUM)


def dim_formula(dim: Dim) -> str:
    return dim_code(dim).text


def dim_latex(dim: Dim) -> str:
    r"""Return a dim as LaTeX.

    >>> from graphc.ir.dim_symbols import dim_symbol
    >>> print(dim_latex(2 * dim_symbol("N") ** 2))
    2 N^{2}
    """
    return str(dim) if isinstance(dim, int) else str(sympy_module().latex(dim))


def number_from_dims(node: Node) -> Dim | None:
    """Return the number that a node fills its places with, if that is made from dims."""
    value = node.attrs["value"] if is_fill(node) else None
    return None if isinstance(value, (bool, int, float)) else value


def shape_formula(shape: Shape) -> str:
    """Return a shape as a picture tells it: `[N, 2T]`."""
    return f"[{', '.join(map(dim_formula, shape))}]"


def sizes_formula(sizes: Iterable[Dim]) -> str:
    """Return the sizes of a window: `3×3`."""
    return "×".join(map(dim_formula, sizes))


def short_sizes(sizes: Iterable[Dim]) -> str:
    """Return what holds along each axis, once where it is the same: `2`, `1×2`."""
    texts = [dim_formula(size) for size in sizes]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


def unusual(word: str, sizes: Sequence[Dim], usual: int = 1) -> str:
    """Return `, stride 2`; nothing where it is along each axis as usual."""
    return f", {word} {short_sizes(sizes)}" if any(size != usual for size in sizes) else ""


def _written(tree: ast.expr) -> Code:
    if isinstance(tree, ast.UnaryOp):
        return Code(f"−{_written(tree.operand).within(UNARY)}", UNARY)
    if not isinstance(tree, ast.BinOp):
        return Code(ast.unparse(tree))
    left, right = _written(tree.left), _written(tree.right)
    if isinstance(tree.op, ast.FloorDiv):
        return Code(f"⌊{left.within(PRODUCT)}/{right.within(UNARY)}⌋")
    if isinstance(tree.op, ast.Pow):
        raised = superscript(right.text) or f"^{right.within(ATOM)}"
        return Code(f"{left.within(ATOM)}{raised}", POWER)
    sign, precedence = _SIGNS[type(tree.op)]
    is_coefficient = isinstance(tree.left, ast.Constant) and right.text[0].isalpha()
    is_short = len(right.text.rstrip("⁰¹²³⁴⁵⁶⁷⁸⁹")) < 3
    if isinstance(tree.op, ast.Mult) and is_coefficient and is_short:
        sign = ""  # 2N, but 2 · batch
    later = precedence + (not isinstance(tree.op, (ast.Add, ast.Mult)))
    return Code(f"{left.within(precedence)}{sign}{right.within(later)}", precedence)
