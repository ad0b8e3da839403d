"""What may be asked of a command? The options that several commands have, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _piped(path: Path) -> Path:
    """Return where to read a model from: `-` is standard input, as everywhere."""
    return Path("/dev/stdin") if str(path) == "-" else path


Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL.graph", help="A graph in the text form; - is stdin.", callback=_piped
    ),
]
At = Annotated[
    list[str] | None,
    typer.Option(
        "--at", metavar="NAME=VALUE", help="A number, [list], @file.npy, @table.csv; or @file.npz."
    ),
]
Gradient = Annotated[
    str | None,
    typer.Option("--gradient", metavar="OUTPUT", help="Add the gradient of this scalar output."),
]
Wrt = Annotated[
    str | None, typer.Option("--wrt", metavar="NAMES", help="Differentiate by these: W,b.")
]
Of = Annotated[
    str | None,
    typer.Option("--of", metavar="OUTPUT", help="What is derived; else the first scalar output."),
]
Predict = Annotated[
    str | None,
    typer.Option(
        "--predict",
        metavar="OUTPUTS",
        help="These outputs alone, in use: nothing is dropped, no labels are asked for.",
    ),
]
Level = Annotated[
    int, typer.Option("--level", min=0, max=3, help="0 none, 1 exact and cheap, 2 default, 3 all.")
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Write to this file; - is stdout.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is random.")]
Style = Annotated[str, typer.Option("--style", help="readable or fast.")]
Format = Annotated[
    str, typer.Option("--format", help="text or latex; for a model markdown or html, too.")
]
TableFormat = Annotated[str, typer.Option("--format", help="text, markdown, latex or html.")]
Mode = Annotated[
    str, typer.Option("--mode", help="forward, tangent, reverse; or modules, no --at.")
]
Moved = Annotated[str | None, typer.Option("--wrt", metavar="NAME", help="What a tangent follows.")]
Summing = Annotated[str, typer.Option("--version", help="Reverse trace: A sums, B increments.")]
