"""What was meant by a line that cannot be read? Words of Python's, signs that resemble, habits."""

from __future__ import annotations

import ast
import keyword
import re

#: Words of Python's that stand in lines of the text form with that meaning.
_MEANT = {"and", "as", "def", "for", "if", "in", "is", "not", "or", "return", "with"}
_WORD = re.compile(r"[^\W\d]\w*|\"[^\"]*\"|'[^']*'|#.*")
_NAMED = re.compile(r"(?P<word>[^\W\d]\w*)\s*(?P<rest>:\s*(?:input|param|dim)\b|=(?!=))")

#: What is pasted from a page -> what is typed.
_TYPED = {
    **dict.fromkeys("−–—‐‑", "-"),
    **dict.fromkeys("×·⋅∗⊙", "*"),
    **dict.fromkeys("÷∕⁄", "/"),
    **dict.fromkeys("“”„«»", '"'),
    **dict.fromkeys("‘’‚′", "'"),
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "²": "**2",
    "³": "**3",
    "√": "sqrt(…)",
    "∑": "sum(…)",
    "，": ",",
    "：": ":",
    "（": "(",
    "）": ")",
    "＝": "=",
    "…": "...",
}
#: Statements of Python's -> what stands for them.
FIXES: dict[type[ast.stmt], str] = {
    ast.AugAssign: "write the line in full: x = x + 1",
    ast.Import: "functions of graphc are known without an import",
    ast.ImportFrom: "functions of graphc are known without an import",
    ast.Return: "a graph ends in output(y)",
}
#: Statements of Python's -> what they are called.
NAMES: dict[type[ast.stmt], str] = {
    ast.AugAssign: "an assignment that changes a value",
    ast.ImportFrom: "`import`",
    ast.Delete: "`del`",
    ast.With: "a block on this line",
    ast.Return: "`return` outside a loop body, or before its end,",
}
_INVALID = re.compile(r"invalid (?:non-printable )?character .*\(?U\+(?P<code>[0-9A-F]+)\)?")


def word_as_name(line: str) -> str | None:
    """Return the word of Python's to which a line gives a value: `lambda` of `lambda = 0.1`."""
    found = _NAMED.match(line)
    return found["word"] if found and keyword.iskeyword(found["word"]) else None


def name_for(word: str) -> str:
    """Return how a value is called that cannot be called by a word of Python's."""
    return f'call it {word}_; in calls the name stays by {word}_: input(f32, name="{word}")'


def what_was_meant(line: str, problem: str) -> str | None:
    """Return how a line is mended that Python cannot read, as far as that is plain."""
    if "decimal literal" in problem:
        return "a product is 2*x"
    invalid = _INVALID.match(problem)
    if invalid:
        sign = chr(int(invalid["code"], 16))
        if sign in _TYPED:
            return f"type {_TYPED[sign]} for {sign}"
        return "type a space" if not sign.isprintable() else None
    words = [word for word in _WORD.findall(line) if keyword.iskeyword(word)]
    strange = [w for w in words if w not in _MEANT and w not in ("True", "False", "None")]
    return f"{strange[0]!r} is a word of Python's: {name_for(strange[0])}" if strange else None


def miscounted(names: int, count: int, function: str | None) -> tuple[str, str]:
    """Return what is wrong where as many names stand on the left as there are no values."""
    ending = "s" * (count != 1)
    fix = f"write {count} name{ending} on the left"
    is_short = function == "scan" and count < names
    fix += ", or return more from the loop's body: return h, h" * is_short
    return f"{names} names for {count} value{ending}", fix


def one_by_one(tree: ast.expr) -> str | None:
    """Return how a shape is mended whose sizes stand together: `input(f32, (N, 3))`."""
    return "name the sizes one by one: N, 3" if isinstance(tree, (ast.Tuple, ast.List)) else None


def without_value(function: str | None) -> str | None:
    """Return how a declaration is mended behind which a value stands: `x: input(f32) = 3`."""
    hints = {"input": "each call gives the value", "param": "init= gives the first value"}
    return f"a declaration has no `=`: {hints[function]}" if function in hints else None
