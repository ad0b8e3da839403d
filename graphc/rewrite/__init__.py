"""How does a graph get better? Rules, whole passes, and the order in which they run.

- `engine`: what a rule, a pass and a history are; how rules are found, tried and told.
- `simplify`: the same values by less. Arithmetic, movement, reductions, choices; merge, fold, drop.
- `stabilize`: textbook formulas that overflow, underflow or cancel, in a form that does not.
- `contract`: products and sums as one contraction, windows as products of matrices.
- `loops`: what moves out of a loop, and what of it is kept.
- `speed`: what NumPy computes fastest, for style `fast` alone.

`pipeline` puts the passes in order, `before_derivative` says which of them run before a graph is
differentiated, and `specialize` and `lower` choose the ops that are written down.
"""
