"""What is the adjoint of each variable, in words? The sum, over its uses, of what each use sends.

The contributions are those of `graphc.differentiate`: a pointwise op's is its cotangent times the
partial that SymPy derived; any other op's is the graph that reverse mode builds for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from graphc.differentiate.formulas.local import specialized
from graphc.differentiate.gradient import default_wrt
from graphc.differentiate.sweeps.reverse import cotangents
from graphc.draw.formula import expression, formula, name_code
from graphc.draw.graphs.variables import Variable
from graphc.draw.numbering import Use
from graphc.draw.silent import bare, is_silent
from graphc.draw.traces.chain import is_linear, number_of, over_stand_ins, stand_in, tidied
from graphc.draw.typography import bar
from graphc.errors import GraphError
from graphc.ir.code import PRODUCT, SUM, UNARY, Code
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ir.types import TupleType
from graphc.ir.walk import reaching, substitute, topological
from graphc.ops import OPS
from graphc.ops.elementwise.algebras import NODES
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.pointwise import Pointwise

#: How many contributions of a variable with many uses are written out.
_MOST_TERMS = 4
#: What one use sends back is written out if it is no longer than this; else it is a product.
_LONGEST = 120
#: What is sent back inside a collapsed box is written out if it is no longer than this.
_LONGEST_INSIDE = 40


@dataclass(frozen=True)
class Adjoint:
    """The adjoint of a variable: its formula, the uses it adds up, the values it reads."""

    node: Node
    formula: str
    uses: tuple[Use, ...]
    reads: tuple[Node, ...]


def adjoint_seeds(graph: Graph, wrt: Iterable[str] | None) -> list[Node]:
    """Return the leaves that a gradient is taken by: named ones, else parameters, else inputs."""
    names = default_wrt(graph) if wrt is None else [wrt] if isinstance(wrt, str) else wrt
    return [graph.variable(name) for name in names]


def adjoints(
    graph: Graph,
    found: Mapping[Node, Variable],
    of: Node,
    wrt: Sequence[Node],
    hidden: Mapping[Node, Sequence[Node]] = MappingProxyType({}),
) -> dict[Node, Adjoint]:
    """Return the adjoint of each variable between `wrt` and `of`, in forward order.

    Those of `hidden` variables are not written out; each is given with the results of its box, and
    what a box sends back is what arrives at these times their derivative.
    **Raises** GraphError where `of` is no single float number or does not depend on `wrt`.
    """
    if of.shape or of.dtype.kind != "f":
        raise GraphError(
            "backpropagation starts at a single number",
            got=f"{graph.labels.get(of, of.op.name)}: {of.type}",
            expected="a float scalar, such as a loss",
            fix="reduce it first: .sum() or .mean()",
        )
    order = topological([of])
    active = reaching(order, wrt)
    if of not in active:
        leaves = ", ".join(graph.labels.get(node, "?") for node in wrt) or "any float input"
        raise GraphError(f"{graph.labels.get(of, 'the output')} does not depend on {leaves}")
    uses = _uses(order, found, active, of)
    names = {node: _name_or_number(variable) for node, variable in found.items()}
    bars = {node: Code(bar(names[node].text)) for node in found}
    result = {}
    for node in found:
        if node is of:
            result[node] = Adjoint(node, "1", (), ())
        elif node in uses and node in hidden and not _leaves(node, uses, hidden):
            result[node] = Adjoint(node, "", tuple(uses[node]), ())
        elif isinstance(node.type, TupleType) and node in uses:
            result[node] = Adjoint(
                node, _of_loop(node.type, uses[node], bars), tuple(uses[node]), ()
            )
        elif node in uses:
            text, reads = _total(node, uses[node], names, bars, found, hidden)
            result[node] = Adjoint(node, text, tuple(uses[node]), reads)
    return result


def _name_or_number(variable: Variable) -> Code:
    """Return how a variable stands in others' formulas: −0.5 is no factor without parentheses."""
    if variable.shown or not variable.formula.startswith("−"):
        return name_code(variable.shown or variable.formula)
    return Code(variable.formula, UNARY)


def _leaves(
    node: Node, uses: Mapping[Node, Sequence[Use]], hidden: Mapping[Node, Sequence[Node]]
) -> bool:
    """Say whether a hidden variable is the result of its box, which only others read."""
    box = hidden[node]
    return (
        len(box) == 1
        and box[0] is node
        and all(hidden.get(use.consumer) is not box for use in uses[node])
    )


