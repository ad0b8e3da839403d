"""Which short names fit into a circle or on an edge, and still tell variables apart?"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count

from graphc.draw.typography import NUMBERED, name_text

#: What indices pick from a name: `signal`, `[0]`.
_PICKED = re.compile(r"(?P<stem>[^\[\]]+)(?P<indices>\[.+\])")
_LONGEST = 4
_LONGEST_ON_EDGE = 12


def short(name: str) -> str:
    """Return a name that fits into a circle: a long word gives way to its first letter.

    >>> short("hidden2"), short("y_hat"), short("x1"), short("signal[0]")
    ('h2', 'y_hat', 'x1', 's[0]')
    """
    return _shortened(name, 1)


def shorts(names: Sequence[str]) -> list[str]:
    """Return short names that tell these variables apart, by as few letters as do.

    >>> shorts(["word", "weather", "hidden2"]), shorts(["hidden", "h"])
    (['wo', 'we', 'h2'], ['hi', 'h'])
    """
    found = {name: short(name) for name in names}
    for letters in range(2, _LONGEST + 1):
        for name in _alike(found):
            found[name] = _shortened(name, letters)
    for name in _alike(found):  # nothing but a number is left to tell them apart
        taken = {*found.values(), *names}
        found[name] = next(f"{name[0]}{i}" for i in count(1) if f"{name[0]}{i}" not in taken)
    return [found[name] for name in names]


def edge_names(names: Sequence[str]) -> list[str]:
    """Return the names of arrays as edges have room for them: long ones are cut short.

    >>> edge_names(["W", "weights_of_the_first_layer"])
    ['W', 'w']
    """
    distinct = list(dict.fromkeys(names))
    cut = dict(zip(distinct, shorts(distinct), strict=True))
    return [cut[name] if len(name) > _LONGEST_ON_EDGE else name for name in names]


def _alike(found: Mapping[str, str]) -> list[str]:
    """Return the names whose short names others have too; those that are whole keep theirs."""
    times = Counter(found.values())
    return [name for name, it in found.items() if times[it] > 1 and it != name]


def _shortened(name: str, letters: int) -> str:
    picked = _PICKED.fullmatch(name)
    if picked:
        return _shortened(picked["stem"], letters) + picked["indices"]
    match = NUMBERED.fullmatch(name)
    stem, digits = (match["stem"], match["digits"]) if match else (name, "")
    plain = name_text(stem)
    if len(unicodedata.normalize("NFC", plain)) <= 3 or not stem[:1].isalpha():
        return name
    return stem[:letters].rstrip("_") + digits  # h_ would be set like h


def without_scopes(names: Sequence[str]) -> list[str]:
    """Return the names of arrays without their scopes; the same letter in two scopes has numbers.

    The numbers are those of the scopes, where these have some.

    >>> without_scopes(["first.W", "first.b", "second.W"]), without_scopes(["fc3.W", "fc2.W"])
    (['W1', 'b', 'W2'], ['W3', 'W2'])
    """
    ends = [name.rpartition(".")[2] or name for name in names]
    places: dict[str, list[int]] = {}
    for i, end in enumerate(ends):
        places.setdefault(end, []).append(i)
    taken = set(ends)
    found = list(ends)
    for end, alike in places.items():
        if len(alike) < 2:
            continue
        for i, name in zip(alike, _numbered(end, [names[i] for i in alike], taken), strict=True):
            found[i] = name
            taken.add(name)
    return found


def _numbered(end: str, names: Sequence[str], taken: set[str]) -> list[str]:
    """Return `W1`, `W2`, … for arrays that are called `W` in their scopes; else whole names."""
    if NUMBERED.fullmatch(end) and len(set(names)) == len(names):
        return list(names)
    scopes = [NUMBERED.fullmatch(name.removesuffix(f".{end}")) for name in names]
    own = [f"{end}{match['digits']}" for match in scopes if match]
    if len(set(own)) == len(names) and not taken & set(own):
        return own
    free = (f"{end}{i}" for i in count(1) if f"{end}{i}" not in taken)
    return [next(free) for _ in names]
