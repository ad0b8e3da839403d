"""How does a user write a graph? Operators, functions, layers, losses, optimizers."""

from graphc.build.binding import bind_operators

bind_operators()
