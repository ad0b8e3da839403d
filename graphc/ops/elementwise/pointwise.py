"""The pointwise family: ops that act on each element alone, defined by one formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir.access import Access, identity
from graphc.ir.attributes import Attributes
from graphc.ir.code import ATOM, POWER, UNARY, Code, Codes, Notation
from graphc.ir.dims import Dim, broadcast_shapes, same_shape
from graphc.ir.node import Node, make_node
from graphc.ir.op import Arg, Arrays, Case, Op, Order, Turn
from graphc.ir.provenance import user_error
from graphc.ir.types import BOOL, FLOAT64, TensorType, as_dtype
from graphc.ops.batching import Carried, by_element
from graphc.ops.elementwise.algebras import ARRAYS, NODES
from graphc.ops.elementwise.formula import evaluate_formula
from graphc.ops.elementwise.images import BY_FORMULA, Image
from graphc.ops.infix import infix, operator_ufunc
from graphc.ops.leaf import as_node
from graphc.ops.promotion import broadcast_fix, common_dtype, conformed, is_weak
from graphc.ops.registry import OPS

#: What a call's dtype does: keep it, make integers floats, compare, or compute with truth.
SAME, FLOAT, COMPARE, LOGICAL = "same", "float", "compare", "logical"

#: What derivatives call an op's value and its cotangent.
OUTPUT, COTANGENT = "y", "g"


class Pointwise(Op):
    """An op on each element alone.

    `formula` is its mathematics in the names of ops over `args`: SymPy derives it, and its case
    distinctions state the convention at kinks. A primitive also names its NumPy function
    (`numpy`) or operator (`infix`, `prefix`); any other op is lowered to primitives by `lowering`
    (the formula unless a stabler one is given).

    `minus_infinity`: whether -inf is a meaningful value: never (False), always possible (True), or
    where an operand holds it (None). `domain`: the open interval of each argument in which the op
    is smooth, for tests. `image`: between which numbers the values lie, given those of the
    arguments, unless that follows from the formula.
    """

    family = "pointwise"

    def __init__(
        self,
        name: str,
        doc: str,
        formula: str,
        *,
        args: str = "x",
        numpy: str | None = None,
        infix: str | None = None,
        between: str | None = None,
        prefix: str | None = None,
        lowering: str | None = None,
        dtype: str = FLOAT,
        domain: Sequence[tuple[float, float]] = ((-2.0, 2.0),),
        cuts: bool = False,
        flops: int = 1,
        symbol: str | None = None,
        tex: str | None = None,
        convention: str = "",
        minus_infinity: bool | None = None,
        image: Image = BY_FORMULA,
    ) -> None:
        self.image = image
        self.convention = convention
        self.minus_infinity = minus_infinity
        self.args = tuple(args.split())
        if OUTPUT in self.args or COTANGENT in self.args:
            raise GraphError(
                f"{name}: an argument may not be called {OUTPUT} or {COTANGENT}",
                got=args,
                fix="derivatives call the op's value and its cotangent so: a and b are free",
            )
        self.formula = formula
        self.ufunc = numpy
        self.infix = infix
        self.between = between
        self.prefix = prefix
        self.lowering = lowering or formula
        self.dtype_rule = dtype
        self.domain = tuple(domain) * (len(self.args) if len(domain) == 1 else 1)
        self.cuts = cuts or dtype in (COMPARE, LOGICAL)
        self.work = flops
        self.symbol = symbol
        self.tex = tex
        super().__init__(name, doc, self._cases())

    @property
    def is_primitive(self) -> bool:
        return self.ufunc is not None or self.infix is not None or self.prefix is not None

    @property
    def keeps_numbers(self) -> bool:
        """Whether a number among the operands is kept as an array, which calls take sooner."""
        return self.is_primitive and self.arity == 2

    def takes_whole(self, node: Node, number: Node) -> bool:
        """Say whether a call takes an operand, a number, sooner as an array of the node's shape."""
        return False

    @property
    def is_identity(self) -> bool:
        """Whether the value is the operand's, perhaps in another dtype or without derivative."""
        return self.formula == self.args[0]

    @property
    def arity(self) -> int:
        return len(self.args)

    def _cases(self) -> list[Case]:
        dtype = "bool" if self.dtype_rule == LOGICAL else "float64"
        shapes: list[tuple[int, ...]] = [(3, 4), (), (0, 2)]
        cases = [
            Case(tuple(Arg(shape, dtype, *interval) for interval in self.domain), {}, not self.cuts)
            for shape in shapes
        ]
        if self.arity > 1:
            shapes = [(4,) if i else (3, 4) for i in range(self.arity)]
            args = zip(shapes, self.domain, strict=True)
            cases.append(Case(tuple(Arg(shape, dtype, *d) for shape, d in args), {}, not self.cuts))
        return cases

    # -- building ----------------------------------------------------------------------------

    def __call__(self, *operands: Any) -> Node:
        if len(operands) != self.arity:
            raise GraphError(
                f"{self.name} takes {self.arity} argument{'s' * (self.arity > 1)}",
                got=f"{len(operands)}",
                expected=f"{self.name}({', '.join(self.args)})",
            )
        values = [v if isinstance(v, Node) or is_weak(v) else as_node(v) for v in operands]
        dtype = self.operand_dtype(values)
        return make_node(self, tuple(self.conform(values, [dtype] * self.arity)))

    def operand_dtype(self, values: Sequence[Any]) -> np.dtype:
        """Return the dtype that all operands are converted to."""
        if self.dtype_rule == LOGICAL:
            return BOOL
        dtype = common_dtype(values, is_compared=self.dtype_rule == COMPARE)
        if self.dtype_rule == FLOAT and dtype.kind != "f":
            return FLOAT64
        return dtype

    def conform(self, values: Sequence[Any], dtypes: Sequence[np.dtype]) -> list[Node]:
        """Return the operands with these dtypes and one common shape."""
        shapes = [value.shape if isinstance(value, Node) else () for value in values]
        shape = shapes[0]
        if any(other is not shape for other in shapes):
            common = broadcast_shapes(*shapes)
            if common is None:
                raise self._misfit([v.type for v in values if isinstance(v, Node)])
            shape = common
        return [conformed(v, shape, d) for v, d in zip(values, dtypes, strict=True)]

    def _misfit(self, types: Sequence[TensorType]) -> GraphError:
        return user_error(
            f"{self.infix or self.name}: the shapes do not broadcast",
            got=" and ".join(map(str, types)),
            expected="equal dims, or 1, counted from the last axis",
            fix=broadcast_fix(types),
        )

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        first = inputs[-1]
        for other in inputs:
            if not same_shape(other.shape, first.shape):
                raise self._misfit(inputs)
        if self.cuts_to_bool:
            return TensorType(BOOL, first.shape)
        if self.dtype_rule == FLOAT and first.dtype.kind != "f":
            return first.with_dtype(FLOAT64)  # a part of a formula: where(x > 0, 1, 0)/2
        return first

    @property
    def cuts_to_bool(self) -> bool:
        return self.dtype_rule in (COMPARE, LOGICAL)

    # -- meaning -----------------------------------------------------------------------------

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        if self.ufunc:
            value = getattr(np, self.ufunc)(*arrays)
        elif self.infix or self.prefix:
            value = operator_ufunc(self.infix or "unary" + str(self.prefix))(*arrays)
        else:
            names = dict(zip(self.args, arrays, strict=True))
            value = evaluate_formula(self.lowering, names, ARRAYS)
        return np.asarray(value).astype(result.dtype, copy=False)

    def holds_minus_infinity(self, node: Node) -> bool | None:
        return self.minus_infinity

    # -- derivative: the partials are derived from the formula in graphc.differentiate ----------

    def is_differentiable(self, node: Node, index: int) -> bool:
        return not self.cuts and super().is_differentiable(node, index)

    def operands_of_partial(self, node: Node, index: int) -> Sequence[Node]:
        """Return what the partial in one argument takes for the arguments: a guard may be there."""
        return node.inputs

    def reads(self, node: Node, index: int) -> Access:
        return identity(node.ndim)

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node:
        return by_element(node, carried, size)

    def reordered(self, node: Node, order: Order, turned: Turn) -> tuple[Node, Order]:
        operands = [turned(x, order) for x in node.inputs]
        return self.make(operands, **node.attrs), order

    # -- writing -----------------------------------------------------------------------------

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        if self.infix:
            left, right = args
            return infix(self.infix, left, right, is_formatted=True)
        if self.prefix:
            is_power = args[0].precedence == POWER  # formatters write -(x**2)
            return Code(self.prefix + args[0].within(ATOM if is_power else UNARY), UNARY)
        if self.ufunc:
            return Code(f"np.{self.ufunc}({', '.join(a.text for a in args)})")
        return super().numpy(node, args, notation)

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        name = self.ufunc or operator_ufunc(self.infix or "unary" + str(self.prefix)).__name__
        return f"np.{name}({', '.join(a.text for a in args)}, out={out})"

    def reuses(self, node: Node) -> tuple[int, ...]:
        return tuple(i for i, x in enumerate(node.inputs) if x.dtype == node.dtype)

    def broadcasts(self, node: Node) -> bool:
        return True

    def text(self, node: Node, args: Codes) -> Code:
        if self.infix:
            left, right = args
            return infix(self.infix, left, right)
        if self.prefix == "-":
            is_signed = args[0].text.startswith("-")  # -(-x), for readers
            return Code("-" + args[0].within(POWER if is_signed else UNARY), UNARY)
        return super().text(node, args)

    def label(self, node: Node, args: Sequence[str]) -> str:
        if self.symbol:
            return self.symbol.format(*args)
        return super().label(node, args)

    def latex(self, node: Node, args: Sequence[str]) -> str:
        if self.tex:
            return self.tex.format(*args)
        return super().latex(node, args)

    # -- cost and lowering -------------------------------------------------------------------

    def flops(self, node: Node) -> Dim:
        return self.work * node.size

    def lower(self, node: Node) -> Node | None:
        if self.is_primitive:
            return None
        names = dict(zip(self.args, node.inputs, strict=True))
        # A formula of numbers alone, such as where(x > 0, 1, 0), says nothing of dtype and shape.
        return conformed(evaluate_formula(self.lowering, names, NODES), node.shape, node.dtype)


