"""The derivative of the sigmoid: nine lines, each confirmed before it is shown."""

from __future__ import annotations

from pathlib import Path

import graphc as gc

HERE = Path(__file__).parent


def main() -> str:
    """Print the derivation by itself and in a network; return its last line."""
    derivation = gc.derive("sigmoid")
    print(derivation, end="\n\n")
    for step in derivation.steps:
        print(f"{step.formula:52} confirmed by {step.confirmed_by}")
    print()
    print(gc.derive(gc.load(HERE / "binary_network.graph"), "y", of="J"))
    return derivation.result


if __name__ == "__main__":
    main()
