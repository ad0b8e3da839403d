"""Formula text in LaTeX, as written: nothing is simplified on the way."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from graphc.ir.latex_names import latex_escape, name_latex
from graphc.ops.elementwise.formula import parse_formula
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.registry import OPS

_SIGNS = {ast.Add: "+", ast.Sub: "-"}
_COMPARISONS = {
    ast.Lt: "<",
    ast.LtE: r"\le",
    ast.Gt: ">",
    ast.GtE: r"\ge",
    ast.Eq: "=",
    ast.NotEq: r"\ne",
}
_LOGIC = {"and": r"\wedge", "or": r"\vee", "xor": r"\oplus"}
#: How tightly formulas bind; `\sin x` stands bare in a product only as its last factor.
_SUM, _PRODUCT, _FUNCTION, _FRACTION, _POWER, _ATOM = range(6)
#: Signs of a rule that formula text writes otherwise.
_RAISED = {"ⁿ⁻¹": "**(n - 1)", "ⁿ": "**n", "ᵛ": "**v", "²": "**2", "·": "*"}
_FIRST_SLOT = 0xE000  # private letters stand for operands while a template is read


def formula_latex(
    text: str, derivative: str = r"\frac{d}{dx}", names: Mapping[str, str] | None = None
) -> str:
    """Return a formula in LaTeX; `derivative` stands before what `D(u)` derives.

    `names` gives the LaTeX of variables whose own names are not to be read. A comparison that
    stands for a number is in brackets: [x > 0] is 1 where it holds, else 0.

    >>> formula_latex("exp(-x)/(1 + exp(-x))**2")
    '\\\\frac{e^{-x}}{\\\\left(1 + e^{-x}\\\\right)^{2}}'
    """
    return _Printer(derivative, names or {}).show(parse_formula(text))[0]


def rule_latex(rule: str, names: Mapping[str, str] | None = None) -> str:
    """Return a rule in LaTeX: its words in text mode, what it states in mathematics.

    `names` gives the LaTeX of variables. Letters of a rule that holds for all are not among them.

    >>> rule_latex("reciprocal rule: (1/u)' = -u'/u²")
    "\\\\text{reciprocal rule: }\\\\left(\\\\frac{1}{u}\\\\right)' = -\\\\frac{u'}{u^{2}}"
    """
    if rule.startswith("by "):
        equations = [_equation(part, names or {}) for part in rule[3:].split(" and ")]
        return r"\text{by }" + r"\text{ and }".join(equations)
    words, colon, statement = rule.rpartition(": ")
    if "=" not in statement:
        return rf"\text{{{latex_escape(rule)}}}"
    before = rf"\text{{{latex_escape(words + colon)}}}" if colon else ""
    return before + _equation(statement, {})


def _equation(text: str, names: Mapping[str, str]) -> str:
    """Return an equation of a rule, whose signs need not be those of formula text."""
    printer = _Printer("", names)
    sides = [printer.show(parse_formula(_plain(side)))[0] for side in text.split(" = ")]
    return " = ".join(sides)


def _plain(statement: str) -> str:
    """Return a side of a rule as formula text: `n·uⁿ⁻¹·u'` as `n*u**(n - 1)*prime(u)`."""
    for sign, text in _RAISED.items():
        statement = statement.replace(sign, text)
    while "'" in statement:
        end = statement.index("'")
        start = _operand_start(statement, end)
        primed = statement[start:end]
        statement = f"{statement[:start]}prime({primed}){statement[end + 1 :]}"
    return statement


def _operand_start(text: str, end: int) -> int:
    """Return where the operand begins that ends at `end`: a name, a call or a parenthesis."""
    start, depth = end, 0
    while start and (depth or start == end or text[start - 1].isalnum()):
        start -= 1
        depth += {")": 1, "(": -1}.get(text[start], 0)
    return start


def _without_sign(node: ast.expr) -> tuple[ast.expr, bool]:
    """Return a product or quotient without the sign before its first factor."""
    if isinstance(node, ast.UnaryOp):
        return node.operand, True
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div))):
        return node, False
    left, is_negative = _without_sign(node.left)
    return ast.BinOp(left, node.op, node.right), is_negative


def _factors(node: ast.expr) -> list[ast.expr]:
    """Return the factors of a product as it is written, from left to right."""
    found = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        found.append(node.right)
        node = node.left
    return [node, *reversed(found)]


class _Printer:
    def __init__(self, derivative: str, names: Mapping[str, str]) -> None:
        self.derivative = derivative
        self.names = names

    def show(self, node: ast.expr) -> tuple[str, int]:
        """Return the LaTeX of a formula's syntax tree and how tightly it binds."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id) or name_latex(node.id), _ATOM
        if isinstance(node, ast.Constant):
            return str(node.value), _ATOM
        if isinstance(node, ast.UnaryOp):
            return "-" + self.within(node.operand, _PRODUCT), _SUM
        if isinstance(node, ast.BinOp):
            return self.binary(node)
        condition = self.condition(node)
        if condition is not None:
            return rf"\left[{condition}\right]", _ATOM
        assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        return self.call(node.func.id, node.args)

    def within(self, node: ast.expr, binding: int) -> str:
        text, own = self.show(node)
        return text if own >= binding else rf"\left({text}\right)"

    def binary(self, node: ast.BinOp) -> tuple[str, int]:
        if isinstance(node.op, ast.Pow):
            return self.power(node)
        if isinstance(node.op, (ast.Mult, ast.Div)):
            magnitude, is_negative = _without_sign(node)
            text, binding = self.fraction_or_product(magnitude)
            return ("-" + text, _SUM) if is_negative else (text, binding)
        right = self.within(node.right, _SUM + isinstance(node.op, ast.Sub))
        return f"{self.show(node.left)[0]} {_SIGNS[type(node.op)]} {right}", _SUM

    def power(self, node: ast.BinOp) -> tuple[str, int]:
        """Return a power; that of a function is written as `\\sin^{2} x`."""
        base, binding = self.show(node.left)
        exponent = self.show(node.right)[0]
        called = re.match(r"\\[a-z]+(?= )", base)
        if binding == _FUNCTION and called and exponent.isdigit():
            return f"{called[0]}^{{{exponent}}}{base[called.end() :]}", _FUNCTION
        return f"{self.within(node.left, _ATOM)}^{{{exponent}}}", _POWER

    def fraction_or_product(self, node: ast.expr) -> tuple[str, int]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            sides = self.show(node.left)[0], self.show(node.right)[0]
            return r"\frac{{{}}}{{{}}}".format(*sides), _FRACTION
        *factors, last = _factors(node)
        shown = [self.within(factor, _FRACTION) for factor in factors]
        return r" \, ".join([*shown, self.within(last, _PRODUCT)]), _PRODUCT

    def condition(self, node: ast.expr) -> str | None:
        """Return what holds or does not: a comparison, or several with `and` and `or`."""
        if isinstance(node, ast.Compare):
            sides = [self.within(side, _SUM) for side in (node.left, node.comparators[0])]
            return f" {_COMPARISONS[type(node.ops[0])]} ".join(sides)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return None
        kind = node.func.id.removeprefix("logical_")
        parts = [self.condition(a) or self.show(a)[0] for a in node.args]
        if kind == node.func.id:
            return None
        if kind == "not":
            return rf"\neg \left({parts[0]}\right)"
        nested = [a for a in node.args if isinstance(a, ast.Call) and a.func != node.func]
        same = all(ast.unparse(a.func) == node.func.id for a in nested)
        shown = parts if same else [rf"\left({part}\right)" for part in parts]
        return f" {_LOGIC[kind]} ".join(shown)

    def call(self, name: str, args: list[ast.expr]) -> tuple[str, int]:
        if name == "D":
            return rf"{self.derivative}\left[{self.show(args[0])[0]}\right]", _ATOM
        if name == "prime":
            return f"{self.within(args[0], _ATOM)}'", _POWER
        if name == "where":
            return self.cases(args), _ATOM
        op = OPS.get(name)
        template = op.tex if isinstance(op, Pointwise) else None
        if template is None:
            shown = ", ".join(self.show(a)[0] for a in args)
            function = rf"\operatorname{{{name}}}".replace("_", r"\_")
            return rf"{function}\left({shown}\right)", _ATOM
        return self.filled(template, args)

    def cases(self, args: list[ast.expr]) -> str:
        """Return the cases of nested choices one below the other."""
        rows = []
        rest: ast.expr = ast.Call(ast.Name("where"), args, [])
        while isinstance(rest, ast.Call) and ast.unparse(rest.func) == "where":
            condition, then, rest = rest.args
            holds = self.condition(condition) or self.show(condition)[0]
            rows.append(f"{self.show(then)[0]} & {holds}")
        rows.append(rf"{self.show(rest)[0]} & \text{{otherwise}}")
        lines = r" \\ ".join(rows)
        return rf"\begin{{cases}} {lines} \end{{cases}}"

    def filled(self, template: str, args: list[ast.expr]) -> tuple[str, int]:
        """Return a function's LaTeX with its operands; what it does not enclose is an atom."""
        slots = [chr(_FIRST_SLOT + i) for i in range(len(args))]
        shown = template.format(*slots)
        for slot, arg in zip(slots, args, strict=True):
            before, after = shown.split(slot)
            is_enclosed = before.endswith(("{", "(", "|", ", ")) and not after.startswith("}^")
            text = self.show(arg)[0] if is_enclosed else self.within(arg, _ATOM)
            shown = before + text + after
        if template.endswith(" {}"):
            return shown, _FUNCTION
        if re.fullmatch(r".*\^\{*\S*", template):
            return shown, _POWER
        if template.startswith(r"\frac"):
            return shown, _FRACTION
        return shown, _ATOM if template.startswith("\\") else _SUM
