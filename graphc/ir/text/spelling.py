"""Spell one node as an expression that, read again, builds this very node.

The builder inserts constants and broadcasts by itself, so they are left out; where it would insert
others, or simplify what is written, the node is spelled out. Which of the two holds is not argued
but tried: the op is called with what the text would say, and the results are compared.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir.attributes import ArrayLiteral
from graphc.ir.code import ATOM, SUM, UNARY, Code
from graphc.ir.dim_symbols import dim_symbol
from graphc.ir.dims import dim_text
from graphc.ir.node import Node
from graphc.ir.op import Op, literal
from graphc.ir.provenance import Origin, origin
from graphc.ir.text.errors import Place
from graphc.ir.text.expressions import Expressions
from graphc.ir.types import TensorType

_MISUSE = (GraphError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


_NO_CODE = Code("")


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write an operand: what the builder receives, its text, the node that is shown."""

    value: Any
    shown: Node | None
    code: Code = _NO_CODE


@dataclass(frozen=True, slots=True)
class Spelling:
    """An expression, and the nodes whose text or name stands in it."""

    code: Code
    shown: tuple[Node, ...]


class Speller:
    """Spells nodes; `code` gives an operand's text, `is_optional` says that it may be left out."""

    def __init__(self, code: Callable[[Node], Code], is_optional: Callable[[Node], bool]) -> None:
        self.code = code
        self.is_optional = is_optional
        self._tried: dict[Any, bool] = {}
        self._picks: dict[Any, tuple[int, ...] | None] = {}

    def spell(self, node: Node) -> Spelling:
        """Return the node's expression over its operands' texts."""
        if node.op.broadcasts(node):
            forms = self._forms_that_rebuild(node)
            if forms is not None:
                code = node.op.text(node, [form.code for form in forms])
                return Spelling(code, tuple([f.shown for f in forms if f.shown is not None]))
        codes = [self.code(operand) for operand in node.inputs]
        exact = not node.op.broadcasts(node) and self._rebuilds(node)
        code = node.op.text(node, codes) if exact else _written_out(node, codes)
        return Spelling(code, node.inputs)

    # -- ops that broadcast ------------------------------------------------------------------

    def _forms_that_rebuild(self, node: Node) -> list[Form] | None:
        """Return the shortest operands from which the op builds this node, or None."""
        choices = [list(self._forms(operand)) for operand in node.inputs]
        key = (node.op.name, node.attrs, _key(node.type), *map(self._kind, node.inputs))
        picks = self._picks.get(key, ())
        if picks == ():
            picks = self._picks[key] = _shortest(node, choices)
        if picks is None:
            return None
        forms = [choice[pick] for choice, pick in zip(choices, picks, strict=True)]
        return [f if f.shown is None else Form(f.value, f.shown, self.code(f.shown)) for f in forms]

    def _kind(self, operand: Node) -> tuple[Any, ...]:
        """Return all that a builder looks at, so that like operands are tried once."""
        is_optional = self.is_optional(operand)
        source = operand.inputs[0] if is_optional and operand.inputs else operand
        held = source.attrs if source.op.is_inserted else None
        return (_key(operand.type), is_optional and _key(source.type), held)

    def _forms(self, operand: Node) -> Iterator[Form]:
        """Return the ways to write an operand, shortest first, the node itself last."""
        if self.is_optional(operand):
            if operand.inputs:
                yield Form(operand.inputs[0], operand.inputs[0])
            else:
                for number in _numbers(operand.attrs["value"]):
                    yield Form(number, None, _number_code(number))
        yield Form(operand, operand)

    # -- all other ops -----------------------------------------------------------------------

    def _rebuilds(self, node: Node) -> bool:
        """Say whether the op's own text, read again, builds this node."""
        if node.op.is_random:
            return True
        constants = tuple([operand.op.is_inserted for operand in node.inputs])
        types = tuple([_key(operand.type) for operand in node.inputs])
        key = (node.op.name, node.attrs, types, constants)
        if key not in self._tried:
            self._tried[key] = _is_same(_reread(node), node)
        return self._tried[key]


