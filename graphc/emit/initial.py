"""The function `init` of a module: the first value of each parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from graphc.emit.lines.names import Namer, string_literal
from graphc.emit.lines.tables import table
from graphc.emit.lines.wrapping import INDENT, WIDTH, wrapped
from graphc.emit.readable.layer_heads import Head
from graphc.ir.attributes import ArrayLiteral
from graphc.ir.code import Notation
from graphc.ir.dims import Dim, shape_text, symbols_of
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.plan.layer_names import names_of
from graphc.plan.repeat_search import runs

#: What the dicts are called: the whole state, and parameters alone.
_STATE, _PARAMETERS = "state", "parameters"
#: A loop spares so many entries of layers, or of moments.
_WORTH = 12
_FEWEST_MOMENTS = 8


def with_params_of(graph: Graph, model: Graph) -> Graph:
    """Return the graph with every parameter of the model that it was made of.

    What rewriting found that nobody needs is drawn, too: otherwise the others would begin with
    other random numbers than in the model.
    """
    if not graph.params or all(name in graph.params for name in model.params):
        return graph
    first = [graph.params.get(name, node) for name, node in model.params.items()]
    rest = [node for name, node in graph.params.items() if name not in model.params]
    return graph.mapped({}, params=[*first, *rest])


def init_function(graph: Graph) -> list[list[str]]:
    """Return `init`, which draws the parameters in order from one generator.

    Layers that begin alike share a loop, and so do the zeros that an optimizer begins with. Where
    parameters have named dims, their sizes are arguments, too.
    """
    if not graph.params:
        return []
    namer = _namer()
    sizes = _sizes(graph, namer)
    entries: list[tuple[str, str]] = []
    arrays: list[str] = []
    for name, node in graph.params.items():
        value = initial_value(node, sizes)
        array = _array(node)
        if array is not None and len(f"{string_literal(name)}: {value}") + 9 > WIDTH:
            value = namer.fresh(name)
            arrays += table(value, array, Notation(), INDENT)
        entries.append((name, value))
    lines = [*_head(sizes), *[f"{INDENT}{name} = {code}" for name, code in sizes.made.items()]]
    if any("rng." in value for _, value in entries):
        lines.append(f"{INDENT}rng = np.random.default_rng(seed)")
    if arrays:
        lines += [f"{INDENT}# fmt: off", *arrays, f"{INDENT}# fmt: on"]
    moments = _moments(graph, sizes)
    if moments is not None:
        return [[*lines, *_with_moments(entries, moments, namer)]]
    parts = _parts(entries)
    if len(parts) == 1:
        return [[*lines, f"{INDENT}return {{", *_listed(entries), f"{INDENT}}}"]]
    return [[*lines, *_bound(_STATE, parts, namer), f"{INDENT}return {_STATE}"]]


# -- sizes that are told -------------------------------------------------------------------------


class _Size:
    """A size in a shape that an initializer writes: a name or a product, and no number yet."""

    is_Symbol = True  # noqa: N815  # SymPy's name

    def __init__(self, *factors: object) -> None:
        self.factors = factors

    @property
    def name(self) -> str:
        text = " * ".join(map(str, self.factors))
        return f"({text})" if len(self.factors) > 1 else text

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__

    def __mul__(self, other: object) -> _Size:
        return _Size(*self.factors, *_factors(other))

    def __rmul__(self, other: object) -> _Size:
        return _Size(*_factors(other), *self.factors)

    def __gt__(self, other: object) -> bool:
        # max(1, N) is N: what is named is at least 1.
        return True if other == 1 else NotImplemented


def _factors(size: object) -> tuple[object, ...]:
    if isinstance(size, _Size):
        return size.factors
    return () if size == 1 else (size,)


@dataclass(frozen=True)
class _Sizes:
    """What `init` calls the sizes that it is told, and those that it makes of them.

    `told` is dim -> variable, `made` variable -> code, and `dims` dim -> variable of both.
    """

    told: Mapping[str, str]
    made: Mapping[str, str] = field(default_factory=dict)
    dims: Mapping[Dim, str] = field(default_factory=dict)

    def shape(self, node: Node) -> tuple[Any, ...]:
        """Return a parameter's shape, with a name in the place of each size that is told."""
        return tuple([dim if isinstance(dim, int) else _Size(self.dims[dim]) for dim in node.shape])


