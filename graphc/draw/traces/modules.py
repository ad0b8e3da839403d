"""Which modules is a network made of? Loss, Sigmoid, Linear: a formula between named variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.draw.numbering import Numbering
from graphc.draw.products import weight_nodes, weight_of
from graphc.draw.traces.chain import rule_of, stand_in
from graphc.draw.traces.loops import LoopResult
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.walk import new_nodes, reaching, substitute, topological
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import is_fill
from graphc.rewrite.pipeline import stabilize_forward

_CONTRACTION = OPS["einsum"].family
#: What is not called by its op's name.
_TITLES = {"window_max": "Max pool", "window_min": "Min pool", "gather": "Lookup"}
#: How many ops the formula of one module holds at most.
_LARGEST = 24


@dataclass(frozen=True, eq=False)
class Module:
    """The formula of one variable: its nodes, operands first, and the variables that it reads.

    `meaning` is the formula's value as one op where it amounts to one, and the root elsewhere.
    """

    root: Node
    meaning: Node
    nodes: Sequence[Node]
    operands: Sequence[Node]
    name: str


def modules(numbering: Numbering, of: Node) -> list[Module]:
    """Return the modules that compute `of`, the last one first."""
    needed = numbering.needed_for(of)
    order = [node for node in numbering.number if node in needed]
    ends = _boundaries(numbering, order, of)
    found = []
    for root in reversed(order):
        if root in ends and root.inputs:
            ends.remove(root)
            nodes = new_nodes(root, ends)
            operands = _operands(nodes, ends)
            ends.add(root)
            meaning = _recognized(root, operands) if len(nodes) > 1 else root
            is_loss = root is of and bool(numbering.graph.params)
            name = _name(root, meaning, nodes, operands, is_loss)
            found.append(Module(root, meaning, nodes, operands, name))
    return found


def _operands(nodes: Sequence[Node], ends: set[Node]) -> list[Node]:
    return list(dict.fromkeys(x for node in nodes for x in node.inputs if x in ends))


def _boundaries(numbering: Numbering, order: Sequence[Node], of: Node) -> set[Node]:
    """Return the variables between which formulas stand.

    Those are leaves, results of loops, what the user named, what several named variables share,
    on either side of an activation what feeds it and what it gives, and what passes from one
    layer to the next.
    """
    labels = numbering.graph.labels
    ends = {node for node in order if not node.inputs or node in labels or node is of}
    ends |= {node for node in order if isinstance(node.op, LoopResult)}
    ends -= {node for node in order if is_fill(node)}
    sums = _weighted_sums(numbering, order)
    for node in order:
        varied = [x for x in node.inputs if not is_fill(numbering.source(x)[0])]
        source = numbering.source(varied[0])[0] if len(varied) == 1 else node
        is_activation = len(varied) == 1 and (
            node.op.family == "composite" or (isinstance(node.op, Pointwise) and _bends(node))
        )
        score = _score(numbering, source, sums) if is_activation else None
        if score is None:
            continue
        ends.add(score)
        is_unit = _is_known_by_name(node) and len(numbering.uses.get(source, ())) == 1
        is_signed = score is not source and len(source.inputs) == 1  # -s
        if _feeds(numbering, node, sums) or (is_unit and not is_signed):
            ends.add(node)
    ends |= _around_layers(numbering, order)
    ends |= _shared(numbering, order, ends)
    return ends | _cuts(numbering, order, ends)


def _around_layers(numbering: Numbering, order: Sequence[Node]) -> set[Node]:
    """Return what passes between layers that follow one another without an activation.

    That is what products read of layers, whatever moves it there; and what is pooled or normalized
    on the way is a module too, so that no formula holds two layers.
    """
    weights = weight_nodes(numbering.graph.nodes)
    products = [node for node in order if node.op.family == _CONTRACTION]
    layers = {node for node in products if weight_of(node, weights) is not None}
    behind, ahead = reaching(numbering.graph.nodes, layers), set(topological(list(layers)))
    ends: set[Node] = set()
    for node in order:
        is_step = node.op.family == "composite" or (
            node.op.family == "reduction" and "size" in node.attrs
        )
        is_step &= node in ahead
        if is_step or node.op.family == _CONTRACTION:
            ends |= behind & _moved(numbering, node)
            ends |= {node} if is_step else set()
    return ends


def _moved(numbering: Numbering, node: Node) -> set[Node]:
    """Return the variables that a node reads, or that movements bring to it."""
    found: set[Node] = set()
    pending = list(node.inputs)
    while pending:
        source, _ = numbering.source(pending.pop())
        if source.op.family == "movement":
            pending += source.inputs
        else:
            found.add(source)
    return found


def _cuts(numbering: Numbering, order: Sequence[Node], ends: set[Node]) -> set[Node]:
    """Return where long formulas are cut, so that a derivative can be written beside them."""
    cuts: set[Node] = set()
    size: dict[Node, int] = {}
    for node in order:
        inner = dict.fromkeys(numbering.source(x)[0] for x in node.inputs)
        inside = sorted((x for x in inner if size.get(x)), key=size.__getitem__)
        while sum(size[x] for x in inside) >= _LARGEST:
            cuts.add(inside.pop())
        is_end = node in ends or not node.inputs
        size[node] = 0 if is_end else 1 + sum(size[x] for x in inside)
    return cuts


def _weighted_sums(numbering: Numbering, order: Sequence[Node]) -> set[Node]:
    """Return what weighs its operands: contractions, products with a parameter, sums of them.

    One that was moved is one too: groups of channels are joined before the bias is added.
    """
    found: set[Node] = set()
    for node in order:
        sources = [numbering.source(x)[0] for x in node.inputs]
        rule = rule_of(node, range(len(sources))) if sources else ""
        weighs = rule == "product" and any(_rows_of(numbering, x) for x in sources)
        weighs = weighs or node.op.family == _CONTRACTION
        passes_on = rule == "sum" or node.op.family == "movement"
        if weighs or (passes_on and any(x in found for x in sources)):
            found.add(node)
    return found


def _score(numbering: Numbering, node: Node, sums: set[Node]) -> Node | None:
    """Return the weighted sum that a node is about, however data shift and scale it: s of 1 - t·s.

    What bends that is a formula of s, and what was given (a label) is not looked for below.
    """
    found = None
    at: Node | None = node
    while at is not None:
        found = at if at in sums else found
        sources = [numbering.source(x)[0] for x in at.inputs]
        varied = [x for x in sources if x.op is not OPS["input"] and not is_fill(x)]
        rule = rule_of(at, range(len(sources))) if sources else ""
        scales = rule == "product" and any(x.op is OPS["input"] for x in sources)
        is_about = scales or at.op in (OPS["subtract"], OPS["negative"])
        at = varied[0] if len(varied) == 1 and is_about else None
    return found


def _rows_of(numbering: Numbering, node: Node) -> bool:
    """Say whether a node is a parameter, or rows of one that were looked up: U[context]."""
    while node.op is OPS["gather"]:
        node = numbering.source(node.inputs[0])[0]
    return node.op is OPS["param"]


def _shared(numbering: Numbering, order: Sequence[Node], ends: set[Node]) -> set[Node]:
    """Return the inner variables that formulas of different ends read."""
    owner: dict[Node, Node] = {}
    shared: set[Node] = set()
    for node in reversed(order):
        own = node if node in ends or node in shared else owner.get(node, node)
        for operand in node.inputs:
            source, _ = numbering.source(operand)
            if source in ends or is_fill(source):
                continue
            if owner.setdefault(source, own) is not own:
                shared.add(source)
    return shared


# -- names -------------------------------------------------------------------------------------


def _feeds(numbering: Numbering, node: Node, sums: set[Node]) -> bool:
    return any(use.consumer in sums for use in numbering.uses.get(node, ()))


def _is_known_by_name(node: Node) -> bool:
    return isinstance(node.op, Pointwise) and not node.op.is_primitive


def _bends(node: Node) -> bool:
    return rule_of(node, [0]) == "chain"


def _name(
    root: Node, meaning: Node, nodes: Sequence[Node], operands: Sequence[Node], is_loss: bool
) -> str:
    """Return what a module is called: Linear, by its only op, or Loss."""
    if _is_linear(nodes, operands):
        names = {node.op.name for node in nodes}
        spreads = "Transposed convolution" if "windows_add" in names else "Linear"
        return "Convolution" if "windows" in names else spreads
    ops = [node for node in nodes if node.inputs and not node.op.is_view]
    ops = [node for node in ops if node.op is not OPS["pad"]] or ops
    scope = root.provenance.scope.rpartition("/")[2]
    if scope and isinstance(root.op, LoopResult):
        return _title(scope)
    adds_up = len(ops) == 1 and rule_of(ops[0], range(len(ops[0].inputs))) == "sum"
    if is_loss and adds_up:
        return "Loss"
    if len(ops) == 1:
        return _title(ops[0].op.name)
    if meaning is not root:
        return _title(meaning.op.name)
    if is_loss:
        return "Loss"
    return _title(scope) if scope else "Formula"


def _title(name: str) -> str:
    return _TITLES.get(name) or name.replace("_", " ").capitalize()


def _is_linear(nodes: Sequence[Node], operands: Sequence[Node]) -> bool:
    """Say whether a formula is a weighted sum: of degree 1 in variables that are no parameters.

    A single contraction is one too, whatever its weights are.
    """
    degree = {node: int(node.op is not OPS["param"]) for node in operands}
    weighs = contracts = False
    for node in nodes:
        inputs = [degree[x] for x in node.inputs]
        rule = rule_of(node, range(len(inputs)))
        if rule == "product":
            weighs |= any(degree[x] == 0 and not is_fill(x) for x in node.inputs)
            contracts |= node.op.family == _CONTRACTION
            degree[node] = sum(inputs)
        elif rule in ("sum", "linear", "constant factor", "constant") or node.op.is_view:
            degree[node] = max(inputs, default=0)
        else:
            return False
    only = len([node for node in nodes if node.inputs and not node.op.is_view]) == 1
    return (weighs and degree[nodes[-1]] == 1) or (contracts and only)


def _recognized(root: Node, operands: Sequence[Node]) -> Node:
    """Return the one op that a formula amounts to, exp(z)/sum(exp(z)) is softmax, or the root."""
    leaves = {x: stand_in(f"operand{i}", x) for i, x in enumerate(operands)}
    (again,) = substitute([root], leaves)
    stable = stabilize_forward(Graph({"root": again}, inputs=leaves.values()))
    ops = [node for node in stable.nodes if node.inputs and not node.op.is_view]
    if len(ops) != 1 or ops[0] is not stable.outputs["root"]:
        return root
    return substitute(ops, {leaf: operand for operand, leaf in leaves.items()})[0]


def named_variables(numbering: Numbering, found: Sequence[Module]) -> Mapping[Node, str]:
    """Return the names of all variables that modules connect: the user's, or v7."""
    names: dict[Node, str] = {}
    for module in found:
        for node in (module.root, *module.operands):
            label = numbering.graph.labels.get(node)
            names[node] = label or f"{numbering.letter}{numbering.number[node]}"
    return names
