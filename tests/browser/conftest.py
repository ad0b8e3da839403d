"""A headless Chromium for the explorer's pages: Debian's, or the one that playwright brings."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "draw"))

#: Where Debian, Fedora, Arch and others put it.
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "screenshots"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start a browser; without one, skip and say how to get it."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pip install playwright"
    )
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _PROGRAMS)), None)
    with playwright.sync_playwright() as started:
        try:
            # A process of root's may not make the sandbox; the page is our own, and offline.
            chromium = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(
                "no Chromium: apt-get install chromium, or playwright install chromium"
                f" ({str(error).splitlines()[0]})"
            )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that opens a page from disk, with the network off.

    At the end of the test, nothing may have been asked of the network or said on the console.
    """
    contexts: list[Any] = []
    complaints: list[str] = []

    def note_request(request: Any) -> None:
        if not request.url.startswith("file:"):
            complaints.append(f"asked for {request.url}")

    def open_page(
        path: Path, state: str = "", size: tuple[int, int] = (1440, 900), **options: Any
    ) -> Any:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, offline=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", note_request)
        page.goto(f"{path.as_uri()}#{state}")
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def screenshot() -> Callable[[Any, str], Path]:
    """Return a function that keeps a screenshot of a page under a name."""

    def keep(page: Any, name: str) -> Path:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path)
        return path

    return keep
