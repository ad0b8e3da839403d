"""A whole module: docstring, helpers, `init`, the function, and a check of its own gradient."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from graphc.emit.check.check import LOCALS, self_check
from graphc.emit.dims import read_dims
from graphc.emit.docstring import docstring
from graphc.emit.expressions import Expressions
from graphc.emit.fast.blocks import block_sizes
from graphc.emit.fast.loops import Fast
from graphc.emit.initial import init_function, with_params_of
from graphc.emit.leaving import (
    BEFORE_UPDATE,
    lines_before_update,
    return_lines,
    saved_outputs,
)
from graphc.emit.lines.bindings import bound, by_layer
from graphc.emit.lines.names import TOP_LEVEL, Namer, one_line, string_literal
from graphc.emit.lines.sizes import with_sizes_apart
from graphc.emit.lines.sources import Line, alike, lines_of
from graphc.emit.lines.tables import tables
from graphc.emit.lines.wrapping import INDENT, WIDTH, wrapped
from graphc.emit.loops import Readable
from graphc.emit.preamble import helpers, imports
from graphc.emit.unread import without_unread
from graphc.errors import GraphError
from graphc.ir.code import Code, Notation
from graphc.ir.dims import shape_text, symbols_of
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.plan.program import Program

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Layout:
    """What the parts of a module agree on: names of the function, arguments, dims and state."""

    function: str
    inputs: Mapping[str, str]
    params: Mapping[str, str]
    dims: Mapping[str, str]
    draws: bool
    is_fast: bool
    observed: Mapping[str, Node] = field(default_factory=dict)
    tables: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def variables(self, graph: Graph) -> dict[Node, str]:
        """Return the variable of each input and parameter."""
        named = ((graph.inputs, self.inputs), (graph.params, self.params))
        return {node: words[name] for leaves, words in named for name, node in leaves.items()}

    def signature(self) -> list[str]:
        words = (["state"] if self.params else []) + list(self.inputs.values())
        words += ["rng"] if self.draws else []
        words += ["workspace=None"] if self.is_fast else []
        words += ["gradients=None"] if self.observed else []
        return words


def write_module(
    program: Program,
    *,
    style: str,
    function: str | None,
    title: str,
    model: Graph,
    gradient_of: str | None,
    factor: float | None,
) -> str:
    """Return the source of a standalone module that computes the program with NumPy alone.

    `model` is the graph as the user wrote it, for the docstring. `gradient_of` names the output
    whose gradient the module's own check compares with central differences, and `factor` the
    number that it was multiplied by before it was derived.
    """
    graph = program.graph
    of = gradient_of if factor is None else f"({factor:g}*{gradient_of})"
    layout, body = _written(program, style, function, of)
    parts = [
        docstring(graph, title, model),
        [*imports(program), *tables(layout.tables)],
        *helpers(program, body),
        *init_function(with_params_of(graph, model)),
        *body,
    ]
    if gradient_of is not None:
        parts += self_check(graph, layout, gradient_of, model)
    return _joined(parts)


def traced_function(
    program: Program, *, gradient_of: str | None = None
) -> tuple[list[str], dict[Node, list[int]]]:
    """Return the lines of the readable function alone, and in which of them each node stands."""
    layout, body = _written(program, "readable", None, gradient_of)
    lines = [line for part in body for line in part]
    start = next((i for i, line in enumerate(lines) if isinstance(line, Line)), len(lines))
    graph = program.graph
    entry: dict[Node, list[int]] = {}
    for leaves, names in ((graph.inputs, layout.inputs), (graph.params, layout.params)):
        for name, node in leaves.items():
            word = re.compile(rf"\b{re.escape(names[name])}\b")
            entry[node] = [i for i in range(start) if word.search(lines[i])]
    end = max(i for i, line in enumerate(lines) if line.startswith(f"{INDENT}return "))
    return lines, lines_of(program, lines, entry, range(end, len(lines)))


def _written(
    program: Program, style: str, function: str | None, of: str | None
) -> tuple[Layout, list[list[str]]]:
    """Return the layout of a module, and its functions as lines that fit the width."""
    if style not in ("readable", "fast"):
        raise GraphError("unknown style", got=repr(style), expected="'readable' or 'fast'")
    graph = program.graph
    namer = Namer()
    is_fast = style == "fast"
    layout = _layout(program, namer, function, is_fast)
    has_threads = any(run.multiplies for run in program.runs.values())
    threads: Literal["own", "blas"] = "own" if has_threads else "blas"
    notation = Notation(layout.dims, threads=threads, is_for_speed=is_fast)
    expressions = Expressions(program, namer, notation, of)
    for node, variable in layout.variables(graph).items():
        expressions.code[node] = Code(variable)
    layout = replace(layout, tables=expressions.tables)
    sizes = {*layout.dims.values()}
    return layout, [
        [
            piece
            for line in with_sizes_apart(without_unread(part), sizes, namer)
            for piece in alike(wrapped(line), line)
        ]
        for part in _function(program, expressions, layout)
    ]


def _joined(parts: Sequence[Sequence[str]]) -> str:
    head = "\n".join(parts[0]) + "\n\n" + "\n".join(parts[1]) + "\n"
    rest = ["\n\n" + "\n".join(part) + "\n" for part in parts[2:]]
    return head + "".join(rest)


def _layout(program: Program, namer: Namer, function: str | None, is_fast: bool) -> Layout:
    graph = program.graph
    name = function_name(graph, function)
    namer.reserve([name])
    dims = {dim: namer.fresh(dim) for dim in graph.dims}
    inputs = {name: namer.fresh(name) for name in graph.inputs}
    params = {name: namer.fresh(name) for name in graph.params}
    draws = any(node.op.is_random for node in graph.nodes)
    return Layout(name, inputs, params, dims, draws, is_fast, program.observed)


# -- parts ---------------------------------------------------------------------------------------


def _function(program: Program, expressions: Expressions, layout: Layout) -> list[list[str]]:
    graph = program.graph
    marker = [BEFORE_UPDATE] if graph.updates or program.observed else []
    lines: list[str] = []
    entry = read_dims(graph, layout.variables(graph), layout.dims)
    lines += [f"{INDENT}{line}" for line in entry.lines]
    lines += _check_lines(graph, layout, entry.tests)
    allocate: list[list[str]] = []
    body = (Fast if layout.is_fast else Readable)(program, expressions)
    written = body.write_all(marker)
    if isinstance(body, Fast) and (body.first_names or body.constants):
        taken, allocate = _workspace(body, expressions, layout)
        lines += taken
    lines += written
    saved = saved_outputs(program, expressions)
    if BEFORE_UPDATE in lines:
        at = lines.index(BEFORE_UPDATE)
        lines[at : at + 1] = lines_before_update(program, expressions, saved, layout.is_fast, body)
    lines += return_lines(program, expressions, saved, layout.is_fast, body)
    head = [f"def {layout.function}({', '.join(layout.signature())}):"]
    head += [f'{INDENT}"""{_summary(graph)}"""', *_state_lines(layout, lines)]
    return [*allocate, [*_quiet(program), *head, *lines]]


def _summary(graph: Graph) -> str:
    if graph.updates:
        return "Take one step on a batch, update `state` in place, return the outputs."
    return "Return the outputs by name."


def _quiet(program: Program) -> list[str]:
    """Return the decorator that silences warnings which the program's formulas expect."""
    kinds = sorted({kind for s in program.all_statements for kind in s.node.op.quiet(s.node)})
    if not kinds:
        return []
    words = ", ".join(f'{kind}="ignore"' for kind in kinds)
    return [f"@np.errstate({words})"]


