"""Which layers of units does a graph hold? Dense layers found by pattern, however they were built.

A layer begins at a product of data with weights, takes in the sums and biases that follow, and
ends where the next product reads it. Nothing depends on how the graph was written: `nn.dense`,
`x @ W + b`, `W @ x`, `einsum`, or scalars multiplied and added one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

from graphc.draw.networks.activations import nodes_between, probabilities
from graphc.draw.networks.drafts import Draft, in_order
from graphc.draw.networks.layer_finder import LayerFinder
from graphc.draw.networks.parts import Layer, Link, Network, undrawable
from graphc.draw.products import weight_of
from graphc.draw.silent import bare
from graphc.errors import GraphError
from graphc.ir.dims import same, same_shape
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.provenance import FORWARD
from graphc.ir.walk import topological

#: How many functions of an output's sum are looked at in search of probabilities.
_NEAR = 16
_OF_MAPS = "gc.draw.volumes(g) draws feature maps, "


def find_network(graph: Graph) -> Network:
    """Return the dense layers of a graph, inputs first.

    **Raises** GraphError where no product of data with weights is found, and where layers meet in
    a way that no layer of units can stand for, such as attention.
    """
    finder = LayerFinder(graph.nodes)
    _open_outputs(graph, finder)
    drafts = finder.drafts
    _keep_shown_skips(graph, drafts)
    links = [link for draft in drafts for link in draft.sources]
    if not any(link.weight is not None for link in links):
        has_maps = any(map(_slides, graph.nodes))
        raise GraphError(
            f"no dense layer found in graph {graph.name!r}",
            expected="a product of data with a parameter, such as x @ W + b",
            fix=f"{_OF_MAPS if has_maps else ''}gc.draw.computation_graph(g) draws any graph",
        )
    return _finished(graph, drafts, links, finder.weights)


def _open_outputs(graph: Graph, finder: LayerFinder) -> None:
    """Open the layers that blends are which no product reads: those with a name, or predictions.

    **Raises** GraphError for an output in which layers meet in another way.
    """
    outputs = set(graph.outputs.values())
    inner: set[Node] = set()  # where blends start that are steps on the way to another
    compared: set[Node] = set()  # where blends start that a label is compared with
    for node in reversed([n for n in graph.nodes if n.provenance.phase == FORWARD]):
        if node in outputs and node in finder.joined:
            finder.join(node)
        blend = finder.blends.get(node)
        if blend is None:
            if node in finder.mixed and node in outputs:
                _expect_loss(graph, node, finder.mixed[node], finder)
            continue
        if any(finder.is_unread(part.layer) for part in blend.parts):
            compared.update(blend.inner)
            continue
        taken = blend.start in inner or blend.start in finder.opened
        is_shown = node in graph.labels or node in outputs or blend.start in compared
        if node in outputs and not blend.follows(node):
            _expect_loss(graph, node, _where_units_end(node, finder), finder)
        elif is_shown and not taken and blend.follows(node):
            finder.open_blend(blend, node)
            taken = True
        if taken:
            inner.update(blend.inner)


def _where_units_end(node: Node, finder: LayerFinder) -> Node:
    """Return the first node on the way to this one that has no place for each unit of a blend."""
    blend = finder.blends[node]
    while True:
        inside = [x for x in node.inputs if x in finder.blends]
        gone = [x for x in inside if finder.blends[x] is blend and not blend.follows(x)]
        if not gone:
            return node
        node = gone[0]


def _expect_loss(graph: Graph, node: Node, cause: Node, finder: LayerFinder) -> None:
    """Refuse an output in which layers meet without a label: it is a layer that cannot be drawn."""
    if not node.ndim or node.dtype.kind != "f":
        return
    behind = finder.layers_behind(cause)
    dense = [index for index in behind if not finder.drafts[index].is_input]
    if cause.op.family != "loop" and len(dense) > 1 and not any(map(finder.is_unread, behind)):
        name = next(name for name, output in graph.outputs.items() if output is node)
        raise undrawable(f"output {name!r}", cause)


# -- from drafts to layers -----------------------------------------------------------------------


def _keep_shown_skips(graph: Graph, drafts: Sequence[Draft]) -> None:
    """Keep the skips that lead to what a layer shows; a sum in a loss is none."""
    feeding = {link.tail for draft in drafts for link in (*draft.sources, *draft.skip_links)}
    for index, draft in enumerate(drafts):
        if not draft.skips:
            continue
        shown = _shown(graph, draft, index in feeding)
        inside = set(nodes_between(draft.sum, shown))
        kept = [after in inside for _, after in draft.skips]
        draft.sources += compress(draft.skip_links, kept)
        draft.skips = list(compress(draft.skips, kept))


def _shown(graph: Graph, draft: Draft, is_feeding: bool) -> Node:
    """Return the variable that a layer stands for."""
    shown = draft.read if draft.is_blend or is_feeding else _shown_output(graph, draft)
    return draft.sum if shown is None else bare(shown)


def _finished(
    graph: Graph, drafts: Sequence[Draft], links: Sequence[Link], weights: set[Node]
) -> Network:
    linked = {end for link in links for end in (link.tail, link.head)}
    steps = [(link.tail, link.head) for link in links]
    steps += [(early, late) for late in linked for early in drafts[late].after if early in linked]
    used = in_order(drafts, linked, steps)
    level = dict.fromkeys(used, 0)
    place = {index: i for i, index in enumerate(used)}
    for tail, head in sorted(steps, key=lambda step: place[step[1]]):
        level[head] = max(level[head], level[tail] + 1)
    feeding = {tail for tail, _ in steps}
    layers = []
    for index in used:
        draft = drafts[index]
        is_feeding = index in feeding
        is_fed = draft.is_input and any(not drafts[early].is_input for early in draft.after)
        if draft.is_input:
            node = total = draft.start
            role, beyond = "input", "" if is_fed else _hangs_behind(node)
        else:
            node, total = _shown(graph, draft, is_feeding), draft.sum
            beyond = "" if is_feeding else _leads_on(graph, total, weights)
            role = "hidden" if is_feeding or beyond else "output"
        layers.append(
            Layer(
                node,
                draft.size,
                role,
                level[index],
                total,
                tuple(draft.biases),
                tuple(draft.skips),
                draft.joint,
                is_fed,
                None if draft.whole is None else drafts[draft.whole].start,
                draft.indices,
                beyond,
            )
        )
    moved = [replace(link, tail=place[link.tail], head=place[link.head]) for link in links]
    return Network(tuple(layers), tuple(moved))


def _shown_output(graph: Graph, draft: Draft) -> Node:
    """Return the variable that an output layer stands for: the last one with a name.

    Without a name it is where the units become probabilities, else the sum itself.
    """
    total = draft.sum
    candidates = [n for n in draft.seen if same_shape(n.shape, total.shape) and n.dtype.kind == "f"]
    named = [n for n in candidates if n in graph.labels]
    if named:
        return named[-1]
    if total in graph.labels:
        return total
    return next((n for n in candidates[:_NEAR] if probabilities(total, n)), total)


# -- before and behind the layers: feature maps, loops, other weights -------------------------

_LOOP, _MAPS, _LAYERS = "a loop", "feature maps", "other layers"
_PRODUCT = "a product with other units"


def _hangs_behind(node: Node) -> str:
    """Return what computes the units of a first layer; nothing where they are inputs."""
    behind = topological([node])
    if any(x.op.family == "loop" for x in behind):
        return _LOOP
    return _MAPS if any(map(_slides, behind)) else ""


def _leads_on(graph: Graph, node: Node, weights: set[Node]) -> str:
    """Return what reads a last layer that is no output: a loop, or products with other weights.

    An output that multiplies it with other units is one, too: the layer made weights for them.
    What is one number is a part of a loss, whatever reads it.
    """
    leaving = set(graph.outputs.values())
    waiting, seen = deque([(node, False, False)]), {node}
    while waiting:
        current, slides, is_mixed = waiting.popleft()
        if current in leaving:
            return _PRODUCT if is_mixed else ""
        for reader in graph.consumers[current]:
            if reader in seen or reader.provenance.phase != FORWARD:
                continue
            if reader.op.family == "loop":
                return _LOOP
            if not reader.ndim:
                continue
            seen.add(reader)
            is_slid = slides or _slides(reader)
            is_product = reader.op.family == "contraction" and len(reader.inputs) > 1
            if is_product and weight_of(reader, weights) is not None:
                return _MAPS if is_slid else _LAYERS
            # A product that leaves each unit its place only adds up over examples or neighbours.
            is_other = is_product and not same(reader.shape[-1], node.shape[-1] if node.ndim else 1)
            waiting.append((reader, is_slid, is_mixed or is_other))
    return ""


def _slides(node: Node) -> bool:
    """Say whether a node takes windows of an image, or reduces them."""
    return "size" in node.attrs and "stride" in node.attrs
