"""Channels first: convolutions by chunks of columns, and between them arrays in their axis order.

The product of filters and columns has channels first and samples last. An array that is computed
from it element by element, or pooled, is computed in that order too, and so the next convolution
finds its channels first: nothing is turned on the way. Channels may be in groups. What has no order
of axes to change (a sum, a product of matrices, an output) reads a transposed view.

What follows a transpose is likewise computed in the order in which the elements lie, as long as
all operands lie so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TypeAlias

from graphc.ir.dims import Dim, product
from graphc.ir.graph import Graph
from graphc.ir.node import Node, rebuilt
from graphc.ir.provenance import inherit
from graphc.ops.contraction.spec import split_spec
from graphc.ops.leaf import fill, full, is_fill
from graphc.ops.registry import OPS
from graphc.rewrite.engine.bodies import Became, replaced
from graphc.rewrite.engine.factors import terms_of_sum
from graphc.rewrite.engine.rule import Firing, Rule, by_whole_pass, rounding
from graphc.rewrite.speed.short_rows import SHORT_ROW

CONVOLVE = rounding(
    "convolve_in_chunks",
    "einsum('ncxyij,ocij->noxy', windows(x), W)",
    "convolve_windows(channels first x, W)",
    "chunks of columns stay in the cache, and long rows of them are copied at once",
    apply=by_whole_pass,
)
KEEP_ORDER = Rule(
    "keep_axis_order",
    "f(transpose(z))",
    "transpose(f(z))",
    "what follows a convolution stays in the order of axes that the next one wants, and what"
    " follows a transpose in the order in which the elements lie",
    apply=by_whole_pass,
)

#: An array with its axes in another order, and which axes of it they are: transpose(x, order).
Held: TypeAlias = tuple[Node, tuple[int, ...]]


def channels_first(graph: Graph, became: Became) -> tuple[Graph, tuple[Firing, ...]]:
    """Return the graph whose convolutions work on arrays [channels, …, samples]."""
    draft = _Draft({})
    for node in graph.nodes:
        for x in node.inputs:
            draft.uses[x] = draft.uses.get(x, 0) + 1
    for node in graph.nodes:
        draft.add(node)
    if not draft.firings:
        return graph, ()
    return replaced(graph, draft.new, became), tuple(draft.firings)


@dataclass
class _Draft:
    """The new graph while it grows: what stands for each node, and in which order it is held."""

    uses: dict[Node, int]
    new: dict[Node, Node] = field(default_factory=dict)
    held: dict[Node, Held] = field(default_factory=dict)
    #: Held in the order in which an operand happens to lie, which nobody asks for.
    indifferent: set[Node] = field(default_factory=set)
    firings: list[Firing] = field(default_factory=list)

    def add(self, node: Node) -> None:
        with inherit(node.provenance):
            rule, found = CONVOLVE, self.convolved(node)
            if found is None:
                rule, found = KEEP_ORDER, self.in_order(node)
            if found is None:
                self.new[node] = self.kept(node)
                return
            result, order = found
            result = result.named(node.name)
            self.new[node] = turned_back = _transposed(result, _inverse(order))
            if order != tuple(range(len(order))) and not self.is_filter(result):
                self.held[node] = result, order
        self.firings.append(Firing(rule, (node,), turned_back))

    def kept(self, node: Node) -> Node:
        """Return the node on the new operands; a contraction reads them in their own order."""
        operands = [self.new[x] for x in node.inputs]
        if node.op is OPS["transpose"] and not _has_shorter_rows(node.inputs[0], node):
            self.held[node] = operands[0], _inverse(node.attrs["axes"])
            self.indifferent.add(node)
        if node.op is not OPS["einsum"] or self.held.keys().isdisjoint(node.inputs):
            return rebuilt(node, tuple(operands))
        terms, out = split_spec(node.attrs["spec"])
        for i, x in enumerate(node.inputs):
            if x in self.held:
                operands[i], order = self.held[x]
                terms[i] = "".join([terms[i][a] for a in order])
        return node.op.make(operands, spec=f"{','.join(terms)}->{out}")

    @staticmethod
    def is_filter(result: Node) -> bool:
        """Say whether a result is a derivative by filters, which are kept in their own order."""
        return OPS["convolve_filters"] in (result.op, *[x.op for x in result.inputs])

    # -- what is computed in another order of axes -----------------------------------------------

    def in_order(self, node: Node) -> Held | None:
        """Return the node in the order of an operand that is held in another one."""
        for x in node.inputs:
            if x not in self.held:
                continue
            order = self.held[x][1]
            if x not in self.indifferent:
                return node.op.reordered(node, order, self.turned)
            if all(self.lies_so(other, order) for other in node.inputs):
                found = node.op.reordered(node, order, self.turned)
                if found is not None:
                    self.indifferent.add(node)
                return found
        return None

    def lies_so(self, x: Node, order: tuple[int, ...]) -> bool:
        """Say whether transpose(x, order) is there, or needs no copy of many elements."""
        if x in self.held:
            return self.held[x][1] == order
        if x.ndim != len(order):
            return False
        return x.op in (full, OPS["broadcast_to"]) or _moves_only_ones(x, order)

    def turned(self, x: Node, order: Sequence[int]) -> Node:
        """Return transpose(x, order) of a node of the old graph."""
        inner, own = self.held.get(x, (x, ()))
        if own == tuple(order):
            return inner
        shape = tuple([x.shape[a] for a in order])
        if x.op is full:
            return fill(x.attrs["value"], shape, x.dtype)
        if x.op is OPS["broadcast_to"]:
            source = self.new[x.inputs[0]]
            source = OPS["reshape"](source, (1,) * (x.ndim - source.ndim) + source.shape)
            return OPS["broadcast_to"](_transposed(source, order), shape)
        return _transposed(self.new[x], order)

    def laid_out(self, x: Node, order: Sequence[int]) -> Node:
        """Return transpose(x, order), copied where its elements do not lie in that order."""
        inner, own = self.held.get(x, (x, ()))
        if own == tuple(order):
            return inner
        if x not in self.held and _moves_only_ones(x, order):
            return _transposed(self.new[x], order)
        if x.op is OPS["pad"]:  # which makes a copy
            found = x.op.reordered(x, tuple(order), self.turned)
            assert found is not None
            return found[0]
        shape = tuple([x.shape[a] for a in order])
        return OPS["pack"].make([self.new[x]], axes=tuple(order), shape=shape)

    # -- convolutions ----------------------------------------------------------------------------

    def convolved(self, node: Node) -> Held | None:
        """Return the convolution that a node is, or the derivative of one by filters or image."""
        if node.op is OPS["windows_add"]:
            return self.added_back(node)
        if node.op is not OPS["einsum"] or len(node.inputs) != 2:
            return None
        at = 0 if node.inputs[0].op is OPS["windows"] else 1
        shown, other = node.inputs[at], node.inputs[1 - at]
        if shown.op is not OPS["windows"] or other.op is OPS["windows"]:
            return None
        terms, out = split_spec(node.attrs["spec"])
        rank = len(shown.attrs["size"])
        given = terms[1 - at]
        sizes = dict(zip([*terms[at], *given], [*shown.shape, *other.shape], strict=True))
        roles = Roles.of(terms[at], out, given, rank)
        groups = None if roles is None else count_of(roles.groups, sizes)
        if roles is not None and groups is not None:
            operands = [self.image(shown, roles), self.filters(other, given, roles)]
            result = OPS["convolve_windows"].make(operands, groups=groups, **shown.attrs)
            return self.spread(result, roles.response, out, sizes)
        roles = Roles.of(terms[at], given, out, rank)
        groups = None if roles is None else count_of(roles.groups, sizes)
        if roles is not None and groups is not None:
            operands = [self.image(shown, roles), self.response(other, given, roles)]
            result = OPS["convolve_filters"].make(operands, groups=groups, **shown.attrs)
            return self.spread(result, roles.groups + roles.rows + roles.filters, out, sizes)
        return None

    def added_back(self, node: Node) -> Held | None:
        """Return products' windows added to a base: derivatives of convolutions by their image.

        Convolutions of one image add up their derivatives by its windows. They are one convolution
        by the filters of all, and so is its derivative.
        """
        base, values = node.inputs
        parts: dict[_Order, list[tuple[Node, Node]]] = {}
        others: list[Node] = []
        for term in terms_of_sum(values, lambda x: self.uses[x] != 1):
            found = self.product_added_back(term, len(node.attrs["size"]))
            if found is None:
                others.append(self.new[term])
            else:
                parts.setdefault(found[0], []).append(found[1:])
        if not parts:
            return None
        first, *further = parts
        order = first.axes
        result = _added_back(node, parts[first], first)
        for own in further:
            turned = [own.axes.index(a) for a in order]
            result = OPS["add"](result, _transposed(_added_back(node, parts[own], own), turned))
        if others:
            rest = node.op.make([self.new[base], reduce(OPS["add"], others)], **node.attrs)
            return OPS["add"](result, _transposed(rest, order)), order
        if not is_fill(base, 0):
            result = OPS["add"](result, self.turned(base, order))
        return result, order

    def product_added_back(self, product_of: Node, rank: int) -> tuple[_Order, Node, Node] | None:
        """Return response and filters whose product gives windows, and in which order of axes."""
        is_own = product_of.op is OPS["einsum"] and self.uses[product_of] == 1
        if not is_own or len(product_of.inputs) != 2:
            return None
        terms, out = split_spec(product_of.attrs["spec"])
        sizes = dict(zip(out, product_of.shape, strict=True))
        for i in (0, 1):
            roles = Roles.of(out, terms[i], terms[1 - i], rank)
            groups = None if roles is None else count_of(roles.groups, sizes)
            if roles is not None and groups is not None:
                d = self.response(product_of.inputs[i], terms[i], roles)
                filters = self.filters(product_of.inputs[1 - i], terms[1 - i], roles)
                alone = None if groups == 1 else product_of
                order = tuple([out.index(c) for c in roles.image])
                return _Order(order, groups, alone), d, filters
        return None

    def image(self, shown: Node, roles: Roles) -> Node:
        """Return what windows show as [channels, …, samples]."""
        x = shown.inputs[0]
        labels = roles.windows[: x.ndim]
        laid_out = self.laid_out(x, [labels.index(c) for c in roles.image])
        return _cube(laid_out, len(roles.groups + roles.channels), len(roles.positions))

    def response(self, x: Node, labels: str, roles: Roles) -> Node:
        """Return what convolution makes, or its cotangent, as [filters, …, samples]."""
        turned = self.turned(x, [labels.index(c) for c in roles.response])
        return _cube(turned, len(roles.groups + roles.filters), len(roles.positions))

    def filters(self, x: Node, labels: str, roles: Roles) -> Node:
        """Return filters as a matrix [filters, channels and places]."""
        lead = roles.groups + roles.filters
        turned = self.turned(x, [labels.index(c) for c in lead + roles.rows])
        split = len(lead)
        return OPS["reshape"](
            turned, (product(turned.shape[:split]), product(turned.shape[split:]))
        )

    def spread(self, result: Node, labels: str, out: str, sizes: dict[str, Dim]) -> Held:
        """Return a result with an axis for each label, and which axes of `out` they are."""
        whole = OPS["reshape"](result, tuple([sizes[c] for c in labels]))
        return whole, tuple([out.index(c) for c in labels])


@dataclass(frozen=True)
class Roles:
    """The labels of windows by what they are in a convolution."""

    windows: str
    groups: str
    channels: str
    samples: str
    positions: str
    places: str
    filters: str

    @classmethod
    def of(cls, windows: str, response: str, filters: str, rank: int) -> Roles | None:
        """Return the roles where three arrays are windows, response and filters of a convolution.

        Two of them are operands and one is the result: a convolution and its two derivatives.
        Each label stands in two of them, positions in the response and places in the filters; those
        of groups of channels, which have filters of their own, stand in all.
        """
        terms = (windows, response, filters)
        if any(len(set(term)) != len(term) for term in terms):
            return None
        if any(sum(c in term for term in terms) < 2 for c in "".join(terms)):
            return None
        lead = windows[: len(windows) - 2 * rank]
        groups = "".join(c for c in lead if c in response and c in filters)
        if any(c in response and c in filters for c in windows[len(lead) :]):
            return None
        positions = windows[len(lead) : len(lead) + rank]
        places = windows[len(lead) + rank :]
        if not set(positions) <= set(response) or not set(places) <= set(filters):
            return None
        channels = "".join(c for c in lead if c in filters and c not in groups)
        samples = "".join(c for c in lead if c in response and c not in groups)
        shared = "".join(c for c in filters if c in response and c not in groups)
        if groups and not samples:
            return None  # Each sample has filters of its own.
        return cls(windows, groups, channels, samples, positions, places, shared)

    @property
    def image(self) -> str:
        return self.groups + self.channels + self.positions + self.samples

    @property
    def response(self) -> str:
        return self.groups + self.filters + self.positions + self.samples

    @property
    def rows(self) -> str:
        return self.channels + self.places


@dataclass(frozen=True)
class _Order:
    """How a convolution's derivative by its image is held: axes, and groups of channels.

    Those of one order are one convolution by the filters of all; where there are groups, each is
    `alone`.
    """

    axes: tuple[int, ...]
    groups: int
    alone: Node | None


def count_of(groups: str, sizes: Mapping[str, Dim]) -> int | None:
    """Return how many groups there are; None where only run time knows."""
    count = product([sizes[c] for c in groups])
    return count if isinstance(count, int) else None


def _cube(x: Node, first: int, rank: int) -> Node:
    """Return x with its first axes made one, then `rank` axes as they are, then the others one."""
    shape = x.shape
    end = first + rank
    return OPS["reshape"](x, (product(shape[:first]), *shape[first:end], product(shape[end:])))


def _added_back(node: Node, parts: Sequence[tuple[Node, Node]], order: _Order) -> Node:
    """Return what responses and their filters add to zeros by windows, with its axes in order."""
    d, filters = (OPS["concat"](*pieces, axis=0) for pieces in zip(*parts, strict=True))
    space = node.shape[node.ndim - len(node.attrs["size"]) :]
    attrs = {"shape": space, "groups": order.groups, **node.attrs}
    result = OPS["convolve_back"].make([d, filters], **attrs)
    return OPS["reshape"](result, tuple([node.shape[a] for a in order.axes]))


def _transposed(x: Node, order: Sequence[int]) -> Node:
    """Return transpose(x, order), as a reshape where that does it."""
    if _moves_only_ones(x, order):
        return OPS["reshape"](x, tuple([x.shape[a] for a in order]))
    return OPS["transpose"](x, order)


def _moves_only_ones(x: Node, order: Sequence[int]) -> bool:
    """Say whether the axes of more than one element keep their order."""
    long = [a for a in order if not (isinstance(x.shape[a], int) and x.shape[a] == 1)]
    return long == sorted(long)


def _has_shorter_rows(x: Node, other: Node) -> bool:
    """Say whether the rows of x are too short to be worked on one by one, and another's are not."""
    row, others = x.shape[-1], other.shape[-1]
    is_short = isinstance(row, int) and row < SHORT_ROW
    return is_short and not (isinstance(others, int) and others <= row)


def _inverse(order: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))
