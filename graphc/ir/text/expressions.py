"""Evaluate an expression of the text form: a whitelist of syntax over nodes, numbers and dims.

Nothing of the text is ever executed: each kind of syntax node has one method here, and what has
none is refused. Functions are looked up by name in the table that the parser was given.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn, TypeAlias

import numpy as np

from graphc.errors import GraphError
from graphc.ir.attributes import ArrayLiteral
from graphc.ir.foreign_names import instead_in_text
from graphc.ir.node import Node
from graphc.ir.text.calls import fault_of_call, parameters
from graphc.ir.text.dim_arithmetic import combined_dims, compared_dims
from graphc.ir.text.errors import GraphTextError, Place
from graphc.ir.text.syntax import ATTRIBUTES, BINARY, COMPARE, REFUSED, TRUTH, UNARY
from graphc.ir.text.values import Value, is_dim, is_number, kind, suggestion
from graphc.ir.text.words import DTYPE_WORDS, FORMS, NUMBERS

Functions: TypeAlias = "Mapping[str, Callable[..., Any]]"

#: How deeply an expression may nest; chains of operators such as a + b + c do not count.
MAX_DEPTH = 100
#: The largest power of an integer or a dim, in bits: no text can ask for a huge number.
_MAX_BITS = 1024
#: What stands before a function's name in Python, and not in a text.
_PYTHON = re.compile(r"\bgc\.(?:init\.|nn\.)?")
_CAST = re.compile(r"\b(\w+)\.astype\(")


def in_text(advice: str | None) -> str | None:
    """Return advice for Python in the words of a text: no module's name, and no method."""
    return advice and _CAST.sub(r"astype(\1, ", _PYTHON.sub("", advice))


