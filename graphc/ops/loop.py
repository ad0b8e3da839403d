"""Loops: `scan` runs a body once for each step along an axis; `item` takes one of its results.

A body is a graph from (carries, one slice of each sequence, constants) to (next carries, what the
step emits). Carries go on to the next step; what is emitted is stacked along a new first axis. A
node has one value, and that of a scan is a tuple: only `item` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from graphc.errors import GraphError
from graphc.ir.attributes import Attributes
from graphc.ir.body import Body
from graphc.ir.code import Code, Codes, Notation, grouped
from graphc.ir.dims import Dim, dim_text, same
from graphc.ir.node import Node
from graphc.ir.op import Arrays, Op
from graphc.ir.provenance import inherit
from graphc.ir.types import TensorType, TupleType
from graphc.ir.walk import reaching
from graphc.ops.batching import Carried, batched_node, only, with_first_axis
from graphc.ops.reduction.minus_infinity import may_hold_minus_infinity
from graphc.ops.registry import OPS, register

T = TypeVar("T")


class Kinds(NamedTuple, Generic[T]):
    """One thing for each of a loop's operands, by the kind of the operand."""

    carries: Sequence[T]
    sequences: Sequence[T]
    constants: Sequence[T]


def by_kind(attrs: Mapping[str, Any], each: Sequence[T]) -> Kinds[T]:
    """Return what goes with a loop's operands (nodes, arrays, texts), by the operands' kind."""
    first = attrs["carries"]
    after = first + attrs["sequences"]
    return Kinds(each[:first], each[first:after], each[after:])


@dataclass(frozen=True)
class Parts:
    """A loop's parts by kind: `leaves` are inside of the body what `operands` are outside."""

    node: Node

    @property
    def body(self) -> Body:
        body: Body = self.node.attrs["body"]
        return body

    @property
    def length(self) -> Dim:
        length: Dim = self.node.attrs["length"]
        return length

    @property
    def is_reversed(self) -> bool:
        return bool(self.node.attrs["reverse"])

    @property
    def carries(self) -> int:
        """The number of carries: the position of the first sequence, and of the first stack."""
        return int(self.node.attrs["carries"])

    @property
    def constants_from(self) -> int:
        """The position of the first constant among the operands."""
        return self.carries + int(self.node.attrs["sequences"])

    @cached_property
    def leaves(self) -> Kinds[Node]:
        return by_kind(self.node.attrs, self.body.inputs)

    @cached_property
    def operands(self) -> Kinds[Node]:
        return by_kind(self.node.attrs, self.node.inputs)

    @property
    def following(self) -> tuple[Node, ...]:
        """The next values of the carries."""
        return self.body.results[: self.carries]

    @property
    def emitted(self) -> tuple[Node, ...]:
        """What a step emits, in the order of the stacks."""
        return self.body.results[self.carries :]


