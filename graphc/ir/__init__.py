"""What is a graph? Dims, dtypes, types, nodes, graphs, walks and the text form.

- What it is made of: `op` (what every operation says of itself), `node`, `operators`, `attributes`,
  `types`, `provenance` (where a node comes from), `graph`, `body` (of a loop), `leaves`.
- Sizes: `dims`, `dim_symbols`, `dim_expressions`, and `symbols`, the one door to SymPy.
- Names: `labels`, `naming`, `given` (what callers name), `latex_names`, `foreign_names`.
- What is known of values: `bounds` (at finite inputs), `ranges` (at any), `access` (who reads it).
- What is done with graphs: `walk`, `structure` (are two equal?), `verify`, `pickled`.
- `text`: the text form, read and printed. `code`: pieces of source with their precedence.
"""
