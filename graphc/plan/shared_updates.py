"""Updates of many calls, which are written once for all parameters that take the same one.

An optimizer such as Adam makes twelve calls for each parameter. Small arrays share a loop over
them. Large ones are taken in pieces, which go through memory once and not twelve times, and all
cores take part.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Mapping, Sequence
from dataclasses import dataclass

from graphc.ir.dims import product
from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE
from graphc.ir.types import TensorType
from graphc.ir.walk import reached
from graphc.plan.program import Pace, Program, Run, Statement
from graphc.plan.runs import LARGE
from graphc.plan.update_loops import correspond, key_of, leaves_of, may_repeat

#: The fewest calls for which pieces pay, and a loop over small arrays. Momentum has four, which
#: take as long on arrays of a megabyte in pieces as on the whole.
_FEWEST_IN_PIECES, _FEWEST_IN_LOOP = 5, 8
#: Elements of a piece: few enough for the cache, and so many that threads seldom wait for one
#: another in the interpreter (half as many took 5 to 20 % longer, twice as many as long).
PIECE = 131072


@dataclass(frozen=True, eq=False)
class SharedUpdate(Run):
    """The update of several parameters; each part are the statements for one of them.

    `columns` are what differs from part to part and is made elsewhere: arrays, for the most part.
    What a part makes on its way lives in memory that the next one uses again: of a piece for each
    core where these are taken `in_pieces`, else of an array as the parameter is.
    """

    parts: tuple[tuple[Statement, ...], ...]
    columns: tuple[tuple[Node, ...], ...]
    in_pieces: bool

    @property
    def is_in_blocks(self) -> bool:
        return self.in_pieces

    @property
    def pace(self) -> Pace:
        return super().pace if self.in_pieces else (0, 0, None)

    @property
    def block(self) -> int:
        return PIECE

    def room(self, node: Node) -> tuple[TensorType, Pace | None]:
        kind = node.type.with_shape((1,)) if self.in_pieces else node.type
        return kind, self.pace


def shared_updates(
    program: Program, kept: Container[Node]
) -> tuple[list[Statement], dict[Node, Run]]:
    """Return the statements with those of each shared update side by side, and each node's update.

    `kept` are values that somebody reads when all statements are done.
    """
    place = {s.node: i for i, s in enumerate(program.statements)}
    parts = [part for part in _parts(program, place) if _is_apart(program, part, kept)]
    found: dict[Node, Run] = {}
    last: dict[int, Run] = {}
    for alike in _alike(program, parts):
        for shared in _shared(program, alike):
            nodes = [s.node for s in shared.statements]
            found.update(dict.fromkeys(nodes, shared))
            last[max(map(place.__getitem__, nodes))] = shared
    ordered: list[Statement] = []
    for i, statement in enumerate(program.statements):
        if statement.node not in found:
            ordered.append(statement)
        elif i in last:
            ordered += last[i].statements
    return ordered, found


def _parts(program: Program, place: Mapping[Node, int]) -> list[list[Statement]]:
    """Return the arithmetic on arrays of the update block: a part for what hangs together."""
    params = program.graph.params
    made = {s.node: s for s in program.statements if s.block == UPDATE and may_repeat(s)}
    written = {params[s.target] for s in made.values() if s.target}
    linked: dict[Node, list[Node]] = {}
    for statement in made.values():
        own = [params[statement.target]] if statement.target else []
        for x in [*own, *[x for x in statement.operands if x in made or x in written]]:
            linked.setdefault(statement.node, []).append(x)
            linked.setdefault(x, []).append(statement.node)
    seen: set[Node] = set()
    parts: list[list[Statement]] = []
    for node in made:
        if node not in seen:
            inside = reached([node], lambda x: linked.get(x, ()))
            seen |= inside
            own = sorted([x for x in inside if x in made], key=place.__getitem__)
            parts.append([made[x] for x in own])
    return parts


def _is_apart(program: Program, part: Sequence[Statement], kept: Container[Node]) -> bool:
    """Say whether several calls, on arrays of one shape, have to do with no other statement.

    Nobody else reads what they make, or writes to what they read; and they read what they
    overwrite as it lies, or a piece would see what became of another one.
    """
    if len(part) < _FEWEST_IN_PIECES or len({s.node.shape for s in part}) > 1:
        return False
    made = {s.node for s in part}
    params = program.graph.params
    own = {params[s.target] for s in part if s.target}
    if any(x in kept for x in made) or any(
        s.node not in made for x in made for s in program.readers.get(x, ())
    ):
        return False
    if any(s.node not in made for x in own for s in program.writers[x]):
        return False
    return all(
        x in own or program.base(x) not in program.writers
        for s in part
        for x in s.operands
        if x not in made
    )


def _alike(
    program: Program, parts: Sequence[Sequence[Statement]]
) -> list[list[Sequence[Statement]]]:
    """Return the parts, those together that are the same but for the values they read."""
    found: dict[Hashable, list[list[Sequence[Statement]]]] = {}
    for part in parts:
        own = (part, leaves_of(program, part))
        several = found.setdefault(tuple([key_of(program, s) for s in part]), [])
        for alike in several:
            if correspond(program, (alike[0], leaves_of(program, alike[0])), own):
                alike.append(part)
                break
        else:
            several.append([part])
    return [alike for several in found.values() for alike in several]


def _shared(program: Program, parts: Sequence[Sequence[Statement]]) -> list[SharedUpdate]:
    """Return the updates of what is alike: of large arrays in pieces, and of small ones."""
    rows = [leaves_of(program, part) for part in parts]
    columns = [
        column for column in zip(*rows, strict=True) if column[0].shape or len({*column}) > 1
    ]
    are_arrays = all(column[0].shape for column in columns)
    large = [i for i, part in enumerate(parts) if are_arrays and _is_large(part[0].node)]
    if sum(int(parts[i][0].node.size) for i in large) < LARGE:
        large = []
    small = [i for i in range(len(parts)) if i not in {*large}]
    found = [_update(parts, columns, large, in_pieces=True)] if large else []
    if len(small) > 1 and len(parts[0]) >= _FEWEST_IN_LOOP:
        found.append(_update(parts, columns, small, in_pieces=False))
    return found


def _update(
    parts: Sequence[Sequence[Statement]],
    columns: Sequence[tuple[Node, ...]],
    which: Sequence[int],
    in_pieces: bool,
) -> SharedUpdate:
    """Return the update of some of the parts that are alike."""
    own = tuple([tuple(parts[i]) for i in which])
    return SharedUpdate(
        statements=tuple([s for part in own for s in part]),
        extent=sum([part[0].node.size for part in own]),
        row=1,
        rows={},
        whole=frozenset(),
        totals=frozenset(),
        parts=own,
        columns=tuple([tuple([column[i] for i in which]) for column in columns]),
        in_pieces=in_pieces,
    )


def _is_large(node: Node) -> bool:
    """Say whether an array is worth being taken in pieces: of its rows, whatever their layout."""
    row = product(node.shape[1:])
    return isinstance(node.size, int) and node.size >= PIECE and row <= PIECE
