"""One optimizer for some parameters, others for others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from graphc.build.training.step import Nodes, Optimizer, Step
from graphc.errors import GraphError, did_you_mean
from graphc.ir.node import Node

_EXAMPLE = 'groups(adam(0.001), {"*.b": adam(0.002)})'


@dataclass(frozen=True, repr=False)
class Groups(Optimizer):
    """An optimizer for all parameters but those whose names match a pattern, which have others.

    The first pattern that matches decides: `groups(adamw(0.001), {"*.b": adam(0.001)})` decays no
    bias. All count the same steps.
    **Raises.** GraphError for a pattern that no trained parameter matches.
    """

    name = "groups"
    optimizer: Optimizer
    others: Mapping[str, Optimizer]

    def __post_init__(self) -> None:
        others = self.others if isinstance(self.others, Mapping) else {}
        if not others or not all(isinstance(pattern, str) for pattern in others):
            raise GraphError(
                "groups takes optimizers by pattern", got=repr(self.others), fix=_EXAMPLE
            )
        for optimizer in (self.optimizer, *others.values()):
            if not isinstance(optimizer, Optimizer):
                raise GraphError("groups holds optimizers", got=repr(optimizer), fix=_EXAMPLE)
        object.__setattr__(self, "others", _ByPattern(tuple(others.items())))

    @property
    def _all(self) -> tuple[Optimizer, ...]:
        return (self.optimizer, *self.others.values())

    @property
    def only_subtracts(self) -> bool:
        return all(optimizer.only_subtracts for optimizer in self._all)

    @property
    def is_elementwise(self) -> bool:
        return all(optimizer.is_elementwise for optimizer in self._all)

    def next_values(self, step: Step, params: Nodes, gradients: Nodes) -> dict[str, Node]:
        for pattern in self.others:
            if not any(_matches(key, pattern) for key in gradients):
                raise GraphError(
                    f"no parameter that is trained matches {pattern!r}",
                    got=repr(self),
                    expected=", ".join(gradients),
                    fix=did_you_mean(pattern, gradients),
                )
        members: dict[str | None, dict[str, Node]] = {None: {}, **{p: {} for p in self.others}}
        for key, gradient in gradients.items():
            chosen = next((p for p in self.others if _matches(key, p)), None)
            members[chosen][key] = gradient
        values: dict[str, Node] = {}
        for chosen, group in members.items():
            optimizer = self.optimizer if chosen is None else self.others[chosen]
            values |= optimizer.next_values(step, params, group) if group else {}
        return {key: values[key] for key in gradients}


def _matches(key: str, pattern: str) -> bool:
    return key == pattern or fnmatchcase(key, pattern)


@dataclass(frozen=True, repr=False)
class _ByPattern(Mapping[str, Optimizer]):
    """Optimizers by pattern, in an order that tells: the first match decides."""

    pairs: tuple[tuple[str, Optimizer], ...]

    def __getitem__(self, pattern: str) -> Optimizer:
        for known, optimizer in self.pairs:
            if known == pattern:
                return optimizer
        raise KeyError(pattern)

    def __iter__(self) -> Iterator[str]:
        return (pattern for pattern, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        return repr(dict(self.pairs))
