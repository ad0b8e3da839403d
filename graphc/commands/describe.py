"""The table of ops, the page of one op, and derivations: all is read from definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.build.made_of_ops import Made, made_of
from graphc.compile import load
from graphc.differentiate.formulas.derive import Derivation
from graphc.differentiate.formulas.derive import derive as derive_op
from graphc.draw.traces import Card, derive
from graphc.errors import GraphError
from graphc.ir.code import Code, Notation
from graphc.ir.node import Node
from graphc.ir.op import Arg, Case, Op
from graphc.ir.walk import topological
from graphc.ops import OPS, get_op
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.ops.leaf import input_
from graphc.run.reference import evaluate


def ops_table() -> str:
    """Return all ops, one a line, by family."""
    families: dict[str, list[Op]] = {}
    for op in OPS.values():
        families.setdefault(op.family, []).append(op)
    width = max(map(len, OPS))
    lines: list[str] = []
    for family, ops in families.items():
        lines += ["", f"{family} ({len(ops)})"]
        lines += [f"  {op.name.ljust(width)}  {op.doc}" for op in ops]
    return "\n".join([f"{len(OPS)} ops; graphc ops NAME describes one", *lines])


def op_page(name: str) -> str:
    """Return what graphc knows about one op, or about a function that is made of ops."""
    made = made_of(name)
    if made is not None:
        return _function_page(made)
    op = get_op(name)
    case = next(iter(op.cases), None)
    node = _build(op, case)[1] if case is not None else None
    facts = {"family": op.family, **_mathematics(op, node)}
    if op.convention:
        facts["convention"] = op.convention
    if case is not None:
        facts |= _written(op, case)
    width = max(map(len, facts)) + 2
    rows = [_row(title, text, width) for title, text in facts.items()]
    page = [f"{op.name}: {op.doc}", *_remarks(op), "", *rows]
    if case is not None and not op.is_random:
        page += ["", *_example(op, case)]
    return "\n".join(page)


def _function_page(made: Made) -> str:
    """Return what there is to say of a function."""
    lines = [f"{made.name}: {made.doc}", "", "  no op, but a function that makes it of ops"]
    if made.ops:
        lines += [f"  call     {made.call}", f"  becomes  {', '.join(made.ops)}", ""]
        lines.append(f"graphc ops {made.ops[0]} describes one of them")
    return "\n".join(lines)


def _row(title: str, text: str, width: int) -> str:
    return f"  {title.ljust(width)}{text}".replace("\n", "\n" + " " * (width + 2))


def _remarks(op: Op) -> list[str]:
    """Return what the family says about its ops beyond their own line."""
    doc = (type(op).__doc__ or "").strip()
    if isinstance(op, Pointwise) or not doc:
        return []
    return ["", *[f"  {line.strip()}" for line in doc.splitlines()]]


def _mathematics(op: Op, node: Node | None) -> dict[str, str]:
    """Return a pointwise op's formula and its partial derivatives, as graphc found them."""
    if not isinstance(op, Pointwise):
        return {}
    facts = {"arguments": ", ".join(op.args), "formula": op.formula}
    if op.lowering != op.formula and not op.is_primitive:
        facts["computed as"] = op.lowering
    d = "∂" if op.arity > 1 else "d"
    for index, argument in enumerate(op.args):
        title = f"{d}y/{d}{argument}"
        if node is None or not op.is_differentiable(node, index):
            facts[title] = "0: no derivative flows here"
            continue
        try:
            facts[title] = derive_op(op.name, argument).result
        except GraphError as error:
            facts[title] = error.what
    return facts


def derivation(
    name: str,
    by: str | None,
    node: str | None,
    of: str | None,
    at: Mapping[str, Any] | None,
) -> Derivation | Card:
    """Return the derivation of an op, or of a node where the name is that of a `.graph` file."""
    if name.endswith(".graph"):
        if by is not None:
            raise GraphError("--by is for an op", got=name, fix="--node names a model's node")
        return derive(load(name), node, of=of, at=at)
    if node is not None or of is not None or at is not None:
        raise GraphError(
            "--node, --of and --at are for a model",
            got=name,
            expected="MODEL.graph",
            fix="graphc derive m.graph --node h1 --of loss",
        )
    return derive(name, by)


def _build(op: Op, case: Case) -> tuple[list[Node], Node]:
    names = op.args if isinstance(op, Pointwise) else ("x", "y", "z", "u", "v", "w")
    leaves = [
        input_(name, arg.shape, arg.dtype) for name, arg in zip(names, case.args, strict=False)
    ]
    return leaves, op(*leaves, **case.kwargs)


def _written(op: Op, case: Case) -> dict[str, str]:
    """Return the op in the text form and in NumPy, on the arguments of its first test case."""
    leaves, node = _build(op, case)
    names = [Code(str(operand.name or "…")) for operand in node.inputs]
    facts = {"text form": op.text(node, names).text, "shapes": _signature(leaves, node)}
    facts["NumPy"] = _numpy_form(op, node, names)
    facts["FLOPs"] = f"{op.flops(node)} for these shapes"
    facts["LaTeX"] = op.latex(node, [name.text for name in names])
    return facts


def _numpy_form(op: Op, node: Node, names: list[Code]) -> str:
    """Return the NumPy expression, the ops it is lowered to, or the statement that writes it."""
    lowered = op.lower(node)
    if lowered is not None:
        steps = [n.op.name for n in topological([lowered]) if n.inputs and not n.op.is_view]
        return f"lowered to {', '.join(dict.fromkeys(steps))}"
    if op.accumulates:
        return f"{op.numpy_into(node, names, names[0].text, Notation())}  (into a copy)"
    return op.numpy(node, names, Notation()).text


def _drawn(arg: Arg, rng: np.random.Generator) -> np.ndarray:
    """Return a test argument with numbers short enough to read."""
    array = arg.draw(rng)
    return np.round(array, 2) if array.dtype.kind == "f" else array


def _signature(leaves: list[Node], node: Node) -> str:
    return f"{', '.join(str(leaf.type) for leaf in leaves) or '()'} -> {node.type}"


def _example(op: Op, case: Case) -> list[str]:
    leaves, node = _build(op, case)
    rng = np.random.default_rng(0)
    values = {leaf: _drawn(arg, rng) for leaf, arg in zip(leaves, case.args, strict=True)}
    result = evaluate([node], values, sizes={})[node]
    shown = [(str(leaf.name), value) for leaf, value in values.items()]
    lines = []
    for name, array in [*shown, ("result", result)]:
        text = np.array2string(array, separator=", ", precision=4, max_line_width=80)
        lines.append(_row(name, text, 10))
    return ["example", *lines]
