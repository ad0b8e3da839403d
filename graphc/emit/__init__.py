"""How is a Program written down? Source text.

- `readable`: expressions, one idea a line, and loops over what is alike.
- `fast`: the same values in kept buffers, in blocks, on all cores.
- `lines`: how a line is written. Names, brackets, wrapping, tables.
- `check`: the check of its own gradient that a module brings along.

`module` writes the whole; beside it stands what both styles share: `body`, `expressions`, `loops`,
`docstring`, `preamble`, `initial` (first values), `dims`, `leaving` (outputs), `headings`.
"""

from graphc.emit.module import function_name, traced_function, write_module

__all__ = ["function_name", "traced_function", "write_module"]