def _of_loop(type: TupleType, uses: Sequence[Use], bars: Mapping[Node, Code]) -> str:
    """Return the adjoint of a loop, which has one for each of its results: `(h̄, 0)`."""
    parts = ["0"] * len(type.items)
    for use in uses:
        index = use.consumer.attrs["index"]
        sent = bars[use.consumer].text
        parts[index] = sent if parts[index] == "0" else f"{parts[index]} + {sent}"
    return f"({', '.join(parts)})"


def _uses(
    order: Sequence[Node], found: Mapping[Node, Variable], active: set[Node], of: Node
) -> dict[Node, list[Use]]:
    """Return, for each variable with an adjoint, the uses that send it a cotangent."""
    reached = {of}
    uses: dict[Node, list[Use]] = {}
    for consumer in reversed(order):
        if consumer not in reached or consumer not in found:
            continue
        slide = found[consumer].sliding
        for index, operand in enumerate(slide.operands if slide else consumer.inputs):
            silent: list[Node] = []
            current, at = consumer, index
            while operand in active and (
                (slide and current is consumer) or current.op.is_differentiable(current, at)
            ):
                if operand in found:
                    reached.add(operand)
                    uses.setdefault(operand, []).insert(0, Use(consumer, index, tuple(silent)))
                    break
                silent.insert(0, operand)
                current, at = operand, 0
                operand = operand.inputs[0]
    return uses


def _total(
    node: Node,
    uses: Sequence[Use],
    names: Mapping[Node, Code],
    bars: Mapping[Node, Code],
    found: Mapping[Node, Variable],
    hidden: Mapping[Node, Sequence[Node]],
) -> tuple[str, tuple[Node, ...]]:
    """Return the sum over all uses, the middle of a long one left out, and what it reads."""
    uses = list({_way(use): use for use in reversed(uses)}.values())[::-1]
    shown = list(uses) if len(uses) <= _MOST_TERMS else [*uses[: _MOST_TERMS - 1], uses[-1]]
    reads: dict[Node, None] = {}
    text = ""
    boxes: set[Node] = set()
    for place, use in enumerate(shown):
        term, values = _contribution(use, names, bars[use.consumer], found)
        box = tuple(hidden.get(use.consumer, ()))
        if box and (box[0] is not use.consumer or len(term.text) > _LONGEST_INSIDE):
            if box[0] in boxes:
                continue
            boxes.add(box[0])
            term = _through_box(box, _operand(node, names), names, bars)
        reads.update(dict.fromkeys(values))
        if place == len(shown) - 1 and len(shown) < len(uses):
            text += f" + … {len(uses) - len(shown):,} more …"
        part = term.text if len(uses) == 1 else term.within(SUM)
        if text:
            text += f" − {part[1:]}" if part.startswith("−") else f" + {part}"
        else:
            text = part
    return text, tuple(reads)


def _through_box(
    results: Sequence[Node], by: Code, names: Mapping[Node, Code], bars: Mapping[Node, Code]
) -> Code:
    """Return what a box sends back: `h̄₂ · ∂h₂/∂h₁`, or `(c̄₂, h̄₂) · ∂(c₂, h₂)/∂h₁`."""
    arriving = ", ".join(bars[x].text for x in results)
    shown = ", ".join(names[x].text for x in results)
    if len(results) > 1:
        arriving, shown = f"({arriving})", f"({shown})"
    return Code(f"{arriving} · ∂{shown}/∂{by.text}", PRODUCT)


def _way(use: Use) -> tuple[Node, int, tuple[Node, ...]]:
    """Return what tells two terms apart: a loop's partial by a value covers all its places."""
    is_loop = isinstance(use.consumer.type, TupleType)
    return use.consumer, -1 if is_loop else use.index, use.silent


# -- one contribution --------------------------------------------------------------------------

#: A contribution's formula, and the variables whose values stand in it.
Sent = tuple[Code, tuple[Node, ...]]


