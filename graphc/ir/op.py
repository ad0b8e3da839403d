"""What every operation must say about itself: the interface that all rooms read.

One op is one object with one definition. The rooms to the right ask the op; none of them keeps a
table of ops of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np

from graphc.errors import GraphError
from graphc.ir.access import Access, everything
from graphc.ir.attributes import Attributes
from graphc.ir.bounds import UNBOUNDED, Bounds
from graphc.ir.code import Code, Codes, Notation
from graphc.ir.dims import Dim, dim_text
from graphc.ir.node import Node, make_node
from graphc.ir.ranges import ANYTHING, Range
from graphc.ir.types import TensorType

#: The values of a node's operands.
Arrays: TypeAlias = "Sequence[np.ndarray]"
#: The axes of an array in another order, and `turned(x, order)`, which is transpose(x, order).
Order: TypeAlias = "tuple[int, ...]"
Turn: TypeAlias = "Callable[[Node, Sequence[int]], Node]"


@dataclass(frozen=True)
class Arg:
    """An argument of a test case: shape, dtype and the open interval its values come from.

    `diagonal` is added to the diagonal of each matrix, for ops of regular ones.
    """

    shape: tuple[int, ...] = (3, 4)
    dtype: str = "float64"
    low: float = -2.0
    high: float = 2.0
    diagonal: float = 0.0

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        if self.dtype == "bool":
            return rng.integers(0, 2, self.shape).astype(bool)
        if self.dtype.startswith("int"):
            return rng.integers(int(self.low), int(self.high), self.shape).astype(self.dtype)
        values = rng.uniform(self.low, self.high, self.shape)
        if self.diagonal:
            values += self.diagonal * np.eye(self.shape[-1])
        return values.astype(self.dtype)


@dataclass(frozen=True)
class Case:
    """One call of an op inside its domain: the arguments, and the keyword arguments.

    `differentiable` is False where the case stands on a kink or the op cuts gradients.
    """

    args: tuple[Arg, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    differentiable: bool = True


class Op:
    """An operation. Subclasses are the families; instances are the ops.

    Calling an op with nodes (or numbers) builds a node; each family's `__call__` takes the
    arguments that NumPy's function of the same name takes, and normalizes them into attributes.

    A method that raises NotImplementedError here is one that each op states, unless the method says
    which ops go without. (They are no `abstractmethod`s, because `isinstance`, which the passes ask
    at every node, is several times slower for an abstract class.)
    """

    #: The heading under which lists show it; some rules treat a family alike.
    family: ClassVar[str] = "op"

    #: Draws fresh random numbers, so two nodes of it are never the same node.
    is_random: ClassVar[bool] = False
    #: A leaf that the caller provides: an input or a parameter.
    is_leaf: ClassVar[bool] = False
    #: The result may share memory with its first input.
    is_view: ClassVar[bool] = False
    #: Its elements are some of those of its first input.
    picks: ClassVar[bool] = False
    #: A view may have to copy the elements all the same, where they do not lie in one piece.
    may_copy: ClassVar[bool] = False
    #: Lines that import, out of NumPy, what the NumPy form calls by its bare name.
    imports: ClassVar[tuple[str, ...]] = ()
    #: Builders insert such nodes around operands by themselves; the text form leaves them out.
    is_inserted: ClassVar[bool] = False
    #: Written as adding into a copy of its first input (`numpy_into` only).
    accumulates: ClassVar[bool] = False
    #: What many steps of a loop add can be added at once: see `added_up`.
    adds_over_steps: ClassVar[bool] = False
    #: Its value holds each place along its attribute `axis` once.
    permutes: ClassVar[bool] = False
    #: Its NumPy form multiplies matrices, for which BLAS may start threads of its own.
    multiplies: ClassVar[bool] = False
    #: A graph that holds such a node may update parameters: see `state_updates`.
    moves_state: ClassVar[bool] = False

    def __init__(self, name: str, doc: str, cases: Sequence[Case] = ()) -> None:
        """Take its name, NumPy's if NumPy has one; what it does, in a line; the calls to test."""
        self.name = name
        self.doc = doc
        self.__doc__ = doc
        self.cases = tuple(cases)

    #: What a value of this op is called where nobody named it; the op's name unless said.
    variable: str = ""
    #: What happens at a kink, in a few words, printed where it matters: "relu'(0) = 0".
    convention: str = ""
    #: The operator that Python writes between its two operands.
    infix: str | None = None
    #: What stands between the names of its two operands in that of a value: `x_minus_y`.
    between: str | None = None
    #: The operator that Python writes before its one operand.
    prefix: str | None = None
    #: What drawings show in place of its name, as a template over the operands: `√{}`.
    symbol: str | None = None
    #: The same for LaTeX.
    tex: str | None = None

    # -- building ----------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Node:
        """Return the node for the arguments that NumPy's function of this name takes.

        All but arrays become attributes, in one form however they were written: axis=-1 as axis=2.
        """
        raise NotImplementedError(f"{self.name} does not say what it is called with")

    def make(self, inputs: Sequence[Node], **attrs: Any) -> Node:
        """Return the node of already normalized inputs and attributes."""
        return make_node(self, tuple(inputs), attrs)

    def arrived(self, attrs: Attributes) -> Attributes:
        """Return the attributes that a node has here which was made in another process.

        The same, unless said: only a number that counts within a process has to change.
        """
        return attrs

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        """Return the result's type, or raise a GraphError that names what does not fit."""
        raise NotImplementedError(f"{self.name} does not say what its result is")

    # -- meaning -----------------------------------------------------------------------------

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        """Return the value in plain NumPy: slow, short, obviously right.

        Dims in `attrs` and in `result` are already numbers here. What is given or drawn has no
        value of its own: inputs, parameters and random numbers go without.
        """
        raise NotImplementedError(f"{self.name} has no value of its own")

    def claims(self, node: Node) -> Sequence[tuple[int, Dim, Dim]]:
        """Return (axis, position, size) where the type takes it that 0 <= position <= size.

        Only a call knows the sizes of named dims, so it checks what is claimed of them.
        None, unless said.
        """
        return ()

    def state_updates(
        self, node: Node, value: Callable[[Node], Node]
    ) -> Sequence[tuple[Node, Node]]:
        """Return the parameters that every graph with this node updates, with their next values.

        `value` gives the value of such a parameter so far: another node may have moved it already.
        Only asked where `moves_state` is true.
        """
        return ()

    # -- derivative --------------------------------------------------------------------------

    def is_differentiable(self, node: Node, index: int) -> bool:
        """Say whether a derivative flows into input `index` (False: it is cut there)."""
        return node.inputs[index].dtype.kind == "f" and node.dtype.kind == "f"

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        """Return the tangent of the result, linear in `tangents` (None stands for zero).

        Not asked of an op that has an `expand`. What `linearize_first` returns, unless said.
        """
        first, *others = tangents
        if any(tangent is not None for tangent in others):
            raise GraphError(f"{self.name} has no derivative", got=repr(node))
        return None if first is None else self.linearize_first(node, first)

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        """Return the tangent of the result, linear in that of the first operand.

        For ops that have a derivative in no other operand.
        """
        raise GraphError(f"{self.name} has no derivative", got=repr(node))

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node | None:
        """Return the cotangent of input `index` of an op that is linear in that input.

        None where the op is not linear in it: reverse mode then transposes `linearize`.
        """
        return None

    def reads(self, node: Node, index: int) -> Access:
        """Return, for each axis of operand `index`, the places that an element of the node reads.

        Everything, unless said. Askers call `access.reads`, which knows of axes of size 1.
        """
        return everything(node.inputs[index].shape)

    def batched(self, node: Node, carried: Sequence[Node | None], size: Dim) -> Node | None:
        """Return the node for `size` values of its operands at once, along a new first axis.

        `carried` holds the operands that have that axis in front, None for all others. None where
        the op must be applied to one value after the other.

        **Shapes.** carried operand: [size, *operand.shape] -> [size, *node.shape]
        """
        return None

    def added_up(self, node: Node, base: Node, stacks: Sequence[Node]) -> Node:
        """Return `base`, the first operand, with what several steps add to it.

        `stacks` holds all other operands, those of the steps along a first axis. Only asked where
        `adds_over_steps` is true.

        **Shapes.** operand: [*dims] -> [steps, *dims]
        """
        raise NotImplementedError(f"{self.name} does not say what many steps add")

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order] | None:
        """Return the node computed from operands with their axes in another order.

        `order` is that of one operand; `turned(x, order)` gives any of them as transpose(x, order).
        The answer is transpose(node, its order), and its order. None where an op has no such form,
        or another order gains nothing.
        """
        return None

    def expand(self, node: Node) -> Node | None:
        """Return the node's definition in other ops, where derivatives go through that.

        None for an op with a linearization of its own. Often `expand = lower`.
        """
        return None

    def by_element(self, node: Node) -> Node | None:
        """Return the node as a sum of products by element, whose zeros can absorb infinities."""
        return None

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        """Return the interval that all elements lie in at finite inputs, given the operands'.

        Not asked of pointwise ops, whose bounds follow from `image` and `formula`.
        """
        return operands[0] if self.is_view or self.picks else UNBOUNDED

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        """Return the interval that all elements lie in whatever goes in, and whether NaN comes out.

        Not asked of pointwise ops, nor where the result holds truth values.
        """
        return operands[0] if self.is_view or self.picks else ANYTHING

    def holds_minus_infinity(self, node: Node) -> bool | None:
        """Say whether -inf may be a meaningful value of the result, as masks put it there.

        None: only where an operand may hold it.
        """
        return None

    # -- writing -----------------------------------------------------------------------------

    def called(self, node: Node) -> str:
        """Return what emitted code calls the value where nobody named it.

        Its `variable`, unless that depends on the node.
        """
        return self.variable or self.name

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        """Return the NumPy expression of the node, given its operands' expressions.

        Inputs and parameters, which are arguments of the function, go without, and so does what
        `lower` or `numpy_into` writes.
        """
        raise NotImplementedError(f"{self.name} is no expression in NumPy")

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        """Return one statement that writes the value into the array `out`, or None.

        Style "fast" asks for it, and takes a new array by `numpy` where it is None. Both styles do
        where `accumulates` is true.
        """
        return None

    def reuses(self, node: Node) -> tuple[int, ...]:
        """Return the inputs whose memory the result of `numpy_into` may overwrite.

        None, unless it accumulates or says so.
        """
        return (0,) if self.accumulates else ()

    def broadcasts(self, node: Node) -> bool:
        """Say whether NumPy broadcasts this op's operands by itself."""
        return False

    def quiet(self, node: Node) -> tuple[str, ...]:
        """Return the floating-point warnings that the NumPy form may raise for right results."""
        return ()

    def indexed_dims(self, node: Node, position: int) -> tuple[Dim, ...]:
        """Return the sizes of the axes that input `position` indexes; none for ordinary inputs."""
        return ()

    def helper(self, node: Node) -> str | None:
        """Return the source of the module-level functions that the NumPy form calls, or None.

        Two blank lines stand between functions; one that several ops bring is written once.
        """
        return None

    def text(self, node: Node, args: Codes) -> Code:
        """Return the expression in the text form; the parser calls the op with the same words."""
        shown = [arg.text for arg in args]
        shown += [f"{key}={literal(value)}" for key, value in self.shown_attributes(node).items()]
        return Code(f"{self.name}({', '.join(shown)})")

    def shown_attributes(self, node: Node) -> dict[str, Any]:
        """Return the attributes that the text form writes as keywords: all of them, unless said."""
        return dict(node.attrs)

    def label(self, node: Node, args: Sequence[str]) -> str:
        """Return the function as a drawing shows it, over its operands' names.

        Its text, unless said.
        """
        return self.text(node, [Code(arg) for arg in args]).text

    def latex(self, node: Node, args: Sequence[str]) -> str:
        """Return the expression in LaTeX, given its operands' LaTeX."""
        name = self.name.replace("_", r"\_")
        return rf"\operatorname{{{name}}}\left({', '.join(args)}\right)"

    # -- cost and lowering -------------------------------------------------------------------

    def flops(self, node: Node) -> Dim:
        """Return the number of floating-point operations, by the usual textbook count.

        None at all, unless said.
        """
        return 0

    def scratch(self, node: Node) -> Dim:
        """Return the bytes that the NumPy form takes for itself while it runs, beside the result.

        What grows with an operand counts: copies, masks, index arrays; NumPy's headers do not.
        """
        return 0

    def lower(self, node: Node) -> Node | None:
        """Return the same value from ops with a direct NumPy form; None for those themselves."""
        return None

    def textbook(self, node: Node) -> Node | None:
        """Return the same value from other ops as exact arithmetic would have it.

        That is what `expand` or `lower` returns, without precautions against overflow. None where
        the reference does for elements of any kind, with no more than sums and products.
        """
        expanded = self.expand(node)
        return self.lower(node) if expanded is None else expanded

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def literal(value: Any) -> str:
    """Return plain data as the text form writes it; parsing it gives the value back."""
    if isinstance(value, tuple):
        inner = ", ".join(map(literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, float):
        return {"inf": "inf", "-inf": "-inf", "nan": "nan"}.get(repr(value), repr(value))
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, slice):
        return f"slice({literal(value.start)}, {literal(value.stop)}, {literal(value.step)})"
    if value is None or isinstance(value, (bool, int, str)):
        return repr(value)
    if hasattr(value, "free_symbols"):
        return dim_text(value, is_exact=True)
    return repr(value)