def _key(kind: TensorType) -> tuple[Any, ...]:
    """Return what tells types apart, cheaper to compare than the types themselves."""
    return (kind.dtype.char, kind.shape)


def _shortest(node: Node, choices: Sequence[Sequence[Form]]) -> tuple[int, ...] | None:
    """Return the choice for each operand that rebuilds the node with the fewest written out."""
    written = [len(choice) - 1 for choice in choices]

    def length(picks: tuple[int, ...]) -> int:
        return sum(p == last for p, last in zip(picks, written, strict=True))

    for picks in sorted(itertools.product(*[range(len(c)) for c in choices]), key=length):
        forms = [choice[pick] for choice, pick in zip(choices, picks, strict=True)]
        # Numbers alone would be read as arithmetic of numbers: `1 / 2` is no node.
        has_node = any(form.shown is not None for form in forms)
        if has_node and _is_same(_built(node.op, [form.value for form in forms]), node):
            return picks
    return None


def _built(op: Op, values: Sequence[Any]) -> Node | None:
    try:
        with origin(Origin()):
            return op(*values)
    except _MISUSE:
        return None


def _reread(node: Node) -> Node | None:
    """Return what the parser makes of the op's text over stand-ins for its operands."""
    env = _Names({f"_operand_{i}": operand for i, operand in enumerate(node.inputs)})
    text = node.op.text(node, [Code(name) for name in env]).text
    reader = Expressions(_OneOp(node), env, lambda tree: Place("<node>", 1, 1))
    try:
        with origin(Origin()):
            result = reader.value(ast.parse(text, mode="eval").body)
    except (*_MISUSE, SyntaxError, RecursionError, MemoryError):
        return None
    return result if isinstance(result, Node) else None


class _Names(dict[str, Any]):
    """Names of a text in which every unknown name is a dim."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name not in ("inf", "nan")

    def __missing__(self, name: str) -> Any:
        return dim_symbol(name)


class _OneOp(Mapping[str, Callable[..., Any]]):
    """Functions of a text in which only one op occurs: whatever the syntax calls is that op."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __getitem__(self, name: str) -> Callable[..., Any]:
        op = self.node.op
        if name == "getitem":
            return lambda x, index: op(x, index if isinstance(index, tuple) else (index,))
        if name == "matmul":
            return lambda a, b: op.make([a, b], **self.node.attrs)
        return op

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter([self.node.op.name])

    def __len__(self) -> int:
        return 1


def _is_same(new: Node | None, old: Node) -> bool:
    """Say whether two nodes are equal, operands that a builder inserts being compared by value."""
    if new is None or new.op is not old.op or len(new.inputs) != len(old.inputs):
        return False
    if new.attrs != old.attrs or new.type != old.type:
        return False
    return all(map(_is_same_operand, new.inputs, old.inputs))


def _is_same_operand(new: Node, old: Node) -> bool:
    if new is old:
        return True
    return (
        new.op is old.op
        and new.op.is_inserted
        and new.attrs == old.attrs
        and new.type == old.type
        and all(a is b for a, b in zip(new.inputs, old.inputs, strict=True))
    )


def _numbers(value: Any) -> Iterator[Any]:
    """Return the ways to write a constant: a whole number without its point comes first."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e6
    if is_whole and repr(value) != "-0.0":
        yield int(value)
    yield value


def _number_code(value: Any) -> Code:
    if isinstance(value, (bool, int, float)):
        text = literal(value)
        return Code(text, UNARY if text.startswith("-") else ATOM)
    text = dim_text(value, is_exact=True)
    return Code(text, ATOM if text.isidentifier() else SUM - 1)


def _written_out(node: Node, codes: Sequence[Code]) -> Code:
    """Return `node(op, *inputs, **attributes)`, which is read without any simplification."""
    words = [node.op.name, *[code.text for code in codes]]
    words += [f"{key}={_exactly(value)}" for key, value in node.attrs.items()]
    return Code(f"node({', '.join(words)})")


def _exactly(value: Any) -> str:
    if isinstance(value, ArrayLiteral):
        return repr(value.array.tolist())
    if isinstance(value, np.dtype):
        return value.name
    return literal(value)
