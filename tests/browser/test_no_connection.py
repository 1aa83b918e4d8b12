"""A report opens no connection, not even ahead of time: a browser as it comes, since those under control make none."""

from __future__ import annotations

import socket
import subprocess
from html import escape
from pathlib import Path

from report_samples import EVIL_PAGE, Making
from sandloop.events import Answered, RunStarted
from sandloop.report import run_report
from sandloop.result import Result


def connects(chromium: str, html: str, address: str, server: socket.socket, folder: Path) -> bool:
    """Whether a browser that opens this page knocks at the server, if only to be ready for a request."""
    page = folder / "page.html"
    page.write_text(html.replace("https://evil.example", address), encoding="utf-8")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-component-update", "--disable-sync"]
    subprocess.run(
        [chromium, *flags, f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    try:
        server.accept()[0].close()
    except TimeoutError:
        return False
    return True


def test_no_connection_is_opened_where_a_policy_and_a_sandbox_alone_would_let_one_be(chromium: str, tmp_path: Path) -> None:
    making = Making()
    answer = "![x](https://evil.example/a.png) <link rel=preconnect href=https://evil.example> [y](https://evil.example)"
    events = (RunStarted(id="r", question=answer, model="m"), making.file("a.html", EVIL_PAGE, "text/html"), Answered(text=answer))
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
    uncleaned = f'{policy}<iframe sandbox srcdoc="{escape(EVIL_PAGE.decode())}"></iframe>'
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert not connects(chromium, run_report(Result(events=events, store=making.store)), address, server, tmp_path)
        assert connects(chromium, uncleaned, address, server, tmp_path), "the test would not have noticed"
