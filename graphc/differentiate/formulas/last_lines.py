"""How does a derivation get from the plain derivative to the form that the compiler uses?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphc.differentiate.formulas.rules_of_calculus import Line
from graphc.differentiate.formulas.symbolic import (
    Branch,
    Expression,
    Tree,
    leaves,
    plain_function,
    symbol,
)
from graphc.differentiate.formulas.text import scaled_tree_text, split, tree_text, write
from graphc.differentiate.formulas.through_output import MIRRORED, NAMED, undone, without_overflow
from graphc.ir.symbols import sympy_module
from graphc.ops.elementwise.pointwise import OUTPUT


def ending_in(lines: Sequence[Line], last: Sequence[Line]) -> list[Line]:
    """Return the lines followed by the last ones; up to the final form, where they pass it.

    A formula that stands there already gets no line again.
    """
    _, final = last[-1]
    passed = next((i for i, (_, formula) in enumerate(lines) if formula == final), None)
    if passed is not None:
        return list(lines[: passed + 1])
    found = list(lines)
    for line in last:
        if line[1] not in (formula for _, formula in found):
            found.append(line)
    return found


# -- one formula -----------------------------------------------------------------------------------


def lines_to_form(
    definition: str, f: Expression, raw: Expression, reached: Expression, final: Expression
) -> list[Line]:
    """Return the lines that lead from `reached` to the final form of the derivative `raw` of f."""
    text = write(final).text
    if OUTPUT in {s.name for s in final.free_symbols}:
        known = " and ".join(_equations_used(f, reached)) or f"y = {definition}"
        return [(f"by {known}", text)]
    names = _functions(final) - _functions(reached)
    identities = [known for known in NAMED if known.partition("(")[0] in names]
    if not identities:
        return [(_algebra(reached, final), text)]
    by_name, direct = f"by {' and '.join(identities)}", without_overflow(raw)
    lines = [*_prepared(raw, direct), (by_name, write(direct).text)]
    sigmoid = plain_function("sigmoid")
    if direct.atoms(sigmoid) <= final.atoms(sigmoid):
        return [*lines, (_algebra(direct, final), text)]
    factored = sympy_module().gcd_terms(direct)
    return [*lines, ("factor out", write(factored).text), (f"by {MIRRORED}", text)]


def _equations_used(f: Expression, reached: Expression) -> list[str]:
    """Return the equations, each following from y = f(x), that lead to the final form."""
    y = symbol(OUTPUT)
    for chain in undone(f, y):
        form, used = reached, []
        for part, value in chain:
            if form.has(part):
                form = form.xreplace({part: value})
                used.append(f"{write(part).text} = {write(value).text}")
        if used and y in form.free_symbols:
            return used[:2]
    return []


def _prepared(raw: Expression, direct: Expression) -> list[Line]:
    """Return the line in which a function can be seen before it gets its name."""
    sigmoid = plain_function("sigmoid")
    if direct.func is not sigmoid:
        return [(_split(raw), write(raw).text)] if raw.is_Add else []
    _, numerator, _ = split(raw)
    divided = write(1 / (1 + sympy_module().exp(-direct.args[0]))).text
    factor = "*".join(write(part).text for part in numerator)
    return [(f"divide above and below by {factor}", divided)] if factor else []


def _functions(expression: Expression) -> set[str]:
    calls = expression.atoms(sympy_module().Function)
    return {type(call).__name__ for call in calls}


def _algebra(reached: Expression, final: Expression) -> str:
    """Return what the algebra between two equal expressions is called."""
    is_fraction, in_one = _is_fraction(reached), _is_fraction(final)
    if is_fraction and final.is_Add:
        return _split(final)
    if in_one and reached.is_Add:
        return "common denominator"
    expanded = sympy_module().expand(reached)
    if expanded == final or (final.is_Add and expanded == sympy_module().expand(final)):
        return "multiply out"
    if final.is_Mul and expanded == sympy_module().expand(final) and not is_fraction:
        return "factor out"
    return "simplify"


def _split(terms: Expression) -> str:
    """Return what it is called to get from one fraction to these terms."""
    below = {sympy_module().Mul(*split(term)[2]) for term in terms.args}
    return "split the fraction" + (" and cancel" if len(below) > 1 else "")


def _is_fraction(expression: Expression) -> bool:
    return any(not part.is_number for part in split(expression)[2])


# -- cases -----------------------------------------------------------------------------------------


def lines_of_cases(call: str, tree: Tree, derived: Tree, final: Tree) -> list[Line]:
    """Return the lines of a derivative that is taken case by case; `call` is `relu(x)`."""
    cases = scaled_tree_text(derived, lambda leaf: write(leaf).text)
    lines = [("each case by itself", cases)]
    if tree_text(derived) != cases:
        lines.append(("true is 1 and false is 0", tree_text(derived)))
    text = tree_text(final)
    if not re.search(rf"\b{OUTPUT}\b", text):
        return [*lines, ("simplify", text)]
    return [*lines, (f"by y = {_case_used(tree, derived, final) or call}", text)]


def _case_used(tree: Tree, derived: Tree, final: Tree) -> str | None:
    """Return the case of y that its derivative is written with; None for several, or none."""
    if not isinstance(tree, Branch) or tree_text(final) == tree_text(derived):
        return None
    triples = list(zip(leaves(tree), leaves(derived), leaves(final), strict=False))
    used = [f for f, plain, read in triples if plain != read]
    return write(sympy_module().factor_terms(used[0])).text if len(used) == 1 else None
