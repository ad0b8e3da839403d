"""A graph: named inputs, parameters, outputs and updates over frozen nodes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from graphc.errors import GraphError, GraphWarning, nearest
from graphc.ir.dims import symbols_of
from graphc.ir.node import Node, rebuilt
from graphc.ir.pickled import Row, nodes_of, rows_of
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
    Nodes that move state, such as a running average, bring their updates with them.
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
        put(self, "inputs", self._leaves("input", inputs))
        put(self, "params", self._leaves("param", params))
        put(self, "_names", dict(names or {}))
        put(self, "history", tuple(history))
        self._check()

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

    def _leaves(self, op_name: str, declared: Iterable[Node]) -> Mapping[str, Node]:
        """Return the leaves of one kind by name: declared ones first, then as they were made."""
        found: dict[str, Node] = {}
        met = [node for node in self.nodes if node.op.name == op_name]
        met.sort(key=lambda node: node.provenance.order)
        for node in [*(n for n in declared if n.op.name == op_name), *met]:
            name = node.attrs["name"]
            if found.setdefault(name, node) is not node:
                raise _of_one_name(op_name, found[name], node)
        return MappingProxyType(found)

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
        used = set(self.nodes)
        for kind, leaves in (("parameter", self.params), ("input", self.inputs)):
            for name, node in leaves.items():
                if node not in used:
                    _warn_at(node, f"{kind} {name!r} is not used")

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
        labels: dict[Node, str] = {}
        taken: set[str] = set()
        counts: dict[str, int] = {}
        wanted: list[tuple[Node, str]] = [
            (leaf, name) for leaves in (self.inputs, self.params) for name, leaf in leaves.items()
        ]
        outputs = {node: name for name, node in reversed(list(self.outputs.items()))}
        for node in self.nodes:
            name = node.name or self._names.get(node) or outputs.get(node)
            if name and not node.op.is_leaf:
                wanted.append((node, name))
        # An output keeps its own name even when an inner node of the same name comes first.
        reserved = {name for node, name in outputs.items() if not node.op.is_leaf}
        for node, name in wanted:
            if name in taken or (name in reserved and outputs.get(node) != name):
                name = _numbered(name, taken, reserved, counts)
            taken.add(name)
            labels[node] = name
        return MappingProxyType(labels)

    @property
    def names(self) -> Mapping[Node, str]:
        """Names given to nodes from outside (the variables of the caller), beside their own."""
        return MappingProxyType(self._names)

    @cached_property
    def trainable(self) -> tuple[str, ...]:
        """The names of the trainable parameters."""
        return tuple(name for name, node in self.params.items() if node.attrs["trainable"])

    def find(self, name: str) -> Node:
        """Return the output, input, parameter or inner node of this name."""
        for group in (self.outputs, self.inputs, self.params):
            if name in group:
                return group[name]
        for node, label in self.labels.items():
            if label == name:
                return node
        known = [*self.outputs, *self.inputs, *self.params, *self.labels.values()]
        hint = nearest(name, known)
        raise GraphError(
            f"no node is called {name!r} in graph {self.name!r}",
            expected=", ".join(dict.fromkeys(known)),
            fix=f"did you mean {hint!r}?" if hint else None,
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

    def with_outputs(
        self,
        outputs: Mapping[str, Node],
        updates: Mapping[str, Node] | None = None,
        names: Mapping[Node, str] | None = None,
        history: tuple[Any, ...] | None = None,
    ) -> Graph:
        """Return a graph of the same name and inputs that computes something else."""
        alive = set(topological([*outputs.values(), *(updates or {}).values()]))
        # A parameter that is only written (the loss of the last step) is part of the state too, and
        # one that was declared and never read stays so.
        unread = {*self.params.values()}.difference(self.nodes)
        keep_params = [
            p for n, p in self.params.items() if p in alive or p in unread or n in (updates or {})
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GraphWarning)  # an unused input stays in the signature
            return Graph(
                outputs,
                updates=updates,
                name=self.name,
                doc=self.doc,
                inputs=self.inputs.values(),
                params=keep_params,
                names={**self._names, **(names or {})},
                history=self.history if history is None else history,
            )

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
        names = {number[node]: name for node, name in self._names.items() if node in number}
        return _unpickled, (self.name, self.doc, rows_of(number), *roots, *groups, names)

    @cached_property
    def _structure(self) -> tuple[Any, ...]:
        number: dict[Node, int] = {}
        inserted: dict[tuple[Any, ...], int] = {}
        draws = sorted(n.attrs["draw"] for n in self.nodes if n.op.is_random)
        rank = {draw: i for i, draw in enumerate(draws)}
        rows: list[tuple[Any, ...]] = []
        for node in self.nodes:
            attrs = tuple(
                (key, rank[value]) if key == "draw" else (key, value)
                for key, value in node.attrs.key
            )
            operands = tuple([number[i] for i in node.inputs])
            row = (node.op.name, operands, attrs, node.type)
            # Constants and broadcasts belong to their users: shared or not is no difference.
            number[node] = inserted.setdefault(row, len(rows)) if node.op.is_inserted else len(rows)
            if number[node] == len(rows):
                rows.append(row)
        leaves = tuple((name, n.type) for name, n in self.inputs.items())
        roots = (
            tuple((name, number[node]) for name, node in self.outputs.items()),
            tuple((name, number[node]) for name, node in self.updates.items()),
        )
        return (tuple(rows), leaves, tuple(self.params), roots)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return self is other or self._structure == other._structure

    def __hash__(self) -> int:
        return hash(self._structure)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{name}: {node.type}" for name, node in self.inputs.items())
        outputs = ", ".join(f"{name}: {node.type}" for name, node in self.outputs.items())
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GraphWarning)  # told where the graph was made
        return Graph(
            {n: node[i] for n, i in outputs.items()},
            updates={n: node[i] for n, i in updates.items()},
            name=name,
            doc=doc,
            inputs=[node[i] for i in inputs],
            params=[node[i] for i in params],
            names={node[i]: n for i, n in names.items()},
        )


def _of_one_name(op_name: str, first: Node, second: Node) -> GraphError:
    """Return the error that two leaves of one graph have one name."""
    pair = (first, second)
    name, kind = first.attrs["name"], {"param": "parameters"}.get(op_name, "inputs")
    places = [str(leaf.provenance.origin) for leaf in pair]
    types = [f"{x.type} of {at}" if at else str(x.type) for x, at in zip(pair, places, strict=True)]
    wanted = [_scoped_name(leaf) for leaf in pair]
    fix = "give one of them another name"
    if op_name == "param" and first.type == second.type:
        fix += ", or make it once, W = gc.param(...), and hand it to both layers: weight=W"
    if wanted[0] != wanted[1]:
        fix = f"a scope is no part of a name: write {wanted[0]!r} and {wanted[1]!r}"
    return GraphError(
        f"two {kind} are called {name!r}",
        where=places[1] or None,
        got=" and ".join(types),
        fix=fix,
    )


def _scoped_name(leaf: Node) -> str:
    """Return the name of a leaf, or of the layer that made it, with its scopes in front."""
    name, path = str(leaf.attrs["name"]), leaf.provenance.scope.split("/")
    layer = name.rpartition(".")[0] or name
    outer = path[:-1] if path[-1] == layer else path
    return ".".join([*filter(None, outer), layer])


#: Where a warning was given already, as Python keeps it for each module that warns.
_warned: dict[Any, Any] = {}


def _warn_at(leaf: Node, message: str) -> None:
    """Warn at the line that made a leaf, be it Python's or that of a text."""
    origin = leaf.provenance.origin
    warnings.warn_explicit(
        message, GraphWarning, origin.file or "<graph>", origin.line, registry=_warned
    )


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
    """Return the same graph with its labels on the nodes themselves, where rewrites keep them."""
    new: dict[Node, Node] = {}
    labels = graph.labels
    for node in graph.nodes:
        again = rebuilt(node, tuple([new[operand] for operand in node.inputs]))
        label = labels.get(node)
        if label and not again.name and not again.op.is_leaf:
            again = again.named(label)
        new[node] = again
    outputs = {name: new[node] for name, node in graph.outputs.items()}
    return graph.with_outputs(outputs, {name: new[n] for name, n in graph.updates.items()})


def _numbered(name: str, taken: set[str], reserved: set[str], counts: dict[str, int]) -> str:
    """Return `name_2`, `name_3`, … whichever is free, and remember where to go on."""
    number = counts.get(name, 2)
    while f"{name}_{number}" in taken or f"{name}_{number}" in reserved:
        number += 1
    counts[name] = number + 1
    return f"{name}_{number}"
