"""Settings: frozen classes whose call, `repr` and text form are one, with errors that help."""

from __future__ import annotations

import inspect
import sys
from abc import ABCMeta
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, TypeAlias

from graphc.errors import GraphError, nearest
from graphc.ir.attributes import plain
from graphc.ir.provenance import user_error, user_location

Positive: TypeAlias = float
NotNegative: TypeAlias = float
Share: TypeAlias = float
UpToOne: TypeAlias = float

#: What annotates a setting -> what it must be, in words, and whether a finite number is that.
_RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "float": ("a finite number", lambda number: True),
    "Positive": ("a positive number", lambda number: number > 0),
    "NotNegative": ("0 or a positive number", lambda number: number >= 0),
    "Share": ("a number in [0, 1)", lambda number: 0 <= number < 1),
    "UpToOne": ("a number in [0, 1]", lambda number: 0 <= number <= 1),
}

#: What other libraries call a setting -> its names here, the first that fits.
_ELSEWHERE: dict[str, tuple[str, ...]] = {
    "lr": ("learning_rate", "rate"),
    "rate": ("learning_rate",),
    "learning_rate": ("rate",),
    "alpha": ("learning_rate",),
    "betas": ("beta1",),
    "beta": ("momentum", "beta1"),
    "rho": ("alpha",),
    "decay": ("weight_decay", "alpha"),
    "epsilon": ("eps",),
    "l2": ("weight_decay",),
    "initial_accumulator_value": ("initial_accumulator",),
    "max_norm": ("limit",),
    "max_value": ("limit",),
    "clip_value": ("limit",),
    "gamma": ("factor", "decay"),
    "step_size": ("every",),
    "t_max": ("steps",),
    "total_iters": ("steps",),
    "eta_min": ("final",),
    "std": ("scale",),
    "stddev": ("scale",),
    "a": ("low",),
    "b": ("high",),
    "minval": ("low",),
    "maxval": ("high",),
}


_AS_DATA = "name its settings as fields: @dataclass(frozen=True, repr=False)"


class Settings(ABCMeta):
    """Dataclasses whose constructor answers a wrong call with a GraphError.

    The class has a `name`, the one that users call it by; a base without one may be abstract.
    """

    def __call__(cls, *args: Any, **words: Any) -> Any:
        """Return an instance.

        **Raises.** GraphError for an unknown, repeated or missing setting, with its right name,
        for a value outside of what the setting's annotation says, and for a class that only says
        what others have in common.
        """
        if inspect.isabstract(cls):
            raise user_error(
                f"{cls.__name__} is what others have in common, and none itself",
                fix="take one that has a name, or derive a class that says what it computes",
            )
        settings = _fields(cls)
        known = [entry.name for entry in settings]
        for word in words:
            if word not in known:
                raise _unknown(cls, word, known)
        given = {*known[: len(args)], *words}
        missing = [e.name for e in settings if e.default is MISSING and e.name not in given]
        if missing or len(args) > len(known) or len(given) < len(args) + len(words):
            raise user_error(
                f"{_name(cls)} cannot be called so",
                got=", ".join([*map(repr, args), *[f"{k}={v!r}" for k, v in words.items()]])
                or "no settings",
                expected=signature_text(cls),
                fix=None if "__dataclass_params__" in vars(cls) else _AS_DATA,
            )
        values = {**dict(zip(known, args, strict=False)), **words}
        values = {e.name: _allowed(cls, e, values[e.name]) for e in settings if e.name in values}
        try:
            return super().__call__(**values)
        except GraphError as error:  # told by a class that knows what its settings mean together
            raise error.at(user_location()) from None

    @property
    def __signature__(cls) -> inspect.Signature:
        """What the dataclass takes; `inspect` would show this metaclass's own call."""
        return inspect.Signature([_parameter(entry) for entry in _fields(cls)])


def _fields(cls: type) -> tuple[Field[Any], ...]:
    """Return the settings of a class, of which only its own instances are known to have any."""
    return fields(cls)


def _parameter(entry: Field[Any]) -> inspect.Parameter:
    default = inspect.Parameter.empty if entry.default is MISSING else entry.default
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(entry.name, kind, default=default, annotation=entry.type)


def _allowed(cls: type, entry: Field[Any], value: Any) -> Any:
    """Return the value of a setting; what NumPy computed becomes Python's, which has a text form.

    **Raises.** GraphError where it is not what the annotation says.
    """
    value = plain(value)
    if entry.type == "bool":
        expected, is_right = "True or False", isinstance(value, bool)
    elif entry.type in _RANGES:
        expected, is_within = _RANGES[entry.type]
        is_right = is_number(value) and abs(value) <= sys.float_info.max and is_within(value)
    else:
        return value
    if not is_right:
        raise user_error(f"{entry.name} of {_name(cls)} must be {expected}", got=repr(value))
    return value


def is_number(value: Any) -> bool:
    """Return whether a value is one of Python's numbers, which truth values are not here."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _unknown(cls: type, word: str, known: list[str]) -> GraphError:
    elsewhere = [name for name in _ELSEWHERE.get(word.lower(), ()) if name in known]
    hint = elsewhere[0] if elsewhere else nearest(word, known)
    return user_error(
        f"{_name(cls)} has no setting {word!r}",
        expected=signature_text(cls),
        fix=f"did you mean {hint}=?" if hint else None,
    )


def signature_text(cls: type) -> str:
    """Return `sgd(learning_rate, momentum=0.0, …)`."""
    words = [
        entry.name if entry.default is MISSING else f"{entry.name}={entry.default!r}"
        for entry in fields(cls)
    ]
    return f"{_name(cls)}({', '.join(words)})"


def _name(cls: type) -> str:
    return str(getattr(cls, "name", cls.__name__))


def call_text(settings: Any) -> str:
    """Return `sgd(0.1, momentum=0.9)`: the first and all required settings by place."""
    words = []
    for place, entry in enumerate(fields(settings)):
        value = getattr(settings, entry.name)
        if place == 0 or entry.default is MISSING:
            words.append(repr(value))
        elif value != entry.default:
            words.append(f"{entry.name}={value!r}")
    return f"{_name(type(settings))}({', '.join(words)})"
