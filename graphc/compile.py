"""The whole pipeline on one page: text or Python → graph → gradient → passes → program → NumPy.

graph     = load("model.graph")                   what the user states
stable    = stabilized_around(graph)              before differentiation: a stable form has a
                                                  stable gradient
step      = training_step(stable, "loss", adam()) adjoints and updates, in the same graph
better    = optimize(step)                        every pass says what it did: .history
program   = plan(lower(better))                   order, in-place updates, buffers
source    = write_module(program)                 a NumPy module that stands alone
function  = CompiledFunction(graph, source)       loaded, checked at the call, thread-safe
"""

from __future__ import annotations

import gc as garbage
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from graphc.build.graphs import astype, for_inference, for_training, frozen, unfrozen
from graphc.build.init import initial_state
from graphc.build.namespace import FUNCTIONS
from graphc.build.optim import Optimizer, parse_optimizer
from graphc.differentiate.gradient import check_scalar, grad, gradient
from graphc.differentiate.matrices.hessian import gauss_newton, hessian, hvp
from graphc.differentiate.matrices.jacobian import jacobian, jacobian_structure
from graphc.differentiate.tangent import tangent
from graphc.emit import function_name, write_module
from graphc.errors import GraphError, nearest
from graphc.ir.given import takes_graph
from graphc.ir.graph import Graph, bind_methods, with_own_names
from graphc.ir.naming import HIDDEN
from graphc.ir.node import Node
from graphc.ir.provenance import UPDATE, phase
from graphc.ir.text.parser import parse as parse_text
from graphc.ir.text.printer import graph_text
from graphc.ir.verify import verify
from graphc.ops.movement.rows import is_of_few_rows
from graphc.plan import plan
from graphc.plan.cost import cost
from graphc.rewrite.before_derivative import stabilized_around
from graphc.rewrite.lower import lower
from graphc.rewrite.pipeline import optimize as optimize_graph
from graphc.run.compiled import CompiledFunction
from graphc.run.files import write_whole
from graphc.stable_derivatives import of_stable_form

#: Outputs under these names are gradients that a training step only offers to whoever asks.
_OBSERVED = f"{HIDDEN}gradient of "


@contextmanager
def _without_collection() -> Iterator[None]:
    """Pause the search for reference cycles: nodes have none, and it walks all of them each time.

    A third of the compile time of a large graph is spent in it otherwise.
    """
    was_enabled = garbage.isenabled()
    garbage.disable()
    try:
        yield
    finally:
        if was_enabled:
            garbage.enable()


def parse(text: str, filename: str = "<text>") -> Graph:
    """Return the graph of a text form.

    Raises:
        GraphError: with file, line, column and a caret, where the text is not a graph.
    """
    if not isinstance(text, str):
        raise GraphError(
            "parse takes a text", got=f"a value of type {type(text).__name__}", fix="gc.load(path)"
        )
    return parse_text(text, FUNCTIONS, filename)


