"""Where do statements repeat themselves, layer after layer, so that a loop spares the most?"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from graphc.ir.node import Node
from graphc.ir.provenance import BACKWARD, FORWARD
from graphc.ops.leaf import full
from graphc.plan.layer_names import counted, names_of
from graphc.plan.program import BLOCKS, Program, Statement, is_broadcast
from graphc.plan.repeats import Carried, Kept, Repeat

#: A loop is another thought to follow: it goes over three layers at least and spares some
#: statements; and all loops together spare so many in each of the two blocks.
_FEWEST = 3
_LEAST = 10
_WORTH = 24
#: Of the distances at which statements are found again, looking back so many times, so many are
#: tried as a period; and so many beginnings of a loop, for each number of layers, with all that
#: follows; one only where there are many statements.
_LOOKED_BACK = 6
_PERIODS = 12
_TRIES = 4
_MANY = 20_000
#: What each value costs the reader that a loop hands on, or keeps for another one; and each that
#: is read again outside of the loops. In statements spared.
_COST, _COST_OUTSIDE = 2, 4
#: No loop hands on or keeps more values, and no more are read again outside of all.
_MOST, _MOST_OUTSIDE = 32, 6


class Search:
    """What has been found, and what is asked again and again."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.found: list[Repeat] = []
        self.keys: dict[Hashable, int] = {}
        self.runs: dict[tuple[Node, int] | None, list[Run]] = {}
        self.index = {s.node: i for i, s in enumerate(program.statements)}
        self.readers = program.readers
        graph = program.graph
        #: Results that are told apart by name, as the gradients of all parameters are: of a step
        #: those that a caller may ask for, else what is returned.
        named = program.observed or graph.outputs
        count = Counter(named.values())
        self.asked = {node: name for name, node in named.items() if count[node] == 1}
        self.observed = {*program.observed.values()}
        self.given = {*graph.outputs.values(), *program.stores.values()}
        self.owners = Counter(map(program.base, [*graph.outputs.values(), *self.observed]))
        self.tries = _TRIES if len(program.statements) < _MANY else 1
        fixed = self._fixed()
        self.movable = [
            s for s in program.statements if s.node not in fixed and not s.node.op.is_leaf
        ]

    def _fixed(self) -> set[Node]:
        """Return what is made of numbers alone: it may stand before a loop."""
        graph = self.program.graph
        given = {*graph.inputs.values(), *graph.params.values()}
        fixed: set[Node] = set()
        for statement in self.program.statements:
            node = statement.node
            is_made = not (node.op.is_random or statement.target or node in self.observed)
            if is_made and node not in given and all(x in fixed for x in node.inputs):
                fixed.add(node)
        return fixed

    # -- where a period is -----------------------------------------------------------------------

    def best(self) -> list[Repeat]:
        """Return the loops that spare the reader most.

        Where the forward loop begins decides what the backward one can make of it, so several
        beginnings are tried.
        """
        rows = [[s for s in self.movable if s.block == block] for block in (FORWARD, BACKWARD)]
        firsts: list[Repeat | None] = [*self._firsts(rows[0])]
        best: tuple[int, list[Repeat]] = (0, [])
        for first in firsts or [None]:
            self.found = []
            self.look_through(rows[0], first)
            self.look_through(rows[1])
            self.settle()
            blocks = {found.written[0].block for found in self.found}
            score = sum(self._score(found, BLOCKS) for found in self.found)
            spared = sum(found.spared for found in self.found)
            if score > best[0] and spared >= _WORTH * len(blocks):
                best = (score, self.found)
        self.found = best[1]
        return sorted(best[1], key=lambda x: self.index[x.parts[0][0].node])

    def _firsts(self, row: Sequence[Statement]) -> list[Repeat]:
        """Return the repetitions to begin with: the best of each number of layers."""
        found: dict[int, list[Repeat]] = {}
        for _, repeat in self._candidates(row):
            found.setdefault(len(repeat.parts), []).append(repeat)
        return [repeat for several in found.values() for repeat in several[: self.tries]]

    def look_through(self, statements: Sequence[Statement], first: Repeat | None = None) -> None:
        """Find the repetitions in a row of statements, the one that spares most first."""
        pending = [statements]
        while pending:
            row = pending.pop()
            best = first
            if best is None:
                candidates = self._candidates(row)
                best = candidates[0][1] if candidates else None
            first = None
            if best is not None:
                self.found.append(best)
                place = {s.node: i for i, s in enumerate(row)}
                start = place[best.parts[0][0].node]
                pending += [row[start + best.spared + len(best.written) :], row[:start]]

    def _candidates(self, row: Sequence[Statement]) -> list[tuple[int, Repeat]]:
        """Return the repetitions in a row that are worth a loop, and how much, the best first."""
        scored: list[tuple[int, Repeat]] = []
        seen: list[Run] = []
        for run in self._runs(row):
            best = max([score for score, _ in scored], default=_LEAST)
            if run.end - run.start - run.period >= best and not any(map(run.repeats, seen)):
                seen.append(run)
                scored += self._placed(row, run)
        return sorted([x for x in scored if x[0] > 0], key=lambda pair: -pair[0])

    def _runs(self, row: Sequence[Statement]) -> list[Run]:
        """Return where a row repeats itself, as it was found the first time."""
        place = (row[0].node, len(row)) if row else None
        if place not in self.runs:
            number = self.keys.setdefault
            self.runs[place] = runs([number(self._key(s), len(self.keys)) for s in row])
        return self.runs[place]

    def _placed(self, row: Sequence[Statement], run: Run) -> list[tuple[int, Repeat]]:
        """Return the best loops over all layers of a run, and over one less.

        They may begin anywhere; what a beginning is worth is seen from the first layers alone.
        """
        found: list[tuple[int, Repeat]] = []
        for count in {run.count, max(_FEWEST, run.count - 1)}:
            phases = range(run.start, run.end - count * run.period + 1)
            few = [(self._scored(row, first, run.period, _FEWEST), first) for first in phases]
            likely = sorted([(-few[0], first) for few, first in few if few is not None])
            valid = 0
            for _, first in likely:
                whole = self._scored(row, first, run.period, count)
                if whole is not None and whole[1].spared >= _LEAST:
                    found.append(whole)
                    valid += 1
                if valid == self.tries:
                    break
        return found

    def _scored(
        self, row: Sequence[Statement], first: int, period: int, count: int
    ) -> tuple[int, Repeat] | None:
        """Return a loop, and how much it spares; None where these statements are none."""
        places = range(first, first + count * period, period)
        found = self._repeat(tuple([tuple(row[i : i + period]) for i in places]))
        return None if found is None else (self._score(found, [row[0].block]), found)

    def _key(self, statement: Statement) -> Hashable:
        """Return what the text of a statement follows from, but for the variables in it."""
        node = statement.node
        if statement.target is not None or node in self.program.loops:
            return id(statement)
        operands = tuple([self._operand_key(x) for x in statement.operands])
        attrs: Hashable = node.attrs
        if node.op.is_random:  # each draws in its turn
            attrs = tuple([pair for pair in node.attrs.items() if pair[0] != "draw"])
        return (node.op, attrs, node.type, tuple([x.type for x in node.inputs]), operands)

    def _operand_key(self, node: Node) -> Hashable:
        if node.op is full:
            return (node.attrs["value"], node.type)
        return id(node) if node in self.program.numbers else node.type

    # -- what a part reads -----------------------------------------------------------------------

    def _repeat(self, parts: tuple[tuple[Statement, ...], ...]) -> Repeat | None:
        """Return the parts with what differs between them; None where a loop could not say it."""
        place = {s.node: (i, k) for i, part in enumerate(parts) for k, s in enumerate(part)}
        start = self.index[parts[0][0].node]
        carried: dict[int, Carried] = {}
        params: dict[tuple[Node, ...], tuple[str, ...]] = {}
        others: list[tuple[Node, ...]] = []
        for column in _operands(parts):
            places = [place.get(x) for x in column]
            first, second = column[0], places[1]
            if column[0].op is full or column in params:
                continue
            if second is None and all(x is first for x in column):
                if self.index.get(first, -1) > start and first in place:
                    return None
            elif second is None and all(x in self.program.param_names for x in column):
                params[column] = tuple([self.program.param_names[x] for x in column])
            elif second is not None and places == [(i, second[1]) for i in range(len(parts))]:
                continue
            elif second is not None and places[1:] == [
                (i, second[1]) for i in range(len(parts) - 1)
            ]:
                known = carried.setdefault(second[1], Carried(first, second[1]))
                if known.first is not first or self.index.get(first, -1) > start:
                    return None
            else:
                others.append(column)
        views = self._views(others, params)
        again = {*views}
        kept = self._kept([*dict.fromkeys([x for x in others if x not in again])])
        gradients = self._gradients(parts)
        if kept is None or gradients is None or len(carried) + len(kept) > _MOST:
            return None
        if any(names_of(names) is None for names in [*params.values(), *gradients.values()]):
            return None
        return Repeat(parts, tuple(carried.values()), params, kept, tuple(views), gradients)

    def _views(
        self,
        columns: Sequence[tuple[Node, ...]],
        params: dict[tuple[Node, ...], tuple[str, ...]],
    ) -> list[tuple[Node, ...]]:
        """Return the columns that are views of parameters, or of others; note these parameters."""
        known = dict.fromkeys(columns)
        found: list[tuple[Node, ...]] = []
        for column in known:
            made = [self.program.statements[self.index[x]] for x in column if x in self.index]
            is_view = [s.node.op.is_view and len(s.operands) == 1 for s in made]
            if len(made) < len(column) or not all(is_view) or {*column} & self.observed:
                continue
            shown = tuple([s.operands[0] for s in made])
            if all(x in self.program.param_names for x in shown):
                params[shown] = tuple([self.program.param_names[x] for x in shown])
            elif shown not in known:
                continue
            found.append(column)
        return sorted(found, key=lambda column: self.index[column[-1]])

    def _kept(self, columns: Sequence[tuple[Node, ...]]) -> dict[tuple[Node, ...], Kept] | None:
        """Return where columns of values come from; None where one is of no earlier loop.

        Where there is a choice, they come from parts in the same order.
        """
        choices = [self._sources(column) for column in columns]
        if not all(choices):
            return None
        votes = Counter([(kept.source, kept.order) for choice in choices for kept in choice])
        best = [max(choice, key=lambda k: votes[k.source, k.order]) for choice in choices]
        return dict(zip(columns, best, strict=True))

    def _sources(self, column: tuple[Node, ...]) -> list[Kept]:
        found = []
        for source in self.found:
            at = [source.place.get(x) for x in column]
            second = at[1]
            if second is not None and None not in at and len({a[1] for a in at if a}) == 1:
                found.append(Kept(source, tuple([a[0] for a in at if a]), second[1]))
            for carried in source.carried:
                taken = {x: i for i, x in enumerate(source.taken(carried))}
                if all(x in taken for x in column):
                    found.append(Kept(source, tuple([taken[x] for x in column]), carried))
        return [kept for kept in found if _is_step_by_step(kept.order)]

    def _gradients(
        self, parts: tuple[tuple[Statement, ...], ...]
    ) -> dict[int, tuple[str, ...]] | None:
        """Return the gradients by their places; None where one is not an array of its own."""
        found: dict[int, tuple[str, ...]] = {}
        for k, statements in enumerate(zip(*parts, strict=True)):
            nodes = [s.node for s in statements]
            if not any(x in self.observed or x in self.given for x in nodes[:-1]):
                if nodes[-1] in self.observed:
                    return None
                continue
            if not all(x in self.asked and self._is_owned(x) for x in nodes):
                return None
            found[k] = tuple([self.asked[x] for x in nodes])
        return found

    def _is_owned(self, node: Node) -> bool:
        """Say whether a value lives in an array that is no other's, and can be written to."""
        base = self.program.base(node)
        return not is_broadcast(node) and not base.op.is_leaf and self.owners[base] == 1

    # -- which are worth it ----------------------------------------------------------------------

    def _score(self, found: Repeat, blocks: Sequence[str]) -> int:
        """Return how much a loop spares the reader of these blocks, in statements."""
        exposed = {
            found.place[x][1]
            for x in found.place
            if any(reader.node not in found.place for reader in self.readers.get(x, ()))
        }
        values = len(found.carried) + len(exposed - {*found.gradients}) + len(found.kept)
        outside = {found.place[x][1] for x in self.read_outside(found, blocks)}
        names = [names_of(x) for x in [*found.params.values(), *found.gradients.values()]]
        rows = len(found.parts) if names and counted([x for x in names if x]) is None else 0
        return found.spared - _COST * values - _COST_OUTSIDE * len(outside) - rows

    def read_outside(self, found: Repeat, blocks: Sequence[str]) -> list[Node]:
        """Return what other parts than the last make, and these blocks read outside of all loops.

        Gradients are not among them: they are looked up by name.
        """
        inside = {x for other in [*self.found, found] for x in other.place}
        last = len(found.parts) - 1
        return [
            x
            for x, (i, k) in found.place.items()
            if i < last
            and k not in found.gradients
            and (
                x in self.given
                or any(s.node not in inside and s.block in blocks for s in self.readers.get(x, ()))
            )
        ]

    def settle(self) -> None:
        """Leave what would keep too much for single readers."""
        before = 0
        while before != len(self.found):
            before = len(self.found)
            for found in self.found:
                kept = [k.source for k in found.kept.values()]
                is_alone = any(source not in self.found for source in kept)
                places = {found.place[x][1] for x in self.read_outside(found, BLOCKS)}
                if is_alone or len(places) > _MOST_OUTSIDE:
                    self.found = [x for x in self.found if x is not found]
                    break


