"""Elements limited by others: `maximum`, `minimum` and `clip`."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.code import ATOM, Code, Codes, Notation
from graphc.ir.dims import typical_size
from graphc.ir.node import Node
from graphc.ir.walk import behind_views
from graphc.ops.elementwise import images
from graphc.ops.elementwise.pointwise import SAME, Pointwise
from graphc.ops.leaf import full, is_fill
from graphc.ops.registry import register
from graphc.ops.stored import stored

#: NumPy compares two arrays many elements at a time, but an array and a number one by one: in twice
#: to five times as long. From how many elements on an array of numbers would take too much memory:
#: then `clip` is nearly as quick, which NumPy from 2.3 on has for many at once.
_MANY = 16384


def is_sooner_in_clip(node: Node) -> bool:
    """Say whether NumPy limits an array of this type by numbers sooner in `clip`."""
    return node.dtype.kind == "f" and typical_size(node.shape) >= _MANY


class Limit(Pointwise):
    """maximum or minimum. An array limits few elements sooner than a number, `clip` many."""

    def takes_whole(self, node: Node, number: Node) -> bool:
        # Pages of zeros take no memory before something is written to them: however many these
        # are, where a dim is only known by its name.
        is_light = is_fill(number, 0) or all(isinstance(dim, int) for dim in node.shape)
        is_plain = isinstance(number.attrs["value"], (int, float))
        return is_light and is_plain and bool(node.shape) and not is_sooner_in_clip(node)

    def called(self, node: Node) -> str:
        other = behind_views(node.inputs[1])
        is_zero = other.op in (full, stored) and other.attrs["value"] == 0
        return "relu" if is_zero and self.name == "maximum" else super().called(node)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        operands = self.of_clip(node, args, notation)
        if operands is None:
            return super().numpy(node, args, notation)
        return Code(f"np.clip({', '.join(operands)})")

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        operands = self.of_clip(node, args, notation)
        if operands is None:
            return super().numpy_into(node, args, out, notation)
        x, low, high = operands
        return f"{x}.clip({low}, {high}, out={out})"

    def of_clip(self, node: Node, args: Codes, notation: Notation) -> tuple[str, str, str] | None:
        """Return the array and its limits where `clip` is to be called: there, for speed."""
        is_many = notation.is_for_speed and is_sooner_in_clip(node)
        are_numbers = [is_fill(x) for x in node.inputs]
        if not (is_many or notation.is_long) or sum(are_numbers) != 1 or node.dtype.kind != "f":
            return None
        x, number = args if are_numbers[1] else reversed(args)
        low, high = (number, "np.inf") if self.name == "maximum" else ("-np.inf", number)
        return x.within(ATOM), str(low), str(high)


maximum = register(
    Limit(
        "maximum",
        "The larger; where equal, half the derivative to each.",
        "where(a > b, a, where(a < b, b, (a + b)/2))",
        args="a b",
        numpy="maximum",
        dtype=SAME,
        domain=((0.2, 2.0), (-2.0, 0.1)),
        symbol="max({}, {})",
        convention="maximum: half the derivative to each where equal",
        tex=r"\max({}, {})",
        image=images.larger,
    )
)
minimum = register(
    Limit(
        "minimum",
        "The smaller; where equal, half the derivative to each.",
        "where(a < b, a, where(a > b, b, (a + b)/2))",
        args="a b",
        numpy="minimum",
        dtype=SAME,
        domain=((0.2, 2.0), (-2.0, 0.1)),
        symbol="min({}, {})",
        convention="minimum: half the derivative to each where equal",
        tex=r"\min({}, {})",
        image=images.smaller,
    )
)


class Clip(Pointwise):
    """The limits of an array. NumPy makes an array of its first operand, so that has its dtype."""

    @property
    def keeps_numbers(self) -> bool:
        return True

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return super().numpy(node, _of_dtype(node, args, notation), notation)

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        x, low, high = _of_dtype(node, args, notation)
        return f"{x.within(ATOM)}.clip({low}, {high}, out={out})"  # `np.clip` asks whose to call


def _of_dtype(node: Node, args: Codes, notation: Notation) -> Sequence[Code]:
    """Return the operands with the first one in its dtype where it is a number of Python's."""
    if not is_fill(node.inputs[0]):
        return args
    return [Code(f"{notation.dtype(node.dtype)}({args[0]})"), *args[1:]]


clip = register(
    Clip(
        "clip",
        "x limited to [low, high]; derivative 1 inside and on the bounds.",
        "where(x < low, low, where(x > high, high, x))",
        minus_infinity=False,
        args="x low high",
        numpy="clip",
        dtype=SAME,
        domain=((-0.8, 0.8), (-2.0, -1.0), (1.0, 2.0)),
        flops=2,
        image=images.limited,
    )
)
