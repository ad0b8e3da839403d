"""How does a user write a graph? Operators, functions, layers, losses, optimizers.

- `arrays`: the array functions, a file for each kind. `functions` has their public names.
- `layers`: layers and losses, and what they share. `nn` has their public names.
- `training`: what optimizers are made of. `optim` has the optimizers, `init` and `initializers`
  the first values.

Beside them: `graphs` (leaves, and variants of a graph), `loops` (scan), `from_function`,
`numpy_protocol` (NumPy's functions on nodes), `binding` (operators and methods), `namespace` (what
a text may call) and `made_of_ops` (what that is made of), `variables` (names), `settings` (classes
that are written as calls).
"""

from graphc.build.binding import bind_operators

bind_operators()
