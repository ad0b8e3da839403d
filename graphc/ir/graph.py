"""A graph: named inputs, parameters, outputs and updates over frozen nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from graphc.errors import GraphError, did_you_mean
from graphc.ir.dims import symbols_of
from graphc.ir.labels import labels_of, own_name, typed_names
from graphc.ir.leaves import leaves_of, warn_of_unread
from graphc.ir.node import Node, rebuilt
from graphc.ir.pickled import Row, nodes_of, rows_of
from graphc.ir.structure import structure
from graphc.ir.walk import consumers, topological

#: Method name -> function; filled once, where all rooms meet (`graphc.compile`).
METHODS: dict[str, Callable[..., Any]] = {}


def bind_methods(functions: Mapping[str, Callable[..., Any]]) -> None:
    """Bind functions of rooms to the right as methods of every graph."""
    METHODS.update(functions)


class Graph:
    """A static graph. Immutable; equal to another when structure, names and types are equal.

    `inputs`, `params` and `outputs` are ordered mappings from name to node; `updates` maps a
    parameter's name to the node that holds its next value (empty for a graph without a step).
    Nodes that move state, such as a running average, bring their updates with them. Declared
    inputs and parameters that nothing reads are warned of; with `warns=False`, whoever made them
    was told before.
    """

    def __init__(
        self,
        outputs: Mapping[str, Node],
        *,
        updates: Mapping[str, Node] | None = None,
        name: str = "graph",
        doc: str = "",
        inputs: Iterable[Node] = (),
        params: Iterable[Node] = (),
        names: Mapping[Node, str] | None = None,
        history: tuple[Any, ...] = (),
        warns: bool = True,
    ) -> None:
        put = object.__setattr__
        put(self, "name", name)
        put(self, "doc", doc.strip(" \t\n"))  # as a text gives it back
        put(self, "outputs", MappingProxyType(dict(outputs)))
        put(self, "updates", MappingProxyType(dict(updates or {})))
        put(self, "nodes", tuple(topological(self.roots())))
        implied = implied_updates(self.nodes, self.updates)
        if implied:
            put(self, "updates", MappingProxyType({**self.updates, **implied}))
            put(self, "nodes", tuple(topological(self.roots())))
        put(self, "inputs", MappingProxyType(leaves_of("input", self.nodes, inputs)))
        put(self, "params", MappingProxyType(leaves_of("param", self.nodes, params)))
        put(self, "_names", _living(names or {}, self.nodes))
        put(self, "history", history if isinstance(history, tuple) else tuple(history))
        self._check()
        if warns:
            warn_of_unread("parameter", self.params, self._read)
            warn_of_unread("input", self.inputs, self._read)

    name: str
    doc: str
    inputs: Mapping[str, Node]
    params: Mapping[str, Node]
    outputs: Mapping[str, Node]
    updates: Mapping[str, Node]
    nodes: tuple[Node, ...]
    #: What each rewriting pass did to get here (see `graphc.rewrite`); outside equality.
    history: tuple[Any, ...]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a graph is frozen; cannot set {name!r}")

    def roots(self) -> list[Node]:
        """Return the nodes that the graph computes: outputs, then updates."""
        return [*self.outputs.values(), *self.updates.values()]

    def _check(self) -> None:
        if not self.outputs and not self.updates:
            raise GraphError("a graph needs at least one output", fix='gc.graph({"y": y})')
        for name in self.inputs:
            if name in self.params:
                raise GraphError(
                    f"{name!r} is both an input and a parameter", fix="give one another name"
                )
        for name in self.updates:
            if name not in self.params:
                raise GraphError(f"the update of {name!r} has no such parameter")

    # -- facts -------------------------------------------------------------------------------

    @cached_property
    def dims(self) -> tuple[str, ...]:
        """The names of the dims that a call must fix, in order of first appearance."""
        leaves = [*self.inputs.values(), *self.params.values()]
        return tuple(symbols_of(dim for leaf in leaves for dim in leaf.shape))

    @cached_property
    def consumers(self) -> Mapping[Node, list[Node]]:
        """Each node's users, one entry per use; outputs do not count as uses."""
        return consumers(self.nodes)

    @cached_property
    def labels(self) -> Mapping[Node, str]:
        """The name of each node that has one: the user's, unique in this graph."""
        leaves = [*self.inputs.items(), *self.params.items()]
        return MappingProxyType(labels_of(self.nodes, leaves, self.outputs, self._names))

    @property
    def names(self) -> Mapping[Node, str]:
        """Names given to nodes from outside (the variables of the caller), beside their own."""
        return MappingProxyType(self._names)

    @cached_property
    def trainable(self) -> tuple[str, ...]:
        """The names of the trainable parameters."""
        return tuple(name for name, node in self.params.items() if node.attrs["trainable"])

    @cached_property
    def _read(self) -> frozenset[Node]:
        """The inputs and parameters that something reads, or that are outputs as they are."""
        return frozenset([node for node in self.nodes if node.op.is_leaf])

    def find(self, name: str) -> Node:
        """Return the output, input, parameter or inner node of this name."""
        if not isinstance(name, str):
            raise GraphError(
                "a node is found by its name", got=repr(name), expected=", ".join(self.outputs)
            )
        for group in (self.outputs, self.inputs, self.params):
            if name in group:
                return group[name]
        for node, label in self.labels.items():
            if label == name:
                return node
        known = [*self.outputs, *self.inputs, *self.params, *self.labels.values()]
        raise GraphError(
            f"no node is called {name!r} in graph {self.name!r}",
            expected=", ".join(dict.fromkeys(known)),
            fix=did_you_mean(name, known),
        )

    def variable(self, name: str) -> Node:
        """Return the input or parameter of this name, or else the node that `find` returns.

        This is what a name of `wrt` means: a step from `h` to an output `h` is derived by what
        it reads.
        """
        for leaves in (self.inputs, self.params):
            if name in leaves:
                return leaves[name]
        return self.find(name)

    # -- variants ----------------------------------------------------------------------------

    def with_outputs(
        self,
        outputs: Mapping[str, Node],
        updates: Mapping[str, Node] | None = None,
        names: Mapping[Node, str] | None = None,
        history: tuple[Any, ...] | None = None,
    ) -> Graph:
        """Return a graph of the same name and inputs that computes something else."""
        return self.mapped(
            {},
            outputs=outputs,
            updates=updates or {},
            names={**self._names, **(names or {})},
            history=self.history if history is None else history,
        )

    def mapped(self, new: Mapping[Node, Node], **parts: Any) -> Graph:
        """Return this graph over other nodes: `new` has what stands for each that does not stay.

        `parts` are those of a graph, `name=` or `outputs=` for example, which stand as they are
        given. All inputs stay in the signature. A parameter that was read before, and is neither
        read nor written now, leaves the state.
        """
        own = {
            "outputs": {name: new.get(node, node) for name, node in self.outputs.items()},
            "updates": {name: new.get(node, node) for name, node in self.updates.items()},
            "name": self.name,
            "doc": self.doc,
            "inputs": [new.get(node, node) for node in self.inputs.values()],
            "params": [new.get(node, node) for node in self.params.values()],
            "names": {new.get(node, node): name for node, name in self._names.items()},
            "history": self.history,
        }
        graph = Graph(**(own | parts), warns=False)
        were_read = {new.get(node, node) for node in self._read}
        kept = [
            param
            for name, param in graph.params.items()
            if param in graph._read or name in graph.updates or param not in were_read
        ]
        if len(kept) == len(graph.params):
            return graph
        return Graph(**(own | parts | {"params": kept}), warns=False)

    # -- value -------------------------------------------------------------------------------

    def __copy__(self) -> Graph:
        return self

    def __deepcopy__(self, memo: object) -> Graph:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle nodes as rows; what the passes did (`history`) stays behind."""
        leaves = [*self.inputs.values(), *self.params.values()]
        number = {node: i for i, node in enumerate(topological([*self.roots(), *leaves]))}
        roots = [{n: number[x] for n, x in d.items()} for d in (self.outputs, self.updates)]
        groups = [[number[x] for x in d.values()] for d in (self.inputs, self.params)]
        names = {number[node]: name for node, name in self._names.items()}
        return _unpickled, (self.name, self.doc, rows_of(number), *roots, *groups, names)

    @cached_property
    def _structure(self) -> tuple[Any, ...]:
        leaves = [*self.inputs.values(), *self.params.values()]
        declared = tuple([(leaf.op.name, leaf.attrs, leaf.type) for leaf in leaves])
        computed = structure(self.nodes, leaves, self.roots())
        return (declared, tuple(self.outputs), tuple(self.updates), computed)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return self is other or self._structure == other._structure

    def __hash__(self) -> int:
        return hash(self._structure)

    def __repr__(self) -> str:
        inputs, outputs = typed_names(self.inputs), typed_names(self.outputs)
        return f"<graph {self.name}({inputs}) -> {outputs}; {len(self.nodes)} nodes>"

    def __str__(self) -> str:
        return str(METHODS["text"](self))

    if TYPE_CHECKING:  # bound in graphc.compile, where all rooms meet

        def save(self, path: str) -> None: ...
        def init(self, seed: int = 0, **sizes: int) -> dict[str, Any]: ...
        def astype(self, dtype: object) -> Graph: ...
        def cost(self) -> Any: ...
        # Derivatives are of the stable form; with `stabilize=False`, of the graph as written.
        def gradient(
            self,
            of: str,
            wrt: Iterable[str] | None = None,
            sparse: bool = False,
            *,
            stabilize: bool = True,
        ) -> Graph: ...
        def tangent(self, wrt: Any = None, directions: Any = None, **options: Any) -> Graph: ...
        def jacobian(self, of: str, wrt: Any, **options: Any) -> Graph: ...
        def jacobian_structure(self, of: str, wrt: str, **options: Any) -> Any: ...
        def hessian(self, of: str, wrt: Any, **options: Any) -> Graph: ...
        def hvp(self, of: str, wrt: Any, **options: Any) -> Graph: ...
        def gauss_newton(self, of: str, through: str, wrt: Any, **options: Any) -> Graph: ...
        def for_inference(self, *outputs: str) -> Graph: ...
        def for_training(self) -> Graph: ...
        def frozen(self, *patterns: str | Iterable[str]) -> Graph: ...
        def unfrozen(self, *patterns: str | Iterable[str]) -> Graph: ...

    def __getattr__(self, name: str) -> Any:
        if name in METHODS:
            return METHODS[name].__get__(self, Graph)
        raise AttributeError(f"a graph has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *METHODS})


def _unpickled(
    name: str,
    doc: str,
    rows: list[Row],
    outputs: Mapping[str, int],
    updates: Mapping[str, int],
    inputs: list[int],
    params: list[int],
    names: Mapping[int, str],
) -> Graph:
    node = nodes_of(rows)
    return Graph(
        {n: node[i] for n, i in outputs.items()},
        updates={n: node[i] for n, i in updates.items()},
        name=name,
        doc=doc,
        inputs=[node[i] for i in inputs],
        params=[node[i] for i in params],
        names={node[i]: n for i, n in names.items()},
        warns=False,
    )


def _living(names: Mapping[Node, str], nodes: Iterable[Node]) -> dict[Node, str]:
    """Return the names of those nodes that a graph has."""
    alive = set(nodes) if names else set()
    return {node: name for node, name in names.items() if node in alive}


def implied_updates(nodes: Iterable[Node], given: Mapping[str, Node]) -> dict[str, Node]:
    """Return the updates that nodes bring along, for the parameters that have none in `given`.

    Two nodes that move one parameter move it one after the other.
    """
    values: dict[str, Node] = {}
    for node in nodes:
        if node.op.moves_state:
            moved = node.op.state_updates(node, lambda p: values.get(p.attrs["name"], p))
            for param, value in moved:
                if param.attrs["name"] not in given:
                    values[param.attrs["name"]] = value
    return values


def with_own_names(graph: Graph) -> Graph:
    """Return the same graph with its labels on the nodes themselves, where rewrites keep them.

    A node without a label has no name, not even its layer's.
    """
    new: dict[Node, Node] = {}
    labels, shown = graph.labels, {*graph.outputs.values()}
    for node in graph.nodes:
        again = rebuilt(node, tuple([new[operand] for operand in node.inputs]))
        label, own = labels.get(node), own_name(node, graph.names, shown)
        is_numbered = again.provenance.is_called_after_layer and label != own
        if (bool(label) != bool(own) or is_numbered) and not again.op.is_leaf:
            provenance = again.provenance.renamed(label)
            again = Node(again.op, again.inputs, again.attrs, again.type, provenance)
        new[node] = again
    return graph.mapped(new, names={})


def scalar_outputs(graph: Graph) -> list[str]:
    """Return the names of the outputs that are a single float: a gradient may start at each."""
    return [n for n, node in graph.outputs.items() if node.shape == () and node.dtype.kind == "f"]


def first_scalar(graph: Graph) -> str:
    """Return the name of the first output that is a single float.

    **Raises** GraphError where there is none.
    """
    for name in scalar_outputs(graph):
        return name
    raise GraphError(
        "no output is a single float to derive",
        got=typed_names(graph.outputs),
        fix="reduce one first: .sum() or .mean()",
    )
