"""A server on loopback that answers every request with the same bytes, in pieces: what no honest server sends."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self


class RawServer:
    """Answers with a status line, headers and `pieces`, `pause` seconds apart, then closes. No pieces: it closes at once."""

    def __init__(
        self,
        *pieces: bytes,
        status: str = "200 OK",
        kind: str = "text/event-stream",
        pause: float = 0.0,
        headers: Sequence[str] = (),
    ) -> None:
        self._pieces, self._pause = pieces, pause
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *headers, "", ""]
        self._head = "\r\n".join(lines).encode()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.visits = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self.visits += 1
            threading.Thread(target=self._answer, args=(visitor,), daemon=True).start()

    def _answer(self, visitor: socket.socket) -> None:
        with visitor, contextlib.suppress(OSError):
            visitor.settimeout(10)
            if visitor.recv(1, socket.MSG_PEEK) in b"GPD":  # else it is no HTTP, and waits for a greeting of ours
                _take_request(visitor)
            visitor.sendall(self._head)
            for piece in self._pieces:
                visitor.sendall(piece)
                time.sleep(self._pause)


def _take_request(visitor: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += visitor.recv(1 << 16) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length and (piece := visitor.recv(1 << 16)):
        body += piece