def sizes_of_init(graph: Graph) -> dict[str, str]:
    """Return the dims whose sizes `init` is told: name -> argument."""
    return dict(_sizes(graph, _namer()).told)


def _namer() -> Namer:
    return Namer(["seed", "rng", _STATE, _PARAMETERS])


def _sizes(graph: Graph, namer: Namer) -> _Sizes:
    """Return the sizes that the parameters of a graph need."""
    shapes = [dim for node in graph.params.values() for dim in node.shape]
    told = {name: namer.fresh(name) for name in symbols_of(shapes)}
    made: dict[str, str] = {}
    dims: dict[Dim, str] = {}
    for dim in shapes:
        if isinstance(dim, int) or dim in dims:
            continue
        dims[dim] = told[dim.name] if dim.is_Symbol else namer.fresh("size")
        if not dim.is_Symbol:
            made[dims[dim]] = Notation(told).dim(dim)
    return _Sizes(told, made, dims)


def _head(sizes: _Sizes) -> list[str]:
    """Return the first lines of `init`."""
    if not sizes.told:
        return ["def init(seed=0):", f'{INDENT}"""Return freshly initialized parameters."""']
    return [
        *wrapped(f"def init(seed=0, *, {', '.join(sizes.told.values())}):"),
        f'{INDENT}"""Return freshly initialized parameters of these sizes."""',
    ]


# -- what an optimizer keeps ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Moments:
    """What an optimizer keeps of each parameter, as zeros, and calls so: `W.mean`.

    There are `count` parameters, and so many entries of the state before the moments; `others` are
    how parameters end that the optimizer keeps nothing of.
    """

    kinds: tuple[str, ...]
    count: int
    before: int
    others: tuple[str, ...]


def _moments(graph: Graph, sizes: _Sizes) -> _Moments | None:
    """Return what the state ends with of all parameters; None where that is no loop's worth."""
    names = [*graph.params]
    owners = [x for x in graph.trainable if graph.params[x].attrs["trainable"]]
    if not owners:
        return None
    end = f"{owners[-1]}."  # the first one's name is also the counter's
    kinds = [x.removeprefix(end) for x in names if x.startswith(end)]
    last = [f"{owner}.{kind}" for owner in owners for kind in kinds]
    if len(last) < _FEWEST_MOMENTS or names[-len(last) :] != last:
        return None
    for owner in owners:
        node = graph.params[owner]
        for kind in kinds:
            moment = graph.params[f"{owner}.{kind}"]
            zeros = _zeros(sizes.shape(moment), moment.dtype)
            if moment.type != node.type or initial_value(moment, sizes) != zeros:
                return None
    count = names.index(owners[-1]) + 1
    not_trained = [x for x in names[:count] if x not in {*owners}]
    others = {x.rpartition(".")[2] for x in not_trained}
    # A loop tells what is not trained by how its name ends.
    if not all("." in x for x in not_trained) or others & {x.rpartition(".")[2] for x in owners}:
        return None
    return _Moments(tuple(kinds), count, len(names) - len(last), tuple(sorted(others)))


def _with_moments(entries: Sequence[tuple[str, str]], moments: _Moments, namer: Namer) -> list[str]:
    """Return the lines that make the parameters, and what an optimizer keeps of them."""
    lines = _bound(_PARAMETERS, _parts(entries[: moments.count]), namer)
    rest = entries[moments.count : moments.before]
    words = [f"**{_PARAMETERS}", *[f"{string_literal(name)}: {value}" for name, value in rest]]
    lines += wrapped(f"{INDENT}{_STATE} = {{{', '.join(words)}}}")
    lines.append(f"{INDENT}for name, parameter in {_PARAMETERS}.items():")
    inner = INDENT * 2
    if moments.others:
        ends = ", ".join([string_literal(f".{x}") for x in moments.others])
        is_one = len(moments.others) == 1
        lines.append(f"{inner}if not name.endswith({ends if is_one else f'({ends})'}):")
        inner += INDENT
    for kind in moments.kinds:
        lines.append(f'{inner}{_STATE}[f"{{name}}.{kind}"] = np.zeros_like(parameter)')
    return [*lines, f"{INDENT}return {_STATE}"]


