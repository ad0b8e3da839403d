"""Comparisons, logical ops and `where`: results are bool, gradients are cut or selected."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.elementwise import images
from graphc.ops.elementwise.pointwise import COMPARE, LOGICAL, SAME, Pointwise
from graphc.ops.elementwise.select import Select
from graphc.ops.registry import register

less = register(Pointwise("less", "a < b.", "a < b", args="a b", infix="<", dtype=COMPARE))
less_equal = register(
    Pointwise(
        "less_equal", "a <= b.", "a <= b", args="a b", infix="<=", dtype=COMPARE, symbol="{} ≤ {}"
    )
)
greater = register(Pointwise("greater", "a > b.", "a > b", args="a b", infix=">", dtype=COMPARE))
greater_equal = register(
    Pointwise(
        "greater_equal",
        "a >= b.",
        "a >= b",
        args="a b",
        infix=">=",
        dtype=COMPARE,
        symbol="{} ≥ {}",
    )
)
equal = register(
    Pointwise("equal", "a == b.", "a == b", args="a b", infix="==", dtype=COMPARE, symbol="{} = {}")
)
not_equal = register(
    Pointwise(
        "not_equal", "a != b.", "a != b", args="a b", infix="!=", dtype=COMPARE, symbol="{} ≠ {}"
    )
)

logical_and = register(
    Pointwise(
        "logical_and",
        "Both.",
        "logical_and(a, b)",
        args="a b",
        numpy="logical_and",
        dtype=LOGICAL,
        symbol="{} ∧ {}",
        image=images.within(0, 1),
    )
)
logical_or = register(
    Pointwise(
        "logical_or",
        "Either.",
        "logical_or(a, b)",
        args="a b",
        numpy="logical_or",
        dtype=LOGICAL,
        symbol="{} ∨ {}",
        image=images.within(0, 1),
    )
)
logical_xor = register(
    Pointwise(
        "logical_xor",
        "One, not both.",
        "logical_xor(a, b)",
        args="a b",
        numpy="logical_xor",
        dtype=LOGICAL,
        image=images.within(0, 1),
    )
)
logical_not = register(
    Pointwise(
        "logical_not",
        "Not.",
        "logical_not(x)",
        numpy="logical_not",
        dtype=LOGICAL,
        symbol="¬{}",
        image=images.within(0, 1),
    )
)


class AskedFor(Pointwise):
    """A question about NaN: where it is asked, making one is no news."""

    def quiet(self, node: Node) -> tuple[str, ...]:
        return ("invalid",)


isnan = register(
    AskedFor("isnan", "Whether x is not a number.", "isnan(x)", numpy="isnan", dtype=COMPARE)
)
isinf = register(
    Pointwise("isinf", "Whether x is infinite.", "isinf(x)", numpy="isinf", dtype=COMPARE)
)
isfinite = register(
    Pointwise(
        "isfinite",
        "Whether x is neither nan nor infinite.",
        "isfinite(x)",
        numpy="isfinite",
        dtype=COMPARE,
    )
)


where = register(
    Select(
        "where",
        "a where the condition holds, else b; the other branch contributes exactly 0.",
        "where(c, a, b)",
        args="c a b",
        numpy="where",
        tex=r"\begin{{cases}} {1} & {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
        dtype=SAME,
        image=images.either,
    )
)
