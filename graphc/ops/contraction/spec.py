"""What does a contraction's spec say? `ab,bc->ac`: the labels of the operands and of the result."""

from __future__ import annotations

import string
from collections.abc import Sequence

from graphc.ir.dims import Dim, same, shape_text
from graphc.ir.provenance import user_error
from graphc.ir.types import TensorType

LETTERS = string.ascii_lowercase + string.ascii_uppercase


def split_spec(spec: str) -> tuple[list[str], str]:
    """Return the operands' labels and the output's, of an explicit spec."""
    terms, out = spec.split("->")
    return terms.split(","), out


def are_two(terms: Sequence[str]) -> bool:
    """Say whether there are two operands, and a diagonal of neither."""
    return len(terms) == 2 and all(len(set(term)) == len(term) for term in terms)


def label_sizes(terms: Sequence[str], inputs: Sequence[TensorType]) -> dict[str, Dim]:
    """Return the size of each label, or raise a GraphError where two operands disagree."""
    sizes: dict[str, Dim] = {}
    for term, operand in zip(terms, inputs, strict=True):
        if len(term) != operand.ndim:
            raise user_error("einsum: one label for each axis", got=f"{term!r} for {operand}")
        for label, dim in zip(term, operand.shape, strict=True):
            if not same(sizes.setdefault(label, dim), dim):
                raise user_error(
                    "the contracted dims differ",
                    got=" and ".join(shape_text(t.shape) for t in inputs),
                    expected=f"equal sizes for label {label!r} in {','.join(terms)}",
                    fix="transpose one operand (W.T), or compare the layers' sizes",
                )
    return sizes


def explicit_spec(spec: str, ranks: Sequence[int]) -> str:
    """Return the spec with its output written out and its ellipses replaced by labels."""
    left, arrow, out = spec.partition("->")
    terms = left.split(",")
    if "..." in spec:
        free = [c for c in LETTERS if c not in spec]
        counts = [rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=False)]
        batch = "".join(free[: max(counts, default=0)])
        terms = [
            t.replace("...", batch[len(batch) - c :] if c else "")
            for t, c in zip(terms, counts, strict=False)
        ]
        out = out.replace("...", batch)
        if not arrow:
            out = batch
    if not arrow:
        letters = sorted(set("".join(terms)) - set(out))
        out += "".join(c for c in letters if "".join(terms).count(c) == 1)
    bad = [c for c in "".join([*terms, out]) if c not in LETTERS]
    if bad:
        raise user_error("einsum: not a valid spec", got=spec, expected="such as 'ij,jk->ik'")
    return ",".join(terms) + "->" + out


def matmul_spec(left: int, right: int) -> str:
    """Return the spec of numpy.matmul for operands of these ranks (equal batch axes)."""
    batch = LETTERS[3 : 3 + max(left, right, 2) - 2]
    a = batch[len(batch) - (left - 2) :] + "ab" if left > 2 else ("ab" if left == 2 else "b")
    b = batch[len(batch) - (right - 2) :] + "bc" if right > 2 else ("bc" if right == 2 else "b")
    out = batch + ("a" if left > 1 else "") + ("c" if right > 1 else "")
    return f"{a},{b}->{out}"
