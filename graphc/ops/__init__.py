"""What does each op mean? One definition each, grouped by family. Importing this registers all.

- `elementwise`: what acts on each element alone. Arithmetic, functions, choices, comparisons.
- `movement`: what rearranges, takes or places elements. Reshapes, slices, indices, rows of tables.
- `reduction`: what folds axes away, or measures along them. Sums, extremes, norms, running folds.
- `contraction`: what multiplies and adds up. Einsum, products of matrices, equations with them.
- `windows`: what slides over the last axes. Convolutions and pooling.

Beside them: `leaf` (inputs, parameters, numbers), `regular_arrays` and `stored` (constants),
`random` and `dropout`, `loop` (scan), `composite` (ops defined by a graph of others), `barrier`
(what stops something). What all share: `registry` (name -> op), `axes`, `promotion` (dtypes and
shapes together), `batching` (one more axis in front), `linear`, `infix` (Python's operators).
"""

from graphc.ops import (
    barrier,
    composite,
    dropout,
    leaf,
    loop,
    random,
    regular_arrays,
    stored,
)
from graphc.ops.contraction import einsum, linear_algebra
from graphc.ops.elementwise import (
    activations,
    comparisons,
    elementary,
    gamma,
    guards,
    limits,
    logaddexp,
    normal_tail,
    opposite,
    pointwise,
    special,
    trigonometry,
)
from graphc.ops.movement import (
    along_axis,
    gather_rows,
    indexing,
    packing,
    rearranging,
    reshaping,
    rows,
    scatter_columns,
    scatter_max,
    scatter_rows,
    searching,
    slicing,
    sorting,
)
from graphc.ops.reduction import folding, norm, normalization, response, running
from graphc.ops.registry import OPS, get_op, register
from graphc.ops.windows import convolution, pooling, pooling_gradient, sliding, spread_windows

__all__ = ["OPS", "get_op", "register"]
