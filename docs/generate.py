"""Write what in the documentation is made by the program: outputs, the table of ops, pictures.

`make docs` runs it; `tests/test_docs.py` fails where a page is not what this file would write.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import graphc as gc
from graphc.build.functions import ARRAY_FUNCTIONS
from graphc.differentiate.formulas.local import partial
from graphc.ir.code import Code, Notation
from graphc.ir.graph import METHODS, Graph
from graphc.ir.node import Node
from graphc.ir.op import Op
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.rewrite.engine.examples import example_text
from graphc.rewrite.engine.rule import Rule
from graphc.rewrite.pipeline import FAST_PASSES, Pass, optimize
from graphc.run.compiled import CompiledFunction

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OPS_PAGE = ROOT / "docs" / "ops.md"
OPTIMIZER_PAGE = ROOT / "docs" / "optimizer.md"
API_PAGE = ROOT / "docs" / "api.md"
IMAGES = ROOT / "docs" / "images"

#: A fenced block; `<!-- output -->` above it says that it is what the block before it prints.
FENCE = re.compile(
    r"^(?P<output><!-- output -->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S
)


#: A part of a page that a function of `PARTS` writes; others belong to other programs.
PART = re.compile(
    r"(?P<begin><!-- begin: (?P<name>[\w ]+) -->\n).*?(?P<end><!-- end: (?P=name) -->)", re.S
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
    """Run a page's Python blocks in one namespace; return the page with what is made for it.

    That is the outputs that the blocks print, and the parts between `begin` and `end`. Ops that the
    page defines are gone afterwards.
    """
    before = dict(OPS)
    try:
        return _executed(text, name)
    finally:
        OPS.clear()
        OPS.update(before)


def _executed(text: str, name: str) -> str:
    text = PART.sub(written, text)
    namespace: dict[str, Any] = {"__name__": "__main__"}
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
the result through `y` where that is cheaper. A comparison counts as 1 where it holds, else as 0.
What holds at a kink is the formula's own case.
"""
FAMILIES = {
    "leaf": "Leaves: inputs, parameters, constants, and arrays that follow from their shape",
    "pointwise": "Pointwise: each element alone, defined by a formula",
    "contraction": "Contractions: products summed over shared index labels",
    "movement": "Movement: elements rearranged, copied or dropped; each is linear",
    "reduction": "Reductions: folds over axes",
    "linear algebra": "Linear algebra: square matrices, and stacks of them",
    "composite": "Composites: known by one name, made of other ops",
    "loop": "Loops: a body that runs once for each step, and what is taken from its results",
    "barrier": "Barriers: a value passed on, and something else stopped",
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
    except NotImplementedError:
        return "lowered to other ops" if op.lower(node) is not None else ""


# -- what an op says -----------------------------------------------------------------------------

#: At least this share of the classes of ops, but for pointwise ones -> what stands above the table.
SAID = {2 / 3: "Nearly every op says", 1 / 7: "Many say", 0: "A few say"}
#: Ops that are good to read: the first that says it is the example, else the shortest.
READABLE = ("cumsum", "take_along_axis", "scatter_add", "slice", "batch_normalize", "std", "abs")


def what_ops_say() -> str:
    """Return tables of what a class of ops may state, the most common first, from `Op` itself."""
    remarks = remarks_of(Op)
    others = [op for op in OPS.values() if not isinstance(op, Pointwise)]
    rows: dict[str, list[tuple[str, ...]]] = {title: [] for title in SAID.values()}
    for member in vars(Op):
        ops = [op for _, op in sorted(OPS.items()) if member in remarks and states(op, member)]
        if ops and member != "__init__":
            share = len({type(op) for op in others if op in ops}) / len(set(map(type, others)))
            title = next(title for least, title in SAID.items() if share >= least)
            rows[title].append((member, remarks[member], example(ops, member)))
    head = ("what", "what it says", "an example")
    return "\n".join(f"{title}:\n\n{table(head, found)}\n" for title, found in rows.items())


def states(op: Op, member: str) -> bool:
    """Say whether an op answers for itself, and not as `Op` does."""
    default = vars(Op)[member]
    if inspect.isfunction(default):
        return getattr(type(op), member) is not default
    return bool(getattr(op, member) != default)


def example(ops: Sequence[Op], member: str) -> str:
    """Return a link to an op that states it in few words."""

    def length(op: Op) -> int:
        stated = getattr(type(op), member)
        return len(inspect.getsource(stated)) if inspect.isfunction(stated) else 0

    readable = [OPS[name] for name in READABLE if OPS[name] in ops]
    op = readable[0] if readable else min(ops, key=length)
    stating = [cls for cls in type(op).__mro__ if member in vars(cls) and cls is not Op]
    module = (*stating, type(op))[0].__module__  # of an instance that says it, its class's
    return f"[`{op.name}`](../{module.replace('.', '/')}.py)"


def remarks_of(cls: type) -> dict[str, str]:
    """Return what a class says of its members: docstrings, and comments above attributes."""
    source = inspect.getsource(cls)
    lines = [line.strip() for line in source.splitlines()]
    found = {}
    for part in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            start = part.lineno - 1
            while lines[start - 1].startswith("#: "):
                start -= 1
            words = [line.removeprefix("#: ") for line in lines[start : part.lineno - 1]]
            found[part.target.id] = " ".join(words)
        elif isinstance(part, ast.FunctionDef) and (doc := ast.get_docstring(part)):
            paragraphs = [p for p in doc.split("\n\n") if not p.startswith("**")]
            found[part.name] = " ".join(" ".join(paragraphs).split())
    return found


#: Name of a part of a page -> what writes it.
PARTS = {"what ops say": what_ops_say}


def written(match: re.Match[str]) -> str:
    """Return a part of a page anew."""
    if match["name"] not in PARTS:
        return match[0]
    return f"{match['begin']}\n{PARTS[match['name']]()}\n{match['end']}"


# -- the public names ----------------------------------------------------------------------------

API_HEAD = """# The public names

Written from the docstrings by `make docs`; `help(gc.nn.dense)` tells more of one name.
`import graphc as gc` gives all of them. A node answers to NumPy's operators, methods and functions:
`x @ W`, `x[:, 0]`, `x.T`, `x.mean(axis=0)`, `np.tanh(x)`.
"""
#: What a graph holds, beside what it can do.
GRAPH_FACTS = {
    "name": "Its name; the emitted function has it too.",
    "doc": "What it is, in words.",
    "inputs": "Name -> node, of what each call provides.",
    "params": "Name -> node, of what the state keeps: weights, running averages, slots.",
    "outputs": "Name -> node, of what it computes.",
    "updates": "Name of a parameter -> node of its next value.",
    "nodes": "All nodes, operands before their users.",
    "history": "What each rewriting pass did.",
}
#: What a compiled function holds, beside what it can do.
FUNCTION_FACTS = {
    "source": "The text of the emitted module, which stands alone.",
    "graph": "The graph that was emitted: optimized, with gradients and updates.",
    "history": "What each rewriting pass did.",
    "module": "The emitted module, loaded.",
    "function": "Its function, without the checks of a call: arrays of the right types alone.",
    "draws": "Whether it takes random numbers, so that a call gives an `rng`.",
}


def api_sections() -> dict[str, Mapping[str, Any]]:
    """Return what is public: title of a table -> name as users write it -> object."""
    top = {name: getattr(gc, name) for name in gc.__all__}
    modules = {name: value for name, value in top.items() if inspect.ismodule(value)}
    tools = {
        f"gc.{name}": value
        for name, value in top.items()
        if name not in modules and ARRAY_FUNCTIONS.get(name) is not value
    }
    arrays = {
        f"gc.{name}": value
        for name, value in top.items()
        if name not in modules and ARRAY_FUNCTIONS.get(name) is value
    }
    tables: dict[str, Mapping[str, Any]] = {
        "Define, differentiate, compile, check": tools,
        "A graph": {
            f"g.{name}": value for name, value in (GRAPH_FACTS | members(Graph, METHODS)).items()
        },
        "A compiled function": {"f": CompiledFunction.__call__}
        | {
            f"f.{name}": value
            for name, value in (FUNCTION_FACTS | members(CompiledFunction, {})).items()
        },
        "Array functions, NumPy's names": arrays,
    }
    modules["train.data"] = gc.train.data
    for name, module in sorted(modules.items()):
        title = (inspect.getdoc(module) or "").splitlines()[0].rstrip(".")
        public = [n for n in module.__all__ if not inspect.ismodule(getattr(module, n))]
        tables[f"`gc.{name}`: {title[0].lower()}{title[1:]}"] = {
            f"gc.{name}.{n}": getattr(module, n) for n in public
        }
    return tables


def members(cls: type, bound: Mapping[str, Any]) -> dict[str, Any]:
    """Return the public methods and properties of a class, and what is bound to it elsewhere."""
    own = {n: v for n, v in vars(cls).items() if not n.startswith("_") and inspect.getdoc(v)}
    return own | {n: v for n, v in bound.items() if n != "text"}


def api_page() -> str:
    """Return docs/api.md: name, call and first line of the docstring, table by table."""
    parts = [API_HEAD]
    for title, names in api_sections().items():
        parts.append(f"\n## {title}\n")
        is_method = title.startswith("A ")
        rows = [(call(n, value, is_method), summary(value)) for n, value in names.items()]
        parts.append(table(("call", "what it does"), rows))
    return "\n".join(parts) + "\n"


def call(name: str, value: Any, is_method: bool) -> str:
    """Return `gc.nn.dense(x, size, *, name=None, …)`, without annotations."""
    if not callable(value):
        return name
    try:
        found = inspect.signature(value)
    except ValueError:  # an exception class of Python's own signature
        return name
    parameters: Iterable[inspect.Parameter] = found.parameters.values()
    if is_method:
        parameters = list(parameters)[1:]
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    text = str(inspect.Signature(bare)).replace(", /)", ")").replace("/, ", "")
    return name + text.replace("*unnamed", "*")  # it is there to say that inputs go by name


def summary(value: Any) -> str:
    """Return the first paragraph of a docstring, on one line."""
    if isinstance(value, dict):
        return f"What the text form calls by name: {', '.join(value)}."
    text = value if isinstance(value, str) else inspect.getdoc(value) or ""
    return " ".join(text.split("\n\n")[0].split())


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


# -- the optimizer -------------------------------------------------------------------------------

OPTIMIZER_HEAD = """# The optimizer, pass by pass

Written from the passes themselves by `make docs`. They run in this order on the whole graph,
forward, backward and update together; some run before differentiation, too. A rule is *exact*
(level 1: it keeps every bit, up to the sign of a zero), it *reassociates* (level 2, the default:
rounding may change, and a 0 that a choice puts hides what it is multiplied with, NaN too) or
*assumes finite* numbers (level 3). Each is tested three ways: it fires in the pipeline, it keeps
the value at random and at extreme points, and where it is an identity of scalars SymPy confirms it.

`gc.optimize(graph).history` holds what each pass did: the graph before and after it, and every
firing with the nodes that it replaced. `print(graph.history)`, or `graphc explain MODEL.graph
--gradient loss`, tells pass by pass which rule fired, why, and what it made of which formula.
"""
_LOOP = """def cell(h, x_t):
    h = tanh(x_t @ W + h @ U)
    return h, h
x: input(f32, 9, N, 4)
W: param(f32, 4, 3)
U: param(f32, 3, 3)
h, hs = scan(cell, init=zeros((N, 3)), xs=x)
"""
_GATES = """def cell(h, x_t):
    gates = sigmoid(x_t + h @ U)
    h = gates[:, :3]*h + gates[:, 3:]
    return h
x: input(f32, 9, N, 6)
U: param(f32, 3, 6)
h, = scan(cell, init=zeros((N, 3)), xs=x)
output(h)
"""
#: Pass -> a graph that shows what it does, where the example of its first rule would not.
SHOWN = {
    "simplify": "x: input(f32, N)\ny = -(-x) + 0*3 + x*1\noutput(y)",
    "stabilize": "z: input(f32, N, 10)\np = exp(z)/sum(exp(z), axis=1, keepdims=True)\n"
    "y = log(p)\noutput(y)",
    "merge common": "x: input(f32, N)\ny = tanh(x)*(1 - tanh(x))\noutput(y)",
    "contractions": "x: input(f32, N, 4)\nw: input(f32, 4, 2)\n"
    "y = sum(x[:, :, None]*w[None], axis=1)\noutput(y)",
    "for speed": "z: input(f32, N, 10)\ny = mean(softplus(z), axis=0)\noutput(y)",
    "lower": "x: input(f32, N)\ny = silu(x)\noutput(y)",
    "hoist before loops": _LOOP + "output(h)",
    "lay apart": _GATES,
    "turn weights": _LOOP.replace("h @ U", "h @ U.T") + "output(h)",
    "side by side": "z: input(f32, N, 4)\na = tanh(z[:, :2])\nb = tanh(z[:, 2:])\noutput(a, b)",
    "share exponentials": "x: input(f32, N)\ny = exp(x)\nz = exp(-x)\noutput(y, z)",
}


def optimizer_page() -> str:
    """Return docs/optimizer.md: each pass, an example, and its rules with their reasons."""
    parts, seen = [OPTIMIZER_HEAD], set()
    for step in FAST_PASSES:
        if step.name not in seen:
            seen.add(step.name)
            only = " Style `fast` only." if step.is_for_speed else ""
            parts.append(f"\n## {step.name}\n\n{step.title}.{only}\n")
            parts += before_and_after(step.name, (*step.rules, *step.helpers))
            rules = [(r.name, f"`{r.formula}`", r.exactness, r.why) for r in named_rules(step)]
            parts.append(table(("rule", "rewrite", "exactness", "why"), rules))
    return "\n".join(parts) + "\n"


def named_rules(step: Pass) -> list[Rule]:
    """Return a pass's own rules; those that keep the normal form stand in the pass `simplify`."""
    return list(step.rules or step.helpers)


def before_and_after(name: str, rules: Sequence[Rule]) -> list[str]:
    """Return the graph and the code before and after a pass, where its example changes."""
    examples = (
        [SHOWN[name]]
        if name in SHOWN
        else [example_text(r) for r in rules if r.example or not r.apply]
    )
    for text in examples:
        graph = optimize(gc.parse(text), 2, "fast")
        for record in graph.history:
            if record.name == name and record.firings and record.before is not record.graph:
                shown = [("before", record.before), ("after", record.graph)]
                return [part for title, stage in shown for part in stage_block(title, stage)]
    return []


def stage_block(title: str, graph: Graph) -> list[str]:
    text = str(graph.with_outputs(graph.outputs, graph.updates, history=())).strip()
    return [f"{title.capitalize()}:\n", f"```text\n{text}\n```\n", f"```text\n{body(graph)}\n```\n"]


def body(graph: Graph) -> str:
    """Return the statements of the emitted function, without its entry."""
    source = gc.emit(graph)
    code = source.split('"""\n')[-1] if "def check" not in source else source
    code = re.sub(
        r"    if [^\n]*shape.*?raise ValueError\(.*?\)\n(?=    \S|\n)", "", code, flags=re.S
    )
    return textwrap.dedent(code).strip()


def main() -> None:
    """Write all pages and pictures."""
    OPTIMIZER_PAGE.write_text(optimizer_page(), encoding="utf-8")
    OPS_PAGE.write_text(ops_page(), encoding="utf-8")
    API_PAGE.write_text(api_page(), encoding="utf-8")
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        page.write_text(executed(text, page.name), encoding="utf-8")
    draw_pictures()


if __name__ == "__main__":
    main()
