"""The command line. Every command is a few calls of what `import graphc` offers."""

from __future__ import annotations

import sys
from gc import freeze
from pathlib import Path
from typing import Annotated

import typer

import graphc as gc
from graphc.commands.checkpoints import costs
from graphc.commands.describe import derivation, op_page, ops_table
from graphc.commands.evaluate import evaluate
from graphc.commands.explain import explained
from graphc.commands.files import put_text, save_outputs
from graphc.commands.messages import plain_warnings, readable_errors, take_all_letters
from graphc.commands.options import (
    At,
    Format,
    Gradient,
    Level,
    Mode,
    Model,
    Moved,
    Of,
    Output,
    Predict,
    Seed,
    Style,
    Summing,
    TableFormat,
    Wrt,
)
from graphc.commands.picture import picture
from graphc.commands.stage import counted, in_use, names, stage
from graphc.commands.tables import table
from graphc.commands.train import train as train_model
from graphc.commands.values import parse_values, printed
from graphc.errors import GraphError
from graphc.ir.provenance import Origin, origin
from graphc.ops import OPS, get_op
from graphc.run.opcheck import derivatives_table

# A command is one short process: what the imports made is no garbage, and no search walks it again.
freeze()

app = typer.Typer(
    name="graphc",
    help="Compile neural networks, stated as graphs, to readable NumPy.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line: exit with 0, or with 1 and one readable error on stderr."""
    arguments = [word for word in sys.argv[1:] if word != "--debug"]
    debug = "--debug" in sys.argv[1:]
    take_all_letters()
    # No line of Python is the user's: places are those of the graph's file.
    with plain_warnings(), readable_errors(debug), origin(Origin()):
        app(args=arguments or ["--help"], prog_name="graphc")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"graphc {gc.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Take the options that stand before the command; `main` has read --debug already."""


# -- see -------------------------------------------------------------------------------------


@app.command()
def show(
    model: Model,
    gradient: Gradient = None,
    wrt: Wrt = None,
    level: Level = 0,
    output: Output = None,
) -> None:
    """Print the text form of any stage."""
    put_text(str(stage(model, gradient, wrt, level)), output)


@app.command()
def cost(
    model: Model,
    gradient: Gradient = None,
    at: At = None,
    level: Level = 0,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Compare what the backward pass may recompute.")
    ] = False,
) -> None:
    """Print FLOPs, bytes moved and peak memory. In terms of the dims, which --at N=128 fixes."""
    print(costs(gc.load(model), gradient, level, parse_values(at or []), checkpoints))


@app.command()
def dependence(model: Model, of: Of = None, wrt: Wrt = None, at: At = None) -> None:
    """Say which derivatives can be computed. In how many passes, at what cost (--at N=128)."""
    found = gc.dependence(gc.load(model), of, names(wrt), **parse_values(at or []))
    print(found, counted(2), sep="\n\n")


@app.command()
def methods(
    model: Model,
    of: Of = None,
    at: At = None,
    wrt: Wrt = None,
    step: Annotated[float, typer.Option("--step", help="Step of the numerical methods.")] = 1e-6,
    seed: Seed = 0,
) -> None:
    """Derive by every method, side by side. Numerical, symbolic, forward and reverse mode."""
    values = parse_values(at or [])
    print(gc.compare_methods(gc.load(model), of, values, names(wrt), step=step, seed=seed))
    print(counted(2))


@app.command()
def ops(
    name: Annotated[str | None, typer.Argument(help="One op.")] = None,
    derivatives: Annotated[
        bool, typer.Option("--derivatives", help="Check every op's derivatives, in both modes.")
    ] = False,
) -> None:
    """Print the table of ops, or one op's page."""
    if derivatives:
        print(derivatives_table([get_op(name)] if name else list(OPS.values())))
    else:
        print(op_page(name) if name else ops_table())


@app.command()
def derive(
    name: Annotated[
        str, typer.Argument(metavar="OP|MODEL.graph", help="A pointwise op, such as sigmoid.")
    ],
    by: Annotated[str | None, typer.Option("--by", help="Which argument; the first one.")] = None,
    node: Annotated[
        str | None, typer.Option("--node", metavar="NAME", help="Which node of a model.")
    ] = None,
    of: Of = None,
    at: At = None,
    format: Format = "text",
) -> None:
    """Derive an op step by step, or through a node of a model."""
    print(derivation(name, by, node, of, parse_values(at) if at else None).format(format))


@app.command()
def trace(
    model: Model,
    mode: Mode = "forward",
    at: At = None,
    wrt: Moved = None,
    of: Of = None,
    version: Summing = "A",
    level: Level = 0,
    seed: Seed = 0,
    format: TableFormat = "text",
    output: Output = None,
) -> None:
    """Print every variable of one evaluation or derivative. What --at leaves out is drawn."""
    values = parse_values(at or [])
    shown = table(gc.load(model), values, mode, wrt, of, version, level=level, seed=seed)
    put_text(shown.format(format), output)


@app.command()
def explain(
    model: Model,
    gradient: Gradient = None,
    wrt: Wrt = None,
    level: Level = 2,
    style: Style = "readable",
) -> None:
    """Say what each pass of the compiler did, and why. Rule by rule, with the formulas it met."""
    print(explained(gc.load(model), gradient, names(wrt), level, style))


# -- run -------------------------------------------------------------------------------------


