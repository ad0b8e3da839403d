"""The house: imports point one way, op facts stand in one place, `import graphc` loads little."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from graphc.ops import OPS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "graphc"
FILES = sorted(PACKAGE.rglob("*.py"))

#: Data flows from left to right; rooms inside one tuple do not import one another. `graphc` itself
#: (`__init__.py`) names the public functions, and the command line calls those.
HOUSE = (
    ("errors",),
    ("ir",),
    ("ops",),
    ("build", "differentiate", "rewrite", "plan"),
    ("emit",),
    ("run",),
    ("draw", "train"),
    ("stable_derivatives", "stable_ops"),
    ("compile", "explore"),
    ("graphc",),
    ("commands",),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: floor for floor, rooms in enumerate(HOUSE) for room in rooms}

#: "About 400 lines": past this a file answers more than one question.
LONGEST = 400

#: Comparisons of an op's name with literal text outside `ops/` and `rewrite/`, at most so many.
NAMED_OPS = {
    "graphc/differentiate/sweeps/product.py": 1,  # zeros that `pad` put there
}

#: Tables keyed by op names outside `ops/` and `rewrite/`, at most so many.
TABLES = {
    "graphc/differentiate/formulas/symbolic.py": 3,  # what SymPy calls a function
}

#: Dicts keyed by op names in `rewrite/`, exactly so many: patterns name ops, facts stand in them.
PATTERNS = {
    "graphc/rewrite/simplify/movement.py": 1,  # what a slice of each becomes
    "graphc/rewrite/contract/convolution.py": 1,  # what reduced windows become
}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room(path: Path) -> str:
    """Return the room a file stands in: `ir` for graphc/ir/node.py, `cli` for graphc/cli.py."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "graphc" if first == "__init__" else first


def imported_modules(path: Path) -> Iterator[tuple[int, str]]:
    """Return each module of graphc that a file imports, with its line, at any depth."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "graphc":
                yield from ((node.lineno, f"graphc.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level


def imported_rooms(path: Path) -> Iterator[tuple[int, str]]:
    for line, module in imported_modules(path):
        parts = module.split(".")
        if parts[0] == "graphc":
            # A name of the package that is not a room is what `__init__.py` exports.
            target = parts[1] if len(parts) > 1 and parts[1] in FLOOR else "graphc"
            yield line, target


def test_every_file_stands_in_a_room_of_the_house() -> None:
    assert {room(path) for path in FILES} <= set(FLOOR)


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_point_to_the_left(path: Path) -> None:
    here = room(path)
    wrong = [
        f"{relative(path)}:{line} imports {target}"
        for line, target in imported_rooms(path)
        if target != here and FLOOR[target] >= FLOOR[here]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_file_grows_past_its_question() -> None:
    lengths = {relative(path): len(path.read_text("utf-8").splitlines()) for path in FILES}
    long = {name: length for name, length in lengths.items() if length > LONGEST}
    assert not long, f"split what answers two questions: {long}"


def test_no_star_imports_and_no_drawer_of_odds_and_ends() -> None:
    for path in FILES:
        assert path.stem not in {"utils", "util", "helpers", "misc", "common"}, relative(path)
        for node in ast.walk(tree(path)):
            assert not (isinstance(node, ast.ImportFrom) and node.names[0].name == "*")


def is_op_name(node: ast.expr) -> bool:
    """Say whether an expression reads `op.name` or `x.op.name`."""
    if not (isinstance(node, ast.Attribute) and node.attr == "name"):
        return False
    owner = node.value
    return (isinstance(owner, ast.Attribute) and owner.attr == "op") or (
        isinstance(owner, ast.Name) and owner.id == "op"
    )


def named_op_comparisons(path: Path) -> list[int]:
    """Return the lines that compare an op's name with literal text."""
    lines = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Match) and is_op_name(node.subject):
            lines.append(node.lineno)
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        literal = any(
            isinstance(part, ast.Constant) and isinstance(part.value, str)
            for side in sides
            for part in ast.walk(side)
        )
        if literal and any(map(is_op_name, sides)):
            lines.append(node.lineno)
    return lines


def op_tables(path: Path, kind: type[ast.expr] = ast.expr) -> list[int]:
    """Return the lines of literals whose four or more text keys are all names of ops."""
    lines = []
    for node in ast.walk(tree(path)):
        if not isinstance(node, kind):
            continue
        if isinstance(node, ast.Dict):
            parts = [key for key in node.keys if key is not None]
        elif isinstance(node, (ast.Set, ast.List, ast.Tuple)):
            parts = list(node.elts)
        else:
            continue
        words = [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]
        if len(words) >= 4 and len(words) == len(parts) and all(word in OPS for word in words):
            lines.append(node.lineno)
    return lines


def functions_by_family(path: Path) -> list[int]:
    """Return the lines of functions with `singledispatch` on an op."""
    return [
        node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(d, ast.Name) and d.id == "singledispatch" for d in node.decorator_list)
        and isinstance(node.args.args[0].annotation, ast.Name)
        and node.args.args[0].annotation.id == "Op"
    ]


OUTSIDE = [path for path in FILES if room(path) not in {"ops", "rewrite"}]


def test_exceptions_are_still_needed() -> None:
    for name, count in NAMED_OPS.items():
        assert len(named_op_comparisons(ROOT / name)) == count, f"NAMED_OPS[{name!r}]"
    for name, count in TABLES.items():
        assert len(op_tables(ROOT / name)) == count, f"TABLES[{name!r}]"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_families_answer_by_their_own_methods(path: Path) -> None:
    found = functions_by_family(path)
    assert not found, f"{relative(path)}: make it a method of the op, {found}"


@pytest.mark.parametrize("path", OUTSIDE, ids=relative)
def test_op_facts_stand_in_the_op(path: Path) -> None:
    name = relative(path)
    compared, tables = named_op_comparisons(path), op_tables(path)
    assert len(compared) <= NAMED_OPS.get(name, 0), f"{name}: ask the op, lines {compared}"
    assert len(tables) <= TABLES.get(name, 0), f"{name}: a second table of ops, lines {tables}"


@pytest.mark.parametrize("path", [p for p in FILES if room(p) == "rewrite"], ids=relative)
def test_rewriting_asks_ops_for_facts(path: Path) -> None:
    tables = op_tables(path, ast.Dict)
    assert len(tables) == PATTERNS.get(relative(path), 0), f"ask the op, lines {tables}"


#: The command line and its options, which nothing else imports.
COMMAND_LINE = ("graphc/cli.py", "graphc/commands/options.py")
HEAVY = ("sympy", "matplotlib", "graphviz", "sklearn", "rich", "typer", "mpmath")


def test_importing_graphc_loads_numpy_and_nothing_else() -> None:
    probe = (
        "import sys; before = set(sys.modules); import graphc; "
        "print(*{name.partition('.')[0] for name in sys.modules.keys() - before})"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split()) - sys.stdlib_module_names
    assert {name for name in loaded if "cython" not in name} == {"graphc", "numpy"}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_heavy_libraries_are_imported_at_one_door(path: Path) -> None:
    top = [
        node
        for node in tree(path).body
        if isinstance(node, (ast.Import, ast.ImportFrom)) and relative(path) not in COMMAND_LINE
    ]
    names = [
        alias.name if isinstance(node, ast.Import) else (node.module or "")
        for node in top
        for alias in node.names
    ]
    heavy = [name for name in names if name.split(".")[0] in HEAVY]
    assert not heavy, f"{relative(path)} imports {heavy} when it is imported"