def _operands(parts: Sequence[Sequence[Statement]]) -> Iterator[tuple[Node, ...]]:
    """Yield the operands at each place of a part: a column, one for each part."""
    for statements in zip(*parts, strict=True):
        yield from zip(*[s.operands for s in statements], strict=True)


@dataclass(frozen=True)
class Run:
    """A stretch of a row in which everything is found again a period later."""

    start: int
    end: int
    period: int

    @property
    def count(self) -> int:
        return (self.end - self.start) // self.period

    def repeats(self, other: Run) -> bool:
        """Say whether this is another one with several of its periods as one."""
        is_inside = other.start <= self.start and self.end <= other.end
        return is_inside and self.period % other.period == 0


def runs(keys: Sequence[int]) -> list[Run]:
    """Return where a row of keys repeats itself, the longest stretch first."""
    before: dict[int, deque[int]] = {}
    distances: Counter[int] = Counter()
    for i, key in enumerate(keys):
        places = before.setdefault(key, deque(maxlen=_LOOKED_BACK))
        distances.update([i - place for place in places])
        places.append(i)
    periods = [distance for distance, _ in distances.most_common(_PERIODS)]
    found: list[Run] = []
    for period in periods:
        start = 0
        for i in range(len(keys) - period + 1):
            if i == len(keys) - period or keys[i] != keys[i + period]:
                if i - start >= (_FEWEST - 1) * period:
                    found.append(Run(start, i + period, period))
                start = i + 1
    return sorted(found, key=lambda run: (run.start - run.end, run.period))


def _is_step_by_step(order: Sequence[int]) -> bool:
    """Say whether an order goes through neighbours, forwards or backwards."""
    return abs(order[1] - order[0]) == 1 and all(
        b - a == order[1] - order[0] for a, b in pairwise(order)
    )