def _state_lines(layout: Layout, body: Iterable[str]) -> list[str]:
    """Return the lines that take the parameters which a body reads out of the state."""
    codes = [_STRING.sub("", line.partition("  #")[0]) for line in body]
    read = {word for code in codes for word in _WORD.findall(code)}
    pairs = [
        (variable, f"state[{string_literal(name)}]")
        for name, variable in layout.params.items()
        if variable in read
    ]
    is_one = pairs and len(INDENT + bound(pairs)) <= WIDTH
    return [f"{INDENT}{bound(layer)}" for layer in ([pairs] if is_one else by_layer(pairs, INDENT))]


def _check_lines(graph: Graph, layout: Layout, more: Sequence[str]) -> list[str]:
    """Return the check of the shapes: what only run time knows, once, at the entry.

    Of the parameters, those are checked whose sizes `init` was told; moments go with them.
    """
    notation = Notation(layout.dims)
    tests, wanted, got = [], [], []
    leaves = [(layout.inputs[name], node) for name, node in graph.inputs.items()]
    leaves += [
        (layout.params[name], node)
        for name, node in graph.params.items()
        if symbols_of(node.shape) and not node.attrs["slot"]
    ]
    for variable, node in leaves:
        if node.shape:
            tests.append(f"{variable}.shape != {notation.shape(node.shape)}")
            wanted.append(f"{variable} {shape_text(node.shape)}")
            got.append(f"{variable} {{{variable}.shape}}")
    if not tests:
        return []
    return _raised([*tests, *more], wanted, got, "ValueError", INDENT)