class Expressions:
    """Values of expressions of one text: names from `env`, functions from `functions`."""

    def __init__(
        self,
        functions: Functions,
        env: dict[str, Value],
        place: Callable[[ast.AST], Place],
        later: Callable[[str], int | None] = lambda name: None,
    ) -> None:
        self.functions = functions
        self.env = env
        self.place = place
        #: The line further down on which a name is given a value, if there is one.
        self.later = later
        self.depth = 0

    def value(self, tree: ast.expr) -> Value:
        """Return what the expression stands for."""
        rule = self._RULES.get(type(tree))
        if rule is None:
            self._refuse(tree)
        if self.depth >= MAX_DEPTH:
            raise too_deep(self.place(tree))
        self.depth += 1
        try:
            return rule(self, tree)
        finally:
            self.depth -= 1

    def node(self, tree: ast.expr, what: str) -> Node:
        """Return the node that the expression stands for, or raise an error about `what`."""
        value = self.value(tree)
        if not isinstance(value, Node):
            raise GraphTextError(
                f"{what} must be a node",
                self.place(tree),
                got=kind(value),
                fix="write full((), number) for a constant" if is_number(value) else None,
            )
        return value

    def error(self, tree: ast.AST, what: str, **rows: Any) -> GraphTextError:
        return GraphTextError(what, self.place(tree), **rows)

    # -- atoms -------------------------------------------------------------------------------

    def _constant(self, tree: ast.Constant) -> Value:
        if tree.value is None or isinstance(tree.value, (bool, int, float, str)):
            return tree.value
        if tree.value is Ellipsis:
            return tree.value
        raise self.error(tree, f"a {type(tree.value).__name__} literal is no part of a graph")

    def _name(self, tree: ast.Name) -> Value:
        for table in (self.env, NUMBERS, DTYPE_WORDS, self.functions):
            if tree.id in table:
                return table[tree.id]
        later = self.later(tree.id)
        if later:
            raise self.error(
                tree,
                f"{tree.id!r} gets its value only on line {later}",
                fix="move that line up; a value cannot depend on itself",
            )
        raise self.error(
            tree,
            f"no value is called {tree.id!r}",
            expected="a name that stands on an earlier line",
            fix=suggestion(tree.id, [*self.env, *self.functions])
            or f"declare it above: {tree.id}: input(f32, …), or {tree.id}: param(f32, …)",
        )

    def _tuple(self, tree: ast.Tuple) -> tuple[Value, ...]:
        return tuple([self.value(item) for item in tree.elts])

    def _list(self, tree: ast.List) -> list[Value]:
        return [self.value(item) for item in tree.elts]

    # -- operators ---------------------------------------------------------------------------

    def _binary(self, tree: ast.BinOp) -> Value:
        chain = []
        first: ast.expr = tree
        while isinstance(first, ast.BinOp):
            chain.append(first)
            first = first.left
        value = self.value(first)
        for step in reversed(chain):
            value = self._combined(step, value, self.value(step.right))
        return value

    def _combined(self, tree: ast.BinOp, left: Value, right: Value) -> Value:
        if type(tree.op) not in BINARY:
            raise self.error(tree, "this operator is no part of a graph")
        name, python = BINARY[type(tree.op)]
        if isinstance(left, Node) or isinstance(right, Node):
            self._check_truth(tree, left, right)
            return self.call(tree, name, [left, right], {})
        if not (is_number(left) and is_number(right)):
            both = f"{kind(left)} and {kind(right)}"
            raise self.error(tree, "an operator needs nodes or numbers", got=both)
        return self._number(tree, python, left, right)

    def _number(self, tree: ast.BinOp, python: Callable[..., Any], left: Any, right: Any) -> Any:
        if isinstance(tree.op, ast.Pow) and type(right) is int:
            bits = left.bit_length() if isinstance(left, int) else 64 if is_dim(left) else 0
            if bits * abs(right) > _MAX_BITS:
                raise self.error(tree, "the exponent of a number is too large", got=str(right))
        if is_dim(left) or is_dim(right):
            return self.guarded(tree, combined_dims, tree.op, left, right)
        try:
            result = python(left, right)
        except (ArithmeticError, TypeError) as problem:
            raise self.error(tree, f"cannot compute this number: {problem}") from None
        if not is_number(result):
            raise self.error(tree, "this is not a real number")
        return result

    def _unary(self, tree: ast.UnaryOp) -> Value:
        if type(tree.op) not in UNARY:
            raise self.error(tree, "`not` is no part of a graph", fix="write logical_not(x)")
        name, python = UNARY[type(tree.op)]
        operand = self.value(tree.operand)
        if isinstance(operand, Node):
            self._check_truth(tree, operand)
            return self.call(tree, name, [operand], {})
        if not is_number(operand) or isinstance(tree.op, ast.Invert):
            raise self.error(tree, "an operator needs a node or a number", got=kind(operand))
        return python(operand)

    def _check_truth(self, tree: ast.BinOp | ast.UnaryOp, *operands: Value) -> None:
        """Refuse &, |, ^ and ~ of numbers: graphs have no bitwise arithmetic."""
        if type(tree.op) not in TRUTH:
            return
        symbol, fix = TRUTH[type(tree.op)]
        for x in operands:
            if not (x.dtype.kind == "b" if isinstance(x, Node) else isinstance(x, bool)):
                got = str(x.type) if isinstance(x, Node) else kind(x)
                raise self.error(
                    tree, f"{symbol} works on truth values", got=got, expected="bool", fix=fix
                )

    def _compare(self, tree: ast.Compare) -> Value:
        if len(tree.ops) > 1:
            raise self.error(
                tree,
                "comparisons cannot be chained",
                fix="write logical_and(a < b, b < c)",
            )
        if type(tree.ops[0]) not in COMPARE:
            raise self.error(tree, "`is` and `in` are no part of a graph")
        left, right = self.value(tree.left), self.value(tree.comparators[0])
        if not (isinstance(left, Node) or isinstance(right, Node)):
            truth = self.guarded(tree, compared_dims, tree.ops[0], left, right)
            if truth is not None:
                return truth
            raise self.error(tree, "a comparison needs a node", got=kind(left))
        return self.call(tree, COMPARE[type(tree.ops[0])], [left, right], {})

    # -- indexing and attributes -------------------------------------------------------------

    def _subscript(self, tree: ast.Subscript) -> Value:
        array = self.value(tree.value)
        if isinstance(tree.slice, ast.Tuple):
            index: Value = tuple([self._index(item) for item in tree.slice.elts])
        else:
            index = self._index(tree.slice)
        if isinstance(array, (tuple, list)) and type(index) is int:
            if not -len(array) <= index < len(array):
                raise self.error(tree, f"there are only {len(array)} values", got=str(index))
            return array[index]
        if not isinstance(array, Node):
            raise self.error(tree.value, "only a node can be indexed", got=kind(array))
        return self.call(tree, "getitem", [array, index], {})

    def _index(self, tree: ast.expr) -> Value:
        if isinstance(tree, ast.Slice):
            bounds = (tree.lower, tree.upper, tree.step)
            return slice(*[None if bound is None else self.value(bound) for bound in bounds])
        return self.value(tree)

    def _attribute(self, tree: ast.Attribute) -> Value:
        if tree.attr not in ATTRIBUTES:
            raise self.error(
                tree,
                f"attribute {tree.attr!r} is no part of the text form",
                expected=".T or .mT",
                fix=self._instead(tree.attr),
            )
        array = self.value(tree.value)
        if not isinstance(array, Node):
            raise self.error(tree.value, "only a node can be transposed", got=kind(array))
        return self.call(tree, ATTRIBUTES[tree.attr], [array], {})

    # -- calls -------------------------------------------------------------------------------

    def _called(self, tree: ast.Call) -> Value:
        name = self.function_name(tree)
        if name == "named":
            raise self.error(
                tree,
                "named(...) stands only at the start of a line's expression",
                fix='write y = named(x + 1, "a name")',
            )
        if name == "node":
            return self._exact(tree)
        if name in FORMS:
            raise self.error(
                tree,
                f"{name}(...) is no function of values",
                fix=f"declare it on a line of its own: x: {name}(...)"
                if name in ("input", "param", "dim")
                else None,
            )
        if isinstance(self.env.get(name), Node):
            raise self.error(
                tree.func,
                f"{name!r} is a value here, so it cannot be called",
                fix=f"call the value {name}_, and {name}(...) is the function again"
                if name in self.functions
                else None,
            )
        if callable(self.env.get(name)):
            raise self.error(
                tree.func,
                f"{name!r} is a `def`, the body of a loop, so only a scan runs it",
                fix=f"write y, = scan({name}, xs=x), or its formula in a line of its own",
            )
        if name not in self.functions:
            raise self.error(
                tree.func,
                f"no function is called {name!r}",
                fix=instead_in_text(name) or suggestion(name, list(self.functions)),
            )
        return self.call(tree, name, [self.value(a) for a in tree.args], self.keywords(tree))

    def function_name(self, tree: ast.Call) -> str:
        """Return the name of the called function; only a bare name may be called."""
        if isinstance(tree.func, ast.Name):
            return tree.func.id
        if isinstance(tree.func, ast.Attribute):
            raise self.error(
                tree.func,
                "methods and modules are no part of the text form",
                fix=self._instead(tree.func.attr),
            )
        raise self.error(tree.func, "only a function's name can be called")

    def _instead(self, attribute: str) -> str | None:
        """Return what stands for an attribute or a method, or for a name of a module."""
        if attribute in NUMBERS:
            return f"write {attribute}"
        known = f"write {attribute}(x, ...)" if attribute in self.functions else None
        return instead_in_text(attribute) or known

    def keywords(self, tree: ast.Call) -> dict[str, Value]:
        """Return the keyword arguments of a call."""
        values = {}
        for keyword in tree.keywords:
            if keyword.arg is None:
                raise self.error(keyword.value, "`**` is no part of a call", fix="write them out")
            word = keyword.value.id if isinstance(keyword.value, ast.Name) else None
            if keyword.arg == "dtype" and word in DTYPE_WORDS:
                values[keyword.arg] = DTYPE_WORDS[word]
            else:
                values[keyword.arg] = self.value(keyword.value)
        return values

    def _exact(self, tree: ast.Call) -> Value:
        """Return `node(op, *inputs, **attributes)`: one node of an op, exactly as it says."""
        if not tree.args or not isinstance(tree.args[0], ast.Name):
            raise self.error(tree, "node(...) starts with an op", expected="node(reshape, x, …)")
        inputs = [self.node(a, "an input of a node") for a in tree.args[1:]]
        attributes = self.keywords(tree)
        for word, value in attributes.items():
            if isinstance(value, list):
                array = np.array(value, attributes.get("dtype"))
                attributes[word] = ArrayLiteral(array.reshape(attributes.get("shape", array.shape)))
        return self.call(tree, "node", [tree.args[0].id, *inputs], attributes)

    def call(
        self, tree: ast.AST, name: str, args: list[Value], keywords: dict[str, Value]
    ) -> Value:
        """Return a function's result; whatever it objects to is told at the place of the call."""
        if name not in self.functions:
            raise self.error(tree, f"the function {name!r} is not available here")
        try:
            return self.guarded(tree, self.functions[name], *args, **keywords)
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as problem:
            raise self._misused(tree, name, args, keywords, problem) from problem

    def guarded(self, tree: ast.AST, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Return a function's result; a GraphError that it raises is told at this place."""
        try:
            return function(*args, **named)
        except GraphTextError:
            raise
        except GraphError as problem:
            raise self.error(
                tree,
                problem.what,
                got=problem.got,
                expected=problem.expected,
                fix=in_text(problem.fix),
            ) from problem

    def _misused(
        self,
        tree: ast.AST,
        name: str,
        args: list[Value],
        keywords: dict[str, Value],
        problem: Exception,
    ) -> GraphTextError:
        function = self.functions[name]
        fault = fault_of_call(name, function, args, keywords)
        known = parameters(function)
        expected = f"{name}({', '.join(known)})" if known else None
        if fault is None:
            return self.error(tree, f"{name}: {problem}", expected=expected)
        if fault.keyword is not None and isinstance(tree, ast.Call):
            tree = next(k for k in tree.keywords if k.arg == fault.keyword)
        fix = in_text(fault.fix)
        return self.error(tree, fault.what, got=fault.got, expected=expected, fix=fix)

    def _refuse(self, tree: ast.expr) -> NoReturn:
        what, fix = REFUSED.get(type(tree), ("this syntax", None))
        raise self.error(
            tree, f"{what} is no part of the text form, which is data and never runs", fix=fix
        )

    _RULES: ClassVar[dict[type[ast.expr], Callable[[Expressions, Any], Value]]] = {
        ast.Constant: _constant,
        ast.Name: _name,
        ast.Tuple: _tuple,
        ast.List: _list,
        ast.BinOp: _binary,
        ast.UnaryOp: _unary,
        ast.Compare: _compare,
        ast.Subscript: _subscript,
        ast.Attribute: _attribute,
        ast.Call: _called,
    }


def too_deep(place: Place) -> GraphTextError:
    return GraphTextError(
        "the expression is nested too deeply",
        place,
        expected=f"at most {MAX_DEPTH} levels, and a few thousand terms in a row",
        fix="give parts of it a line and a name of their own",
    )
