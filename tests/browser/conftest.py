"""A real Chromium, in which the tests open pages from a file as a person would. What a page asks for is noted, and refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Error, Request, Route, sync_playwright

from opened_pages import Open, Opened

ARGUMENTS = (
    "--no-sandbox",  # as root, as in a container
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where it is."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail("No Chromium was found, in which these tests open the reports. Run tools/chromium.sh, which installs it.")
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One for all tests of a module; closed after it, since the loop it runs on is in the way of other tests'."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens HTML in a page of its own."""
    contexts: list[BrowserContext] = []

    def opened(html: str, *, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Opened:
        path = tmp_path / f"page-{len(contexts)}.html"
        path.write_text(html, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        found = Opened(context.new_page())
        _watch(found, path.as_uri())
        found.page.goto(path.as_uri())
        return found

    yield opened
    for context in contexts:
        context.close()


def _watch(opened: Opened, address: str) -> None:
    def asked(request: Request) -> None:
        if not request.url.startswith((address, "data:")):
            opened.asked.append(request.url)

    def answered(route: Route) -> None:
        if route.request.url == address:
            route.continue_()
        else:
            route.abort()

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            opened.said.append(message.text)

    def failed(error: Error) -> None:
        opened.said.append(str(error))

    def asked_the_reader(dialog: Dialog) -> None:
        opened.dialogs.append(dialog.message)
        dialog.dismiss()

    opened.page.context.route("**/*", answered)
    opened.page.on("request", asked)
    opened.page.on("console", said)
    opened.page.on("pageerror", failed)
    opened.page.on("dialog", asked_the_reader)
