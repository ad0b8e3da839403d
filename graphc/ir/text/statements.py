"""What each kind of statement means: declarations, assignments, blocks, outputs and updates."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from graphc.ir.dim_symbols import dim_symbol
from graphc.ir.dims import Dim, as_dim
from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, FORWARD, UPDATE, Origin, inherit
from graphc.ir.text.blocks import OPENING, Block
from graphc.ir.text.errors import GraphTextError, Place
from graphc.ir.text.expressions import Expressions, Functions
from graphc.ir.text.misread import FIXES, NAMES, miscounted, one_by_one, without_value
from graphc.ir.text.values import Value, is_dim, is_number, kind, suggestion, unpacking
from graphc.ir.text.words import DTYPE_WORDS, FORMS, RESERVED
from graphc.ir.types import TensorType

_PHASES = (FORWARD, BACKWARD, UPDATE)


class Statements:
    """Everything that the statements of one text have built so far."""

    def __init__(
        self,
        functions: Functions,
        filename: str,
        place: Callable[[ast.AST], Place],
        later: Callable[[str], int | None],
    ) -> None:
        self.filename = filename
        self.env: dict[str, Value] = {}
        self.expressions = Expressions(functions, self.env, place, later)
        self.place = place
        self.inputs: dict[str, Node] = {}
        self.params: dict[str, Node] = {}
        self.outputs: dict[str, Node] = {}
        self.updates: dict[str, Node] = {}
        #: Names of nodes that cannot carry one themselves: others hold them already.
        self.names: dict[Node, str] = {}
        #: Whether the lines of a loop body are being read.
        self.is_local = False
        self._declared: dict[str, int] = {}
        self._line = 0
        self._origin = Origin(filename)

    def run(self, tree: ast.stmt, block: Block, line: int) -> None:
        """Read one statement."""
        rule = self._RULES.get(type(tree))
        if rule is None:
            what = NAMES.get(type(tree), f"`{type(tree).__name__.lower()}`")
            raise self.error(
                tree,
                f"{what} is no part of the text form, which is data and never runs",
                fix=FIXES.get(type(tree)),
            )
        self._line = line
        self._origin = Origin(self.filename, line)
        with inherit(block.provenance(self._origin)):
            rule(self, tree)

    def error(self, tree: ast.AST, what: str, **rows: Any) -> GraphTextError:
        return GraphTextError(what, self.place(tree), **rows)

    # -- loop bodies -------------------------------------------------------------------------

    def define(self, tree: ast.FunctionDef, function: Callable[..., Any]) -> None:
        """Bind the name of a `def`."""
        name = tree.name
        if name in RESERVED or name in FORMS or is_dim(self.env.get(name)):
            raise GraphTextError(f"a loop body cannot be called {name!r}", self.place(tree))
        self.env[name] = function
        self._declared[name] = self._line

    @contextmanager
    def local(self, values: Mapping[str, Value]) -> Iterator[None]:
        """Read the enclosed lines with names of their own; what they bind is forgotten."""
        env, declared, names = dict(self.env), dict(self._declared), dict(self.names)
        line, origin, is_local = self._line, self._origin, self.is_local
        self.env.update(values)
        self.is_local = True
        try:
            yield
        finally:
            self.env.clear()
            self.env.update(env)
            self._declared, self.is_local = declared, is_local
            self.names = names
            self._line, self._origin = line, origin

    def returned(self, trees: Sequence[ast.stmt], block: Block, line: int) -> Value:
        """Return the value of the `return` that ends a body."""
        tree = trees[0]
        if not isinstance(tree, ast.Return) or tree.value is None or len(trees) > 1:
            raise self.error(
                tree, "a loop body ends by returning values", expected="return h_next, emitted"
            )
        self._line, self._origin = line, Origin(self.filename, line)
        with inherit(block.provenance(self._origin)):
            return self.expressions.value(tree.value)

    def _refuse_inside(self, tree: ast.AST, what: str) -> None:
        if self.is_local:
            raise self.error(tree, f"{what} has no place in a loop body", fix="move it out")

    def opened_block(self, tree: ast.With, block: Block) -> Block:
        """Return the block that `with scope("…"):` and its like open inside another."""
        for item in tree.items:
            call = item.context_expr
            arguments = call.args if isinstance(call, ast.Call) and not call.keywords else []
            argument = arguments[0] if len(arguments) == 1 else call
            text = argument.value if isinstance(argument, ast.Constant) else None
            word = called_word(call)
            if word not in OPENING or item.optional_vars or not isinstance(text, str):
                raise self.error(
                    call,
                    "not a block",
                    expected='with scope("name"):, checkpoint("name"): or phase("backward"):',
                )
            if word == "phase" and text not in _PHASES:
                raise self.error(argument, "no such phase", expected=", ".join(_PHASES))
            block = block.opened(word, text)
        return block

    # -- declarations ------------------------------------------------------------------------

    def _annotated(self, tree: ast.AnnAssign) -> None:
        target, annotation = self._target(tree.target), tree.annotation
        word = called_word(annotation)
        if tree.value is not None:
            self._assign(target, tree.value, annotation)
        elif isinstance(annotation, ast.Call) and word in ("input", "param"):
            self._declare_leaf(target, word, annotation)
        elif word == "dim" or (isinstance(annotation, ast.Name) and annotation.id == "dim"):
            self._declare_dim(target, annotation)
        else:
            meant = word and suggestion(word, ["input", "param", "dim"])
            raise self.error(
                annotation,
                "not a declaration",
                expected="x: input(f32, N, 784), W: param(f32, 784, 10) or N: dim",
                fix=meant or "give the value: z: f32[N, 10] = …",
            )

    def _declare_leaf(self, target: ast.Name, word: str, call: ast.Call) -> None:
        self._refuse_inside(call, f"{word}(...)")
        self._refuse_second(target)
        first = call.args[0] if call.args else None
        dtype = DTYPE_WORDS.get(first.id) if isinstance(first, ast.Name) else None
        if dtype is None:
            raise self.error(
                first or call,
                f"{word} starts with a dtype",
                expected="f32, f64, i32, i64 or bool",
                fix=f"write {target.id}: {word}(f32, …)",
            )
        shape = tuple([self._declared_dim(dim) for dim in call.args[1:]])
        keywords = {**self.expressions.keywords(call), "dtype": dtype}
        name = keywords.pop("name", target.id)
        node = self.expressions.call(call, word, [name, shape], keywords)
        if name in self.inputs or name in self.params:
            raise self.error(call, f"two inputs or parameters are called {name!r}")
        leaves = self.inputs if word == "input" else self.params
        leaves[name] = node
        self._bind(target, node)

    def _declare_dim(self, target: ast.Name, tree: ast.expr) -> None:
        """Read `N: dim`, or `lambda_: dim(name="lambda")`."""
        self._refuse_second(target)
        keywords = self.expressions.keywords(tree) if isinstance(tree, ast.Call) else {}
        name = keywords.pop("name", target.id)
        if keywords or (isinstance(tree, ast.Call) and tree.args) or not isinstance(name, str):
            raise self.error(tree, "not a dim", expected='N: dim or N_: dim(name="N")')
        self._bind(target, self.expressions.guarded(tree, as_dim, name))

    def _declared_dim(self, tree: ast.expr) -> Dim:
        """Return a dim of a declaration; a name that is new there declares a dim."""
        for part in ast.walk(tree):
            if isinstance(part, ast.Name) and part.id not in self.env:
                if part.id in RESERVED:
                    raise self.error(part, f"{part.id!r} cannot be the name of a dim")
                self._bind(part, dim_symbol(part.id))
        return self._dim(tree)

    def _dim(self, tree: ast.expr) -> Dim:
        if isinstance(tree, ast.Name) and tree.id not in self.env:
            dims = [name for name, value in self.env.items() if is_dim(value)]
            raise self.error(
                tree,
                f"no dim is called {tree.id!r}",
                expected=", ".join(dims) or "an integer: no input declares a dim",
                fix=suggestion(tree.id, dims),
            )
        value = self.expressions.value(tree)
        if type(value) is int or (is_dim(value) and is_number(value)):
            return self.expressions.guarded(tree, as_dim, value)
        expected = "an integer, a dim such as N, or N // 2 + 1"
        raise self.error(tree, "not a dim", expected=expected, fix=one_by_one(tree))

    def _type(self, tree: ast.expr) -> TensorType:
        """Return a written type: `f32[N, 10]`, or `f32` for a single number."""
        word, dims = tree, []
        if isinstance(tree, ast.Subscript):
            word = tree.value
            dims = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
        dtype = DTYPE_WORDS.get(word.id) if isinstance(word, ast.Name) else None
        if dtype is None:
            expected, fix = (
                "f32[N, 10], or f32 for a single number",
                without_value(called_word(tree)),
            )
            raise self.error(tree, "not a type", expected=expected, fix=fix)
        return TensorType(dtype, tuple([self._dim(dim) for dim in dims]))

    # -- assignments -------------------------------------------------------------------------

    def _assigned(self, tree: ast.Assign) -> None:
        if len(tree.targets) > 1:
            raise self.error(tree.targets[1], "one name on the left", fix="write two lines")
        target, word = tree.targets[0], called_word(tree.value)
        if isinstance(target, (ast.Tuple, ast.List)):
            self._assign_several(tree, [self._target(item) for item in target.elts])
        elif word in ("input", "param", "dim"):
            raise self.error(
                tree.value,
                f"{word}(...) is a declaration",
                fix=f"write {ast.unparse(target)}: {ast.unparse(tree.value)}",
            )
        else:
            self._assign(self._target(target), tree.value)

    def _assign(self, target: ast.Name, tree: ast.expr, annotation: ast.expr | None = None) -> None:
        written = None if annotation is None else self._type(annotation)
        name = target.id
        if isinstance(tree, ast.Call) and called_word(tree) == "named":
            tree, name = self._renamed(tree)
        value = self.expressions.value(tree)
        if isinstance(value, Node):
            if written is not None and value.type != written:
                raise self.error(
                    annotation or tree,
                    f"{target.id} has another type than is written",
                    got=str(value.type),
                    expected=str(written),
                )
            # A node of an earlier line keeps its name: a copy would be a second node.
            if value.provenance.origin is self._origin and not value.op.is_leaf:
                value = value.named(name)
                if value.provenance.is_called_after_layer:
                    self.names[value] = name  # the user calls it so, too
        elif written is not None or not is_number(value):
            raise self.error(
                tree,
                "the value must be a node, a number or a dim",
                got=kind(value),
                fix=unpacking(target.id, called_word(tree), value),
            )
        self._bind(target, value)

    def _renamed(self, call: ast.Call) -> tuple[ast.expr, str]:
        """Return the parts of `named(expression, "any name")`."""
        name = call.args[1] if len(call.args) == 2 and not call.keywords else None
        text = name.value if isinstance(name, ast.Constant) else None
        if not isinstance(text, str) or not text:
            raise self.error(call, "not a named value", expected='named(expression, "a name")')
        return call.args[0], text

    def _assign_several(self, tree: ast.Assign, targets: list[ast.Name]) -> None:
        values = self.expressions.value(tree.value)
        count = len(values) if isinstance(values, (tuple, list)) else 1
        if count != len(targets):
            what, fix = miscounted(len(targets), count, called_word(tree.value))
            raise self.error(tree.targets[0], what, fix=fix)
        for target, value in zip(targets, values, strict=True):
            if not isinstance(value, Node):
                raise self.error(tree.value, "each of the values must be a node")
            if value.name is None and value.provenance.origin is self._origin:
                if self.is_local:  # a body has no names beside those of its nodes
                    value = value.named(target.id)
                self.names.setdefault(value, target.id)
            self._bind(target, value)

    # -- outputs and updates -----------------------------------------------------------------

    def _expression(self, tree: ast.Expr) -> None:
        call, word = tree.value, called_word(tree.value)
        if word in ("output", "update"):
            self._refuse_inside(tree, f"{word}(...)")
        if isinstance(call, ast.Call) and word == "output":
            self._output(call)
        elif isinstance(call, ast.Call) and word == "update":
            self._update(call)
        else:
            raise self.error(
                tree,
                "this line's value goes nowhere",
                expected="a name: y = …, or output(y), or update(W, W - 0.1 * d_W)",
            )

    def _output(self, call: ast.Call) -> None:
        for argument in call.args:
            if not isinstance(argument, ast.Name):
                is_quoted = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                fix = "a name has no quotes here" if is_quoted else "write output(y=…)"
                raise self.error(argument, "an output needs a name", fix=fix)
            self._add_output(argument.id, argument)
        for keyword in call.keywords:
            if keyword.arg is not None:
                self._add_output(keyword.arg, keyword.value)
                continue
            for key, value in self._written_out(keyword.value):
                self._add_output(key, value)
        if not call.args and not call.keywords:
            raise self.error(call, "output() names nothing", expected="output(loss, p)")

    def _written_out(self, tree: ast.expr) -> list[tuple[str, ast.expr]]:
        """Return the pairs of `**{"any name": node}`, for names that are no identifiers."""
        if not isinstance(tree, ast.Dict):
            raise self.error(tree, "not a table of outputs", expected='**{"any name": node}')
        result = []
        for key, value in zip(tree.keys, tree.values, strict=True):
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                raise self.error(key or value, "an output's name is a string")
            result.append((key.value, value))
        return result

    def _add_output(self, name: str, tree: ast.expr) -> None:
        if name in self.outputs:
            raise self.error(tree, f"two outputs are called {name!r}")
        self.outputs[name] = self.expressions.node(tree, "an output")

    def _update(self, call: ast.Call) -> None:
        if len(call.args) != 2 or call.keywords:
            raise self.error(call, "not an update", expected="update(parameter, its next value)")
        param = self.expressions.node(call.args[0], "what is updated")
        if not param.op.is_leaf or self.params.get(param.attrs["name"]) is not param:
            raise self.error(call.args[0], "only a parameter can be updated")
        name = param.attrs["name"]
        if name in self.updates:
            raise self.error(call.args[0], f"{name!r} has two updates")
        value = self.expressions.node(call.args[1], "the next value")
        if value.type != param.type:
            raise self.error(
                call.args[1],
                f"the next value of {name!r} has another type",
                got=str(value.type),
                expected=str(param.type),
            )
        self.updates[name] = value

    # -- names -------------------------------------------------------------------------------

    def _target(self, tree: ast.expr) -> ast.Name:
        if not isinstance(tree, ast.Name):
            raise self.error(tree, "only a name can stand on the left")
        return tree

    def _refuse_second(self, target: ast.Name) -> None:
        if target.id in self.env:
            line = self._declared[target.id]
            raise self.error(target, f"{target.id!r} stands already on line {line}")

    def _bind(self, target: ast.Name, value: Value) -> None:
        name = target.id
        if name in RESERVED:
            raise self.error(target, f"{name!r} is a word of the text form", fix="use another")
        known = self.env.get(name)
        if is_dim(known):
            line = self._declared[name]
            raise self.error(target, f"{name!r} is a dim since line {line}", fix="use another name")
        self.env[name] = value
        self._declared[name] = self._line

    _RULES: ClassVar[dict[type[ast.stmt], Callable[[Statements, Any], None]]] = {
        ast.AnnAssign: _annotated,
        ast.Assign: _assigned,
        ast.Expr: _expression,
    }


def called_word(tree: ast.AST) -> str | None:
    """Return the bare name that a piece of syntax calls, if it calls one."""
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        return tree.func.id
    return None
