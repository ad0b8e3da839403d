"""What all tests share: golden files, hypothesis settings, and the count of tested ops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from graphc.ops import OPS

# The same examples on every run: a failure is a change of the code, not of the dice.
settings.register_profile("reproducible", derandomize=True, deadline=None, database=None)
settings.load_profile("reproducible")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write golden files instead of comparing"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return `check(name, text)`, which compares text with `golden/name` beside the test."""
    folder = Path(request.path).parent / "golden"
    update = request.config.getoption("--update-golden")

    def check(name: str, text: str) -> None:
        path = folder / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        expected = path.read_text(encoding="utf-8") if path.exists() else ""
        assert text == expected, f"{path} differs; `pytest --update-golden` accepts the new text"

    return check


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    cases = sum(len(op.cases) for op in OPS.values())
    terminalreporter.write_line(f"registry: {len(OPS)} ops, {cases} cases")