@app.command()
def compile(
    model: Model,
    output: Output = None,
    gradient: Gradient = None,
    wrt: Wrt = None,
    minimize: Annotated[
        str | None, typer.Option("--minimize", metavar="OUTPUT", help="Make a training step.")
    ] = None,
    optimizer: Annotated[
        str | None, typer.Option("--optimizer", help='Such as "adam(0.001)".')
    ] = None,
    predict: Predict = None,
    style: Style = "readable",
    level: Level = 2,
) -> None:
    """Write a NumPy module. It computes the model, its gradient or a training step."""
    function = gc.compile(
        in_use(gc.load(model), predict),
        gradient_of=gradient,
        wrt=names(wrt),
        minimize=minimize,
        optimizer=optimizer,
        optimize=level,
        style=style,
    )
    put_text(function.source, output)


@app.command()
def run(
    model: Model,
    at: At = None,
    gradient: Gradient = None,
    wrt: Wrt = None,
    predict: Predict = None,
    seed: Seed = 0,
    level: Level = 2,
    reference: Annotated[
        bool, typer.Option("--reference", help="Use the reference interpreter.")
    ] = False,
    check_finite: Annotated[
        bool, typer.Option("--check-finite", help="Stop at the first NaN or infinity.")
    ] = False,
    output: Output = None,
) -> None:
    """Evaluate a model. Parameters that --at does not give are initialized from the seed."""
    values = evaluate(
        gc.load(model),
        parse_values(at or []),
        gradient,
        names(wrt),
        predict,
        seed=seed,
        level=level,
        reference=reference,
        check_finite=check_finite,
    )
    if output is not None:
        save_outputs(output, values)
        return
    for name, value in values.items():
        print(printed(name, value))


@app.command()
def check(
    model: Model,
    of: Of = None,
    at: At = None,
    wrt: Wrt = None,
    method: Annotated[
        str, typer.Option("--method", help="forward, central or complex.")
    ] = "central",
    entries: Annotated[
        int, typer.Option("--entries", min=1, help="Elements to check of a large array.")
    ] = 64,
    seed: Seed = 0,
) -> None:
    """Check a gradient against finite differences. Or against the complex step."""
    values = parse_values(at or [])
    graph, by = gc.load(model), names(wrt)
    found = gc.check_gradient(graph, of, values, method, by, entries=entries, seed=seed)
    print(found)
    if not found:
        raise GraphError(
            f"the gradient of {found.of} {found.verdict}", got=f"error {found.max_error:.2e}"
        )


@app.command()
def train(
    model: Model,
    data: Annotated[
        list[str],
        typer.Option("--data", help="An .npz file, inputs by name; or x=@x.npy, x=@x.csv."),
    ],
    minimize: Annotated[
        str, typer.Option("--minimize", metavar="OUTPUT", help="The loss: a scalar output.")
    ] = "loss",
    optimizer: Annotated[
        str, typer.Option("--optimizer", help='Such as "adam(0.001)".')
    ] = "sgd(0.1)",
    epochs: Annotated[int, typer.Option("--epochs", min=0, help="Passes over the data.")] = 10,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=0, help="0 takes all examples at once.")
    ] = 32,
    seed: Seed = 0,
    at: At = None,
    validation: Annotated[
        list[str] | None, typer.Option("--validation", help="Held-out data, as --data.")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option("--patience", min=1, metavar="EPOCHS", help="Stop when the loss stalls."),
    ] = None,
    accuracy: Annotated[
        str | None,
        typer.Option(
            "--accuracy",
            metavar="OUTPUT=INPUT",
            help="Report how often OUTPUT decides for INPUT's class: p=y.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Save the run after every epoch: .npz.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint, if it is there.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the loss: .svg, .png or .pdf.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Save the trained parameters: .npz.")
    ] = None,
    level: Level = 2,
) -> None:
    """Train a model on arrays in files. --at H=20 sizes a dim, --at @w.npz is where to start."""
    step = gc.compile(gc.load(model), minimize=minimize, optimizer=optimizer, optimize=level)
    history = train_model(
        step,
        data,
        loss=minimize,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        at=parse_values(at or []),
        validation=validation,
        wait=patience,
        right=accuracy,
        checkpoint=checkpoint,
        resume=resume,
        plot=plot,
        output=output,
    )
    print(history)


# -- draw ------------------------------------------------------------------------------------


@app.command()
def draw(
    model: Model,
    output: Annotated[Path, typer.Option("-o", "--output", help="svg, png, pdf, html or dot.")],
    kind: Annotated[
        str, typer.Option(help="Or backprop, chain, network, recurrence, cell, volumes.")
    ] = "computation",
    at: At = None,
    of: Of = None,
    wrt: Wrt = None,
    highlight: Annotated[str | None, typer.Option("--highlight", help="A gate of a cell.")] = None,
    every: Annotated[bool, typer.Option("--all", help="A box for each variable.")] = False,
) -> None:
    """Draw a computation graph, its backward pass or its network."""
    values = parse_values(at or []) or None
    picture(gc.load(model), kind, values, of, highlight, names(wrt), every).save(output)


@app.command()
def explore(
    model: Model,
    output: Annotated[Path, typer.Option("-o", "--output", help="The page: m.html.")],
    gradient: Gradient = None,
    at: At = None,
    level: Level = 2,
) -> None:
    """Write a page on which one watches the compiler work. Passes, code, numbers in steps."""
    values = parse_values(at or []) or None
    gc.explore(gc.load(model), output, gradient_of=gradient, at=values, level=level)


if __name__ == "__main__":
    main()
