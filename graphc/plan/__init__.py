"""In which order and in which memory? Schedule, lifetimes, buffers: a Program.

- `program`: what a Program is; `loops`: a loop's body as one of its own.
- Order and memory: `schedule`, `buffers`, `implicit` (what broadcasts by itself), `whole_numbers`
  (what is kept as an array), `memory`, and `cost`, with `amounts` that depend on dims.
- Statements that run together: `runs`, `blocks` (of pointwise work), `samples`.
- Statements that are alike: `repeat_search`, `repeats`, `layers`, `layer_names`, `update_loops`,
  `shared_updates`, `squares`.
"""

from graphc.plan.program import Program, Statement
from graphc.plan.schedule import plan

__all__ = ["Program", "Statement", "plan"]
