"""A node: one operation applied to other nodes. Frozen, compared by identity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from graphc.errors import NodeValueError
from graphc.ir.attributes import NO_ATTRIBUTES, Attributes
from graphc.ir.dims import Dim, Shape, dim_text
from graphc.ir.foreign_names import no_attribute
from graphc.ir.operators import BINDINGS, ArrayOperators
from graphc.ir.provenance import Provenance, current_provenance, user_location
from graphc.ir.types import TensorType

if TYPE_CHECKING:
    from graphc.ir.op import Op


class Node(ArrayOperators):
    """An operation on nodes: op, inputs, attributes and type; provenance rides beside.

    Nodes are values of a graph, not arrays: they have a shape and a dtype but no numbers. `==`
    builds a comparison, as it does for arrays; use `is` to ask whether two nodes are the same.
    """

    __slots__ = ("__weakref__", "attrs", "inputs", "op", "provenance", "type")

    op: Op
    inputs: tuple[Node, ...]
    attrs: Attributes
    type: TensorType
    provenance: Provenance

    def __init__(
        self,
        op: Op,
        inputs: tuple[Node, ...],
        attrs: Attributes,
        type: TensorType,
        provenance: Provenance,
    ) -> None:
        put = object.__setattr__
        put(self, "op", op)
        put(self, "inputs", inputs)
        put(self, "attrs", attrs)
        put(self, "type", type)
        put(self, "provenance", provenance)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a node is frozen; cannot set {name!r}")

    def __copy__(self) -> Node:
        return self  # a value: a copy would be another node of the same name

    def __deepcopy__(self, memo: object) -> Node:
        return self

    def __reduce__(self) -> NoReturn:
        raise NodeValueError(
            "a node is not pickled by itself, only in its graph",
            got=repr(self),
            fix='pickle gc.graph({"y": node}); there, graph.find("y") is the node',
        )

    @property
    def name(self) -> str | None:
        return self.provenance.name

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def dtype(self) -> np.dtype:
        return self.type.dtype

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property
    def size(self) -> Dim:
        return self.type.size

    def named(self, name: str | None) -> Node:
        """Return the same operation under a name that text, code and drawings will show.

        It is the node itself where there is no name to give.
        """
        if not name:
            return self
        return Node(self.op, self.inputs, self.attrs, self.type, self.provenance.renamed(name))

    def __repr__(self) -> str:
        label = f"{self.name}: " if self.name else ""
        return f"<{label}{self.type} = {self.op.name}({', '.join(map(_short, self.inputs))})>"

    def __len__(self) -> int:
        if not self.shape:
            raise NodeValueError(
                "a node without axes has no length, and cannot be iterated over", got=repr(self)
            )
        if isinstance(self.shape[0], int):
            return self.shape[0]
        raise NodeValueError(
            "the length of a node is known only at a call, so Python cannot iterate over it",
            got=f"{self!r}, whose first axis is {dim_text(self.shape[0])}",
            fix="work on all of it at once, or run along the axis with gc.scan(body, xs=x)",
        )

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> NoReturn:
        raise NodeValueError(
            "a node has no truth value: it stands for an array that does not exist yet",
            got=repr(self),
            fix="use gc.where(condition, a, b) instead of `if`, logical_and instead of `and`",
        )

    def __setitem__(self, index: object, value: object) -> NoReturn:
        raise NodeValueError(
            "a node is a value: nothing is written into it",
            where=user_location(),
            got=f"{self!r}, of which elements are to be set",
            fix="build another one: y = gc.where(condition, value, x), or add to some elements: "
            "y = gc.scatter_add(x, values, index)",
        )

    def __delitem__(self, index: object) -> NoReturn:
        self[index] = None

    def __array__(self, dtype: object = None, copy: object = None) -> NoReturn:
        raise NodeValueError(
            "a node has no numbers yet, so it cannot become a NumPy array",
            got=repr(self),
            fix="compile the graph and call it, or gc.interpret(graph, ...)",
        )

    def __float__(self) -> NoReturn:
        self.__array__()

    __int__ = __index__ = __complex__ = __float__

    if not TYPE_CHECKING:  # a checker knows the names that are there

        def __getattr__(self, name: str) -> NoReturn:
            raise no_attribute("a node", name, dir(type(self)), BINDINGS)


def _short(node: Node) -> str:
    return node.name or f"{node.op.name}(…)" if node.inputs else node.name or node.op.name


def make_node(
    op: Op,
    inputs: tuple[Node, ...],
    attrs: dict[str, Any] | Attributes | None = None,
    name: str | None = None,
) -> Node:
    """Return a node of `op`; its type is inferred and its provenance read from the context."""
    if not attrs:
        attributes = NO_ATTRIBUTES
    else:
        attributes = attrs if isinstance(attrs, Attributes) else Attributes(attrs)
    node_type = op.infer(tuple([i.type for i in inputs]), attributes)
    return Node(op, inputs, attributes, node_type, current_provenance(name))


def rebuilt(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return the node with other inputs of the same types; itself where nothing changed."""
    if all(a is b for a, b in zip(inputs, node.inputs, strict=True)):
        return node
    return Node(node.op, inputs, node.attrs, node.type, node.provenance)


def standing_for(new: Node, old: Node) -> Node:
    """Return a node as what it replaces, under its name, unless it has a name of its own.

    A leaf keeps the name that it has, and a draw is itself: its copy would be another draw.
    """
    if new.name or new.op.is_leaf or new.op.is_random:
        return new
    if old.provenance.is_of_argument and new.provenance.is_derivative:
        provenance = replace(new.provenance, origin=old.provenance.origin)
        return Node(new.op, new.inputs, new.attrs, new.type, provenance)
    return new.named(old.name)
