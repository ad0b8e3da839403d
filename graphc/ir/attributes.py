"""Attributes of a node: an immutable, hashable mapping from name to plain data."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return NumPy's numbers as Python's: a number as a number, an array as lists of them.

    What people compute a setting with is often NumPy's, but only Python's numbers are weak and
    have a text form.
    """
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


class ArrayLiteral:
    """An array written into a graph: immutable, and equal when type, shape and bytes are."""

    __slots__ = ("_key", "array")

    def __init__(self, array: np.ndarray) -> None:
        frozen = np.array(array, order="C", copy=True)
        frozen.setflags(write=False)
        self.array = frozen
        self._key = (frozen.dtype.str, frozen.shape, frozen.tobytes())

    def __reduce__(self) -> tuple[Any, ...]:
        return ArrayLiteral, (self.array,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayLiteral) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"ArrayLiteral({self.array.tolist()!r})"


class Attributes(Mapping[str, Any]):
    """A node's attributes, in a fixed order, hashed by exact value.

    Floats compare by their bits' text, so that 0.0 and -0.0 stay two constants and nan equals nan.
    """

    __slots__ = ("_hash", "_items", "key")

    def __init__(self, items: Mapping[str, Any]) -> None:
        self._items = {
            name: plain(value) if isinstance(value, np.generic) else value
            for name, value in items.items()
        }
        self.key = tuple((name, _exact(value)) for name, value in self._items.items())
        self._hash = hash(self.key)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the hash behind, which another process computes otherwise."""
        return _arrived, (self._items,)

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attributes) and self.key == other.key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Attributes({self._items!r})"


NO_ATTRIBUTES = Attributes({})


def _arrived(items: Mapping[str, Any]) -> Attributes:
    """Return unpickled attributes; what a pickle holds of a dtype is not NumPy's own object."""
    return Attributes(
        {n: np.dtype(v.name) if isinstance(v, np.dtype) else v for n, v in items.items()}
    )


def _exact(value: Any) -> Hashable:
    if isinstance(value, (float, bool)):
        return (type(value).__name__, repr(value))
    if isinstance(value, tuple):
        return tuple(map(_exact, value))
    if isinstance(value, (list, dict, set, np.ndarray)):
        raise TypeError(f"attribute of type {type(value).__name__} is mutable")
    return value
