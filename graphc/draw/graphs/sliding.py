"""Which nodes are one step of a lecture's picture? A convolution or a pooling: they share a box.

graphc computes both from primitives: padding, windows, a contraction. They are found by pattern,
so those that a user writes out are found too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphc.draw.dim_formula import dim_formula, short_sizes, sizes_formula, unusual
from graphc.draw.silent import is_silent
from graphc.ir.code import ATOM, PRODUCT, Code
from graphc.ir.dims import Dim, product, same
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import topological
from graphc.ops import OPS
from graphc.ops.contraction.spec import label_sizes, split_spec
from graphc.ops.leaf import is_fill

_CONVOLVED, _TRANSPOSED = "⋆", "⋆ᵀ"
_POOLED = {"window_max": "maxpool", "window_sum": "sumpool"}
#: What is sent back through a pooling, by its name.
_SENT = {
    "maxpool": "{} at the maxima",
    "sumpool": "{} at each place",
    "meanpool": "{} / {} at each place",
}


@dataclass(frozen=True)
class Sliding:
    """A convolution or pooling: the node that holds its result, what it reads, what is inside.

    `detail` tells the filters and how they slide: `32 filters 3×3, stride 2, padding 1`.
    """

    node: Node
    sign: str  # ⋆, ⋆ᵀ, or the name of a pooling
    operands: tuple[Node, ...]  # the image, and the filters
    inside: tuple[Node, ...]  # other nodes that the box stands for
    detail: str
    places: Dim = 1  # how many elements a pooling reads

    @property
    def reads_result(self) -> bool:
        """Say whether what is sent back depends on where the result was found."""
        return self.sign == "maxpool"

    def formula(self, args: list[Code]) -> Code:
        """Return the function over the operands' formulas: `x ⋆ W`, `maxpool(h)`."""
        if len(args) == 1:
            return Code(f"{self.sign}({args[0].text})", ATOM)
        image, filters = [arg.within(ATOM) for arg in args]
        return Code(f"{image} {self.sign} {filters}", PRODUCT)

    def sent(self, index: int, seed: Code, args: list[Code]) -> Code:
        """Return what is sent back to an operand, by the adjoint of the result."""
        bar = seed.within(ATOM)
        if len(args) == 1:
            return Code(_SENT[self.sign].format(bar, dim_formula(self.places)), PRODUCT)
        image, filters = [arg.within(ATOM) for arg in args]
        if index == 0:
            back = _CONVOLVED if self.sign == _TRANSPOSED else _TRANSPOSED
            return Code(f"{bar} {back} {filters}", PRODUCT)
        first, second = (bar, image) if self.sign == _TRANSPOSED else (image, bar)
        return Code(f"{first} {_CONVOLVED} {second}", PRODUCT)


def slidings(graph: Graph) -> dict[Node, Sliding]:
    """Return the convolutions and poolings of a graph, by the node that holds their results."""
    return {found.node: found for node in graph.nodes for found in _found(graph, node)}


def _found(graph: Graph, node: Node) -> Iterator[Sliding]:
    if node.op is OPS["windows"] and _is_private(graph, node):
        (user,) = graph.consumers[node]
        if user.op.family == "contraction" and len(user.inputs) == 2:
            yield from _convolution(graph, node, user)
    elif node.op.name in _POOLED:
        yield from _pooling(graph, node)
    elif node.op is OPS["windows_add"]:
        yield from _transposed(graph, node)


def _is_private(graph: Graph, node: Node) -> bool:
    """Say whether one node reads this one, once, and it goes by no name."""
    if node in graph.labels or node in {*graph.outputs.values(), *graph.updates.values()}:
        return False
    return len(graph.consumers[node]) == 1


def _below(graph: Graph, node: Node, *ops: str) -> list[Node]:
    """Return a node and the private ones under it that these ops made, down to another."""
    chain = [node]
    while chain[-1].op.name in ops and _is_private(graph, chain[-1]):
        if chain[-1].attrs.get("value", 0.0) not in (0.0, float("-inf")):
            break  # an edge of numbers is a step of its own
        chain.append(chain[-1].inputs[0])
    return chain


