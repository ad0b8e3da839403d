"""Which pictures does the explorer hold? One of everything, or one a group where that is too much.

Small graphs have one picture. Larger ones collapse by block of the program and by scope, and long
runs without scopes are cut; each group opens to a picture of its own, in which what it exchanges
with the rest stands at the rim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

#: The most boxes of one picture.
MOST = 90
#: How many boxes a group takes where nothing but their order tells them apart.
_RUN = 30


@dataclass(frozen=True)
class Member:
    """A node that has a box in some stage: its block of the program and its scope."""

    key: str
    phase: str
    scope: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Several nodes that share one box, and what it is called."""

    key: str
    title: str
    phase: str
    members: tuple[str, ...]


@dataclass(eq=False)
class Tree:
    """The groups, and in which picture each node or group stands: "" is the picture of all."""

    groups: dict[str, Group] = field(default_factory=dict)
    parent: dict[str, str] = field(default_factory=dict)

    def path(self, key: str) -> list[str]:
        """Return what holds a node or group, from the inside out, itself first."""
        found = [key]
        while (above := self.parent[found[-1]]) != "":
            found.append(above)
        return found

    def pictures(self) -> list[str]:
        return ["", *self.groups]


def tree_of(members: Sequence[Member]) -> Tree:
    """Return the groups in which all nodes fit into pictures."""
    tree = Tree()
    pending: list[tuple[str, list[Member], int]] = [("", list(members), 0)]
    while pending:
        above, inside, depth = pending.pop()
        if len(inside) <= MOST:
            tree.parent.update((member.key, above) for member in inside)
            continue
        parts, deeper = _parts(inside, depth)
        for title, part in parts:
            if len(part) == 1:
                tree.parent[part[0].key] = above
                continue
            key = f"g{len(tree.groups) + 1}"
            keys = tuple(member.key for member in part)
            tree.groups[key] = Group(key, title, part[0].phase, keys)
            tree.parent[key] = above
            pending.append((key, part, deeper))
    return tree


def _parts(inside: Sequence[Member], depth: int) -> tuple[list[tuple[str, list[Member]]], int]:
    """Return the parts of what does not fit, with their titles, and the depth of scope reached."""
    while any(len(member.scope) > depth for member in inside):
        parts: dict[tuple[str, str], list[Member]] = {}
        for member in inside:
            own = member.scope[depth] if len(member.scope) > depth else f"\0{member.key}"
            parts.setdefault((member.phase, own), []).append(member)
        if len(parts) > MOST:
            return _runs(list(parts.items())), depth
        depth += 1
        if len(parts) > 1:
            return [(_title(phase, name), part) for (phase, name), part in parts.items()], depth
    single = [((member.phase, f"\0{member.key}"), [member]) for member in inside]
    return _runs(single), depth


def _runs(
    parts: Sequence[tuple[tuple[str, str], list[Member]]],
) -> list[tuple[str, list[Member]]]:
    """Return parts that follow one another put together, those of one block of the program."""
    size = max(_RUN, -(-len(parts) // _RUN))
    runs: dict[tuple[str, int], list[tuple[str, list[Member]]]] = {}
    count: dict[str, int] = {}
    for (phase, name), part in parts:
        place = count[phase] = count.get(phase, -1) + 1
        runs.setdefault((phase, place // size), []).append((name, part))
    return [
        (
            _run_title(phase, [name for name, _ in run]),
            [member for _, part in run for member in part],
        )
        for (phase, _), run in runs.items()
    ]


def _run_title(phase: str, names: Sequence[str]) -> str:
    """Return the first and last scope of a run; nothing where these are single nodes."""
    first, last = names[0], names[-1]
    if first[:1] == "\0" or last[:1] == "\0":
        return ""
    return _title(phase, first if len(names) == 1 else f"{first} … {last}")


def _title(phase: str, name: str) -> str:
    return name if phase == "forward" else f"{name} · {phase}"


@dataclass(eq=False)
class Sight:
    """What one picture shows besides its own items: edges, and what stands at its rim."""

    edges: dict[tuple[str, str], None] = field(default_factory=dict)
    rim: dict[str, None] = field(default_factory=dict)


def sights(edges: Iterable[tuple[str, str]], tree: Tree) -> dict[str, Sight]:
    """Return the edges of each picture; an edge shows in every picture that holds one of its ends.

    What lies outside stands at the rim as the largest group that does not hold the picture.
    """
    found = {picture: Sight() for picture in tree.pictures()}
    paths = {key: tree.path(key) for key in tree.parent}
    for tail, head in edges:
        starts, ends = ({tree.parent[part]: part for part in paths[key]} for key in (tail, head))
        for picture in [*starts, *(p for p in ends if p not in starts)]:
            sight = found[picture]
            first, last = (
                items.get(picture) or _outside(picture, items, sight, tree)
                for items in (starts, ends)
            )
            if first != last:
                sight.edges[first, last] = None
    return found


def _outside(picture: str, items: Mapping[str, str], sight: Sight, tree: Tree) -> str:
    """Return what stands for an outer node in a picture, and put it at the rim."""
    around = tree.parent[picture]
    while around not in items:
        around = tree.parent[around]
    sight.rim[items[around]] = None
    return items[around]
