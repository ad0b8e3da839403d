"""What is wrong with a call, judged by the function's parameters alone?"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from graphc.errors import counted, nearest
from graphc.ir.foreign_names import instead_of_keyword
from graphc.ir.text.values import Value

#: What comes instead of an argument that is missing is probably a word for that one, unless it is
#: as like to another as this: 'units' means a size, and 'actvation' an activation.
_CLEARLY_ALIKE = 0.75


class Fault(NamedTuple):
    """What an error says of a call; `keyword` is the argument that is to blame, if one is."""

    what: str
    got: str | None = None
    fix: str | None = None
    keyword: str | None = None


def parameters(function: Callable[..., Any]) -> list[str]:
    """Return the names of a function's parameters; none where it takes any keyword."""
    found = _parameters(function)
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in found):
        return []
    return [p.name for p in found]


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def fault_of_call(
    name: str,
    function: Callable[..., Any],
    args: Sequence[Value],
    keywords: Mapping[str, Value],
) -> Fault | None:
    """Return what is wrong with the arguments of a call; None where their number and names fit."""
    known = parameters(function)
    if not known:
        return None
    found = _parameters(function)
    by_place = [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    taken = [p.name for p in by_place[: len(args)]]
    missing = [
        p.name
        for p in found
        if p.default is p.empty
        and p.kind is not p.VAR_POSITIONAL
        and p.name not in (*taken, *keywords)
    ]
    unnamed = [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)]
    named = [word for word in known if word not in unnamed]
    for word in keywords:
        if word in unnamed:
            how = f"write {name}({', '.join(known)})"
            return Fault(f"{name} takes {word!r} by its place, not by its name", None, how, word)
        if word not in known:
            fix = _meant(word, named, [m for m in missing if m in named])
            return Fault(f"{name} has no argument {word!r}", fix=fix, keyword=word)
        if word in taken:
            return Fault(f"{name} gets its argument {word!r} twice", keyword=word)
    if missing:
        names = " and ".join(map(repr, missing))
        return Fault(f"{name} misses its argument{'s' * (len(missing) > 1)} {names}")
    takes_more = any(p.kind is p.VAR_POSITIONAL for p in found)
    if len(args) > len(by_place) and not takes_more:
        rest = [p.name for p in found if p.kind is p.KEYWORD_ONLY]
        return Fault(
            f"{name} takes {counted(len(by_place), 'argument')}" + " without a name" * bool(rest),
            got=str(len(args)),
            fix=f"name the others, as in {rest[0]}=…" if rest else None,
        )
    return None


def _meant(word: str, known: Sequence[str], missing: Sequence[str]) -> str | None:
    if instead := instead_of_keyword(word, known):
        return instead
    alike = nearest(word, list(known), _CLEARLY_ALIKE)
    hint = alike or (missing[0] if len(missing) == 1 else nearest(word, list(known)))
    return f"did you mean {hint!r}?" if hint else None