def _contribution(
    use: Use, names: Mapping[Node, Code], seed: Code, found: Mapping[Node, Variable]
) -> Sent:
    """Return what one use sends back: the consumer's adjoint times the local derivative."""
    consumer = use.consumer
    slide = found[consumer].sliding
    operands = [bare(operand) for operand in (slide.operands if slide else consumer.inputs)]
    if slide is not None:
        text = slide.sent(use.index, seed, [_operand(x, names) for x in operands])
        others = [x for i, x in enumerate(operands) if i != use.index]
        reads = (consumer, *operands) if slide.reads_result else tuple(others)
    elif isinstance(consumer.type, TupleType):
        text, reads = _as_one_product(consumer, operands, use.index, names, seed)
    elif isinstance(consumer.op, Pointwise) and type(consumer.op).transpose is Op.transpose:
        text, reads = _pointwise(consumer, operands, use.index, names, seed)
    else:
        text, reads = _derived(consumer, operands, use.index, names, seed)
        if len(text.text) > _LONGEST:
            text, reads = _as_one_product(consumer, operands, use.index, names, seed)
    for node in reversed(use.silent):
        text, _ = _derived(node, [], 0, {}, text)
    return text, tuple(node for node in reads if node in names)


def _pointwise(
    consumer: Node, operands: Sequence[Node], index: int, names: Mapping[Node, Code], seed: Code
) -> Sent:
    """Return the adjoint times the partial derivative, `ū cos t`."""
    op = consumer.op
    assert isinstance(op, Pointwise)
    partial = specialized(op, index, [number_of(operand) for operand in operands])
    letters = {letter: OPS["input"](letter, (), "float64") for letter in (*op.args, "y", "g")}
    nodes = dict(zip(op.args, operands, strict=True)) | {"y": consumer}
    shown = {letters[letter]: _operand(node, names) for letter, node in nodes.items()}
    shown[letters["g"]] = seed
    # A choice of cases and a quotient read best with the adjoint inside: h̄ · (z > 0), ȳ / x.
    inside_out = partial.has_cases or partial.text.startswith("1/")
    value = evaluate_formula(partial.product if inside_out else partial.text, letters, NODES)
    text, inside = _written(value, shown)
    reads = tuple(node for letter, node in nodes.items() if letters[letter] in inside)
    if inside_out:
        return text, reads
    if consumer.shape and text.text in ("1", "−1"):
        return (seed, ()) if text.text == "1" else (Code(f"−{seed.text}", UNARY), ())
    return formula(OPS["multiply"](letters["g"], letters["y"]), [seed, text], tight=True), reads


def _as_one_product(
    node: Node, operands: Sequence[Node], index: int, names: Mapping[Node, Code], seed: Code
) -> Sent:
    """Return the adjoint times a derivative that is not written out, as that of a loop.

    It reads the values of all operands.
    """
    by = _operand(operands[index], names).text
    return Code(f"{seed.text} · ∂{names[node].text}/∂{by}", PRODUCT), tuple(operands)


def _derived(
    node: Node, operands: Sequence[Node], index: int, names: Mapping[Node, Code], seed: Code
) -> Sent:
    """Return the contribution that reverse mode builds, over the operands' names.

    The node is rebuilt on stand-ins for its operands, so that nothing above them is derived.
    """
    stand_ins, again = over_stand_ins(node)
    cotangent = stand_in("cotangent", node)
    (sent,) = cotangents([again], [cotangent], [stand_ins[index]])
    if sent is None:
        return Code("0"), ()
    if not is_linear(node):
        result = stand_in("result", node)
        (sent,) = tidied(substitute([sent], {again: result}))
        again = result
    known = {cotangent: seed, again: names.get(node, Code("·"))}
    known |= {s: _operand(o, names) for s, o in zip(stand_ins, operands, strict=False)}
    text, inside = _written(sent, known)
    nodes = dict(zip(stand_ins, operands, strict=False)) | {again: node}
    return text, tuple(nodes[x] for x in inside if x in nodes)


def _written(value: object, known: Mapping[Node, Code]) -> tuple[Code, dict[Node, None]]:
    """Return the formula of a small graph, and which of the known nodes stand in it."""
    if not isinstance(value, Node):
        number = OPS["full"]((), float(str(value)), "float64")
        return formula(number, []), {}
    order = topological([value], known.__contains__)
    inside = dict.fromkeys(node for node in order if node in known)
    return expression(value, order, known, is_silent), inside


def _operand(node: Node, names: Mapping[Node, Code]) -> Code:
    return names[node] if node in names else formula(node, [])
