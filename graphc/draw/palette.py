"""Which colours do drawings use? Each role once, with its counterpart on a dark page.

Every ink below has a contrast of at least 4.5:1 against every fill it stands on, in both modes
(WCAG 2.1, success criterion 1.4.3); `tests/draw/test_palette.py` computes it.
"""

from __future__ import annotations

INK = "#1F2933"  # names and formulas
MUTED = "#56626D"  # captions, kinds, shapes
EDGE = "#52606D"  # forward edges
VALUE = "#0072B2"  # forward values ▸, positive weights
ADJOINT = "#A63D00"  # adjoints ◂, negative weights; always dashed as well
GREEN = "#2B7A4B"  # the third of several shared matrices; always labelled as well
PURPLE = "#7A3E9D"  # the fourth

PAPER = "#FFFFFF"
INPUT_FILL = "#E3EEF9"
PARAMETER_FILL = "#E6F3EA"
CONSTANT_FILL = "#EEF0F2"
OUTPUT_FILL = "#FDF0DC"
GROUP_FILL = "#F3F0FA"
ADJOINT_FILL = "#FFF7F0"
GATE_FILL = "#FCE9B8"  # a layer inside a cell
POINTWISE_FILL = "#F7D4E0"  # an operation inside a cell
CELL_FILL = "#F2F6F3"

FORWARD_FRAME = "#D5DAE0"  # decoration: frames carry no meaning of their own
BACKWARD_FRAME = "#F0D3BF"
CELL_FRAME = "#9FB3A6"

INKS = (INK, MUTED, EDGE, VALUE, ADJOINT, GREEN, PURPLE)
FILLS = (
    PAPER,
    INPUT_FILL,
    PARAMETER_FILL,
    CONSTANT_FILL,
    OUTPUT_FILL,
    GROUP_FILL,
    ADJOINT_FILL,
    GATE_FILL,
    POINTWISE_FILL,
    CELL_FILL,
)

#: Light colour -> the same role on a dark page.
DARK = {
    INK: "#E8EDF2",
    MUTED: "#B4BFCA",
    EDGE: "#A9B5C1",
    VALUE: "#7CC4F5",
    ADJOINT: "#FFA971",
    GREEN: "#7FD6A3",
    PURPLE: "#D2A8F0",
    PAPER: "#14181D",
    INPUT_FILL: "#1B2E41",
    PARAMETER_FILL: "#1C3225",
    CONSTANT_FILL: "#2A3037",
    OUTPUT_FILL: "#3A2D16",
    GROUP_FILL: "#2A2640",
    ADJOINT_FILL: "#33231A",
    GATE_FILL: "#453A14",
    POINTWISE_FILL: "#45232F",
    CELL_FILL: "#1C221F",
    FORWARD_FRAME: "#3C4651",
    BACKWARD_FRAME: "#5C4030",
    CELL_FRAME: "#46574D",
}
