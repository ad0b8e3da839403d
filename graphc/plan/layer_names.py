"""What names of layers have in common: `block0.q.W`, `block1.q.W` and so on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_NUMBER = re.compile(r"(\d+)")
_DOT = re.compile(r"(\.)")
#: What derivatives that are returned are called after begins behind this.
_LEAD = re.compile(r"d_\w+?_d_")
#: Names with other characters are not written into formatted strings.
_PLAIN = re.compile(r"[\w. /\-]+")


@dataclass(frozen=True)
class Names:
    """Names that are the same but for one word, or for one number: a name for each layer."""

    before: str
    differing: tuple[str, ...]
    after: str

    @property
    def numbers(self) -> tuple[int, ...] | None:
        """The differing numbers, where they go up or down by equal steps."""
        if not all(x.isdecimal() and str(int(x)) == x for x in self.differing):
            return None
        numbers = tuple(map(int, self.differing))
        steps = {b - a for a, b in pairwise(numbers)}
        return numbers if len(steps) == 1 and steps != {0} else None

    @property
    def in_words(self) -> Names:
        """The same, told apart by whole words between dots: `block3` instead of 3."""
        lead = _LEAD.match(self.before)
        start = self.before.removeprefix(lead.group() if lead else "").rpartition(".")[2]
        end = self.after.partition(".")[0]
        words = tuple([f"{start}{x}{end}" for x in self.differing])
        return Names(self.before.removesuffix(start), words, self.after.removeprefix(end))


def names_of(column: Sequence[str]) -> Names | None:
    """Return what several names have in common; None where they differ in more than one place.

    >>> names_of(["block0.W", "block1.W"])
    Names(before='block', differing=('0', '1'), after='.W')
    >>> names_of(["norm.W", "norm_2.W"])
    Names(before='', differing=('norm', 'norm_2'), after='.W')
    """
    if not all(map(_PLAIN.fullmatch, column)) or len({*column}) < len(column):
        return None
    lead = _LEAD.match(column[0])
    if lead and all(name.startswith(lead.group()) for name in column):
        names = names_of([name.removeprefix(lead.group()) for name in column])
        return names and Names(lead.group() + names.before, names.differing, names.after)
    numbered = _split(column, _NUMBER)
    if numbered is not None and all(map(str.isdecimal, numbered.differing)):
        return numbered
    return _split(column, _DOT)


def _split(column: Sequence[str], between: re.Pattern[str]) -> Names | None:
    """Return names that differ in one piece of what a pattern splits them into."""
    split = [between.split(name) for name in column]
    if len({*map(len, split)}) > 1:
        return None
    pieces = [*zip(*split, strict=True)]
    differing = [i for i, words in enumerate(pieces) if len({*words}) > 1]
    if len(differing) != 1:
        return None
    (at,) = differing
    return Names("".join(split[0][:at]), pieces[at], "".join(split[0][at + 1 :]))


def counted(columns: Sequence[Names]) -> tuple[int, ...] | None:
    """Return the numbers that a loop may count so that all names follow; None where it cannot.

    These are the first column's; the others are so and so many times them, and an offset.
    """
    numbers = [names.numbers for names in columns]
    first = numbers[0] if numbers else None
    if first is None or abs(first[1] - first[0]) != 1 or not all(numbers):
        return None
    return first
