"""How are names and words written in LaTeX? `y_hat` as `\\hat{y}`, `50%` as `50\\%`."""

from __future__ import annotations

import re

_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)
#: Greek letters by the names that LaTeX has for them.
GREEK = dict(zip(_GREEK_NAMES.split(), "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ", strict=True))
_NAME_OF_LETTER = {letter: name for name, letter in GREEK.items()} | {"ϕ": "phi", "ϵ": "epsilon"}
_LOWERED, _RAISED = "₀₁₂₃₄₅₆₇₈₉", "⁰¹²³⁴⁵⁶⁷⁸⁹"
_DIGITS = str.maketrans(_LOWERED, "0123456789")

_CHARACTERS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "∂": r"$\partial$",
    "·": r"$\cdot$",
    "−": r"$-$",
    "∞": r"$\infty$",
    "…": r"\dots{}",
    "‖": r"$\Vert$",
    "×": r"$\times$",
    "∇": r"$\nabla$",
    "ℓ": r"$\ell$",
}
_CHARACTERS |= {char: f"\\{char}" for char in "&%$#_{}"}
_CHARACTERS |= {letter: rf"$\{name}$" for letter, name in _NAME_OF_LETTER.items()}
_CHARACTERS |= {letter: f"$_{{{digit}}}$" for digit, letter in enumerate(_LOWERED)}
_CHARACTERS |= {letter: f"$^{{{digit}}}$" for digit, letter in enumerate(_RAISED)}

_ACCENTS = {"hat": r"\hat", "tilde": r"\tilde", "bar": r"\bar", "dot": r"\dot"}
_MARKS = dict(zip("\u0302\u0303\u0304\u0307", _ACCENTS, strict=True))
_ACCENTED = re.compile(f"([^\\W\\d_])([{''.join(_MARKS)}])")
_LETTER = re.compile(f"{_ACCENTED.pattern}|.", re.DOTALL)
_ACCENTED_ALONE = re.compile(rf"(?<![^\W_]){_ACCENTED.pattern}(?![^\W\d_])")
_NAME = re.compile(r"(?P<stem>[^\W\d_]+)(?P<rest>(_[^\W_]+)*?)(?P<digits>_?\d+)?")
_RUN_TOGETHER = re.compile(
    rf"(?!that|what|chat)(?P<letter>[^\W\d_]|{'|'.join(GREEK)})(?P<accent>hat|tilde)(?P<rest>_?\d*)"
)
_NUMBERED_ACCENT = re.compile(rf"(_(?:{'|'.join(_ACCENTS)}))(\d+)$")
_GREEK_ALONE = re.compile(rf"(?<![^\W_])([{''.join(_NAME_OF_LETTER)}])(?![^\W\d_])")


def latex_escape(text: str) -> str:
    """Return text for LaTeX's text mode: what has a meaning there is written as a character."""
    return _LETTER.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    letter, mark = found.groups()
    if not mark:
        return _CHARACTERS.get(found[0], found[0])
    inside = rf"\{_NAME_OF_LETTER[letter]}" if letter in _NAME_OF_LETTER else letter
    return f"${_ACCENTS[_MARKS[mark]]}{{{inside}}}$"


def with_accent_apart(name: str) -> str:
    """Return a name with its accent behind a line, as `y_hat` has it.

    >>> with_accent_apart("yhat"), with_accent_apart("thetahat2"), with_accent_apart("what")
    ('y_hat', 'theta_hat2', 'what')
    """
    match = _RUN_TOGETHER.fullmatch(name)
    return f"{match['letter']}_{match['accent']}{match['rest']}" if match else name


def name_latex(name: str) -> str:
    r"""Return a user's name in LaTeX mathematics, escaped; it can be raised and lowered.

    >>> name_latex("x1"), name_latex("yhat"), name_latex("alpha"), name_latex("y_star")
    ('x_{1}', '\\hat{y}', '\\alpha', '{y^{*}}')
    >>> name_latex("β₂"), name_latex("W_theta"), name_latex("50%")
    ('\\beta_{2}', 'W_{\\theta}', '\\text{50\\%}')
    """
    spelled = _NUMBERED_ACCENT.sub(r"\1_\2", with_accent_apart(name.translate(_DIGITS)))
    spelled = _ACCENTED_ALONE.sub(lambda found: f"{found[1]}_{_MARKS[found[2]]}", spelled)
    spelled = _GREEK_ALONE.sub(lambda found: _NAME_OF_LETTER[found[1]], spelled)
    match = _NAME.fullmatch(spelled) if spelled.isascii() else None
    if match is None:
        return rf"\text{{{latex_escape(name)}}}"
    parts = [part for part in match["rest"].split("_") if part]
    digits = (match["digits"] or "").removeprefix("_")
    base = _stem(match["stem"], r"\mathrm")
    is_starred = False
    while parts and parts[0] in ("star", *_ACCENTS):
        part = parts.pop(0)
        is_starred |= part == "star"
        base = rf"{_ACCENTS[part]}{{{base}}}" if part in _ACCENTS else base
    below = [_stem(part, r"\text") for part in parts]
    index = ",".join([*below, digits] if digits else below)
    whole = base + (f"_{{{index}}}" if index else "")
    return f"{{{whole}^{{*}}}}" if is_starred else whole


def _stem(stem: str, upright: str) -> str:
    if len(stem) == 1:
        return stem
    return rf"\{stem}" if stem in GREEK else rf"{upright}{{{stem}}}"
