"""Which signs does a contraction have? One table, read by traces, tables and pictures alike."""

from __future__ import annotations

import pytest

import graphc as gc
from graphc.ops import OPS
from graphc.ops.contraction.spec import split_spec

SIZES = {"n": 2, "t": "T", "b": "B", "i": 3, "j": 4, "k": 5, "l": 6, "p": 2, "q": 2}

TABLE = [
    # matrix products, and those of stacks over the axes that `@` takes
    ("ij,jk->ik", "A · B"),
    ("ij,ik->jk", "Aᵀ · B"),
    ("bij,bjk->bik", "A · B"),
    ("i,i->", "A · B"),
    # outer products, in the order of the result's axes
    ("i,j->ij", "A ⊗ B"),
    ("i,j->ji", "B ⊗ A"),
    ("ij,k->ijk", "A ⊗ B"),
    # a number scales
    (",i->i", "A · B"),
    ("ij,->ij", "A · B"),
    # elementwise, broadcast as NumPy does
    ("ij,ij->ij", "A ⊙ B"),
    ("ij,j->ij", "A ⊙ B"),
    # rows are no places that NumPy broadcasts to
    ("ij,i->ij", "A[i,j]·B[i]"),
    # what is summed over stacks is said
    ("tbi,tbj->ij", "Σₜᵢ A[t,i] ⊗ B[t,i]"),
    ("tbi,tbj->ji", "Σₜᵢ B[t,i] ⊗ A[t,i]"),
    ("nitb,njtb->ij", "Σᵢₜⱼ A[i,:,t,j] ⊗ B[i,:,t,j]"),
    ("ij,ij->", "Σᵢⱼ A[i,j]·B[i,j]"),
    ("ijk,ij->k", "Σᵢⱼ A[i,j]·B[i,j]"),
    # letters that no sum names are those of the result's axes, in order
    ("ni,ni->n", "Σⱼ A[i,j]·B[i,j]"),
    ("ii->", "Σᵢ A[i,i]"),
    ("ii->i", "A[i,i]"),
    ("nitbpq,jipq->njtb", "Σₘₙₚ A[i,m,k,l,n,p]·B[j,m,n,p]"),
    ("ij,jk,k->i", "Σⱼₖ A[i,j]·B[j,k]·C[k]"),
]


@pytest.mark.parametrize(("spec", "label"), TABLE)
def test_a_contraction_is_written_with_the_signs_of_a_textbook(spec: str, label: str) -> None:
    terms, _ = split_spec(spec)
    operands = [
        gc.input(name, tuple(SIZES[letter] for letter in term), "float64")
        for name, term in zip("ABC", terms, strict=False)
    ]
    node = OPS["einsum"](spec, *operands)
    assert node.op.label(node, list("ABC")[: len(terms)]) == label


def test_latex_has_the_same_signs() -> None:
    a, b = gc.input("a", (2, 3, 4), "float64"), gc.input("b", (2, 3, 5), "float64")
    node = OPS["einsum"]("abc,abd->cd", a, b)
    assert node.op.latex(node, ["v_{1}", "v_{2}"]) == (r"\sum_{i,j} v_{1}[i,j] \otimes v_{2}[i,j]")
    outer = OPS["einsum"]("i,j->ij", gc.input("c", (2,), "float64"), gc.input("d", (3,), "float64"))
    assert outer.op.latex(outer, ["c", "d"]) == r"c \otimes d"
