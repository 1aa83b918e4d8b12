"""A small index of packages on loopback, behind a password: wheels made in memory, and a note of what was asked for."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import threading
import zipfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

USER, PASSWORD = "builder", "pa55word-of-the-index"


def wheel(name: str, version: str, files: Mapping[str, str], requires: tuple[str, ...] = ()) -> tuple[str, bytes]:
    """The name and the bytes of a wheel with these files."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {one}" for one in requires)]
    whole = {
        **files,
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in whole.items()) + f"{info}/RECORD,,\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in {**whole, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return f"{module}-{version}-py3-none-any.whl", packed.getvalue()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class PackageIndex:
    """`with PackageIndex({"a": wheel(...)}) as index:` serves at `index.url`, the password in it."""

    def __init__(self, wheels: Mapping[str, tuple[str, bytes]]) -> None:
        index, self.asked, self._wheels = self, list[str](), wheels
        self.holding, self.held = "", threading.Event()
        """The page that is not answered, and whether it was asked for."""
        self._go_on = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with contextlib.suppress(BrokenPipeError):  # who asked has been interrupted
                    index.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://{USER}:{PASSWORD}@127.0.0.1:{self._server.server_port}/simple"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One page of the index, or a wheel."""
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        last = request.path.rstrip("/").rpartition("/")[2]
        if request.headers.get("Authorization") != f"Basic {wanted}":
            return self._send(request, 401, b"", ("WWW-Authenticate", 'Basic realm="index"'))
        self.asked.append(last)
        if last == self.holding:
            self.held.set()
            self._go_on.wait()
        content = next((data for file, data in self._wheels.values() if file == last), None)
        if content is None and last in self._wheels:
            file = self._wheels[last][0]
            content = f'<a href="/files/{file}">{file}</a>'.encode()
        return self._send(request, 404 if content is None else 200, content or b"", ("Content-Type", "text/html"))

    @staticmethod
    def _send(request: BaseHTTPRequestHandler, status: int, content: bytes, header: tuple[str, str]) -> None:
        request.send_response(status)
        request.send_header(*header)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
