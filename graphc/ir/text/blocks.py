"""What the lines of a `with` block share: their scope, their phase, the checkpoints around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from graphc.ir.node import Node
from graphc.ir.provenance import FORWARD, Origin, Provenance

#: The words that open a block.
OPENING = ("scope", "checkpoint", "phase")


@dataclass(frozen=True, slots=True)
class Block:
    """The scope and phase of some lines, and the scopes among them that are checkpoints."""

    scope: str = ""
    phase: str = FORWARD
    checkpoints: tuple[str, ...] = ()

    def opened(self, word: str, name: str) -> Block:
        """Return the block that `with word("name"):` opens inside this one."""
        if word == "phase":
            return replace(self, phase=name)
        scope = f"{self.scope}/{name}" if self.scope else name
        checkpoints = (*self.checkpoints, scope) if word == "checkpoint" else self.checkpoints
        return replace(self, scope=scope, checkpoints=checkpoints)

    def provenance(self, origin: Origin) -> Provenance:
        """Return where a node of a line at `origin` comes from."""
        return Provenance(None, self.scope, self.phase, origin, checkpoints=self.checkpoints)

    def scopes(self) -> Iterator[tuple[str, str]]:
        """Yield the words and names that open the block's scopes, outermost first."""
        outer = ""
        for path in self.checkpoints:
            between, _, name = path.removeprefix(outer).strip("/").rpartition("/")
            if between:
                yield "scope", between
            yield "checkpoint", name
            outer = path
        rest = self.scope.removeprefix(outer).strip("/")
        if rest:
            yield "scope", rest


#: Outside of all blocks.
OPEN = Block()


def block_of(node: Node) -> Block:
    """Return the block in which the line of a node stands."""
    provenance = node.provenance
    return Block(provenance.scope, provenance.phase, provenance.checkpoints)