class Scan(Op):
    """A loop over a body. Operands: first the carries' initial values, then sequences, constants.

    Attributes: `body`; `carries` and `sequences`, how many operands are of these kinds; `reverse`,
    whether steps go from the last slice to the first (slices and stacks keep their places);
    `length`, the number of steps.
    """

    family = "loop"
    multiplies = True

    def __call__(
        self,
        *operands: Node,
        body: Body,
        carries: int,
        sequences: int,
        length: Dim,
        reverse: bool = False,
    ) -> Node:
        return self.make(
            operands,
            body=body,
            carries=carries,
            sequences=sequences,
            length=length,
            reverse=reverse,
        )

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TupleType:
        body, length = attrs["body"], attrs["length"]
        for position, (given, leaf) in enumerate(zip(inputs, body.inputs, strict=True)):
            wanted = leaf.type
            if attrs["carries"] <= position < attrs["carries"] + attrs["sequences"]:
                if not given.shape or not same(given.shape[0], length):
                    raise GraphError(
                        f"the sequence {leaf.attrs['name']!r} has another length than the loop",
                        got=str(given),
                        expected=f"{dim_text(length)} as its first axis",
                    )
                given = given.with_shape(given.shape[1:])
            if given != wanted:
                raise GraphError(
                    f"the loop body takes {leaf.attrs['name']!r} as another type",
                    got=str(given),
                    expected=str(wanted),
                )
        return TupleType(self._result_types(body, attrs["carries"], length))

    @staticmethod
    def _result_types(body: Body, carries: int, length: Dim) -> tuple[TensorType, ...]:
        for leaf, result in zip(body.inputs[:carries], body.results, strict=False):
            if leaf.type != result.type:
                raise GraphError(
                    f"the loop body returns the carry {leaf.attrs['name']!r} as another type",
                    got=str(result.type),
                    expected=str(leaf.type),
                )
        stacked = [r.type.with_shape((length, *r.shape)) for r in body.results[carries:]]
        return (*[leaf.type for leaf in body.inputs[:carries]], *stacked)

    def reference(  # type: ignore[override]  # a tuple of arrays, which only items read
        self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType
    ) -> tuple[np.ndarray, ...]:
        step: Callable[[Sequence[np.ndarray]], list[np.ndarray]] = attrs["body"]
        initial, sequences, constants = by_kind(attrs, arrays)
        carried, first = list(initial), attrs["carries"]
        assert isinstance(result, TupleType)
        kind = np.result_type(*arrays) if any(a.dtype.kind == "c" for a in arrays) else None
        stacks = [
            np.zeros(
                item.shape, kind if kind is not None and item.dtype.kind == "f" else item.dtype
            )
            for item in result.items[first:]
        ]
        steps = range(attrs["length"])
        for t in reversed(steps) if attrs["reverse"] else steps:
            results = step([*carried, *[x[t] for x in sequences], *constants])
            carried = results[:first]
            for stack, value in zip(stacks, results[first:], strict=True):
                stack[t, ...] = value  # without dots, an expression would be kept in its array
        if kind is not None:  # one that no complex operand reaches is complex like the others
            carried = [c.astype(kind) if c.dtype.kind == "f" else c for c in carried]
        return (*carried, *stacks)

    def is_differentiable(self, node: Node, index: int) -> bool:
        return node.inputs[index].dtype.kind == "f"

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        """Return one loop whose body works on `size` values at once; items know which have them.

        The new axis stands in front of carries and constants, and behind the steps of sequences.
        """
        parts, body, first = Parts(node), node.attrs["body"], node.attrs["carries"]
        is_many = _reached([x is not None for x in carried], body, first)
        leaves = [
            OPS["input"](leaf.attrs["name"], (size, *leaf.shape), leaf.dtype) if many else leaf
            for leaf, many in zip(body.inputs, is_many, strict=True)
        ]
        inner = _batched_nodes(body, leaves, size)
        outputs = {
            name: with_first_axis(inner[x], size)
            if i < first and is_many[i] and x is inner[x]
            else inner[x]
            for i, (name, x) in enumerate(body.graph.outputs.items())
        }
        operands = []
        for i, (operand, many) in enumerate(zip(node.inputs, carried, strict=True)):
            if many is None:
                operands.append(with_first_axis(operand, size) if is_many[i] else operand)
            else:
                operands.append(_exchanged(many) if first <= i < parts.constants_from else many)
        attrs = {**node.attrs, "body": Body.of(outputs, leaves, body.name)}
        return self.make(operands, **attrs)

    def flops(self, node: Node) -> Dim:
        body: Body = node.attrs["body"]
        return node.attrs["length"] * sum((x.op.flops(x) for x in body.graph.nodes), 0)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        raise GraphError("a loop is a statement, not an expression")

    def text(self, node: Node, args: Codes) -> Code:
        initial, sequences, _ = by_kind(node.attrs, args)
        words = [node.attrs["body"].name]
        words += grouped("init", initial) + grouped("xs", sequences)
        if not node.attrs["sequences"]:
            words.append(f"length={dim_text(node.attrs['length'])}")
        if node.attrs["reverse"]:
            words.append("reverse=True")
        return Code(f"scan({', '.join(words)})")


