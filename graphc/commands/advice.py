"""What does advice for Python mean on the command line? Options, and words of a graph's file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from graphc.errors import GraphError
from graphc.ir.text.errors import GraphTextError

_Written: TypeAlias = "str | Callable[[re.Match[str]], str]"


def _values(match: re.Match[str]) -> str:
    """{'a': …, 'b': …} → --at a=… --at b=…"""
    return " ".join(f"--at {name}=…" for name in re.findall(r"'([^']+)'", match[1]))


def _kind(match: re.Match[str]) -> str:
    return f"--kind {match[1].removesuffix('_graph')}"


def _sizes(match: re.Match[str]) -> str:
    """seed=0, D=10, H=10 → --at D=10 --at H=10"""
    return " ".join(f"--at {size}" for size in match[1].split(", ")[1:])


#: What an error says to Python's users -> what it says here; earlier rows first.
_RULES: list[tuple[re.Pattern[str], _Written]] = [
    # pass it by name: a=…  →  pass it: --at a=…
    (re.compile(r"pass it by name: (\w+)=…"), r"pass it: --at \1=…"),
    (re.compile(r"\bat=\{([^}]*)\}"), _values),
    # give it: g.init(seed=0, D=10)  →  give it: --at D=10
    (re.compile(r"\b[fg]\.init\((seed=\d+, [^()]*)\)"), _sizes),
    (re.compile(r"\bsizes=\{'(\w+)': (\d+)\}"), r"--at \1=\2"),
    (re.compile(r"\bwrt=\[?'(\w+)'\]?"), r"--wrt \1"),
    (re.compile(r"\bwrt=\.\.\."), "--wrt NAMES"),
    (re.compile(r"\bcheckpoint=\"([\w.]+)\""), r"--checkpoint \1"),
    # minimize="loss", optimizer=gc.optim.sgd(0.1)  →  --minimize loss --optimizer "sgd(0.1)"
    (re.compile(r"gc\.compile\(g, ((?:[^()]|\([^()]*\))*)\)"), r"\1"),
    (re.compile(r"\boptimizer=gc\.optim\.(\w+\([^()]*\))"), r'--optimizer "\1"'),
    (re.compile(r"\bminimize=\"(\w+)\",?"), r"--minimize \1"),
    (re.compile(r"\bgradient_of=\"(\w+)\",?"), r"--gradient \1"),
    (re.compile(r"gc\.draw\.(\w+)\(g\)"), _kind),
    # gc.derive(graph, "h1", of="loss")  →  graphc derive MODEL.graph --node h1 --of loss
    (
        re.compile(r"gc\.derive\(graph, \"(\w+)\"(?:, of=\"(\w+)\")?\)"),
        lambda found: (
            f"graphc derive MODEL.graph --node {found[1]}"
            + (f" --of {found[2]}" if found[2] else "")
        ),
    ),
    # gc.derive("einsum")  →  graphc derive einsum
    (re.compile(r"gc\.derive\(\"(\w+)\"\)"), r"graphc derive \1"),
    (re.compile(r"gc\.param\(\.\.\., "), "param(…, "),
    # reduce it first: .mean() or .sum()  →  reduce it first: mean(…) or sum(…)
    (re.compile(r"(?<![\w)])\.(mean|sum)\(\)"), r"\1(…)"),
    (
        re.compile(r"once with gradient_of, once with minimize"),
        "once with --gradient, once with --minimize",
    ),
    # a gc.scan, or a layer such as gc.nn.lstm: the functions of a graph's file
    (re.compile(r"\bgc\.(?:(?:nn|init|optim)\.)?(?=\w)"), ""),
]


def for_command_line(error: GraphError) -> GraphError:
    """Return an error with its advice in the words of the command line."""
    if isinstance(error, GraphTextError):
        return error  # its advice is for the file already
    return GraphError(
        error.what,
        where=error.where,
        got=error.got,
        expected=_translated(error.expected),
        fix=_translated(error.fix),
    )


def _translated(advice: object) -> str | None:
    if advice is None:
        return None
    text = str(advice)
    for pattern, written in _RULES:
        text = pattern.sub(written, text)
    return text
