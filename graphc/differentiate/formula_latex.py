"""Formula text in LaTeX, as written: nothing is simplified on the way."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from graphc.ops.formula import parse_formula
from graphc.ops.pointwise import Pointwise
from graphc.ops.registry import OPS

_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: r"\,"}
_COMPARISONS = {
    ast.Lt: "<",
    ast.LtE: r"\le",
    ast.Gt: ">",
    ast.GtE: r"\ge",
    ast.Eq: "=",
    ast.NotEq: r"\ne",
}
_SUM, _PRODUCT, _POWER, _ATOM = range(4)


def formula_latex(text: str, by: str = "x", names: Mapping[str, str] | None = None) -> str:
    """Return a formula in LaTeX; `D(u)` is the derivative of u by `by`.

    `names` gives the LaTeX of variables that are not to be written as they stand.

    >>> formula_latex("exp(-x)/(1 + exp(-x))**2")
    '\\\\frac{e^{-x}}{\\\\left(1 + e^{-x}\\\\right)^{2}}'
    """
    return _Printer(by, names or {}).show(parse_formula(text))[0]


class _Printer:
    def __init__(self, by: str, names: Mapping[str, str]) -> None:
        self.by = by
        self.names = {"pi": r"\pi", "alpha": r"\alpha", **names}

    def show(self, node: ast.expr) -> tuple[str, int]:
        """Return the LaTeX of a formula's syntax tree and how tightly it binds."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id), _ATOM
        if isinstance(node, ast.Constant):
            return str(node.value), _ATOM
        if isinstance(node, ast.UnaryOp):
            return "-" + self.within(node.operand, _PRODUCT), _SUM
        if isinstance(node, ast.BinOp):
            return self.binary(node)
        if isinstance(node, ast.Compare):
            sign = _COMPARISONS[type(node.ops[0])]
            left, right = node.left, node.comparators[0]
            return f"{self.within(left, _SUM)} {sign} {self.within(right, _SUM)}", _SUM
        assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        return self.call(node.func.id, node.args), _ATOM

    def within(self, node: ast.expr, binding: int) -> str:
        text, own = self.show(node)
        return text if own >= binding else rf"\left({text}\right)"

    def binary(self, node: ast.BinOp) -> tuple[str, int]:
        if isinstance(node.op, ast.Div):
            return rf"\frac{{{self.show(node.left)[0]}}}{{{self.show(node.right)[0]}}}", _PRODUCT
        if isinstance(node.op, ast.Pow):
            return f"{self.within(node.left, _ATOM)}^{{{self.show(node.right)[0]}}}", _POWER
        own = _PRODUCT if isinstance(node.op, ast.Mult) else _SUM
        right = self.within(node.right, own + isinstance(node.op, ast.Sub))
        return f"{self.within(node.left, own)} {_SIGNS[type(node.op)]} {right}", own

    def call(self, name: str, args: list[ast.expr]) -> str:
        shown = [self.show(a)[0] for a in args]
        if name == "D":
            return rf"\frac{{d}}{{d{self.by}}}\left[{shown[0]}\right]"
        op = OPS.get(name)
        template = op.tex if isinstance(op, Pointwise) else None
        if template is None:
            function = rf"\operatorname{{{name}}}".replace("_", r"\_")
            return rf"{function}\left({', '.join(shown)}\right)"
        if template.endswith(" {}"):  # `\sin {}`: nothing in it closes around the argument
            shown = [self.within(a, _ATOM) for a in args]
        return template.format(*shown)