class Cast(Pointwise):
    """Conversion to another dtype; linear where both are floats."""

    def __init__(self) -> None:
        super().__init__("cast", "Conversion to another dtype.", "x", dtype=SAME, flops=0)
        self.cases = (
            Case((Arg((3, 4), "float64"),), {"dtype": "float32"}, differentiable=False),
            Case((Arg((2,), "int64", -3, 4),), {"dtype": "float64"}, differentiable=False),
            Case((Arg((2,), "bool"),), {"dtype": "float64"}, differentiable=False),
        )

    def __call__(self, x: Any, dtype: Any) -> Node:
        node, target = as_node(x), as_dtype(dtype)
        return node if node.dtype == target else make_node(self, (node,), {"dtype": target})

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        return inputs[0].with_dtype(attrs["dtype"])

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return arrays[0].astype(attrs["dtype"])

    def is_differentiable(self, node: Node, index: int) -> bool:
        return node.inputs[0].dtype.kind == "f" and node.dtype.kind == "f"

    def linearize_first(self, node: Node, tangent: Node) -> Node:
        return cast(tangent, node.dtype)

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        return cast(cotangent, node.inputs[0].dtype)

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        return Code(f"{args[0].within(ATOM)}.astype({notation.dtype(node.dtype)})")

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        return f"{out}[...] = {args[0].text}"

    def reuses(self, node: Node) -> tuple[int, ...]:
        return ()

    def broadcasts(self, node: Node) -> bool:
        return False

    def text(self, node: Node, args: Codes) -> Code:
        return Code(f"cast({args[0].text}, {node.dtype.name!r})")

    def lower(self, node: Node) -> None:
        return None


cast = Cast()
OPS["cast"] = cast