def _convolution(graph: Graph, windows: Node, total: Node) -> Iterator[Sliding]:
    """Find `x ⋆ W`: windows times filters, added up over the places in a window."""
    at = 0 if total.inputs[0] is windows else 1
    terms, out = split_spec(total.attrs["spec"])
    shown, filters = terms[at], terms[1 - at]
    rank = len(windows.attrs["size"])
    positions, places = shown[-2 * rank : -rank], shown[-rank:]
    if not all(x in filters and x not in out for x in places):
        return
    groups = [x for x in shown[: -2 * rank] if x in filters and x in out]
    is_local = all(x in filters for x in positions)
    sizes = label_sizes(terms, [x.type for x in total.inputs])
    count = product([sizes[x] for x in filters if x in out and x not in positions])
    reshaped = ("reshape",) if groups else ()
    image = _below(graph, windows.inputs[0], "pad", *reshaped)
    weight = _below(graph, total.inputs[1 - at], *reshaped)
    inside = [windows, *image[:-1], *weight[:-1]]
    end = total
    if groups and _is_private(graph, total):
        (user,) = graph.consumers[total]
        if user.op is OPS["reshape"] and not is_silent(user):  # one filter a group is left as it is
            end, inside = user, [*inside, total]
    number = dim_formula(count)
    size = windows.attrs["size"]
    words = (
        f"{number} filter{'s' if number != '1' else ''} {'of ' * (rank == 1)}{sizes_formula(size)}"
    )
    words += " for each position" if is_local else ""
    words += _slide(windows, image)
    words += f", {dim_formula(product([sizes[x] for x in groups]))} groups" if groups else ""
    yield Sliding(end, _CONVOLVED, (image[-1], weight[-1]), tuple(inside), words)


def _pooling(graph: Graph, node: Node) -> Iterator[Sliding]:
    """Find the maximum, sum or mean of each window."""
    image = _below(graph, node.inputs[0], "pad")
    size = node.attrs["size"]
    end, sign, inside, places = node, _POOLED[node.op.name], image[:-1], product(size)
    user = graph.consumers[node][0] if _is_private(graph, node) else None
    if sign == "sumpool" and user is not None and user.op.infix == "/" and user.inputs[0] is node:
        divisor = [x for x in topological([user.inputs[1]]) if x is not node]
        number = divisor[-1].attrs["value"] if is_fill(divisor[-1]) else None
        is_counted = number is None and not any(x.op.is_leaf or x in graph.labels for x in divisor)
        if is_counted or (number is not None and same(number, places)):
            own = [x for x in divisor if is_counted or len(graph.consumers[x]) == 1]
            end, sign, inside = user, "meanpool", [*inside, node, *own]
    words = sizes_formula(size) + _slide(node, image)
    yield Sliding(end, sign, (image[-1],), tuple(inside), words, places)


def _transposed(graph: Graph, added: Node) -> Iterator[Sliding]:
    """Find `x ⋆ᵀ W`: each position adds its share of all filters to a window of the result."""
    start, values = added.inputs
    chain = _below(graph, values, "transpose", "reshape")
    total = chain[-1]
    if not is_fill(start) or total.op.family != "contraction" or not _is_private(graph, total):
        return
    if len(total.inputs) != 2:
        return
    terms, out = split_spec(total.attrs["spec"])
    at = next((i for i in (0, 1) if terms[i][0] == out[0]), 0)
    image, filters = total.inputs[at], total.inputs[1 - at]
    sizes = label_sizes(terms, [x.type for x in total.inputs])
    count = product([sizes[x] for x in out[: -2 * len(added.attrs["size"])] if x in terms[1 - at]])
    size = added.attrs["size"]
    words = f"{dim_formula(count)} filters {sizes_formula(size)}{_slide(added, [])}"
    inside = [start, *chain]
    end = added
    if _is_private(graph, added) and graph.consumers[added][0].op is OPS["slice"]:
        (end,) = graph.consumers[added]
        cut = [bound[0] for bound in end.attrs["bounds"][-len(size) :]]
        words += unusual("padding", cut, usual=0)
        inside.append(added)
    yield Sliding(end, _TRANSPOSED, (image, filters), tuple(inside), words)


def _slide(node: Node, image: list[Node]) -> str:
    """Return how windows slide: `, stride 2, padding 1, dilation 2`, each where it is not usual."""
    attrs = node.attrs
    words = unusual("stride", attrs["stride"])
    for padded in image[:-1]:
        widths = padded.attrs["widths"][-len(attrs["size"]) :] if padded.op is OPS["pad"] else ()
        if all(before == after for before, after in widths):
            words += f", padding {short_sizes([w for w, _ in widths])}" if widths else ""
        else:
            words += f", padding {' × '.join(f'{b} and {a}' for b, a in widths)}"
    return words + unusual("dilation", attrs["dilation"])