def load(path: str | Path) -> Graph:
    """Return the graph of a `.graph` file; its name is the file's unless the text gives one."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        line = problem.object.count(b"\n", 0, problem.start) + 1
        raise GraphError(
            "not a graph file: it is not text in UTF-8",
            where=str(file),
            got=f"the byte 0x{problem.object[problem.start]:02x} in line {line}",
            fix="save it as UTF-8, where it is text",
        ) from None
    except OSError as problem:
        beside = [f.stem for f in file.parent.glob("*.graph") if f.is_file()]
        hint = nearest(file.stem, beside) if file.name and not file.exists() else None
        raise GraphError(
            "cannot read the graph file",
            where=str(file),
            got=problem.strerror,
            fix=f"did you mean {str(file.with_name(f'{hint}.graph'))!r}?" if hint else None,
        ) from None
    graph = parse(text, str(file))
    return graph if graph.name != "graph" else renamed(graph, file.stem)


def renamed(graph: Graph, name: str) -> Graph:
    """Return the same graph under another name."""
    return graph.mapped({}, name=name)


def save(graph: Graph, path: str | Path) -> None:
    """Write the text form to a file, whole or not at all."""
    write_whole(path, graph_text(graph))


def training_step(graph: Graph, minimize: str, optimizer: Optimizer) -> Graph:
    """Return the graph of one training step: the outputs, and the next value of each parameter.

    The gradients ride along as hidden outputs, so that a caller may look at them.
    """
    params = _trained(graph)
    loss = graph.find(minimize)
    gradients = dict(zip(params, grad(loss, list(params.values())), strict=True))
    updates = {**graph.updates, **optimizer.updates(params, gradients)}
    return _with_gradients(graph, gradients, updates)


def step_of_scaled(graph: Graph, minimize: str, factor: float) -> Graph | None:
    """Return the training step that adds factor times the gradient to each parameter.

    The loss is multiplied by the factor before it is derived: that is one product, where the
    gradients would be one for each parameter. None where gradients are made of few of a table's
    rows: there the factor goes into what makes the rows, and the table's gradient is never written.
    """
    params = _trained(graph)
    scaled = graph.find(minimize) * factor
    derived = zip(params, grad(scaled, list(params.values())), strict=True)
    changes = {n: g if g.op.is_leaf else g.named(f"change_of_{n}") for n, g in derived}
    if any(map(is_of_few_rows, changes.values())):
        return None
    with phase(UPDATE):
        updates = {name: params[name] + change for name, change in changes.items()}
        gradients = {name: change / factor for name, change in changes.items()}
    return _with_gradients(graph, gradients, {**graph.updates, **updates})


def _trained(graph: Graph) -> dict[str, Node]:
    """Return the parameters that training changes, of which there must be one."""
    params = {name: graph.params[name] for name in graph.trainable}
    if not params:
        raise GraphError(
            f"nothing to train: graph {graph.name!r} has no trainable parameter",
            fix='create parameters with gc.param("W", ...)',
        )
    return params


def _with_gradients(
    graph: Graph, gradients: Mapping[str, Node], updates: Mapping[str, Node]
) -> Graph:
    hidden = {_OBSERVED + name: node for name, node in gradients.items()}
    return graph.with_outputs({**graph.outputs, **hidden}, updates=updates)


@takes_graph("gradient_of", "wrt", "minimize")
def compile(
    graph: Graph,
    gradient_of: str | None = None,
    wrt: Iterable[str] | None = None,
    minimize: str | None = None,
    optimizer: Optimizer | str | None = None,
    optimize: int = 2,
    style: str = "fast",
) -> CompiledFunction:
    """Compile a graph, its gradient, or a training step to NumPy.

    Args:
        gradient_of: also return the gradient of this scalar output, as `d_loss_d_W`, …
        wrt: the names to differentiate by; None stands for all trainable parameters.
        minimize: make a step that lowers this scalar output, by `optimizer`.
        optimize: 0 none, 1 exact and cheap, 2 default, 3 all.
        style: "fast" writes into kept buffers; "readable" writes expressions.

    Raises:
        GraphError: where a name is unknown, the output is no scalar, or nothing can be trained.
    """
    if (minimize is None) != (optimizer is None):
        raise GraphError(
            "a training step needs both what to minimize and an optimizer",
            got=f"minimize={minimize!r}, optimizer={optimizer!r}",
            fix=f'gc.compile(g, minimize="{minimize or "loss"}", optimizer=gc.optim.sgd(0.1))',
        )
    if gradient_of is not None and minimize is not None:
        raise GraphError(
            "a training step has the gradients of what it minimizes, and no others",
            got=f"gradient_of={gradient_of!r}, minimize={minimize!r}",
            fix="compile twice: once with gradient_of, once with minimize",
        )
    if wrt is not None and gradient_of is None:
        raise GraphError(
            "`wrt` says what to differentiate by, but nothing is to be differentiated",
            got=f"wrt={wrt!r}",
            fix='gc.compile(g, gradient_of="loss", wrt=...); to train some parameters alone: '
            "gc.param(..., trainable=False) for the others",
        )
    with _without_collection():
        return _compiled(
            graph, gradient_of, wrt, minimize, _as_optimizer(optimizer), optimize, style
        )


def _as_optimizer(optimizer: Optimizer | str | None) -> Optimizer | None:
    if optimizer is None or isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, str):
        return parse_optimizer(optimizer)
    raise GraphError(
        "this is no optimizer",
        got=repr(optimizer),
        expected='one of gc.optim, or its text form: "sgd(0.1)"',
        fix=_optimizer_meant(optimizer),
    )


def _optimizer_meant(value: object) -> str | None:
    """Return the call that a mere learning rate, or an optimizer not called, stands for."""
    if isinstance(value, float):
        return f"gc.optim.sgd({value!r})"
    if isinstance(value, type) and issubclass(value, Optimizer):
        return f"call it: gc.optim.{value.name}(0.001)"
    return None


def _compiled(
    graph: Graph,
    gradient_of: str | None,
    wrt: Iterable[str] | None,
    minimize: str | None,
    optimizer: Optimizer | None,
    optimize: int,
    style: str,
) -> CompiledFunction:
    """Return the compiled function of checked arguments: the pipeline, step by step."""
    verify(graph)
    graph = with_own_names(graph)
    wrt = [wrt] if isinstance(wrt, str) else wrt and list(wrt)
    final = stabilized_around(graph, wrt or (), optimize)
    title = ""
    factor = None
    if minimize is not None and optimizer is not None:
        check_scalar(final.find(minimize))
        factor = optimizer.factor if style == "fast" and optimize >= 2 else None
        scaled = None if factor is None else step_of_scaled(final, minimize, factor)
        factor = factor if scaled else None
        final = scaled or training_step(final, minimize, optimizer)
        title = f"training step for `{minimize}` with {optimizer!r}"
    elif gradient_of is not None:
        final = gradient(final, gradient_of, wrt)
        title = f"`{gradient_of}` and its gradient"
    final = optimize_graph(final, optimize, style)
    of = minimize or gradient_of
    source = _source(final, style, None, title, graph, of, factor)
    visible = _without_hidden(final)[0]
    inference = partial(_in_use, graph, optimize, style)
    return CompiledFunction(
        visible, source, function_name(visible), final.history, inference, graph
    )


def _in_use(graph: Graph, level: int, style: str, *outputs: str) -> CompiledFunction:
    """Return the compiled outputs of a graph alone: no updates, nothing dropped, no gradients."""
    used = for_inference(graph, *outputs)
    return compile(used.with_outputs(used.outputs), optimize=level, style=style)


@takes_graph()
def emit(graph: Graph, style: str = "readable", function: str | None = None) -> str:
    """Return the source of a standalone NumPy module that computes the graph as it stands."""
    return _source(graph, style, function, "", graph, _gradient_target(graph))


def _source(
    graph: Graph,
    style: str,
    function: str | None,
    title: str,
    model: Graph,
    of: str | None,
    factor: float | None = None,
) -> str:
    visible, observed = _without_hidden(lower(graph))
    program = plan(visible, observed, stepwise=style == "fast", derived=of)
    return write_module(
        program,
        style=style,
        function=function,
        title=title,
        model=model,
        gradient_of=of,
        factor=factor,
    )


def _without_hidden(graph: Graph) -> tuple[Graph, dict[str, Node]]:
    """Return the graph with its visible outputs, and the gradients that were hidden among them."""
    hidden = {
        name.removeprefix(_OBSERVED): node
        for name, node in graph.outputs.items()
        if name.startswith(_OBSERVED)
    }
    if not hidden:
        return graph, {}
    shown = {name: node for name, node in graph.outputs.items() if not name.startswith(_OBSERVED)}
    names = {node: f"d_{name}" for name, node in hidden.items() if not node.op.is_leaf}
    return graph.with_outputs(shown, updates=graph.updates, names=names), hidden


def _gradient_target(graph: Graph) -> str | None:
    """Return the output whose gradients are outputs too (`d_loss_d_W`), if there is one."""
    leaves = [*graph.params, *graph.inputs]
    for name, node in graph.outputs.items():
        if not node.shape and any(f"d_{name}_d_{leaf}" in graph.outputs for leaf in leaves):
            return name
    return None


@takes_graph()
def optimize(graph: Graph, level: int = 2) -> Graph:
    """Return a better graph with the same outputs; `.history` tells what each pass did."""
    return optimize_graph(graph, level)


def _init(graph: Graph, seed: int = 0, **sizes: int) -> Mapping[str, Any]:
    """Return the first value of every parameter; `sizes` fixes named dims of parameters."""
    return initial_state(graph, seed, **sizes)


bind_methods(
    {
        "text": graph_text,
        "save": save,
        "init": _init,
        "cost": cost,
        "gradient": of_stable_form(gradient),
        "tangent": of_stable_form(tangent),
        "jacobian": of_stable_form(jacobian),
        "jacobian_structure": of_stable_form(jacobian_structure),
        "hessian": of_stable_form(hessian),
        "hvp": of_stable_form(hvp),
        "gauss_newton": of_stable_form(gauss_newton),
        "astype": astype,
        "for_inference": for_inference,
        "for_training": for_training,
        "frozen": frozen,
        "unfrozen": unfrozen,
    }
)
