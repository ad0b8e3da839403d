"""Which layer is each node a function of? One pass over the nodes, whoever wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from graphc.draw.networks.activations import nodes_between
from graphc.draw.networks.drafts import (
    Blend,
    Draft,
    Part,
    below,
    is_mixed,
    joint_of,
    narrow,
    sliced_rows,
    units_of,
)
from graphc.draw.networks.parts import Link, placed, source_of, undrawable
from graphc.draw.networks.selections import selection_of
from graphc.draw.products import contracted_axes, factors_of, mixes_rows, weights_and_numbers
from graphc.draw.silent import bare, is_silent
from graphc.ir.dims import Dim, same, same_shape
from graphc.ir.node import Node
from graphc.ir.provenance import FORWARD
from graphc.ir.walk import topological
from graphc.ops import OPS


class LayerFinder:
    """Layers, and the nodes that are functions of them, in the order in which they are met."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        #: Functions of parameters alone, and of constants alone.
        self.weights, self.free = weights_and_numbers(nodes)
        self.drafts: list[Draft] = []
        self.found: dict[Node, int] = {}  # nodes that are functions of one layer alone
        self.merged: dict[int, int] = {}  # a layer whose products another layer took over
        self.joined: dict[Node, list[Node]] = {}  # concatenations of such nodes
        self.blends: dict[Node, Blend] = {}  # functions of layers, unit by unit
        self.parts: dict[tuple[int, str], int] = {}  # what indices pick from an input: x[0]
        self.read: set[int] = set()  # layers that a product or another layer reads
        self.opened: set[Node] = set()  # where blends start that a layer stands for
        self.mixed: dict[Node, Node] = {}  # other functions of layers, and where they begin
        for node in nodes:
            if node not in self.weights and node not in self.free:
                self._visit(node)

    def _visit(self, node: Node) -> None:
        if node.op is OPS["input"]:
            if node.dtype.kind == "f":
                axis = -1 if node.ndim else None
                self._open(node, units_of(node, axis), axis, True)
        elif not self._product(node) and not self._sum(node):
            self._function(node)

    def layer(self, node: Node) -> int | None:
        """Return the layer that a node is a function of, if it is of exactly one."""
        index = self.found.get(node)
        if index is None and node in self.blends:
            start = self.blends[node].start
            index = self.found[start] if start in self.opened else None
        while index in self.merged:
            index = self.merged[index]
        return index

    def layers_behind(self, node: Node) -> list[int]:
        """Return the layers that a node is any function of."""
        way = topological([node], lambda x: self.layer(x) is not None)
        behind = {self.layer(x) for x in way}
        return sorted(index for index in behind if index is not None)

    def is_unread(self, index: int) -> bool:
        """Say whether a layer is an input that no link reads: a label, a mask."""
        return self.drafts[index].is_input and index not in self.read

    def _open(self, node: Node, size: Dim, axis: int | None, is_input: bool = False) -> int:
        self.drafts.append(Draft(node, node, size, is_input, axis))
        self.found[node] = len(self.drafts) - 1
        return self.found[node]

    # -- products --------------------------------------------------------------------------

    def _product(self, node: Node) -> bool:
        """Open a layer at a product of data with weights."""
        factors = factors_of(node)
        if len(factors) != 2 or node.provenance.phase != FORWARD:
            return False  # a derivative is no layer, though weights multiply it
        for data, weight in (factors, factors[::-1]):
            if weight not in self.weights or data in self.weights:
                continue
            axes = contracted_axes(node, data, weight)
            if axes is not None and self._is_readable(node, data, weight):
                self._link(node, data, weight, *axes)
                return True
        return False

    def _is_readable(self, product: Node, data: Node, weight: Node) -> bool:
        """Say whether a product's data are layers, or functions that layers can stand for.

        **Raises** GraphError where they are none, but a layer's product reads them.
        """
        if data in self.joined or self.layer(data) is not None:
            return True
        if data in self.blends:
            parts = self.blends[data].parts
            return product.ndim > 0 or not any(self.is_unread(part.layer) for part in parts)
        if not product.ndim or not data.ndim:
            return False  # a loss with a coefficient
        behind = self.layers_behind(data)
        is_of_inputs = all(self.drafts[i].is_input for i in behind)
        if is_of_inputs or data not in self.mixed or self.mixed[data].op.family == "loop":
            self._stand_in(data, units_of(data, -1), -1, behind)
            return True
        source = source_of(weight)[0]
        by = source.attrs["name"] if source.op is OPS["param"] else "weights"
        raise undrawable(f"what {by} multiplies", self.mixed[data])

    def _link(
        self, node: Node, data: Node, weight: Node, unit_axis: int, row: int, axis: int | None
    ) -> None:
        parts = self.joined.get(data, [data])
        at = unit_axis if data.ndim else 0
        tails = [self._tail(part, at) for part in parts]
        size = weight.shape[1 - row] if weight.ndim == 2 else 1
        head = self._open(node, size, axis)
        first: Dim = 0
        for part, (tail, rows) in zip(parts, tails, strict=True):
            link = Link(tail, head, weight, row == 0, first, rows, bare(part))
            self.drafts[head].sources.append(link)
            first = first + part.shape[at] if part.ndim else 0

    def _tail(self, data: Node, axis: int) -> tuple[int, range | None]:
        """Return the layer that a product reads, and which of its units where not all.

        Another number of units than the layer has, or sums over an input, have a new one.
        """
        units = data.shape[axis] if data.ndim else 1
        index = self.layer(data)
        if index is None:
            blend = self.blends[data]
            if blend.is_slice and bare(data) is blend.start and same(units, blend.size):
                part = blend.parts[0]
                return self._read(part.layer, part.node), part.rows
            index = self.open_blend(blend, data)
        draft = self.drafts[index]
        if not same(draft.size, units) or (draft.is_input and is_mixed(data, draft.start)):
            return self._stand_in(data, units, axis - data.ndim, [index]), None
        return self._read(index, data), None

    def _read(self, index: int, node: Node) -> int:
        while index in self.merged:
            index = self.merged[index]
        index = self._part_of(index, node)
        draft = self.drafts[index]
        self.read |= {index, index if draft.whole is None else draft.whole}
        if draft.read is None:
            draft.read = node
        return index

    def _part_of(self, index: int, node: Node) -> int:
        """Return the layer that a function of a layer reads: of an input, what indices pick."""
        draft = self.drafts[index]
        if not draft.is_input or draft.axis is None or draft.start.ndim < 2:
            return index
        part = selection_of(node, draft.start, draft.axis)
        indices = part.text(draft.start.shape)
        if not indices:
            return index
        if (index, indices) not in self.parts:
            self.parts[index, indices] = len(self.drafts)
            picked = Draft(part.node, part.node, draft.size, True, draft.axis)
            self.drafts.append(replace(picked, whole=index, indices=indices))
        return self.parts[index, indices]

    def _stand_in(self, node: Node, units: Dim, axis: int, behind: Sequence[int]) -> int:
        """Open a column for what is computed from layers in other ways than by links."""
        origin = bare(node)  # an input with an axis for its one unit is that input
        index = self._open(origin if origin.op is OPS["input"] else node, units, axis, True)
        self.drafts[index].after = tuple(behind)
        for early in behind:
            draft = self.drafts[early]
            if draft.read is None and not draft.is_input:
                inside = takewhile(lambda x: x.op.family != "loop", nodes_between(draft.sum, node))
                alike = [x for x in inside if same_shape(x.shape, draft.sum.shape)]
                draft.read = alike[-1] if alike else None
        return index

    # -- sums ------------------------------------------------------------------------------

    def _sum(self, node: Node) -> bool:
        """Take a bias, another product, or a skip connection into the layer."""
        if node.op.infix != "+":
            return False
        layers = [self.layer(i) for i in node.inputs]
        known = sorted({index for index in layers if index is not None})
        if len(known) == 2:
            return self._merge(node, *known)
        for index, other in zip(layers, node.inputs[::-1], strict=True):
            if index is None or other not in self.weights:
                continue
            draft = self.drafts[index]
            if not draft.is_input and self._is_sum(index, node):
                draft.biases.append(bare(other))
                draft.sum = node
                self.found[node] = index
                return True
        return False

    def _is_sum(self, index: int, node: Node) -> bool:
        """Say whether a node adds to the layer's sum itself, not to a function of it."""
        return any(bare(i) is self.drafts[index].sum for i in node.inputs)

    def _merge(self, node: Node, early: int, late: int) -> bool:
        """Join two products that are added, or let a layer skip into a later one."""
        # z1 + tanh(z2): the second one skips into the first
        if self._is_sum(early, node) and not self._is_sum(late, node):
            turns = early not in below(self.drafts, self.merged, late)
            early, late = (late, early) if turns else (early, late)
        a, b = self.drafts[early], self.drafts[late]
        if b.is_input or not same(a.size, b.size) or not same_shape(node.shape, b.start.shape):
            return False
        both_sums = all(self._is_sum(index, node) for index in (early, late))
        if both_sums and not a.is_input and a.read is None:
            b.sources[:0] = [replace(link, head=late) for link in a.sources]
            b.biases[:0] = a.biases
            a.sources, a.biases = [], []
            self.merged[early] = late
        else:
            operand = next(i for i in node.inputs if self.layer(i) == early)
            link = Link(self._part_of(early, operand), late, None)
            (b.sources if self._is_sum(late, node) else b.skip_links).append(link)
            if a.read is None:
                a.read = operand
            if not self._is_sum(late, node):
                b.skips.append((next(i for i in node.inputs if self.layer(i) == late), node))
        if self._is_sum(late, node):
            b.sum = node
        self.found[node] = late
        b.seen.append(node)
        return True

    # -- everything else ---------------------------------------------------------------------

    def _function(self, node: Node) -> None:
        """Follow a function of layers: an activation, a gate, a slice, a step towards the loss."""
        data = [i for i in node.inputs if i not in self.weights and i not in self.free]
        data = self._without_mixers(node, data)
        layers = {self.layer(i) for i in data}
        index = layers.pop() if len(layers) == 1 else None
        if node.op.family == "loop":
            self.mixed[node] = node
        elif index is not None:
            self._function_of_one(node, data, index)
        elif self._blend(node, data):
            return
        elif node.op is OPS["concat"] and all(self._has_units(i) for i in data):
            self.joined[node] = [part for i in data for part in self.joined.get(i, [i])]
        elif all(i in self.mixed or self._has_units(i) for i in data):
            self.mixed[node] = next((self.mixed[i] for i in data if i in self.mixed), node)
            self._expect_no_weights(node, data)

    def _without_mixers(self, node: Node, data: list[Node]) -> list[Node]:
        """Return what a node is a function of: h alone, where inputs say which rows of h add up.

        A graph convolution sums over neighbours, A @ h; each unit is left to itself.
        """
        if node.op is not OPS["einsum"] or len(data) < 2:
            return data
        for x in data:
            index = self.layer(x)
            draft = None if index is None else self.drafts[index]
            if draft is None or draft.is_input or not mixes_rows(node, x, draft.axis):
                continue
            behind = [i for y in data if y is not x for i in self.layers_behind(y)]
            if all(self.drafts[i].is_input for i in behind):
                return [x]
        return data

    def _has_units(self, node: Node) -> bool:
        return node in self.found or node in self.blends or node in self.joined

    def _expect_no_weights(self, node: Node, data: Sequence[Node]) -> None:
        """Refuse a product of several layers with weights: x*W*y is no layer of units."""
        weighed = any(i in self.weights for i in node.inputs)
        is_product = node.op.family == "contraction" and node.provenance.phase == FORWARD
        behind = {i for x in data for i in self.layers_behind(x)} if weighed and is_product else ()
        if any(not self.drafts[i].is_input for i in behind):
            why = "it multiplies several layers with weights at once"
            raise undrawable(placed(node), node, why)

    def _function_of_one(self, node: Node, data: Sequence[Node], index: int) -> None:
        draft = self.drafts[index]
        is_image = draft.is_input and draft.start.ndim > 2
        rows = None if is_image else sliced_rows(node, draft.axis, draft.size)
        if rows is not None:
            part = Part(data[0], self._part_of(index, node), rows)
            self.blends[node] = Blend(node, draft.axis, len(rows), (part,))
            return
        self.found[node] = index
        if not (is_silent(node) and bare(node) is draft.sum):
            draft.seen.append(node)

    def _blend(self, node: Node, data: Sequence[Node]) -> bool:
        """Follow a function of units, one by one, of several layers or of some units of one."""
        inside = [None if self.layer(i) is not None else self.blends.get(i) for i in data]
        first = inside[0]
        if first is not None and all(b is not None and b.start is first.start for b in inside):
            self.blends[node] = first
            return True
        if len(data) == 1 and data[0] in self.joined:
            blend = self._joined(data[0])
            if blend is not None:
                self.blends[node] = blend
            return blend is not None
        if node.op.family != "pointwise":
            return False
        if not all(b or self.layer(i) is not None for i, b in zip(data, inside, strict=True)):
            return False
        return self._gate(node, list(zip(data, inside, strict=True)))

    def _gate(self, node: Node, operands: Sequence[tuple[Node, Blend | None]]) -> bool:
        """Begin a blend where the units of several layers meet, if each has its place there."""
        found: list[Sequence[Part]] = []
        owners: list[tuple[int | None, Dim]] = []
        for x, blend in operands:
            index = self.layer(x)
            if blend is not None:
                found.append(blend.parts)
                owners.append((blend.axis, blend.size))
            elif index is not None and self.drafts[index].start.ndim > 1 and not narrow(x).ndim:
                return False  # examples were added up: a part of a loss
            elif index is not None:
                found.append((Part(x, index),))
                owners.append((self.drafts[index].axis, self.drafts[index].size))
        axis = next((a for a, _ in owners if a is not None), None)
        size = units_of(node, axis)
        for (x, _), (_, own) in zip(operands, owners, strict=True):
            if not same(units_of(narrow(x), axis), own) or not (same(own, size) or same(own, 1)):
                return False
        parts = [
            part if same(own, size) else replace(part, spreads=True)
            for own_parts, (_, own) in zip(found, owners, strict=True)
            for part in own_parts
        ]
        unique = {(p.layer, p.rows, p.first, p.spreads): p for p in reversed(parts)}
        inner = tuple(b.start for _, b in operands if b is not None)
        kept = tuple(reversed(unique.values()))
        self.blends[node] = Blend(node, axis, size, kept, joint_of(node, operands), inner)
        return True

    def join(self, node: Node) -> None:
        """Take a concatenation as units of its own, where one of its parts is no layer."""
        if any(self.layer(x) is None for x in self.joined[node]):
            blend = self._joined(node)
            if blend is not None:
                self.blends[node] = blend

    def _joined(self, node: Node) -> Blend | None:
        """Return the blend of a concatenation of layers, or of blends, along their units."""
        axis = node.attrs["axis"] - node.ndim
        parts: list[Part] = []
        inner: list[Node] = []
        first: Dim = 0
        for x in self.joined[node]:
            index, blend = self.layer(x), self.blends.get(x)
            if index is not None:
                if not same(units_of(x, axis), self.drafts[index].size):
                    return None
                parts.append(Part(x, index, None, first))
            elif blend is None or blend.axis != axis or not blend.follows(x):
                return None
            else:
                parts += [replace(part, first=part.first + first) for part in blend.parts]
                inner += [blend.start, *blend.inner]
            first = first + units_of(x, axis)
        joint = "f" if any(not self.blends[start].is_slice for start in inner) else ""
        return Blend(node, axis, units_of(node, axis), tuple(parts), joint, tuple(inner))

    def open_blend(self, blend: Blend, read: Node) -> int:
        """Open the layer that a blend is, with links from unit to unit."""
        tails = [self._read(part.layer, part.node) for part in blend.parts]
        head = self._open(blend.start, blend.size, blend.axis)
        self.opened.add(blend.start)
        draft = self.drafts[head]
        draft.read, draft.joint, draft.is_blend = read, blend.joint, True
        for part, tail in zip(blend.parts, tails, strict=True):
            link = Link(tail, head, None, True, part.first, part.rows, spreads=part.spreads)
            draft.sources.append(link)
        return head
