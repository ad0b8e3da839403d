"""Names in emitted code: the user's where they are Python names, safe and unique always."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable

#: Functions of a module's top that bodies call, where their names do not begin with an underscore,
#: as no name of a user's does.
_CALLED = frozenset(
    {"in_blocks", "in_pieces", "in_parts", "take_rows", "add_rows", "add_columns", "sum_by_row"}
    | {"dot_each_row", "sum_of_products", "matmul_in_tiles", "matmul_on_all_cores"}
    | {"sum_in_parts", "np", "CORES", "sliding_window_view"}
)
#: All that a module may have at its top.
TOP_LEVEL = _CALLED | {
    "os", "sys", "ThreadPoolExecutor", "copy_context", "cache", "SimpleQueue", "threads_of",
}  # fmt: skip
_RESERVED = _CALLED.union(
    {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "state", "rng", "workspace"}
    | {"gradients", "buffers", "init", "check", "self", "expected", "got"}
)


class Namer:
    """Gives out names that no other value has. A name is data: it can never become code."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*_RESERVED, *taken}
        self._next: dict[str, int] = {}

    def reserve(self, names: Iterable[str]) -> None:
        self._taken.update(names)

    def release(self, name: str) -> None:
        """Let a name be given again: nobody reads any more what it stood for."""
        self._taken.discard(name)
        self._next.pop(re.sub(r"_\d+$", "", name), None)

    def is_free(self, name: str) -> bool:
        """Say whether no value has this name."""
        return name not in self._taken

    def fresh(self, wanted: str) -> str:
        """Return `wanted` as an identifier, numbered where it is taken."""
        name = identifier(wanted)
        if name not in self._taken:
            self._taken.add(name)
            return name
        if name in _RESERVED and f"{name}_" not in self._taken:
            self._taken.add(f"{name}_")
            return f"{name}_"
        number = self._next.get(name, 2)
        while f"{name}_{number}" in self._taken:
            number += 1
        self._next[name] = number + 1
        self._taken.add(f"{name}_{number}")
        return f"{name}_{number}"


def identifier(text: str) -> str:
    """Return the text as a Python identifier: other characters become underscores.

    >>> identifier("hidden1.W"), identifier("x y"), identifier("2nd"), identifier("")
    ('hidden1_W', 'x_y', 'v2nd', 'v')
    """
    # Python normalizes identifiers to NFKC, so two spellings of one name must not meet.
    name = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", text))
    if len(name) > 1:
        name = name.strip("_") or "v"
    if not name or name[0].isdigit() or not name.isidentifier():
        name = "v" + re.sub(r"\W", "_", name)
    return name if name.isidentifier() else "v"


def string_literal(text: str) -> str:
    """Return a double-quoted Python string, as the formatter writes it."""
    body = repr(text)[1:-1]
    if repr(text)[0] == "'":
        body = body.replace("\\'", "'").replace('"', '\\"')
    return f'"{body}"'


def one_line(text: str) -> str:
    """Return user text that may stand in a comment: nothing in it ends the line.

    >>> one_line("loss\\nimport os")
    'loss import os'
    """
    return "".join(c if c.isprintable() else " " for c in text)
