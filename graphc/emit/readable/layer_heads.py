"""The head of a loop over layers: `for block in range(4):`, and names by its variables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

from graphc.emit.lines.bindings import row_of
from graphc.emit.lines.names import Namer, string_literal
from graphc.plan.layer_names import Names, counted, names_of

#: What a variable is called where names say nothing; shorter words say nothing.
_LAYER = "layer"
_SHORTEST = 3
#: Of more words, those that differ by a number are counted.
_MOST_WORDS = 4


class Head:
    """A loop over layers, by their numbers or, where these are not in a row, by words.

    `columns` are names of parameters, one for each layer; `keys` what other loops have kept
    values by, for each layer of this one.
    """

    def __init__(
        self,
        count: int,
        columns: Sequence[Sequence[str]],
        keys: Sequence[Sequence[int | str]],
        namer: Namer,
    ) -> None:
        found = {tuple(column): names_of(column) for column in columns}
        self.names = {column: names for column, names in found.items() if names is not None}
        self.keys = [tuple(key) for key in keys]
        self.count = count
        self.numbers = self._numbers()
        if self.numbers is not None:
            wanted = [self._word(next(iter(self.names.values()), None))]
        else:
            wanted = [self._word(x) if isinstance(x, Names) else _LAYER for x in self._rows]
        self.variables = [namer.fresh(word) for word in wanted]

    def _numbers(self) -> tuple[int, ...] | None:
        """Return the numbers that a loop goes over; None where it goes over words."""
        if not self.names and not self.keys:
            return tuple(range(self.count))
        keys = [_ints(x) for x in self.keys]
        if not self.names:
            return keys[0] if None not in keys else None
        return counted([*self.names.values()]) if None not in keys else None

    @cached_property
    def _rows(self) -> dict[Names | tuple[int | str, ...], tuple[str, ...]]:
        """What each variable of a loop over words takes in turn, as text."""
        rows: dict[Names | tuple[int | str, ...], tuple[str, ...]] = {}
        told = {x: tuple(map(string_literal, x.in_words.differing)) for x in self.names.values()}
        count = Counter(told.values())
        for names, words in sorted(told.items(), key=lambda pair: -count[pair[1]]):
            if words not in rows.values():
                rows[names] = words
        for key in self.keys:
            words = tuple([string_literal(x) if isinstance(x, str) else str(x) for x in key])
            if words not in rows.values():
                rows[key] = words
        return rows

    @staticmethod
    def _word(names: Names | None) -> str:
        """Return what a layer is called: `block` of `block3.q.W`."""
        kinds = {*map(_kind, names.in_words.differing)} if names is not None else set()
        word = kinds.pop() if len(kinds) == 1 else ""
        return word if len(word) >= _SHORTEST else _LAYER

    @property
    def line(self) -> str:
        """The line that begins the loop."""
        if self.numbers is not None:
            return f"for {self.variables[0]} in {_range(self.numbers)}:"
        return f"for {', '.join(self.variables)} in {self.table}:"

    @property
    def table(self) -> str:
        """The rows of words that a loop goes over."""
        rows = [*zip(*self._rows.values(), strict=True)]
        if len(rows[0]) == 1 and len(rows) > _MOST_WORDS:
            names = names_of([words[1:-1] for (words,) in rows[1:]])
            if names is not None and names.numbers is not None:
                number = "n" if self.variables[0] != "n" else "number"
                text = f'f"{names.before}{{{number}}}{names.after}"'
                return f"({rows[0][0]}, *[{text} for {number} in {_range(names.numbers)}])"
        return f"({', '.join(map(row_of, rows))})"

    def backwards(self, other: Head, table: str) -> str:
        """Return the line that begins the loop where it goes over another's rows from behind."""
        mine = {words[::-1]: name for words, name in self._named_rows()}
        names = [mine.get(words) for words, _ in other._named_rows()]
        if self.numbers is not None or other.numbers is not None or None in names:
            return ""
        if len(mine) != len(names):
            return ""
        return f"for {', '.join(map(str, names))} in reversed({table}):"

    def _named_rows(self) -> list[tuple[tuple[str, ...], str]]:
        return [*zip(self._rows.values(), self.variables, strict=True)]

    @property
    def literals(self) -> tuple[int | str, ...]:
        """What tells the layers apart: the values of the loop's first variable."""
        if self.numbers is not None:
            return self.numbers
        first = next(iter(self._rows))
        return first.in_words.differing if isinstance(first, Names) else first

    def name(self, column: Sequence[str]) -> str:
        """Return the text of a name in the loop: `f"block{block}.q.W"`."""
        names = self.names[tuple(column)]
        numbers = names.numbers
        if self.numbers is not None and numbers is not None:
            return f'f"{names.before}{{{self._linear(numbers)}}}{names.after}"'
        names = names.in_words
        variable = self._variable(tuple(map(string_literal, names.differing)))
        if not names.before and not names.after:
            return variable
        return f'f"{names.before}{{{variable}}}{names.after}"'

    def key(self, column: Sequence[int | str]) -> str:
        """Return the text of what another loop has kept its values by."""
        numbers = _ints(column)
        if self.numbers is not None and numbers is not None:
            return self._linear(numbers)
        words = [string_literal(x) if isinstance(x, str) else str(x) for x in column]
        return self._variable(tuple(words))

    def _variable(self, words: tuple[str, ...]) -> str:
        rows = [*self._rows.values()]
        return self.variables[rows.index(words)]

    def _linear(self, numbers: Sequence[int]) -> str:
        """Return numbers by those that the loop goes over: `2 * block + 1`."""
        assert self.numbers is not None
        factor = _step(numbers) * _step(self.numbers)
        offset = numbers[0] - factor * self.numbers[0]
        text = self.variables[0] if factor == 1 else f"{factor} * {self.variables[0]}"
        if factor == -1:
            return f"{offset} - {self.variables[0]}"
        return f"{text} {'-' if offset < 0 else '+'} {abs(offset)}" if offset else text

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        """What tells of one layer in the names of its values, and what stands for it."""
        kinds: dict[str, str] = {}
        for names in self.names.values():
            words = names.in_words.differing
            own = {_kind(word): rf"{re.escape(_kind(word))}(?:[_-]?\d+)?" for word in words}
            kinds |= own if len(own) == 1 else {_LAYER: "|".join(map(re.escape, words))}
        is_numbered = kinds.pop("", None) is not None
        found = [
            (re.compile(rf"(?:(?<=/d)|(?<![A-Za-z0-9]))(?:{pattern})(?![A-Za-z0-9])"), kind)
            for kind, pattern in sorted(kinds.items(), key=lambda pair: -len(pair[0]))
        ]
        return [*found, (re.compile(r"(?<=\.)\d+\."), "")] if is_numbered else found

    def general(self, text: str) -> str:
        """Return the name of a layer's value without what tells of that layer: `d_block.up.W`."""
        for pattern, kind in self._patterns:
            text = pattern.sub(kind, text)
        return text

    def within(self, name: str) -> str:
        """Return what a value is called inside the loop: `up.W` of `block3.up.W`."""
        text = self.general(name)
        for kind in [kind for _, kind in self._patterns if kind]:
            text = re.sub(rf"^((?:d_)?){re.escape(kind)}\.", r"\1", text)
        return text


def _kind(word: str) -> str:
    """Return what several layers are: `block` of `stack/block3`."""
    return word.rpartition("/")[2].rstrip("0123456789").rstrip("_-")


def _ints(column: Sequence[int | str]) -> tuple[int, ...] | None:
    """Return numbers that go up or down by equal steps; None for others, and for words."""
    numbers = tuple([x for x in column if isinstance(x, int)])
    steps = {b - a for a, b in pairwise(numbers)}
    return numbers if len(numbers) == len(column) and len(steps) == 1 else None


def _step(numbers: Sequence[int]) -> int:
    return numbers[1] - numbers[0]


def _range(numbers: Sequence[int]) -> str:
    """Return the call that counts through numbers which follow one another."""
    first, last = min(numbers), max(numbers)
    upwards = f"range({first}, {last + 1})" if first else f"range({last + 1})"
    return upwards if numbers[0] == first else f"reversed({upwards})"
