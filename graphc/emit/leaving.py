"""What leaves a function: outputs that nothing may overwrite later, and gradients on request."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.emit.expressions import WIDTH, Expressions
from graphc.emit.names import string_literal
from graphc.ir.code import Code
from graphc.ir.node import Node
from graphc.plan.buffers import storages
from graphc.plan.program import Program

_INDENT = "    "
#: Stands in a body just before anything is updated, until the values have variables.
BEFORE_UPDATE = "\0before update"


def needs_marker(program: Program) -> bool:
    """Say whether something must be read just before the parameters change."""
    return bool(program.observed) or bool(_of_updated_state(program))


def lines_before_update(program: Program, expressions: Expressions, is_fast: bool) -> list[str]:
    """Return the lines that offer the gradients and save outputs that show updated state."""
    lines = []
    for name, node in _of_updated_state(program).items():
        saved = expressions.namer.fresh(name)
        lines.append(f"{_INDENT}{saved} = np.array({expressions.code[node]})")
        expressions.code[node] = Code(saved)
    if program.observed:
        lines += _gradient_lines(program.observed, expressions, is_fast)
    return lines


def _of_updated_state(program: Program) -> dict[str, Node]:
    """Return the outputs whose memory is that of a parameter which the program updates."""
    storage = storages(program.statements)
    updated = {program.graph.params[name] for name in program.graph.updates}
    outputs = program.graph.outputs.items()
    return {name: node for name, node in outputs if storage.get(node, node) in updated}


def _gradient_lines(
    observed: Mapping[str, Node], expressions: Expressions, is_fast: bool
) -> list[str]:
    words = []
    for name, node in observed.items():
        code = expressions.code[node].text
        words.append(f"{string_literal(name)}: {f'np.array({code})' if is_fast else code}")
    lines = [f"{_INDENT}if gradients is not None:"]
    line = f"{_INDENT * 2}gradients.update({{{', '.join(words)}}})"
    if len(line) <= WIDTH:
        return [*lines, line]
    inner = [f"{_INDENT * 4}{word}," for word in words]
    head = [f"{_INDENT * 2}gradients.update(", f"{_INDENT * 3}{{"]
    return [*lines, *head, *inner, f"{_INDENT * 3}}}", f"{_INDENT * 2})"]


def return_lines(program: Program, expressions: Expressions) -> list[str]:
    """Return the `return` of all outputs by name; what others may write to is copied."""
    storage = storages(program.statements)
    targets = {s.node for s in program.statements if s.target is not None}
    saved = _of_updated_state(program)
    words = []
    for name, node in program.graph.outputs.items():
        base = storage.get(node, node)
        is_shared = base.op.is_leaf or base in targets or base in program.place
        code = expressions.code[node].text
        text = f"np.array({code})" if is_shared and name not in saved else code
        words.append(f"{string_literal(name)}: {text}")
    line = f"{_INDENT}return {{{', '.join(words)}}}"
    if len(line) <= WIDTH:
        return [line]
    return [f"{_INDENT}return {{", *[f"{_INDENT * 2}{word}," for word in words], f"{_INDENT}}}"]
