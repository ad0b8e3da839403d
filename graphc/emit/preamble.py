"""What stands before a module's functions: its imports, and the functions that ops bring along."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphc.emit.fast.threads import CORES, IMPORTS, IN_BLOCKS, IN_PIECES
from graphc.plan.program import Program


def imports(program: Program) -> list[str]:
    """Return the imports: NumPy, and what the ops' NumPy forms take out of it by name."""
    taken = {line for statement in program.all_statements for line in statement.node.op.imports}
    lines = ["import numpy as np", *_merged(sorted(taken))]
    return [*IMPORTS, "", *lines, "", CORES] if _has_threads(program) else lines


def _has_threads(program: Program) -> bool:
    return any(run.is_in_blocks for run in program.runs.values())


def _merged(lines: Sequence[str]) -> list[str]:
    """Return one import for each module: `from numpy.lib import a, b`."""
    names: dict[str, list[str]] = {}
    for line in lines:
        module, _, name = line.partition(" import ")
        names.setdefault(module, []).append(name)
    return [f"{module} import {', '.join(taken)}" for module, taken in names.items()]


def helpers(program: Program, body: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the module-level functions that the body calls, and those that these call."""
    sources: dict[str, str] = {}
    brought = [IN_BLOCKS, IN_PIECES] if _has_threads(program) else []
    brought += [s.node.op.helper(s.node) or "" for s in program.all_statements]
    for source in dict.fromkeys(brought):
        for function in filter(None, source.split("\n\n\n")):
            code = function.strip("\n")
            _, _, header = code.partition("def ")
            sources[header[: header.index("(")]] = code
    # A style may do without a function that another one calls.
    texts = ["\n".join(part) for part in body]
    called: set[str] = set()
    for name in reversed(sources):
        word = re.compile(rf"\b{name}\b")
        if any(word.search(text) for text in [*texts, *map(sources.__getitem__, called)]):
            called.add(name)
    return [code.split("\n") for name, code in sources.items() if name in called]
