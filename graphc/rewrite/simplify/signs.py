"""Signs and numbers of factors: a small factor takes them over, or a sum takes the sign away."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from graphc.ir.node import Node, rebuilt
from graphc.ops.leaf import fill, full, is_fill
from graphc.ops.registry import OPS
from graphc.rewrite.engine.facts import Facts, is_number
from graphc.rewrite.engine.rule import Rule, rounding

_VIEWS = ("broadcast_to", "reshape")
_OPPOSITE = {"add": "subtract", "subtract": "add"}
#: How many products of a chain are gone through on the way to a factor.
_LONGEST_CHAIN = 16


def _sign_of_factor(node: Node, facts: Facts) -> Node | None:
    """a + copies(−b)·c → a − copies(b)·c, and likewise for differences."""
    for at in (1, 0) if node.op is OPS["add"] else (1,):
        term, other = node.inputs[at], node.inputs[1 - at]
        positive = _with_factor(term, _without_sign, facts)
        if positive is not None:
            return OPS[_OPPOSITE[node.op.name]](other, positive)
    return None


def _sign_into_factor(node: Node, facts: Facts) -> Node | None:
    """−(copies(c/n)·x) → copies((−c)/n)·x, and likewise for quotients."""
    return _with_factor(node.inputs[0], _with_opposite_number, facts)


def _number_into_factor(node: Node, facts: Facts) -> Node | None:
    """(copies(c1/n)·x)·c2 → copies((c1·c2)/n)·x, and likewise for quotients."""
    for product, number in (node.inputs, node.inputs[::-1]):
        if number.op is not full or not is_number(number) or product.op is full:
            continue

        def scaled(base: Node, _: bool, by: float = float(number.attrs["value"])) -> Node | None:
            is_quotient = base.op is OPS["divide"] and base.name is None  # a user's name stays
            fits = is_quotient and facts.fits(_number(base) * by)
            return _with_number(base, _number(base) * by) if fits else None

        return _with_factor(product, partial(_of_base, change=scaled), facts, is_above=True)
    return None


def _sign_of_contraction(node: Node, facts: Facts) -> Node | None:
    """a ± (−x @ w) → a ∓ (x @ w); (−x @ w + b) + a → (a − x @ w) + b."""
    for at in (1, 0) if node.op is OPS["add"] else (1,):
        term, other = node.inputs[at], node.inputs[1 - at]
        path: list[Node] = []
        while term.op.name in _OPPOSITE and node.op is OPS["add"] and len(path) < _LONGEST_CHAIN:
            if facts.is_shared(term):
                break
            path.append(term)
            term = term.inputs[0]
        positive = _positive_contraction(term, facts)
        if positive is not None:
            result = OPS[_OPPOSITE[node.op.name]](other, positive)
            for outer in reversed(path):
                result = outer.op(result, outer.inputs[1])
            return result
    return None


def _sign_of_chosen(node: Node, facts: Facts) -> Node | None:
    """where(m, 0, −x) → −where(m, 0, x), and the other way round."""
    mask, *values = node.inputs
    positive = [x.inputs[0] if x.op is OPS["negative"] else x for x in values]
    if not any(is_fill(x, 0) for x in values):
        return None
    return OPS["negative"](OPS["where"](mask, *positive))


def _positive_contraction(node: Node, facts: Facts) -> Node | None:
    """Return x @ w of a contraction −x @ w that nothing else reads."""
    if node.op is not OPS["einsum"] or facts.is_shared(node):
        return None
    for i, x in enumerate(node.inputs):
        if x.op is OPS["negative"] and not facts.is_shared(x):
            operands = [x.inputs[0] if j == i else y for j, y in enumerate(node.inputs)]
            return node.op.make(operands, **node.attrs)
    return None


def _with_factor(
    product: Node,
    change: Callable[[Node, Facts], Node | None],
    facts: Facts,
    is_above: bool = False,
) -> Node | None:
    """Return a product or quotient with one factor changed, whichever has a change first.

    Of those in its numerator, the first factors are gone into. Only what nothing else reads is
    taken apart. What `is_above` is no sign, which may as well stand in the denominator.
    """
    path: list[Node] = []
    top = product
    while top.op.name in ("multiply", "divide") and len(path) < _LONGEST_CHAIN:
        if facts.is_shared(top):
            return None
        path.append(top)
        for i, factor in enumerate(top.inputs):
            is_below = top.op.name == "divide" and i == 1
            new = None if is_above and is_below else change(factor, facts)
            if new is None:
                continue
            result = top.op(*[new if j == i else x for j, x in enumerate(top.inputs)])
            for outer in reversed(path[:-1]):
                result = outer.op(result, outer.inputs[1])
            return result
        top = top.inputs[0]
    return None


def _without_sign(node: Node, facts: Facts) -> Node | None:
    """Return the view of b that a node is of −b, or of c/n where c is negative."""
    return _of_base(node, facts, _positive)


def _with_opposite_number(node: Node, facts: Facts) -> Node | None:
    """Return the view of (−c)/n that a node is of c/n."""
    return _of_base(node, facts, _opposite)


def _of_base(node: Node, facts: Facts, change: Callable[[Node, bool], Node | None]) -> Node | None:
    """Return a view of what a change makes of what the node is a view of."""
    views = []
    while node.op.name in _VIEWS and not facts.is_shared(node):
        views.append(node)
        node = node.inputs[0]
    value = None if facts.is_shared(node) else change(node, bool(views))
    if value is None:
        return None
    for view in reversed(views):
        value = rebuilt(view, (value,))
    return value


def _positive(base: Node, is_viewed: bool) -> Node | None:
    if is_viewed and base.op is OPS["negative"]:
        return base.inputs[0]
    if base.op is OPS["divide"] and _number(base) < 0:
        return _opposite(base, is_viewed)
    return None


def _opposite(base: Node, is_viewed: bool) -> Node | None:
    if base.op is not OPS["divide"] or not _number(base):
        return None
    return _with_number(base, -_number(base))


def _with_number(quotient: Node, number: float) -> Node:
    """Return a quotient with another number above."""
    top = quotient.inputs[0]
    return OPS["divide"](fill(number, top.shape, top.dtype), quotient.inputs[1])


def _number(quotient: Node) -> float:
    """Return the number that a quotient has above; 0 where it has none there."""
    top = quotient.inputs[0]
    return top.attrs["value"] if top.op is full and is_number(top) else 0


_WHY = "a sign moves to where it vanishes or costs nothing"
SIGNS_OF_FACTORS = (
    Rule(
        "sign_of_factor",
        "a + broadcast_to(-b)*c",
        "a - broadcast_to(b)*c",
        _WHY,
        apply=_sign_of_factor,
        roots=("add", "subtract"),
        operands=("multiply", "divide"),
        example="x: input(f64, 3, 4)\nb: input(f64, 3, 1)\ny = cos(x) + (-exp(b))*x",
    ),
    Rule(
        "sign_into_factor",
        "-(broadcast_to(c/n)*x)",
        "broadcast_to((-c)/n)*x",
        _WHY,
        apply=_sign_into_factor,
        roots=("negative",),
        operands=("multiply", "divide"),
        example="x: input(f64, 3)\nn: input(f64)\ny = -(2/n/(3 + cos(x)))",
    ),
    rounding(
        "number_into_factor",
        "(broadcast_to(c1/n)*x)*c2",
        "broadcast_to((c1*c2)/n)*x",
        "numeric coefficients are gathered into one",
        apply=_number_into_factor,
        roots=("multiply",),
        operands=("multiply", "divide"),
        example="x: input(f64, 3)\nn: input(f64)\ny = 2/n/(3 + cos(x))*5",
    ),
    Rule(
        "sign_of_chosen",
        "where(m, 0, -x)",
        "-where(m, 0, x)",
        _WHY,
        apply=_sign_of_chosen,
        roots=("where",),
        operands=("negative",),
        example="x: input(f64, 3)\ny = where(x > 1, 0, -cos(x))",
    ),
    rounding(
        "sign_of_contraction",
        "a + (-x) @ w",
        "a - x @ w",
        _WHY,
        apply=_sign_of_contraction,
        roots=("add", "subtract"),
        operands=("einsum", "add", "subtract"),
        example="x: input(f64, 3, 4)\nw: input(f64, 4, 2)\nv: input(f64, 4, 2)\n"
        "y = (-cos(x)) @ w + x @ v",
    ),
)