#: Entries of a state, one after the other; or those of a layer, for each of several layers.
_Part: TypeAlias = "tuple[tuple[tuple[str, str], ...], ...]"


def _parts(entries: Sequence[tuple[str, str]]) -> list[_Part]:
    """Return the entries, in order; those of layers that begin alike are together."""
    numbers: dict[str, int] = {}
    keys = [numbers.setdefault(value, len(numbers)) for _, value in entries]
    for run in runs(keys):
        count, period = run.count, run.period
        for at in range(run.start, run.end - count * period + 1):
            layers = tuple(
                [tuple(entries[i : i + period]) for i in range(at, at + count * period, period)]
            )
            columns = zip(*[[name for name, _ in layer] for layer in layers], strict=True)
            if (count - 1) * period >= _WORTH and all(map(names_of, columns)):
                before, after = entries[:at], entries[at + count * period :]
                return [*_parts(before), layers, *_parts(after)]
    return [(tuple(entries),)] if entries else []


def _bound(state: str, parts: Sequence[_Part], namer: Namer) -> list[str]:
    """Return the lines that fill a dict, part by part."""
    lines: list[str] = []
    if len(parts[0]) > 1:
        lines.append(f"{INDENT}{state} = {{}}")
    for part in parts:
        if len(part) == 1:
            equals = "|=" if lines else "="
            lines += [f"{INDENT}{state} {equals} {{", *_listed(part[0]), f"{INDENT}}}"]
            continue
        columns = [[name for name, _ in entries] for entries in zip(*part, strict=True)]
        head = Head(len(part), columns, [], namer)
        lines += wrapped(f"{INDENT}{head.line}")
        entries = [
            (head.name(column), value) for column, (_, value) in zip(columns, part[0], strict=True)
        ]
        lines += [f"{INDENT * 2}{state} |= {{", *_written(entries, INDENT * 3), f"{INDENT * 2}}}"]
        for name in head.variables:
            namer.release(name)
    return lines


def _listed(entries: Sequence[tuple[str, str]]) -> list[str]:
    """Return the lines of entries."""
    return _written([(string_literal(name), value) for name, value in entries], INDENT * 2)


def _written(entries: Sequence[tuple[str, str]], indent: str) -> list[str]:
    return [line for key, value in entries for line in wrapped(f"{indent}{key}: {value},")]


def _array(node: Node) -> np.ndarray | None:
    """Return the numbers that a parameter begins with, where they are given one by one."""
    value = getattr(node.attrs["init"], "value", None)
    if not isinstance(value, ArrayLiteral) or not value.array.size:
        return None
    return value.array.astype(node.dtype)


def initial_value(node: Node, sizes: _Sizes) -> str:
    """Return the NumPy expression of a parameter's first value.

    Raises: GraphError where an initializer computes with a size that is told when it runs.
    """
    initializer: Any = node.attrs["init"]
    shape = sizes.shape(node)
    if initializer is None:
        return _zeros(shape, node.dtype)
    try:
        return str(initializer.source(shape, node.dtype))
    except (TypeError, AttributeError):
        if not symbols_of(node.shape):
            raise
        raise node.provenance.error(
            f"{initializer!r} needs numbers, but parameter {node.attrs['name']!r} has named dims",
            got=shape_text(node.shape),
            fix="write the sizes into the source as they are, or give the parameter fixed ones",
        ) from None


def _zeros(shape: tuple[Any, ...], dtype: np.dtype) -> str:
    """Return an array of zeros."""
    return f"np.zeros({Notation().size(shape)}, {Notation().dtype(dtype)})"
