"""A small model hub on loopback: one file, with ranges, and with the faults a transfer meets."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass
class Hub:
    """`path` has `content`. Each entry of `cuts` ends one answer after so many bytes; `ranges=False` ignores `Range`."""

    path: str
    content: bytes
    cuts: list[int] = field(default_factory=list[int])
    ranges: bool = True
    status: int | None = None
    asked: list[str | None] = field(default_factory=list[str | None])
    """The `Range` of each request."""

    def __enter__(self) -> Self:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            hub.asked.append(self.headers["Range"])
            if hub.status is not None or self.path != hub.path:
                self.send_error(hub.status or 404)
                return
            found = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "") if hub.ranges else None
            start = int(found[1]) if found else 0
            data = hub.content[start:]
            self.send_response(206 if found else 200)
            if found:
                self.send_header("Content-Range", f"bytes {start}-{len(hub.content) - 1}/{len(hub.content)}")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: hub.cuts.pop(0)] if hub.cuts else data)

    return Handler
