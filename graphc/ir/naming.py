"""Names that are free: the wanted one, or that with a number."""

from __future__ import annotations

from collections.abc import Container

#: Begins the names of outputs that only a caller who asks for them gets; no user's name does.
HIDDEN = "\0"


def free_name(wanted: str, taken: Container[str], before_number: str = "_") -> str:
    """Return the name, or `name_2`, `name_3`, … whichever is not taken yet.

    >>> free_name("h", ()), free_name("h", {"h", "h_2"}), free_name("x_dot", {"x_dot"}, "")
    ('h', 'h_3', 'x_dot2')
    """
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}{before_number}{number}", number + 1
    return name