def _dtype_lines(graph: Graph, layout: Layout) -> list[str]:
    """Return the check that floats fit the buffers, made where these are: once for each shape.

    Integers of any width index alike, and numbers may be Python's.
    """
    leaves = {
        layout.inputs[name]: node.dtype.name
        for name, node in graph.inputs.items()
        if node.shape and node.dtype.kind == "f"
    }
    if not leaves:
        return []
    tests = [f"{variable}.dtype != np.{dtype}" for variable, dtype in leaves.items()]
    wanted = [f"{variable} {dtype}" for variable, dtype in leaves.items()]
    got = [f"{variable} {{{variable}.dtype}}" for variable in leaves]
    return _raised(tests, wanted, got, "TypeError", INDENT * 2)


def _raised(
    tests: Sequence[str], wanted: Sequence[str], got: Sequence[str], error: str, indent: str
) -> list[str]:
    """Return the lines that raise an error where one of the tests holds."""
    condition, inner = f"{indent}if {' or '.join(tests)}:", indent + INDENT
    if len(condition) <= WIDTH:
        lines = [condition]
    else:
        lines = [f"{indent}if ("]
        lines += [f"{inner}{'or ' if i else ''}{t}" for i, t in enumerate(tests)]
        lines.append(f"{indent}):")
    message = f"expected {', '.join(wanted)}; got {', '.join(got)}"
    raised = f'{inner}raise {error}(f"{message}")'
    if len(raised) <= WIDTH:
        return [*lines, raised]
    # With the words in variables the lines fit, whatever width a formatter allows.
    types = f'{inner}expected = "{", ".join(wanted)}"'
    found = f'{inner}got = f"{", ".join(got)}"'
    if max(len(types), len(found)) <= WIDTH:
        raised = f'{inner}raise {error}(f"expected {{expected}}; got {{got}}")'
        return [*lines, types, found, raised]
    lines.append(f"{inner}raise {error}(")
    pieces = [f"expected {', '.join(wanted)}; ", f"got {', '.join(got)}"]
    for prefix, piece in zip(("", "f"), pieces, strict=True):
        parts = _chunks(piece, WIDTH - len(inner) - 10)
        lines += [f"{inner}{INDENT}{prefix}{string_literal(part)}" for part in parts]
    return [*lines, f"{inner})"]


def _chunks(text: str, width: int) -> list[str]:
    """Return the text in pieces that fit a line, broken between items."""
    pieces, current = [], ""
    for word in re.findall(r"[^,]*,? ?", text):
        if current and len(current) + len(word) > width:
            pieces.append(current)
            current = ""
        current += word
    return [*pieces, current] if current else pieces


def _workspace(
    body: Fast, expressions: Expressions, layout: Layout
) -> tuple[list[str], list[list[str]]]:
    """Return the lines that take the buffers out of the workspace, and the allocating function."""
    notation = expressions.notation
    names = list(body.first_names.values()) + list(body.constants)
    counts, sizes = block_sizes(body.program, notation, list(layout.dims.values()))
    makes = [
        f"np.empty({sizes.get(b, notation.size(b.type.shape))}, {notation.dtype(b.type.dtype)})"
        for b in body.first_names
    ]
    makes += body.constants.values()
    dims = list(layout.dims.values())
    allocator = expressions.namer.fresh("allocate")
    entries = [f"{make},  # {one_line(name)}" for name, make in zip(names, makes, strict=True)]
    function = [
        f"def {allocator}({', '.join(dims)}):",
        f'{INDENT}"""Return the arrays that `{layout.function}` keeps between calls."""',
        *[f"{INDENT}{line}" for line in counts],
        f"{INDENT}return (",
        *[f"{INDENT * 2}{entry}" for entry in entries],
        f"{INDENT})",
    ]
    key = f"({dims[0]},)" if len(dims) == 1 else f"({', '.join(dims)})"
    lines = [
        f"{INDENT}if workspace is None:",
        f"{INDENT * 2}workspace = {{}}",
        f'{INDENT}if workspace.get("dims") != {key}:',
        *_dtype_lines(body.program.graph, layout),
        # In this order: where memory is short, the workspace stays what it was.
        f'{INDENT * 2}workspace["buffers"] = {allocator}({", ".join(dims)})',
        f'{INDENT * 2}workspace["dims"] = {key}',
    ]
    left = ", ".join(names) if len(names) > 1 else f"({names[0]},)"
    taken = f'{INDENT}{left} = workspace["buffers"]'
    if len(taken) <= WIDTH:
        lines.append(taken)
    else:
        lines.append(f"{INDENT}(")
        lines += [f"{INDENT * 2}{name}," for name in names]
        lines.append(f'{INDENT}) = workspace["buffers"]')
    return lines, [function]


def function_name(graph: Graph, function: str | None = None) -> str:
    """Return the name under which the emitted module offers the graph."""
    if not isinstance(function, str | None):
        raise GraphError("a function's name is a text", got=f"function={function!r}")
    return Namer([*LOCALS, *TOP_LEVEL]).fresh(function or ("step" if graph.updates else graph.name))
