"""The site of documents and what a notebook shows, in a real browser: nothing goes wrong in it, and nothing leaves it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser

from built_site import site
from opened_pages import Open
from sandloop.events import Answered, CodeRan, CodeWritten, FileMade, ReplyEnded, RouteChosen, RunStarted
from sandloop.notebook.shown import result_bundle
from sandloop.result import Result
from sandloop.store import FileStore

EVIL = '<script>alert(1)</script><img src="https://evil.example/x" onerror="alert(1)"><style>*{display:none}</style>'


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and writes no log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the site is served on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site())) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_pages_need_nothing_from_elsewhere_and_fit_the_screen(browser: Browser, address: str, width: int, scheme: str) -> None:
    asked, said = list[str](), list[str]()
    with browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    ) as context:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        for name in ("index", "start", "routes", "sandbox", "how-to/compare", "reference/cli", "reference/python"):
            page.goto(f"{address}/{name}.html")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        page.goto(f"{address}/routes.html")
        assert page.evaluate("document.querySelector('article img').naturalWidth") > 0
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert said == []


def test_the_search_finds_without_a_network(browser: Browser, address: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}/index.html")
        page.locator("input.md-search__input").click()
        page.locator("input.md-search__input").press_sequentially("replay")
        page.locator(".md-search-result__link").first.wait_for(timeout=30_000)


def test_a_result_in_a_notebook_is_inert(open_page: Open) -> None:
    store = FileStore(file_bytes=1 << 20)
    page = f"<h1>{EVIL}</h1>".encode()
    digest = hashlib.sha256(page).hexdigest()
    store.add_bytes(page, digest)
    result = Result(
        events=(
            RunStarted(id=EVIL, question=EVIL, model=EVIL),
            RouteChosen(route="local", provider=EVIL, model=EVIL, reason=EVIL),
            ReplyEnded(stop="end", text=f"{EVIL} ![x](https://evil.example/y)"),
            CodeWritten(code_id="1", language="python", source=f"# {EVIL}</code></pre>", origin="fenced"),
            CodeRan(code_id="1", exit_code=0, stdout=EVIL, stderr=EVIL),
            FileMade(name=EVIL, size=len(page), mime="text/html", sha256=digest, code_id="1"),
            Answered(text=f"{EVIL} ![x](https://evil.example/y)"),
        ),
        store=store,
    )
    opened = open_page(f"<!doctype html><title>cell</title>{result_bundle(result)['text/html']}")

    assert (opened.said, opened.asked, opened.dialogs) == ([], [], [])
    assert opened.page.locator(".sandloop details").first.is_visible()
    opened.page.locator(".sandloop summary", has_text="step 1").click()
    assert opened.page.locator("pre code").first.is_visible()
    assert opened.page.evaluate("document.querySelectorAll('.sandloop script, .sandloop iframe').length") == 0
