"""Contraction: products of arrays summed over shared index labels (einsum).

One op covers matrix products, batched products, outer and dot products, traces and weighted sums.
It is linear in each operand, and its transpose in an operand is again a contraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import mul
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir.access import Access, along, whole
from graphc.ir.attributes import Attributes
from graphc.ir.bounds import Bounds, flags
from graphc.ir.code import ATOM, PRODUCT, Code, Codes, Notation
from graphc.ir.dims import Dim, product, typical_size
from graphc.ir.node import Node
from graphc.ir.op import Arg, Arrays, Case, Op
from graphc.ir.provenance import user_error
from graphc.ir.ranges import Range, range_of_products
from graphc.ir.types import TensorType
from graphc.ops.batching import Carried
from graphc.ops.contraction.label import LATEX, TEXT, contraction_formula
from graphc.ops.contraction.matrix_product import (
    matmul_form,
    oriented,
    product_code,
    product_into,
    spread_product,
    tensordot_form,
    viewed_product,
)
from graphc.ops.contraction.spec import (
    LETTERS,
    explicit_spec,
    label_sizes,
    matmul_spec,
    split_spec,
)
from graphc.ops.contraction.threaded_products import HELPERS, threaded, threaded_into
from graphc.ops.elementwise.pointwise import cast
from graphc.ops.leaf import as_node
from graphc.ops.promotion import common_dtype
from graphc.ops.registry import OPS, register

#: Elements from which on the work counts and not the call.
_LARGE = 8192


class Einsum(Op):
    """sum over all labels that the output lacks of the product of the operands."""

    family = "contraction"
    multiplies = True
    variable = "product"
    between = ""

    def __call__(self, *operands: Any, spec: str | None = None) -> Node:
        if spec is None:
            spec, *rest = operands
            operands = tuple(rest)
        if not isinstance(spec, str):
            raise GraphError("einsum: the first argument is the spec", expected="'ij,jk->ik'")
        nodes = [as_node(o) for o in operands]
        dtype = common_dtype(nodes)
        nodes = [cast(n, dtype) for n in nodes]
        return self.make(nodes, spec=explicit_spec(spec.replace(" ", ""), [n.ndim for n in nodes]))

    def infer(self, inputs: tuple[TensorType, ...], attrs: Attributes) -> TensorType:
        terms, out = split_spec(attrs["spec"])
        if len(terms) != len(inputs):
            raise user_error(
                "einsum: one term for each operand",
                got=f"{attrs['spec']!r} with {len(inputs)} operands",
            )
        sizes = label_sizes(terms, inputs)
        unknown = [label for label in out if label not in sizes]
        if unknown or len(set(out)) != len(out):
            raise user_error(
                "einsum: each output label must occur once, and in an operand", got=attrs["spec"]
            )
        return inputs[0].with_shape(tuple([sizes[label] for label in out]))

    def reference(self, arrays: Arrays, attrs: Mapping[str, Any], result: TensorType) -> np.ndarray:
        return np.asarray(np.einsum(attrs["spec"], *arrays)).astype(result.dtype, copy=False)

    def linearize(self, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        total: Node | None = None
        for i, tangent in enumerate(tangents):
            if tangent is not None:
                operands = [*node.inputs[:i], tangent, *node.inputs[i + 1 :]]
                part = self.make(operands, **node.attrs)
                total = part if total is None else OPS["add"](total, part)
        return total

    def transpose(self, node: Node, cotangent: Node, index: int) -> Node:
        terms, out = split_spec(node.attrs["spec"])
        term, shape = terms[index], node.inputs[index].shape
        operands = [cotangent, *node.inputs[:index], *node.inputs[index + 1 :]]
        labels = [out, *terms[:index], *terms[index + 1 :]]
        wanted = "".join(dict.fromkeys(term))
        present = set("".join(labels))
        kept = "".join(label for label in wanted if label in present)
        result = einsum_labels(operands, labels, kept)
        if kept != wanted:
            # Labels that only this operand had were summed: every place gets the same cotangent.
            sizes = dict(zip(term, shape, strict=True))
            holes = tuple([sizes[label] if label in kept else 1 for label in wanted])
            full = tuple([sizes[label] for label in wanted])
            result = OPS["broadcast_to"](OPS["reshape"](result, holes), full)
        return _onto_diagonal(result, wanted, term, shape)

    def by_element(self, node: Node) -> Node | None:
        terms, out = split_spec(node.attrs["spec"])
        if len(terms) != 2 or terms[0] != terms[1] or len(set(terms[0])) < len(terms[0]):
            return None
        return _single(OPS["multiply"](*node.inputs), terms[0], out)

    def reads(self, node: Node, index: int) -> Access:
        terms, out = split_spec(node.attrs["spec"])
        axes = zip(terms[index], node.inputs[index].shape, strict=True)
        return tuple([along(out.index(c)) if c in out else whole(dim) for c, dim in axes])

    def batched(self, node: Node, carried: Carried, size: Dim) -> Node | None:
        terms, out = split_spec(node.attrs["spec"])
        free = next((letter for letter in LETTERS if letter not in node.attrs["spec"]), None)
        if free is None:
            return None
        operands, labels = [], []
        for x, with_axis, term in zip(node.inputs, carried, terms, strict=True):
            operands.append(x if with_axis is None else with_axis)
            labels.append(term if with_axis is None else free + term)
        return einsum_labels(operands, labels, free + out)

    def flops(self, node: Node) -> Dim:
        terms, out = split_spec(node.attrs["spec"])
        sizes = label_sizes(terms, [x.type for x in node.inputs])
        summed = any(label not in out for label in sizes)
        # A multiplication for each factor beyond the first, and an addition where there is a sum.
        per_point = len(terms) - 1 + (1 if summed else 0)
        return per_point * product(sizes.values())

    def bounds(self, node: Node, operands: Sequence[Bounds]) -> Bounds:
        product = reduce(mul, operands)
        low, high = (0.0 if product.low >= 0 else -np.inf), (0.0 if product.high <= 0 else np.inf)
        return Bounds(low, high, False, **flags(product))

    def range(self, node: Node, operands: Sequence[Range]) -> Range:
        found = range_of_products(operands)
        return Range(max(found.low, 0.0), found.high, found.nan) if _is_squared(node) else found

    def holds_minus_infinity(self, node: Node) -> bool:
        return False

    # -- writing -----------------------------------------------------------------------------

    def called(self, node: Node) -> str:
        return "diagonal" if _is_diagonal(node) else super().called(node)

    def helper(self, node: Node) -> str | None:
        return HELPERS if len(node.inputs) == 2 else None

    def numpy(self, node: Node, args: Codes, notation: Notation) -> Code:
        in_pieces = threaded(node, args, notation)
        if in_pieces is not None:
            return in_pieces
        form = matmul_form(node)
        if form is not None:
            left, right = (oriented(args[i], turned, node.inputs[i].ndim) for i, turned in form)
            return Code(f"{left.within(PRODUCT)} @ {right.within(PRODUCT + 1)}", PRODUCT)
        terms, out = split_spec(node.attrs["spec"])
        viewed = viewed_product(terms, out)
        if viewed is not None and _outer_order(node) is None:
            return product_code(viewed, args, terms, out)
        summed = tensordot_form(terms, out)
        if summed is not None:
            (i, first), (j, second) = summed
            return Code(f"np.tensordot({args[i]}, {args[j]}, axes=({first}, {second}))")
        spread = spread_product(terms, out) if notation.threads == "blas" else None
        if spread is not None:
            return product_code(spread, args, terms, out)
        head, words = _call(node, args)
        call = f"{head}({', '.join(words)})"
        # Where it sums nothing, einsum returns a view, which would change with its source.
        is_view = len(terms) == 1 and bool(out) and set(terms[0]) == set(out)
        if _is_diagonal(node):
            call = f"np.diagonal({args[0]})"
        return Code(f"{call}.copy()" if is_view else call)

    def numpy_into(self, node: Node, args: Codes, out: str, notation: Notation) -> str | None:
        in_pieces = threaded_into(node, args, out, notation)
        if in_pieces is not None:
            return in_pieces
        form = matmul_form(node)
        if form is not None:
            left, right = (oriented(args[i], turned, node.inputs[i].ndim) for i, turned in form)
            # An array's own `dot` takes a third of the time to call, but only writes into arrays
            # that lie in one piece.
            if notation.owns_out and all(x.ndim <= 2 for x in node.inputs):
                return f"{left.within(ATOM)}.dot({right}, out={out})"
            return f"np.matmul({left}, {right}, out={out})"
        terms, labels = split_spec(node.attrs["spec"])
        if _is_large_outer(node):
            return f"np.einsum({', '.join([*_words(node, args), f'out={out}'])})"
        viewed = viewed_product(terms, labels)
        if viewed is not None and _outer_order(node) is None:
            return product_into(viewed, args, terms, labels, out)
        spread = spread_product(terms, labels) if notation.threads == "blas" else None
        if spread is not None:
            return product_into(spread, args, terms, labels, out)
        head, words = _call(node, args)
        return f"{head}({', '.join([*words, f'out={out}'])})"

    def text(self, node: Node, args: Codes) -> Code:
        if is_plain_matmul(node):
            return Code(f"{args[0].within(PRODUCT)} @ {args[1].within(PRODUCT + 1)}", PRODUCT)
        return Code(f"einsum({', '.join([repr(node.attrs['spec']), *[a.text for a in args]])})")

    def label(self, node: Node, args: Sequence[str]) -> str:
        form = matmul_form(node)
        if form is None:
            return contraction_formula(node, args, TEXT)
        return " · ".join(f"{args[i]}ᵀ" if turned else args[i] for i, turned in form)

    def latex(self, node: Node, args: Sequence[str]) -> str:
        form = matmul_form(node)
        if form is None:
            return contraction_formula(node, args, LATEX)
        return r" \, ".join(f"{args[i]}^\\top" if turned else args[i] for i, turned in form)


def _call(node: Node, args: Codes) -> tuple[str, list[str]]:
    """Return the NumPy function for a contraction that is no matrix product, and its arguments."""
    outer = _outer_order(node)
    if outer is not None:
        return "np.outer", [args[i].text for i in outer]
    words = _words(node, args)
    return "np.einsum", [*words, "optimize=True"] if len(args) > 2 else words


def _words(node: Node, args: Codes) -> list[str]:
    """Return the arguments of `np.einsum`."""
    return [repr(node.attrs["spec"]).replace("'", '"'), *[a.text for a in args]]


def einsum_labels(
    operands: Sequence[Node], labels: Sequence[Iterable[str]], out: Iterable[str]
) -> Node:
    """Return the contraction of operands whose axes carry any hashable labels."""
    letters: dict[str, str] = {}
    for label in [label for term in labels for label in term]:
        letters.setdefault(label, LETTERS[len(letters)])
    terms = ["".join(letters[label] for label in term) for term in labels]
    spec = ",".join(terms) + "->" + "".join(letters[label] for label in out)
    if len(operands) == 1 and len(set(terms[0])) == len(terms[0]):
        return _single(operands[0], terms[0], spec.split("->")[1])
    return einsum.make(operands, spec=spec)


def _single(x: Node, term: str, out: str) -> Node:
    """Return a one-operand contraction as a sum and a transpose."""
    summed = tuple([i for i, label in enumerate(term) if label not in out])
    rest = "".join(label for label in term if label in out)
    # A contraction keeps its dtype; a sum of int32 or of truth values does not.
    total = cast(OPS["sum"](x, axis=summed), x.dtype) if summed else x
    return OPS["transpose"](total, [rest.index(label) for label in out])


def _is_diagonal(node: Node) -> bool:
    """Say whether it is that of one matrix: aa->a."""
    terms, out = split_spec(node.attrs["spec"])
    return len(terms) == 1 and len(terms[0]) == 2 and terms[0] == 2 * out


def _onto_diagonal(x: Node, labels: str, term: str, shape: Sequence[Dim]) -> Node:
    """Return x spread over the diagonals that repeated labels in `term` denote."""
    if labels == term:
        return x
    current = labels
    operands, terms, fresh = [x], [current], iter(c for c in LETTERS if c not in term)
    out, seen = [], set()
    for label, dim in zip(term, shape, strict=True):
        if label in seen:
            other = next(fresh)
            operands.append(OPS["eye"](dim, dtype=x.dtype))
            terms.append(label + other)
            out.append(other)
        else:
            seen.add(label)
            out.append(label)
    return einsum_labels(operands, terms, out)


def is_plain_matmul(node: Node) -> bool:
    """Say whether `a @ b`, parsed again, would give this very node."""
    if len(node.inputs) != 2:
        return False
    a, b = node.inputs
    return min(a.ndim, b.ndim) >= 1 and node.attrs["spec"] == matmul_spec(a.ndim, b.ndim)


def _outer_order(node: Node) -> tuple[int, int] | None:
    """Return the order of the two vectors whose outer product the node is, if it is one."""
    terms, out = split_spec(node.attrs["spec"])
    if len(terms) != 2 or len(set(out)) != 2 or sorted(terms) != sorted(out):
        return None
    return (0, 1) if terms[0] == out[0] else (1, 0)


def _is_large_outer(node: Node) -> bool:
    """Say whether `einsum` takes less time than a product of two operands that are both repeated.

    Its loop starts a row of the result in two thirds of the time; calling it takes longer.
    """
    terms, out = split_spec(node.attrs["spec"])
    is_outer = len(terms) == 2 and all(sorted(term) != sorted(out) for term in terms)
    if not is_outer or set(terms[0]) | set(terms[1]) != set(out):
        return False
    if any(len(set(term)) != len(term) for term in terms):
        return False
    return typical_size(node.shape) >= _LARGE


einsum = register(
    Einsum(
        "einsum",
        "Products summed over shared labels.",
        [
            Case((Arg((3, 4)), Arg((4, 2))), {"spec": "ij,jk->ik"}),
            Case((Arg((3, 4)), Arg((2, 4))), {"spec": "ij,kj->ki"}),
            Case((Arg((2, 3, 4)), Arg((2, 4, 2))), {"spec": "bij,bjk->bik"}),
            Case((Arg((3,)), Arg((4,))), {"spec": "i,j->ij"}),
            Case((Arg((3,)), Arg((3,))), {"spec": "i,i->"}),
            Case((Arg((3, 3)),), {"spec": "ii->"}),
            Case((Arg((3, 3)),), {"spec": "ii->i"}),
            Case((Arg((2, 3)), Arg((3, 4)), Arg((4,))), {"spec": "ij,jk,k->i"}),
            Case((Arg((2, 3)), Arg((4,))), {"spec": "ij,k->ik"}),
            Case((Arg((2, 3, 4)), Arg((2, 3, 5))), {"spec": "abc,abd->dc"}),
            Case((Arg((0, 3)), Arg((3, 2))), {"spec": "ij,jk->ik"}),
        ],
    )
)


def _is_squared(node: Node) -> bool:
    """Say whether each element of an operand meets itself, as in x @ x."""
    terms, _ = split_spec(node.attrs["spec"])
    return len(terms) == 2 and terms[0] == terms[1] and node.inputs[0] is node.inputs[1]