def _reached(is_many: list[bool], body: Body, carries: int) -> list[bool]:
    """Return which inputs have many values: also the carries whose next values come from such."""
    while True:
        many = [leaf for leaf, has_many in zip(body.inputs, is_many, strict=True) if has_many]
        moved = reaching(body.graph.nodes, many)
        grown = [
            has_many or (i < carries and body.results[i] in moved)
            for i, has_many in enumerate(is_many)
        ]
        if grown == is_many:
            return grown
        is_many = grown


def _batched_nodes(body: Body, leaves: Sequence[Node], size: Dim) -> dict[Node, Node]:
    """Return what stands for each node of a body when `leaves` stand for its inputs."""
    inner: dict[Node, Node] = dict(zip(body.inputs, leaves, strict=True))
    many = {leaf for leaf, new in inner.items() if new is not leaf}
    for node in body.graph.nodes:
        if node in inner:
            continue
        inner[node] = node
        if any(x in many for x in node.inputs):
            many.add(node)
            operands = [inner[x] if x in many else None for x in node.inputs]
            with inherit(node.provenance):
                found = batched_node(node, operands, size)
            inner[node] = found.named(node.name)
    return inner


def _exchanged(x: Node) -> Node:
    """Return x with its first two axes exchanged."""
    return OPS["transpose"](x, (1, 0, *range(2, x.ndim)))


class Item(Op):
    """One of the values of a node that has several."""

    family = "loop"
    is_inserted = True

    def __call__(self, node: Node, index: int) -> Node:
        return self.make([node], index=index)

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        (several,) = inputs
        if not isinstance(several, TupleType):
            raise GraphError("only a loop has items", got=str(several))
        return several.items[attrs["index"]]

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return arrays[0][attrs["index"]]

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        found = self(only(carried), node.attrs["index"])
        if found.ndim == node.ndim:
            return with_first_axis(found, size)
        is_stack = node.attrs["index"] >= node.inputs[0].attrs["carries"]
        return _exchanged(found) if is_stack else found

    def is_differentiable(self, node: Node, index: int) -> bool:
        return node.dtype.kind == "f"

    def holds_minus_infinity(self, node: Node) -> bool:
        # A carry may hold it from the start: of the logarithms of a hidden Markov model's states.
        body: Body = node.inputs[0].attrs["body"]
        return may_hold_minus_infinity(body.results[node.attrs["index"]])

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        raise GraphError("the items of a loop are written with the loop")

    def text(self, node: Node, args: Codes) -> Code:
        return Code(f"{args[0].text}[{node.attrs['index']}]")


scan = register(Scan("scan", "A loop: the body runs once for each step along an axis."))
item = register(Item("item", "One of the results of a loop."))


def items(node: Node) -> list[Node]:
    """Return fresh item nodes for all results of a loop."""
    assert isinstance(node.type, TupleType)
    return [item(node, index) for index in range(len(node.type.items))]


def before_steps(initial: Node, after: Node, is_reversed: bool) -> Node:
    """Return a carry before each step: its first value, then what each step but the last made.

    `after` stacks what the steps make of it, so that no step has to copy what it replaces.
    """
    first = OPS["reshape"](initial, (1, *initial.shape))
    length = after.shape[0]
    if isinstance(length, int) and length:
        rest = OPS["slice"](after, [slice(1, None) if is_reversed else slice(None, -1)])
        return OPS["concat"](*((rest, first) if is_reversed else (first, rest)), axis=0)
    # A loop of no steps has no last value to leave out: x[1:] of a sequence of one.
    whole = OPS["concat"](*((after, first) if is_reversed else (first, after)), axis=0)
    return OPS["slice"](whole, [slice(1, None) if is_reversed else slice(None, length)])


def with_body(node: Node, body: Body) -> Node:
    """Return a loop with another body of the same interface, where it came from."""
    attrs = Attributes({**node.attrs, "body": body})
    return Node(node.op, node.inputs, attrs, node.type, node.provenance)
