"""Errors and warnings: one clear message that says what, where, got, expected and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable


class GraphError(Exception):
    """A mistake in a graph, in a `.graph` file or in a call, told in one readable message.

    The message's first line says what failed; indented lines below say where, what was given,
    what was expected and what would most likely mend it.

    >>> print(GraphError("cannot add", got="f32[3]", expected="f32[4]"))
    cannot add
      got       f32[3]
      expected  f32[4]
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        got: object = None,
        expected: object = None,
        fix: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.got = got
        self.expected = expected
        self.fix = fix
        super().__init__(self.message())

    def message(self) -> str:
        rows = [
            ("where", self.where),
            ("got", self.got),
            ("expected", self.expected),
            ("fix", self.fix),
        ]
        lines = [f"  {label:<9} {text}" for label, text in rows if text is not None]
        return "\n".join([self.what, *lines])

    def at(self, where: str | None) -> GraphError:
        """Return the same error with a place, unless it already names one."""
        if self.where is not None or where is None:
            return self
        return GraphError(
            self.what, where=where, got=self.got, expected=self.expected, fix=self.fix
        )


class NodeValueError(GraphError, TypeError):
    """A node was used where a number is needed; a TypeError, so that other libraries pass it on."""


class CallError(GraphError, TypeError):
    """Arguments that a function does not take; a TypeError, as Python's own error would be."""


class GraphWarning(UserWarning):
    """Something legal that is probably not meant, such as a parameter that nothing uses."""


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun, in the singular for 1.

    >>> counted(1, "carry", "carries"), counted(2, "value")
    ('1 carry', '2 values')
    """
    return f"{number} {one if number == 1 else many or one + 's'}"


def nearest(name: str, known: list[str], cutoff: float = 0.6) -> str | None:
    """Return the known name most like `name`, or None when nothing is close; case counts least.

    >>> nearest("w", ["W", "x"]), nearest("softmx", ["softmax", "max"])
    ('W', 'softmax')
    >>> nearest("conv", ["conv1d", "conv2d", "conv3d"]), nearest("con3d", ["conv2d", "conv3d"])
    ('conv2d', 'conv3d')
    """
    alike = [other for other in known if other.lower() == name.lower()]
    if alike:
        return alike[0]
    from difflib import get_close_matches  # only a failing call pays for this import

    found = get_close_matches(name, sorted(known), n=1, cutoff=cutoff)
    if not found:
        return None
    # Of `conv1d` to `conv3d`, all equally like `conv`, the one for images is meant most often.
    usual = found[0].removesuffix("3d") + "2d"
    is_any = found[0].endswith("3d") and not name.endswith("d") and usual in known
    return usual if is_any else found[0]


def did_you_mean(name: object, known: Iterable[object]) -> str | None:
    """Return the likely fix for a name that is not known; None where no known one is close.

    >>> did_you_mean("los", {"loss": 1, "p": 2})
    "did you mean 'loss'?"
    """
    hint = nearest(str(name), [str(other) for other in known])
    return f"did you mean {hint!r}?" if hint else None
