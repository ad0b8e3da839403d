"""How do readers see a contraction that is no matrix product? With ⊗, ⊙, or a sum over indices.

`·` multiplies matrices and numbers, `⊙` the elements of equal places, `⊗` all pairs. Where axes of
stacks are summed, a sum names them, and `:` stands for an axis that is kept: Σₜ h[t] ⊗ dz[t].
Where none of these says it, all axes have letters: those that no sum names are the axes of the
result, in the order of the alphabet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.ops.contraction.spec import label_sizes, split_spec

_LETTERS = "ijklmnprstuvxaeho"
_SUBSCRIPTS = dict(zip("aehijklmnoprstuvx", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))


@dataclass(frozen=True)
class Signs:
    """The signs between operands in one notation, and how its sums begin."""

    product: str
    between: str  # two operands that have indices
    elementwise: str
    outer: str
    is_latex: bool = False

    def sum(self, letters: Sequence[str]) -> str:
        if self.is_latex:
            return rf"\sum_{{{','.join(letters)}}} "
        return f"Σ{''.join(_SUBSCRIPTS[letter] for letter in letters)} "


TEXT = Signs(" · ", "·", " ⊙ ", " ⊗ ")
LATEX = Signs(r" \, ", r" \, ", r" \odot ", r" \otimes ", is_latex=True)


def contraction_formula(node: Node, args: Sequence[str], signs: Signs) -> str:
    """Return a contraction over its operands' formulas."""
    terms, out = split_spec(node.attrs["spec"])
    sizes = label_sizes(terms, [x.type for x in node.inputs])
    summed = [label for label in sizes if label not in out]
    if len(terms) > 1 and not summed:
        found = _without_sum(terms, out, args, signs)
        if found is not None:
            return found
    if len(sizes) > len(_LETTERS):
        return f"einsum({node.attrs['spec']}, {', '.join(args)})"
    if len(terms) > 1 and summed:
        found = _sum_of_slices(terms, out, _letters(summed, sizes), args, signs)
        if found is not None:
            return found
    # The axes of the result have the first letters of the alphabet, so that their order is told.
    return _indexed(terms, dict(zip([*out, *summed], _LETTERS, strict=False)), out, args, signs)


def _without_sum(terms: Sequence[str], out: str, args: Sequence[str], signs: Signs) -> str | None:
    """Return a product without a sum: by numbers, of all pairs, or of equal places."""
    arrays = [i for i, term in enumerate(terms) if term]
    if len(arrays) == 1 and terms[arrays[0]] == out:
        return signs.product.join(args)
    in_order = sorted(arrays, key=lambda i: out.index(terms[i][0]))
    numbers = [args[i] for i, term in enumerate(terms) if not term]
    if "".join(terms[i] for i in in_order) == out:
        return signs.product.join([*numbers, signs.outer.join(args[i] for i in in_order)])
    if out in terms and all(out.endswith(terms[i]) for i in arrays):
        return signs.product.join([*numbers, signs.elementwise.join(args[i] for i in arrays)])
    return None


def _sum_of_slices(
    terms: Sequence[str],
    out: str,
    letters: Mapping[str, str],
    args: Sequence[str],
    signs: Signs,
) -> str | None:
    """Return Σₜ a[t] ⊗ b[t] where the result's axes are those that the operands keep, in order."""
    kept = ["".join(label for label in term if label not in letters) for term in terms]
    keeping = sorted((i for i, free in enumerate(kept) if free), key=lambda i: out.find(kept[i][0]))
    if "".join(kept[i] for i in keeping) != out:
        return None
    numbers = [i for i, free in enumerate(kept) if not free]
    shown = [
        _at(arg, [letters.get(label, ":") for label in term])
        for arg, term in zip(args, terms, strict=True)
    ]
    if len(keeping) < 2:
        if any("[:" in text or ",:" in text for text in shown):
            return None
        return signs.sum(list(letters.values())) + signs.between.join(shown)
    outer = signs.outer.join(shown[i] for i in keeping)
    body = signs.between.join([*[shown[i] for i in numbers], outer])
    return signs.sum(list(letters.values())) + body


def _indexed(
    terms: Sequence[str],
    letters: Mapping[str, str],
    out: str,
    args: Sequence[str],
    signs: Signs,
) -> str:
    """Return Σₖ a[i,k]·b[k,i,j], with a letter for each axis."""
    shown = [
        _at(arg, [letters[label] for label in term]) for arg, term in zip(args, terms, strict=True)
    ]
    summed = [letter for label, letter in letters.items() if label not in out]
    return (signs.sum(summed) if summed else "") + signs.between.join(shown)


def _at(arg: str, indices: Sequence[str]) -> str:
    """Return an element or a slice; axes that are kept whole at the end are not written."""
    written = list(indices)
    while written and written[-1] == ":":
        written.pop()
    return f"{arg}[{','.join(written)}]" if written else arg


def _letters(labels: Sequence[str], sizes: Mapping[str, Dim]) -> dict[str, str]:
    """Return a letter for each label: that of its dim where Unicode has it as a subscript."""
    wanted = {label: str(sizes[label]).lower() for label in labels}
    own = {label: letter for label, letter in wanted.items() if letter in _SUBSCRIPTS}
    once = {label: letter for label, letter in own.items() if [*own.values()].count(letter) == 1}
    free = (letter for letter in _LETTERS if letter not in once.values())
    return {label: once[label] if label in once else next(free) for label in labels}
