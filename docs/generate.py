"""Write what in the documentation is made by the program: outputs, the table of ops, pictures.

`make docs` runs it; `tests/test_docs.py` fails where a page is not what this file would write.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import graphc as gc
from graphc.differentiate.local import partial
from graphc.errors import GraphError
from graphc.ir.code import Code, Notation
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops import OPS
from graphc.ops.pointwise import Pointwise

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OPS_PAGE = ROOT / "docs" / "ops.md"
IMAGES = ROOT / "docs" / "images"

#: A fenced block; `<!-- output -->` above it says that it is what the block before it prints.
FENCE = re.compile(
    r"^(?P<output><!-- output -->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page and where its code stands in the text."""

    language: str
    code: str
    is_output: bool
    start: int
    end: int
    line: int


def blocks(text: str) -> Iterator[Block]:
    """Return the fenced blocks of a Markdown page, in order."""
    for match in FENCE.finditer(text):
        start, end = match.span("code")
        line = text.count("\n", 0, start) + 1
        yield Block(match["language"], match["code"], match["output"] is not None, start, end, line)


def executed(text: str, name: str) -> str:
    """Run a page's Python blocks in one namespace; return the page with the outputs they print."""
    namespace: dict[str, Any] = {"__name__": "page"}
    printed = ""
    parts, position = [], 0
    for block in blocks(text):
        if block.is_output:
            parts += [text[position : block.start], printed]
            position = block.end
        elif block.language == "python":
            # Blank lines in front make line numbers in errors those of the page.
            code = compile("\n" * (block.line - 1) + block.code, name, "exec")
            with contextlib.redirect_stdout(io.StringIO()) as stream:
                exec(code, namespace)
            printed = stream.getvalue().rstrip() + "\n"
    return "".join([*parts, text[position:]])


# -- the table of ops ----------------------------------------------------------------------------

HEAD = """# The ops

Written from the registry by `make docs`; `graphc ops NAME` tells more of one op.

In a derivative, `y` is the op's own output: SymPy derives the formula, and the compiler rewrites
the result through `y` where that is cheaper. What holds at a kink is the formula's own case.
"""
FAMILIES = {
    "leaf": "Leaves: inputs, parameters, constants, and arrays that follow from their shape",
    "pointwise": "Pointwise: each element alone, defined by a formula",
    "contraction": "Contractions: products summed over shared index labels",
    "movement": "Movement: elements rearranged, copied or dropped; each is linear",
    "reduction": "Reductions: folds over axes",
    "composite": "Composites: known by one name, made of other ops",
    "random": "Random draws: from the generator that the call is given",
}


def ops_page() -> str:
    """Return docs/ops.md: a table for each family."""
    parts = [HEAD]
    for family, title in FAMILIES.items():
        ops = [op for _, op in sorted(OPS.items()) if op.family == family]
        parts.append(f"\n## {title}\n")
        if family == "pointwise":
            rows = [(op.name, op.doc, mathematics(op), derivative(op)) for op in ops]
            parts.append(table(("op", "what it does", "formula", "derivative"), rows))
        else:
            parts.append(table(("op", "what it does", "NumPy"), [row(op) for op in ops]))
    return "\n".join(parts) + "\n"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, *cells in rows:
        words = [f"`{name}`", *cells]
        lines.append("| " + " | ".join(word.replace("|", "\\|") for word in words) + " |")
    return "\n".join(lines)


def row(op: Op) -> tuple[str, ...]:
    return op.name, op.doc, numpy_form(op)


def mathematics(op: Op) -> str:
    return f"`{op.formula}`" if isinstance(op, Pointwise) else ""


def derivative(op: Op) -> str:
    """Return the partial derivatives of a pointwise op, one for each argument."""
    if not isinstance(op, Pointwise) or op.cuts:
        return "cut"
    texts = [f"`{partial(op, i).text}`" for i in range(op.arity) if not partial(op, i).is_zero]
    return ", ".join(texts) or "0"


def numpy_form(op: Op) -> str:
    """Return the NumPy expression of the op's first case, or what it is lowered to."""
    if not op.cases:
        return ""
    leaves: list[Node] = [
        gc.input(name, arg.shape, arg.dtype)
        for name, arg in zip(("x", "a", "b", "c", "d"), op.cases[0].args, strict=False)
    ]
    node = op(*leaves, **op.cases[0].kwargs)
    names = [Code(operand.name or "…") for operand in node.inputs]
    try:
        return f"`{op.numpy(node, names, Notation()).text}`"
    except (GraphError, NotImplementedError):
        return "lowered to other ops" if op.lower(node) is not None else ""


# -- pictures ------------------------------------------------------------------------------------


#: `ln_product_sine.graph` with its variables called as its trace numbers them.
NUMBERED = """
x1: input(f64)
x2: input(f64)
v2 = log(x1)
v3 = x1 * x2
v4 = sin(x2)
v5 = v2 + v3
y = v5 - v4
output(y)
"""


def draw_pictures() -> None:
    """Draw the pictures of the pages from the examples."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    cos_sin = gc.load(ROOT / "examples" / "cos_sin.graph")
    network = gc.load(ROOT / "examples" / "mlp_3_4_2.graph")
    sine = gc.parse(NUMBERED)
    binary = gc.load(ROOT / "examples" / "binary_network.graph")
    pictures = {
        "cos_sin_backprop": gc.draw.backprop(cos_sin, of="J", at={"x": 0.7}),
        "ln_product_sine_backprop": gc.draw.backprop(sine, of="y", at={"x1": 2, "x2": 5}),
        "mlp_3_4_2": gc.draw.network(network),
        "unit_chain": gc.draw.unit_chain(binary, of="J", at={"x": [1, 2, 3], "y_star": 1}),
    }
    for name, drawing in pictures.items():
        drawing.save(IMAGES / f"{name}.svg")


# -- everything ----------------------------------------------------------------------------------


def main() -> None:
    """Write all pages and pictures."""
    OPS_PAGE.write_text(ops_page(), encoding="utf-8")
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        page.write_text(executed(text, page.name), encoding="utf-8")
    draw_pictures()


if __name__ == "__main__":
    main()
