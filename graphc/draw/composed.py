"""What does a collapsed box compute? The formula of its result over what it reads, if short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.draw.dim_formula import shape_formula
from graphc.draw.formula import formula, name_code
from graphc.draw.silent import is_silent
from graphc.draw.typography import listed, name_text
from graphc.draw.variables import Variable
from graphc.ir.code import Code
from graphc.ir.node import Node

#: What can be read in a box.
_LONGEST = 66
_MOST_WORDS = 3
#: Families of ops that do not tell what a layer is.
_PLAIN = ("movement", "leaf", "contraction")


def composed(
    inside: Sequence[Variable], result: Node, scope: str, found: Mapping[Node, Variable]
) -> str:
    """Return `relu(x ⋆ W + b)` for the variables of a scope; nothing where that is too long.

    Parameters are called without the name of the scope.
    """
    texts: dict[Node, Code] = {}
    for variable in inside:
        node = variable.node
        if node.op.is_leaf:
            texts[node] = name_code(leaf_name(variable, scope))
            continue
        slide = variable.sliding
        args = [_text(x, texts, found) for x in (slide.operands if slide else node.inputs)]
        if sum(len(arg.text) for arg in args) > _LONGEST:
            return ""
        texts[node] = slide.formula(args) if slide else formula(node, args)
        if node is result:
            break
    shown = texts[result].text
    return shown if len(shown) <= _LONGEST else ""


def _text(node: Node, texts: Mapping[Node, Code], found: Mapping[Node, Variable]) -> Code:
    """Return an operand's formula inside the box, else the name of the variable."""
    while node not in texts and node not in found and is_silent(node):
        node = node.inputs[0]
    if node in texts:
        return texts[node]
    if node in found:
        return name_code(found[node].shown or found[node].formula)
    return formula(node, [])


def summary(inside: Sequence[Variable], scope: str, is_told: bool) -> str:
    """Return what a formula leaves out: how filters slide, or what weights there are.

    Where there is no formula, some of what is computed.
    """
    if not is_told:
        words = dict.fromkeys(
            v.node.op.name.replace("_", " ")
            for v in inside
            if v.node.op.family not in _PLAIN and v.formula.startswith(f"{v.node.op.name}(")
        )
        return listed(list(words), _MOST_WORDS)
    details = [variable.detail for variable in inside if variable.detail]
    weights = [v for v in inside if v.node.op.is_leaf and v.node.ndim > 1]
    return ", ".join(details) or ", ".join(
        f"{leaf_name(v, scope)} {shape_formula(v.node.shape)}" for v in weights
    )


def leaf_name(variable: Variable, scope: str) -> str:
    """Return what a parameter is called inside its scope: `W` of `conv1.W`."""
    name = variable.name
    for start in (scope, scope.replace("/", "."), scope.rpartition("/")[2]):
        if start and name.startswith(f"{start}.") and len(name) > len(start) + 1:
            return name_text(name[len(start) + 1 :])
    return name_text(name)
